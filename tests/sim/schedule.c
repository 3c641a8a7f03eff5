/* SPDX-License-Identifier: MIT */
/* What is tried: a schedule drawn from a seed.  Faults come in phases, with
 * calm ones in between, so that what went wrong has time to do harm. */

#include <config.h>

#include <string.h>

#include <tally/tally.h>

#include "sim.h"

/* ---- who is there ------------------------------------------------------- */

static void
add_link (struct setup *setup, unsigned client, unsigned server, bool folder)
{
  struct link_setup *link = &setup->links[setup->n_links];

  if (setup->n_links == SIM_LINKS || (!folder && client == server))
    return;
  link->client = (unsigned char) client;
  link->server = (unsigned char) server;
  link->folder = folder;
  setup->n_links++;
}

static void
draw_star (struct setup *setup)
{
  for (unsigned i = 1; i < setup->sites; i++)
    add_link (setup, i, 0, false);
}

static void
draw_chain (struct setup *setup, struct rng *rng)
{
  for (unsigned i = 1; i < setup->sites; i++)
    if (rng_one_in (rng, 2))
      add_link (setup, i, i - 1, false);
    else
      add_link (setup, i - 1, i, false);
}

/* Each to a folder, or two of them. */
static void
draw_folders (struct setup *setup, struct rng *rng, bool all)
{
  for (unsigned i = 0; i < setup->sites; i++)
    if (all || i < 2 || rng_one_in (rng, 2))
      add_link (setup, i, 0, true);
  if (all && rng_one_in (rng, 3)) {
    add_link (setup, 0, 1, true);
    add_link (setup, setup->sites - 1, 1, true);
  }
}

static void
draw_links (struct setup *setup, struct rng *rng)
{
  unsigned shape = rng_below (rng, 3);
  bool folders = setup->features & FEATURE_FOLDERS;

  if (folders && rng_one_in (rng, 3))
    draw_folders (setup, rng, true);
  else if (shape == 0)
    draw_chain (setup, rng);
  else
    draw_star (setup);
  if (folders && !setup->links[0].folder)
    draw_folders (setup, rng, false);
  if (setup->features & FEATURE_MESH)
    for (unsigned i = 0; i < setup->sites; i++)
      add_link (setup, rng_below (rng, setup->sites),
                rng_below (rng, setup->sites), false);
  if (!(setup->features & FEATURE_COPIES))
    return;
  /* A copy goes where its original went, as far as that is known here. */
  add_link (setup, setup->sites, 0, setup->links[0].folder);
  if (!setup->links[0].folder)
    add_link (setup, setup->sites, 1, false);
}

static void
draw_setup (struct setup *setup, struct rng *rng, unsigned features,
            unsigned always)
{
  uint64_t draw = rng_next (rng);

  memset (setup, 0, sizeof *setup);
  setup->features = features & (unsigned) draw;
  /* One in four without faults, and half of the others with few. */
  if (rng_one_in (rng, 4))
    setup->features &= FEATURE_DELETES | FEATURE_FOLDERS | FEATURE_MESH;
  else if (rng_one_in (rng, 2))
    setup->features &= (unsigned) (draw >> 32);
  setup->features |= always;
  /* Nobody says hello in a folder: no clock is confirmed there, and what was
   * stamped by a wrong one stays as it is. */
  if (setup->features & FEATURE_YEARS)
    setup->features &= ~(unsigned) FEATURE_FOLDERS;
  setup->sites = 2 + rng_below (rng, 4);
  setup->docs = 5 + rng_below (rng, SIM_DOCS - 4);
  setup->two = rng_one_in (rng, 4);
  for (unsigned i = 0; i < SIM_SITES; i++) {
    setup->site[i].memory = i < setup->sites && rng_one_in (rng, 3);
    if (rng_one_in (rng, 3))
      setup->site[i].lacks = rng_below (rng, 16);
    if (draw >> (48 + i) & 1)
      setup->site[i].lacks |= LACKS_WITNESS;
  }
  draw_links (setup, rng);
}

/* ---- operations --------------------------------------------------------- */

static unsigned char
draw_fields (struct rng *rng)
{
  return (unsigned char) (1 + rng_below (rng, (1u << SIM_FIELDS) - 1));
}

static void
draw_crash (struct op *op, struct rng *rng, unsigned calls)
{
  op->crash = (enum crash) (1 + rng_below (rng, CRASHES - 1));
  op->crash_at = 1 + rng_below (rng, calls);
  op->crash_server = rng_one_in (rng, 2);
}

static void
draw_write (struct op *op, const struct setup *setup, struct rng *rng)
{
  unsigned which = rng_below (rng, 100);

  op->doc = (unsigned char) rng_below (rng, setup->docs);
  op->fields = draw_fields (rng);
  op->removed = rng_one_in (rng, 5) ? draw_fields (rng) : 0;
  if (which < 14)
    op->kind = OP_REPLACE;
  else if (which < 28 && (setup->features & FEATURE_DELETES))
    op->kind = OP_DELETE;
  else
    op->kind = OP_PUT;
}

static void
draw_meddling (struct op *op, const struct setup *setup, struct rng *rng)
{
  struct op write = { .kind = OP_NONE };

  op->meddle_at = 1 + rng_below (rng, 16);
  if (rng_one_in (rng, 3)) {
    op->meddle = OP_SYNC;
    op->meddle_site = (unsigned char) rng_below (rng, setup->n_links);
    return;
  }
  draw_write (&write, setup, rng);
  op->meddle = write.kind;
  op->meddle_site = (unsigned char) rng_below (rng, setup->sites);
  op->meddle_doc = write.doc;
  op->meddle_fields = write.fields;
}

