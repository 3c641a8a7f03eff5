/* SPDX-License-Identifier: MIT */
/* A plan that is applied while others write: at whichever exchange that
 * happens, what moves is what was planned, and the next run takes the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-world.h"

#define EXCHANGES_MAX 40

struct race {
  struct world world;
  bool edits; /* a planned document, or writes one that is not planned */
  bool there; /* on the hub, or here */
};

static void
meddle (void *ctx)
{
  struct race *race = ctx;
  struct tally_replica *replica =
      race->there ? race->world.hub : race->world.d1;

  if (race->edits)
    kit_put (replica, "notes", "{\"_id\":\"both\",\"late\":true}");
  else
    kit_put (replica, "notes", "{\"_id\":\"extra\"}");
}

/* To push, to pull, to merge, and a delete each way. */
static void
differ (struct world *w)
{
  kit_put (w->d1, "notes",
           "[{\"_id\":\"both\",\"v\":0},{\"_id\":\"gone1\"},"
           "{\"_id\":\"gone2\"}]");
  world_sync (w);
  kit_put (w->d1, "notes", "[{\"_id\":\"ours\"},{\"_id\":\"both\",\"a\":1}]");
  kit_put (w->hub, "notes",
           "[{\"_id\":\"theirs\"},{\"_id\":\"both\",\"b\":1}]");
  kit_remove (w->d1, "notes", "gone1");
  kit_remove (w->hub, "notes", "gone2");
}

static void
save_and_apply (struct race *race, unsigned at, struct kit_run *run)
{
  struct tally_sync_options save = { .size = sizeof save };
  struct tally_sync_options apply = { .size = sizeof apply };
  char path[2 * KIT_PATH];

  world_path (&race->world, "plan", path);
  save.direction = apply.direction = TALLY_AS_CONFIGURED;
  save.dry_run = 1;
  save.save_plan = path;
  apply.apply_plan = path;
  kit_run_with (run, race->world.tally, "l1", NULL, &save);
  assert_int_equal (run->status, TALLY_OK);
  shim_fault_at (SHIM_NONE, 0, 0);
  shim_before_exchange (at, meddle, race);
  kit_run_with (run, race->world.tally, "l1", NULL, &apply);
}

/* False: there was no such exchange. */
static bool
race_at (struct race *race, unsigned at)
{
  struct world *w = &race->world;
  struct tally_replica *other;
  struct kit_run run;
  bool reached;
  char *extra;

  world_make (w, NULL);
  world_open (w);
  other = race->there ? w->d1 : w->hub;
  differ (w);
  save_and_apply (race, at, &run);
  reached = shim_exchanges () >= at;
  shim_before_exchange (0, NULL, NULL);
  assert_true (run.status == TALLY_OK || run.status == TALLY_CONFLICT);
  if (run.status == TALLY_CONFLICT)
    assert_non_null (strstr (run.err.text, "moved since the plan was made"));
  extra = kit_get (other, "notes", race->edits ? "both" : "extra", NULL);
  if (race->edits && extra)
    assert_null (strstr (extra, "late"));
  else if (!race->edits)
    assert_null (extra);
  free (extra);
  kit_sync (&run, w->tally, "l1");
  world_sync (w);
  world_settled (w, race->edits ? 3 : reached ? 4 : 3);
  if (reached)
    world_expect (w, "notes", race->edits ? "both" : "extra",
                  race->edits ? "\"late\":true" : "extra");
  else
    world_expect (w, "notes", "both", "\"a\":1,\"b\":1");
  world_remove (w);
  return reached;
}

static void
at_every_exchange (void **state)
{
  struct race *race = *state;
  unsigned at = 1;

  while (at < EXCHANGES_MAX && race_at (race, at))
    at++;
  /* Both the look and the run were met. */
  assert_in_range (at, 6, EXCHANGES_MAX - 1);
}

int
main (void)
{
  static struct race races[4] = { { .edits = false, .there = false },
                                  { .edits = false, .there = true },
                                  { .edits = true, .there = false },
                                  { .edits = true, .there = true } };
  const struct CMUnitTest tests[] = {
    { "a new document here", at_every_exchange, NULL, NULL, &races[0] },
    { "a new document there", at_every_exchange, NULL, NULL, &races[1] },
    { "an edit here", at_every_exchange, NULL, NULL, &races[2] },
    { "an edit there", at_every_exchange, NULL, NULL, &races[3] },
  };

  return cmocka_run_group_tests_name ("bound", tests, NULL, NULL);
}
