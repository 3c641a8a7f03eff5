/* SPDX-License-Identifier: MIT */
/* Queries, sorts, projections and updates over trees of jansson, as plain as
 * can be: slow, and easy to see through.  What tally makes of them must be the
 * same.  And random ones of all of these. */

#ifndef TALLY_TESTS_PLAIN_H
#define TALLY_TESTS_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "rng.h"

/* ---- match.c ------------------------------------------------------------ */

bool plain_match (const json_t *query, const json_t *document);

/* An element of an array against what $elemMatch or $pull says. */
bool plain_element (const json_t *wanted, const json_t *element);
bool plain_equal (const json_t *a, const json_t *b);

/* In the order of a sort; NULL is missing. */
int plain_cmp (const json_t *a, const json_t *b);
bool plain_is_date (const json_t *value);
bool plain_is_operator (const json_t *value);

/* All that a path finds, arrays as a whole; the array is the caller's. */
json_t *plain_values (const json_t *document, const char *path);

/* ---- order.c ------------------------------------------------------------ */

/* Sorts by "a,-b.c", and then by _id. */
void plain_sort (const json_t **documents, size_t n, const char *sort);

/* Only these fields, "a,b.c", and _id. */
json_t *plain_project (const json_t *document, const char *fields);

/* ---- update.c ----------------------------------------------------------- */

/* False: it cannot be done to the document, which is then spoilt. */
bool plain_update (json_t *document, const json_t *update, uint64_t now_ms);

/* ---- random.c ----------------------------------------------------------- */

json_t *random_value (struct rng *rng, unsigned depth);

/* flat: without arrays, so that indexes have the order of sorts. */
json_t *random_document (struct rng *rng, unsigned number, bool flat);
json_t *random_query (struct rng *rng, unsigned depth);
json_t *random_update (struct rng *rng, bool flat);
const char *random_sort (struct rng *rng);
const char *random_fields (struct rng *rng);

#endif /* TALLY_TESTS_PLAIN_H */
