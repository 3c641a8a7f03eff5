/* SPDX-License-Identifier: MIT */
/* A temporary folder of sqlite stores, and documents that hold a number. */

#ifndef TALLY_TESTS_SQLITE_FOLDER_H
#define TALLY_TESTS_SQLITE_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

struct opened {
  const struct tally_store *store;
  struct tally_host host;
  void *handle;
  char path[4096];
  int64_t lock_timeout_ms; /* 0: the default, 30 s */
  int cancel;              /* nonzero: host->cancelled says yes */
  struct tally_error err;
};

/* Makes the folder, or removes it with all in it. */
int folder_make (void);
void folder_remove (void);

/* The path of a store that is not there yet. */
int folder_fresh (char *path, size_t size);

/* Opens the path, keeping the limits set in *o; returns the status. */
int folder_open (struct opened *o, const char *path, unsigned flags);

/* Makes a new store, or -1. */
int folder_create (struct opened *o);
void folder_close (struct opened *o);

/* Puts the document with that number as stamp and body into collection
 * "things".  Returns what went wrong first, the put or its outcome.  With
 * expected NULL fingerprints are as if the number before was stored, if
 * anything is. */
int folder_put (struct opened *o, const char *id,
                const unsigned char *expected, uint32_t number,
                struct tally_outcome *outcome);

/* The number in that document; 0 when it is not there, -1 on any error. */
int64_t folder_number (struct opened *o, const char *id);

/* The rev that a number goes with; 0: that of no document. */
void folder_rev (unsigned char rev[TALLY_REV_SIZE], uint32_t number);

#endif /* TALLY_TESTS_SQLITE_FOLDER_H */
