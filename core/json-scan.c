/* SPDX-License-Identifier: MIT */
/* Walking over JSON text that has been checked.  The text may still be
 * anything, since it may have come from a damaged store: each step is bounded
 * by the slice it was given. */

#include "error.h"
#include "json-scan.h"
#include "json.h"

/* ---- keys -------------------------------------------------------------- */

/* The next decoded byte, -1 at the end.  In canonical text an escape is
 * always one byte. */
static int
next_key_byte (const char **p, const char *end)
{
  uint32_t code;
  size_t length;

  if (*p == end)
    return -1;
  length = **p == '\\' ? json_unescape (*p, end, &code) : 0;
  if (length == 0)
    return (unsigned char) *(*p)++;
  *p += length;
  return (int) (code & 0xff);
}

int
json_key_cmp_escaped (struct tally_slice a, struct tally_slice b)
{
  const char *p = a.data, *q = b.data;

  for (;;) {
    int x = next_key_byte (&p, slice_end (a));
    int y = next_key_byte (&q, slice_end (b));

    if (x != y)
      return x < y ? -1 : 1;
    if (x < 0)
      return 0;
  }
}

int
json_key_cmp (struct tally_slice a, struct tally_slice b)
{
  return json_key_cmp_inline (a, b);
}

/* ---- extents ----------------------------------------------------------- */

/* p is an opening quote; gives the place behind the closing one, or NULL. */
static const char *
skip_string (const char *p, const char *end)
{
  p++;
  for (;;) {
    p = json_plain_end (p, end);
    if (p == end)
      return NULL;
    if (*p == '"')
      return p + 1;
    if (*p == '\\' && end - p >= 2)
      p++;
    p++;
  }
}

/* p is an opening bracket or brace.  Which closes which is not looked at. */
static const char *
skip_container (const char *p, const char *end)
{
  size_t depth = 0;

  while (p < end)
    switch (*p) {
    case '"':
      p = skip_string (p, end);
      if (!p)
        return NULL;
      break;
    case '{':
    case '[':
      depth++;
      p++;
      break;
    case '}':
    case ']':
      p++;
      if (--depth == 0)
        return p;
      break;
    default:
      p++;
    }
  return NULL;
}

/* The place behind the value at p, of which a number or word ends before
 * any byte of `stop`; NULL when there is none or it is not whole. */
static const char *
skip_value (const char *p, const char *end, const char *stop)
{
  const char *start = p;

  if (p == end)
    return NULL;
  if (*p == '"')
    return skip_string (p, end);
  if (*p == '{' || *p == '[')
    return skip_container (p, end);
  /* Most are numbers or words, of which no byte is ever a stop. */
  while (p < end && ((*p >= '-' && *p <= '9') || (*p >= 'a' && *p <= 'z')))
    p++;
  while (p < end && (*p == 0 || !strchr (stop, *p)))
    p++;
  return p > start ? p : NULL;
}

/* What ends a number or word within an array or object. */
#define STOPS ",]}:\"[{ \t\r\n"

const char *
json_value_end (const char *p, const char *end)
{
  return skip_value (p, end, STOPS);
}

/* ---- cursors ----------------------------------------------------------- */

/* Steps over the opening bracket or the comma before the next item; NULL
 * when neither is there.  Behind the bracket of an empty one there is no
 * item, either, which shows when it is read. */
static const char *
next_item (struct tally_slice *rest, char opening)
{
  const char *p = rest->data;

  if (rest->size < 2 || (*p != opening && *p != ',')) {
    rest->size = 0;
    return NULL;
  }
  return p + 1;
}

static bool
take_value (struct tally_slice *rest, const char *p, struct tally_slice *value)
{
  const char *end = slice_end (*rest);
  const char *behind = skip_value (p, end, STOPS);

  if (!behind) {
    rest->size = 0;
    return false;
  }
  *value = slice_make (p, (size_t) (behind - p));
  *rest = slice_make (behind, (size_t) (end - behind));
  return true;
}

bool
json_next_member (struct tally_slice *rest, struct json_member *member)
{
  const char *end = slice_end (*rest);
  const char *key = next_item (rest, '{');
  const char *behind;

  if (!key)
    return false;
  behind = *key == '"' ? skip_string (key, end) : NULL;
  if (!behind || behind == end || *behind != ':') {
    rest->size = 0;
    return false;
  }
  member->key = slice_make (key + 1, (size_t) (behind - key) - 2);
  return take_value (rest, behind + 1, &member->value);
}

bool
json_next_element (struct tally_slice *rest, struct tally_slice *element)
{
  const char *p = next_item (rest, '[');

  return p && take_value (rest, p, element);
}

bool
json_find_member (struct tally_slice object, struct tally_slice raw_key,
                  struct tally_slice *value)
{
  struct json_member member;

  while (json_next_member (&object, &member)) {
    int order = json_key_cmp_inline (member.key, raw_key);

    if (order > 0)
      return false;
    if (order == 0) {
      *value = member.value;
      return true;
    }
  }
  return false;
}

enum json_type
json_type (struct tally_slice value)
{
  switch (value.size > 0 ? *value.data : 'n') {
  case 'n':
    return JSON_NULL;
  case 't':
  case 'f':
    return JSON_BOOL;
  case '"':
    return JSON_STRING;
  case '[':
    return JSON_ARRAY;
  case '{':
    return JSON_OBJECT;
  default:
    return JSON_NUMBER;
  }
}

/* ---- streams ----------------------------------------------------------- */

void
json_locate (const char *text, size_t offset, size_t *line, size_t *column)
{
  size_t i;

  *line = 1;
  *column = 1;
  for (i = 0; i < offset; i++)
    if (text[i] == '\n') {
      ++*line;
      *column = 1;
    } else
      ++*column;
}

int
json_split (const char *text, size_t size, size_t *offset,
            struct tally_slice *value, struct tally_error *err)
{
  const char *end = size > 0 ? text + size : text;
  const char *p = text, *behind;
  size_t line, column;

  if (*offset >= size)
    return TALLY_NOTFOUND;
  p += *offset;
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    p++;
  *offset = (size_t) (p - text);
  if (p == end)
    return TALLY_NOTFOUND;

  behind = skip_value (p, end, " \t\r\n\"[{");
  if (behind) {
    *value = slice_make (p, (size_t) (behind - p));
    *offset = (size_t) (behind - text);
    return TALLY_OK;
  }
  json_locate (text, *offset, &line, &column);
  return error_set (err, TALLY_INVALID,
                    "line %zu, column %zu: the value that begins here has "
                    "no end",
                    line, column);
}
