/* SPDX-License-Identifier: MIT */
/* Schoolbook arithmetic on decimal digits, least first. */

#include <config.h>

#include <string.h>

#include "decimal.h"
#include "json.h"

/* Room for a product, and for a sum's carry. */
#define ROOM (DECIMAL_DIGITS_MAX + 2)

/* Digits times ten to the power of scale. */
struct decimal {
  bool negative;
  int64_t scale;
  size_t n; /* no zero at its end; 0: zero */
  unsigned char digits[ROOM];
};

static bool
read_number (struct decimal *out, struct tally_slice number)
{
  struct tally_slice digits;
  int64_t exponent;

  json_number_parts (number, &out->negative, &digits, &exponent);
  out->n = 0;
  for (size_t i = digits.size; i-- > 0;) {
    if (digits.data[i] == '.')
      continue;
    if (out->n == DECIMAL_DIGITS_MAX)
      return false;
    out->digits[out->n++] = (unsigned char) (digits.data[i] - '0');
  }
  out->scale = out->n > 0 ? exponent - (int64_t) out->n : 0;
  return true;
}

static void
trim (struct decimal *d)
{
  while (d->n > 0 && d->digits[d->n - 1] == 0)
    d->n--;
  if (d->n == 0) {
    d->scale = 0;
    d->negative = false;
  }
}

/* Writes zeros below the digits until the scale is as small as this. */
static bool
lower (struct decimal *d, int64_t scale)
{
  uint64_t by;

  if (d->n == 0) {
    d->scale = scale;
    return true;
  }
  by = (uint64_t) (d->scale - scale);
  if (by > DECIMAL_DIGITS_MAX || by + d->n > DECIMAL_DIGITS_MAX)
    return false;
  memmove (d->digits + by, d->digits, d->n);
  memset (d->digits, 0, (size_t) by);
  d->n += (size_t) by;
  d->scale = scale;
  return true;
}

static int
magnitude_cmp (const struct decimal *a, const struct decimal *b)
{
  if (a->n != b->n)
    return a->n < b->n ? -1 : 1;
  for (size_t i = a->n; i-- > 0;)
    if (a->digits[i] != b->digits[i])
      return a->digits[i] < b->digits[i] ? -1 : 1;
  return 0;
}

/* Into a, which is the greater one when they are subtracted. */
static void
combine (struct decimal *a, const struct decimal *b, bool subtract)
{
  int carry = 0;
  size_t i;

  for (i = 0; i < a->n || i < b->n || carry > 0; i++) {
    int x = i < a->n ? a->digits[i] : 0;
    int y = i < b->n ? b->digits[i] : 0;
    int sum = subtract ? x - y - carry : x + y + carry;

    carry = subtract ? sum < 0 : sum > 9;
    if (carry)
      sum += subtract ? 10 : -10;
    a->digits[i] = (unsigned char) sum;
  }
  a->n = i > a->n ? i : a->n;
  trim (a);
}

/* ---- writing ------------------------------------------------------------ */

static void
write_digits (const struct decimal *d, struct buf *out, size_t from, size_t to)
{
  for (size_t i = from; i-- > to;)
    buf_add_byte (out, (unsigned char) ('0' + d->digits[i]));
}

/* Plain where that is not much longer than with an exponent. */
static bool
write_number (struct decimal *d, struct buf *out)
{
  size_t low = 0, whole;

  trim (d);
  while (low < d->n && d->digits[low] == 0)
    low++;
  if (d->negative)
    buf_add_byte (out, '-');
  if (d->n == 0)
    buf_add_byte (out, '0');
  else if (d->scale >= 0 && d->scale <= 30) {
    write_digits (d, out, d->n, 0);
    for (int64_t i = 0; i < d->scale; i++)
      buf_add_byte (out, '0');
  } else if (d->scale < 0 && -d->scale <= (int64_t) d->n + 6) {
    size_t places = (size_t) -d->scale;

    whole = d->n > places ? d->n - places : 0;
    if (whole == 0)
      buf_add_byte (out, '0');
    write_digits (d, out, d->n, d->n - whole);
    if (low < places) {
      buf_add_byte (out, '.');
      for (size_t i = places; i > d->n; i--)
        buf_add_byte (out, '0');
      write_digits (d, out, d->n - whole, low);
    }
  } else {
    write_digits (d, out, d->n, d->n - 1);
    if (low + 1 < d->n) {
      buf_add_byte (out, '.');
      write_digits (d, out, d->n - 1, low);
    }
    buf_addf (out, "e%lld", (long long) (d->scale + (int64_t) d->n - 1));
  }
  return !out->failed;
}

bool
decimal_add (struct buf *out, struct tally_slice a, struct tally_slice b)
{
  struct decimal x, y;
  struct decimal *greater = &x, *less = &y;

  if (!read_number (&x, a) || !read_number (&y, b))
    return false;
  if (x.n == 0)
    x.scale = y.scale;
  if (y.n == 0)
    y.scale = x.scale;
  if (x.scale > y.scale ? !lower (&x, y.scale) : !lower (&y, x.scale))
    return false;
  if (magnitude_cmp (&x, &y) < 0) {
    greater = &y;
    less = &x;
  }
  combine (greater, less, x.negative != y.negative);
  return write_number (greater, out);
}

bool
decimal_multiply (struct buf *out, struct tally_slice a, struct tally_slice b)
{
  struct decimal x, y, product = { 0 };

  if (!read_number (&x, a) || !read_number (&y, b)
      || x.n + y.n > DECIMAL_DIGITS_MAX)
    return false;
  for (size_t i = 0; i < x.n; i++) {
    unsigned carry = 0;

    for (size_t j = 0; j < y.n || carry > 0; j++) {
      unsigned sum = product.digits[i + j] + carry
                     + (j < y.n ? (unsigned) x.digits[i] * y.digits[j] : 0u);

      product.digits[i + j] = (unsigned char) (sum % 10);
      carry = sum / 10;
    }
  }
  product.n = x.n + y.n;
  product.scale = x.scale + y.scale;
  product.negative = x.negative != y.negative;
  return write_number (&product, out);
}
