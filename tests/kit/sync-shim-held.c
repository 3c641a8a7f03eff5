/* SPDX-License-Identifier: MIT */
/* Stores of sync-shim.h: the memory store, but it lives on, fails as if it had
 * been killed, and lets others come between its calls. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "sync-shim-parts.h"
#include "sync-shim.h"

#define STORES 8

const struct tally_driver *tally_driver_1 (void);

/* ---- what they were told ------------------------------------------------ */

struct held {
  char name[64];
  void *inner;
  bool bare;
  pthread_mutex_t lock; /* around every call of inner */
};

static struct {
  pthread_mutex_t lock; /* guards all below but what is in inner */
  struct held stores[STORES];
  size_t n_stores;
  unsigned calls;
  struct hook call;
  char call_store[64], dead_store[64];
  char die_after[64];
  unsigned die_at, dead_calls;
  char spoil_store[64], spoil_id[64];
  bool hides; /* what is spoilt is not shown at all, by find */
} shim = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
shim_before_call (const char *store, unsigned at, void (*fn) (void *ctx),
                  void *ctx)
{
  pthread_mutex_lock (&shim.lock);
  snprintf (shim.call_store, sizeof shim.call_store, "%s", store);
  shim.call = (struct hook){ at, fn, ctx };
  shim.calls = 0;
  pthread_mutex_unlock (&shim.lock);
}

unsigned
shim_calls (void)
{
  unsigned n;

  pthread_mutex_lock (&shim.lock);
  n = shim.calls;
  pthread_mutex_unlock (&shim.lock);
  return n;
}

void
shim_die_at (const char *store, unsigned at)
{
  pthread_mutex_lock (&shim.lock);
  snprintf (shim.dead_store, sizeof shim.dead_store, "%s", store);
  shim.die_at = at;
  shim.dead_calls = 0;
  shim.die_after[0] = '\0';
  pthread_mutex_unlock (&shim.lock);
}

void
shim_die_after (const char *store, const char *collection)
{
  shim_die_at (store, 0);
  pthread_mutex_lock (&shim.lock);
  snprintf (shim.die_after, sizeof shim.die_after, "%s", collection);
  pthread_mutex_unlock (&shim.lock);
}

/* After a put. */
static void
may_die (const struct held *held, const struct tally_entry *entries, size_t n)
{
  pthread_mutex_lock (&shim.lock);
  for (size_t i = 0; i < n; i++)
    if (strcmp (held->name, shim.dead_store) == 0
        && strcmp (entries[i].collection, shim.die_after) == 0)
      shim.die_at = 1;
  pthread_mutex_unlock (&shim.lock);
}

void
shim_spoil (const char *store, const char *id)
{
  pthread_mutex_lock (&shim.lock);
  snprintf (shim.spoil_store, sizeof shim.spoil_store, "%s", store);
  snprintf (shim.spoil_id, sizeof shim.spoil_id, "%s", id ? id : "");
  shim.hides = false;
  pthread_mutex_unlock (&shim.lock);
}

void
shim_hide (const char *store, const char *id)
{
  shim_spoil (store, id);
  pthread_mutex_lock (&shim.lock);
  shim.hides = true;
  pthread_mutex_unlock (&shim.lock);
}

/* ---- slots -------------------------------------------------------------- */

static const struct tally_store *
memory (void)
{
  return tally_driver_1 ()->store;
}

static struct held *
find_held (const char *name)
{
  for (size_t i = 0; i < shim.n_stores; i++)
    if (strcmp (shim.stores[i].name, name) == 0)
      return &shim.stores[i];
  return NULL;
}

static int
open_held (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags, bool bare,
           struct tally_error *err)
{
  struct held *held;
  int status = TALLY_OK;

  pthread_mutex_lock (&shim.lock);
  held = find_held (values[0].text);
  if (!held && !(flags & TALLY_OPEN_CREATE)) {
    err->status = status = TALLY_NOTFOUND;
    snprintf (err->text, sizeof err->text, "%s: is not there", values[0].text);
  } else if (!held && shim.n_stores < STORES) {
    held = &shim.stores[shim.n_stores];
    status = memory ()->open (&held->inner, host, values, flags, err);
    snprintf (held->name, sizeof held->name, "%s", values[0].text);
    held->bare = bare;
    pthread_mutex_init (&held->lock, NULL);
    shim.n_stores++;
  }
  pthread_mutex_unlock (&shim.lock);
  *handle = held;
  return status;
}

