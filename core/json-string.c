/* SPDX-License-Identifier: MIT */
/* JSON strings: their escapes read and written.  Reading knows every escape
 * there is, writing uses the shortest. */

#include "json-scan.h"
#include "json.h"

/* The four digits of \uXXXX, or -1. */
static int32_t
hex4 (const char *p)
{
  int32_t value = 0;
  int i;

  for (i = 0; i < 4; i++) {
    char c = p[i];

    value *= 16;
    if (c >= '0' && c <= '9')
      value += c - '0';
    else if (c >= 'a' && c <= 'f')
      value += c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      value += c - 'A' + 10;
    else
      return -1;
  }
  return value;
}

/* A high surrogate takes the low one behind it along. */
static size_t
unescape_u (const char *p, const char *end, uint32_t *code)
{
  int32_t high, low;

  if (end - p < 6)
    return 0;
  high = hex4 (p + 2);
  if (high < 0)
    return 0;
  *code = (uint32_t) high;
  if (high < 0xd800 || high > 0xdbff || end - p < 12 || p[6] != '\\'
      || p[7] != 'u')
    return 6;

  low = hex4 (p + 8);
  if (low < 0xdc00 || low > 0xdfff)
    return 6;
  *code =
      0x10000 + (((uint32_t) high - 0xd800) << 10) + ((uint32_t) low - 0xdc00);
  return 12;
}

size_t
json_unescape (const char *p, const char *end, uint32_t *code)
{
  static const char letters[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  const char *letter;

  if (end - p < 2)
    return 0;
  if (p[1] == 'u')
    return unescape_u (p, end, code);
  letter = memchr (letters, p[1], sizeof letters - 1);
  if (!letter)
    return 0;
  *code = (uint32_t) meanings[letter - letters];
  return 2;
}

void
json_add_utf8 (struct buf *out, uint32_t code)
{
  if (code < 0x80) {
    buf_add_byte (out, (unsigned char) code);
    return;
  }
  if (code < 0x800)
    buf_add_byte (out, (unsigned char) (0xc0 | code >> 6));
  else {
    if (code < 0x10000)
      buf_add_byte (out, (unsigned char) (0xe0 | code >> 12));
    else {
      buf_add_byte (out, (unsigned char) (0xf0 | code >> 18));
      buf_add_byte (out, (unsigned char) (0x80 | (code >> 12 & 0x3f)));
    }
    buf_add_byte (out, (unsigned char) (0x80 | (code >> 6 & 0x3f)));
  }
  buf_add_byte (out, (unsigned char) (0x80 | (code & 0x3f)));
}

void
json_add_char (struct buf *out, uint32_t code)
{
  switch (code) {
  case '"':
    buf_add_text (out, "\\\"");
    return;
  case '\\':
    buf_add_text (out, "\\\\");
    return;
  case '\b':
    buf_add_text (out, "\\b");
    return;
  case '\f':
    buf_add_text (out, "\\f");
    return;
  case '\n':
    buf_add_text (out, "\\n");
    return;
  case '\r':
    buf_add_text (out, "\\r");
    return;
  case '\t':
    buf_add_text (out, "\\t");
    return;
  default:
    break;
  }
  if (code < 0x20)
    buf_addf (out, "\\u%04x", (unsigned) code);
  else
    json_add_utf8 (out, code);
}

void
json_encode_string (struct buf *out, struct tally_slice utf8)
{
  const char *p = utf8.data, *end = slice_end (utf8);
  const char *run = p;

  buf_add_byte (out, '"');
  while (p < end) {
    p = json_plain_end (p, end);
    if (p == end)
      break;
    if ((unsigned char) *p < 0x80) {
      buf_add (out, run, (size_t) (p - run));
      json_add_char (out, (unsigned char) *p);
      run = p + 1;
    }
    p++;
  }
  buf_add (out, run, (size_t) (end - run));
  buf_add_byte (out, '"');
}

static bool
decode_content (struct buf *out, const char *p, const char *end)
{
  while (p < end) {
    const char *run = p;
    uint32_t code;
    size_t length;

    while (p < end && *p != '\\' && *p != '"')
      p++;
    buf_add (out, run, (size_t) (p - run));
    if (p == end)
      break;
    if (*p == '"')
      return false;

    length = json_unescape (p, end, &code);
    if (length == 0 || (code >= 0xd800 && code <= 0xdfff))
      return false;
    json_add_utf8 (out, code);
    p += length;
  }
  return !out->failed;
}

bool
json_decode_string (struct buf *out, struct tally_slice value)
{
  size_t before = out->size;

  if (value.size < 2 || value.data[0] != '"'
      || value.data[value.size - 1] != '"')
    return false;
  if (decode_content (out, value.data + 1, value.data + value.size - 1))
    return true;
  out->size = before;
  return false;
}
