/* SPDX-License-Identifier: MIT */
/* When a watched link runs: what is due after which events, without a
 * clock. */

#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "rng.h"
#include "../core/watch-plan.h"

#define T 1000000

/* A plan whose first run ended well at T. */
static struct watch_plan
after_a_run (uint64_t interval_ms)
{
  struct watch_plan plan = { .interval_ms = interval_ms };

  watch_plan_begin (&plan);
  watch_plan_end (&plan, TALLY_OK, 1, T, 0);
  return plan;
}

static void
run (struct watch_plan *plan, int status, uint64_t moved, uint64_t now_ms,
     uint64_t random)
{
  watch_plan_begin (plan);
  watch_plan_end (plan, status, moved, now_ms, random);
}

static void
assert_due (const struct watch_plan *plan, uint64_t due_ms)
{
  assert_true (watch_plan_due (plan) == due_ms);
}

static void
test_first_run_is_due_at_once (void **state)
{
  struct watch_plan plan = { .interval_ms = 30000 };

  (void) state;
  assert_due (&plan, 0);
  watch_plan_begin (&plan);
  assert_due (&plan, WATCH_NEVER);
}

static void
test_interval (void **state)
{
  struct watch_plan plan = after_a_run (30000);

  (void) state;
  assert_due (&plan, T + 30000);
  run (&plan, TALLY_OK, 0, T + 40000, 0);
  assert_due (&plan, T + 70000);
  plan = after_a_run (0);
  assert_due (&plan, WATCH_NEVER);
}

static void
test_writes_are_gathered (void **state)
{
  struct watch_plan plan = after_a_run (0);
  uint64_t at = T;

  (void) state;
  watch_plan_event (&plan, WATCH_WRITE, at);
  assert_due (&plan, T + WATCH_QUIET_MS);
  watch_plan_event (&plan, WATCH_WRITE, at += 150);
  assert_due (&plan, T + 150 + WATCH_QUIET_MS);
  /* But not for ever. */
  for (; at < T + WATCH_GATHER_MS; at += 150)
    watch_plan_event (&plan, WATCH_WRITE, at);
  assert_due (&plan, T + WATCH_GATHER_MS);
  run (&plan, TALLY_OK, 3, at, 0);
  assert_due (&plan, WATCH_NEVER);
}

static void
test_a_far_change_hardly_waits (void **state)
{
  struct watch_plan plan = after_a_run (30000);

  (void) state;
  watch_plan_event (&plan, WATCH_FAR, T + 5);
  assert_due (&plan, T + 5 + WATCH_FAR_MS);
}

static void
test_an_event_during_a_run_brings_another (void **state)
{
  struct watch_plan plan = after_a_run (0);

  (void) state;
  watch_plan_begin (&plan);
  watch_plan_event (&plan, WATCH_WRITE, T + 10);
  assert_due (&plan, WATCH_NEVER);
  watch_plan_end (&plan, TALLY_OK, 1, T + 500, 0);
  assert_due (&plan, T + 500 + WATCH_QUIET_MS);
  run (&plan, TALLY_OK, 1, T + 800, 0);
  assert_due (&plan, WATCH_NEVER);
}

/* The timer does not come after a run that an event brought. */
static void
test_a_run_takes_timer_and_event (void **state)
{
  struct watch_plan plan = after_a_run (1000);

  (void) state;
  watch_plan_event (&plan, WATCH_WRITE, T + 900);
  assert_due (&plan, T + 1000);
  run (&plan, TALLY_OK, 1, T + 1000, 0);
  assert_due (&plan, T + 2000);
}

static void
test_backoff_doubles_up_to_a_limit (void **state)
{
  (void) state;
  for (unsigned n = 1; n < 40; n++) {
    uint64_t ceiling = n > 7 ? WATCH_BACKOFF_MAX_MS : WATCH_BACKOFF_MS;

    for (unsigned i = 1; i < n && n <= 7; i++)
      ceiling *= 2;
    assert_true (watch_backoff_ms (n, 0) == ceiling / 2);
    assert_true (watch_backoff_ms (n, ceiling / 2) == ceiling);
  }
}

static void
test_backoff_is_spread (void **state)
{
  struct rng rng = { 7 };
  uint64_t low = UINT64_MAX, high = 0;

  (void) state;
  for (int i = 0; i < 1000; i++) {
    uint64_t wait = watch_backoff_ms (5, rng_next (&rng));

    low = wait < low ? wait : low;
    high = wait > high ? wait : high;
    assert_in_range (wait, WATCH_BACKOFF_MS * 8, WATCH_BACKOFF_MS * 16);
  }
  assert_true (high - low > WATCH_BACKOFF_MS * 7);
}

static void
test_failures_back_off_and_heal (void **state)
{
  static const int statuses[] = { TALLY_AGAIN, TALLY_FAILED, TALLY_NOTFOUND };
  uint64_t now = T;

  (void) state;
  for (size_t s = 0; s < sizeof statuses / sizeof *statuses; s++) {
    struct watch_plan plan = after_a_run (10);

    for (unsigned n = 1; n < 12; n++) {
      run (&plan, statuses[s], 0, now, 17 * n);
      assert_due (&plan, now + watch_backoff_ms (n, 17 * n));
      now = watch_plan_due (&plan);
    }
    run (&plan, TALLY_OK, 0, now, 0);
    assert_due (&plan, now + 10);
    run (&plan, TALLY_AGAIN, 0, now, 3);
    assert_due (&plan, now + watch_backoff_ms (1, 3));
  }
}