static int
held_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  return open_held (handle, host, values, flags, false, err);
}

static int
bare_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  return open_held (handle, host, values, flags, true, err);
}

static void
held_close (void *handle)
{
  (void) handle;
}

/* The hook may call the store: nothing is locked here. */
static void
enter (struct held *held, bool counted)
{
  struct hook hook = { 0, NULL, NULL };

  pthread_mutex_lock (&shim.lock);
  if (counted && strcmp (held->name, shim.call_store) == 0)
    hook = hook_due (&shim.call, ++shim.calls);
  pthread_mutex_unlock (&shim.lock);
  if (hook.fn)
    hook.fn (hook.ctx);
  pthread_mutex_lock (&held->lock);
}

static int
leave (struct held *held, int status)
{
  pthread_mutex_unlock (&held->lock);
  return status;
}

/* Counts a call, under the store's lock. */
static bool
is_dead (const struct held *held, struct tally_error *err)
{
  bool dead = false;

  pthread_mutex_lock (&shim.lock);
  if (shim.die_at > 0 && strcmp (held->name, shim.dead_store) == 0)
    dead = ++shim.dead_calls >= shim.die_at;
  pthread_mutex_unlock (&shim.lock);
  if (!dead)
    return false;
  err->status = TALLY_FAILED;
  snprintf (err->text, sizeof err->text, "%s: was killed", held->name);
  return true;
}

struct spoiling {
  tally_emit_doc *emit;
  void *ctx;
  char id[64];
  bool hides;
};

static int
spoil (void *ctx, const struct tally_doc *doc)
{
  const struct spoiling *spoiling = ctx;
  struct tally_doc spoilt = *doc;

  if (doc->body.size > 0 && doc->id.size == strlen (spoiling->id)
      && memcmp (doc->id.data, spoiling->id, doc->id.size) == 0)
    spoilt.body.size--;
  return spoiling->emit (spoiling->ctx, &spoilt);
}

/* What a call of the store emits through spoil. */
static struct spoiling
spoiling_of (const struct held *held, tally_emit_doc *emit, void *ctx)
{
  struct spoiling spoiling = { emit, ctx, "", false };

  pthread_mutex_lock (&shim.lock);
  if (strcmp (shim.spoil_store, held->name) == 0)
    memcpy (spoiling.id, shim.spoil_id, sizeof spoiling.id);
  spoiling.hides = shim.hides;
  pthread_mutex_unlock (&shim.lock);
  return spoiling;
}

static int
held_get (void *handle, const char *collection, const struct tally_slice *ids,
          size_t n, unsigned flags, tally_emit_doc *emit, void *ctx,
          struct tally_error *err)
{
  struct held *held = handle;
  struct spoiling spoiling;

  enter (held, true);
  spoiling = spoiling_of (held, emit, ctx);
  if (is_dead (held, err))
    return leave (held, TALLY_FAILED);
  return leave (held, memory ()->get (held->inner, collection, ids, n, flags,
                                      spoil, &spoiling, err));
}

static int
held_put (void *handle, const struct tally_entry *entries, size_t n,
          unsigned flags, struct tally_outcome *outcomes,
          struct tally_error *err)
{
  struct held *held = handle;
  int status;

  if (held->bare && n > 1) {
    err->status = TALLY_INVALID;
    snprintf (err->text, sizeof err->text, "%s: one entry a call", held->name);
    return TALLY_INVALID;
  }
  enter (held, true);
  if (is_dead (held, err))
    return leave (held, TALLY_FAILED);
  status = memory ()->put (held->inner, entries, n, flags, outcomes, err);
  if (status == TALLY_OK)
    may_die (held, entries, n);
  return leave (held, status);
}

static int
held_changes (void *handle, const char *collection, uint64_t since,
              tally_emit_doc *emit, void *ctx, uint64_t *head,
              struct tally_error *err)
{
  struct held *held = handle;

  enter (held, true);
  if (is_dead (held, err))
    return leave (held, TALLY_FAILED);
  return leave (held, memory ()->changes (held->inner, collection, since, emit,
                                          ctx, head, err));
}

static int
held_scan (void *handle, const char *collection,
           const struct tally_position *from, const struct tally_position *to,
           tally_emit_doc *emit, void *ctx, uint64_t *seq,
           struct tally_error *err)
{
  struct held *held = handle;
  int status;

