/* SPDX-License-Identifier: MIT */
/* Live queries of tally.h: a thread that runs the query again whenever the
 * store has changed, and tells of the difference.  It goes by the store and
 * not by hooks, so that it misses nothing, whoever wrote. */

#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "context.h"
#include "doclist.h"
#include "document.h"
#include "idmap.h"
#include "live-order.h"
#include "public.h"

#define DEBOUNCE_MS 100u
#define WAIT_MS 1000u
#define AGAIN_MS 500u
#define AGAIN_MAX_MS 30000u

/* The results of one run: ids and revisions; bodies only while they are told
 * of. */
struct results {
  struct doclist docs; /* meta is the rev as text */
  struct idmap ids;
};

struct tally_live {
  struct tally_replica *handle;
  struct replica *replica;
  char *collection, *query, *sort;
  uint64_t skip, limit;
  unsigned debounce_ms;
  tally_live_fn *fn;
  void *ctx;

  pthread_t thread;
  atomic_bool stop;

  struct results last;
};

static void
results_free (struct results *results)
{
  doclist_free (&results->docs);
  idmap_free (&results->ids);
}

/* ---- running the query -------------------------------------------------- */

static int
keep (void *ctx, const struct tally_document *document)
{
  struct results *results = ctx;
  struct tally_doc doc = { 0 };
  const struct tally_doc *copy;

  doc.id = slice_text (document->id);
  doc.meta = slice_make (document->rev, strlen (document->rev) + 1);
  doc.body = slice_make (document->json, document->json_size);
  copy = doclist_add (&results->docs, &doc);
  if (!copy
      || !idmap_add (&results->ids, copy->id, results->docs.count - 1, NULL)) {
    results->docs.failed = true;
    return 1;
  }
  return 0;
}

static int
run_query (struct tally_live *live, struct results *results,
           struct tally_error *err)
{
  struct tally_find_options options = { .size = sizeof options };
  int status;

  options.sort = live->sort;
  options.skip = live->skip;
  options.limit = live->limit;
  status = tally_find (live->handle, live->collection, live->query, &options,
                       keep, results, err);
  if (status == TALLY_OK && results->docs.failed)
    status = error_nomem (err);
  return status;
}

/* ---- telling ------------------------------------------------------------ */

static void
tell (struct tally_live *live, struct tally_live_event *event)
{
  event->size = sizeof *event;
  if (!atomic_load (&live->stop) && live->fn (live->ctx, event))
    atomic_store (&live->stop, true);
}

static void
tell_doc (struct tally_live *live, int type, const struct tally_doc *doc,
          size_t index, size_t old_index)
{
  struct tally_live_event event = { .type = type };
  char id[TALLY_ID_MAX + 1];

  memcpy (id, doc->id.data, doc->id.size);
  id[doc->id.size] = '\0';
  event.id = id;
  event.rev = doc->meta.data;
  event.index = index;
  event.old_index = old_index;
  if (type != TALLY_LIVE_REMOVED) {
    event.json = doc->body.data;
    event.json_size = doc->body.size;
  }
  tell (live, &event);
}

static void
tell_difference (struct tally_live *live, const struct results *now,
                 const size_t *old, const bool *moved)
{
  const struct results *last = &live->last;

  for (size_t i = 0; i < last->docs.count; i++)
    if (idmap_find (&now->ids, last->docs.docs[i].id) == IDMAP_NONE)
      tell_doc (live, TALLY_LIVE_REMOVED, &last->docs.docs[i], 0, i);
  for (size_t i = 0; i < now->docs.count; i++) {
    const struct tally_doc *doc = &now->docs.docs[i];

    if (old[i] == SIZE_MAX)
      tell_doc (live, TALLY_LIVE_ADDED, doc, i, 0);
    else if (moved[i])
      tell_doc (live, TALLY_LIVE_MOVED, doc, i, old[i]);
    else if (!slice_equal (doc->meta, last->docs.docs[old[i]].meta))
      tell_doc (live, TALLY_LIVE_CHANGED, doc, i, old[i]);
  }
}

static bool
is_same (const struct results *a, const struct results *b)
{
  if (a->docs.count != b->docs.count)
    return false;
  for (size_t i = 0; i < a->docs.count; i++)
    if (!slice_equal (a->docs.docs[i].id, b->docs.docs[i].id)
        || !slice_equal (a->docs.docs[i].meta, b->docs.docs[i].meta))
      return false;
  return true;
}

/* Keeps ids and revisions without the bodies. */
static bool
remember (struct results *last, const struct results *now)
{
  struct results kept = { DOCLIST_INIT, IDMAP_INIT };
  bool done = true;

  for (size_t i = 0; i < now->docs.count && done; i++) {
    struct tally_doc doc = now->docs.docs[i];
    const struct tally_doc *copy;

    doc.body = slice_make (NULL, 0);
    copy = doclist_add (&kept.docs, &doc);
    done = copy && idmap_add (&kept.ids, copy->id, i, NULL);
  }
  results_free (done ? last : &kept);
  if (done)
    *last = kept;
  return done;
}

