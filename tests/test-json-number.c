/* SPDX-License-Identifier: MIT */
/* Numbers as texts: what a double can hold, and the exact order, against
 * numbers written out in full. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../core/json.h"

static void
check_range (struct tally_slice number, bool taken)
{
  struct buf b = BUF_INIT;
  int status = json_canonical (&b, number.data, number.size, NULL);

  if (status != (taken ? TALLY_OK : TALLY_INVALID)
      || json_is_canonical (number.data, number.size) != taken)
    fail_msg ("%.*s: not %s", (int) number.size, number.data,
              taken ? "taken" : "refused");
  if (taken)
    assert_true (slice_equal (buf_slice (&b), number));
  buf_free (&b);
}

/* The greatest double is 2^1024 - 2^971; what is at or above 2^1024 - 2^970
 * rounds to infinity. */
static void
test_number_range (void **state)
{
  static const char limit[] =
      "17976931348623158079372897140530341507993413271003"
      "78269361737789804449682927647509466490179775872070"
      "96330286416692887910946555547851940402630657488671"
      "50582068190890200070838367627385484581771153176447"
      "57302700698555713669596228429148198608349364752927"
      "19074168444365510704342711559699508093042880177904"
      "174497792";
  static const char *const taken[] = {
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "1.79769313486231580e+308",
    "0e999999",
    "-0.000e99999999999999999999",
    "1e-9999",
    "1e-99999999999999999999999",
    "0.0001e312",
    "1000e305",
    "17.976931348623157E0307",
    "0e0",
    "0.0e-0",
  };
  static const char *const refused[] = {
    "1.8e308",
    "1e309",
    "-1.8e308",
    "1.7976931348623159e308",
    "10e308",
    "0.1e310",
    "1e99999999999999999999999",
    "0.00001e314",
    "179769.31348623159e303",
    "0.0000000000000000000001e331",
  };
  struct buf b = BUF_INIT;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof taken / sizeof *taken; i++)
    check_range (slice_text (taken[i]), true);
  for (i = 0; i < sizeof refused / sizeof *refused; i++)
    check_range (slice_text (refused[i]), false);

  check_range (slice_text (limit), false);
  buf_addf (&b, "%.*s1", (int) sizeof limit - 2, limit);
  check_range (buf_slice (&b), true);
  buf_addf (&b, ".%0400d", 0);
  check_range (buf_slice (&b), true);
  buf_clear (&b);
  buf_addf (&b, "%.*s1.%0400de0", (int) sizeof limit - 2, limit, 0);
  memset (b.data + sizeof limit, '9', 400);
  check_range (buf_slice (&b), true);
  buf_clear (&b);
  buf_addf (&b, "0.%0400d%se709", 0, limit);
  check_range (buf_slice (&b), false);
  b.data[b.size - 1] = '8';
  check_range (buf_slice (&b), true);
  buf_free (&b);
}

static void
check_order (const char *a, const char *b, int order)
{
  if (json_number_cmp (slice_text (a), slice_text (b)) != order
      || json_number_cmp (slice_text (b), slice_text (a)) != -order)
    fail_msg ("%s against %s is not %d", a, b, order);
}

static void
test_number_cmp (void **state)
{
  (void) state;
  check_order ("9007199254740993", "9007199254740992", 1);
  check_order ("0.1000000000000000055511151231257827", "0.1", 1);
  check_order ("1.0", "1e0", 0);
  check_order ("1e0", "10e-1", 0);
  check_order ("10E-1", "0.00001e+5", 0);
  check_order ("0", "-0", 0);
  check_order ("0e99999999999999999999", "-0.000", 0);
  check_order ("-1", "0", -1);
  check_order ("-2", "-1", -1);
  check_order ("-1e-400", "1e-400", -1);
  check_order ("1e-400", "0", 1);
  check_order ("2", "10", -1);
  check_order ("0.9", "0.10", 1);
  check_order ("12e1", "119.999", 1);
  check_order ("1e-100000000000000000000", "1e-99999999999999999999", -1);
  check_order ("1e-100000000000000000000", "10e-100000000000000000001", 0);
  check_order ("1e-0000000000000000000000002", "0.01", 0);
  check_order ("1e-400000000000000001", "1e-400000000000000002", 1);
}

