/* SPDX-License-Identifier: MIT */
/* Two stores that never met, or lost their checkpoint: what differs is found
 * by comparing, and comes out as it would from a list of everything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "sync-world.h"

static int
set_up (void **state)
{
  struct world *world = calloc (1, sizeof *world);

  assert_non_null (world);
  world_make (world, NULL);
  world_open (world);
  *state = world;
  return 0;
}

static int
tear_down (void **state)
{
  world_remove (*state);
  free (*state);
  return 0;
}

/* The two devices, which have all from the hub, and never met. */
static void
meet (struct world *w, struct kit_run *run)
{
  kit_try_pair (run, w->tally, "d1", "d2");
  assert_int_equal (run->status, TALLY_OK);
}

static void
expect_strategy (const struct kit_run *run, const char *strategy)
{
  assert_string_equal (kit_report (run, "notes")->strategy, strategy);
}

/* Another run finds nothing, and both have as much. */
static void
expect_done (struct world *w, uint64_t documents)
{
  struct kit_run run;

  meet (w, &run);
  kit_expect_nothing (&run, 2);
  expect_strategy (&run, "changes");
  kit_same (w->d1, w->d2);
  kit_verify (w->tally, "d1", "d2", documents);
}

static void
test_equal_stores_move_nothing (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 300);
  world_sync (w);
  meet (w, &run);
  expect_strategy (&run, "compare");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 0, 0, 0));
  expect_done (w, 300);
}

static void
test_what_differs_goes_both_ways (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 500);
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"a003\",\"v\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"a004\",\"v\":2}");
  kit_put (w->d1, "notes", "{\"_id\":\"n1\",\"v\":3}");
  kit_put (w->d2, "notes", "{\"_id\":\"n2\",\"v\":4}");
  meet (w, &run);
  expect_strategy (&run, "compare");
  kit_expect_figures (&run, "notes", KIT_FIGURES (2, 2, 0, 0, 0));
  print_message (
      "%llu round trips, %llu bytes\n",
      (unsigned long long) kit_report (&run, "notes")->round_trips,
      (unsigned long long) (kit_report (&run, "notes")->bytes_sent
                            + kit_report (&run, "notes")->bytes_received));
  kit_expect (w->d2, "notes", "a003", "\"v\":1");
  kit_expect (w->d1, "notes", "a004", "\"v\":2");
  expect_done (w, 502);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_equal_stores_move_nothing, set_up,
                                     tear_down),
    cmocka_unit_test_setup_teardown (test_what_differs_goes_both_ways, set_up,
                                     tear_down),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
