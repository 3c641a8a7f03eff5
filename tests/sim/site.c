/* SPDX-License-Identifier: MIT */
/* A machine with a store: its process ends and comes again, it has a clock of
 * its own, and what it logs is read. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "../kit/quiet-host.h"
#include "oracle.h"

const struct tally_driver *tally_driver_1 (void); /* the memory driver */

/* "s1-s0: notes: 2 documents that only one side still had were kept; ..." */
static void
note_returned (struct world *world, const char *text)
{
  const char *told = strstr (text, " that only one side still had");
  const char *number = told;

  if (!told)
    return;
  /* Back over "document" or "documents". */
  while (number > text && number[-1] >= 'a' && number[-1] <= 'z')
    number--;
  if (number > text)
    number--;
  while (number > text && number[-1] >= '0' && number[-1] <= '9')
    number--;
  world->returned[strstr (text, ": tasks: ") != NULL] +=
      strtoull (number, NULL, 10);
}

/* That a pair broke is only told of here.  A damaged folder can look like
 * another copy's. */
static void
host_log (void *ctx, int level, const char *text)
{
  const struct site *site = ctx;
  struct world *world = site->world;

  world->copies_found += strstr (text, "was copied")
                         || strstr (text, "a copy of this store answers");
  if (strstr (text, "was copied")) {
    if (!(world->happened & FEATURE_COPIES) && world->run
        && !world->run->folder)
      violate (world, VIOLATION_BROKEN, "%s: a pair broke without reason",
               site->name);
    world->broke = true;
  }
  note_returned (world, text);
  trace (site->world, "      %s logs (%d): %s", site->name, level, text);
}

uint64_t
site_wall_ms (const struct site *site)
{
  if (site->stopped)
    return site->stopped_ms;
  return (uint64_t) ((int64_t) site->world->now_ms + site->off_ms);
}

static uint64_t
time_wall (void *ctx)
{
  return site_wall_ms (ctx);
}

static void
time_sleep (void *ctx, unsigned ms)
{
  struct site *site = ctx;

  site->world->now_ms += ms;
}

void
site_start (struct site *site, struct world *world, unsigned index)
{
  unsigned lacks = world->setup->site[index].lacks;

  memset (site, 0, sizeof *site);
  site->world = world;
  site->index = index;
  site->memory = world->setup->site[index].memory;
  site->inner_ops = site->memory ? tally_driver_1 ()->store : &disk_store;
  snprintf (site->name, sizeof site->name, "s%u", index);
  snprintf (site->place, sizeof site->place, "%s-0", site->name);
  site_gate (site, lacks);
  site->clock.counter = -1;
  site->driver.name = "gate";
  site->driver.store = &site->ops;
  site->host = (struct tally_host){ sizeof site->host, site, host_log,
                                    quiet_cancelled };
  site->time = (struct time_source){ time_wall, time_sleep, site };
}

void
site_free (struct site *site)
{
  site_close (site);
  if (site->memory && site->inner)
    site->inner_ops->close (site->inner);
  buf_free (&site->disk.log);
  buf_free (&site->backup.log);
}

void
site_open (struct site *site)
{
  static const struct tally_value values[1] = { { NULL, 0 } };
  unsigned lacks = site->world->setup->site[site->index].lacks;
  struct replica_setup setup = { .driver = &site->driver,
                                 .values = values,
                                 .flags = TALLY_OPEN_CREATE,
                                 .name = site->name,
                                 .place = site->place,
                                 .witness = lacks & LACKS_WITNESS
                                                ? NULL
                                                : &site->witness,
                                 .host = &site->host,
                                 .time = &site->time,
                                 .max_skew_ms = SIM_SKEW_MS,
                                 .keep_deleted_ms = SIM_KEEP_MS };
  struct tally_error err = { 0 };

  if (replica_open (&site->replica, &setup, &err) != TALLY_OK
      && !site->crashed)
    violate (site->world, VIOLATION_FAILED, "%s does not open: %s", site->name,
             err.text);
  site->answer =
      (struct answer){ .replica = site->replica, .device = site->name };
}

void
site_close (struct site *site)
{
  replica_close (site->replica);
  site->replica = NULL;
  site->clock = (struct hlc){ 0, -1, 0 };
}

void
site_recover (struct site *site, struct rng *rng)
{
  site_close (site);
  disk_cut_power (&site->disk, site->crash, rng);
  site->crashed = false;
  site->crash = CRASH_NONE;
  site_open (site);
}
