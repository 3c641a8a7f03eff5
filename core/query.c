/* SPDX-License-Identifier: MIT */
/* Reading a query: its canonical text stays, and becomes a tree of conditions
 * that point into it.  All that can be wrong with it is found here, but for a
 * regular expression that turns out to be too slow. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "nearest.h"
#include "query-tree.h"
#include "value.h"

struct reader {
  struct query *query;
  struct tally_error *err;
};

static int read_query (struct reader *reader, struct query_node *parent,
                       struct tally_slice object);
static int read_condition (struct reader *reader, struct query_node *parent,
                           struct tally_slice raw_path,
                           struct tally_slice value);

/* ---- the tree ----------------------------------------------------------- */

static void
free_node (struct query_node *node)
{
  for (size_t i = 0; i < node->n; i++)
    free_node (&node->children[i]);
  free (node->children);
  free (node->values);
  path_free (&node->path);
  regex_free (node->regex);
}

/* NULL, and why in reader->err.  The node moves when its parent gets another
 * one. */
static struct query_node *
add_node (struct reader *reader, struct query_node *parent, enum query_op op)
{
  struct query_node *children;

  if (++reader->query->conditions > QUERY_CONDITIONS_MAX) {
    error_set (reader->err, TALLY_INVALID, "query: more than %d conditions",
               QUERY_CONDITIONS_MAX);
    return NULL;
  }
  if (parent->n == parent->room) {
    size_t room = parent->room ? 2 * parent->room : 4;

    children = realloc (parent->children, room * sizeof *children);
    if (!children) {
      error_nomem (reader->err);
      return NULL;
    }
    parent->children = children;
    parent->room = room;
  }
  children = &parent->children[parent->n++];
  memset (children, 0, sizeof *children);
  children->op = op;
  return children;
}

static int
wrong (struct reader *reader, struct tally_slice operator, const char * why)
{
  return error_set (reader->err, TALLY_INVALID, "query: %.*s: %s",
                    (int) (operator.size < 40 ? operator.size : 40),
                    operator.data, why);
}

static bool
is (struct tally_slice key, const char *text)
{
  return slice_equal (key, slice_text (text));
}

static bool
is_operator (struct tally_slice key)
{
  return key.size > 0 && key.data[0] == '$';
}

/* ---- operators of a path ------------------------------------------------ */

typedef int read_fn (struct reader *reader, struct query_node *node,
                     struct tally_slice operator, struct tally_slice value);

static int
read_value (struct reader *reader, struct query_node *node,
            struct tally_slice operator, struct tally_slice value)
{
  (void) reader;
  (void) operator;
  node->value = value;
  return TALLY_OK;
}

static int
by_value (const void *a, const void *b)
{
  return value_cmp (*(const struct tally_slice *) a,
                    *(const struct tally_slice *) b);
}

static bool
has_operator (struct tally_slice value)
{
  struct json_member member;

  return value_type (value) == VALUE_OBJECT
         && json_next_member (&value, &member) && is_operator (member.key);
}

static int
read_values (struct reader *reader, struct query_node *node,
             struct tally_slice operator, struct tally_slice array)
{
  struct tally_slice rest = array, value;
  size_t n = 0;

  if (value_type (array) != VALUE_ARRAY)
    return wrong (reader, operator, "takes an array");
  while (json_next_element (&rest, &value))
    n++;
  reader->query->values += n;
  if (reader->query->values > QUERY_VALUES_MAX)
    return error_set (reader->err, TALLY_INVALID,
                      "query: %.*s: more than %d values",
                      (int) operator.size, operator.data, QUERY_VALUES_MAX);
  node->values = calloc (n + 1, sizeof *node->values);
  if (!node->values)
    return error_nomem (reader->err);
  while (json_next_element (&array, &value)) {
    if (has_operator (value))
      return wrong (reader, operator, "an operator among its values");
    node->values[node->n_values++] = value;
  }
  qsort (node->values, n, sizeof *node->values, by_value);
  return TALLY_OK;
}

static int
read_exists (struct reader *reader, struct query_node *node,
             struct tally_slice operator, struct tally_slice value)
{
  (void) reader;
  (void) operator;
  /* As in JavaScript, but for "", which NeDB takes for true as well. */
  if (is (value, "false") || is (value, "null")
      || (value_type (value) == VALUE_NUMBER
          && json_number_cmp (value, slice_text ("0")) == 0))
    node->number = 1;
  return TALLY_OK;
}

