/* SPDX-License-Identifier: MIT */
/* Tombstones: how long they are kept, and what becomes of a device that was
 * away when they were forgotten. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sync-world.h"

/* ---- looking ------------------------------------------------------------ */

static int
keep_deleted (void *ctx, const struct tally_status_row *row)
{
  uint64_t *deleted = ctx;

  if (row->collection && strcmp (row->collection, "notes") == 0)
    *deleted = row->deleted;
  return 0;
}

static uint64_t
tombstones (struct world *w, const char *store)
{
  uint64_t deleted = 0;
  struct tally_error err = { 0 };

  if (tally_status (w->tally, store, keep_deleted, &deleted, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return deleted;
}

static void
sync (struct world *w, const char *link)
{
  struct kit_run run;

  kit_sync (&run, w->tally, link);
}

/* How many documents runs told of that may have been deleted. */
static unsigned told;

static void
count_told (void *ctx, int level, const char *line)
{
  const char *of = strstr (line, " that only one side still had");

  (void) ctx;
  (void) level;
  if (!of)
    return;
  /* Back over "document" or "documents". */
  while (of > line && of[-1] >= 'a' && of[-1] <= 'z')
    of--;
  if (of > line)
    of--;
  while (of > line && of[-1] >= '0' && of[-1] <= '9')
    of--;
  told += (unsigned) strtoul (of, NULL, 10);
}

static const struct tally_setup listening = { .size = sizeof listening,
                                              .log = count_told };

static void
start (struct world *w, const char *keep)
{
  world_make (w, NULL);
  w->setup = &listening;
  told = 0;
  w->keep_deleted = keep;
  world_open (w);
  world_fill (w->d1, 'n', 5);
  world_sync (w);
  world_sync (w);
}

/* Longer than the keep_deleted of those who are away. */
static void
be_away (void)
{
  const struct timespec while_away = { 0, 60 * 1000 * 1000 };

  nanosleep (&while_away, NULL);
}

/* ---- how long ----------------------------------------------------------- */

static void
test_waits_for_every_peer (void **state)
{
  struct world *w = *state;

  start (w, "90d");
  kit_remove (w->d1, "notes", "n001");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "d1"), 0);
  sync (w, "l1");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "hub"), 1);
  sync (w, "l2");
  assert_int_equal (tombstones (w, "hub"), 1);
  kit_put (w->d2, "notes", "{\"_id\":\"more\"}");
  sync (w, "l2");
  assert_int_equal (tombstones (w, "hub"), 0);
  assert_int_equal (tombstones (w, "d2"), 0);
  world_sync (w);
  world_expect (w, "notes", "n001", NULL);
  world_settled (w, 5);
}

static void
test_a_link_that_only_pushes_holds_nothing_back (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_make (w, NULL);
  world_open (w);
  world_fill (w->d2, 'p', 3);
  kit_try_sync (&run, w->tally, "l2", TALLY_PUSH);
  assert_int_equal (run.status, TALLY_OK);
  sync (w, "l1");
  kit_remove (w->d1, "notes", "p001");
  sync (w, "l1");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "hub"), 0);
  kit_expect (w->d2, "notes", "p001", "p001");
  /* Now it pulls, too: what it gave was deleted there. */
  sync (w, "l2");
  kit_expect (w->d2, "notes", "p001", NULL);
  world_sync (w);
  world_settled (w, 2);
}

static void
test_the_next_hop_has_it_before_it_goes (void **state)
{
  struct world *w = *state;
  struct tally_error err = { 0 };

  start (w, "90d");
  /* d1 gives to d2 as well as to the hub. */
  assert_int_equal (tally_pair (w->tally, "d1", "d2", NULL, NULL, NULL, &err),
                    TALLY_OK);
  kit_remove (w->hub, "notes", "n002");
  sync (w, "l1");
  kit_put (w->d1, "notes", "{\"_id\":\"more\"}");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "d1"), 1);
  assert_int_equal (tally_pair (w->tally, "d1", "d2", NULL, NULL, NULL, &err),
                    TALLY_OK);
  assert_int_equal (tombstones (w, "d1"), 0);
  kit_expect (w->d2, "notes", "n002", NULL);
}

