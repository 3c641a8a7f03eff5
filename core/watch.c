/* SPDX-License-Identifier: MIT */
/* watch of tally.h: watchers, which are links with their threads, made and
 * ended. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "link.h"
#include "public.h"
#include "watch-internal.h"
#include "watch.h"

#define TICK_MS 100 /* how late tally_cancel may be seen */

uint64_t
watch_now_ms (void)
{
  return (uint64_t) (monotonic_seconds () * 1000);
}

uint64_t
watch_random (void)
{
  uint64_t random;

  randombytes_buf (&random, sizeof random);
  return random;
}

bool
watch_stopping (const struct tally_watcher *watcher)
{
  return watcher->stop || atomic_load (&watcher->tally->cancelled);
}

void
watch_sleep (struct tally_watcher *watcher, uint64_t ms)
{
  struct timespec until;

  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long) (ms < TICK_MS ? ms : TICK_MS) * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait (&watcher->changed, &watcher->lock, &until);
}

void
watch_stop (struct tally_watcher *watcher)
{
  pthread_mutex_lock (&watcher->lock);
  watcher->stop = true;
  pthread_cond_broadcast (&watcher->changed);
  pthread_mutex_unlock (&watcher->lock);
}

/* ---- making one --------------------------------------------------------- */

static int
fill_link (struct watched *link, const char *name, const char *a,
           const char *b, struct tally_error *err)
{
  struct tally_watcher *watcher = link->watcher;

  link->name = strdup (name);
  link->a = strdup (a);
  link->b = strdup (b);
  link->hears_far = !(watcher->flags & TALLY_WATCH_ON_WRITE);
  if (!link->name || !link->a || !link->b)
    return error_nomem (err);
  if (!watcher->sync.collections)
    return TALLY_OK;
  link->collections = NULL;
  return collections_parse (&link->own_collections, watcher->sync.collections,
                            err);
}

static int
add_pair (struct tally_watcher *watcher, const char *a, const char *b,
          struct tally_error *err)
{
  struct watched *link = &watcher->links[watcher->n++];
  struct buf name = BUF_INIT;
  int status;

  buf_addf (&name, "%s %s", a, b);
  buf_add_byte (&name, '\0');
  link->watcher = watcher;
  link->paired = true;
  status = link_direction (&link->direction, watcher->sync.direction,
                           CONFIG_BOTH, err);
  if (status == TALLY_OK)
    status = name.failed ? error_nomem (err)
                         : fill_link (link, name.data, a, b, err);
  link->collections = (const char *const *) link->own_collections;
  buf_free (&name);
  return status;
}

static int
add_link (struct tally_watcher *watcher, const char *name,
          struct tally_error *err)
{
  const struct config_link *from = config_link (watcher->tally->config, name);
  struct watched *link;
  int status;

  if (!from)
    return link_unknown (watcher->tally, name, err);
  if ((watcher->flags & TALLY_WATCH_ON_WRITE) && !from->on_write)
    return TALLY_OK;
  /* Named twice is watched once. */
  for (size_t i = 0; i < watcher->n; i++)
    if (strcmp (watcher->links[i].name, name) == 0)
      return TALLY_OK;
  link = &watcher->links[watcher->n++];
  link->watcher = watcher;
  link->plan.interval_ms = (uint64_t) from->interval_ms;
  status = link_direction (&link->direction, watcher->sync.direction,
                           from->direction, err);
  if (status == TALLY_OK)
    status = fill_link (link, from->name, from->store->name,
                        from->transport->name, err);
  link->collections = link->own_collections
                          ? (const char *const *) link->own_collections
                          : (const char *const *) from->collections;
  return status;
}

static int
add_links (struct tally_watcher *watcher, const char *const *names, size_t n,
           const struct tally_watch_options *options, struct tally_error *err)
{
  const struct config *config = watcher->tally->config;
  size_t count = n > 0 ? n : config->n_links;
  int status = TALLY_OK;

  watcher->links = calloc (count + 1, sizeof *watcher->links);
  if (!watcher->links)
    return error_nomem (err);
  if (options->a && options->b)
    return add_pair (watcher, options->a, options->b, err);
  for (size_t i = 0; i < count && status == TALLY_OK; i++)
    status = add_link (watcher, n > 0 ? names[i] : config->links[i].name, err);
  return status;
}

static int
host_cancelled (void *ctx)
{
  struct tally_watcher *watcher = ctx;
  bool stopping;

  pthread_mutex_lock (&watcher->lock);
  stopping = watch_stopping (watcher);
  pthread_mutex_unlock (&watcher->lock);
  return stopping;
}

static void
host_log (void *ctx, int level, const char *text)
{
  struct tally_watcher *watcher = ctx;

  watcher->tally->host.log (watcher->tally->host.ctx, level, text);
}