static int
read_type (struct reader *reader, struct query_node *node,
           struct tally_slice operator, struct tally_slice value)
{
  if (query_type_parse (value, &node->types))
    return TALLY_OK;
  return wrong (reader, operator,
                "takes the name or number of a type, \"string\" or 2 say, or "
                "an array of them");
}

static int
read_size (struct reader *reader, struct query_node *node,
           struct tally_slice operator, struct tally_slice value)
{
  struct tally_slice digits;
  bool negative;
  int64_t exponent = 0;

  if (value_type (value) != VALUE_NUMBER)
    return wrong (reader, operator, "takes a number");
  json_number_parts (value, &negative, &digits, &exponent);
  if (negative || exponent < 0 || exponent > 15)
    return wrong (reader, operator, "takes a whole number from 0 on");
  for (size_t i = 0; i < digits.size; i++) {
    if (digits.data[i] == '.')
      continue;
    if (exponent-- <= 0)
      return wrong (reader, operator, "takes a whole number from 0 on");
    node->number = 10 * node->number + (uint64_t) (digits.data[i] - '0');
  }
  for (; digits.size > 0 && exponent > 0; exponent--)
    node->number *= 10;
  return TALLY_OK;
}

static int
read_elem_match (struct reader *reader, struct query_node *node,
                 struct tally_slice operator, struct tally_slice value)
{
  struct tally_slice rest = value;
  struct json_member member;

  if (value_type (value) != VALUE_OBJECT)
    return wrong (reader, operator, "takes an object");
  node->of_document = true;
  if (json_next_member (&rest, &member) && is_operator (member.key)
      && !is (member.key, "$and") && !is (member.key, "$or")
      && !is (member.key, "$nor"))
    node->of_document = false;
  if (node->of_document)
    return read_query (reader, node, value);
  return read_condition (reader, node, value_missing (), value);
}

/* Of operators that become one node. */
static const struct {
  const char *name;
  enum query_op op;
  bool negated;
  read_fn *take;
} operators[] = {
  { "$eq", QUERY_EQ, false, read_value },
  { "$ne", QUERY_EQ, true, read_value },
  { "$lt", QUERY_LT, false, read_value },
  { "$lte", QUERY_LTE, false, read_value },
  { "$gt", QUERY_GT, false, read_value },
  { "$gte", QUERY_GTE, false, read_value },
  { "$in", QUERY_IN, false, read_values },
  { "$nin", QUERY_IN, true, read_values },
  { "$exists", QUERY_EXISTS, false, read_exists },
  { "$type", QUERY_TYPE, false, read_type },
  { "$size", QUERY_SIZE, false, read_size },
  { "$elemMatch", QUERY_ELEM_MATCH, false, read_elem_match },
};

static const char *const names[] = {
  "$eq",  "$ne",    "$gt",   "$gte",     "$lt",     "$lte", "$in",
  "$nin", "$regex", "$size", "$options", "$exists", "$all", "$elemMatch",
  "$and", "$or",    "$nor",  "$not",     "$type",   NULL
};

static int
unknown_operator (struct reader *reader, struct tally_slice key)
{
  char word[32];
  const char *near;

  if (key.size < sizeof word) {
    memcpy (word, key.data, key.size);
    word[key.size] = '\0';
    near = nearest (word, names);
    if (near && strcmp (near, word) == 0)
      return error_set (reader->err, TALLY_INVALID,
                        "query: \"%s\" does not stand here", word);
    if (near)
      return error_set (reader->err, TALLY_INVALID,
                        "query: unknown operator \"%s\"; did you mean "
                        "\"%s\"?",
                        word, near);
  }
  return error_set (reader->err, TALLY_INVALID,
                    "query: unknown operator \"%.*s\"",
                    (int) (key.size < 100 ? key.size : 100), key.data);
}

/* raw_path.data NULL: the value itself. */
static int
set_path (struct reader *reader, struct query_node *node,
          struct tally_slice raw_path)
{
  if (!raw_path.data)
    return TALLY_OK;
  return path_parse (&node->path, raw_path, "query", reader->err);
}

static struct query_node *
add_leaf (struct reader *reader, struct query_node *parent, enum query_op op,
          bool negated, struct tally_slice raw_path)
{
  struct query_node *node;

  if (negated) {
    parent = add_node (reader, parent, QUERY_NOT);
    if (!parent)
      return NULL;
  }
  node = add_node (reader, parent, op);
  if (node && set_path (reader, node, raw_path) != TALLY_OK)
    return NULL;
  return node;
}

