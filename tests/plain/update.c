/* SPDX-License-Identifier: MIT */
/* Modifiers over trees. */

#include <stdlib.h>
#include <string.h>

#include "plain.h"

/* ---- places ------------------------------------------------------------- */

struct parts {
  char names[8][16];
  size_t n;
};

static struct parts
split (const char *path)
{
  struct parts parts = { .n = 0 };

  for (;;) {
    size_t size = strcspn (path, ".");

    memcpy (parts.names[parts.n], path, size);
    parts.names[parts.n++][size] = '\0';
    if (!path[size])
      return parts;
    path += size + 1;
  }
}

static bool
is_object (const json_t *value)
{
  return json_is_object (value) && !plain_is_date (value);
}

/* The element that a name is the place of; false: it names none. */
static bool
place_of (const char *name, size_t *place)
{
  char *end;

  *place = strtoul (name, &end, 10);
  return *name && !*end;
}

static json_t *
child_of (const json_t *value, const char *name)
{
  size_t place;

  if (is_object (value))
    return json_object_get (value, name);
  if (json_is_array (value) && place_of (name, &place))
    return json_array_get (value, place);
  return NULL;
}

static json_t *
value_at (json_t *value, const struct parts *parts)
{
  for (size_t i = 0; i < parts->n && value; i++)
    value = child_of (value, parts->names[i]);
  return value;
}

/* fresh NULL: what is there goes, and leaves null in an array. */
static bool
set_child (json_t *value, const char *name, json_t *fresh)
{
  size_t place;

  if (is_object (value)) {
    if (fresh)
      json_object_set (value, name, fresh);
    else
      json_object_del (value, name);
    return true;
  }
  if (!json_is_array (value) || !place_of (name, &place))
    return false;
  while (json_array_size (value) <= place)
    json_array_append_new (value, json_null ());
  if (fresh)
    json_array_set (value, place, fresh);
  else
    json_array_set_new (value, place, json_null ());
  return true;
}

static bool
set_at (json_t *value, const struct parts *parts, json_t *fresh)
{
  for (size_t i = 0; i + 1 < parts->n; i++) {
    json_t *child = child_of (value, parts->names[i]);

    if (!child) {
      json_t *made = json_object ();
      bool good = set_child (value, parts->names[i], made);

      json_decref (made);
      if (!good)
        return false;
      child = child_of (value, parts->names[i]);
    }
    value = child;
  }
  return set_child (value, parts->names[parts->n - 1], fresh);
}

/* ---- arrays ------------------------------------------------------------- */

/* Its own elements may be changed; those of the old one are shared. */
static json_t *
copy_of (const json_t *array)
{
  return json_is_array (array) ? json_copy ((json_t *) array) : json_array ();
}

static size_t
place_in (json_int_t at, size_t size)
{
  if (at < 0)
    return size >= (size_t) -at ? size - (size_t) -at : 0;
  return (size_t) at < size ? (size_t) at : size;
}

static json_t *
push (const json_t *array, const json_t *operand)
{
  json_t *made = copy_of (array);
  const json_t *each = json_object_get (operand, "$each");
  const json_t *slice = json_object_get (operand, "$slice");
  const json_t *position = json_object_get (operand, "$position");
  size_t at = json_array_size (made), n;

  if (!each) {
    json_array_append (made, (json_t *) operand);
    return made;
  }
  if (position)
    at = place_in (json_integer_value (position), at);
  for (size_t i = 0; i < json_array_size (each); i++)
    json_array_insert (made, at + i, json_array_get (each, i));
  if (!slice)
    return made;
  n = place_in (json_integer_value (slice), json_array_size (made));
  while (json_integer_value (slice) >= 0 && json_array_size (made) > n)
    json_array_remove (made, n);
  while (json_integer_value (slice) < 0 && n-- > 0)
    json_array_remove (made, 0);
  return made;
}

static void
add_to_set (json_t *array, const json_t *value)
{
  for (size_t i = 0; i < json_array_size (array); i++)
    if (plain_cmp (json_array_get (array, i), value) == 0)
      return;
  json_array_append (array, (json_t *) value);
}