static void
test_a_change_hastens_a_failing_link_a_little (void **state)
{
  struct watch_plan plan = after_a_run (0);
  struct rng rng = { 3 };

  (void) state;
  for (unsigned n = 1; n < 30; n++) {
    uint64_t now = T + n * 100000, timer, due;

    run (&plan, TALLY_AGAIN, 0, now, rng_next (&rng));
    timer = watch_plan_due (&plan);
    watch_plan_event (&plan, WATCH_WRITE, now + 1);
    due = watch_plan_due (&plan);
    assert_true (due <= timer);
    assert_true (due <= now + WATCH_EAGER_MS);
    if (timer > now + WATCH_EAGER_MS)
      assert_true (due >= now + WATCH_EAGER_MS / 2);
    else
      assert_true (due >= now + WATCH_QUIET_MS);
  }
}

/* A document that is set aside: no hurry, and no standstill. */
static void
test_a_bad_document_is_no_failure (void **state)
{
  struct watch_plan plan = after_a_run (0);

  (void) state;
  run (&plan, TALLY_INVALID, 2, T, 1);
  assert_due (&plan, WATCH_NEVER);
  assert_false (watch_is_hopeless (TALLY_INVALID, true));
  watch_plan_event (&plan, WATCH_WRITE, T + 5);
  assert_due (&plan, T + 5 + WATCH_QUIET_MS);
  plan = after_a_run (1000);
  run (&plan, TALLY_INVALID, 2, T, 1);
  assert_due (&plan, T + 1000);
}

/* Told again and again of changes that no run finds. */
static void
test_vain_events_count_less_and_less (void **state)
{
  struct watch_plan plan = after_a_run (0);
  uint64_t now = T, wait = 0;

  (void) state;
  for (int i = 0; i < 20; i++) {
    uint64_t told = now;

    watch_plan_event (&plan, WATCH_FAR, told);
    now = watch_plan_due (&plan);
    assert_true (now - told >= wait);
    if (i < 9)
      wait = now - told;
    run (&plan, TALLY_OK, 0, now, 0);
  }
  assert_true (wait > 10000);
  watch_plan_event (&plan, WATCH_FAR, now);
  now = watch_plan_due (&plan);
  run (&plan, TALLY_OK, 1, now, 0);
  watch_plan_event (&plan, WATCH_FAR, now);
  assert_due (&plan, now + WATCH_FAR_MS);
}

static void
test_a_deaf_link_polls (void **state)
{
  struct watch_plan plan = after_a_run (0);

  (void) state;
  watch_plan_deaf (&plan, true);
  assert_due (&plan, T + WATCH_POLL_MS);
  watch_plan_deaf (&plan, false);
  assert_due (&plan, WATCH_NEVER);
  plan = after_a_run (5000);
  watch_plan_deaf (&plan, true);
  assert_due (&plan, T + 5000);
  /* The next try stays where it is. */
  plan = after_a_run (0);
  run (&plan, TALLY_AGAIN, 0, T, 0);
  watch_plan_deaf (&plan, true);
  assert_due (&plan, T + watch_backoff_ms (1, 0));
}

static void
test_what_does_not_heal (void **state)
{
  static const int never[] = { TALLY_DENIED, TALLY_UNSUPPORTED, TALLY_CORRUPT,
                               TALLY_CONFIG, TALLY_CONFLICT,    TALLY_USAGE };
  static const int later[] = { TALLY_OK, TALLY_AGAIN, TALLY_FAILED,
                               TALLY_CANCELLED };

  (void) state;
  for (size_t i = 0; i < sizeof never / sizeof *never; i++)
    assert_true (watch_is_hopeless (never[i], true));
  for (size_t i = 0; i < sizeof later / sizeof *later; i++)
    assert_false (watch_is_hopeless (later[i], false));
  assert_true (watch_is_hopeless (TALLY_NOTFOUND, false));
  assert_false (watch_is_hopeless (TALLY_NOTFOUND, true));
  assert_true (watch_is_hopeless (TALLY_INVALID, false));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_first_run_is_due_at_once),
    cmocka_unit_test (test_interval),
    cmocka_unit_test (test_writes_are_gathered),
    cmocka_unit_test (test_a_far_change_hardly_waits),
    cmocka_unit_test (test_an_event_during_a_run_brings_another),
    cmocka_unit_test (test_a_run_takes_timer_and_event),
    cmocka_unit_test (test_backoff_doubles_up_to_a_limit),
    cmocka_unit_test (test_backoff_is_spread),
    cmocka_unit_test (test_failures_back_off_and_heal),
    cmocka_unit_test (test_a_change_hastens_a_failing_link_a_little),
    cmocka_unit_test (test_a_bad_document_is_no_failure),
    cmocka_unit_test (test_vain_events_count_less_and_less),
    cmocka_unit_test (test_a_deaf_link_polls),
    cmocka_unit_test (test_what_does_not_heal),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
