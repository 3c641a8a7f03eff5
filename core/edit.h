/* SPDX-License-Identifier: MIT */
/* Local writes: what a put or a delete makes of the state that is stored.
 * Pure; the caller brings a stamp above all that stands in it. */

#ifndef TALLY_EDIT_H
#define TALLY_EDIT_H

#include "state.h"

/* More overrides than this, and than twice the fields, make the next put a
 * whole write: so the overrides of a document stay bounded. */
#define EDIT_OVERRIDES_MAX 64

/* A put of a whole canonical document over `old` (NULL: not there).  Assigns
 * the fields that differ, or with `replace`, and over nothing or a tombstone,
 * all of them.  *changed false: the put changes nothing, *out is not made.
 * *out has its slices in `old`, and in `body`. */
int edit_put (struct state *out, bool *changed, const struct state *old,
              struct tally_slice body, bool replace, const struct stamp *stamp,
              struct tally_error *err);

/* A delete of `old`, which is alive. */
int edit_delete (struct state *out, const struct state *old,
                 const struct stamp *stamp, struct tally_error *err);

#endif /* TALLY_EDIT_H */
