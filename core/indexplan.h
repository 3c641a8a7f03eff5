/* SPDX-License-Identifier: MIT */
/* Which index serves a query, and where in it to look: all that matches is
 * there, and maybe more.  Pure. */

#ifndef TALLY_INDEXPLAN_H
#define TALLY_INDEXPLAN_H

#include "indexkey.h"
#include "query-tree.h"

#define INDEXPLAN_SPANS_MAX 100000

struct index_plan {
  const struct index_def *def; /* NULL: none serves */
  /* Places of rows, from one to before the other; one of them is that of
   * documents that have no keys of their own, if there may be such. */
  struct index_span {
    struct tally_slice from, to;
  } * spans;
  size_t n;
  size_t ranges;   /* those that the query asks for */
  size_t fields;   /* so many of the index's are bounded */
  bool exact;      /* each by a value, not a range */
  bool reverse;    /* of index_plan_ordered: from the last key to the first */
  struct buf text; /* of the spans */
};

/* several: of index number n, documents may have several keys each; then two
 * bounds may hold for different ones. */
int index_plan_make (struct index_plan *out, const struct index_list *list,
                     const struct query_node *root, const bool *several,
                     struct tally_error *err);

/* An index that has documents in the order of the sort, and where in it those
 * are that the query lets through; def NULL: there is none. */
int index_plan_ordered (struct index_plan *out, const struct index_list *list,
                        const struct query_node *root,
                        const struct field_list *sort,
                        struct tally_error *err);
void index_plan_free (struct index_plan *plan);

#endif /* TALLY_INDEXPLAN_H */
