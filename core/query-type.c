/* SPDX-License-Identifier: MIT */
/* What $type knows.  JSON has one kind of number; as when MongoDB reads JSON,
 * one written without a point and an exponent is an int or a long if it fits
 * there, any other a double. */

#include <config.h>

#include <string.h>

#include "json.h"
#include "query-tree.h"
#include "value.h"

#define NUMBERS (QUERY_TYPE_INT | QUERY_TYPE_LONG | QUERY_TYPE_DOUBLE)

/* Types that no JSON has are known and match nothing. */
static const struct {
  const char *name, *code;
  uint32_t types;
} names[] = {
  { "double", "1", QUERY_TYPE_DOUBLE },
  { "string", "2", QUERY_TYPE_STRING },
  { "object", "3", QUERY_TYPE_OBJECT },
  { "array", "4", QUERY_TYPE_ARRAY },
  { "binData", "5", 0 },
  { "undefined", "6", 0 },
  { "objectId", "7", 0 },
  { "bool", "8", QUERY_TYPE_BOOL },
  { "date", "9", QUERY_TYPE_DATE },
  { "null", "10", QUERY_TYPE_NULL },
  { "regex", "11", 0 },
  { "dbPointer", "12", 0 },
  { "javascript", "13", 0 },
  { "symbol", "14", 0 },
  { "javascriptWithScope", "15", 0 },
  { "int", "16", QUERY_TYPE_INT },
  { "timestamp", "17", 0 },
  { "long", "18", QUERY_TYPE_LONG },
  { "decimal", "19", 0 },
  { "minKey", "-1", 0 },
  { "maxKey", "127", 0 },
  { "number", NULL, NUMBERS },
};

static bool
parse_one (struct tally_slice value, uint32_t *types)
{
  enum value_type type = value_type (value);

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (type == VALUE_STRING
            ? !slice_equal (slice_make (value.data + 1, value.size - 2),
                            slice_text (names[i].name))
            : type != VALUE_NUMBER || !names[i].code
                  || json_number_cmp (value, slice_text (names[i].code)) != 0)
      continue;
    *types |= names[i].types;
    return true;
  }
  return false;
}

bool
query_type_parse (struct tally_slice value, uint32_t *types)
{
  struct tally_slice one;
  bool any = false;

  *types = 0;
  if (value_type (value) != VALUE_ARRAY)
    return parse_one (value, types);
  while (json_next_element (&value, &one)) {
    if (!parse_one (one, types))
      return false;
    any = true;
  }
  return any;
}

static bool
within (struct tally_slice number, const char *least, const char *most)
{
  return json_number_cmp (number, slice_text (least)) >= 0
         && json_number_cmp (number, slice_text (most)) <= 0;
}

static uint32_t
type_of_number (struct tally_slice number)
{
  for (size_t i = 0; i < number.size; i++)
    if (strchr (".eE", number.data[i]))
      return QUERY_TYPE_DOUBLE;
  if (within (number, "-2147483648", "2147483647"))
    return QUERY_TYPE_INT;
  if (within (number, "-9223372036854775808", "9223372036854775807"))
    return QUERY_TYPE_LONG;
  return QUERY_TYPE_DOUBLE;
}

uint32_t
query_type_of (struct tally_slice value)
{
  switch (value_type (value)) {
  case VALUE_NULL:
    return QUERY_TYPE_NULL;
  case VALUE_NUMBER:
    return type_of_number (value);
  case VALUE_STRING:
    return QUERY_TYPE_STRING;
  case VALUE_BOOL:
    return QUERY_TYPE_BOOL;
  case VALUE_DATE:
    return QUERY_TYPE_DATE;
  case VALUE_ARRAY:
    return QUERY_TYPE_ARRAY;
  case VALUE_OBJECT:
    return QUERY_TYPE_OBJECT;
  default:
    return 0;
  }
}
