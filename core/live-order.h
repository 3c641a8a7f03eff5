/* SPDX-License-Identifier: MIT */
/* Which results moved: the fewest that can be said to have, so that all others
 * stand in the order that they stood in.  Pure. */

#ifndef TALLY_LIVE_ORDER_H
#define TALLY_LIVE_ORDER_H

#include <stdbool.h>
#include <stddef.h>

/* old[i] is where the result that is at i now was before, each once; or
 * SIZE_MAX: nowhere, it is new.  Sets moved[i] for those that moved.  False:
 * out of memory. */
bool live_order (bool *moved, const size_t *old, size_t n);

#endif /* TALLY_LIVE_ORDER_H */
