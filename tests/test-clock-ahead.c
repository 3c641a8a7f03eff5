/* SPDX-License-Identifier: MIT */
/* One device whose clock is a year ahead, or behind: what is held back and
 * told, and what comes over once it is right. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/context.h"
#include "../core/graves.h"
#include "clock-world.h"

/* ---- one clock ahead ---------------------------------------------------- */

/* It is told so, by name, on both sides; its other documents sync; and after
 * its clock is right one run brings everything over. */
static void
test_a_year_ahead (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;
  struct clock_found found;
  struct kit_run run;

  clock_put (f, w->d1, "old", 'v', 0);
  clock_put (f, w->d2, "other", 'v', 0);
  clock_good (f, "l2");
  clock_put (f, w->d1, "before", 'v', 1);
  f->clocks[D1].off_ms = YEAR;
  clock_put (f, w->d1, "new", 'v', 2);
  clock_put (f, w->d1, "old", 'v', 3);
  kit_remove (w->d1, "notes", "old");
  clock_put (f, w->d1, "old", 'v', 4);
  clock_sync (f, "l1", &run);
  assert_int_equal (run.status, TALLY_AGAIN);
  assert_non_null (strstr (run.err.text, "2 documents are held back"));
  assert_non_null (strstr (run.err.text, "(this machine) is 365 days ahead"));
  clock_logged (f, "hub: the clock of");
  clock_logged (f, "is 365 days ahead of that of this machine");
  clock_logged (f, "(this machine) is 365 days ahead of");
  kit_expect (w->hub, "notes", "before", "\"v\":1");
  kit_expect (w->d1, "notes", "other", "\"v\":0");
  kit_expect (w->hub, "notes", "new", NULL);
  found = clock_list_held (f, "d1");
  assert_int_equal (found.n, 2);
  assert_string_equal (found.held, "push");
  assert_non_null (strstr (found.reason, "365 days ahead"));
  /* Nothing but those is sent again. */
  clock_held (f, "l1", "2 documents are held back");

  f->clocks[D1].off_ms = 0;
  clock_good (f, "l1");
  clock_logged (f, "d1: its clock was wrong: 2 documents got new stamps");
  assert_false (clock_is_ahead (w->d1));
  assert_int_equal (clock_list_held (f, "d1").n, 0);
  clock_good (f, "l2");
  world_expect (w, "notes", "new", "\"v\":2");
  world_expect (w, "notes", "old", "\"v\":4");
  clock_settled (f, 4);
  assert_int_equal (clock_conflicts (f), 0);
  assert_int_equal (clock_lines (f, "its clock was wrong"), 1);
}

/* The clock is right, but nobody said so yet, and it is written to. */
static void
test_edited_before_the_repair (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_good (f, "l1");
  f->clocks[D1].off_ms = YEAR;
  clock_put (f, w->d1, "a", 'v', 1);
  clock_put (f, w->d1, "a", 'x', 1);
  clock_held (f, "l1", "1 document is held back");
  f->clocks[D1].off_ms = 0;
  clock_put (f, w->d1, "a", 'v', 2);
  clock_put (f, w->d1, "b", 'v', 3);
  clock_all_good (f);
  world_expect (w, "notes", "a", "\"v\":2,\"x\":1");
  world_expect (w, "notes", "b", "\"v\":3");
  clock_settled (f, 2);
  /* What is written now is newer than all that. */
  clock_put (f, w->d2, "a", 'v', 4);
  clock_good (f, "l2");
  clock_good (f, "l1");
  world_expect (w, "notes", "a", "\"v\":4");
  clock_settled (f, 2);
  assert_int_equal (clock_conflicts (f), 0);
}

static void
test_a_delete_of_tomorrow (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_put (f, w->d1, "b", 'v', 0);
  clock_all_good (f);
  f->clocks[D1].off_ms = YEAR;
  clock_pass (f, 1000);
  kit_remove (w->d1, "notes", "a");
  for (int i = 0; i < 3; i++) {
    clock_put (f, w->d2, "b", 'v', i + 1);
    clock_good (f, "l2");
    clock_held (f, "l1", "1 document is held back");
  }
  /* Nobody has forgotten it, though the cursor went past it. */
  f->clocks[D1].off_ms = 0;
  clock_all_good (f);
  world_expect (w, "notes", "a", NULL);
  world_expect (w, "notes", "b", "\"v\":3");
  clock_settled (f, 1);
  assert_int_equal (clock_conflicts (f), 0);
}

