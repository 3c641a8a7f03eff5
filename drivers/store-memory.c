/* SPDX-License-Identifier: MIT */
/* A store that lives as long as its handle. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tally/driver.h>

#include "memory-index.h"
#include "memory-notes.h"
#include "memory-put.h"
#include "memory-scan.h"
#include "memory-wait.h"

struct memory_store {
  const struct tally_host *host;
  char *name; /* for messages; may be NULL */
  struct memory_list list;
  struct memory_notes notes;
  struct memory_wait wait;
};

/* m may be NULL. */
static int
memory_error (const struct memory_store *m, struct tally_error *err,
              int status, const char *reason)
{
  bool named = m && m->name;

  err->status = status;
  snprintf (err->text, sizeof err->text, "memory%s%.100s: %s",
            named ? ":" : "", named ? m->name : "", reason);
  return status;
}

static int
memory_full (const struct memory_store *m, struct tally_error *err)
{
  return memory_error (m, err, TALLY_FAILED, "out of memory");
}

/* An empty collection may stay in the list; it is not shown. */
static int
memory_collections (void *handle, tally_emit_name *emit, void *ctx,
                    struct tally_error *err)
{
  const struct memory_store *m = handle;

  (void) err;
  for (size_t i = 0; i < m->list.n; i++) {
    const struct memory_collection *c = m->list.collections[i];

    if (c->ids.root && emit (ctx, c->name))
      break;
  }
  return TALLY_OK;
}

/* ---- open and close ---- */

/* Without CREATE, too: an empty store is always there. */
static int
memory_open (void **handle, const struct tally_host *host,
             const struct tally_value *values, unsigned flags,
             struct tally_error *err)
{
  struct memory_store *m = calloc (1, sizeof *m);

  (void) flags;
  if (!m)
    return memory_full (m, err);
  if (memory_wait_init (&m->wait)) {
    free (m);
    return memory_full (NULL, err);
  }
  m->host = host;
  if (values[0].text && values[0].text[0]) {
    m->name = memory_copy (values[0].text, strlen (values[0].text));
    if (!m->name) {
      memory_wait_free (&m->wait);
      free (m);
      return memory_full (NULL, err);
    }
  }
  *handle = m;
  return TALLY_OK;
}

static void
memory_close (void *handle)
{
  struct memory_store *m = handle;

  memory_notes_free (&m->notes);
  for (size_t i = 0; i < m->list.n; i++) {
    struct memory_collection *c = m->list.collections[i];

    memory_tree_free (&c->stamped, false);
    memory_tree_free (&c->ids, true);
    free (c->order.arrivals);
    free (c->name);
    free (c);
  }
  free (m->list.collections);
  memory_wait_free (&m->wait);
  free (m->name);
  free (m);
}

/* ---- reading ---- */

static int
memory_get (void *handle, const char *collection,
            const struct tally_slice *ids, size_t n, unsigned flags,
            tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  const struct memory_store *m = handle;
  const struct memory_collection *c =
      memory_collection_find (&m->list, collection);

  (void) err;
  for (size_t i = 0; c && i < n; i++) {
    const struct memory_node *node = memory_tree_find (&c->ids, ids[i]);
    struct tally_doc doc;

    if (!node)
      continue;
    memory_document (node, flags, &doc);
    if (emit (ctx, &doc))
      break;
  }
  return TALLY_OK;
}

static int
memory_changes (void *handle, const char *collection, uint64_t since,
                tally_emit_doc *emit, void *ctx, uint64_t *head,
                struct tally_error *err)
{
  const struct memory_store *m = handle;
  const struct memory_collection *c =
      memory_collection_find (&m->list, collection);
  const struct memory_order *order = c ? &c->order : NULL;

  (void) err;
  *head = m->list.head;
  for (size_t i = c ? memory_order_above (order, since) : 0; c && i < order->n;
       i++) {
    struct tally_doc doc;

    if (!order->arrivals[i].node)
      continue;
    memory_header (order->arrivals[i].node, &doc);
    if (emit (ctx, &doc))
      break;
  }
  return TALLY_OK;
}