/* ---- away --------------------------------------------------------------- */

/* d2 stays away until the hub has forgotten what was deleted. */
static void
fall_behind (struct world *w)
{
  start (w, "50ms");
  be_away ();
  kit_remove (w->d1, "notes", "n000");
  kit_remove (w->d1, "notes", "n001");
  kit_remove (w->d1, "notes", "n002");
  sync (w, "l1");
  kit_put (w->d1, "notes", "{\"_id\":\"later\"}");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "hub"), 0);
}

static void
test_behind_the_floor_deletes_arrive (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  fall_behind (w);
  kit_sync (&run, w->tally, "l2");
  assert_string_equal (kit_report (&run, "notes")->strategy, "full");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pulled = 4, .deleted = 3));
  world_expect (w, "notes", "n000", NULL);
  world_settled (w, 3);
}

static void
test_behind_the_floor_changes_are_kept (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  fall_behind (w);
  kit_put (w->d2, "notes", "{\"_id\":\"n000\",\"v\":7}");
  kit_put (w->d2, "notes", "{\"_id\":\"new\",\"v\":8}");
  kit_remove (w->d2, "notes", "n001");
  kit_remove (w->d2, "notes", "n004");
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes",
                      KIT_FIGURES (.pulled = 2, .pushed = 3, .deleted = 2));
  /* n000 is back; and "new" could be, so shortly after they last met.  d1, who
   * had deleted n000, is told as well. */
  assert_int_equal (told, 2);
  sync (w, "l1");
  assert_int_equal (told, 3);
  world_expect (w, "notes", "n000", "\"v\":7");
  world_expect (w, "notes", "new", "\"v\":8");
  world_expect (w, "notes", "n001", NULL);
  world_expect (w, "notes", "n002", NULL);
  world_expect (w, "notes", "n004", NULL);
  world_settled (w, 4);
}

static void
test_our_own_floor_deletes_there (void **state)
{
  struct world *w = *state;
  struct kit_run run;
  struct tally_error err = { 0 };

  start (w, "50ms");
  assert_int_equal (tally_pair (w->tally, "d1", "d2", NULL, NULL, NULL, &err),
                    TALLY_OK);
  be_away ();
  kit_remove (w->d1, "notes", "n000");
  kit_put (w->hub, "notes", "{\"_id\":\"n001\",\"v\":3}");
  kit_remove (w->d1, "notes", "n001");
  /* The hub was away for too long. */
  assert_int_equal (tally_pair (w->tally, "d1", "d2", NULL, NULL, NULL, &err),
                    TALLY_OK);
  be_away ();
  kit_put (w->d1, "notes", "{\"_id\":\"more\"}");
  assert_int_equal (tally_pair (w->tally, "d1", "d2", NULL, NULL, NULL, &err),
                    TALLY_OK);
  assert_int_equal (tombstones (w, "d1"), 0);
  kit_sync (&run, w->tally, "l1");
  kit_expect (w->hub, "notes", "n000", NULL);
  /* Edited there, not known here: it stays. */
  kit_expect (w->hub, "notes", "n001", "\"v\":3");
  kit_expect (w->d1, "notes", "n001", "\"v\":3");
  assert_string_equal (kit_report (&run, "notes")->strategy, "full");
  world_sync (w);
  world_sync (w);
  world_settled (w, 5);
}

/* A purge on one side, compared each run, does not echo. */
static void
test_a_purge_does_not_echo (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  fall_behind (w);
  sync (w, "l2");
  for (unsigned i = 0; i < 3; i++) {
    be_away ();
    kit_sync (&run, w->tally, "l2");
    kit_expect_nothing (&run, 1);
    kit_sync (&run, w->tally, "l1");
    kit_expect_nothing (&run, 1);
  }
  assert_int_equal (tombstones (w, "hub"), 0);
}

/* d2 was told of the delete, forgot it, and makes the document anew, while the
 * hub still keeps the tombstone for d1. */
