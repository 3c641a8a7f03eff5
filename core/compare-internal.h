/* SPDX-License-Identifier: MIT */
/* What the files of a comparison share. */

#ifndef TALLY_COMPARE_INTERNAL_H
#define TALLY_COMPARE_INTERNAL_H

#include "compare.h"

int compare_strange (const struct compare *compare, struct tally_error *err);

/* Makes sets of n items that one side has and the other has not. */
int compare_take_found (struct compare *compare, struct sketch_found *found,
                        size_t n, struct tally_error *err);

/* Holds a list of theirs against the rows here, and frees the reply. */
int compare_take_list (struct compare *compare, struct wire_message *reply,
                       struct tally_error *err);

#endif /* TALLY_COMPARE_INTERNAL_H */
