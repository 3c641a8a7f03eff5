/* SPDX-License-Identifier: MIT */
/* A store that lives as long as its handle.  A put first allocates all that
 * it needs and then changes the store in steps that cannot fail. */

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tally/driver.h>

#include "memory-index.h"
#include "memory-notes.h"
#include "memory-scan.h"

#define TICK_MS 100 /* how late a cancel may be seen */

struct memory_store {
  const struct tally_host *host;
  char *name; /* for messages; may be NULL */
  uint64_t head;
  struct memory_list list;
  struct memory_notes notes;

  /* For those who wait, who stand outside the host's lock: the head again,
   * after each put. */
  pthread_mutex_t lock;
  pthread_cond_t moved;
  uint64_t told;
};

/* What one entry of a put will do, once all entries have been looked at. */
struct memory_step {
  const struct tally_entry *entry;
  struct tally_outcome *outcome;
  struct memory_collection *collection;
  struct memory_node *found;
  struct memory_node *made; /* ours until it is in the tree */
  char *payload;            /* ours until it is in a node */
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

/* ---- waiting ---- */

static int
memory_init_wait (struct memory_store *m)
{
  pthread_condattr_t attr;
  int failed = pthread_condattr_init (&attr);

  if (failed)
    return failed;
  failed = pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  if (!failed)
    failed = pthread_cond_init (&m->moved, &attr);
  pthread_condattr_destroy (&attr);
  if (failed)
    return failed;
  failed = pthread_mutex_init (&m->lock, NULL);
  if (failed)
    pthread_cond_destroy (&m->moved);
  return failed;
}

static void
memory_free_wait (struct memory_store *m)
{
  pthread_mutex_destroy (&m->lock);
  pthread_cond_destroy (&m->moved);
}

static void
memory_tell (struct memory_store *m)
{
  pthread_mutex_lock (&m->lock);
  m->told = m->head;
  pthread_cond_broadcast (&m->moved);
  pthread_mutex_unlock (&m->lock);
}

/* A tick at a time. */
static int
memory_wait (void *handle, uint64_t since, unsigned timeout_ms, uint64_t *head,
             struct tally_error *err)
{
  struct memory_store *m = handle;
  bool cancelled = false;

