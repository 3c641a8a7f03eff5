/* SPDX-License-Identifier: MIT */
/* What tests of whole runs share: contexts, documents, runs and what they
 * reported, servers in a thread, and stores held against each other.  All
 * through the public API; what must work is asserted here. */

#ifndef TALLY_TEST_SYNC_KIT_H
#define TALLY_TEST_SYNC_KIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/tally.h>

#if defined __GNUC__
#define KIT_FORMAT(at, args) __attribute__ ((format (printf, at, args)))
#else
#define KIT_FORMAT(at, args)
#endif

#define KIT_PATH 256

/* ---- folders ------------------------------------------------------------ */

void kit_folder_make (char path[KIT_PATH]);
void kit_folder_remove (const char *path);

/* Makes `to`, a file or a folder, what `from` is.  What is there already is
 * filled anew in place, as a restored backup would: the same inode. */
void kit_copy (const char *from, const char *to);

/* The whole of a text file; free it. */
char *kit_read (const char *path);

/* ---- contexts ----------------------------------------------------------- */

/* A context with this ini. */
struct tally *kit_context (const struct tally_setup *setup, const char *fmt,
                           ...) KIT_FORMAT (2, 3);

/* Whether such a driver was found where the ini and TALLY_DRIVER_PATH say. */
bool kit_has_driver (struct tally *tally, const char *name, const char *kind);

struct tally_replica *kit_store (struct tally *tally, const char *name);

/* ---- documents ---------------------------------------------------------- */

void kit_put (struct tally_replica *replica, const char *collection,
              const char *fmt, ...) KIT_FORMAT (3, 4);
/* A whole write. */
void kit_replace (struct tally_replica *replica, const char *collection,
                  const char *fmt, ...) KIT_FORMAT (3, 4);
void kit_remove (struct tally_replica *replica, const char *collection,
                 const char *id);

/* The document as canonical JSON, or NULL; free it.  rev may be NULL. */
char *kit_get (struct tally_replica *replica, const char *collection,
               const char *id, char rev[TALLY_REV_TEXT]);

/* The document has this text in it (NULL: there is no such document). */
void kit_expect (struct tally_replica *replica, const char *collection,
                 const char *id, const char *part);

/* How many documents the collection has. */
size_t kit_count (struct tally_replica *replica, const char *collection);

/* Every document that syncs, each a line with its revision; free it. */
char *kit_dump (struct tally_replica *replica);

/* Both stores hold the same documents at the same revisions. */
void kit_same (struct tally_replica *a, struct tally_replica *b);

/* tally_verify finds no difference, and `documents` on either side. */
void kit_verify (struct tally *tally, const char *a, const char *b,
                 uint64_t documents);

/* ---- runs --------------------------------------------------------------- */

#define KIT_ROWS 8

struct kit_row {
  struct tally_report report; /* its texts are those below, or NULL */
  char collection[64];
  char strategy[16];
  char error[256];
};

struct kit_run {
  struct kit_row rows[KIT_ROWS];
  size_t n;
  int status;
  struct tally_error err;
};

/* Runs the link and keeps what was reported; says nothing of its status. */
void kit_try_sync (struct kit_run *run, struct tally *tally, const char *link,
                   int direction);

/* Likewise two endpoints. */
void kit_try_pair (struct kit_run *run, struct tally *tally, const char *a,
                   const char *b);
void kit_try_pair_in (struct kit_run *run, struct tally *tally, const char *a,
                      const char *b, int direction);

/* Runs the link, which must succeed. */
void kit_sync (struct kit_run *run, struct tally *tally, const char *link);

/* What a dry run says: its reports, and that its documents are as many. */
void kit_foresee (struct kit_run *run, struct tally *tally, const char *link,
                  int direction);
void kit_foresee_pair (struct kit_run *run, struct tally *tally, const char *a,
                       const char *b, int direction);

/* A run with these options, of a link, or of two endpoints. */
void kit_run_with (struct kit_run *run, struct tally *tally, const char *a,
                   const char *b, const struct tally_sync_options *options);

/* The run did what had been foreseen. */
void kit_expect_foreseen (const struct kit_run *foreseen,
                          const struct kit_run *run);

/* What was reported for the collection; a row of zeros if nothing was. */
const struct tally_report *kit_report (const struct kit_run *run,
                                       const char *collection);

struct kit_figures {
  uint64_t pulled, pushed, merged, conflicts, deleted;
};

#define KIT_FIGURES(...) \
  (struct kit_figures)   \
  {                      \
    __VA_ARGS__          \
  }

void kit_expect_figures (const struct kit_run *run, const char *collection,
                         struct kit_figures figures);

/* Nothing moved, and no collection took more than so many round trips. */
void kit_expect_nothing (const struct kit_run *run, uint64_t round_trips);

/* ---- servers ------------------------------------------------------------ */

struct kit_server {
  struct tally *tally;
  const char *name;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool ready, done;
  char url[128];
  int status;
  struct tally_error err;
};

/* Serves a [serve] section in a thread of its own; returns once it is ready
 * and its url is known. */
void kit_serve (struct kit_server *server, struct tally *tally,
                const char *name);

/* Cancels the server's context and waits for its end. */
void kit_serve_end (struct kit_server *server);

#endif /* TALLY_TEST_SYNC_KIT_H */
