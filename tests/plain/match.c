/* SPDX-License-Identifier: MIT */
/* A matcher that puts every value at a path into a list, and looks at these
 * one by one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plain.h"

bool
plain_is_date (const json_t *value)
{
  return json_is_object (value) && json_object_size (value) == 1
         && json_is_number (json_object_get (value, "$$date"));
}

static int
type_rank (const json_t *value)
{
  if (!value)
    return 0;
  if (json_is_null (value))
    return 1;
  if (json_is_number (value))
    return 2;
  if (json_is_string (value))
    return 3;
  if (json_is_boolean (value))
    return 4;
  if (plain_is_date (value))
    return 5;
  return json_is_array (value) ? 6 : 7;
}

static int
sign (double x)
{
  return (x > 0) - (x < 0);
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static size_t
sorted_names (const json_t *object, const char *names[16])
{
  const char *name;
  json_t *ignored;
  size_t n = 0;

  json_object_foreach ((json_t *) object, name, ignored) names[n++] = name;
  qsort (names, n, sizeof *names, by_name);
  return n;
}

static int
objects_cmp (const json_t *a, const json_t *b)
{
  const char *x[16], *y[16];
  size_t n = sorted_names (a, x), m = sorted_names (b, y);

  for (size_t i = 0; i < n && i < m; i++) {
    int order = strcmp (x[i], y[i]);

    if (order == 0)
      order = plain_cmp (json_object_get (a, x[i]), json_object_get (b, y[i]));
    if (order != 0)
      return order;
  }
  return (n > m) - (n < m);
}

int
plain_cmp (const json_t *a, const json_t *b)
{
  int order = type_rank (a) - type_rank (b);
  size_t n, m;

  if (order != 0 || !a)
    return order;
  switch (type_rank (a)) {
  case 2:
    return sign (json_number_value (a) - json_number_value (b));
  case 3:
    return strcmp (json_string_value (a), json_string_value (b));
  case 4:
    return json_is_true (a) - json_is_true (b);
  case 5:
    return plain_cmp (json_object_get (a, "$$date"),
                      json_object_get (b, "$$date"));
  case 6:
    n = json_array_size (a);
    m = json_array_size (b);
    for (size_t i = 0; i < n && i < m; i++) {
      order = plain_cmp (json_array_get (a, i), json_array_get (b, i));
      if (order != 0)
        return order;
    }
    return (n > m) - (n < m);
  case 7:
    return objects_cmp (a, b);
  default:
    return 0;
  }
}

struct values {
  const json_t *items[4096];
  size_t n;
};

static void
add_value (struct values *values, const json_t *value)
{
  assert_true (values->n < 4096);
  values->items[values->n++] = value;
}

/* Everything at the path, as MongoDB finds it. */
static void
collect (struct values *out, const json_t *value, const char *path,
         bool elements, bool spreads)
{
  const char *dot = path ? strchr (path, '.') : NULL;
  size_t size = path ? (dot ? (size_t) (dot - path) : strlen (path)) : 0;
  const char *rest = dot ? dot + 1 : NULL;
  char name[16];

  if (!path) {
    if (elements && spreads && json_is_array (value))
      for (size_t i = 0; i < json_array_size (value); i++)
        add_value (out, json_array_get (value, i));
    add_value (out, value);
    return;
  }
  memcpy (name, path, size);
  name[size] = '\0';
  if (json_is_object (value) && !plain_is_date (value)) {
    const json_t *member = json_object_get (value, name);

    if (member)
      collect (out, member, rest, elements, true);
    else
      add_value (out, NULL);
    return;
  }
  if (!json_is_array (value)) {
    add_value (out, NULL);
    return;
  }
  for (size_t i = 0; i < json_array_size (value); i++) {
    const json_t *element = json_array_get (value, i);
    char place[24];

    snprintf (place, sizeof place, "%zu", i);
    if (json_is_object (element) && !plain_is_date (element))
      collect (out, element, path, elements, true);
    if (strcmp (place, name) != 0)
      continue;
    if (!rest)
      add_value (out, element);
    else if (json_is_array (element)
             || (json_is_object (element) && !plain_is_date (element)))
      collect (out, element, rest, elements, true);
  }
}

static bool plain_condition (const json_t *condition, const json_t *document,
                             const char *path);

bool
plain_is_operator (const json_t *value)
{
  void *iter = json_object_iter ((json_t *) value);

  return json_is_object (value) && iter
         && json_object_iter_key (iter)[0] == '$'
         && json_object_iter_key (iter)[1] != '$';
}

static const json_t *
or_null (const json_t *value)
{
  return value ? value : json_null ();
}

static bool
plain_compare (const char *name, const json_t *value, const json_t *with)
{
  int order;

  value = or_null (value);
  if (type_rank (value) != type_rank (with))
    return false;
  order = plain_cmp (value, with);
  if (strcmp (name, "$gt") == 0)
    return order > 0;
  if (strcmp (name, "$gte") == 0)
    return order >= 0;
  if (strcmp (name, "$lt") == 0)
    return order < 0;
  if (strcmp (name, "$lte") == 0)
    return order <= 0;
  return order == 0;
}

static bool
plain_regex (const char *pattern, const char *text)
{
  if (strcmp (pattern, "^x") == 0)
    return text[0] == 'x';
  if (strcmp (pattern, "y") == 0)
    return strchr (text, 'y') != NULL;
  if (strcmp (pattern, "^xy$") == 0)
    return strcmp (text, "xy") == 0;
  if (strcmp (pattern, "^$") == 0)
    return !*text;
  return strchr (text, 'x') || strchr (text, 'y');
}

