/* SPDX-License-Identifier: MIT */
/* Whether a document is what a query asks for.  Each condition looks by
 * itself at all that stands at its path, so that of an array different
 * elements may satisfy different conditions. */

#include <config.h>

#include <stdlib.h>

#include "json.h"
#include "query-tree.h"
#include "value.h"

/* One condition against what a path hands out. */
struct test {
  const struct query_node *node;
  struct tally_error *err;
  int status;
};

static int match_node (const struct query_node *node,
                       struct tally_slice document, bool *matches,
                       struct tally_error *err);

/* ---- conditions --------------------------------------------------------- */

static const struct tally_slice null_value = { "null", 4 };

static int
by_value (const void *a, const void *b)
{
  return value_cmp (*(const struct tally_slice *) a,
                    *(const struct tally_slice *) b);
}

/* What is missing counts as null here. */
static struct tally_slice
or_null (struct tally_slice value)
{
  return value.data ? value : null_value;
}

static bool
is_in (const struct query_node *node, struct tally_slice value)
{
  return node->n_values > 0
         && bsearch (&value, node->values, node->n_values, sizeof value,
                     by_value);
}

/* Comparisons hold within one type only. */
static bool
compare (const struct query_node *node, struct tally_slice value)
{
  int order;

  if (value_type (value) != value_type (node->value))
    return false;
  order = value_cmp (value, node->value);
  switch (node->op) {
  case QUERY_LT:
    return order < 0;
  case QUERY_LTE:
    return order <= 0;
  case QUERY_GT:
    return order > 0;
  case QUERY_GTE:
    return order >= 0;
  default:
    return order == 0;
  }
}

static bool
has_size (const struct query_node *node, struct tally_slice value)
{
  struct tally_slice element;
  uint64_t n = 0;

  if (value_type (value) != VALUE_ARRAY)
    return false;
  while (n <= node->number && json_next_element (&value, &element))
    n++;
  return n == node->number;
}

static bool
match_elements (struct test *test, struct tally_slice array)
{
  const struct query_node *node = test->node;
  struct tally_slice element;
  bool matches = false;

  if (value_type (array) != VALUE_ARRAY)
    return false;
  while (!matches && test->status == TALLY_OK
         && json_next_element (&array, &element)) {
    enum value_type type = value_type (element);

    matches =
        !node->of_document || type == VALUE_OBJECT || type == VALUE_ARRAY;
    for (size_t i = 0; i < node->n && matches && test->status == TALLY_OK; i++)
      test->status =
          match_node (&node->children[i], element, &matches, test->err);
  }
  return matches && test->status == TALLY_OK;
}

static bool
test_value (void *ctx, struct tally_slice value)
{
  struct test *test = ctx;
  const struct query_node *node = test->node;
  bool matches = false;

  switch (node->op) {
  case QUERY_IN:
    return is_in (node, or_null (value));
  case QUERY_EXISTS:
    return value.data != NULL;
  case QUERY_TYPE:
    return node->types & query_type_of (value);
  case QUERY_SIZE:
    return has_size (node, value);
  case QUERY_ELEM_MATCH:
    return match_elements (test, value) || test->status != TALLY_OK;
  case QUERY_REGEX:
    if (value_type (value) == VALUE_STRING)
      test->status = regex_match (node->regex, value, &matches, test->err);
    return matches || test->status != TALLY_OK;
  default:
    return compare (node, or_null (value));
  }
}

/* Whether elements of an array at the path's end count by themselves. */
static bool
wants_elements (enum query_op op)
{
  return op != QUERY_EXISTS && op != QUERY_SIZE && op != QUERY_ELEM_MATCH;
}

static int
match_leaf (const struct query_node *node, struct tally_slice document,
            bool *matches, struct tally_error *err)
{
  struct test test = { node, err, TALLY_OK };

  /* An element of an array as a value: it is not spread out once more. */
  if (node->path.n == 0)
    *matches = test_value (&test, document);
  else
    *matches = path_visit (&node->path, document, wants_elements (node->op),
                           test_value, &test);
  if (node->op == QUERY_EXISTS && node->number)
    *matches = !*matches;
  return test.status;
}

/* ---- trees -------------------------------------------------------------- */

/* True when all nodes below match, or with `any` one of them. */
static int
match_children (const struct query_node *node, struct tally_slice document,
                bool any, bool *matches, struct tally_error *err)
{
  int status = TALLY_OK;

  *matches = !any;
  for (size_t i = 0; i < node->n && status == TALLY_OK && *matches != any; i++)
    status = match_node (&node->children[i], document, matches, err);
  return status;
}

static int
match_node (const struct query_node *node, struct tally_slice document,
            bool *matches, struct tally_error *err)
{
  int status;

  switch (node->op) {
  case QUERY_AND:
  case QUERY_OR:
    return match_children (node, document, node->op == QUERY_OR, matches, err);
  case QUERY_NOT:
    status = match_children (node, document, false, matches, err);
    *matches = !*matches;
    return status;
  case QUERY_NEVER:
    *matches = false;
    return TALLY_OK;
  default:
    return match_leaf (node, document, matches, err);
  }
}

int
query_match (struct query *query, struct tally_slice document, bool *matches,
             struct tally_error *err)
{
  int status = match_node (&query->root, document, matches, err);

  *matches = *matches && status == TALLY_OK;
  return status;
}

int
query_match_value (struct query *query, struct tally_slice value,
                   bool *matches, struct tally_error *err)
{
  *matches = false;
  if (!query->of_value && value_type (value) != VALUE_OBJECT)
    return TALLY_OK;
  return query_match (query, value, matches, err);
}
