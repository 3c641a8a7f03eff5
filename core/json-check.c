/* SPDX-License-Identifier: MIT */
/* Whether a text is canonical JSON already, which documents from peers and
 * from our own stores nearly always are.  One pass, no allocation; each
 * function takes the place where its part begins and gives the place behind
 * it, or NULL.  The grammar is that of json.c less all it would change. */

#include "json-scan.h"
#include "json.h"
#include "utf8.h"

static const char *check_value (const char *p, const char *end,
                                unsigned depth);

/* p is a backslash.  Control characters that have a letter must use it. */
static const char *
check_escape (const char *p, const char *end)
{
  uint32_t code;

  if (end - p < 2)
    return NULL;
  switch (p[1]) {
  case '"':
  case '\\':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    break;
  default:
    return NULL;
  }

  if (json_unescape (p, end, &code) != 6 || code >= 0x20)
    return NULL;
  if (code == '\b' || code == '\f' || code == '\n' || code == '\r'
      || code == '\t')
    return NULL;
  return p[5] >= 'A' && p[5] <= 'F' ? NULL : p + 6;
}

/* p is behind the opening quote; gives the closing one. */
static const char *
check_string (const char *p, const char *end)
{
  for (;;) {
    p = json_plain_end (p, end);
    if (p == end)
      return NULL;
    if (*p == '"')
      return p;

    if (*p == '\\') {
      p = check_escape (p, end);
      if (!p)
        return NULL;
    } else {
      size_t length = utf8_length (p, (size_t) (end - p));

      if (length < 2)
        return NULL;
      p += length;
    }
  }
}

static const char *
check_number (const char *p, const char *end)
{
  const char *behind = json_number_end (p, end);

  if (!behind || (behind - p > 4 && !json_number_in_range (p, behind)))
    return NULL;
  return behind;
}

static const char *
check_word (const char *p, const char *end, const char *word, size_t size)
{
  if ((size_t) (end - p) < size || memcmp (p, word, size) != 0)
    return NULL;
  return p + size;
}

/* p is behind the opening bracket. */
static const char *
check_array (const char *p, const char *end, unsigned depth)
{
  if (p < end && *p == ']')
    return p + 1;
  for (;;) {
    p = check_value (p, end, depth);
    if (!p || p == end)
      return NULL;
    if (*p == ']')
      return p + 1;
    if (*p != ',')
      return NULL;
    p++;
  }
}

/* p is behind the opening brace. */
static const char *
check_object (const char *p, const char *end, unsigned depth)
{
  struct tally_slice key, before = { NULL, 0 };

  if (p < end && *p == '}')
    return p + 1;
  for (;;) {
    if (p == end || *p != '"')
      return NULL;
    key.data = p + 1;
    p = check_string (p + 1, end);
    if (!p || end - p < 2 || p[1] != ':')
      return NULL;
    key.size = (size_t) (p - key.data);
    if (before.data && json_key_cmp_inline (before, key) >= 0)
      return NULL;
    before = key;

    p = check_value (p + 2, end, depth);
    if (!p || p == end)
      return NULL;
    if (*p == '}')
      return p + 1;
    if (*p != ',')
      return NULL;
    p++;
  }
}

/* depth: how many arrays and objects stand around the value. */
static const char *
check_value (const char *p, const char *end, unsigned depth)
{
  if (p == end)
    return NULL;
  switch (*p) {
  case '"':
    p = check_string (p + 1, end);
    return p ? p + 1 : NULL;
  case '{':
    return depth < JSON_DEPTH_MAX ? check_object (p + 1, end, depth + 1)
                                  : NULL;
  case '[':
    return depth < JSON_DEPTH_MAX ? check_array (p + 1, end, depth + 1) : NULL;
  case 't':
    return check_word (p, end, "true", 4);
  case 'f':
    return check_word (p, end, "false", 5);
  case 'n':
    return check_word (p, end, "null", 4);
  default:
    return check_number (p, end);
  }
}

const char *
json_canonical_end (const char *p, const char *end)
{
  return check_value (p, end, 0);
}

bool
json_is_canonical (const char *text, size_t size)
{
  return size > 0 && check_value (text, text + size, 0) == text + size;
}

bool
utf8_valid (struct tally_slice text)
{
  size_t i = 0;

  while (i < text.size) {
    size_t length = utf8_length (text.data + i, text.size - i);

    if (length == 0)
      return false;
    i += length;
  }
  return true;
}
