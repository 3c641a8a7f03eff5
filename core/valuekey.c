/* SPDX-License-Identifier: MIT */
/* Values as bytes whose memcmp order is their own.  A number is its sign, its
 * exponent and its digits in pairs, however many there are, so that 1.0 is 1
 * and 9007199254740993 is nothing else. */

#include <config.h>

#include <string.h>

#include "json.h"
#include "value.h"

#define END 0x01 /* of an array or object: below every tag */

/* Within VALUE_NUMBER and VALUE_DATE; the tags of types are 0x10 apart. */
enum { NEGATIVE, ZERO, POSITIVE };

/* Exponents in between take two bytes; those below nine.  There are none
 * above, since a document holds no number beyond a double. */
#define EXPONENT_MIN (-16000)
#define EXPONENT_BIAS 0x8000

/* ---- numbers ------------------------------------------------------------ */

static void
add_masked (struct buf *out, unsigned byte, unsigned char mask)
{
  buf_add_byte (out, (unsigned char) (byte ^ mask));
}

static void
add_exponent (struct buf *out, int64_t exponent, unsigned char mask)
{
  uint64_t low = (uint64_t) exponent ^ UINT64_C (0x8000000000000000);

  if (exponent >= EXPONENT_MIN) {
    unsigned biased = (unsigned) (exponent + EXPONENT_BIAS);

    add_masked (out, biased >> 8, mask);
    add_masked (out, biased & 0xff, mask);
    return;
  }
  add_masked (out, 0x01, mask);
  for (int shift = 56; shift >= 0; shift -= 8)
    add_masked (out, low >> shift & 0xff, mask);
}

/* Pairs are 1 to 100, so that the 0 at the end is below each. */
static void
add_digits (struct buf *out, struct tally_slice digits, unsigned char mask)
{
  unsigned high = 0;
  bool half = false;

  for (size_t i = 0; i < digits.size; i++) {
    unsigned digit = (unsigned) (digits.data[i] - '0');

    if (digits.data[i] == '.')
      continue;
    if (half)
      add_masked (out, 10 * high + digit + 1, mask);
    high = digit;
    half = !half;
  }
  if (half)
    add_masked (out, 10 * high + 1, mask);
  add_masked (out, 0, mask);
}

static void
add_number (struct buf *out, unsigned tag, struct tally_slice number)
{
  struct tally_slice digits;
  bool negative;
  int64_t exponent;

  json_number_parts (number, &negative, &digits, &exponent);
  if (digits.size == 0) {
    buf_add_byte (out, (unsigned char) (tag + ZERO));
    return;
  }
  buf_add_byte (out, (unsigned char) (tag + (negative ? NEGATIVE : POSITIVE)));
  add_exponent (out, exponent, negative ? 0xff : 0);
  add_digits (out, digits, negative ? 0xff : 0);
}

/* ---- the rest ----------------------------------------------------------- */

/* 0 ends a string; in one, 0 and 1 become two bytes. */
static void
add_bytes (struct buf *out, struct tally_slice text)
{
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char) text.data[i];

    if (c <= 1)
      buf_add_byte (out, 1);
    buf_add_byte (out, c <= 1 ? (unsigned char) (c + 1) : c);
  }
  buf_add_byte (out, 0);
}

/* The raw text of a string, without quotes. */
static void
add_string (struct buf *out, struct tally_slice raw)
{
  struct buf plain = BUF_INIT;

  buf_add_byte (out, VALUEKEY_TAG (VALUE_STRING));
  if (raw.size == 0 || !memchr (raw.data, '\\', raw.size)) {
    if (raw.size > 0)
      buf_add_slice (out, raw);
    buf_add_byte (out, 0);
    return;
  }
  if (json_decode_string (&plain, slice_make (raw.data - 1, raw.size + 2)))
    add_bytes (out, buf_slice (&plain));
  else
    out->failed = out->failed || plain.failed;
  buf_free (&plain);
}

static void
add_array (struct buf *out, struct tally_slice array)
{
  struct tally_slice element;

  while (json_next_element (&array, &element))
    valuekey_add (out, element);
  buf_add_byte (out, END);
}

static void
add_object (struct buf *out, struct tally_slice object)
{
  struct json_member member;

  while (json_next_member (&object, &member)) {
    add_string (out, member.key);
    valuekey_add (out, member.value);
  }
  buf_add_byte (out, END);
}

void
valuekey_add (struct buf *out, struct tally_slice value)
{
  enum value_type type = value_type (value);
  unsigned tag = VALUEKEY_TAG (type);

  switch (type) {
  case VALUE_NUMBER:
    add_number (out, tag, value);
    return;
  case VALUE_DATE:
    add_number (out, tag, value_date (value));
    return;
  case VALUE_STRING:
    add_string (out, slice_make (value.data + 1, value.size - 2));
    return;
  case VALUE_BOOL:
    buf_add_byte (out, (unsigned char) (tag + (value.data[0] == 't')));
    return;
  default:
    buf_add_byte (out, (unsigned char) tag);
  }
  if (type == VALUE_ARRAY)
    add_array (out, value);
  else if (type == VALUE_OBJECT)
    add_object (out, value);
}
