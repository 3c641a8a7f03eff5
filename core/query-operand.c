/* SPDX-License-Identifier: MIT */
/* Operators of a path, and what may stand behind each. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "nearest.h"
#include "query-read.h"
#include "value.h"

static bool
is (struct tally_slice key, const char *text)
{
  return slice_equal (key, slice_text (text));
}

int
query_wrong (struct query_reader *reader, struct tally_slice operator,
             const char * why)
{
  return error_set (reader->err, TALLY_INVALID, "query: %.*s: %s",
                    (int) (operator.size < 40 ? operator.size : 40),
                    operator.data, why);
}

bool
query_is_operator (struct tally_slice key)
{
  return key.size > 0 && key.data[0] == '$';
}

bool
query_has_operator (struct tally_slice value)
{
  struct json_member member;

  return value_type (value) == VALUE_OBJECT
         && json_next_member (&value, &member)
         && query_is_operator (member.key);
}

/* ---- what stands behind them -------------------------------------------- */

static int
read_value (struct query_reader *reader, struct query_node *node,
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

static int
read_values (struct query_reader *reader, struct query_node *node,
             struct tally_slice operator, struct tally_slice array)
{
  struct tally_slice rest = array, value;
  size_t n = 0;

  if (value_type (array) != VALUE_ARRAY)
    return query_wrong (reader, operator, "takes an array");
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
    if (query_has_operator (value))
      return query_wrong (reader, operator, "an operator among its values");
    node->values[node->n_values++] = value;
  }
  qsort (node->values, n, sizeof *node->values, by_value);
  return TALLY_OK;
}

static int
read_exists (struct query_reader *reader, struct query_node *node,
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
read_type (struct query_reader *reader, struct query_node *node,
           struct tally_slice operator, struct tally_slice value)
{
  if (query_type_parse (value, &node->types))
    return TALLY_OK;
  return query_wrong (
      reader, operator,
      "takes the name or number of a type, \"string\" or 2 say, or "
      "an array of them");
}

static int
read_size (struct query_reader *reader, struct query_node *node,
           struct tally_slice operator, struct tally_slice value)
{
  struct tally_slice digits;
  bool negative;
  int64_t exponent = 0;

  if (value_type (value) != VALUE_NUMBER)
    return query_wrong (reader, operator, "takes a number");
  json_number_parts (value, &negative, &digits, &exponent);
  if (negative || exponent < 0 || exponent > 15)
    return query_wrong (reader, operator, "takes a whole number from 0 on");
  for (size_t i = 0; i < digits.size; i++) {
    if (digits.data[i] == '.')
      continue;
    if (exponent-- <= 0)
      return query_wrong (reader, operator, "takes a whole number from 0 on");
    node->number = 10 * node->number + (uint64_t) (digits.data[i] - '0');
  }
  for (; digits.size > 0 && exponent > 0; exponent--)
    node->number *= 10;
  return TALLY_OK;
}

static int
read_elem_match (struct query_reader *reader, struct query_node *node,
                 struct tally_slice operator, struct tally_slice value)
{
  struct tally_slice rest = value;
  struct json_member member;

  if (value_type (value) != VALUE_OBJECT)
    return query_wrong (reader, operator, "takes an object");
  node->of_document = true;
  if (json_next_member (&rest, &member) && query_is_operator (member.key)
      && !is (member.key, "$and") && !is (member.key, "$or")
      && !is (member.key, "$nor"))
    node->of_document = false;
  if (node->of_document)
    return query_read (reader, node, value);
  return query_read_condition (reader, node, value_missing (), value);
}

/* ---- which there are ---------------------------------------------------- */

/* Of operators that become one node. */
static const struct query_operator operators[] = {
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

const struct query_operator *
query_operator_find (struct tally_slice name)
{
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (is (name, operators[i].name))
      return &operators[i];
  return NULL;
}

static const char *const names[] = {
  "$eq",  "$ne",    "$gt",   "$gte",     "$lt",     "$lte", "$in",
  "$nin", "$regex", "$size", "$options", "$exists", "$all", "$elemMatch",
  "$and", "$or",    "$nor",  "$not",     "$type",   NULL
};

int
query_unknown_operator (struct query_reader *reader, struct tally_slice key)
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