/* The hub was behind when d1 deleted "a"; until it is given to the hub again
 * d1 only pulls, for longer than it keeps the tombstone. */
static void
forget_what_is_held (struct clock_world *f)
{
  struct world *w = &f->world;
  struct kit_run run;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_put (f, w->d1, "b", 'v', 0);
  clock_all_good (f);
  f->clocks[HUB].off_ms = -YEAR;
  clock_pass (f, 1000);
  kit_remove (w->d1, "notes", "a");
  clock_held (f, "l1", "1 document is held back");
  f->clocks[HUB].off_ms = 0;
  for (int i = 0; i < 2; i++) {
    clock_put (f, w->d2, "b", 'v', i + 1);
    clock_good (f, "l2");
    kit_try_sync (&run, w->tally, "l1", TALLY_PULL);
    assert_int_equal (run.status, TALLY_OK);
    clock_pass (f, 91 * (uint64_t) DAY);
  }
  clock_put (f, w->d2, "b", 'v', 3);
  clock_good (f, "l2");
  kit_try_sync (&run, w->tally, "l1", TALLY_PULL);
  assert_int_equal (run.status, TALLY_OK);
}

static void
test_a_held_delete_that_is_forgotten (void **state)
{
  struct clock_world *f = *state;

  forget_what_is_held (f);
  clock_all_good (f);
  world_expect (&f->world, "notes", "a", NULL);
  clock_settled (f, 1);
  assert_int_equal (clock_lines (f, "only one side still had"), 0);
}

static void
drop_graves (struct tally_replica *replica)
{
  struct replica *inner;
  struct tally_error err;

  assert_int_equal (context_replica (&inner, replica, &err), TALLY_OK);
  assert_int_equal (graves_prune (inner, 0, &err), TALLY_OK);
}

/* Nobody can tell any more what it deleted. */
static void
test_a_held_delete_without_a_grave (void **state)
{
  struct clock_world *f = *state;

  forget_what_is_held (f);
  drop_graves (f->world.d1);
  clock_all_good (f);
  world_expect (&f->world, "notes", "a", "\"v\":0");
  clock_settled (f, 2);
  assert_int_equal (clock_lines (f, "only one side still had"), 1);
}

/* The same, where d1 was behind and held theirs back. */
static void
test_a_held_delete_of_theirs_without_a_grave (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_put (f, w->d1, "b", 'v', 0);
  clock_all_good (f);
  f->clocks[D1].off_ms = -YEAR;
  clock_pass (f, 1000);
  kit_remove (w->d2, "notes", "a");
  clock_put (f, w->d1, "a", 'x', 1);
  clock_good (f, "l2");
  clock_held (f, "l1", "1 document is held back");
  for (int i = 0; i < 3; i++) {
    clock_put (f, w->d2, "b", 'v', i + 1);
    clock_good (f, "l2");
    clock_pass (f, 91 * (uint64_t) DAY);
  }
  drop_graves (w->hub);
  drop_graves (w->d2);
  f->clocks[D1].off_ms = 0;
  clock_all_good (f);
  world_expect (w, "notes", "a", "\"v\":0,\"x\":1");
  clock_settled (f, 2);
  assert_int_equal (clock_lines (f, "only one side still had"), 1);
}

/* What was made anew over there since is no part of that. */
static void
test_a_held_delete_of_what_is_made_anew (void **state)
{
  struct clock_world *f = *state;

  forget_what_is_held (f);
  kit_replace (f->world.d2, "notes", "{\"_id\":\"a\",\"v\":7}");
  clock_good (f, "l2");
  clock_good (f, "l1");
  world_expect (&f->world, "notes", "a", "\"v\":7");
  clock_settled (f, 2);
  assert_int_equal (clock_lines (f, "only one side still had"), 0);
}

