/* SPDX-License-Identifier: MIT */
/* Sorts and projections over trees. */

#include <stdlib.h>
#include <string.h>

#include "plain.h"

/* ---- sorts -------------------------------------------------------------- */

static bool
is_place (const char *name, size_t size, size_t *place)
{
  *place = 0;
  for (size_t i = 0; i < size; i++) {
    if (name[i] < '0' || name[i] > '9')
      return false;
    *place = 10 * *place + (size_t) (name[i] - '0');
  }
  return size > 0 && (size == 1 || name[0] != '0');
}

/* What the document sorts by; an array on the way, whose place the path does
 * not name, makes it the array of all that is found.  NULL: missing. */
static json_t *
sort_value (const json_t *document, const char *path)
{
  const json_t *value = document;
  char name[64];

  for (const char *part = path, *dot; part; part = dot ? dot + 1 : NULL) {
    size_t size, place;

    dot = strchr (part, '.');
    size = dot ? (size_t) (dot - part) : strlen (part);
    memcpy (name, part, size);
    name[size] = '\0';
    if (json_is_array (value)) {
      if (!is_place (part, size, &place))
        return plain_values (document, path);
      value = json_array_get (value, place);
    } else if (json_is_object (value) && !plain_is_date (value))
      value = json_object_get (value, name);
    else
      value = NULL;
    if (!value)
      return NULL;
  }
  return json_incref ((json_t *) value);
}

static int
cmp_by (const json_t *a, const json_t *b, const char *sort)
{
  char field[64];
  int order = 0;

  while (order == 0 && *sort) {
    bool falls = *sort == '-';
    size_t size = strcspn (sort += falls, ",");
    json_t *x, *y;

    memcpy (field, sort, size);
    field[size] = '\0';
    x = sort_value (a, field);
    y = sort_value (b, field);
    order = falls ? plain_cmp (y, x) : plain_cmp (x, y);
    json_decref (x);
    json_decref (y);
    sort += size + (sort[size] == ',');
  }
  if (order != 0)
    return order;
  return strcmp (json_string_value (json_object_get (a, "_id")),
                 json_string_value (json_object_get (b, "_id")));
}

/* By insertion: there are few. */
void
plain_sort (const json_t **documents, size_t n, const char *sort)
{
  for (size_t i = 1; i < n; i++)
    for (size_t k = i; k > 0; k--) {
      const json_t *swap = documents[k];

      if (cmp_by (documents[k - 1], swap, sort) <= 0)
        break;
      documents[k] = documents[k - 1];
      documents[k - 1] = swap;
    }
}

/* ---- projections -------------------------------------------------------- */

/* "b.c" of "a.b.c,d" for the member a; "": it is wanted as a whole. */
static bool
below (const char *fields, const char *member, char out[128])
{
  size_t size = strlen (member);
  bool any = false;

  out[0] = '\0';
  while (*fields) {
    size_t length = strcspn (fields, ",");

    if (length == size && memcmp (fields, member, size) == 0) {
      out[0] = '\0';
      return true;
    }
    if (length > size && memcmp (fields, member, size) == 0
        && fields[size] == '.') {
      size_t at = strlen (out);

      if (any)
        out[at++] = ',';
      memcpy (out + at, fields + size + 1, length - size - 1);
      out[at + length - size - 1] = '\0';
      any = true;
    }
    fields += length + (fields[length] == ',');
  }
  return any;
}

static bool
is_container (const json_t *value)
{
  return json_is_array (value)
         || (json_is_object (value) && !plain_is_date (value));
}

static json_t *
project (const json_t *value, const char *fields)
{
  json_t *made = json_is_array (value) ? json_array () : json_object ();
  const char *name;
  json_t *member;
  char rest[128];

  for (size_t i = 0; i < json_array_size (value); i++)
    if (is_container (json_array_get (value, i)))
      json_array_append_new (made,
                             project (json_array_get (value, i), fields));
  json_object_foreach ((json_t *) value, name, member)
  {
    if (!below (fields, name, rest))
      continue;
    if (!*rest)
      json_object_set (made, name, member);
    else if (is_container (member))
      json_object_set_new (made, name, project (member, rest));
  }
  return made;
}

json_t *
plain_project (const json_t *document, const char *fields)
{
  json_t *made = project (document, fields);

  json_object_set (made, "_id", json_object_get (document, "_id"));
  return made;
}