static int
read_regex (struct reader *reader, struct query_node *parent,
            struct tally_slice raw_path, struct tally_slice pattern,
            struct tally_slice condition)
{
  struct tally_slice options = value_missing ();
  struct query_node *node;

  if (value_type (pattern) != VALUE_STRING)
    return wrong (reader, slice_text ("$regex"), "takes a string");
  if (!json_find_member (condition, slice_text ("$options"), &options))
    options = value_missing ();
  if (options.data && value_type (options) != VALUE_STRING)
    return wrong (reader, slice_text ("$options"), "takes a string");
  node = add_leaf (reader, parent, QUERY_REGEX, false, raw_path);
  if (!node)
    return reader->err->status;
  return regex_new (&node->regex, pattern, options, reader->err);
}

/* Every value, or every $elemMatch, by itself. */
static int
read_all (struct reader *reader, struct query_node *parent,
          struct tally_slice raw_path, struct tally_slice array)
{
  struct tally_slice rest = array, value;
  int status = TALLY_OK;

  if (value_type (array) != VALUE_ARRAY)
    return wrong (reader, slice_text ("$all"), "takes an array");
  if (!json_next_element (&rest, &value))
    return add_node (reader, parent, QUERY_NEVER) ? TALLY_OK
                                                  : reader->err->status;
  while (status == TALLY_OK && json_next_element (&array, &value)) {
    struct tally_slice members = value;
    struct json_member member;
    struct query_node *node;

    if (has_operator (value)) {
      json_next_member (&members, &member);
      if (!is (member.key, "$elemMatch")
          || json_next_member (&members, &member))
        return wrong (reader, slice_text ("$all"),
                      "takes values, or $elemMatch alone");
      status = read_condition (reader, parent, raw_path, value);
      continue;
    }
    node = add_leaf (reader, parent, QUERY_EQ, false, raw_path);
    if (!node)
      return reader->err->status;
    node->value = value;
  }
  return status;
}

static int
read_not (struct reader *reader, struct query_node *parent,
          struct tally_slice raw_path, struct tally_slice value)
{
  struct query_node *node;

  if (!has_operator (value))
    return wrong (reader, slice_text ("$not"), "takes operators");
  node = add_node (reader, parent, QUERY_NOT);
  if (!node)
    return reader->err->status;
  return read_condition (reader, node, raw_path, value);
}

static int
read_operator (struct reader *reader, struct query_node *parent,
               struct tally_slice raw_path, const struct json_member *member,
               struct tally_slice condition)
{
  struct tally_slice ignored;

  if (is (member->key, "$regex"))
    return read_regex (reader, parent, raw_path, member->value, condition);
  if (is (member->key, "$options"))
    return json_find_member (condition, slice_text ("$regex"), &ignored)
               ? TALLY_OK
               : wrong (reader, member->key, "there is no $regex with it");
  if (is (member->key, "$all"))
    return read_all (reader, parent, raw_path, member->value);
  if (is (member->key, "$not"))
    return read_not (reader, parent, raw_path, member->value);
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    struct query_node *node;

    if (!is (member->key, operators[i].name))
      continue;
    node = add_leaf (reader, parent, operators[i].op, operators[i].negated,
                     raw_path);
    if (!node)
      return reader->err->status;
    return operators[i].take (reader, node, member->key, member->value);
  }
  return unknown_operator (reader, member->key);
}

/* {"$gt":1,"$lt":5}, or a value: operators only, or no operator at all. */
static int
read_condition (struct reader *reader, struct query_node *parent,
                struct tally_slice raw_path, struct tally_slice value)
{
  struct tally_slice rest = value;
  struct json_member member;
  size_t members = 0, found = 0;
  struct query_node *node;
  int status = TALLY_OK;

  if (value_type (value) == VALUE_OBJECT)
    for (; json_next_member (&rest, &member); members++)
      found += is_operator (member.key);
  if (found == 0) {
    node = add_leaf (reader, parent, QUERY_EQ, false, raw_path);
    if (node)
      node->value = value;
    return node ? TALLY_OK : reader->err->status;
  }
  if (found < members)
    return error_set (reader->err, TALLY_INVALID,
                      "query: operators and fields in one condition");
  for (rest = value; status == TALLY_OK && json_next_member (&rest, &member);)
    status = read_operator (reader, parent, raw_path, &member, value);
  return status;
}

