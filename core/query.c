/* SPDX-License-Identifier: MIT */
/* A query is kept as its canonical text and walked for each document: there
 * are few members in it, and no tree is built. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "error.h"
#include "json.h"
#include "nearest.h"
#include "query.h"

struct query {
  struct buf text;
};

enum operator{ OP_EQ, OP_NE, OP_GT, OP_GTE, OP_LT, OP_LTE };

static const char *const operators[] = { "$eq", "$ne",  "$gt", "$gte",
                                         "$lt", "$lte", NULL };

/* ---- values ------------------------------------------------------------- */

static int
rank (struct tally_slice value)
{
  if (!value.data)
    return 0;
  switch (json_type (value)) {
  case JSON_NULL:
    return 1;
  case JSON_NUMBER:
    return 2;
  case JSON_STRING:
    return 3;
  case JSON_BOOL:
    return 4;
  case JSON_ARRAY:
    return 5;
  default:
    return 6;
  }
}

static int
string_cmp (struct tally_slice a, struct tally_slice b)
{
  return json_key_cmp (slice_make (a.data + 1, a.size - 2),
                       slice_make (b.data + 1, b.size - 2));
}

static int
array_cmp (struct tally_slice a, struct tally_slice b)
{
  struct tally_slice x, y;

  for (;;) {
    bool has_x = json_next_element (&a, &x);
    bool has_y = json_next_element (&b, &y);
    int order;

    if (!has_x || !has_y)
      return has_x - has_y;
    order = query_value_cmp (x, y);
    if (order != 0)
      return order;
  }
}

static int
object_cmp (struct tally_slice a, struct tally_slice b)
{
  struct json_member x, y;

  for (;;) {
    bool has_x = json_next_member (&a, &x);
    bool has_y = json_next_member (&b, &y);
    int order;

    if (!has_x || !has_y)
      return has_x - has_y;
    order = json_key_cmp (x.key, y.key);
    if (order == 0)
      order = query_value_cmp (x.value, y.value);
    if (order != 0)
      return order;
  }
}

int
query_value_cmp (struct tally_slice a, struct tally_slice b)
{
  int rank_a = rank (a), rank_b = rank (b);

  if (rank_a != rank_b)
    return rank_a - rank_b;
  switch (rank_a) {
  case 2:
    return json_number_cmp (a, b);
  case 3:
    return string_cmp (a, b);
  case 5:
    return array_cmp (a, b);
  case 6:
    return object_cmp (a, b);
  default:
    /* false comes before true, bytewise too. */
    return slice_cmp (a, b);
  }
}

/* ---- reading ------------------------------------------------------------ */

static int
find_operator (struct tally_slice key)
{
  for (int i = 0; operators[i]; i++)
    if (slice_equal (key, slice_text (operators[i])))
      return i;
  return -1;
}

static int
unknown_operator (struct tally_slice key, struct tally_error *err)
{
  char word[32];
  const char *near;

  if (key.size < sizeof word) {
    memcpy (word, key.data, key.size);
    word[key.size] = '\0';
    near = nearest (word, operators);
    if (near)
      return error_set (err, TALLY_INVALID,
                        "query: unknown operator "
                        "\"%s\"; did you mean \"%s\"?",
                        word, near);
  }
  return error_set (err, TALLY_INVALID, "query: unknown operator \"%.*s\"",
                    (int) key.size, key.data);
}

static bool
is_operator (struct tally_slice key)
{
  return key.size > 0 && key.data[0] == '$';
}

/* {"$gt":1,"$lt":5}: operators only, or no operator at all. */
static int
check_condition (struct tally_slice value, bool *operators_only,
                 struct tally_error *err)
{
  struct tally_slice rest = value;
  struct json_member member;
  size_t members = 0, found = 0;

  *operators_only = false;
  if (json_type (value) != JSON_OBJECT)
    return TALLY_OK;
  while (json_next_member (&rest, &member)) {
    members++;
    if (!is_operator (member.key))
      continue;
    found++;
    if (find_operator (member.key) < 0)
      return unknown_operator (member.key, err);
  }
  *operators_only = found > 0;
  if (found > 0 && found < members)
    return error_set (err, TALLY_INVALID,
                      "query: operators and fields in "
                      "one condition");
  return TALLY_OK;
}

