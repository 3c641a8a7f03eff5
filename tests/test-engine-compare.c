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

static unsigned times_broken;

static void
on_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  times_broken += strstr (text, "copied, restored or rolled back") != NULL;
}

static int
set_up (void **state)
{
  static const struct tally_setup setup = { .size = sizeof setup,
                                            .log = on_log };
  struct world *world = calloc (1, sizeof *world);

  assert_non_null (world);
  times_broken = 0;
  world_make (world, NULL);
  world->setup = &setup;
  world_open (world);
  *state = world;
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

/* ---- deletes and conflicts ---------------------------------------------- */

/* A tombstone is no row: what was deleted on either side is still there on the
 * other, and goes. */
static void
test_deletes_are_not_undone (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 50);
  world_sync (w);
  kit_remove (w->d1, "notes", "a001");
  kit_remove (w->d2, "notes", "a002");
  kit_remove (w->d1, "notes", "a003");
  kit_remove (w->d2, "notes", "a003");
  meet (w, &run);
  expect_strategy (&run, "compare");
  kit_expect_figures (&run, "notes", KIT_FIGURES (1, 1, 0, 0, 2));
  kit_expect (w->d2, "notes", "a001", NULL);
  kit_expect (w->d1, "notes", "a002", NULL);
  expect_done (w, 47);
}

static void
test_what_both_changed_is_merged (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  for (unsigned i = 0; i < 20; i++)
    kit_put (w->d1, "notes", "{\"_id\":\"a%u\",\"x\":0,\"y\":0}", i);
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"a1\",\"x\":1,\"y\":0}");
  kit_put (w->d2, "notes", "{\"_id\":\"a1\",\"x\":0,\"y\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"a2\",\"x\":2,\"y\":0}");
  kit_put (w->d1, "notes", "{\"_id\":\"a2\",\"x\":3,\"y\":0}");
  meet (w, &run);
  expect_strategy (&run, "compare");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 2, 1, 0));
  kit_expect (w->d2, "notes", "a1", "\"x\":1,\"y\":1");
  kit_same (w->d1, w->d2);
  expect_done (w, 20);
}

/* What only we have they may have deleted: it would all go. */
static void
test_many_deletes_are_guarded_against (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 300);
  world_sync (w);
  for (unsigned i = 0; i < 200; i++) {
    char id[8];

    snprintf (id, sizeof id, "a%03u", i);
    kit_remove (w->d2, "notes", id);
  }
  kit_try_pair (&run, w->tally, "d1", "d2");
  assert_int_equal (run.status, TALLY_CONFLICT);
  assert_int_equal (kit_count (w->d1, "notes"), 300);
  kit_try_pair (&run, w->tally, "d2", "d1");
  assert_int_equal (run.status, TALLY_CONFLICT);
  assert_int_equal (kit_count (w->d1, "notes"), 300);
}

/* ---- where a list stays ------------------------------------------------- */

static void
test_an_empty_side_takes_all (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 30);
  meet (w, &run);
  expect_strategy (&run, "full");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 30, 0, 0, 0));
  kit_same (w->d1, w->d2);
}

static void
test_one_direction_lists (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 30);
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"a003\",\"v\":1}");
  kit_try_pair_in (&run, w->tally, "d1", "d2", TALLY_PUSH);
  assert_int_equal (run.status, TALLY_OK);
  expect_strategy (&run, "full");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 0));
}

/* ---- looking ------------------------------------------------------------ */

static void
change_at_random (struct world *w, struct rng *rng, unsigned documents,
                  unsigned changes)
{
  for (unsigned i = 0; i < changes; i++) {
    struct tally_replica *site = rng_one_in (rng, 2) ? w->d1 : w->d2;
    unsigned which = rng_below (rng, documents);
    char id[8];

    snprintf (id, sizeof id, "a%03u", which);
    switch (rng_below (rng, 4)) {
    case 0:
      kit_put (site, "notes", "{\"_id\":\"n%03u\",\"v\":%u}", which, i);
      break;
    case 1:
      kit_remove (site, "notes", id);
      break;
    default:
      kit_put (site, "notes", "{\"_id\":\"%s\",\"v\":%u,\"w%u\":1}", id, i,
               rng_below (rng, 3));
    }
  }
}

static void
test_a_dry_run_says_what_comes (void **state)
{
  struct world *w = *state;
  struct rng rng = rng_start ("test-engine-compare");
  struct kit_run seen, run;

  world_fill (w->d1, 'a', 100);
  world_sync (w);
  change_at_random (w, &rng, 100, 1 + rng_below (&rng, 80));
  kit_foresee_pair (&seen, w->tally, "d1", "d2", TALLY_BOTH);
  expect_strategy (&seen, "compare");
  meet (w, &run);
  expect_strategy (&run, "compare");
  kit_expect_foreseen (&seen, &run);
  kit_same (w->d1, w->d2);
}

/* ---- what it costs ------------------------------------------------------ */

static void
name_collection (char name[8], unsigned c)
{
  snprintf (name, 8, "c%u", c);
}

/* The first n documents of each collection: on one side, or half of them on
 * the other. */
