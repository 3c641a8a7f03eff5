/* SPDX-License-Identifier: MIT */
/* Growable bytes with a sticky failure; see buf.h. */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"

#define BUF_FIRST 64

/* One and a half times as much, or what is needed, so that bytes added one
 * by one are copied a bounded number of times each.  0 on overflow. */
static size_t
next_capacity (const struct buf *b, size_t n)
{
  size_t capacity = b->capacity < BUF_FIRST ? BUF_FIRST : b->capacity;
  size_t needed;

  if (n > SIZE_MAX - b->size)
    return 0;
  needed = b->size + n;
  if (b->capacity >= BUF_FIRST && capacity <= SIZE_MAX - capacity / 2)
    capacity += capacity / 2;
  return capacity > needed ? capacity : needed;
}

bool
buf_reserve (struct buf *b, size_t n)
{
  size_t capacity;
  char *data;

  if (b->failed)
    return false;
  if (n <= b->capacity - b->size)
    return true;

  capacity = next_capacity (b, n);
  data = capacity > 0 ? realloc (b->data, capacity) : NULL;
  if (!data) {
    b->failed = true;
    return false;
  }
  b->data = data;
  b->capacity = capacity;
  return true;
}

void
buf_add (struct buf *b, const void *data, size_t size)
{
  if (size == 0 || !buf_reserve (b, size))
    return;
  memcpy (b->data + b->size, data, size);
  b->size += size;
}

void
buf_add_text (struct buf *b, const char *text)
{
  buf_add (b, text, strlen (text));
}

/* vsnprintf writes a NUL, too: there has to be room for it, but it does not
 * count. */
void
buf_addf (struct buf *b, const char *fmt, ...)
{
  va_list args;
  int n;

  if (!buf_reserve (b, 1))
    return;
  va_start (args, fmt);
  n = vsnprintf (b->data + b->size, b->capacity - b->size, fmt, args);
  va_end (args);
  if (n >= 0 && (size_t) n >= b->capacity - b->size) {
    if (!buf_reserve (b, (size_t) n + 1))
      return;
    va_start (args, fmt);
    n = vsnprintf (b->data + b->size, b->capacity - b->size, fmt, args);
    va_end (args);
  }

  if (n < 0)
    b->failed = true;
  else
    b->size += (size_t) n;
}

void
buf_clear (struct buf *b)
{
  b->size = 0;
  b->failed = false;
}

void
buf_free (struct buf *b)
{
  struct buf empty = BUF_INIT;

  free (b->data);
  *b = empty;
}
