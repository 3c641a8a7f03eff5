/* SPDX-License-Identifier: MIT */
/* Values are compared as they stand in canonical text; nothing is converted.
 * A date is an object with the one member $$date, as LinvoDB and NeDB keep
 * it. */

#include <config.h>

#include <string.h>

#include "json.h"
#include "value.h"

static const char date_head[] = "{\"$$date\":";

#define DATE_HEAD (sizeof date_head - 1)

static bool
is_date (struct tally_slice object)
{
  const char *p;

  if (object.size < DATE_HEAD + 2
      || memcmp (object.data, date_head, DATE_HEAD) != 0)
    return false;
  p = object.data + DATE_HEAD;
  if (*p != '-' && (*p < '0' || *p > '9'))
    return false;
  return !memchr (p, ',', object.size - DATE_HEAD);
}

enum value_type
value_type (struct tally_slice value)
{
  if (!value.data)
    return VALUE_MISSING;
  switch (json_type (value)) {
  case JSON_NULL:
    return VALUE_NULL;
  case JSON_NUMBER:
    return VALUE_NUMBER;
  case JSON_STRING:
    return VALUE_STRING;
  case JSON_BOOL:
    return VALUE_BOOL;
  case JSON_ARRAY:
    return VALUE_ARRAY;
  default:
    return is_date (value) ? VALUE_DATE : VALUE_OBJECT;
  }
}

struct tally_slice
value_date (struct tally_slice value)
{
  return slice_make (value.data + DATE_HEAD, value.size - DATE_HEAD - 1);
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
    order = value_cmp (x, y);
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
      order = value_cmp (x.value, y.value);
    if (order != 0)
      return order;
  }
}

int
value_cmp (struct tally_slice a, struct tally_slice b)
{
  enum value_type type_a = value_type (a), type_b = value_type (b);

  if (type_a != type_b)
    return type_a < type_b ? -1 : 1;
  switch (type_a) {
  case VALUE_NUMBER:
    return json_number_cmp (a, b);
  case VALUE_STRING:
    return string_cmp (a, b);
  case VALUE_DATE:
    return json_number_cmp (value_date (a), value_date (b));
  case VALUE_ARRAY:
    return array_cmp (a, b);
  case VALUE_OBJECT:
    return object_cmp (a, b);
  default:
    /* false comes before true, bytewise too. */
    return slice_cmp (a, b);
  }
}
