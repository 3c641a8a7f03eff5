/* SPDX-License-Identifier: MIT */
/* A memory store that stays when it is closed and can be opened many times,
 * with slots taken away or watched, and a wall clock that the test owns. */

#ifndef TALLY_TESTS_SHARED_STORE_H
#define TALLY_TESTS_SHARED_STORE_H

#include "../../core/replica.h"

#define SHARED_WALL_MS UINT64_C (1700000000000)
#define SHARED_SKEW_MS UINT64_C (300000)

struct shared_store {
  struct tally_store ops; /* take slots away before the first open */
  struct driver driver;
  struct tally_host host;
  struct time_source time;
  uint64_t wall_ms;
  unsigned sleeps;

  /* Counted over all handles. */
  unsigned puts, note_puts;
  size_t most_entries, most_bytes; /* documents of one put, which are not to
                                    * go; bytes of more than one */

  /* Called before each put of documents, unless within itself. */
  void (*meddle) (void *ctx);
  void *meddle_ctx;
  bool meddling;
};

/* One at a time in a process; it ends with shared_free. */
void shared_start (struct shared_store *shared);
void shared_free (struct shared_store *shared);

/* Leaves what a driver must have, without notes, the list of collections and
 * transactions; before the first open. */
void shared_take_slots (struct shared_store *shared);

/* Opens it, or returns what replica_open did. */
int shared_open (struct shared_store *shared, struct replica **out,
                 unsigned flags, const char *place, struct tally_error *err);

/* Opens it for writing at the place "here", or fails the test. */
struct replica *shared_replica (struct shared_store *shared);

#endif /* TALLY_TESTS_SHARED_STORE_H */
