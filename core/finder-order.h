/* SPDX-License-Identifier: MIT */
/* A search that reads an index in the order of its sort: it holds a batch of
 * rows at a time, and stops where the caller has enough. */

#ifndef TALLY_FINDER_ORDER_H
#define TALLY_FINDER_ORDER_H

#include "finder.h"

/* finder->indexes and finder->plan have been filled. */
void finder_order_start (struct finder *finder);
int finder_order_next (struct finder *finder, finder_look_fn *look,
                       struct tally_error *err);
void finder_order_end (struct finder *finder);

#endif /* TALLY_FINDER_ORDER_H */