static void
init (struct tally_watcher *watcher, struct tally *tally,
      const struct tally_watch_options *options)
{
  pthread_condattr_t attr;

  watcher->tally = tally;
  watcher->flags = options->flags;
  watcher->report = options->report;
  watcher->ran = options->run;
  watcher->ctx = options->ctx;
  watcher->host.size = sizeof watcher->host;
  watcher->host.ctx = watcher;
  watcher->host.log = host_log;
  watcher->host.cancelled = host_cancelled;
  watcher->sync.size = sizeof watcher->sync;
  if (options->sync)
    public_copy (&watcher->sync, sizeof watcher->sync, options->sync,
                 options->sync->size);
  watcher->sync.size = sizeof watcher->sync;
  pthread_mutex_init (&watcher->callback_lock, NULL);
  pthread_mutex_init (&watcher->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&watcher->changed, &attr);
  pthread_condattr_destroy (&attr);
}

static void
watcher_free (struct tally_watcher *watcher)
{
  for (size_t i = 0; i < watcher->n; i++) {
    struct watched *link = &watcher->links[i];

    collections_free (link->own_collections);
    free (link->b);
    free (link->a);
    free (link->name);
  }
  free (watcher->links);
  free (watcher->sync_collections);
  pthread_cond_destroy (&watcher->changed);
  pthread_mutex_destroy (&watcher->lock);
  pthread_mutex_destroy (&watcher->callback_lock);
  free (watcher);
}

static int
start_threads (struct tally_watcher *watcher, struct tally_error *err)
{
  watcher->running = watcher->n;
  for (size_t i = 0; i < watcher->n; i++) {
    struct watched *link = &watcher->links[i];

    link->has_runner =
        pthread_create (&link->runner, NULL, watch_run, link) == 0;
    if (!link->has_runner)
      return error_set (err, TALLY_FAILED, "%s: no thread to watch it",
                        link->name);
  }
  return TALLY_OK;
}

static void
end_threads (struct tally_watcher *watcher)
{
  watch_stop (watcher);
  for (size_t i = 0; i < watcher->n; i++)
    if (watcher->links[i].has_runner)
      pthread_join (watcher->links[i].runner, NULL);
}

int
tally_watch_start (struct tally_watcher **out, struct tally *tally,
                   const char *const *links, size_t n,
                   const struct tally_watch_options *given,
                   struct tally_error *err)
{
  struct tally_watch_options options = { 0 };
  struct tally_watcher *watcher = calloc (1, sizeof *watcher);
  int status = TALLY_OK;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  if (!watcher)
    return error_nomem (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  init (watcher, tally, &options);
  if (watcher->sync.dry_run || watcher->sync.save_plan
      || watcher->sync.apply_plan)
    status = error_set (err, TALLY_USAGE,
                        "watch: goes with neither a dry run nor a plan");
  if (status == TALLY_OK && watcher->sync.collections) {
    watcher->sync_collections = strdup (watcher->sync.collections);
    watcher->sync.collections = watcher->sync_collections;
    if (!watcher->sync_collections)
      status = error_nomem (err);
  }
  if (status == TALLY_OK)
    status = add_links (watcher, links, n, &options, err);
  if (status == TALLY_OK)
    status = start_threads (watcher, err);
  if (status != TALLY_OK) {
    end_threads (watcher);
    watcher_free (watcher);
    return status;
  }
  pthread_mutex_lock (&tally->lock);
  watcher->next = tally->watchers;
  tally->watchers = watcher;
  pthread_mutex_unlock (&tally->lock);
  *out = watcher;
  return TALLY_OK;
}

/* ---- ending ------------------------------------------------------------- */

int
tally_watch_stop (struct tally_watcher *watcher, struct tally_error *err)
{
  struct tally_watcher **at;
  struct tally *tally;
  bool given_up;
  int status = TALLY_OK;

  if (!watcher)
    return TALLY_OK;
  tally = watcher->tally;
  pthread_mutex_lock (&watcher->lock);
  given_up = watcher->running == 0 && !watch_stopping (watcher);
  pthread_mutex_unlock (&watcher->lock);
  end_threads (watcher);
  pthread_mutex_lock (&tally->lock);
  for (at = &tally->watchers; *at && *at != watcher;)
    at = &(*at)->next;
  if (*at)
    *at = watcher->next;
  pthread_mutex_unlock (&tally->lock);
  if (given_up && watcher->why.status != TALLY_OK)
    status = error_set (PUBLIC_ERROR (err), watcher->why.status, "%s",
                        watcher->why.text);
  watcher_free (watcher);
  return status;
}

void
watch_stop_all (struct tally *tally)
{
  while (tally->watchers)
    tally_watch_stop (tally->watchers, NULL);
}

int
tally_watch (struct tally *tally, const char *const *links, size_t n,
             const struct tally_watch_options *options,
             struct tally_error *err)
{
  struct tally_watcher *watcher;
  int status = tally_watch_start (&watcher, tally, links, n, options, err);

  if (status != TALLY_OK)
    return status;
  pthread_mutex_lock (&watcher->lock);
  while (watcher->running > 0)
    watch_sleep (watcher, WATCH_NEVER);
  pthread_mutex_unlock (&watcher->lock);
  return tally_watch_stop (watcher, err);
}
