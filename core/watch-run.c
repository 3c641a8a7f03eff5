/* SPDX-License-Identifier: MIT */
/* The thread of a link that is watched: runs it when its plan says so.  What
 * it runs is tally_sync or tally_pair, as anybody would call them. */

#include <config.h>

#include "watch-internal.h"

static int
on_report (void *ctx, const struct tally_report *report)
{
  struct watched *link = ctx;
  struct tally_watcher *watcher = link->watcher;
  int enough = 0;

  link->reached |= report->collection != NULL;
  link->moved += report->pulled + report->pushed + report->merged;
  if (!watcher->report)
    return 0;
  pthread_mutex_lock (&watcher->callback_lock);
  enough = watcher->report (watcher->ctx, report);
  pthread_mutex_unlock (&watcher->callback_lock);
  if (enough)
    watch_stop (watcher);
  return enough;
}

/* Waits until a run is due.  False: it is all over. */
static bool
await_due (struct watched *link)
{
  struct tally_watcher *watcher = link->watcher;
  bool good;

  pthread_mutex_lock (&watcher->lock);
  for (;;) {
    uint64_t now = watch_now_ms (), due = watch_plan_due (&link->plan);

    good = !watch_stopping (watcher);
    if (!good || due <= now)
      break;
    watch_sleep (watcher, due - now);
  }
  if (good)
    watch_plan_begin (&link->plan);
  pthread_mutex_unlock (&watcher->lock);
  return good;
}

/* Takes the run in, and fills what is told of it. */
static void
end_run (struct watched *link, const struct tally_error *why,
         struct tally_watch_run *run)
{
  struct tally_watcher *watcher = link->watcher;
  uint64_t now = watch_now_ms ();

  pthread_mutex_lock (&watcher->lock);
  watch_plan_end (&link->plan, why->status, link->moved, now, watch_random ());
  link->clean = why->status == TALLY_OK;
  link->reached |= link->clean;
  link->over = watch_is_hopeless (why->status, link->reached);
  link->runs++;
  if (link->over && watcher->why.status == TALLY_OK)
    watcher->why = *why;
  run->ended = link->over;
  if (!link->clean && !link->over && link->plan.failures > 0)
    run->again_ms = link->plan.timer_ms - now;
  pthread_cond_broadcast (&watcher->changed);
  pthread_mutex_unlock (&watcher->lock);
  run->size = sizeof *run;
  run->link = link->name;
  run->status = why->status;
  run->error = why->status == TALLY_OK ? NULL : why->text;
  run->moved = link->moved;
}

/* False: that was the last one. */
static bool
run_once (struct watched *link)
{
  struct tally_watcher *watcher = link->watcher;
  struct tally_watch_run run = { 0 };
  struct tally_error why = { 0 };
  int enough = 0;

  link->moved = 0;
  why.status = link->paired
                   ? tally_pair (watcher->tally, link->a, link->b,
                                 &watcher->sync, on_report, link, &why)
                   : tally_sync (watcher->tally, link->name, &watcher->sync,
                                 on_report, link, &why);
  if (why.status == TALLY_CANCELLED)
    return false;
  end_run (link, &why, &run);
  if (watcher->ran) {
    pthread_mutex_lock (&watcher->callback_lock);
    enough = watcher->ran (watcher->ctx, &run);
    pthread_mutex_unlock (&watcher->callback_lock);
  }
  if (enough)
    watch_stop (watcher);
  return !enough && !run.ended;
}

void *
watch_run (void *ctx)
{
  struct watched *link = ctx;
  struct tally_watcher *watcher = link->watcher;
  struct tally_error ignored;

  /* A store that is there is held from the beginning; the ears wait for the
   * first run. */
  watch_listen (link, &ignored);
  while (await_due (link) && run_once (link))
    watch_listen (link, &ignored);
  pthread_mutex_lock (&watcher->lock);
  link->over = true;
  watcher->running--;
  pthread_cond_broadcast (&watcher->changed);
  pthread_mutex_unlock (&watcher->lock);
  watch_unlisten (link);
  return NULL;
}