static int
check_query (const struct query *query, struct tally_error *err)
{
  struct tally_slice rest = buf_slice (&query->text);
  struct json_member member;
  bool ignored;

  if (json_type (rest) != JSON_OBJECT)
    return error_set (err, TALLY_INVALID, "query: is not an object");
  while (json_next_member (&rest, &member)) {
    int status;

    if (is_operator (member.key))
      return unknown_operator (member.key, err);
    if (memchr (member.key.data, '.', member.key.size))
      return error_set (err, TALLY_INVALID,
                        "query: \"%.*s\": paths into "
                        "fields are not supported",
                        (int) member.key.size, member.key.data);
    status = check_condition (member.value, &ignored, err);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

int
query_parse (struct query **out, const char *text, struct tally_error *err)
{
  struct query *query = calloc (1, sizeof *query);
  int status;

  *out = NULL;
  if (!query)
    return error_nomem (err);
  if (!text)
    text = "{}";
  status = json_canonical (&query->text, text, strlen (text), err);
  if (status == TALLY_INVALID)
    error_set (err, status, "query: %s", err->text);
  if (status == TALLY_OK)
    status = check_query (query, err);
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
  buf_free (&query->text);
  free (query);
}

/* ---- matching ----------------------------------------------------------- */

/* Comparisons hold within one type only; null equals missing. */
static bool
compare (enum operator operator, struct tally_slice value,
         struct tally_slice with)
{
  struct tally_slice null = slice_text ("null");
  int order;

  if (!value.data)
    value = null;
  order = query_value_cmp (value, with);
  if (operator== OP_EQ)
    return order == 0;
  if (operator== OP_NE)
    return order != 0;
  if (rank (value) != rank (with))
    return false;
  switch (operator) {
  case OP_GT:
    return order > 0;
  case OP_GTE:
    return order >= 0;
  case OP_LT:
    return order < 0;
  default:
    return order <= 0;
  }
}

static bool
match_condition (struct tally_slice value, struct tally_slice condition)
{
  struct json_member member;
  struct tally_error ignored;
  bool operators_only;

  check_condition (condition, &operators_only, &ignored);
  if (!operators_only)
    return compare (OP_EQ, value, condition);
  while (json_next_member (&condition, &member))
    if (!compare ((enum operator) find_operator (member.key), value,
                  member.value))
      return false;
  return true;
}

bool
query_match (const struct query *query, struct tally_slice document)
{
  struct tally_slice rest = buf_slice (&query->text), value;
  struct json_member member;

  while (json_next_member (&rest, &member)) {
    if (!json_find_member (document, member.key, &value))
      value = slice_make (NULL, 0);
    if (!match_condition (value, member.value))
      return false;
  }
  return true;
}

/* ---- fields ------------------------------------------------------------- */

int
field_list_parse (struct field_list *out, const char *text, bool signs,
                  struct tally_error *err)
{
  const char *option = signs ? "sort" : "fields";

  memset (out, 0, sizeof *out);
  if (!text)
    return TALLY_OK;
  for (;;) {
    const char *end = text + strcspn (text, ",");
    bool descending = signs && text[0] == '-';
    struct field_name *fields =
        realloc (out->fields, (out->count + 1) * sizeof *fields);
    struct field_name *field;
    struct buf quoted = BUF_INIT;
    struct tally_slice name;

    if (!fields)
      return error_nomem (err);
    out->fields = fields;
    text += descending;
    name = slice_make (text, (size_t) (end - text));
    if (end == text || !utf8_valid (name))
      return error_set (err, TALLY_INVALID, "%s: an empty or bad name",
                        option);
    if (memchr (name.data, '.', name.size))
      return error_set (err, TALLY_INVALID,
                        "%s: \"%.*s\": paths into fields are not supported",
                        option, (int) name.size, name.data);
    json_encode_string (&quoted, name);
    field = &fields[out->count++];
    memset (field, 0, sizeof *field);
    field->descending = descending;
    if (!quoted.failed)
      buf_add (&field->key, quoted.data + 1, quoted.size - 2);
    buf_free (&quoted);
    if (quoted.failed || field->key.failed)
      return error_nomem (err);
    if (!*end)
      return TALLY_OK;
    text = end + 1;
  }
}

void
field_list_free (struct field_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    buf_free (&list->fields[i].key);
  free (list->fields);
  memset (list, 0, sizeof *list);
}

static struct tally_slice
field_of (struct tally_slice document, const struct field_name *field)
{
  struct tally_slice value;

  if (!json_find_member (document, buf_slice (&field->key), &value))
    value = slice_make (NULL, 0);
  return value;
}

int
field_list_cmp (const struct field_list *sort, struct tally_slice a,
                struct tally_slice b)
{
  for (size_t i = 0; i < sort->count; i++) {
    const struct field_name *field = &sort->fields[i];
    int order = query_value_cmp (field_of (a, field), field_of (b, field));

    if (order != 0)
      return field->descending ? -order : order;
  }
  return 0;
}

static bool
has_field (const struct field_list *fields, struct tally_slice key)
{
  for (size_t i = 0; i < fields->count; i++)
    if (slice_equal (buf_slice (&fields->fields[i].key), key))
      return true;
  return slice_equal (key, slice_text ("_id"));
}

void
field_list_project (const struct field_list *fields, struct buf *out,
                    struct tally_slice document)
{
  struct body_writer body;
  struct json_member member;

  body_start (&body, out, slice_make (NULL, 0));
  while (json_next_member (&document, &member))
    if (has_field (fields, member.key))
      body_add (&body, member.key, member.value);
  body_end (&body, false);
}
