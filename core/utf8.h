/* SPDX-License-Identifier: MIT */
/* The one definition of valid UTF-8: no overlong forms, no surrogates,
 * nothing above U+10FFFF. */

#ifndef TALLY_CORE_UTF8_H
#define TALLY_CORE_UTF8_H

#include <stddef.h>

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

#endif /* TALLY_CORE_UTF8_H */