static void
write_many (struct world *w, unsigned n, unsigned value, bool halves)
{
  for (unsigned c = 0; c < KIT_ROWS; c++) {
    char name[8];

    name_collection (name, c);
    for (unsigned i = 0; i < n; i++)
      kit_put (halves && i % 2 ? w->d2 : w->d1, name,
               "{\"_id\":\"a%04u\",\"v\":%u}", i, value);
  }
}

static uint64_t
bytes_of (const struct kit_row *row, const char *strategy)
{
  assert_string_equal (row->strategy, strategy);
  assert_int_equal (row->report.pulled, 50);
  assert_int_equal (row->report.pushed, 50);
  return row->report.bytes_sent + row->report.bytes_received;
}

/* 50 changed here and 50 there: what that costs more than with a checkpoint,
 * which is the documents and little else. */
static void
test_a_hundred_differences_are_cheap (void **state)
{
  struct world *w = *state;
  uint64_t bytes = 0, most = 0, trips = 0, documents = 0;
  struct kit_run run, known;

  write_many (w, 1500, 0, false);
  world_sync (w);
  write_many (w, 100, 1, true);
  meet (w, &run);
  write_many (w, 100, 2, true);
  meet (w, &known);
  assert_int_equal (run.n, KIT_ROWS);
  for (unsigned c = 0; c < KIT_ROWS; c++)
    documents += bytes_of (&known.rows[c], "changes") / KIT_ROWS;
  for (unsigned c = 0; c < KIT_ROWS; c++) {
    uint64_t each = bytes_of (&run.rows[c], "compare");

    assert_true (run.rows[c].report.round_trips <= 3);
    assert_true (each > documents);
    bytes += each - documents;
    trips += run.rows[c].report.round_trips;
    most = each - documents > most ? each - documents : most;
  }
  print_message ("%llu bytes on average, %llu at most; %llu round trips\n",
                 (unsigned long long) bytes / KIT_ROWS,
                 (unsigned long long) most, (unsigned long long) trips);
  /* On average of many it is 8,900; eight may be a tenth off. */
  assert_true (bytes / KIT_ROWS <= 11000);
  assert_true (most <= 16000);
  assert_true (trips <= 2 * KIT_ROWS + 2);
}

static void
test_no_difference_is_cheaper (void **state)
{
  struct world *w = *state;
  const struct tally_report *report;
  struct kit_run run;

  world_fill (w->d1, 'a', 900);
  world_sync (w);
  meet (w, &run);
  report = kit_report (&run, "notes");
  print_message ("%llu + %llu bytes\n",
                 (unsigned long long) report->bytes_sent,
                 (unsigned long long) report->bytes_received);
  expect_strategy (&run, "compare");
  assert_int_equal (report->round_trips, 1);
  assert_true (report->bytes_sent + report->bytes_received < 450);
  /* The token came with it: from here on there is a checkpoint. */
  meet (w, &run);
  expect_strategy (&run, "changes");
  assert_int_equal (kit_report (&run, "notes")->round_trips, 1);
}

/* Two that are equal and never met, over a transport. */
static void
make_equal (struct world *w)
{
  struct kit_run run;

  world_fill (w->d1, 'a', 40);
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_OK);
  meet (w, &run);
}

/* Whatever becomes of the exchange that brings the token, the pair is none
 * that was broken: that would cost a comparison and give a new client id. */
static void
test_a_first_exchange_may_be_cut (void **state)
{
  static const enum shim_fault faults[] = { SHIM_CUT, SHIM_LOSE, SHIM_TWICE,
                                            SHIM_SHORT, SHIM_FLIP };
  struct world *w = *state;
  struct kit_run run;

  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    world_tear_down (state);
    set_up (state);
    w = *state;
    make_equal (w);
    shim_fault_at (faults[i], 1, 99);
    kit_try_sync (&run, w->tally, "l2", TALLY_AS_CONFIGURED);
    shim_fault_at (SHIM_NONE, 0, 0);
    kit_try_sync (&run, w->tally, "l2", TALLY_AS_CONFIGURED);
    assert_int_equal (run.status, TALLY_OK);
    kit_put (w->d2, "notes", "{\"_id\":\"one more\"}");
    kit_try_sync (&run, w->tally, "l2", TALLY_AS_CONFIGURED);
    assert_int_equal (run.status, TALLY_OK);
    expect_strategy (&run, "changes");
    kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 0));
    assert_int_equal (times_broken, 0);
  }
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, set_up, world_tear_down)
  const struct CMUnitTest tests[] = {
    TEST (test_equal_stores_move_nothing),
    TEST (test_what_differs_goes_both_ways),
    TEST (test_deletes_are_not_undone),
    TEST (test_what_both_changed_is_merged),
    TEST (test_many_deletes_are_guarded_against),
    TEST (test_an_empty_side_takes_all),
    TEST (test_one_direction_lists),
    TEST (test_a_dry_run_says_what_comes),
    TEST (test_a_hundred_differences_are_cheap),
    TEST (test_no_difference_is_cheaper),
    TEST (test_a_first_exchange_may_be_cut),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