  pthread_mutex_lock (&m->lock);
  while (m->told <= since && timeout_ms > 0 && !cancelled) {
    unsigned tick = timeout_ms < TICK_MS ? timeout_ms : TICK_MS;
    struct timespec until;

    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long) tick * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait (&m->moved, &m->lock, &until);
    timeout_ms -= tick;
    cancelled = m->host && m->host->cancelled (m->host->ctx);
  }
  *head = m->told;
  pthread_mutex_unlock (&m->lock);
  if (cancelled)
    return memory_error (m, err, TALLY_CANCELLED, "cancelled");
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
  if (memory_init_wait (m)) {
    free (m);
    return memory_full (NULL, err);
  }
  m->host = host;
  if (values[0].text && values[0].text[0]) {
    m->name = memory_copy (values[0].text, strlen (values[0].text));
    if (!m->name) {
      memory_free_wait (m);
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
  memory_free_wait (m);
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
    memory_header (node, &doc);
    if (node->payload && flags) {
      doc.meta.data = node->payload;
      doc.meta.size = node->meta_size;
      doc.body.data = node->payload + node->meta_size;
      doc.body.size = node->body_size;
    }
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
  *head = m->head;
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
  *seq = m->head;
  memory_collection_scan (memory_collection_find (&m->list, collection), from,
                          to, emit, ctx);
  return TALLY_OK;
}

struct memory_finding {
  const struct tally_slice *to;
  unsigned flags;
  tally_emit_doc *emit;
  void *ctx;
};

static bool
find_visit (void *ctx, const struct memory_node *node)
{
  const struct memory_finding *finding = ctx;
  struct tally_doc doc;

  if (finding->to
      && memory_compare (node->id, node->id_size, finding->to->data,
                         finding->to->size)
             >= 0)
    return false;
  if (node->flags & TALLY_DOC_DELETED)
    return true;
  memory_header (node, &doc);
  if (node->payload && (finding->flags & (TALLY_GET_META | TALLY_GET_BODY))) {
    doc.meta.data = node->payload;
    doc.meta.size = node->meta_size;
    doc.body.data = node->payload + node->meta_size;
    doc.body.size = node->body_size;
  }
  return !finding->emit (finding->ctx, &doc);
}

static void
find_last (const struct memory_collection *c, const struct tally_slice *from,
           const struct memory_finding *finding)
{
  const struct memory_node *node = memory_tree_before (&c->ids, *finding->to);
  struct tally_doc doc;

  if (!node
      || (from
          && memory_compare (node->id, node->id_size, from->data, from->size)
                 < 0))
    return;
  memory_header (node, &doc);
  (void) finding->emit (finding->ctx, &doc);
}

static int
memory_find (void *handle, const char *collection,
             const struct tally_slice *from, const struct tally_slice *to,
             unsigned flags, tally_emit_doc *emit, void *ctx,
             struct tally_error *err)
{
  const struct memory_store *m = handle;
  const struct memory_collection *c =
      memory_collection_find (&m->list, collection);
  struct memory_finding finding = { to, flags, emit, ctx };

  (void) err;
  if (c && (flags & TALLY_FIND_LAST))
    find_last (c, from, &finding);
  else if (c)
    memory_tree_walk (&c->ids, from, find_visit, &finding);
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
  out->seq = m->head;
  return TALLY_OK;
}

/* ---- put ---- */

static int
step_compare (const void *left, const void *right)
{
  const struct tally_entry *a = ((const struct memory_step *) left)->entry;
  const struct tally_entry *b = ((const struct memory_step *) right)->entry;
  int order = a->collection == b->collection
                  ? 0
                  : strcmp (a->collection, b->collection);

  return order ? order
               : memory_compare (a->doc.id.data, a->doc.id.size,
                                 b->doc.id.data, b->doc.id.size);
}

/* In order, and no id is there twice. */
static bool
steps_rise (const struct memory_step *steps, size_t n)
{
  for (size_t i = 1; i < n; i++)
    if (step_compare (&steps[i - 1], &steps[i]) >= 0)
      return false;
  return true;
}

/* Fills the steps in the order given. */
static int
steps_check (const struct memory_store *m, struct memory_step *steps,
             const struct tally_entry *entries, size_t n,
             struct tally_outcome *outcomes, struct tally_error *err)
{
  for (size_t i = 0; i < n; i++) {
    steps[i].entry = &entries[i];
    if ((entries[i].flags & TALLY_ENTRY_FORGET) && !entries[i].expected)
      return memory_error (m, err, TALLY_INVALID,
                           "an entry to forget names no rev");
  }
  if (!steps_rise (steps, n)) {
    qsort (steps, n, sizeof *steps, step_compare);
    if (!steps_rise (steps, n))
      return memory_error (m, err, TALLY_INVALID,
                           "an id stands twice in one batch");
  }
  for (size_t i = 0; i < n; i++) {
    memset (&outcomes[i], 0, sizeof outcomes[i]);
    steps[i].entry = &entries[i];
    steps[i].outcome = &outcomes[i];
  }
  return TALLY_OK;
}

/* Is what is stored what the entry expects?  If not, its outcome says so. */
static bool
step_fits (struct memory_step *step)
{
  static const unsigned char none[TALLY_REV_SIZE];
  const struct memory_node *found = step->found;
  const unsigned char *rev = found ? found->rev : none;

  if (!step->entry->expected
      || memcmp (step->entry->expected, rev, TALLY_REV_SIZE) == 0)
    return true;
  step->outcome->status = TALLY_CONFLICT;
  step->outcome->seq = found ? found->seq : 0;
  memcpy (step->outcome->rev, rev, TALLY_REV_SIZE);
  return false;
}

static int
step_allocate (struct memory_store *m, struct memory_step *step)
{
  const struct tally_doc *doc = &step->entry->doc;
  struct memory_collection *c;
  size_t size = doc->meta.size + doc->body.size;

  if (step->entry->flags & TALLY_ENTRY_FORGET)
    return 0;
  if (!step->collection)
    step->collection =
        memory_collection_make (&m->list, step->entry->collection);
  c = step->collection;
  if (!c || memory_order_reserve (&c->order, ++c->pending)
      || memory_tree_reserve (&c->ids, c->pending)
      || memory_tree_reserve (&c->stamped, c->pending))
    return -1;
  if (size < doc->body.size || doc->id.size > SIZE_MAX - sizeof *step->made)
    return -1;
  step->payload = size ? malloc (size) : NULL;
  if (size && !step->payload)
    return -1;
  if (step->found)
    return 0;
  step->made = calloc (1, sizeof *step->made + doc->id.size);
  if (!step->made)
    return -1;
  step->made->id_size = doc->id.size;
  memcpy (step->made->id, doc->id.data, doc->id.size);
  return 0;
}

/* Takes what is found out of the orders that it will have another place in. */
static void
step_displace (const struct memory_step *step)
{
  struct memory_collection *c = step->collection;

  memory_collection_count (c, step->entry, step->found);
  if (!step->found)
    return;
  memory_order_drop (&c->order, step->found);
  if (!(step->found->flags & TALLY_DOC_DELETED))
    memory_tree_remove (&c->stamped, step->found);
}

static void
step_forget (struct memory_step *step)
{
  if (!step->found)
    return;
  step_displace (step);
  memory_tree_remove (&step->collection->ids, step->found);
  memory_node_free (step->found);
}

static void
step_write (struct memory_store *m, struct memory_step *step)
{
  const struct tally_doc *doc = &step->entry->doc;
  struct memory_node *node = step->found ? step->found : step->made;

  step_displace (step);
  if (!step->found)
    memory_tree_insert (&step->collection->ids, node);
  step->made = NULL;
  if (doc->meta.size)
    memcpy (step->payload, doc->meta.data, doc->meta.size);
  if (doc->body.size)
    memcpy (step->payload + doc->meta.size, doc->body.data, doc->body.size);
  free (node->payload);
  node->payload = step->payload;
  step->payload = NULL;
  node->meta_size = doc->meta.size;
  node->body_size = doc->body.size;
  node->flags = doc->flags;
  memcpy (node->rev, doc->rev, TALLY_REV_SIZE);
  node->seq = ++m->head;
  memory_order_add (&step->collection->order, node);
  if (!(node->flags & TALLY_DOC_DELETED))
    memory_tree_insert (&step->collection->stamped, node);
  step->outcome->seq = node->seq;
  memcpy (step->outcome->rev, node->rev, TALLY_REV_SIZE);
}

static void
steps_free (struct memory_step *steps, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (steps[i].collection)
      steps[i].collection->pending = 0;
    free (steps[i].made);
    free (steps[i].payload);
  }
  free (steps);
}

static int
memory_put (void *handle, const struct tally_entry *entries, size_t n,
            unsigned flags, struct tally_outcome *outcomes,
            struct tally_error *err)
{
  struct memory_store *m = handle;
  struct memory_step *steps = calloc (n ? n : 1, sizeof *steps);
  bool write = true;
  int status;

  if (!steps)
    return memory_full (m, err);
  status = steps_check (m, steps, entries, n, outcomes, err);
  if (status)
    goto out;
  for (size_t i = 0; i < n; i++) {
    struct memory_step *step = &steps[i];

    step->collection =
        memory_collection_find (&m->list, entries[i].collection);
    if (step->collection)
      step->found =
          memory_tree_find (&step->collection->ids, entries[i].doc.id);
    if (!step_fits (step))
      write = write && !(flags & TALLY_PUT_ALL);
    else if (write && step_allocate (m, step)) {
      status = memory_full (m, err);
      goto out;
    }
  }
  for (size_t i = 0; write && i < n; i++)
    if (outcomes[i].status == TALLY_OK) {
      if (entries[i].flags & TALLY_ENTRY_FORGET)
        step_forget (&steps[i]);
      else
        step_write (m, &steps[i]);
    }
  memory_tell (m);

out:
  steps_free (steps, n);
  return status;
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
