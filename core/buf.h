/* SPDX-License-Identifier: MIT */
/* Growable bytes.  An allocation that fails is remembered in `failed`, and
 * everything added later is dropped: add as much as you like and check
 * once, before the bytes are used. */

#ifndef TALLY_CORE_BUF_H
#define TALLY_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/driver.h>

#include "slice.h"

struct buf {
  char *data; /* no NUL after it */
  size_t size, capacity;
  bool failed;
};

#define BUF_INIT \
  {              \
    0            \
  }

#if defined __GNUC__
#define BUF_FORMAT(string, first) \
  __attribute__ ((format (printf, string, first)))
#else
#define BUF_FORMAT(string, first)
#endif

/* Makes room for n more bytes at data + size; false when failed. */
bool buf_reserve (struct buf *b, size_t n);

/* data must not point into b; it may be NULL when size is 0. */
void buf_add (struct buf *b, const void *data, size_t size);
void buf_add_text (struct buf *b, const char *text);
void buf_addf (struct buf *b, const char *fmt, ...) BUF_FORMAT (2, 3);

/* No bytes and not failed, but keeps the memory. */
void buf_clear (struct buf *b);

/* Gives the memory back; b can be used again. */
void buf_free (struct buf *b);

static inline void
buf_add_byte (struct buf *b, unsigned char byte)
{
  if (b->failed || (b->size == b->capacity && !buf_reserve (b, 1)))
    return;
  b->data[b->size++] = (char) byte;
}

static inline void
buf_add_slice (struct buf *b, struct tally_slice slice)
{
  buf_add (b, slice.data, slice.size);
}

/* Good until b is next added to. */
static inline struct tally_slice
buf_slice (const struct buf *b)
{
  return slice_make (b->data, b->size);
}

#endif /* TALLY_CORE_BUF_H */
