/* SPDX-License-Identifier: MIT */
/* Repair of a store whose clock was wrong: writes whose stamps lie beyond the
 * clock get new places, of now and of a fresh client, in the order of the old,
 * and keep their names.  So a repaired document is the same as every copy of
 * what it was, and whoever knew that knows this; two that repair it on their
 * own have no conflict.  merge.h has what follows from it.  Only while
 * somebody else's clock confirms ours. */

#ifndef TALLY_REPAIR_H
#define TALLY_REPAIR_H

#include "replica.h"
#include "state.h"

struct repair {
  struct replica *replica;
  uint64_t limit_ms; /* stamps beyond this are wrong */
  uint64_t count;    /* documents that got new stamps */
};

/* Durable: until repair_end has seen all, the store is ahead.  Goes on with
 * one that was cut. */
int repair_begin (struct repair *repair, struct replica *replica,
                  struct tally_error *err);

/* Goes on behind *since with at most so many documents, and moves it; *done
 * says that there is no more. */
int repair_collection (struct repair *repair, const char *collection,
                       uint64_t *since, uint64_t most, bool *done,
                       struct tally_error *err);

/* Goes on with every collection that syncs, with at most so many documents;
 * *done says that the store is ahead no more. */
int repair_end (struct repair *repair, uint64_t most, bool *done,
                struct tally_error *err);

/* Says in one line what was done, if anything was. */
void repair_tell (const struct repair *repair);

/* How many different stamps of the state lie beyond the limit. */
size_t repair_needs (const struct state *state, uint64_t limit_ms);

/* Makes *out of the state with these stamps in the place of those beyond the
 * limit, each moved, where it has to be, above all that stands or was seen.
 * fresh: as many as are needed, rising.  The body and the fields are the old
 * state's.  False: out of memory.  Pure. */
bool repair_state (struct state *out, const struct state *old,
                   uint64_t limit_ms, const struct stamp *fresh);

#endif /* TALLY_REPAIR_H */
