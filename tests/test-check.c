/* SPDX-License-Identifier: MIT */
/* tally_check when the far side's clock is off: a far side that says it is
 * any time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/timesource.h"
#include "../core/wire.h"
#include "sync-kit.h"

/* ---- a far side --------------------------------------------------------- */

/* What it takes the time to be, beside ours. */
static int64_t skew_ms;

static int
late_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  (void) host;
  (void) values;
  (void) flags;
  (void) err;
  *handle = &skew_ms;
  return TALLY_OK;
}

static void
late_close (void *handle)
{
  (void) handle;
}

static int
late_exchange (void *handle, const struct tally_request *request,
               tally_emit_response *emit, void *ctx,
               struct tally_traffic *traffic, struct tally_error *err)
{
  static const unsigned char self[REPLICA_ID_SIZE] = { 1 };
  struct wire_message message = { .type = WIRE_WELCOME };
  struct tally_response response = { .size = sizeof response };
  struct buf frame = BUF_INIT;

  (void) handle;
  (void) request;
  (void) traffic;
  (void) err;
  message.as.welcome.wall_ms =
      (uint64_t) ((int64_t) system_time.wall_ms (NULL) + skew_ms);
  wire_start (&frame, self);
  wire_encode (&frame, &message);
  wire_seal (&frame);
  assert_false (frame.failed);
  response.code = 200;
  response.content_type = WIRE_CONTENT_TYPE;
  response.body = buf_slice (&frame);
  emit (ctx, &response);
  buf_free (&frame);
  return TALLY_OK;
}

static const struct tally_transport late_transport = {
  TALLY_TRANSPORT_INIT,
  .open = late_open,
  .close = late_close,
  .exchange = late_exchange,
};

static const struct tally_driver late_driver = {
  TALLY_DRIVER_INIT,
  .name = "late",
  .summary = "somebody with a clock of its own",
  .transport = &late_transport,
};

/* ---- looking ------------------------------------------------------------ */

static char said[512];

static int
keep_row (void *ctx, const struct tally_check_row *row)
{
  struct tally_check_row *kept = ctx;

  assert_string_equal (row->section, "transport far");
  *kept = *row;
  snprintf (said, sizeof said, "%s", row->error ? row->error : "");
  return 0;
}

/* What is said with the far clock so far off; nothing: all is well. */
static void
check (int64_t off_ms, const char *expected)
{
  struct tally *tally = kit_context (NULL, "[tally]\nmax_skew = 5m\n"
                                           "[transport far]\ndriver = late\n");
  struct tally_check_row row = { 0 };
  struct tally_error err;

  assert_int_equal (tally_registry_add (tally, &late_driver, NULL), TALLY_OK);
  skew_ms = off_ms;
  said[0] = '\0';
  assert_int_equal (tally_check (tally, keep_row, &row, &err),
                    expected[0] ? TALLY_AGAIN : TALLY_OK);
  assert_int_equal (row.ok, expected[0] == '\0');
  assert_true (row.has_skew);
  assert_true (llabs ((long long) (row.skew_ms - off_ms)) < 10000);
  assert_string_equal (said, expected);
  tally_free (tally);
}

static void
test_skew_is_told (void **state)
{
  (void) state;
  check (0, "");
  check (200000, "");
  check (-200000, "");
  check (3600500 * 10, "transport far: its clock is 10 h ahead of ours; set "
                       "the one that is wrong");
  check (-3600500 * 10, "transport far: its clock is 10 h behind ours; set "
                        "the one that is wrong");
  check (INT64_C (86410000) * 365, "transport far: its clock is 365 days "
                                   "ahead of ours; set the one that is wrong");
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_skew_is_told),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
