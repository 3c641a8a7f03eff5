/* SPDX-License-Identifier: MIT */
/* Two clocks.  Each hello measures how far they are apart.  Who is off is told
 * by name; a store whose own clock was wrong, and is confirmed now, gives new
 * stamps to what it stamped then: in each collection once theirs is merged,
 * so that what others repaired before is not written over. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "engine-internal.h"
#include "error.h"

static uint64_t
distance (int64_t skew_ms)
{
  return skew_ms < 0 ? (uint64_t) -skew_ms : (uint64_t) skew_ms;
}

static bool
is_off (const struct run *run)
{
  return distance (run->welcome.skew_ms) > run->replica->max_skew_ms;
}

static const char *
our_name (const struct run *run)
{
  const char *device = run->link->device;

  return device && device[0] ? device : "this machine";
}

static const char *
far_name (const struct run *run)
{
  const char *device = run->welcome.device;

  return device && device[0] ? device : run->link->channel->name;
}

static void
warn (const struct run *run, const struct tally_error *line)
{
  const struct tally_host *host = run->replica->host;

  if (host && host->log)
    host->log (host->ctx, 1, line->text);
}

/* ---- whose clock -------------------------------------------------------- */

static void
skew_text (const struct run *run, char out[CLOCK_REASON])
{
  int64_t skew = run->welcome.skew_ms;
  char far[DURATION_TEXT];

  duration_text (far, distance (skew));
  snprintf (out, CLOCK_REASON,
            "the clock of \"%.60s\" (this machine) is %s %s \"%.60s\"",
            our_name (run), far, skew < 0 ? "ahead of" : "behind",
            far_name (run));
}

void
run_clock_reason (const struct run *run, enum held_side side, uint64_t ms,
                  char out[CLOCK_REASON])
{
  uint64_t wall = replica_wall_ms (run->replica);
  char far[DURATION_TEXT];

  /* A clock that is off the other way explains nothing. */
  if (is_off (run) && (run->welcome.skew_ms < 0) == (side == HELD_OURS)) {
    skew_text (run, out);
    return;
  }
  if (side == HELD_OURS)
    wall = run_far_wall_ms (run, wall);
  duration_text (far, ms > wall ? ms - wall : 0);
  snprintf (out, CLOCK_REASON,
            "written when a clock was %s ahead of \"%.60s\"", far,
            side == HELD_OURS ? far_name (run) : our_name (run));
}

uint64_t
run_far_wall_ms (const struct run *run, uint64_t wall_ms)
{
  int64_t skew = run->welcome.skew_ms;

  if (skew < 0 && (uint64_t) -skew > wall_ms)
    return 0;
  return wall_ms + (uint64_t) skew;
}

/* ---- a run -------------------------------------------------------------- */

int
run_look_ahead (struct run *run, struct tally_error *err)
{
  if (channel_is_folder (run->link->channel))
    return TALLY_OK;
  return replica_is_ahead (run->replica, &run->ahead, err);
}

/* A store in this very process has our clock: what it holds must not speak
 * against it.  Another machine confirms the clock whatever it holds, and
 * waits for us: it repairs when we say hello with nothing to repair. */
static bool
is_confirmed (const struct run *run)
{
  if (peer_is_passive (&run->peer) || is_off (run))
    return false;
  return !run->link->same_clock || !run->welcome.ahead;
}

int
run_compare_clocks (struct run *run, struct tally_error *err)
{
  struct tally_error line;
  char text[CLOCK_REASON];

  if (peer_is_passive (&run->peer))
    return TALLY_OK;
  if (is_off (run)) {
    skew_text (run, text);
    error_set (&line, TALLY_OK, "%s: %s", run->link->channel->name, text);
    warn (run, &line);
  }
  run->repairs = run->ahead && is_confirmed (run);
  if (run->repairs && run->link->look)
    return TALLY_OK;
  if (run->repairs)
    return repair_begin (&run->repair, run->replica, err);
  if (run->ahead && !is_off (run)) {
    error_set (&line, TALLY_OK,
               "%s: was written to when its clock showed a later time than "
               "now; nothing is repaired until another machine confirms the "
               "clock",
               run->replica->name);
    warn (run, &line);
  }
  return TALLY_OK;
}

/* ---- repair ------------------------------------------------------------- */

int
sync_repair (struct sync *sync, struct tally_error *err)
{
  struct run *run = sync->run;
  uint64_t since = 0;
  bool done;
  int status = repair_collection (&run->repair, sync->collection, &since,
                                  UINT64_MAX, &done, err);

  sync->repaired = true;
  return status;
}

int
run_repair (struct run *run, struct tally_error *err)
{
  bool done;
  int status;

  if (!run->repairs)
    return TALLY_OK;
  status = repair_end (&run->repair, UINT64_MAX, &done, err);
  repair_tell (&run->repair);
  return status;
}
