/* SPDX-License-Identifier: MIT */
/* Sites, links and time, what befalls them, and how they settle. */

#include <config.h>

#include <stdarg.h>
#include <string.h>

#include "oracle.h"

/* Of which each may still note what the one before it found out. */
#define QUIET_ROUNDS 3

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

/* ---- what befalls a site ------------------------------------------------ */

void
world_recover (struct world *world, const struct op *op)
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
  world_recover (world, op);
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
  world->put_back |= 1u << site->index;
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
    world_sync_op (world, op);
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
    world_recover (world, op);
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
    else if (totals_moved (&totals) > 0)
      snprintf (why, size, "documents keep moving");
    still = still && totals.status == TALLY_OK && totals_moved (&totals) == 0;
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
