/* SPDX-License-Identifier: MIT */
/* Times as others write them, and what is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../core/hlc.h"
#include "../core/moment.h"
#include "../core/slice.h"

static void
expect_ms (const char *text, uint64_t want)
{
  uint64_t ms = 0;

  assert_true (moment_read (slice_text (text), &ms));
  assert_int_equal (ms, want);
}

static void
refuse (const char *text)
{
  uint64_t ms;

  assert_false (moment_read (slice_text (text), &ms));
}

static void
test_numbers (void **state)
{
  (void) state;
  expect_ms ("0", 0);
  expect_ms ("1700000002000", UINT64_C (1700000002000));
  expect_ms ("1700000002000.75", UINT64_C (1700000002000));
  expect_ms ("1.7e12", UINT64_C (1700000000000));
  expect_ms ("17000000000000e-1", UINT64_C (1700000000000));
  expect_ms ("1E+3", 1000);
  expect_ms ("0e999", 0);
  expect_ms ("5e-99", 0);
  expect_ms ("{\"$$date\":1700000002000}", UINT64_C (1700000002000));
  expect_ms ("4398046511103", HLC_MS_MAX);
  refuse ("4398046511104");
  refuse ("1e300");
  refuse ("99999999999999999999999999");
  refuse ("-1");
  refuse ("true");
  refuse ("null");
  refuse ("{\"$$date\":\"x\"}");
  refuse ("{\"date\":1}");
  refuse ("[1]");
}

static void
test_iso (void **state)
{
  (void) state;
  expect_ms ("\"1970-01-01T00:00:00.000Z\"", 0);
  expect_ms ("\"1970-01-01T00:00:01Z\"", 1000);
  expect_ms ("\"2023-11-14T22:13:22.000Z\"", UINT64_C (1700000002000));
  expect_ms ("\"2000-02-29T00:00:00.001Z\"", UINT64_C (951782400001));
  expect_ms ("\"2100-03-01T00:00:00.000Z\"", UINT64_C (4107542400000));
  refuse ("\"\"");
  refuse ("\"2023\"");
  refuse ("\"1969-12-31T23:59:59.999Z\"");
  refuse ("\"2023-13-01T00:00:00.000Z\"");
  refuse ("\"2023-00-01T00:00:00.000Z\"");
  refuse ("\"2023-02-30T00:00:00.000Z\"");
  refuse ("\"2023-11-14T24:00:00.000Z\"");
  refuse ("\"2023-11-14T22:13:22.00Z\"");
  refuse ("\"2023-11-14T22:13:22.000+01:00\"");
  refuse ("\"2023-11-14T22:13:22.000Z \"");
  refuse ("\"9999-11-14T22:13:22.000Z\"");
}

/* Every day up to 2109, against the C library. */
static void
test_days (void **state)
{
  char text[40];
  struct tm tm;

  (void) state;
  for (time_t day = 0; day < 50902; day++) {
    time_t second = day * 86400;

    gmtime_r (&second, &tm);
    strftime (text, sizeof text, "\"%Y-%m-%dT%H:%M:%S.000Z\"", &tm);
    expect_ms (text, (uint64_t) second * 1000);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test (test_numbers),
                                      cmocka_unit_test (test_iso),
                                      cmocka_unit_test (test_days) };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
