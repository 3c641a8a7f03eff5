/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/context.h"
#include "clock-world.h"

#define START UINT64_C (1750000000000)

static uint64_t
wall_ms (void *ctx)
{
  const struct clock *clock = ctx;

  return *clock->now_ms + (uint64_t) clock->off_ms;
}

static void
sleep_ms (void *ctx, unsigned ms)
{
  (void) ctx;
  (void) ms;
}

/* The server logs in its own thread, while the one that syncs waits for it. */
static void
keep_log (void *ctx, int level, const char *line)
{
  struct clock_world *f = ctx;
  size_t used = strlen (f->log);

  if (level <= 1 && used + strlen (line) + 2 < sizeof f->log)
    snprintf (f->log + used, sizeof f->log - used, "%s\n", line);
}

static void
own_clock (struct clock_world *f, struct tally_replica *replica, int which)
{
  struct tally_error err;
  struct replica *inner;

  assert_int_equal (context_replica (&inner, replica, &err), TALLY_OK);
  f->clocks[which].now_ms = &f->now_ms;
  inner->time.wall_ms = wall_ms;
  inner->time.sleep_ms = sleep_ms;
  inner->time.ctx = &f->clocks[which];
}

static void
open_world (struct clock_world *f)
{
  world_open (&f->world);
  own_clock (f, f->world.d1, D1);
  own_clock (f, f->world.d2, D2);
  own_clock (f, f->world.hub, HUB);
}

struct clock_world *
clock_make (const char *driver)
{
  struct clock_world *f = calloc (1, sizeof *f);

  assert_non_null (f);
  f->now_ms = START;
  f->setup.size = sizeof f->setup;
  f->setup.log = keep_log;
  f->setup.ctx = f;
  world_make (&f->world, driver);
  f->world.setup = &f->setup;
  open_world (f);
  return f;
}

int
clock_set_up (void **state)
{
  *state = clock_make (NULL);
  return 0;
}

int
clock_set_up_bare (void **state)
{
  *state = clock_make ("bare");
  return 0;
}

int
clock_tear_down (void **state)
{
  struct clock_world *f = *state;

  world_remove (&f->world);
  free (f);
  return 0;
}

/* ---- doing -------------------------------------------------------------- */

void
clock_pass (struct clock_world *f, uint64_t ms)
{
  f->now_ms += ms;
}

void
clock_sync (struct clock_world *f, const char *link, struct kit_run *run)
{
  clock_pass (f, 1000);
  kit_try_sync (run, f->world.tally, link, TALLY_AS_CONFIGURED);
}

void
clock_good (struct clock_world *f, const char *link)
{
  struct kit_run run;

  clock_pass (f, 1000);
  kit_sync (&run, f->world.tally, link);
}

void
clock_all_good (struct clock_world *f)
{
  clock_good (f, "l1");
  clock_good (f, "l2");
}

void
clock_held (struct clock_world *f, const char *link, const char *why)
{
  struct kit_run run;

  clock_sync (f, link, &run);
  if (run.status != TALLY_AGAIN)
    fail_msg ("status %d: %s", run.status, run.err.text);
  if (!strstr (run.err.text, why))
    fail_msg ("\"%s\" is not in: %s", why, run.err.text);
}

void
clock_put (struct clock_world *f, struct tally_replica *replica,
           const char *id, char field, int value)
{
  char *json = kit_get (replica, "notes", id, NULL), text[256];
  size_t used = 0;

  clock_pass (f, 1000);
  for (char c = 'v'; c <= 'y'; c++) {
    const char name[] = { '"', c, '"', ':', '\0' };
    const char *at = json ? strstr (json, name) : NULL;

    if (c == field || at)
      used += (size_t) snprintf (text + used, sizeof text - used, ",%s%d",
                                 name, c == field ? value : atoi (at + 4));
  }
  kit_put (replica, "notes", "{\"_id\":\"%s\"%s}", id, text);
  free (json);
}

void
clock_settled (struct clock_world *f, uint64_t documents)
{
  clock_pass (f, 1000);
  world_settled (&f->world, documents);
}

void
clock_logged (struct clock_world *f, const char *text)
{
  if (!strstr (f->log, text))
    fail_msg ("\"%s\" is not in the log:\n%s", text, f->log);
}

size_t
clock_lines (const struct clock_world *f, const char *text)
{
  size_t n = 0;

  for (const char *at = strstr (f->log, text); at; at = strstr (at + 1, text))
    n++;
  return n;
}

static int
keep_held (void *ctx, const struct tally_status_row *row)
{
  struct clock_found *found = ctx;

  if (!row->held)
    return 0;
  found->n++;
  snprintf (found->id, sizeof found->id, "%s", row->id);
  snprintf (found->held, sizeof found->held, "%s", row->held);
  snprintf (found->reason, sizeof found->reason, "%s", row->reason);
  return 0;
}

struct clock_found
clock_list_held (struct clock_world *f, const char *store)
{
  struct clock_found found = { 0 };
  struct tally_error err = { 0 };

  if (tally_status (f->world.tally, store, keep_held, &found, &err)
      != TALLY_OK)
    fail_msg ("%s", err.text);
  return found;
}

bool
clock_is_ahead (struct tally_replica *replica)
{
  struct tally_error err;
  bool ahead;

  assert_int_equal (replica_is_ahead (replica->replica, &ahead, &err),
                    TALLY_OK);
  return ahead;
}

static int
count_conflict (void *ctx, const struct tally_conflict *conflict)
{
  (void) conflict;
  ++*(size_t *) ctx;
  return 0;
}

static size_t
conflicts (struct tally_replica *replica)
{
  struct tally_error err = { 0 };
  size_t n = 0;

  if (tally_conflicts (replica, NULL, 0, count_conflict, &n, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return n;
}

size_t
clock_conflicts (struct clock_world *f)
{
  return conflicts (f->world.d1) + conflicts (f->world.d2)
         + conflicts (f->world.hub);
}
