/* SPDX-License-Identifier: MIT */
/* Queries over canonical documents: equality and comparison on top-level
 * fields.  Pure. */

#ifndef TALLY_QUERY_H
#define TALLY_QUERY_H

#include <stdbool.h>

#include "buf.h"

struct query;

/* Reads a query; NULL text matches everything.  TALLY_INVALID names what is
 * wrong with it. */
int query_parse (struct query **out, const char *text,
                 struct tally_error *err);
void query_free (struct query *query);

bool query_match (const struct query *query, struct tally_slice document);

/* The order of values: missing (data NULL) < null < number < string < boolean
 * < array < object; within a type its own. */
int query_value_cmp (struct tally_slice a, struct tally_slice b);

/* What `sort` and `fields` name: "F,-G" as raw canonical keys. */
struct field_list {
  struct field_name {
    struct buf key;
    bool descending;
  } * fields;
  size_t count;
};

/* NULL text: none.  signs: a '-' before a name means descending. */
int field_list_parse (struct field_list *out, const char *text, bool signs,
                      struct tally_error *err);
void field_list_free (struct field_list *list);

/* Below 0 when document a comes before b. */
int field_list_cmp (const struct field_list *sort, struct tally_slice a,
                    struct tally_slice b);

/* Appends the document with only these fields, and _id. */
void field_list_project (const struct field_list *fields, struct buf *out,
                         struct tally_slice document);

#endif /* TALLY_QUERY_H */
