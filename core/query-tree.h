/* SPDX-License-Identifier: MIT */
/* A query's tree, for the files of core/query and for those who plan by it. */

#ifndef TALLY_QUERY_TREE_H
#define TALLY_QUERY_TREE_H

#include "path.h"
#include "query.h"
#include "regex.h"

enum query_op {
  /* Of other nodes. */
  QUERY_AND,
  QUERY_OR,
  QUERY_NOT, /* not all of them */
  /* Of what stands at a path. */
  QUERY_EQ,
  QUERY_LT,
  QUERY_LTE,
  QUERY_GT,
  QUERY_GTE,
  QUERY_IN,
  QUERY_REGEX,
  QUERY_EXISTS,
  QUERY_TYPE,
  QUERY_SIZE,
  QUERY_ELEM_MATCH, /* an element that is all of the nodes below, which see it
                       as a document, or with an empty path as a value */
  QUERY_NEVER
};

struct query_node {
  enum query_op op;
  struct path path; /* n 0: the value itself */
  struct tally_slice value;
  struct tally_slice *values; /* QUERY_IN: in rising order */
  size_t n_values;
  uint32_t types;   /* QUERY_TYPE: see query-match.c */
  uint64_t number;  /* QUERY_SIZE; QUERY_EXISTS: 1 when it must not */
  bool of_document; /* QUERY_ELEM_MATCH: elements are objects */
  struct regex *regex;
  struct query_node *children;
  size_t n, room;
};

struct query {
  struct buf text;        /* what the slices point into */
  struct query_node root; /* QUERY_AND */
  bool of_value;          /* root has a child for a value, not a document */
  size_t conditions, values;
};

/* Bits of `types`. */
enum {
  QUERY_TYPE_NULL = 1 << 0,
  QUERY_TYPE_INT = 1 << 1,
  QUERY_TYPE_LONG = 1 << 2,
  QUERY_TYPE_DOUBLE = 1 << 3,
  QUERY_TYPE_STRING = 1 << 4,
  QUERY_TYPE_BOOL = 1 << 5,
  QUERY_TYPE_DATE = 1 << 6,
  QUERY_TYPE_ARRAY = 1 << 7,
  QUERY_TYPE_OBJECT = 1 << 8
};

/* Reads what $type says; false: it names none (query-type.c). */
bool query_type_parse (struct tally_slice value, uint32_t *types);
uint32_t query_type_of (struct tally_slice value);

#endif /* TALLY_QUERY_TREE_H */
