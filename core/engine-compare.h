/* SPDX-License-Identifier: MIT */
/* Comparing in place of a list of everything. */

#ifndef TALLY_ENGINE_COMPARE_H
#define TALLY_ENGINE_COMPARE_H

#include "engine-internal.h"
#include "engine-names.h"

/* Whether the collection may be compared: both sides can, and nothing must be
 * known that only a list tells. */
bool compare_may (const struct sync *sync);

/* Has the next hello ask what a run without a checkpoint asks first; named: as
 * in route_offer. */
int compare_ride (struct run *run, bool named, struct tally_error *err);

/* What is to be done with the window, that is sync->remote and sync->changed;
 * last: also with what earlier ones left to be merged. */
typedef int engine_step_fn (void *ctx, bool last, struct tally_error *err);

/* Compares, and has the differences stepped through, after `first` (may be
 * NULL) was called once.  What it does not do, since one side is empty or it
 * cannot tell, is left to be listed: sync->remote_done is false then.  After a
 * broken pair tombstones are, too: sync->graves. */
int compare_windows (struct sync *sync, engine_step_fn *first,
                     engine_step_fn *step, void *ctx, struct tally_error *err);

/* Once tombstones were listed: the cursors are those of the comparison. */
int compare_end_graves (struct sync *sync, struct tally_error *err);

/* engine-guard.c: as guard_deletes, once it is known how many documents only
 * one side has; UINT64_MAX: many. */
int guard_compared (struct sync *sync, uint64_t ours, uint64_t theirs,
                    struct tally_error *err);

#endif /* TALLY_ENGINE_COMPARE_H */