static int
memory_scan (void *handle, const char *collection,
             const struct tally_position *from,
             const struct tally_position *to, tally_emit_doc *emit, void *ctx,
             uint64_t *seq, struct tally_error *err)
{
  const struct memory_store *m = handle;

  (void) err;
  *seq = m->list.head;
  memory_collection_scan (memory_collection_find (&m->list, collection), from,
                          to, emit, ctx);
  return TALLY_OK;
}

static int
memory_find (void *handle, const char *collection,
             const struct tally_slice *from, const struct tally_slice *to,
             unsigned flags, tally_emit_doc *emit, void *ctx,
             struct tally_error *err)
{
  const struct memory_store *m = handle;

  (void) err;
  memory_collection_range (memory_collection_find (&m->list, collection), from,
                           to, flags, emit, ctx);
  return TALLY_OK;
}

static int
memory_digest (void *handle, const char *collection, unsigned flags,
               tally_fingerprint *fingerprint, struct tally_digest *out,
               struct tally_error *err)
{
  const struct memory_store *m = handle;

  (void) err;
  memory_collection_digest (memory_collection_find (&m->list, collection),
                            flags, fingerprint, out);
  out->seq = m->list.head;
  return TALLY_OK;
}

/* ---- writing ---- */

static int
memory_put (void *handle, const struct tally_entry *entries, size_t n,
            unsigned flags, struct tally_outcome *outcomes,
            struct tally_error *err)
{
  struct memory_store *m = handle;
  const char *why;
  int status = memory_list_put (&m->list, entries, n, flags, outcomes, &why);

  if (status != TALLY_OK)
    return memory_error (m, err, status, why);
  memory_wait_tell (&m->wait, m->list.head);
  return TALLY_OK;
}

static int
memory_wait (void *handle, uint64_t since, unsigned timeout_ms, uint64_t *head,
             struct tally_error *err)
{
  struct memory_store *m = handle;

  return memory_wait_for (&m->wait, m->host, since, timeout_ms, head)
             ? TALLY_OK
             : memory_error (m, err, TALLY_CANCELLED, "cancelled");
}

/* ---- notes ---- */

static int
memory_note_get (void *handle, const char *key, tally_emit_bytes *emit,
                 void *ctx, struct tally_error *err)
{
  const struct memory_store *m = handle;

  (void) err;
  memory_notes_get (&m->notes, key, emit, ctx);
  return TALLY_OK;
}

static int
memory_note_put (void *handle, const char *key,
                 const struct tally_slice *expected,
                 const struct tally_slice *value, struct tally_error *err)
{
  struct memory_store *m = handle;

  int status = memory_notes_put (&m->notes, key, expected, value);

  if (status == TALLY_CONFLICT)
    return memory_error (m, err, status, "the note is not as expected");
  return status ? memory_full (m, err) : TALLY_OK;
}

static int
memory_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                  void *ctx, struct tally_error *err)
{
  const struct memory_store *m = handle;

  (void) err;
  memory_notes_list (&m->notes, prefix, emit, ctx);
  return TALLY_OK;
}

/* ---- the driver ---- */

static const struct tally_store memory_store = {
  TALLY_STORE_INIT,
  .threads = TALLY_THREADS_HANDLE,
  .open = memory_open,
  .close = memory_close,
  .get = memory_get,
  .put = memory_put,
  .changes = memory_changes,
  .note_get = memory_note_get,
  .note_put = memory_note_put,
  .note_list = memory_note_list,
  .collections = memory_collections,
  .wait = memory_wait,
  .scan = memory_scan,
  .digest = memory_digest,
  .find = memory_find,
};

static const struct tally_option memory_options[] = {
  { .name = "name", .type = TALLY_OPTION_STRING, .help = "shows in messages" },
  { .name = NULL },
};

static const struct tally_driver memory_driver = {
  TALLY_DRIVER_INIT,
  .name = "memory",
  .version = "1.0",
  .summary = "documents in memory, gone when the program ends",
  .options = memory_options,
  .store = &memory_store,
};

TALLY_DRIVER (memory_driver)