static bool
plain_type (const char *name, const json_t *value)
{
  if (strcmp (name, "int") == 0)
    return json_is_integer (value);
  if (strcmp (name, "double") == 0)
    return json_is_real (value);
  if (strcmp (name, "number") == 0)
    return json_is_number (value);
  return value
         && strcmp (name, ((const char *[]){ "", "null", "", "string", "bool",
                                             "date", "array",
                                             "object" }[type_rank (value)]))
                == 0;
}

/* As a document, an array has its places for names. */
static json_t *
as_document (const json_t *element)
{
  json_t *object = json_object ();

  for (size_t i = 0; i < json_array_size (element); i++) {
    char place[24];

    snprintf (place, sizeof place, "%zu", i);
    json_object_set (object, place, json_array_get (element, i));
  }
  return object;
}

bool
plain_element (const json_t *wanted, const json_t *element)
{
  json_t *object;
  bool matches;

  if (plain_is_operator (wanted) && !json_object_get (wanted, "$and")
      && !json_object_get (wanted, "$or") && !json_object_get (wanted, "$nor"))
    return plain_condition (wanted, element, NULL);
  if (json_is_object (element) && !plain_is_date (element))
    return plain_match (wanted, element);
  if (!json_is_array (element))
    return false;
  object = as_document (element);
  matches = plain_match (wanted, object);
  json_decref (object);
  return matches;
}

static bool
holds (const char *name, const json_t *wanted, const json_t *value)
{
  if (strcmp (name, "$exists") == 0)
    return value != NULL;
  if (strcmp (name, "$in") == 0) {
    for (size_t i = 0; i < json_array_size (wanted); i++)
      if (plain_compare ("$eq", value, json_array_get (wanted, i)))
        return true;
    return false;
  }
  if (strcmp (name, "$type") == 0)
    return plain_type (json_string_value (wanted), value);
  if (strcmp (name, "$size") == 0)
    return json_is_array (value)
           && (json_int_t) json_array_size (value)
                  == json_integer_value (wanted);
  if (strcmp (name, "$regex") == 0)
    return json_is_string (value)
           && plain_regex (json_string_value (wanted),
                           json_string_value (value));
  if (strcmp (name, "$elemMatch") == 0) {
    for (size_t i = 0; json_is_array (value) && i < json_array_size (value);
         i++)
      if (plain_element (wanted, json_array_get (value, i)))
        return true;
    return false;
  }
  return plain_compare (name, value, wanted);
}

static bool
any_holds (const char *name, const json_t *wanted, const json_t *document,
           const char *path)
{
  static struct values stack[16];
  static size_t depth;
  struct values *values = &stack[depth++];
  bool spreads = strcmp (name, "$exists") != 0 && strcmp (name, "$size") != 0
                 && strcmp (name, "$elemMatch") != 0;
  bool matches = false;

  assert_true (depth < 16);
  values->n = 0;
  if (path)
    collect (values, document, path, spreads, true);
  else
    add_value (values, document);
  for (size_t i = 0; i < values->n && !matches; i++)
    matches = holds (name, wanted, values->items[i]);
  depth--;
  return matches;
}

static bool
plain_operator (const char *name, const json_t *wanted, const json_t *document,
                const char *path)
{
  if (strcmp (name, "$ne") == 0)
    return !any_holds ("$eq", wanted, document, path);
  if (strcmp (name, "$nin") == 0)
    return !any_holds ("$in", wanted, document, path);
  if (strcmp (name, "$not") == 0)
    return !plain_condition (wanted, document, path);
  if (strcmp (name, "$exists") == 0)
    return any_holds (name, wanted, document, path) == json_is_true (wanted);
  if (strcmp (name, "$all") == 0) {
    for (size_t i = 0; i < json_array_size (wanted); i++)
      if (!any_holds ("$eq", json_array_get (wanted, i), document, path))
        return false;
    return json_array_size (wanted) > 0;
  }
  return any_holds (name, wanted, document, path);
}

static bool
plain_condition (const json_t *condition, const json_t *document,
                 const char *path)
{
  const char *name;
  json_t *wanted;

  if (!plain_is_operator (condition))
    return any_holds ("$eq", condition, document, path);
  json_object_foreach (
      (json_t *) condition, name,
      wanted) if (!plain_operator (name, wanted, document, path)) return false;
  return true;
}

bool
plain_match (const json_t *query, const json_t *document)
{
  const char *name;
  json_t *wanted;

  json_object_foreach ((json_t *) query, name, wanted)
  {
    size_t n = json_array_size (wanted), hits = 0;

    if (name[0] != '$') {
      if (!plain_condition (wanted, document, name))
        return false;
      continue;
    }
    for (size_t i = 0; i < n; i++)
      hits += plain_match (json_array_get (wanted, i), document);
    if (strcmp (name, "$and") == 0  ? hits < n
        : strcmp (name, "$or") == 0 ? hits == 0
                                    : hits > 0)
      return false;
  }
  return true;
}

bool
plain_equal (const json_t *a, const json_t *b)
{
  return plain_compare ("$eq", a, b);
}

json_t *
plain_values (const json_t *document, const char *path)
{
  static struct values values;
  json_t *array = json_array ();

  values.n = 0;
  collect (&values, document, path, false, true);
  for (size_t i = 0; i < values.n; i++)
    if (values.items[i])
      json_array_append (array, (json_t *) values.items[i]);
  return array;
}
