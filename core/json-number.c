/* SPDX-License-Identifier: MIT */
/* JSON numbers as the digits they are written with.  Nothing is converted:
 * strtod would depend on the locale, and a double would make 9007199254740993
 * equal to 9007199254740992.  A number is taken as 0.DIGITS times ten to the
 * power of `point` plus the written exponent, with no zero in front. */

#include <stdint.h>

#include "json-scan.h"
#include "json.h"

/* The least number that rounds to infinity: the greatest double and half of
 * its last place, 2^1024 - 2^970. */
static const char double_limit[] =
    "17976931348623158079372897140530341507993413271003"
    "78269361737789804449682927647509466490179775872070"
    "96330286416692887910946555547851940402630657488671"
    "50582068190890200070838367627385484581771153176447"
    "57302700698555713669596228429148198608349364752927"
    "19074168444365510704342711559699508093042880177904"
    "174497792";

#define DOUBLE_LIMIT_DIGITS ((int64_t) sizeof double_limit - 1)

/* Differences of exponents beyond this are as good as infinite: no number
 * has so many digits that its point could make up for it. */
#define EXPONENT_LIMIT (INT64_C (400000000000000000))

struct decimal {
  bool negative;
  bool exponent_negative;
  struct tally_slice digits;   /* may have the point in it; zero: empty */
  struct tally_slice exponent; /* without a sign */
  int64_t point;
};

static const char *
skip_digits (const char *p, const char *end)
{
  while (p < end && *p >= '0' && *p <= '9')
    p++;
  return p;
}

const char *
json_number_end (const char *p, const char *end)
{
  const char *digits;

  if (p < end && *p == '-')
    p++;
  digits = p;
  p = skip_digits (p, end);
  if (p == digits)
    return NULL;
  if (*digits == '0')
    p = digits + 1;

  if (p < end && *p == '.') {
    digits = ++p;
    p = skip_digits (p, end);
    if (p == digits)
      return NULL;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '+' || *p == '-'))
      p++;
    digits = p;
    p = skip_digits (p, end);
    if (p == digits)
      return NULL;
  }
  return p;
}

static void
parse_mantissa (struct decimal *d, const char *p, const char *end)
{
  const char *point = skip_digits (p, end);
  const char *last = point;

  if (point < end && *point == '.')
    last = skip_digits (point + 1, end);
  while (p < last && (*p == '0' || *p == '.'))
    p++;
  d->digits = slice_make (p, (size_t) (last - p));
  d->point = p <= point ? point - p : point + 1 - p;
}

static struct decimal
parse_decimal (const char *p, const char *end)
{
  struct decimal d = { 0 };

  if (p < end && *p == '-') {
    d.negative = true;
    p++;
  }
  parse_mantissa (&d, p, end);

  p = d.digits.data + d.digits.size;
  if (p < end && (*p == 'e' || *p == 'E'))
    p++;
  if (p < end && (*p == '+' || *p == '-')) {
    d.exponent_negative = *p == '-';
    p++;
  }
  d.exponent = slice_make (p, (size_t) (skip_digits (p, end) - p));
  return d;
}

/* The digit of an exponent that counts 10^place, with the exponent's sign. */
static int64_t
exponent_digit (const struct decimal *d, size_t place)
{
  int digit;

  if (place >= d->exponent.size)
    return 0;
  digit = d->exponent.data[d->exponent.size - 1 - place] - '0';
  return d->exponent_negative ? -digit : digit;
}

/* Exponents may have any number of digits themselves.  From the greatest
 * place down: once the difference is beyond the limit, what is still to come
 * cannot bring it back. */
static int64_t
scale_difference (const struct decimal *a, const struct decimal *b)
{
  size_t place = a->exponent.size > b->exponent.size ? a->exponent.size
                                                     : b->exponent.size;
  int64_t difference = 0;

  while (place-- > 0) {
    difference = 10 * difference + exponent_digit (a, place)
                 - exponent_digit (b, place);
    if (difference > EXPONENT_LIMIT || difference < -EXPONENT_LIMIT)
      break;
  }
  return difference + (a->point - b->point);
}

/* The next digit; zeros without end after the last. */
static char
next_digit (struct tally_slice *digits)
{
  char digit;

  if (digits->size > 0 && *digits->data == '.')
    *digits = slice_make (digits->data + 1, digits->size - 1);
  if (digits->size == 0)
    return '0';
  digit = *digits->data;
  *digits = slice_make (digits->data + 1, digits->size - 1);
  return digit;
}

static int
cmp_digits (struct tally_slice a, struct tally_slice b)
{
  while (a.size > 0 || b.size > 0) {
    char x = next_digit (&a), y = next_digit (&b);

    if (x != y)
      return x < y ? -1 : 1;
  }
  return 0;
}

static int
cmp_magnitude (const struct decimal *a, const struct decimal *b)
{
  int64_t scale;

  if (a->digits.size == 0 || b->digits.size == 0)
    return (a->digits.size > 0) - (b->digits.size > 0);
  scale = scale_difference (a, b);
  if (scale != 0)
    return scale < 0 ? -1 : 1;
  return cmp_digits (a->digits, b->digits);
}

bool
json_number_in_range (const char *p, const char *end)
{
  struct decimal number;
  struct decimal limit = { 0 };

  number = parse_decimal (p, end);
  if (number.exponent.size == 0 && number.point < DOUBLE_LIMIT_DIGITS)
    return true;
  limit.digits = slice_make (double_limit, sizeof double_limit - 1);
  limit.point = DOUBLE_LIMIT_DIGITS;
  return cmp_magnitude (&number, &limit) < 0;
}

int
json_number_cmp (struct tally_slice a, struct tally_slice b)
{
  struct decimal x = parse_decimal (a.data, slice_end (a));
  struct decimal y = parse_decimal (b.data, slice_end (b));
  bool x_negative = x.negative && x.digits.size > 0;
  bool y_negative = y.negative && y.digits.size > 0;

  if (x_negative != y_negative)
    return x_negative ? -1 : 1;
  return x_negative ? cmp_magnitude (&y, &x) : cmp_magnitude (&x, &y);
}

/* A written exponent is cut off where none that follows could matter. */
static int64_t
written_exponent (const struct decimal *d)
{
  int64_t exponent = 0;

  for (size_t place = d->exponent.size; place-- > 0;) {
    exponent = 10 * exponent + exponent_digit (d, place);
    if (exponent > EXPONENT_LIMIT)
      return EXPONENT_LIMIT;
    if (exponent < -EXPONENT_LIMIT)
      return -EXPONENT_LIMIT;
  }
  return exponent;
}

void
json_number_parts (struct tally_slice number, bool *negative,
                   struct tally_slice *digits, int64_t *exponent)
{
  struct decimal d = parse_decimal (number.data, slice_end (number));

  while (d.digits.size > 0
         && (d.digits.data[d.digits.size - 1] == '0'
             || d.digits.data[d.digits.size - 1] == '.'))
    d.digits.size--;
  *negative = d.negative && d.digits.size > 0;
  *digits = d.digits;
  *exponent = d.digits.size > 0 ? written_exponent (&d) + d.point : 0;
}
