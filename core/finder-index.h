/* SPDX-License-Identifier: MIT */
/* Which index a search goes by, and what that finds. */

#ifndef TALLY_FINDER_INDEX_H
#define TALLY_FINDER_INDEX_H

#include "finder.h"

/* Has the search go by an index in its order, or by the ids that one finds; or
 * leaves it as it is. */
int finder_use_index (struct finder *finder, struct tally_error *err);

#endif /* TALLY_FINDER_INDEX_H */
