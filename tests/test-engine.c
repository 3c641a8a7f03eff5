/* SPDX-License-Identifier: MIT */
/* What a run does when all goes well: three replicas come to the same, in
 * every direction, with documents that break a rule, and over a store that
 * can do little. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-world.h"

/* ---- three replicas ----------------------------------------------------- */

static void
test_each_document_moves_once (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 100);
  world_fill (w->hub, 'h', 50);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (50, 100, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (150, 0, 0, 0, 0));
  world_settled (w, 150);
}

static void
test_different_fields_are_both_kept (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":0,\"c\":0}");
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":1,\"b\":0,\"c\":0}");
  kit_put (w->d2, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":1,\"c\":0}");
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 0, 0));
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (1, 0, 0, 0, 0));
  world_expect (w, "notes", "x", "{\"_id\":\"x\",\"a\":1,\"b\":1,\"c\":0}");
  world_settled (w, 1);
}

static void
test_greater_stamp_wins (void **state)
{
  struct world *w = *state;
  char one[TALLY_REV_TEXT], other[TALLY_REV_TEXT];
  struct kit_run run;

  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"v\":0}");
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"v\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"x\",\"v\":2}");
  free (kit_get (w->d1, "notes", "x", one));
  free (kit_get (w->d2, "notes", "x", other));
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 1, 0));
  kit_sync (&run, w->tally, "l1");
  world_expect (w, "notes", "x",
                strcmp (one, other) > 0 ? "\"v\":1" : "\"v\":2");
  world_settled (w, 1);
}

static void
test_delete_of_untouched (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 10);
  world_sync (w);
  kit_remove (w->d2, "notes", "a003");
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 1));
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (1, 0, 0, 0, 1));
  world_expect (w, "notes", "a003", NULL);
  world_settled (w, 9);
}

/* An edit is of fields only: it does not bring back what was deleted, and
 * putting it again does. */
static void
test_delete_against_edit (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 2);
  world_sync (w);
  kit_remove (w->d1, "notes", "a000");
  kit_put (w->d2, "notes", "{\"_id\":\"a000\",\"v\":1}");
  kit_sync (&run, w->tally, "l1");
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 1, 0));
  kit_sync (&run, w->tally, "l1");
  world_expect (w, "notes", "a000", NULL);
  world_settled (w, 1);
  kit_put (w->d1, "notes", "{\"_id\":\"a000\",\"v\":2}");
  world_sync (w);
  world_expect (w, "notes", "a000", "{\"_id\":\"a000\",\"v\":2}");
  world_settled (w, 2);
}

/* ---- a document that breaks a rule -------------------------------------- */

struct held_row {
  unsigned n;
  char id[32], held[8];
};

static int
keep_held (void *ctx, const struct tally_status_row *row)
{
  struct held_row *found = ctx;

  if (row->held) {
    found->n++;
    snprintf (found->id, sizeof found->id, "%s", row->id);
    snprintf (found->held, sizeof found->held, "%s", row->held);
    assert_true (row->reason && row->reason[0]);
  }
  return 0;
}

/* tally_status lists this one, and no other. */
static void
expect_held (struct world *w, const char *store, const char *id,
             const char *side)
{
  struct held_row found = { 0 };
  struct tally_error err = { 0 };

  assert_int_equal (tally_status (w->tally, store, keep_held, &found, &err),
                    TALLY_OK);
  assert_int_equal (found.n, 1);
  assert_string_equal (found.id, id);
  assert_string_equal (found.held, side);
}

/* It holds nothing else back, and comes once it is well. */
static void
test_bad_document (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->hub, 'h', 5);
  world_fill (w->d1, 'a', 5);
  shim_spoil ("held/hub", "h002");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_INVALID);
  assert_non_null (strstr (run.err.text, "h002"));
  kit_expect_figures (&run, "notes", KIT_FIGURES (4, 5, 0, 0, 0));
  kit_expect (w->d1, "notes", "h002", NULL);
  kit_expect (w->d1, "notes", "h004", "\"v\":0");
  expect_held (w, "d1", "h002", "pull");
  /* It alone is asked for again. */
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_INVALID);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 0, 0, 0));
  shim_spoil ("held/hub", NULL);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (1, 0, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  world_settled (w, 10);
}

