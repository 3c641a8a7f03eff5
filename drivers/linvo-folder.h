/* SPDX-License-Identifier: MIT */
/* The folder that a linvo store lives in, and the file TALLY that makes it
 * one: what kind of folder it is, who holds it, how much was written. */

#ifndef TALLY_LINVO_FOLDER_H
#define TALLY_LINVO_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tally/driver.h>

#include "linvo-error.h"

struct linvo_folder {
  char *path;
  int fd;          /* of TALLY, locked */
  bool fresh;      /* LevelDB has to be made in it */
  uint64_t writes; /* batches known to be in it; 0: not known */
};

/* Finds or makes the folder and locks it.  Nothing is made or changed unless
 * it is a store, or flags ask for one and one can be made here. */
int linvo_folder_open (struct linvo_folder *folder, const char *path,
                       unsigned flags, struct tally_error *err);
void linvo_folder_close (struct linvo_folder *folder);

/* Notes that this many batches were acknowledged.  Not synced, as that would
 * double the cost of a put; false when it could not be written, which only
 * makes the note too low, and that is harmless. */
bool linvo_folder_mark (struct linvo_folder *folder, uint64_t writes);

/* Whether that many bytes could still be written. */
int linvo_folder_room (struct linvo_folder *folder, size_t size,
                       struct tally_error *err);

/* Says who holds LevelDB's lock; only for a process that does not: closing
 * any descriptor of the file LOCK drops all of a process's locks on it.
 * `holder` is the answer when the system has none; 0: unknown. */
int linvo_folder_held (const char *path, pid_t holder,
                       struct tally_error *err);

#endif /* TALLY_LINVO_FOLDER_H */
