/* SPDX-License-Identifier: MIT */
/* The one definition of valid UTF-8: no overlong forms, no surrogates,
 * nothing above U+10FFFF. */

#ifndef TALLY_CORE_UTF8_H
#define TALLY_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* How many bytes at the start of a text are a byte order mark, with which
 * editors on Windows begin a file: 3 or 0. */
static inline size_t
utf8_mark (const char *text, size_t size)
{
  return size >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* The length of the character at p, of which `left` bytes are there; 0 when
 * they are not the beginning of valid UTF-8. */
static inline size_t
utf8_length (const char *p, size_t left)
{
  const unsigned char *u = (const unsigned char *) p;
  unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
  size_t length, i;

  if (left == 0)
    return 0;
  if (u[0] < 0x80)
    return 1;
  if (u[0] < 0xc2 || u[0] > 0xf4)
    return 0;

  if (u[0] == 0xe0)
    low = 0xa0;
  else if (u[0] == 0xed)
    high = 0x9f;
  else if (u[0] == 0xf0)
    low = 0x90;
  else if (u[0] == 0xf4)
    high = 0x8f;

  length = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
  if (left < length || u[1] < low || u[1] > high)
    return 0;
  for (i = 2; i < length; i++)
    if ((u[i] & 0xc0) != 0x80)
      return 0;
  return length;
}

/* True when valid UTF-8 has a control character in it: those below U+0020,
 * and U+007F to U+009F, which a terminal obeys as well. */
static inline bool
utf8_has_control (const char *p, size_t size)
{
  const unsigned char *u = (const unsigned char *) p;

  for (size_t i = 0; i < size; i++)
    if (u[i] < 0x20 || u[i] == 0x7f
        || (u[i] == 0xc2 && i + 1 < size && u[i + 1] < 0xa0))
      return true;
  return false;
}

#endif /* TALLY_CORE_UTF8_H */
