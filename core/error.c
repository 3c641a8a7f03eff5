/* SPDX-License-Identifier: MIT */
/* Filling struct tally_error, so that a message is always one line that a
 * terminal can be given. */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "utf8.h"

/* C0, DEL, and C1, which some terminals obey in its UTF-8 form, too. */
static int
is_control (const char *p, size_t length)
{
  unsigned char first = (unsigned char) p[0];

  if (length == 1)
    return first < 0x20 || first == 0x7f;
  return first == 0xc2 && (unsigned char) p[1] < 0xa0;
}

/* Copies as much of the text as fits, whole characters only. */
static void
copy_text (char *out, size_t capacity, const char *text)
{
  size_t left = strlen (text), used = 0;

  while (left > 0) {
    size_t step = utf8_length (text, left);
    size_t length = step;

    if (step == 0 || is_control (text, step))
      length = 0;
    if (used + (length > 0 ? length : 1) >= capacity)
      break;
    if (length > 0)
      memcpy (out + used, text, length);
    else
      out[used] = '?';
    used += length > 0 ? length : 1;
    text += step > 0 ? step : 1;
    left -= step > 0 ? step : 1;
  }
  out[used] = 0;
}

int
error_set (struct tally_error *err, int status, const char *fmt, ...)
{
  /* So much larger that where vsnprintf cuts never shows: each character
   * comes out as at least a quarter of its bytes. */
  char text[4 * sizeof err->text];
  va_list args;
  int n;

  if (!err)
    return status;

  va_start (args, fmt);
  n = vsnprintf (text, sizeof text, fmt, args);
  va_end (args);
  if (n < 0)
    text[0] = 0;

  err->status = status;
  copy_text (err->text, sizeof err->text, text);
  return status;
}

int
error_nomem (struct tally_error *err)
{
  return error_set (err, TALLY_FAILED, "out of memory");
}

void
error_clear (struct tally_error *err)
{
  if (!err)
    return;
  err->status = TALLY_OK;
  err->text[0] = 0;
}
