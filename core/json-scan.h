/* SPDX-License-Identifier: MIT */
/* What the files of core/json share: the innermost loops, and nothing that
 * anybody else needs. */

#ifndef TALLY_CORE_JSON_SCAN_H
#define TALLY_CORE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"

/* The end of the number at p, NULL when there is none.  What follows it is
 * not looked at: of "01" this is the "0". */
const char *json_number_end (const char *p, const char *end);

/* Whether a number rounds to a double that is not infinite. */
bool json_number_in_range (const char *p, const char *end);

/* Reads the escape at p, which is a backslash: gives its length and the
 * character, which is a surrogate when it stands alone.  0 when it is not
 * one. */
size_t json_unescape (const char *p, const char *end, uint32_t *code);

/* Appends a character as UTF-8, or as it stands in a canonical string. */
void json_add_utf8 (struct buf *out, uint32_t code);
void json_add_char (struct buf *out, uint32_t code);

/* Compares the rest of two keys from the first escape in either. */
int json_key_cmp_escaped (struct tally_slice a, struct tally_slice b);

static inline bool
json_is_plain (char c)
{
  unsigned char u = (unsigned char) c;

  return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* The first byte from p on that does not stand for itself in a string: a
 * quote, a backslash, a control character or the beginning of a longer UTF-8
 * character.  Eight bytes at a time where the lowest address is the lowest
 * byte of a word: a borrow can mark a byte by mistake, but only above one
 * that is marked rightly. */
static inline const char *
json_plain_end (const char *p, const char *end)
{
#if defined __GNUC__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const uint64_t ones = UINT64_C (0x0101010101010101);

  while (end - p >= 8) {
    uint64_t word, quote, backslash, marks;

    memcpy (&word, p, 8);
    quote = word ^ (ones * '"');
    backslash = word ^ (ones * '\\');
    marks = (word | (quote - ones) | (backslash - ones) | (word - ones * 0x20))
            & (ones * 0x80);
    if (marks != 0)
      return p + __builtin_ctzll (marks) / 8;
    p += 8;
  }
#endif
  while (p < end && json_is_plain (*p))
    p++;
  return p;
}

/* Up to the first escape, raw bytes have the order of decoded ones. */
static inline int
json_key_cmp_inline (struct tally_slice a, struct tally_slice b)
{
  size_t common = a.size < b.size ? a.size : b.size;
  size_t i = 0;

  while (i < common && a.data[i] == b.data[i] && a.data[i] != '\\')
    i++;
  if (i == common && a.size == b.size)
    return 0;
  if ((i < a.size && a.data[i] == '\\') || (i < b.size && b.data[i] == '\\'))
    return json_key_cmp_escaped (slice_make (a.data + i, a.size - i),
                                 slice_make (b.data + i, b.size - i));
  if (i == common)
    return a.size < b.size ? -1 : 1;
  return (unsigned char) a.data[i] < (unsigned char) b.data[i] ? -1 : 1;
}

/* A member in the output of json_canonical, by offsets, since the output
 * moves as it grows; `at` is the place of its key in the input. */
struct json_place {
  size_t start; /* opening quote of the key */
  size_t key_size;
  size_t size; /* from start to the end of the value */
  const char *at;
};

static inline int
json_place_cmp (const char *text, const struct json_place *a,
                const struct json_place *b)
{
  return json_key_cmp_inline (slice_make (text + a->start + 1, a->key_size),
                              slice_make (text + b->start + 1, b->key_size));
}

/* Puts members, which are the end of out with a comma between any two, in
 * order.  When two have one key, the second is *duplicate and out is as it
 * was; else *duplicate is NULL.  False when there is no memory. */
bool json_sort (struct buf *out, struct json_place *members, size_t n,
                const struct json_place **duplicate);

#endif /* TALLY_CORE_JSON_SCAN_H */
