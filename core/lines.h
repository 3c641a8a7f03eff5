/* SPDX-License-Identifier: MIT */
/* A file, line by line, more than once: what comes from a pipe is kept in a
 * temporary file meanwhile.  Of the file never more than a line is in
 * memory. */

#ifndef TALLY_LINES_H
#define TALLY_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* A document of 16 MiB, each byte of which may be escaped as \uXXXX. */
#define LINES_MAX ((size_t) 100 << 20)

struct lines {
  const char *path; /* for messages */
  int fd;
  int spool;     /* what a pipe gave is written here; -1: nothing is */
  int cancel_fd; /* readable: stop; -1: nothing stops it */
  struct buf buf;
  size_t at;     /* the next line begins here in buf */
  size_t number; /* of the line that was given last, from 1 */
  bool ended;    /* buf has the rest of the file */
};

/* path "-": the standard input.  The path must live on. */
int lines_open (struct lines *lines, const char *path, int cancel_fd,
                struct tally_error *err);
void lines_close (struct lines *lines);

/* The next line, without its end, good until the next call.  TALLY_NOTFOUND
 * (err is left alone): there is none. */
int lines_next (struct lines *lines, struct tally_slice *line,
                struct tally_error *err);

/* Whether nothing comes behind the line that was given last, which is no
 * longer good. */
int lines_is_last (struct lines *lines, bool *last, struct tally_error *err);

/* Back to the first line; only after the last one. */
int lines_rewind (struct lines *lines, struct tally_error *err);

#endif /* TALLY_LINES_H */
