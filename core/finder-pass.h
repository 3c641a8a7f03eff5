/* SPDX-License-Identifier: MIT */
/* A search that looks at all documents in the order in which they lie, where
 * that costs less than the order in which they are given out. */

#ifndef TALLY_FINDER_PASS_H
#define TALLY_FINDER_PASS_H

#include "finder.h"

/* Whether a walk by id, of which a part is done, is to go on as a pass. */
bool finder_pass_pays (const struct finder *finder);

/* What was found is handed to `take` in the order of ids. */
int finder_pass_next (struct finder *finder, finder_look_fn *take,
                      struct tally_error *err);
void finder_pass_end (struct finder *finder);

#endif /* TALLY_FINDER_PASS_H */