static int
tell_results (struct tally_live *live, const struct results *now, bool first,
              struct tally_error *err)
{
  struct tally_live_event ready = { .type = TALLY_LIVE_READY };
  size_t n = now->docs.count;
  size_t *old = malloc ((n + 1) * sizeof *old);
  bool *moved = calloc (n + 1, sizeof *moved);
  int status = old && moved ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    size_t at = idmap_find (&live->last.ids, now->docs.docs[i].id);

    old[i] = at == IDMAP_NONE ? SIZE_MAX : at;
  }
  if (status == TALLY_OK && !live_order (moved, old, n))
    status = error_nomem (err);
  if (status == TALLY_OK && (first || !is_same (&live->last, now))) {
    tell_difference (live, now, old, moved);
    tell (live, &ready);
    if (!remember (&live->last, now))
      status = error_nomem (err);
  }
  free (moved);
  free (old);
  return status;
}

/* ---- the thread --------------------------------------------------------- */

static int
look (struct tally_live *live, bool first, struct tally_error *err)
{
  struct results now = { DOCLIST_INIT, IDMAP_INIT };
  int status = run_query (live, &now, err);

  if (status == TALLY_OK)
    status = tell_results (live, &now, first, err);
  results_free (&now);
  return status;
}

static uint64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* Until something was written and it has been quiet for a while. */
static int
await_change (struct tally_live *live, struct replica_watch *watch,
              struct tally_error *err)
{
  bool moved = false;
  uint64_t end;
  int status = TALLY_OK;

  while (!moved && status == TALLY_OK && !atomic_load (&live->stop))
    status = replica_wait (live->replica, watch, WAIT_MS, &moved, err);
  end = now_ms () + 10 * (uint64_t) live->debounce_ms;
  while (moved && status == TALLY_OK && !atomic_load (&live->stop)
         && now_ms () < end)
    status =
        replica_wait (live->replica, watch, live->debounce_ms, &moved, err);
  return status;
}

/* A wait that a put of ours ends would not be one. */
static void
pause_ms (const struct tally_live *live, unsigned ms)
{
  struct timespec tick = { 0, 20000000 };

  for (; ms > 20 && !atomic_load (&live->stop); ms -= 20)
    nanosleep (&tick, NULL);
}

static void *
live_main (void *ctx)
{
  struct tally_live *live = ctx;
  struct replica_watch watch = { 0 };
  struct tally_error err = { 0 };
  unsigned again_ms = AGAIN_MS;
  bool first = true, moved;

  /* The head is read first: what is written after it comes round again. */
  int status = replica_wait (live->replica, &watch, 0, &moved, &err);

  while (!atomic_load (&live->stop) && status != TALLY_CANCELLED) {
    if (status == TALLY_OK)
      status = look (live, first, &err);
    if (status == TALLY_OK) {
      first = false;
      again_ms = AGAIN_MS;
      status = await_change (live, &watch, &err);
    } else if (status != TALLY_CANCELLED) {
      struct tally_live_event failed = { .type = TALLY_LIVE_FAILED };

      failed.status = status;
      failed.error = err.text;
      tell (live, &failed);
      pause_ms (live, again_ms);
      again_ms = again_ms * 2 < AGAIN_MAX_MS ? again_ms * 2 : AGAIN_MAX_MS;
      status = TALLY_OK;
    }
  }
  return NULL;
}

/* ---- tally.h ------------------------------------------------------------ */

static void
live_free (struct tally_live *live)
{
  results_free (&live->last);
  free (live->collection);
  free (live->query);
  free (live->sort);
  free (live);
}

static bool
copy_text (char **out, const char *text)
{
  *out = text ? strdup (text) : NULL;
  return *out || !text;
}

int
tally_live_start (struct tally_live **out, struct tally_replica *replica,
                  const char *collection, const char *query,
                  const struct tally_live_options *given, tally_live_fn *fn,
                  void *ctx, struct tally_error *err)
{
  struct tally_live_options options = { 0 };
  struct tally_live *live = calloc (1, sizeof *live);
  int status, failed;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  if (!live)
    return error_nomem (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  live->handle = replica;
  live->skip = options.skip;
  live->limit = options.limit;
  live->debounce_ms = options.debounce_ms ? options.debounce_ms : DEBOUNCE_MS;
  live->fn = fn;
  live->ctx = ctx;
  status = collection_check (collection, err);
  if (status == TALLY_OK
      && (!copy_text (&live->collection, collection)
          || !copy_text (&live->query, query)
          || !copy_text (&live->sort, options.sort)))
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = context_use (&live->replica, replica, err);
  if (status == TALLY_OK) {
    failed = pthread_create (&live->thread, NULL, live_main, live);
    if (failed)
      status = error_set (err, TALLY_FAILED, "%s: %s", collection,
                          strerror (failed));
  }
  if (status == TALLY_OK)
    *out = live;
  else
    live_free (live);
  return status;
}

void
tally_live_stop (struct tally_live *live)
{
  if (!live)
    return;
  atomic_store (&live->stop, true);
  /* Whoever waits looks round. */
  replica_tell_put (live->replica);
  pthread_join (live->thread, NULL);
  live_free (live);
}
