/* SPDX-License-Identifier: MIT */
/* Two things bring a run on: a timer (the interval, or after a failure the
 * next try) and an event.  Whichever is due first counts, and a run takes
 * both. */

#include <config.h>

#include <tally/tally.h>

#include "watch-plan.h"

static uint64_t
least (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static uint64_t
greatest (uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

bool
watch_is_hopeless (int status, bool reached)
{
  switch (status) {
  case TALLY_DENIED:
  case TALLY_UNSUPPORTED:
  case TALLY_CORRUPT:
  case TALLY_CONFLICT: /* a guard: somebody has to say what is meant */
  case TALLY_CONFIG:
  case TALLY_USAGE:
    return true;
  case TALLY_NOTFOUND: /* a stick that was pulled out comes back */
  case TALLY_INVALID:
    return !reached;
  default:
    return false;
  }
}

/* A document that was set aside is no reason to run again: it will be there
 * when something else is. */
static bool
is_failure (int status)
{
  return status != TALLY_OK && status != TALLY_INVALID;
}

uint64_t
watch_backoff_ms (unsigned failures, uint64_t random)
{
  uint64_t ceiling = WATCH_BACKOFF_MS;

  while (failures-- > 1 && ceiling < WATCH_BACKOFF_MAX_MS)
    ceiling *= 2;
  ceiling = least (ceiling, WATCH_BACKOFF_MAX_MS);
  return ceiling / 2 + random % (ceiling / 2 + 1);
}

static uint64_t
period_of (const struct watch_plan *plan)
{
  return plan->interval_ms > 0 ? plan->interval_ms
         : plan->deaf          ? WATCH_POLL_MS
                               : 0;
}

uint64_t
watch_plan_due (const struct watch_plan *plan)
{
  if (plan->running)
    return WATCH_NEVER;
  return plan->waits ? least (plan->timer_ms, plan->event_ms) : plan->timer_ms;
}

void
watch_plan_event (struct watch_plan *plan, enum watch_event event,
                  uint64_t now_ms)
{
  uint64_t quiet = event == WATCH_WRITE ? WATCH_QUIET_MS : WATCH_FAR_MS;

  plan->last = event;
  if (plan->running) {
    plan->again = true;
    return;
  }
  if (!plan->waits)
    plan->first_ms = now_ms;
  plan->event_ms =
      greatest (least (now_ms + quiet, plan->first_ms + WATCH_GATHER_MS),
                plan->not_before_ms);
  plan->waits = true;
}

/* Only a plan that is past a good run has no timer. */
void
watch_plan_deaf (struct watch_plan *plan, bool deaf)
{
  if (plan->deaf == deaf)
    return;
  plan->deaf = deaf;
  if (plan->failures == 0 && plan->ended_ms > 0)
    plan->timer_ms =
        period_of (plan) ? plan->ended_ms + period_of (plan) : WATCH_NEVER;
}

void
watch_plan_begin (struct watch_plan *plan)
{
  plan->running = true;
  plan->asked = plan->waits;
  plan->waits = plan->again = false;
}

void
watch_plan_end (struct watch_plan *plan, int status, uint64_t moved,
                uint64_t now_ms, uint64_t random)
{
  plan->running = false;
  plan->ended_ms = now_ms;
  plan->not_before_ms = 0;
  if (is_failure (status)) {
    uint64_t wait = watch_backoff_ms (++plan->failures, random);

    plan->timer_ms = now_ms + wait;
    plan->not_before_ms =
        now_ms
        + least (wait, WATCH_EAGER_MS / 2 + wait % (WATCH_EAGER_MS / 2));
  } else {
    plan->failures = 0;
    plan->timer_ms =
        period_of (plan) ? now_ms + period_of (plan) : WATCH_NEVER;
    /* Whoever cries wolf is believed later and later. */
    plan->vain = plan->asked && moved == 0 ? plan->vain + 1 : 0;
    if (plan->vain > 1)
      plan->not_before_ms = now_ms + watch_backoff_ms (plan->vain - 1, random);
  }
  if (plan->again)
    watch_plan_event (plan, plan->last, now_ms);
  plan->again = false;
}