  pthread_mutex_lock (&held->lock);
  status =
      memory ()->scan (held->inner, collection, from, to, emit, ctx, seq, err);
  pthread_mutex_unlock (&held->lock);
  return status;
}

/* As a damaged file does. */
static int
hide (void *ctx, const struct tally_doc *doc)
{
  const struct spoiling *spoiling = ctx;

  if (doc->id.size == strlen (spoiling->id)
      && memcmp (doc->id.data, spoiling->id, doc->id.size) == 0)
    return 0;
  return spoiling->emit (spoiling->ctx, doc);
}

static int
held_find (void *handle, const char *collection,
           const struct tally_slice *from, const struct tally_slice *to,
           unsigned flags, tally_emit_doc *emit, void *ctx,
           struct tally_error *err)
{
  struct held *held = handle;
  struct spoiling spoiling;

  enter (held, true);
  spoiling = spoiling_of (held, emit, ctx);
  if (is_dead (held, err))
    return leave (held, TALLY_FAILED);
  return leave (held, memory ()->find (held->inner, collection, from, to,
                                       flags, spoiling.hides ? hide : spoil,
                                       &spoiling, err));
}

static int
held_digest (void *handle, const char *collection, unsigned flags,
             tally_fingerprint *fingerprint, struct tally_digest *out,
             struct tally_error *err)
{
  struct held *held = handle;
  int status;

  pthread_mutex_lock (&held->lock);
  status = memory ()->digest (held->inner, collection, flags, fingerprint, out,
                              err);
  pthread_mutex_unlock (&held->lock);
  return status;
}

static int
held_note_get (void *handle, const char *key, tally_emit_bytes *emit,
               void *ctx, struct tally_error *err)
{
  struct held *held = handle;

  enter (held, false);
  return leave (held, memory ()->note_get (held->inner, key, emit, ctx, err));
}

static int
held_note_put (void *handle, const char *key,
               const struct tally_slice *expected,
               const struct tally_slice *value, struct tally_error *err)
{
  struct held *held = handle;

  enter (held, false);
  return leave (held,
                memory ()->note_put (held->inner, key, expected, value, err));
}

static int
held_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                void *ctx, struct tally_error *err)
{
  struct held *held = handle;

  enter (held, false);
  return leave (held,
                memory ()->note_list (held->inner, prefix, emit, ctx, err));
}

static int
held_collections (void *handle, tally_emit_name *emit, void *ctx,
                  struct tally_error *err)
{
  struct held *held = handle;

  enter (held, false);
  return leave (held, memory ()->collections (held->inner, emit, ctx, err));
}

static const struct tally_option held_options[] = {
  { "name", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL, "which of them",
    NULL },
  { NULL, 0, 0, NULL, NULL, NULL }
};

static const struct tally_store held_store = {
  TALLY_STORE_INIT,
  .threads = TALLY_THREADS_ANY,
  .open = held_open,
  .close = held_close,
  .get = held_get,
  .put = held_put,
  .changes = held_changes,
  .note_get = held_note_get,
  .note_put = held_note_put,
  .note_list = held_note_list,
  .collections = held_collections,
  .scan = held_scan,
  .find = held_find,
  .digest = held_digest,
};

static const struct tally_store bare_store = {
  TALLY_STORE_INIT,  .threads = TALLY_THREADS_ANY, .max_entries = 1,
  .open = bare_open, .close = held_close,          .get = held_get,
  .put = held_put,   .changes = held_changes,
};

const struct tally_driver held_driver = {
  TALLY_DRIVER_INIT,
  .name = "held",
  .summary = "memory that lives on",
  .options = held_options,
  .store = &held_store,
};

const struct tally_driver bare_driver = {
  TALLY_DRIVER_INIT,
  .name = "bare",
  .summary = "memory that can do little",
  .options = held_options,
  .store = &bare_store,
};

void
held_reset (void)
{
  for (size_t i = 0; i < shim.n_stores; i++) {
    memory ()->close (shim.stores[i].inner);
    pthread_mutex_destroy (&shim.stores[i].lock);
  }
  memset (shim.stores, 0, sizeof shim.stores);
  memset (&shim.call, 0, sizeof shim.call);
  shim.n_stores = 0;
  shim_spoil ("", NULL);
  shim_die_at ("", 0);
}
