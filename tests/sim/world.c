/* SPDX-License-Identifier: MIT */
/* Sites, links and time, and what each operation does to them. */

#include <config.h>

#include <stdarg.h>
#include <string.h>

#include "../../core/engine.h"
#include "oracle.h"

/* Of which each may still note what the one before it found out. */
#define QUIET_ROUNDS 3

/* Runs that are looked ahead at. */
#define LOOK_ONE_IN 8

/* ---- small things ------------------------------------------------------- */

void
violate (struct world *world, enum violation what, const char *fmt, ...)
{
  va_list args;

  if (world->violation != VIOLATION_NONE)
    return;
  world->violation = what;
  va_start (args, fmt);
  vsnprintf (world->why, sizeof world->why, fmt, args);
  va_end (args);
  trace (world, "    VIOLATION: %s", world->why);
}

void
trace (const struct world *world, const char *fmt, ...)
{
  va_list args;

  if (!world->trace)
    return;
  va_start (args, fmt);
  vfprintf (world->trace, fmt, args);
  va_end (args);
  fputc ('\n', world->trace);
}

/* The last ones are in a second collection, if there is one. */
const char *
doc_collection (const struct world *world, unsigned doc)
{
  return world->setup->two && doc >= world->setup->docs / 2 ? "tasks"
                                                            : "notes";
}

const char *
doc_id (unsigned doc)
{
  static const char *const ids[SIM_DOCS] = { "d0", "d1", "d2", "d3",
                                             "d4", "d5", "d6", "d7",
                                             "d8", "d9", "da", "db" };

  return ids[doc];
}

int
doc_of (struct tally_slice id)
{
  for (unsigned i = 0; i < SIM_DOCS; i++)
    if (slice_equal (id, slice_text (doc_id (i))))
      return (int) i;
  return -1;
}

void
world_start (struct world *world, const struct setup *setup)
{
  memset (world, 0, sizeof *world);
  world->setup = setup;
  world->now_ms = SIM_START_MS;
  for (unsigned i = 0; i < SIM_SITES; i++)
    site_start (&world->sites[i], world, i);
  for (unsigned i = 0; i < setup->sites; i++) {
    world->sites[i].active = true;
    site_open (&world->sites[i]);
  }
}

void
world_free (struct world *world)
{
  for (unsigned i = 0; i < SIM_SITES; i++)
    site_free (&world->sites[i]);
  network_free (world);
}

/* ---- runs --------------------------------------------------------------- */

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

static void
recover (struct world *world, const struct op *op)
{
  struct rng rng = { op->seed };

  for (unsigned i = 0; i < SIM_SITES; i++) {
    struct site *site = &world->sites[i];

    if (!site->crashed) {
      site->crash = CRASH_NONE;
      continue;
    }
    site_recover (site, &rng);
    writer_recover (world, site);
  }
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
  if (op->direction != TALLY_BOTH)
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
    recover (world, op);
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

static uint64_t
moved (const struct totals *totals)
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
  else if (moved (&totals) > 0)
    violate (world, VIOLATION_AGAIN, "a second run moved %d documents",
             (int) moved (&totals));
}

static void
do_sync (struct world *world, const struct op *op)
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

/* ---- what befalls a site ------------------------------------------------ */

static void
do_clock (struct world *world, const struct op *op)
{
  struct site *site = &world->sites[op->site];

  world->happened |= FEATURE_CLOCKS;
  site->stopped = false;
  site->off_ms = op->ms;
  site->stopped_ms = site_wall_ms (site);
  site->stopped = op->stops;
}

static void
new_place (struct site *site)
{
  site->places++;
  snprintf (site->place, sizeof site->place, "s%u-%u", site->index,
            site->places);
  site->witness.set = false;
}

/* It may die while it wakes up. */
static void
do_restart (struct world *world, const struct op *op)
{
  struct site *site = &world->sites[op->site];

  site_close (site);
  if (op->kind == OP_MOVE)
    new_place (site);
  site->crash = op->crash;
  site->crash_at = op->crash_at;
  site->calls = 0;
  site_open (site);
  recover (world, op);
}

static void
do_backup (struct world *world, const struct op *op)
{
  struct site *site = &world->sites[op->site];

  if (site->memory)
    return;
  disk_copy (&site->backup, &site->disk);
  memcpy (site->backup_knows, world->knows[site->index],
          sizeof site->backup_knows);
  site->has_backup = true;
}

/* What the site wrote since its backup it does not know any more. */
static void
rewind_writes (struct world *world, const struct site *site)
{
  for (unsigned doc = 0; doc < SIM_DOCS; doc++)
    for (unsigned i = 0; i < world->docs[doc].n; i++) {
      struct event *event = &world->docs[doc].events[i];

      event->rewound |=
          event->site == site->index && !(site->backup_knows[doc] >> i & 1);
    }
}

