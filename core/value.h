/* SPDX-License-Identifier: MIT */
/* JSON values as queries see them: with dates among them, and in one order,
 * also as keys that memcmp puts into that order.  Pure. */

#ifndef TALLY_VALUE_H
#define TALLY_VALUE_H

#include <stdbool.h>

#include "buf.h"

/* In rising order; a missing value has data NULL. */
enum value_type {
  VALUE_MISSING,
  VALUE_NULL,
  VALUE_NUMBER,
  VALUE_STRING,
  VALUE_BOOL,
  VALUE_DATE, /* {"$$date":ms} */
  VALUE_ARRAY,
  VALUE_OBJECT
};

enum value_type value_type (struct tally_slice value);

/* The number in a value that is a date. */
struct tally_slice value_date (struct tally_slice value);

/* By type, and within one by value: numbers exactly, strings bytewise, arrays
 * and objects member by member. */
int value_cmp (struct tally_slice a, struct tally_slice b);

static inline struct tally_slice
value_missing (void)
{
  return slice_make (NULL, 0);
}

/* ---- keys (valuekey.c) -------------------------------------------------- */

/* The first byte of a key says what type it is of; it is above all that ends
 * a key, and below VALUEKEY_AFTER. */
#define VALUEKEY_TAG(type) (0x10 * ((type) + 1))
#define VALUEKEY_AFTER 0xff

/* Appends the key of a value: the order of keys by memcmp is value_cmp, equal
 * values have equal keys, and no key is the beginning of another one. */
void valuekey_add (struct buf *out, struct tally_slice value);

#endif /* TALLY_VALUE_H */
