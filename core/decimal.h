/* SPDX-License-Identifier: MIT */
/* Sums and products of JSON numbers, exact: 0.1 and 0.2 are 0.3, and
 * 9007199254740993 and 1 are 9007199254740994.  Pure. */

#ifndef TALLY_DECIMAL_H
#define TALLY_DECIMAL_H

#include "buf.h"

/* Results with more digits than this are refused. */
#define DECIMAL_DIGITS_MAX 2000

/* Append a number as JSON.  False: it would have too many digits, or out has
 * failed.  Whether a double could hold it is not looked at. */
bool decimal_add (struct buf *out, struct tally_slice a, struct tally_slice b);
bool decimal_multiply (struct buf *out, struct tally_slice a,
                       struct tally_slice b);

#endif /* TALLY_DECIMAL_H */