static void
draw_sync (struct op *op, const struct setup *setup, struct rng *rng,
           bool faulty)
{
  op->kind = OP_SYNC;
  op->site = (unsigned char) rng_below (rng, setup->n_links);
  if ((setup->features & FEATURE_DIRECTIONS) && rng_one_in (rng, 3))
    op->direction = rng_one_in (rng, 2) ? TALLY_PUSH : TALLY_PULL;
  if ((setup->features & FEATURE_MEDDLING) && rng_one_in (rng, 4))
    draw_meddling (op, setup, rng);
  if (!faulty)
    return;
  if ((setup->features & FEATURE_NETWORK) && rng_one_in (rng, 2)) {
    op->fault = (enum net_fault) (1 + rng_below (rng, NET_FAULTS - 1));
    op->fault_at = 1 + rng_below (rng, 7);
  }
  if ((setup->features & FEATURE_CRASHES) && rng_one_in (rng, 3))
    draw_crash (op, rng, 30);
}

static void
draw_clock (struct op *op, const struct setup *setup, struct rng *rng)
{
  int64_t range = (int64_t) SIM_SKEW_MS / 2;

  if (setup->features & FEATURE_YEARS)
    range = rng_one_in (rng, 2) ? 365 * SIM_DAY_MS : SIM_DAY_MS;
  op->kind = OP_CLOCK;
  op->stops = rng_one_in (rng, 4);
  if (rng_one_in (rng, 3))
    return;
  op->ms = (int64_t) (rng_next (rng) % (uint64_t) (2 * range)) - range;
}

/* Something that befalls a site; OP_NONE when the schedule has none of it. */
static void
draw_mishap (struct op *op, const struct setup *setup, struct rng *rng,
             bool faulty)
{
  static const enum op_kind copies[] = { OP_BACKUP, OP_BACKUP, OP_ROLLBACK,
                                         OP_REVIVE, OP_CLONE };
  unsigned which = rng_below (rng, 8);

  if (which < 2 && (setup->features & (FEATURE_CLOCKS | FEATURE_YEARS)))
    draw_clock (op, setup, rng);
  else if (which == 2) {
    op->kind = OP_RESTART;
    if (faulty && (setup->features & FEATURE_CRASHES))
      draw_crash (op, rng, 6);
  } else if (which == 3 && (setup->features & FEATURE_MOVES))
    op->kind = OP_MOVE;
  else if (which == 4 && faulty && (setup->features & FEATURE_NETWORK))
    op->kind = OP_LATE;
  else if (which == 5 && (setup->features & FEATURE_NATIVE)) {
    op->kind = OP_NATIVE;
    op->doc = (unsigned char) rng_below (rng, setup->docs);
    op->fields = draw_fields (rng);
    op->ms = -(int64_t) rng_below (rng, 100000);
  } else if (which > 5 && (setup->features & FEATURE_COPIES)
             && rng_one_in (rng, 2))
    op->kind = copies[rng_below (rng, 5)];
}

static uint64_t
draw_wait (const struct setup *setup, struct rng *rng)
{
  uint64_t days = setup->features & FEATURE_AWAY ? 150 : 20;
  unsigned which = rng_below (rng, 200);

  if (which == 0)
    return rng_next (rng) % (days * (uint64_t) SIM_DAY_MS);
  if (which < 6)
    return rng_below (rng, 3600 * 1000);
  if (which < 30)
    return rng_below (rng, 2000);
  return rng_below (rng, 30);
}

static void
draw_op (struct op *op, const struct setup *setup, struct rng *rng,
         bool faulty)
{
  unsigned which = rng_below (rng, 100);

  memset (op, 0, sizeof *op);
  op->wait_ms = draw_wait (setup, rng);
  op->site = (unsigned char) rng_below (
      rng, setup->sites + (setup->features & FEATURE_COPIES ? 1 : 0));
  op->seed = rng_next (rng);
  if (which < 10)
    draw_mishap (op, setup, rng, faulty);
  else if (which < 14)
    op->kind = rng_one_in (rng, 3) ? OP_DROP : OP_RESTORE;
  else if (which < 55) {
    draw_sync (op, setup, rng, faulty);
    return;
  }
  if (op->kind != OP_NONE)
    return;
  draw_write (op, setup, rng);
  if (faulty && (setup->features & FEATURE_CRASHES) && rng_one_in (rng, 8))
    draw_crash (op, rng, 5);
}

void
schedule_make (struct schedule *schedule, uint64_t seed, unsigned features,
               unsigned always)
{
  struct rng rng = { seed * UINT64_C (0x9e3779b97f4a7c15) + 1 };
  bool faulty = false;

  memset (schedule, 0, sizeof *schedule);
  schedule->seed = seed;
  draw_setup (&schedule->setup, &rng, features, always);
  schedule->n = 200 + rng_below (&rng, 40);
  for (size_t i = 0; i < schedule->n; i++) {
    if (rng_one_in (&rng, 25))
      faulty = !faulty;
    draw_op (&schedule->ops[i], &schedule->setup, &rng, faulty);
  }
}
