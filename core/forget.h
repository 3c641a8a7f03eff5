/* SPDX-License-Identifier: MIT */
/* Forgetting tombstones.  One goes when every store that may hold an older
 * copy has it: each peer that takes from us has acknowledged it, and each far
 * side that we give to has been given it; or when it is older than
 * keep_deleted.  Which ones may be gone is known by the floor, the greatest
 * seq forgotten: a pair whose cursor is below it must compare. */

#ifndef TALLY_FORGET_H
#define TALLY_FORGET_H

#include "replica.h"

/* The greatest seq of a tombstone that may have been forgotten; 0: none. */
int forget_floor (struct replica *replica, const char *collection,
                  uint64_t *floor, struct tally_error *err);

/* Forgets what may be forgotten of a collection.  Ages count only while the
 * clock is confirmed by somebody else's.  Costs one header for each change
 * that everybody has acknowledged since it was last done. */
int forget_tombstones (struct replica *replica, const char *collection,
                       bool clock_confirmed, struct tally_error *err);

#endif /* TALLY_FORGET_H */