/* Both changed the document meanwhile: one value loses, and is kept. */
static void
test_a_conflict_of_tomorrow (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;
  struct kit_run run;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_all_good (f);
  f->clocks[D1].off_ms = YEAR;
  clock_put (f, w->d1, "a", 'v', 1);
  clock_put (f, w->d2, "a", 'v', 2);
  clock_put (f, w->d2, "a", 'x', 2);
  clock_good (f, "l2");
  clock_held (f, "l1", "held back");
  clock_held (f, "l1", "held back");
  f->clocks[D1].off_ms = 0;
  clock_all_good (f);
  clock_sync (f, "l1", &run);
  world_expect (w, "notes", "a", "\"v\":1,\"x\":2");
  assert_int_equal (clock_conflicts (f), 1);
  clock_settled (f, 1);
}

static void
test_wrong_twice (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_good (f, "l1");
  for (int i = 1; i < 4; i++) {
    f->clocks[D1].off_ms = YEAR;
    clock_put (f, w->d1, "a", 'v', 10 * i);
    clock_held (f, "l1", "held back");
    f->clocks[D1].off_ms = 0;
    clock_all_good (f);
    world_expect (w, "notes", "a", i == 1 ? "10" : i == 2 ? "20" : "30");
    clock_put (f, w->d2, "a", 'v', 10 * i + 1);
    clock_good (f, "l2");
    clock_good (f, "l1");
    world_expect (w, "notes", "a", i == 1 ? "11" : i == 2 ? "21" : "31");
  }
  clock_settled (f, 1);
  assert_int_equal (clock_conflicts (f), 0);
}

/* More than the list has room for. */
static void
test_many (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;

  clock_put (f, w->d1, "before", 'v', 0);
  f->clocks[D1].off_ms = YEAR;
  clock_pass (f, 1000);
  world_fill (w->d1, 'm', 300);
  clock_held (f, "l1", "more documents than can be listed are held back");
  assert_int_equal (clock_list_held (f, "d1").n, 256);
  clock_put (f, w->d2, "other", 'v', 0);
  clock_good (f, "l2");
  clock_held (f, "l1", "held back");
  kit_expect (w->d1, "notes", "other", "\"v\":0");
  kit_expect (w->hub, "notes", "before", "\"v\":0");
  f->clocks[D1].off_ms = 0;
  clock_good (f, "l1");
  assert_int_equal (clock_list_held (f, "d1").n, 0);
  clock_good (f, "l2");
  clock_settled (f, 302);
}

/* ---- one clock behind --------------------------------------------------- */

/* Behind, it cannot tell what is too new from what is right: it waits, and
 * does not take its own documents for wrong ones. */
static void
test_a_year_behind (void **state)
{
  struct clock_world *f = *state;
  struct world *w = &f->world;

  clock_put (f, w->d1, "a", 'v', 0);
  clock_put (f, w->d2, "b", 'v', 0);
  clock_good (f, "l1");
  f->clocks[D1].off_ms = -YEAR;
  clock_put (f, w->d1, "a", 'v', 1);
  clock_logged (f, "d1: the clock of this machine is 365 days behind");
  clock_good (f, "l2");
  clock_held (f, "l1", "is 365 days behind \"");
  kit_expect (w->hub, "notes", "a", "\"v\":1");
  assert_int_equal (clock_list_held (f, "d1").n, 1);
  assert_string_equal (clock_list_held (f, "d1").held, "pull");
  f->clocks[D1].off_ms = 0;
  clock_all_good (f);
  world_expect (w, "notes", "a", "\"v\":1");
  world_expect (w, "notes", "b", "\"v\":0");
  clock_settled (f, 2);
  assert_int_equal (clock_lines (f, "its clock was wrong"), 0);
  assert_int_equal (clock_conflicts (f), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    CLOCK_TEST (test_a_year_ahead),
    CLOCK_TEST (test_edited_before_the_repair),
    CLOCK_TEST (test_a_delete_of_tomorrow),
    CLOCK_TEST (test_a_held_delete_that_is_forgotten),
    CLOCK_TEST (test_a_held_delete_without_a_grave),
    CLOCK_TEST (test_a_held_delete_of_theirs_without_a_grave),
    CLOCK_TEST (test_a_held_delete_of_what_is_made_anew),
    CLOCK_TEST (test_a_conflict_of_tomorrow),
    CLOCK_TEST (test_wrong_twice),
    CLOCK_TEST (test_many),
    CLOCK_TEST (test_a_year_behind),
    CLOCK_TEST_BARE (test_a_year_ahead),
    CLOCK_TEST_BARE (test_a_conflict_of_tomorrow),
    CLOCK_TEST_BARE (test_many),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
