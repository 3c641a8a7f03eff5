/* SPDX-License-Identifier: MIT */
/* The valid word that a mistyped one was most likely meant to be. */

#ifndef TALLY_CORE_NEAREST_H
#define TALLY_CORE_NEAREST_H

#include <stddef.h>

/* The candidate (the list ends with NULL) with the fewest edits from the
 * word: letters added, dropped, changed, or two neighbours swapped; case does
 * not count.  NULL when none is near enough to be worth suggesting, or the
 * list is NULL.  The first of several equally near ones. */
const char *nearest (const char *word, const char *const *candidates);

/* Edits between two words, at most `limit` + 1. */
size_t nearest_distance (const char *a, const char *b, size_t limit);

#endif /* TALLY_CORE_NEAREST_H */
