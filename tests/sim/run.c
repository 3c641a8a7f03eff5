/* SPDX-License-Identifier: MIT */
/* A run of a link: what it tells is held against what it changed, what comes
 * between, and whether a second one is still. */

#include <config.h>

#include <string.h>

#include "../../core/engine.h"
#include "oracle.h"

/* Runs that are looked ahead at. */
#define LOOK_ONE_IN 8

static int
add_report (void *ctx, const struct tally_report *report)
{
  struct totals *totals = ctx;

  totals->pulled += report->pulled;
  totals->pushed += report->pushed;
  totals->merged += report->merged;
  totals->conflicts += report->conflicts;
  totals->deleted += report->deleted;
  totals->round_trips += report->round_trips;
  if (report->status != TALLY_OK && totals->status == TALLY_OK) {
    totals->status = report->status;
    snprintf (totals->error, sizeof totals->error, "%s", report->error);
  }
  return 0;
}

static void
run_engine (struct world *world, const struct link_setup *setup,
            const struct op *op, struct foreseen *foreseen,
            struct totals *totals)
{
  struct channel *channel = NULL;
  struct tally_error err = { 0 };
  struct engine_link link = { .replica = world->run->client->replica,
                              .direction = op->direction,
                              .device = world->run->client->name };
  char name[32];
  int status;

  snprintf (name, sizeof name, "s%u-%c%u", setup->client,
            setup->folder ? 'f' : 's', setup->server);
  link.name = name;
  status = channel_adopt (
      &channel, setup->folder ? &folder_transport : &exchange_transport, world,
      name, &err);
  if (status == TALLY_OK) {
    link.channel = channel;
    if (foreseen)
      look_ahead (world, &link, foreseen);
    status = engine_sync (&link, add_report, totals, &err);
    channel_close (channel);
  }
  if (status != TALLY_OK && totals->status == TALLY_OK) {
    totals->status = status;
    snprintf (totals->error, sizeof totals->error, "%s", err.text);
  }
  trace (world,
         "    %s: pulled %d pushed %d merged %d conflicts %d deleted %d%s%s",
         name, (int) totals->pulled, (int) totals->pushed,
         (int) totals->merged, (int) totals->conflicts, (int) totals->deleted,
         totals->status == TALLY_OK ? "" : ", ", totals->error);
}

/* What a site has, to see what a run changed. */
static void
read_views (struct world *world, struct site *site,
            struct view views[SIM_DOCS])
{
  for (unsigned i = 0; i < world->setup->docs; i++)
    oracle_header (world, site, i, &views[i]);
}

static unsigned
count_changed (const struct world *world, const struct view *before,
               const struct view *after)
{
  unsigned n = 0;

  for (unsigned i = 0; i < world->setup->docs; i++)
    n += !oracle_equal (&before[i], &after[i]);
  return n;
}

/* A run that nothing came between tells what it did.  Of a tombstone that it
 * took, and then forgot, nothing is to be seen. */
static void
check_report (struct world *world, const struct totals *totals,
              unsigned changed_here, unsigned changed_there)
{
  if (totals->pulled > changed_here + totals->deleted
      || changed_here > totals->pulled + totals->merged
      || totals->pushed > changed_there + totals->deleted
      || changed_there > totals->pushed + totals->merged)
    violate (world, VIOLATION_REPORT,
             "pulled %d pushed %d merged %d, but %u changed here, %u there",
             (int) totals->pulled, (int) totals->pushed, (int) totals->merged,
             changed_here, changed_there);
}

/* Whether a run of this operation has no reason to fail. */
static bool
is_calm (const struct world *world, const struct op *op)
{
  return !op->fault && !op->crash && !op->meddle
         && !(world->setup->features
              & (FEATURE_COPIES | FEATURE_NETWORK | FEATURE_CRASHES
                 | FEATURE_CLOCKS | FEATURE_YEARS))
         && !(world->happened & FEATURE_CLOCKS);
}

void
world_sync (struct world *world, const struct op *op, struct totals *totals)
{
  const struct link_setup *link = &world->setup->links[op->site];
  struct run_context run = { .outer = world->run,
                             .number = ++world->runs,
                             .op = op };
  struct view before[2][SIM_DOCS], after[2][SIM_DOCS];
  uint64_t repairs = world->repairs;
  struct foreseen foreseen;
  bool looks, foresees;

  memset (totals, 0, sizeof *totals);
  if (op->site >= world->setup->n_links)
    return;
  run.client = &world->sites[link->client];
  run.server = link->folder ? NULL : &world->sites[link->server];
  run.folder = link->folder ? &world->folders[link->server] : NULL;
  if (!run.client->active || run.client->crashed
      || (run.server && !run.server->active))
    return;
  looks = run.server && !run.outer && !op->crash && !op->meddle && !op->fault;
  foresees = looks && op->seed % LOOK_ONE_IN == 1;
  if (op->crash && (run.server || !op->crash_server)) {
    struct site *site = op->crash_server ? run.server : run.client;

    site->crash = op->crash;
    site->crash_at = op->crash_at;
    site->calls = 0;
  }
  if (op->direction)
    world->happened |= FEATURE_DIRECTIONS;
  if (looks) {
    read_views (world, run.client, before[0]);
    read_views (world, run.server, before[1]);
  }
  world->run = &run;
  run_engine (world, link, op, foresees ? &foreseen : NULL, totals);
  world->run = run.outer;
  if (looks && totals->status == TALLY_OK && world->repairs == repairs) {
    read_views (world, run.client, after[0]);
    read_views (world, run.server, after[1]);
    check_report (world, totals, count_changed (world, before[0], after[0]),
                  count_changed (world, before[1], after[1]));
    if (foresees)
      look_back (world, &foreseen, totals);
  }
  if (!run.outer)
    world_recover (world, op);
}

void
world_meddle (struct world *world)
{
  struct run_context *run = world->run;
  const struct op *op = run->op;
  struct op inner = { .kind = op->meddle,
                      .site = op->meddle_site,
                      .doc = op->meddle_doc,
                      .fields = op->meddle_fields,
                      .seed = op->seed };
  bool writing = world->writing;

  if (!op->meddle || ++run->points != op->meddle_at)
    return;
  trace (world, "      meanwhile:");
  world->happened |= FEATURE_MEDDLING;
  world->writing = false;
  world_do (world, &inner);
  world->writing = writing;
}

uint64_t
totals_moved (const struct totals *totals)
{
  return totals->pulled + totals->pushed + totals->merged + totals->conflicts
         + totals->deleted;
}

/* A second run moves nothing. */
static void
sync_again (struct world *world, const struct op *op)
{
  struct totals totals;

  world_sync (world, op, &totals);
  if (totals.status != TALLY_OK)
    violate (world, VIOLATION_FAILED, "a second run fails: %s", totals.error);
  else if (totals_moved (&totals) > 0)
    violate (world, VIOLATION_AGAIN, "a second run moved %d documents",
             (int) totals_moved (&totals));
}

void
world_sync_op (struct world *world, const struct op *op)
{
  struct totals totals;

  world_sync (world, op, &totals);
  if (!is_calm (world, op) || world->run)
    return;
  if (totals.status != TALLY_OK)
    violate (world, VIOLATION_FAILED, "a run fails: %s", totals.error);
  else if (op->seed % 4 == 0)
    sync_again (world, op);
}
