/* SPDX-License-Identifier: MIT */
/* The two ears of a link.  Neither listens while the link runs: what a run
 * does here and there is no news.  After a clean run the cursors say exactly
 * what is new; after another one only what came since the last look counts,
 * or a document that was set aside would be news for ever. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "local.h"
#include "watch-internal.h"

#define SLICE_MS 1000 /* how late a stop may be seen */

/* How long a far side is asked to wait. */
#define LISTEN_MS WIRE_WAIT_MS_MAX

/* Who cannot be waited on may be another program one day. */
#define DEAF_MS 600000

/* Waits until the link does not run, and so many runs have ended.  False: it
 * is over. */
static bool
take_turn (struct watched *link, uint64_t runs, struct ear_turn *turn)
{
  struct tally_watcher *watcher = link->watcher;
  bool good;

  pthread_mutex_lock (&watcher->lock);
  while ((link->plan.running || link->runs < runs) && !link->over
         && !watch_stopping (watcher))
    watch_sleep (watcher, WATCH_NEVER);
  good = !link->over && !watch_stopping (watcher);
  turn->runs = link->runs;
  turn->clean = link->clean;
  pthread_mutex_unlock (&watcher->lock);
  return good;
}

/* What was found while a run began is no news, or the run's own doing: after
 * it there is another look.  False: it was not passed on. */
static bool
tell (struct watched *link, const struct ear_turn *turn,
      enum watch_event event)
{
  struct tally_watcher *watcher = link->watcher;
  bool news;

  pthread_mutex_lock (&watcher->lock);
  news = !link->plan.running && link->runs == turn->runs;
  if (news) {
    watch_plan_event (&link->plan, event, watch_now_ms ());
    pthread_cond_broadcast (&watcher->changed);
  }
  pthread_mutex_unlock (&watcher->lock);
  return news;
}

static void
rest (struct watched *link, uint64_t ms)
{
  struct tally_watcher *watcher = link->watcher;
  uint64_t end = watch_now_ms () + ms, now;

  pthread_mutex_lock (&watcher->lock);
  while (!link->over && !watch_stopping (watcher)) {
    now = watch_now_ms ();
    if (now >= end)
      break;
    watch_sleep (watcher, end - now);
  }
  pthread_mutex_unlock (&watcher->lock);
}

/* ---- near --------------------------------------------------------------- */

/* All up to `base` was told of, or there was nothing to tell. */
static void *
near_thread (void *ctx)
{
  struct watched *link = ctx;
  struct replica_watch watch = { 0 };
  struct tally_error ignored;
  struct ear_turn turn;
  uint64_t seen = 0, base = 0;

  while (take_turn (link, 1, &turn)) {
    bool anew = turn.runs != seen, moved, dirty = false;
    int status = replica_wait (link->replica, &watch, anew ? 0 : SLICE_MS,
                               &moved, &ignored);

    seen = turn.runs;
    if (status == TALLY_OK
        && (moved || (anew && (turn.clean || base < watch.head)))) {
      status = watch_look_here (link, turn.clean ? 0 : base, &dirty, &ignored);
      if (status == TALLY_OK && (!dirty || tell (link, &turn, WATCH_WRITE)))
        base = watch.head;
    }
    /* A run will say what is wrong. */
    if (status != TALLY_OK)
      rest (link, SLICE_MS);
  }
  return NULL;
}

/* ---- far ---------------------------------------------------------------- */

struct listener {
  struct watched *link;
  struct answer answer; /* of another store in this process */
  struct channel *channel;
  struct peer peer;
  struct replica_watch watch;
  uint64_t timeout_ms;
  uint64_t seen; /* runs */
  uint64_t head; /* all there up to it was told of */
  bool has_head;
  unsigned misses; /* in a row */
};

/* What is asked over a channel must not outlast it. */
static uint64_t
longest_wait (const struct endpoint *endpoint)
{
  const struct tally_option *rows = endpoint->driver->options;

  for (size_t i = 0; rows && rows[i].name; i++)
    if (strcmp (rows[i].name, "timeout") == 0
        && rows[i].type == TALLY_OPTION_DURATION) {
      uint64_t most = (uint64_t) endpoint->options.values[i].number;

      most -= most / 6;
      return most < LISTEN_MS ? most : LISTEN_MS;
    }
  return LISTEN_MS;
}

/* A channel of its own: what waits keeps no run from its turn, and is
 * cancelled when the watch stops.  Only a driver that makes one call at a
 * time, whatever the handle, cannot be waited on, and a folder. */
static int
open_far (struct listener *listener, struct tally_error *err)
{
  struct watched *link = listener->link;
  struct tally *tally = link->watcher->tally;
  struct endpoint endpoint = { 0 };
  bool dialect = false;
  int status;

  if (link->far_replica) {
    listener->answer.replica = link->far_replica;
    status = local_channel_open (&listener->channel, &listener->answer,
                                 link->route, err);
  } else {
    status = endpoint_resolve (&endpoint, tally, link->b, err);
    if (status == TALLY_OK) {
      dialect = endpoint.dialect;
      listener->timeout_ms = longest_wait (&endpoint);
      status = channel_open (&listener->channel, endpoint.driver,
                             endpoint.options.values, 0, link->route,
                             &link->watcher->host, err);
    }
    endpoint_free (&endpoint);
  }
  if (status == TALLY_OK
      && (dialect || !channel_can_linger (listener->channel)))
    status = error_set (err, TALLY_UNSUPPORTED, "%s: cannot be waited for",
                        link->route);
  if (status == TALLY_OK)
    status =
        peer_open (&listener->peer, listener->channel, link->replica, err);
  return status;
}

