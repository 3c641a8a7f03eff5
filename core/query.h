/* SPDX-License-Identifier: MIT */
/* Queries over canonical documents, with MongoDB's operators.  A query becomes
 * a tree once; documents are walked as text.  Pure. */

#ifndef TALLY_QUERY_H
#define TALLY_QUERY_H

#include <stdbool.h>

#include "buf.h"

struct query;

/* Beyond these a query is refused. */
#define QUERY_TEXT_MAX ((size_t) 4 << 20)
#define QUERY_CONDITIONS_MAX 1000
#define QUERY_VALUES_MAX 100000 /* of all $in, $nin and $all */

/* Reads a query; NULL text matches everything.  TALLY_INVALID names what is
 * wrong with it. */
int query_parse (struct query **out, const char *text,
                 struct tally_error *err);
void query_free (struct query *query);

/* TALLY_INVALID: a regular expression gave up.  One thread at a time. */
int query_match (struct query *query, struct tally_slice document,
                 bool *matches, struct tally_error *err);

/* The same for a single value, with what stands in $pull: a condition, or a
 * query over an object's members. */
int query_parse_pull (struct query **out, struct tally_slice condition,
                      struct tally_error *err);
int query_match_value (struct query *query, struct tally_slice value,
                       bool *matches, struct tally_error *err);

#endif /* TALLY_QUERY_H */
