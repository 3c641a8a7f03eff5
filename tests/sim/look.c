/* SPDX-License-Identifier: MIT */
/* Now and then a run is looked ahead at first: a dry run writes nothing on
 * either side, moves no clock, lets nobody know anything, and foresees what
 * the run then tells that it did. */

#include <config.h>

#include <string.h>

#include "../../core/engine.h"
#include "oracle.h"

static int
add_move (void *ctx, const struct plan_move *move, struct tally_error *err)
{
  struct foreseen *foreseen = ctx;

  (void) err;
  if (move->again)
    return TALLY_OK;
  switch (move->step) {
  case STEP_PULL:
    foreseen->pulled++;
    break;
  case STEP_PUSH:
    foreseen->pushed++;
    break;
  case STEP_MERGE:
    foreseen->merged++;
    break;
  case STEP_NONE:
    break;
  }
  return TALLY_OK;
}

static int
take_report (void *ctx, const struct tally_report *report)
{
  struct foreseen *foreseen = ctx;

  foreseen->failed |= report->status != TALLY_OK;
  return 0;
}

/* Clocks as they were, also in memory. */
static void
remember (struct hlc clocks[2], const struct site *const sites[2])
{
  for (unsigned i = 0; i < 2; i++)
    if (sites[i] && sites[i]->replica)
      clocks[i] = sites[i]->replica->clock;
}

static void
check_clocks (struct world *world, const struct hlc before[2],
              const struct site *const sites[2])
{
  struct hlc now[2];

  remember (now, sites);
  for (unsigned i = 0; i < 2; i++)
    if (sites[i] && sites[i]->replica
        && (now[i].ms != before[i].ms || now[i].counter != before[i].counter
            || now[i].client != before[i].client))
      violate (world, VIOLATION_LOOK, "a dry run moved the clock of %s",
               sites[i]->name);
}

void
look_ahead (struct world *world, const struct engine_link *link,
            struct foreseen *foreseen)
{
  struct run_context *run = world->run, looking = *run;
  const struct site *const sites[2] = { run->client, run->server };
  struct engine_look look = { .move = add_move, .ctx = foreseen };
  struct engine_link looked = *link;
  struct tally_error err = { 0 };
  struct hlc clocks[2];

  memset (foreseen, 0, sizeof *foreseen);
  foreseen->forgotten = world->forgotten;
  looked.look = &look;
  remember (clocks, sites);
  world->run = &looking;
  world->looking = true;
  foreseen->failed =
      engine_sync (&looked, take_report, foreseen, &err) != TALLY_OK
      || foreseen->failed;
  world->run = run;
  world->looking = false;
  check_clocks (world, clocks, sites);
  trace (world, "    foreseen: %u to pull, %u to push, %u to merge%s%s",
         foreseen->pulled, foreseen->pushed, foreseen->merged,
         foreseen->failed ? ", " : "", err.text);
}

void
look_back (struct world *world, const struct foreseen *foreseen,
           const struct totals *totals)
{
  /* The hello of a run acknowledges, after which a tombstone may be forgotten
   * that the look still met. */
  if (foreseen->failed || totals->status != TALLY_OK
      || world->forgotten != foreseen->forgotten)
    return;
  if (foreseen->pulled != totals->pulled || foreseen->pushed != totals->pushed
      || foreseen->merged != totals->merged)
    violate (world, VIOLATION_LOOK,
             "foreseen were %u to pull, %u to push, %u to merge; it was "
             "%d, %d, %d",
             foreseen->pulled, foreseen->pushed, foreseen->merged,
             (int) totals->pulled, (int) totals->pushed, (int) totals->merged);
}