static void
set_deaf (struct watched *link, bool deaf)
{
  struct tally_watcher *watcher = link->watcher;

  pthread_mutex_lock (&watcher->lock);
  watch_plan_deaf (&link->plan, deaf);
  pthread_cond_broadcast (&watcher->changed);
  pthread_mutex_unlock (&watcher->lock);
}

/* A store in this process is asked only if it has changed. */
static bool
is_worth_asking (struct listener *listener, const struct ear_turn *turn,
                 int *status, struct tally_error *err)
{
  bool anew = turn->runs != listener->seen, moved;

  listener->seen = turn->runs;
  if (!listener->link->far_replica)
    return true;
  *status = replica_wait (listener->link->far_replica, &listener->watch,
                          anew ? 0 : SLICE_MS, &moved, err);
  return *status == TALLY_OK && (moved || anew);
}

/* After a run that was not clean, what is past the cursors may be what was
 * set aside.  Then the head counts that was told before the run; if none was,
 * it is asked for, and there is one more run. */
static int
ask (struct listener *listener, const struct ear_turn *turn, bool *changed,
     struct tally_error *err)
{
  bool blind = !turn->clean && !listener->has_head;
  uint64_t timeout_ms = blind ? 0 : listener->timeout_ms;
  uint64_t floor = turn->clean ? 0 : blind ? INT64_MAX : listener->head;
  uint64_t began = watch_now_ms (), head;
  int status = watch_look_there (listener->link, &listener->peer, timeout_ms,
                                 floor, changed, &head, err);

  if (status != TALLY_OK)
    return status;
  listener->head = head;
  listener->has_head = true;
  *changed |= blind;
  /* A no that comes too soon is from one who lets nobody wait now. */
  if (!*changed && watch_now_ms () - began < timeout_ms / 2)
    return error_set (err, TALLY_AGAIN, "nobody may wait there now");
  return TALLY_OK;
}

static void
miss (struct listener *listener, const struct ear_turn *turn, int status)
{
  struct watched *link = listener->link;
  bool later = status == TALLY_UNSUPPORTED || status == TALLY_INVALID;

  set_deaf (link, true);
  /* Is anybody there?  A run finds out, and says so. */
  if (++listener->misses == 1 && !later)
    tell (link, turn, WATCH_FAR);
  rest (link, later ? DEAF_MS
                    : watch_backoff_ms (listener->misses, watch_random ()));
}

static void
listen_far (struct listener *listener)
{
  struct watched *link = listener->link;
  struct tally_error ignored;
  struct ear_turn turn;
  uint64_t runs = 1;

  while (take_turn (link, runs, &turn)) {
    bool changed = false;
    int status = TALLY_OK;

    if (is_worth_asking (listener, &turn, &status, &ignored))
      status = ask (listener, &turn, &changed, &ignored);
    if (status == TALLY_CANCELLED)
      continue;
    if (status != TALLY_OK) {
      miss (listener, &turn, status);
      continue;
    }
    set_deaf (link, false);
    /* It is back: no need to wait for the next try. */
    changed |= listener->misses > 0 && !turn.clean;
    listener->misses = 0;
    if (changed && tell (link, &turn, WATCH_FAR))
      runs = turn.runs + 1;
    else if (changed)
      listener->has_head = false;
  }
}

static void *
far_thread (void *ctx)
{
  struct watched *link = ctx;
  struct listener listener = { .link = link };
  struct tally_error why = { 0 };

  if (open_far (&listener, &why) == TALLY_OK)
    listen_far (&listener);
  else {
    context_log (link->watcher->tally, 3, "%s", why.text);
    set_deaf (link, true);
  }
  if (listener.channel)
    peer_close (&listener.peer);
  channel_close (listener.channel);
  return NULL;
}

/* ---- both --------------------------------------------------------------- */

/* The stores stay open as long as the ears listen. */
static int
open_stores (struct watched *link, struct tally_error *err)
{
  struct tally *tally = link->watcher->tally;
  struct endpoint b = { 0 };
  int status = tally_replica_open (&link->ours, tally, link->a, 0, err);

  if (status == TALLY_OK)
    status = context_replica (&link->replica, link->ours, err);
  if (status == TALLY_OK)
    status = endpoint_resolve (&b, tally, link->b, err);
  if (status == TALLY_OK && endpoint_is_store (&b)) {
    status = context_open_replica (&link->theirs, tally, &b, 0, err);
    if (status == TALLY_OK)
      status = context_replica (&link->far_replica, link->theirs, err);
  }
  if (status == TALLY_OK) {
    link->route = strdup (endpoint_is_store (&b) ? b.key : b.title);
    if (!link->route)
      status = error_nomem (err);
  }
  endpoint_free (&b);
  return status;
}

static void
close_stores (struct watched *link)
{
  tally_replica_close (link->theirs);
  tally_replica_close (link->ours);
  free (link->route);
  link->theirs = link->ours = NULL;
  link->replica = link->far_replica = NULL;
  link->route = NULL;
}

bool
watch_listen (struct watched *link, struct tally_error *err)
{
  if (link->route)
    return true;
  if (open_stores (link, err) != TALLY_OK) {
    close_stores (link);
    return false;
  }
  if (link->direction != TALLY_PULL)
    link->has_near_ear =
        pthread_create (&link->near_ear, NULL, near_thread, link) == 0;
  if (link->hears_far && link->direction != TALLY_PUSH)
    link->has_far_ear =
        pthread_create (&link->far_ear, NULL, far_thread, link) == 0;
  return true;
}

void
watch_unlisten (struct watched *link)
{
  if (link->has_near_ear)
    pthread_join (link->near_ear, NULL);
  if (link->has_far_ear)
    pthread_join (link->far_ear, NULL);
  link->has_near_ear = link->has_far_ear = false;
  close_stores (link);
}
