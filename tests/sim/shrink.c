/* SPDX-License-Identifier: MIT */
/* Running a schedule, and finding the shortest one that fails in the same
 * way: operations are left out, then what goes wrong in them. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "oracle.h"

void
schedule_run (const struct schedule *schedule, FILE *out,
              struct verdict *verdict)
{
  struct world *world = malloc (sizeof *world);

  memset (verdict, 0, sizeof *verdict);
  if (!world) {
    verdict->violation = VIOLATION_FAILED;
    snprintf (verdict->why, sizeof verdict->why, "out of memory");
    return;
  }
  chance_start (schedule->seed);
  world_start (world, &schedule->setup);
  world->trace = out;
  world_run (world, schedule->ops, schedule->n);
  verdict->violation = world->violation;
  memcpy (verdict->why, world->why, sizeof verdict->why);
  verdict->operations = world->operations;
  world_free (world);
  free (world);
}

static bool
still_fails (const struct schedule *schedule, enum violation violation)
{
  struct verdict verdict;

  schedule_run (schedule, NULL, &verdict);
  return verdict.violation == violation;
}

static void
remove_ops (struct schedule *schedule, size_t at, size_t n)
{
  memmove (schedule->ops + at, schedule->ops + at + n,
           (schedule->n - at - n) * sizeof schedule->ops[0]);
  schedule->n -= n;
}

/* Takes whole stretches out first.  True: some went. */
static bool
drop_ops (struct schedule *schedule, enum violation violation)
{
  struct schedule *less = malloc (sizeof *less);
  size_t before = schedule->n;

  for (size_t chunk = schedule->n / 2; less && chunk > 0; chunk /= 2)
    for (size_t at = schedule->n; at >= chunk;) {
      at -= chunk;
      *less = *schedule;
      if (at + chunk > less->n)
        continue;
      remove_ops (less, at, chunk);
      if (still_fails (less, violation))
        *schedule = *less;
      if (at < chunk)
        break;
    }
  free (less);
  return schedule->n < before;
}

/* One thing less in an operation; false: there is no such thing. */
static bool
simplify (struct op *op, unsigned how)
{
  struct op was = *op;

  switch (how) {
  case 0:
    op->fault = NET_FINE;
    break;
  case 1:
    op->crash = CRASH_NONE;
    break;
  case 2:
    op->meddle = OP_NONE;
    break;
  case 3:
    op->direction = 0;
    break;
  case 4:
    op->wait_ms = 0;
    break;
  case 5:
    op->removed = 0;
    break;
  case 6:
    op->fields &= (unsigned char) -op->fields;
    break;
  default:
    op->stops = 0;
  }
  return memcmp (&was, op, sizeof was) != 0;
}

static bool
simplify_ops (struct schedule *schedule, enum violation violation)
{
  bool changed = false;

  for (size_t i = 0; i < schedule->n; i++)
    for (unsigned how = 0; how < 8; how++) {
      struct op was = schedule->ops[i];

      if (!simplify (&schedule->ops[i], how))
        continue;
      if (still_fails (schedule, violation))
        changed = true;
      else
        schedule->ops[i] = was;
    }
  return changed;
}

static void
simplify_setup (struct schedule *schedule, enum violation violation)
{
  for (unsigned i = 0; i < SIM_SITES; i++)
    for (unsigned how = 0; how < 2; how++) {
      struct setup was = schedule->setup;

      if (how == 0)
        schedule->setup.site[i].lacks = 0;
      else
        schedule->setup.site[i].memory = false;
      if (!still_fails (schedule, violation))
        schedule->setup = was;
    }
}

void
schedule_shrink (struct schedule *schedule, enum violation violation)
{
  simplify_setup (schedule, violation);
  for (unsigned i = 0; i < 4; i++) {
    bool shorter = drop_ops (schedule, violation);

    if (!simplify_ops (schedule, violation) && !shorter)
      break;
  }
}