/* A decimal as 40 digits before and 40 behind the point. */
static void
fixed_point (char *digits, const char *number)
{
  const char *mantissa = number + (*number == '-');
  size_t whole = strcspn (mantissa, ".eE"), count = strcspn (mantissa, "eE");
  long exponent =
      mantissa[count] ? strtol (mantissa + count + 1, NULL, 10) : 0;
  long place = 40 - (long) whole - exponent;
  size_t i;

  memset (digits, '0', 80);
  digits[80] = 0;
  for (i = 0; i < count; i++)
    if (mantissa[i] != '.') {
      if (mantissa[i] != '0') {
        assert_in_range (place, 0, 79);
        digits[place] = mantissa[i];
      }
      place++;
    }
}

static void
random_number (char *out, size_t size, unsigned *seed)
{
  struct buf b = BUF_INIT;
  unsigned i, n;

  *seed = *seed * 1103515245 + 12345;
  n = *seed >> 16 & 0xff;
  if (n & 1)
    buf_add_byte (&b, '-');
  /* few digits, so that many numbers are equal or nearly so */
  buf_addf (&b, "%u", n >> 1 & 3 ? n >> 3 & 1 : (*seed >> 8) % 300);
  if (n & 16)
    for (i = 0, buf_add_byte (&b, '.'); i <= (n >> 5 & 3); i++)
      buf_add_byte (&b, (unsigned char) ('0' + (*seed >> (9 + i) & 1)));
  if (n & 128)
    buf_addf (&b, "e%d", (int) (*seed >> 24) % 5 - 2);
  buf_add_byte (&b, 0);
  assert_true (!b.failed && b.size <= size);
  memcpy (out, b.data, b.size);
  buf_free (&b);
}

static int
sign_of (const char *number, const char *digits)
{
  if (strspn (digits, "0") == 80)
    return 0;
  return *number == '-' ? -1 : 1;
}

static void
test_number_cmp_random (void **state)
{
  char a[32], b[32], x[81], y[81];
  unsigned seed = 7, i, equal = 0;

  (void) state;
  for (i = 0; i < 200000; i++) {
    int order, sign;

    random_number (a, sizeof a, &seed);
    random_number (b, sizeof b, &seed);
    fixed_point (x, a);
    fixed_point (y, b);
    sign = sign_of (a, x);
    order = sign * strcmp (x, y);
    if (sign != sign_of (b, y))
      order = sign - sign_of (b, y);
    order = (order > 0) - (order < 0);
    check_order (a, b, order);
    equal += order == 0;
  }
  assert_in_range (equal, 1000, 150000);
}

/* Seventeen digits tell any two doubles apart, so that the order of the
 * texts is that of the doubles. */
static void
test_number_cmp_against_double (void **state)
{
  uint64_t seed = 1;
  int i;

  (void) state;
  for (i = 0; i < 100000; i++) {
    char a[64], b[64];
    double x, y;

    seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407u;
    x = (double) (int64_t) (seed >> 8) / (double) (1 + (seed >> 50));
    y = seed & 1 ? x * 1.0000000000000002 : -x;
    snprintf (a, sizeof a, "%.17g", x);
    snprintf (b, sizeof b, "%.20e", y);
    if (x == y)
      continue;
    check_order (a, b, x < y ? -1 : 1);
    snprintf (b, sizeof b, "%.16e", x);
    check_order (a, b, 0);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_number_range),
    cmocka_unit_test (test_number_cmp),
    cmocka_unit_test (test_number_cmp_random),
    cmocka_unit_test (test_number_cmp_against_double),
  };

  return cmocka_run_group_tests_name ("json-number", tests, NULL, NULL);
}