static void
test_made_anew_is_no_conflict (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  start (w, "90d");
  kit_remove (w->hub, "notes", "n001");
  sync (w, "l2");
  kit_put (w->d2, "notes", "{\"_id\":\"more\"}");
  sync (w, "l2");
  assert_int_equal (tombstones (w, "d2"), 0);
  assert_int_equal (tombstones (w, "hub"), 1);
  kit_put (w->d2, "notes", "{\"_id\":\"n001\",\"v\":9}");
  kit_sync (&run, w->tally, "l2");
  assert_int_equal (kit_report (&run, "notes")->conflicts, 0);
  kit_sync (&run, w->tally, "l1");
  assert_int_equal (kit_report (&run, "notes")->conflicts, 0);
  world_sync (w);
  world_expect (w, "notes", "n001", "\"v\":9");
  world_settled (w, 6);
}

/* A run that only pushes meets a tombstone behind its cursor, and leaves it
 * there; made anew there it is listed, too. */
static void
test_what_a_push_left_is_foreseen_once (void **state)
{
  struct world *w = *state;
  struct kit_run foreseen, run;
  struct tally_error err = { 0 };

  world_make (w, NULL);
  world_open (w);
  kit_put (w->hub, "notes", "{\"_id\":\"x\",\"v\":0}");
  sync (w, "l2");
  kit_remove (w->hub, "notes", "x");
  sync (w, "l1");
  assert_int_equal (tally_pair (w->tally, "d2", "d1", NULL, NULL, NULL, &err),
                    TALLY_OK);
  kit_try_sync (&run, w->tally, "l1", TALLY_PUSH);
  assert_int_equal (run.status, TALLY_OK);
  kit_put (w->hub, "notes", "{\"_id\":\"x\",\"v\":2}");
  kit_foresee (&foreseen, w->tally, "l1", TALLY_BOTH);
  kit_sync (&run, w->tally, "l1");
  kit_expect_foreseen (&foreseen, &run);
  assert_int_equal (kit_report (&run, "notes")->pulled, 1);
  kit_expect (w->d1, "notes", "x", "\"v\":2");
}

/* ---- what comes back ---------------------------------------------------- */

/* d1 has forgotten n001, which all whom it knew had; d2 still has it. */
static void
forget_at_d1 (struct world *w)
{
  start (w, "90d");
  kit_remove (w->d1, "notes", "n001");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "d1"), 0);
}

static void
pair_as_foreseen (struct world *w, struct kit_run *run, const char *a,
                  const char *b)
{
  struct kit_run foreseen;

  kit_foresee_pair (&foreseen, w->tally, a, b, TALLY_BOTH);
  kit_try_pair (run, w->tally, a, b);
  assert_int_equal (run->status, TALLY_OK);
  kit_expect_foreseen (&foreseen, run);
}