static void
do_rollback (struct world *world, const struct op *op)
{
  struct site *site = &world->sites[op->site];

  if (!site->has_backup)
    return;
  world->happened |= FEATURE_COPIES;
  oracle_forgive_journal (site);
  site_close (site);
  if (op->kind == OP_REVIVE)
    new_place (site);
  disk_copy (&site->disk, &site->backup);
  rewind_writes (world, site);
  memcpy (world->knows[site->index], site->backup_knows,
          sizeof site->backup_knows);
  site->clock_note_ms = 0;
  site_open (site);
  oracle_forgive (world);
}

static void
do_clone (struct world *world, const struct op *op)
{
  struct site *from = &world->sites[op->site];
  struct site *to = &world->sites[world->setup->sites];

  if (from->memory || to->memory || to->active)
    return;
  world->happened |= FEATURE_COPIES;
  to->active = true;
  to->off_ms = from->off_ms;
  to->ops = from->ops;
  disk_copy (&to->disk, &from->disk);
  memcpy (world->knows[to->index], world->knows[from->index],
          sizeof world->knows[to->index]);
  site_open (to);
}

static void
check_clocks (struct world *world)
{
  for (unsigned i = 0; i < SIM_SITES; i++) {
    struct site *site = &world->sites[i];
    const struct hlc *now;

    if (!site->replica)
      continue;
    now = &site->replica->clock;
    /* A repair turns it back for a fresh client. */
    if (now->client == site->clock.client
        && (now->ms < site->clock.ms
            || (now->ms == site->clock.ms
                && now->counter < site->clock.counter)))
      violate (world, VIOLATION_CLOCK, "the clock of %s went back",
               site->name);
    site->clock = *now;
  }
}

void
world_do (struct world *world, const struct op *op)
{
  if (world->trace)
    op_print (world->trace, op);
  world->operations++;
  world->now_ms += op->wait_ms;
  if (op->kind != OP_SYNC && op->kind != OP_LATE
      && (op->site >= SIM_SITES || !world->sites[op->site].active
          || world->sites[op->site].crashed))
    return;
  switch (op->kind) {
  case OP_SYNC:
    do_sync (world, op);
    break;
  case OP_LATE:
    if (world->n_late > 0)
      late_deliver (world, op->seed % world->n_late);
    break;
  case OP_CLOCK:
    do_clock (world, op);
    break;
  case OP_RESTART:
  case OP_MOVE:
    do_restart (world, op);
    break;
  case OP_BACKUP:
    do_backup (world, op);
    break;
  case OP_ROLLBACK:
  case OP_REVIVE:
    do_rollback (world, op);
    break;
  case OP_CLONE:
    do_clone (world, op);
    break;
  default:
    writer_do (world, op);
  }
  if (!world->run) {
    recover (world, op);
    check_clocks (world);
  }
}

/* ---- settling ----------------------------------------------------------- */

/* Every link once; whether nothing moved and nothing failed. */
static bool
sync_all (struct world *world, char *why, size_t size)
{
  bool still = true;

  for (unsigned i = 0; i < world->setup->n_links && !world->violation; i++) {
    struct op op = { .kind = OP_SYNC, .site = (unsigned char) i };
    struct totals totals;

    world->now_ms += 20;
    world_sync (world, &op, &totals);
    if (totals.status != TALLY_OK)
      snprintf (why, size, "%s", totals.error);
    else if (moved (&totals) > 0)
      snprintf (why, size, "documents keep moving");
    still = still && totals.status == TALLY_OK && moved (&totals) == 0;
  }
  return still;
}

static uint64_t
count_writes (const struct world *world)
{
  uint64_t writes = 0;

  for (unsigned i = 0; i < SIM_SITES; i++)
    writes += world->sites[i].writes;
  return writes;
}

void
world_settle (struct world *world)
{
  unsigned rounds = 2 * world->setup->sites + 6;
  char why[300] = "";
  uint64_t writes;
  bool still = false;

  trace (world, "  faults are over");
  for (unsigned i = 0; i < SIM_SITES; i++) {
    world->sites[i].off_ms = 0;
    world->sites[i].stopped = false;
  }
  world->now_ms += 1000;
  /* Who has only now learned of a copy mends its other pairs in the next. */
  for (unsigned i = 0; i < rounds && !still && !world->violation; i++) {
    unsigned found = world->copies_found;

    still = sync_all (world, why, sizeof why) && world->copies_found == found;
  }
  if (!still)
    violate (world, VIOLATION_DIVERGED, "not settled after %u rounds: %s",
             rounds, why);
  if (!check_equal (world, why, sizeof why))
    violate (world, VIOLATION_DIVERGED, "settled, but %s", why);
  /* Acknowledgements follow, and then there is nothing left to note. */
  for (unsigned i = 0; i <= QUIET_ROUNDS && !world->violation; i++) {
    writes = count_writes (world);
    if (!sync_all (world, why, sizeof why))
      violate (world, VIOLATION_AGAIN, "after all was settled: %s", why);
    if (count_writes (world) == writes)
      return;
  }
  violate (world, VIOLATION_AGAIN, "runs that move nothing keep writing");
}

void
world_run (struct world *world, const struct op *ops, size_t n)
{
  for (size_t i = 0; i < n && !world->violation; i++)
    world_do (world, &ops[i]);
  if (!world->violation)
    world_settle (world);
  if (!world->violation)
    check_settled (world);
}