/* Ours is refused, and offered again. */
static void
test_bad_document_of_ours (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 5);
  shim_spoil ("held/d1", "a002");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_INVALID);
  assert_non_null (strstr (run.err.text, "a002"));
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 4, 0, 0, 0));
  expect_held (w, "d1", "a002", "push");
  /* A local edit of another is not kept back. */
  kit_put (w->d1, "notes", "{\"_id\":\"a003\",\"v\":1}");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_INVALID);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 0));
  shim_spoil ("held/d1", NULL);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  world_settled (w, 5);
}

/* ---- directions --------------------------------------------------------- */

static void
sync_as (struct world *w, struct kit_run *run, int direction)
{
  kit_try_sync (run, w->tally, "l1", direction);
  assert_int_equal (run->status, TALLY_OK);
}

static void
test_push_only (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 10);
  world_fill (w->hub, 'h', 5);
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 10, 0, 0, 0));
  assert_int_equal (kit_count (w->d1, "notes"), 10);
  assert_int_equal (kit_count (w->hub, "notes"), 15);
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_nothing (&run, 2);
  /* What it meets is merged there, and nothing comes here. */
  kit_put (w->hub, "notes", "{\"_id\":\"a001\",\"v\":0,\"hub\":1}");
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":0,\"d1\":1}");
  kit_put (w->hub, "notes", "{\"_id\":\"a002\",\"v\":7}");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 0, 0));
  kit_expect (w->hub, "notes", "a001", "\"d1\":1,\"hub\":1,\"v\":0");
  kit_expect (w->d1, "notes", "a001", "{\"_id\":\"a001\",\"d1\":1,\"v\":0}");
  kit_expect (w->d1, "notes", "a002", "\"v\":0");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_nothing (&run, 2);
}

/* What is older here than there is offered, and nothing comes of it. */
static void
test_push_only_offers_older (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->hub, 'h', 3);
  sync_as (w, &run, TALLY_PULL);
  kit_put (w->hub, "notes", "{\"_id\":\"h001\",\"v\":2}");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 0, 0, 0));
  kit_expect (w->d1, "notes", "h001", "\"v\":0");
  kit_expect (w->hub, "notes", "h001", "\"v\":2");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_nothing (&run, 2);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (1, 0, 0, 0, 0));
  kit_same (w->d1, w->hub);
}

/* What loses there stays as it is here, until it is pulled. */
static void
test_push_only_loses (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 3);
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":1}");
  kit_remove (w->hub, "notes", "a001");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 1, 0));
  kit_expect (w->d1, "notes", "a001", "\"v\":1");
  kit_expect (w->hub, "notes", "a001", NULL);
  world_sync (w);
  world_expect (w, "notes", "a001", NULL);
  world_settled (w, 2);
}

static void
test_pull_only (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 10);
  world_fill (w->hub, 'h', 5);
  sync_as (w, &run, TALLY_PULL);
  kit_expect_figures (&run, "notes", KIT_FIGURES (5, 0, 0, 0, 0));
  assert_int_equal (kit_count (w->hub, "notes"), 5);
  sync_as (w, &run, TALLY_PULL);
  kit_expect_nothing (&run, 2);
  kit_put (w->hub, "notes", "{\"_id\":\"h001\",\"v\":0,\"hub\":1}");
  kit_put (w->d1, "notes", "{\"_id\":\"h001\",\"v\":0,\"d1\":1}");
  sync_as (w, &run, TALLY_PULL);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 0, 0));
  kit_expect (w->d1, "notes", "h001", "\"d1\":1,\"hub\":1,\"v\":0");
  kit_expect (w->hub, "notes", "h001", "{\"_id\":\"h001\",\"hub\":1,\"v\":0}");
  sync_as (w, &run, TALLY_PULL);
  kit_expect_nothing (&run, 2);
}

static int
pulling_set_up (void **state)
{
  int status;

  setenv ("TALLY_SYNC_L1_DIRECTION", "pull", 1);
  status = world_set_up (state);
  unsetenv ("TALLY_SYNC_L1_DIRECTION");
  return status;
}

