/* SPDX-License-Identifier: MIT */
/* Reading a query: its canonical text stays, and becomes a tree of conditions
 * that point into it.  All that can be wrong with it is found here, but for a
 * regular expression that turns out to be too slow. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "query-read.h"
#include "value.h"

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
add_node (struct query_reader *reader, struct query_node *parent,
          enum query_op op)
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

static bool
is (struct tally_slice key, const char *text)
{
  return slice_equal (key, slice_text (text));
}

/* ---- conditions ----------------------------------------------------------
 */

/* raw_path.data NULL: the value itself. */
static int
set_path (struct query_reader *reader, struct query_node *node,
          struct tally_slice raw_path)
{
  if (!raw_path.data)
    return TALLY_OK;
  return path_parse (&node->path, raw_path, "query", reader->err);
}

static struct query_node *
add_leaf (struct query_reader *reader, struct query_node *parent,
          enum query_op op, bool negated, struct tally_slice raw_path)
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
read_regex (struct query_reader *reader, struct query_node *parent,
            struct tally_slice raw_path, struct tally_slice pattern,
            struct tally_slice condition)
{
  struct tally_slice options = value_missing ();
  struct query_node *node;

  if (value_type (pattern) != VALUE_STRING)
    return query_wrong (reader, slice_text ("$regex"), "takes a string");
  if (!json_find_member (condition, slice_text ("$options"), &options))
    options = value_missing ();
  if (options.data && value_type (options) != VALUE_STRING)
    return query_wrong (reader, slice_text ("$options"), "takes a string");
  node = add_leaf (reader, parent, QUERY_REGEX, false, raw_path);
  if (!node)
    return reader->err->status;
  return regex_new (&node->regex, pattern, options, reader->err);
}

/* Every value, or every $elemMatch, by itself. */
static int
read_all (struct query_reader *reader, struct query_node *parent,
          struct tally_slice raw_path, struct tally_slice array)
{
  struct tally_slice rest = array, value;
  int status = TALLY_OK;

  if (value_type (array) != VALUE_ARRAY)
    return query_wrong (reader, slice_text ("$all"), "takes an array");
  if (!json_next_element (&rest, &value))
    return add_node (reader, parent, QUERY_NEVER) ? TALLY_OK
                                                  : reader->err->status;
  while (status == TALLY_OK && json_next_element (&array, &value)) {
    struct tally_slice members = value;
    struct json_member member;
    struct query_node *node;

    if (query_has_operator (value)) {
      json_next_member (&members, &member);
      if (!is (member.key, "$elemMatch")
          || json_next_member (&members, &member))
        return query_wrong (reader, slice_text ("$all"),
                            "takes values, or $elemMatch alone");
      status = query_read_condition (reader, parent, raw_path, value);
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
read_not (struct query_reader *reader, struct query_node *parent,
          struct tally_slice raw_path, struct tally_slice value)
{
  struct query_node *node;

  if (!query_has_operator (value))
    return query_wrong (reader, slice_text ("$not"), "takes operators");
  node = add_node (reader, parent, QUERY_NOT);
  if (!node)
    return reader->err->status;
  return query_read_condition (reader, node, raw_path, value);
}

static int
read_operator (struct query_reader *reader, struct query_node *parent,
               struct tally_slice raw_path, const struct json_member *member,
               struct tally_slice condition)
{
  const struct query_operator *operator;
  struct tally_slice ignored;
  struct query_node *node;

  if (is (member->key, "$regex"))
    return read_regex (reader, parent, raw_path, member->value, condition);
  if (is (member->key, "$options"))
    return json_find_member (condition, slice_text ("$regex"), &ignored)
               ? TALLY_OK
               : query_wrong (reader, member->key,
                              "there is no $regex with it");
  if (is (member->key, "$all"))
    return read_all (reader, parent, raw_path, member->value);
  if (is (member->key, "$not"))
    return read_not (reader, parent, raw_path, member->value);
  operator= query_operator_find (member->key);
  if (!operator)
    return query_unknown_operator (reader, member->key);
  node = add_leaf (reader, parent, operator->op, operator->negated, raw_path);
  if (!node)
    return reader->err->status;
  return operator->take (reader, node, member->key, member->value);
}

/* {"$gt":1,"$lt":5}, or a value: operators only, or no operator at all. */
int
query_read_condition (struct query_reader *reader, struct query_node *parent,
                      struct tally_slice raw_path, struct tally_slice value)
{
  struct tally_slice rest = value;
  struct json_member member;
  size_t members = 0, found = 0;
  struct query_node *node;
  int status = TALLY_OK;

  if (value_type (value) == VALUE_OBJECT)
    for (; json_next_member (&rest, &member); members++)
      found += query_is_operator (member.key);
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
read_branches (struct query_reader *reader, struct query_node *parent,
               const struct json_member *member)
{
  struct tally_slice array = member->value, branch;
  struct query_node *node = parent;
  bool any = !is (member->key, "$and");
  int status = TALLY_OK;
  size_t n = 0;

  if (value_type (array) != VALUE_ARRAY)
    return query_wrong (reader, member->key, "takes an array of queries");
  if (is (member->key, "$nor"))
    node = add_node (reader, node, QUERY_NOT);
  if (node && any)
    node = add_node (reader, node, QUERY_OR);
  if (!node)
    return reader->err->status;
  for (; status == TALLY_OK && json_next_element (&array, &branch); n++) {
    struct query_node *child = node;

    if (value_type (branch) != VALUE_OBJECT)
      return query_wrong (reader, member->key, "takes an array of queries");
    if (any)
      child = add_node (reader, node, QUERY_AND);
    status = child ? query_read (reader, child, branch) : reader->err->status;
  }
  if (status == TALLY_OK && n == 0)
    return query_wrong (reader, member->key, "takes at least one query");
  return status;
}

static int
read_logic (struct query_reader *reader, struct query_node *parent,
            const struct json_member *member)
{
  struct query_node *node;

  if (is (member->key, "$and") || is (member->key, "$or")
      || is (member->key, "$nor"))
    return read_branches (reader, parent, member);
  if (!is (member->key, "$not"))
    return query_unknown_operator (reader, member->key);
  /* NeDB and LinvoDB have it here, too. */
  if (value_type (member->value) != VALUE_OBJECT)
    return query_wrong (reader, member->key, "takes a query");
  node = add_node (reader, parent, QUERY_NOT);
  if (!node)
    return reader->err->status;
  return query_read (reader, node, member->value);
}

int
query_read (struct query_reader *reader, struct query_node *parent,
            struct tally_slice object)
{
  struct json_member member;
  int status = TALLY_OK;

  while (status == TALLY_OK && json_next_member (&object, &member))
    status =
        query_is_operator (member.key)
            ? read_logic (reader, parent, &member)
            : query_read_condition (reader, parent, member.key, member.value);
  return status;
}

static int
read_text (struct query *query, const char *text, struct tally_error *err)
{
  struct query_reader reader = { query, err };
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
  return query_read (&reader, &query->root, buf_slice (&query->text));
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
  struct query_reader reader = { query, err };
  int status;

  *out = NULL;
  if (!query)
    return error_nomem (err);
  query->root.op = QUERY_AND;
  query->of_value =
      value_type (condition) != VALUE_OBJECT || query_has_operator (condition);
  buf_add_slice (&query->text, condition);
  if (query->text.failed)
    status = error_nomem (err);
  else if (query->of_value)
    status = query_read_condition (&reader, &query->root, value_missing (),
                                   buf_slice (&query->text));
  else
    status = query_read (&reader, &query->root, buf_slice (&query->text));
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
