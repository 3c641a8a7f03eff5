/* SPDX-License-Identifier: MIT */
/* Local writes: read what is stored, make the new state, put it if nobody
 * was faster, else again. */

#ifndef TALLY_WRITE_H
#define TALLY_WRITE_H

#include "replica.h"
#include "state.h"

/* More at once would hold too many bodies in memory. */
#define WRITE_BATCH 1000
#define WRITE_BATCH_BYTES ((size_t) 2 << 20)

struct write_item {
  struct tally_slice id;
  struct tally_slice body; /* canonical; data NULL: delete */
  bool replace;            /* assign every field */
  /* Only if this is stored, else TALLY_CONFLICT in the result; NULL: any. */
  const unsigned char *expected;
};

struct write_result {
  int status;  /* TALLY_OK or TALLY_CONFLICT */
  int outcome; /* enum tally_outcome_type */
  unsigned char rev[TALLY_REV_SIZE];
  uint64_t seq; /* of what was written; 0: nothing was */
};

/* Whether the store itself keeps something there, which no application writes
 * or is told of. */
bool write_is_own (const char *collection);

/* TALLY_INVALID: an application cannot write there, since it is no name, or
 * stands for what the store itself keeps. */
int write_check (const char *collection, struct tally_error *err);

/* The same, but what an account has is written, too: for an import, which
 * takes back what was exported. */
int write_check_any (const char *collection, struct tally_error *err);

/* A stamp for a write of this store over a state (NULL: over nothing), which
 * does not know it. */
int write_stamp (struct replica *replica, const struct state *old,
                 struct stamp *stamp, struct tally_error *err);

/* Writes items, each document on its own; durable on return.  Of several with
 * one id, each goes by the one before it, and all of them are one write. */
int write_batch (struct replica *replica, const char *collection,
                 const struct write_item *items, size_t n,
                 struct write_result *results, struct tally_error *err);

/* The same in one transaction where the store has such, and without trying
 * again: *written false, some document is not as expected, and nothing was
 * written.  Every item says what it expects. */
int write_together (struct replica *replica, const char *collection,
                    const struct write_item *items, size_t n,
                    struct write_result *results, bool *written,
                    struct tally_error *err);

#endif /* TALLY_WRITE_H */