/* What is zero is not set: other options do not turn a link round. */
static void
test_configured_direction (void **state)
{
  struct tally_sync_options options = { .size = sizeof options,
                                        .collections = "notes" };
  struct world *w = *state;
  struct tally_error err;
  struct kit_run run;

  world_fill (w->d1, 'a', 10);
  world_fill (w->hub, 'h', 5);
  assert_int_equal (tally_sync (w->tally, "l1", &options, NULL, NULL, &err),
                    TALLY_OK);
  assert_int_equal (kit_count (w->d1, "notes"), 15);
  assert_int_equal (kit_count (w->hub, "notes"), 5);
  kit_try_sync (&run, w->tally, "l1", TALLY_BOTH + 1);
  assert_int_equal (run.status, TALLY_USAGE);
  sync_as (w, &run, TALLY_BOTH);
  assert_int_equal (kit_count (w->hub, "notes"), 15);
}

/* Any order of directions, with edits between, and then both. */
static void
test_direction_flips (void **state)
{
  struct world *w = *state;

  for (unsigned order = 0; order < 27; order++) {
    unsigned rest = order;
    struct kit_run run;

    kit_put (w->d1, "notes", "{\"_id\":\"x\"}");
    for (unsigned step = 0; step < 3; step++, rest /= 3) {
      char *mine = kit_get (w->d1, "notes", "x", NULL);
      char *theirs = kit_get (w->hub, "notes", "x", NULL);

      mine[strlen (mine) - 1] = '\0';
      kit_put (w->d1, "notes", "%s,\"d%u\":1}", mine, step);
      if (theirs) {
        theirs[strlen (theirs) - 1] = '\0';
        kit_put (w->hub, "notes", "%s,\"h%u\":1}", theirs, step);
      }
      kit_put (w->d1, "notes", "{\"_id\":\"d%u\",\"v\":1}", step);
      kit_put (w->hub, "notes", "{\"_id\":\"h%u\",\"v\":1}", step);
      sync_as (w, &run, (int) (rest % 3));
      free (theirs);
      free (mine);
    }
    world_sync (w);
    world_expect (w, "notes", "x", "\"d0\":1,\"d1\":1,\"d2\":1");
    world_settled (w, 7);
    world_close (w);
    shim_reset ();
    world_open (w);
  }
}

/* ---- a store that can do little ----------------------------------------- */

static void
test_bare_store (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_close (w);
  w->driver = "bare";
  world_open (w);
  world_fill (w->d1, 'a', 60);
  world_fill (w->hub, 'h', 40);
  kit_put (w->d2, "tasks", "{\"_id\":\"t\"}");
  kit_put (w->d1, "_x", "{\"_id\":\"t\"}");
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (40, 60, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (100, 0, 0, 0, 0));
  kit_expect_figures (&run, "tasks", KIT_FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l1");
  world_settled (w, 101);
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":0,\"d1\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"a001\",\"v\":0,\"d2\":1}");
  kit_remove (w->d2, "notes", "a002");
  world_sync (w);
  world_expect (w, "notes", "a001", "\"d1\":1,\"d2\":1");
  world_expect (w, "notes", "a002", NULL);
  kit_expect (w->hub, "_x", "t", NULL);
  world_settled (w, 100);
}

/* ------------------------------------------------------------------------- */

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, world_set_up, world_tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_each_document_moves_once),
    TEST (test_different_fields_are_both_kept),
    TEST (test_greater_stamp_wins),
    TEST (test_delete_of_untouched),
    TEST (test_delete_against_edit),
    TEST (test_bad_document),
    TEST (test_bad_document_of_ours),
    TEST (test_push_only),
    TEST (test_push_only_offers_older),
    TEST (test_push_only_loses),
    TEST (test_pull_only),
    cmocka_unit_test_setup_teardown (test_configured_direction, pulling_set_up,
                                     world_tear_down),
    TEST (test_direction_flips),
    TEST (test_bare_store),
  };

  return cmocka_run_group_tests_name ("engine", tests, NULL, NULL);
}