static void
test_it_does_not_come_back_by_a_new_way (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  forget_at_d1 (w);
  pair_as_foreseen (w, &run, "d1", "d2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 1, .deleted = 1));
  world_sync (w);
  world_expect (w, "notes", "n001", NULL);
  world_settled (w, 4);
}

static void
test_nor_when_it_is_pushed (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  forget_at_d1 (w);
  pair_as_foreseen (w, &run, "d2", "d1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pulled = 1, .deleted = 1));
  world_sync (w);
  world_expect (w, "notes", "n001", NULL);
  world_settled (w, 4);
}

/* The tombstone waits until it can be given to them. */
static void
test_nor_to_who_only_pulls (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  forget_at_d1 (w);
  kit_try_pair_in (&run, w->tally, "d1", "d2", TALLY_PULL);
  assert_int_equal (run.status, TALLY_OK);
  kit_expect (w->d1, "notes", "n001", NULL);
  kit_expect (w->d2, "notes", "n001", "\"v\":0");
  pair_as_foreseen (w, &run, "d1", "d2");
  world_sync (w);
  world_expect (w, "notes", "n001", NULL);
  world_settled (w, 4);
}

/* Of what was written meanwhile nobody knew; what was deleted of it is back,
 * and that is told of. */
static void
test_what_was_changed_comes_back (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  forget_at_d1 (w);
  kit_put (w->d2, "notes", "{\"_id\":\"n001\",\"v\":7}");
  pair_as_foreseen (w, &run, "d2", "d1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 1));
  kit_expect (w->d1, "notes", "n001", "\"v\":7");
  kit_expect (w->d2, "notes", "n001", "\"v\":7");
  assert_int_equal (told, 1);
  pair_as_foreseen (w, &run, "d2", "d1");
  kit_expect_nothing (&run, 1);
  assert_int_equal (told, 1);
}

/* The other way round. */
static void
test_what_was_changed_is_taken_back (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  forget_at_d1 (w);
  kit_put (w->d2, "notes", "{\"_id\":\"n001\",\"v\":7}");
  pair_as_foreseen (w, &run, "d1", "d2");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pulled = 1));
  kit_expect (w->d1, "notes", "n001", "\"v\":7");
  assert_int_equal (told, 1);
}

/* One that was made anew has nothing of what was deleted. */
static void
test_what_was_made_anew_is_not_told_of (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  forget_at_d1 (w);
  kit_replace (w->d2, "notes", "{\"_id\":\"n001\",\"v\":7}");
  pair_as_foreseen (w, &run, "d2", "d1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 1));
  kit_expect (w->d1, "notes", "n001", "\"v\":7");
  assert_int_equal (told, 0);
}

/* Without a checkpoint nobody can tell what is old here from what the hub
 * deleted and forgot; what is new was not there. */
static void
test_old_documents_of_a_new_device_are_told_of (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_make (w, NULL);
  w->setup = &listening;
  told = 0;
  w->keep_deleted = "50ms";
  world_open (w);
  world_fill (w->d1, 'n', 3);
  sync (w, "l1");
  kit_remove (w->hub, "notes", "n001");
  sync (w, "l1");
  kit_put (w->d1, "notes", "{\"_id\":\"later\"}");
  sync (w, "l1");
  assert_int_equal (tombstones (w, "hub"), 0);
  assert_int_equal (told, 0);
  world_fill (w->d2, 'o', 2);
  be_away ();
  kit_put (w->d2, "notes", "{\"_id\":\"new\"}");
  kit_sync (&run, w->tally, "l2");
  kit_expect (w->hub, "notes", "o000", "o000");
  kit_expect (w->hub, "notes", "new", "new");
  assert_int_equal (told, 2);
}

/* ---- first syncs -------------------------------------------------------- */

static void
test_a_first_sync_takes_no_tombstones (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_make (w, NULL);
  world_open (w);
  world_fill (w->hub, 'h', 3);
  world_fill (w->d1, 'd', 3);
  kit_remove (w->hub, "notes", "h001");
  kit_remove (w->d1, "notes", "d001");
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pulled = 2, .pushed = 2));
  sync (w, "l1");
  world_sync (w);
  world_settled (w, 4);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, world_set_up_empty, world_tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_waits_for_every_peer),
    TEST (test_a_link_that_only_pushes_holds_nothing_back),
    TEST (test_the_next_hop_has_it_before_it_goes),
    TEST (test_behind_the_floor_deletes_arrive),
    TEST (test_behind_the_floor_changes_are_kept),
    TEST (test_our_own_floor_deletes_there),
    TEST (test_a_purge_does_not_echo),
    TEST (test_made_anew_is_no_conflict),
    TEST (test_what_a_push_left_is_foreseen_once),
    TEST (test_it_does_not_come_back_by_a_new_way),
    TEST (test_nor_when_it_is_pushed),
    TEST (test_nor_to_who_only_pulls),
    TEST (test_what_was_changed_comes_back),
    TEST (test_what_was_changed_is_taken_back),
    TEST (test_what_was_made_anew_is_not_told_of),
    TEST (test_old_documents_of_a_new_device_are_told_of),
    TEST (test_a_first_sync_takes_no_tombstones),
  };

  return cmocka_run_group_tests_name ("engine, deletes", tests, NULL, NULL);
}