static json_t *
add (const json_t *array, const json_t *operand)
{
  json_t *made = copy_of (array);
  const json_t *each = json_object_get (operand, "$each");

  for (size_t i = 0; i < json_array_size (each); i++)
    add_to_set (made, json_array_get (each, i));
  if (!each)
    add_to_set (made, operand);
  return made;
}

static bool
is_pulled (const json_t *operand, const json_t *element)
{
  if (plain_is_operator (operand))
    return plain_element (operand, element);
  if (is_object (operand))
    return is_object (element) && plain_match (operand, element);
  return plain_equal (element, operand);
}

static json_t *
pull (const json_t *array, const json_t *operand)
{
  json_t *made = json_array ();

  for (size_t i = 0; i < json_array_size (array); i++)
    if (!is_pulled (operand, json_array_get (array, i)))
      json_array_append (made, json_array_get (array, i));
  return made;
}

static json_t *
pop (const json_t *array, const json_t *operand)
{
  json_t *made = copy_of (array);
  size_t n = json_array_size (made);

  if (n > 0)
    json_array_remove (made, json_integer_value (operand) > 0 ? n - 1 : 0);
  return made;
}

/* ---- modifiers ---------------------------------------------------------- */

static bool
is (const char *modifier, const char *name)
{
  return strcmp (modifier, name) == 0;
}

/* A whole number is written without a point. */
static json_t *
number (double value)
{
  json_int_t whole = (json_int_t) value;

  return value == (double) whole ? json_integer (whole) : json_real (value);
}

/* NULL: it cannot be done; the same value: nothing changes. */
static json_t *
new_value (const char *modifier, json_t *there, const json_t *operand,
           uint64_t now_ms)
{
  double x = json_number_value (there), y = json_number_value (operand);

  if (is (modifier, "$inc") || is (modifier, "$mul")) {
    if (there && !json_is_number (there))
      return NULL;
    return number (is (modifier, "$inc") ? x + y : x * y);
  }
  if ((is (modifier, "$min") && there && plain_cmp (operand, there) >= 0)
      || (is (modifier, "$max") && there && plain_cmp (operand, there) <= 0))
    return json_incref (there);
  if (is (modifier, "$currentDate"))
    return json_pack ("{sI}", "$$date", (json_int_t) now_ms);
  if (modifier[1] != 'p' && !is (modifier, "$addToSet"))
    return json_deep_copy (operand);
  if (there && !json_is_array (there))
    return NULL;
  if (is (modifier, "$push"))
    return push (there, operand);
  if (is (modifier, "$addToSet"))
    return add (there, operand);
  return is (modifier, "$pull") ? pull (there, operand) : pop (there, operand);
}

static bool
rename_it (json_t *document, const struct parts *from, const char *to)
{
  json_t *value = json_incref (value_at (document, from));
  struct parts parts = split (to);
  bool good =
      !value
      || (set_at (document, from, NULL) && set_at (document, &parts, value));

  json_decref (value);
  return good;
}

static bool
apply (json_t *document, const char *modifier, const char *path,
       const json_t *operand, uint64_t now_ms)
{
  struct parts parts = split (path);
  json_t *there = value_at (document, &parts), *fresh;
  bool good;

  if (is (modifier, "$setOnInsert"))
    return true;
  if (is (modifier, "$rename"))
    return rename_it (document, &parts, json_string_value (operand));
  if (!there && (is (modifier, "$pull") || is (modifier, "$pop")))
    return true;
  if (is (modifier, "$unset"))
    return !there || set_at (document, &parts, NULL);
  fresh = new_value (modifier, there, operand, now_ms);
  good = fresh && (fresh == there || set_at (document, &parts, fresh));
  json_decref (fresh);
  return good;
}

bool
plain_update (json_t *document, const json_t *update, uint64_t now_ms)
{
  const char *modifier, *path;
  json_t *fields, *operand;

  json_object_foreach ((json_t *) update, modifier, fields)
  {
    json_object_foreach (fields, path, operand)
    {
      if (!apply (document, modifier, path, operand, now_ms))
        return false;
    }
  }
  return true;
}
