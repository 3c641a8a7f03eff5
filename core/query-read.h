/* SPDX-License-Identifier: MIT */
/* Reading a query, for the files of core/query. */

#ifndef TALLY_QUERY_READ_H
#define TALLY_QUERY_READ_H

#include "query-tree.h"

struct query_reader {
  struct query *query;
  struct tally_error *err;
};

/* An operator that becomes one node, and what reads what stands behind it. */
struct query_operator {
  const char *name;
  enum query_op op;
  bool negated;
  int (*take) (struct query_reader *reader, struct query_node *node,
               struct tally_slice operator, struct tally_slice value);
};

/* NULL: it is no such operator (query-operand.c). */
const struct query_operator *query_operator_find (struct tally_slice name);

/* TALLY_INVALID, with the nearest one that there is. */
int query_unknown_operator (struct query_reader *reader,
                            struct tally_slice name);

/* TALLY_INVALID: what stands behind the operator. */
int query_wrong (struct query_reader *reader, struct tally_slice operator,
                 const char * why);

/* What begins with a dollar, and an object whose first member does. */
bool query_is_operator (struct tally_slice key);
bool query_has_operator (struct tally_slice value);

/* Adds what an object says to the node (query.c); of a condition raw_path.data
 * NULL is the value itself. */
int query_read (struct query_reader *reader, struct query_node *parent,
                struct tally_slice object);
int query_read_condition (struct query_reader *reader,
                          struct query_node *parent,
                          struct tally_slice raw_path,
                          struct tally_slice value);

#endif /* TALLY_QUERY_READ_H */