/* ---- whole queries ------------------------------------------------------ */

static int
read_branches (struct reader *reader, struct query_node *parent,
               const struct json_member *member)
{
  struct tally_slice array = member->value, branch;
  struct query_node *node = parent;
  bool any = !is (member->key, "$and");
  int status = TALLY_OK;
  size_t n = 0;

  if (value_type (array) != VALUE_ARRAY)
    return wrong (reader, member->key, "takes an array of queries");
  if (is (member->key, "$nor"))
    node = add_node (reader, node, QUERY_NOT);
  if (node && any)
    node = add_node (reader, node, QUERY_OR);
  if (!node)
    return reader->err->status;
  for (; status == TALLY_OK && json_next_element (&array, &branch); n++) {
    struct query_node *child = node;

    if (value_type (branch) != VALUE_OBJECT)
      return wrong (reader, member->key, "takes an array of queries");
    if (any)
      child = add_node (reader, node, QUERY_AND);
    status = child ? read_query (reader, child, branch) : reader->err->status;
  }
  if (status == TALLY_OK && n == 0)
    return wrong (reader, member->key, "takes at least one query");
  return status;
}

static int
read_logic (struct reader *reader, struct query_node *parent,
            const struct json_member *member)
{
  struct query_node *node;

  if (is (member->key, "$and") || is (member->key, "$or")
      || is (member->key, "$nor"))
    return read_branches (reader, parent, member);
  if (!is (member->key, "$not"))
    return unknown_operator (reader, member->key);
  /* NeDB and LinvoDB have it here, too. */
  if (value_type (member->value) != VALUE_OBJECT)
    return wrong (reader, member->key, "takes a query");
  node = add_node (reader, parent, QUERY_NOT);
  if (!node)
    return reader->err->status;
  return read_query (reader, node, member->value);
}

static int
read_query (struct reader *reader, struct query_node *parent,
            struct tally_slice object)
{
  struct json_member member;
  int status = TALLY_OK;

  while (status == TALLY_OK && json_next_member (&object, &member))
    status = is_operator (member.key)
                 ? read_logic (reader, parent, &member)
                 : read_condition (reader, parent, member.key, member.value);
  return status;
}

static int
read_text (struct query *query, const char *text, struct tally_error *err)
{
  struct reader reader = { query, err };
  size_t size = strlen (text);
  int status;

  if (size > QUERY_TEXT_MAX)
    return error_set (err, TALLY_INVALID, "query: is larger than %zu bytes",
                      QUERY_TEXT_MAX);
  status = json_canonical (&query->text, text, size, err);
  if (status == TALLY_INVALID)
    error_set (err, status, "query: %s", err->text);
  if (status != TALLY_OK)
    return status;
  if (json_type (buf_slice (&query->text)) != JSON_OBJECT)
    return error_set (err, TALLY_INVALID, "query: is not an object");
  return read_query (&reader, &query->root, buf_slice (&query->text));
}

int
query_parse (struct query **out, const char *text, struct tally_error *err)
{
  struct query *query = calloc (1, sizeof *query);
  int status;

  *out = NULL;
  if (!query)
    return error_nomem (err);
  query->root.op = QUERY_AND;
  status = read_text (query, text ? text : "{}", err);
  if (status == TALLY_OK)
    *out = query;
  else
    query_free (query);
  return status;
}

int
query_parse_pull (struct query **out, struct tally_slice condition,
                  struct tally_error *err)
{
  struct query *query = calloc (1, sizeof *query);
  struct reader reader = { query, err };
  int status;

  *out = NULL;
  if (!query)
    return error_nomem (err);
  query->root.op = QUERY_AND;
  query->of_value =
      value_type (condition) != VALUE_OBJECT || has_operator (condition);
  buf_add_slice (&query->text, condition);
  if (query->text.failed)
    status = error_nomem (err);
  else if (query->of_value)
    status = read_condition (&reader, &query->root, value_missing (),
                             buf_slice (&query->text));
  else
    status = read_query (&reader, &query->root, buf_slice (&query->text));
  if (status == TALLY_OK)
    *out = query;
  else
    query_free (query);
  return status;
}

void
query_free (struct query *query)
{
  if (!query)
    return;
  free_node (&query->root);
  buf_free (&query->text);
  free (query);
}
