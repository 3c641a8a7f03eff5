/* SPDX-License-Identifier: MIT */
/* Small helpers for struct tally_slice, bytes that belong to somebody else.
 * memcmp and memcpy may not be given NULL even for no bytes, so everything
 * that compares slices comes here. */

#ifndef TALLY_CORE_SLICE_H
#define TALLY_CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <tally/driver.h>

static inline struct tally_slice
slice_make (const void *data, size_t size)
{
  struct tally_slice slice;

  slice.data = (const char *) data;
  slice.size = size;
  return slice;
}

/* The bytes of a string, without its NUL; NULL gives no bytes. */
static inline struct tally_slice
slice_text (const char *text)
{
  return slice_make (text, text ? strlen (text) : 0);
}

/* NULL + 0 is undefined in C. */
static inline const char *
slice_end (struct tally_slice slice)
{
  return slice.size > 0 ? slice.data + slice.size : slice.data;
}

static inline bool
slice_equal (struct tally_slice a, struct tally_slice b)
{
  return a.size == b.size
         && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0);
}

/* Bytewise order; a prefix comes before what it begins. */
static inline int
slice_cmp (struct tally_slice a, struct tally_slice b)
{
  size_t common = a.size < b.size ? a.size : b.size;
  int order = common > 0 ? memcmp (a.data, b.data, common) : 0;

  if (order != 0)
    return order;
  return (a.size > b.size) - (a.size < b.size);
}

#endif /* TALLY_CORE_SLICE_H */
