/* SPDX-License-Identifier: MIT */
/* A store without transactions gets a merge's journal first: killed between,
 * it has an entry of a merge that never happened, which nobody must see, and
 * never a merge without its entry. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-world.h"

/* ---- what is journaled -------------------------------------------------- */

struct listed {
  size_t n;
  char id[64], lost[64], won[64];
};

static int
keep_conflict (void *ctx, const struct tally_conflict *conflict)
{
  struct listed *listed = ctx;

  listed->n++;
  snprintf (listed->id, sizeof listed->id, "%s", conflict->id);
  snprintf (listed->lost, sizeof listed->lost, "%s", conflict->lost.value);
  snprintf (listed->won, sizeof listed->won, "%s", conflict->won.value);
  return 0;
}

static void
list (struct tally_replica *replica, struct listed *listed)
{
  memset (listed, 0, sizeof *listed);
  assert_int_equal (
      tally_conflicts (replica, NULL, 0, keep_conflict, listed, NULL),
      TALLY_OK);
}

static int
keep_id (void *ctx, const struct tally_document *document)
{
  snprintf (ctx, 64, "%s", document->id);
  return 0;
}

/* The id of what the journal holds, shown or not. */
static void
raw_id (struct tally_replica *replica, char id[64])
{
  id[0] = '\0';
  assert_int_equal (
      tally_find (replica, "_conflicts", NULL, NULL, keep_id, id, NULL),
      TALLY_OK);
}

static int
show (struct tally_replica *replica, const char *id)
{
  struct listed listed = { 0 };

  return tally_conflicts (replica, &id, 1, keep_conflict, &listed, NULL);
}

/* ---- killed ------------------------------------------------------------- */

/* d2 writes later, whatever the clocks of the two are at. */
static void
clash (struct world *w, const char *driver)
{
  char first[TALLY_REV_TEXT], last[TALLY_REV_TEXT];
  struct kit_run run;

  world_make (w, driver);
  world_open (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"v\":0}");
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"v\":1}");
  free (kit_get (w->d1, "notes", "x", first));
  do {
    kit_put (w->d2, "notes", "{\"_id\":\"x\",\"v\":9}");
    kit_put (w->d2, "notes", "{\"_id\":\"x\",\"v\":2}");
    free (kit_get (w->d2, "notes", "x", last));
  } while (strcmp (last, first) < 0);
  kit_sync (&run, w->tally, "l2");
}

/* Kills d1 at a call of its run (0: right after its journal was written),
 * wakes it, and looks at its journal.  False: the run was over before. */
static bool
kill_at (const char *driver, unsigned at, unsigned *orphans)
{
  struct world world, *w = &world;
  struct listed listed;
  struct kit_run run;
  char id[64];
  bool killed;

  clash (w, driver);
  if (at > 0)
    shim_die_at ("held/d1", at);
  else
    shim_die_after ("held/d1", "_conflicts");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  killed = run.status != TALLY_OK;
  shim_die_at ("", 0);
  world_close (w);
  world_open (w);

  raw_id (w->d1, id);
  list (w->d1, &listed);
  if (listed.n > 0)
    kit_expect (w->d1, "notes", "x", "\"v\":2");
  else
    kit_expect (w->d1, "notes", "x", "\"v\":1");
  if (id[0] && listed.n == 0) {
    const char *ids[] = { id };

    ++*orphans;
    assert_int_equal (show (w->d1, id), TALLY_NOTFOUND);
    assert_int_equal (tally_conflict_restore (w->d1, ids, 1, NULL, NULL, NULL),
                      TALLY_NOTFOUND);
  }

  world_sync (w);
  world_expect (w, "notes", "x", "\"v\":2");
  list (w->d1, &listed);
  assert_int_equal (listed.n, 1);
  assert_string_equal (listed.lost, "1");
  assert_string_equal (listed.won, "2");
  assert_int_equal (show (w->d1, listed.id), TALLY_OK);
  world_settled (w, 1);
  world_remove (w);
  return killed;
}

static void
test_killed_between_journal_and_merge (void **state)
{
  unsigned orphans = 0;

  (void) state;
  assert_true (kill_at ("bare", 0, &orphans));
  assert_int_equal (orphans, 1);
}

static void
test_killed_anywhere (void **state)
{
  unsigned at = 1, orphans = 0;

  (void) state;
  while (kill_at ("bare", at, &orphans))
    at++;
  assert_true (at > 5);
}

static void
test_transactions_have_no_between (void **state)
{
  unsigned at = 1, orphans = 0;

  (void) state;
  kill_at ("held", 0, &orphans);
  while (kill_at ("held", at, &orphans))
    at++;
  assert_true (at > 5);
  assert_int_equal (orphans, 0);
}

/* ---- what stays here and is merged there -------------------------------- */

/* A link that only pushes stores the merge over there alone: what stands here
 * does not know the winner, and the entry is shown all the same. */
static void
test_push_only_is_shown (void **state)
{
  struct world world, *w = &world;
  struct listed listed;
  struct kit_run run;

  (void) state;
  clash (w, "bare");
  kit_try_sync (&run, w->tally, "l1", TALLY_PUSH);
  assert_int_equal (run.status, TALLY_OK);
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 1, 0));
  list (w->d1, &listed);
  assert_int_equal (listed.n, 1);
  assert_string_equal (listed.lost, "1");
  kit_expect (w->d1, "notes", "x", "\"v\":1");
  world_remove (w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_killed_between_journal_and_merge),
    cmocka_unit_test (test_killed_anywhere),
    cmocka_unit_test (test_transactions_have_no_between),
    cmocka_unit_test (test_push_only_is_shown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
