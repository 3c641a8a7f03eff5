/* SPDX-License-Identifier: MIT */
/* The one checked door to every store: all calls of store ops are here. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "drivercall.h"
#include "error.h"
#include "fingerprint.h"
#include "hooks.h"
#include "indexes.h"
#include "replica.h"

static void
enter (struct replica *replica)
{
  drivercall_enter (replica->lock);
}

static void
leave (struct replica *replica)
{
  drivercall_leave (replica->lock);
}

static int
checked (const struct replica *replica, int status, struct tally_error *err)
{
  return drivercall_status (replica->name, status, err);
}

/* Drivers are promised that nothing is written through such a handle. */
static int
check_writable (const struct replica *replica, struct tally_error *err)
{
  return replica->flags & TALLY_OPEN_READONLY ? error_set (
             err, TALLY_DENIED, "%s: is open for reading only", replica->name)
                                              : TALLY_OK;
}

/* ---- opening ------------------------------------------------------------ */

static int
open_handle (struct replica *replica, const struct replica_setup *setup,
             struct tally_error *err)
{
  int status;

  enter (replica);
  status = replica->ops->open (&replica->handle, setup->host, setup->values,
                               setup->flags, err);
  leave (replica);
  status = checked (replica, status, err);
  if (status != TALLY_OK)
    replica->handle = NULL;
  return status;
}

int
replica_open (struct replica **out, const struct replica_setup *setup,
              struct tally_error *err)
{
  struct replica *replica = calloc (1, sizeof *replica);
  int status;

  *out = NULL;
  if (!replica)
    return error_nomem (err);
  drivercall_lock_init (&replica->own_lock);
  pthread_mutex_init (&replica->known_lock, NULL);
  pthread_mutex_init (&replica->identity_lock, NULL);
  replica_init_wait (replica);
  replica->hooks = hooks_new (err);
  replica->ops = setup->driver->store;
  replica->lock = drivercall_lock (setup->driver, replica->ops->threads,
                                   &replica->own_lock);
  replica->flags = setup->flags;
  replica->host = setup->host;
  replica->time = setup->time ? *setup->time : system_time;
  replica->max_skew_ms = setup->max_skew_ms;
  replica->keep_deleted_ms = setup->keep_deleted_ms;
  replica->witness = setup->witness;
  replica->name = strdup (setup->name);
  if (setup->path)
    replica->path = strdup (setup->path);
  if (!replica->name || !replica->hooks || (setup->path && !replica->path))
    status = error_nomem (err);
  else
    status = open_handle (replica, setup, err);
  if (status == TALLY_OK)
    status = identity_wake (replica, setup, err);
  if (status != TALLY_OK) {
    replica_close (replica);
    return status;
  }
  *out = replica;
  return TALLY_OK;
}

void
replica_close (struct replica *replica)
{
  if (!replica)
    return;
  if (replica->handle) {
    enter (replica);
    replica->ops->close (replica->handle);
    leave (replica);
  }
  indexes_known_free (replica);
  seqset_free (&replica->live);
  buf_free (&replica->collections);
  free (replica->clients);
  free (replica->place);
  free (replica->path);
  free (replica->name);
  hooks_free (replica->hooks);
  replica_free_wait (replica);
  pthread_mutex_destroy (&replica->identity_lock);
  pthread_mutex_destroy (&replica->known_lock);
  pthread_mutex_destroy (&replica->own_lock);
  free (replica);
}

/* ---- reading ------------------------------------------------------------ */

/* Where calls are made beside each other there is nobody to hold it for. */
static bool
can_hold (const struct replica *replica)
{
  return replica->ops->hold && replica->lock;
}

int
replica_hold (struct replica *replica, struct tally_error *err)
{
  int status;

  if (!can_hold (replica))
    return TALLY_OK;
  enter (replica);
  status =
      checked (replica, replica->ops->hold (replica->handle, 1, err), err);
  if (status != TALLY_OK)
    leave (replica);
  return status;
}

void
replica_release (struct replica *replica)
{
  struct tally_error ignored;

  if (!can_hold (replica))
    return;
  replica->ops->hold (replica->handle, 0, &ignored);
  leave (replica);
}

int
replica_get (struct replica *replica, const char *collection,
             const struct tally_slice *ids, size_t n, unsigned flags,
             tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  struct replica_emit whole = { emit, ctx };
  int status;

  if (n == 0)
    return TALLY_OK;
  if (flags & (TALLY_GET_META | TALLY_GET_BODY)) {
    emit = replica_emit_whole;
    ctx = &whole;
  }
  enter (replica);
  status = replica->ops->get (replica->handle, collection, ids, n, flags, emit,
                              ctx, err);
  leave (replica);
  return checked (replica, status, err);
}

int
replica_changes_slot (struct replica *replica, const char *collection,
                      uint64_t since, tally_emit_doc *emit, void *ctx,
                      uint64_t *head, struct tally_error *err)
{
  int status;

  enter (replica);
  status = replica->ops->changes (replica->handle, collection, since, emit,
                                  ctx, head, err);
  leave (replica);
  return checked (replica, status, err);
}

int
replica_scan_slot (struct replica *replica, const char *collection,
                   const struct tally_position *from,
                   const struct tally_position *to, tally_emit_doc *emit,
                   void *ctx, uint64_t *seq, struct tally_error *err)
{
  int status;

  enter (replica);
  status = replica->ops->scan (replica->handle, collection, from, to, emit,
                               ctx, seq, err);
  leave (replica);
  return checked (replica, status, err);
}

bool
replica_can_scan (const struct replica *replica)
{
  return replica->ops->scan != NULL;
}

bool
replica_keeps_digest (const struct replica *replica)
{
  return replica->ops->digest != NULL;
}

int
replica_digest (struct replica *replica, const char *collection,
                unsigned flags, struct tally_digest *out,
                struct tally_error *err)
{
  int status;

  memset (out, 0, sizeof *out);
  if (!replica->ops->digest)
    return replica_digest_changes (replica, collection, out, err);
  enter (replica);
  status = replica->ops->digest (replica->handle, collection, flags,
                                 fingerprint_make, out, err);
  leave (replica);
  return checked (replica, status, err);
}

bool
replica_can_find (const struct replica *replica)
{
  return replica->ops->find != NULL;
}

int
replica_find (struct replica *replica, const char *collection,
              const struct tally_slice *from, const struct tally_slice *to,
              unsigned flags, tally_emit_doc *emit, void *ctx,
              struct tally_error *err)
{
  struct replica_emit whole = { emit, ctx };
  int status;

  if (flags & (TALLY_GET_META | TALLY_GET_BODY)) {
    emit = replica_emit_whole;
    ctx = &whole;
  }
  enter (replica);
  status = replica->ops->find (replica->handle, collection, from, to, flags,
                               emit, ctx, err);
  leave (replica);
  return checked (replica, status, err);
}

bool
replica_can_search (const struct replica *replica)
{
  return replica->ops->search != NULL;
}

bool
replica_lies_by_id (const struct replica *replica)
{
  return replica_can_find (replica) && !replica_can_search (replica)
         && replica_keeps_digest (replica);
}

struct searching {
  struct replica_emit whole; /* first: it is what replica_emit_whole sees */
  tally_wants *wants;
};

static int
ask (void *ctx, uint64_t seq, const struct tally_slice *body)
{
  const struct searching *searching = ctx;

  return searching->wants (searching->whole.ctx, seq, body);
}

int
replica_search (struct replica *replica, const char *collection,
                uint64_t since, tally_wants *wants, tally_emit_doc *emit,
                void *ctx, struct tally_error *err)
{
  struct searching searching = { { emit, ctx }, wants };
  int status;

  enter (replica);
  status = replica->ops->search (replica->handle, collection, since, ask,
                                 replica_emit_whole, &searching, err);
  leave (replica);
  return checked (replica, status, err);
}

/* ---- collections -------------------------------------------------------- */

bool
replica_keeps_collections (const struct replica *replica)
{
  return replica->ops->collections != NULL;
}

int
replica_collections (struct replica *replica, tally_emit_name *emit, void *ctx,
                     struct tally_error *err)
{
  int status;

  if (!replica->ops->collections)
    return replica_emit_listed (replica, emit, ctx, err);
  enter (replica);
  status = replica->ops->collections (replica->handle, emit, ctx, err);
  leave (replica);
  return checked (replica, status, err);
}

/* ---- writing ------------------------------------------------------------ */

size_t
replica_batch_size (const struct replica *replica,
                    const struct tally_entry *entries, size_t n)
{
  size_t most = TALLY_BATCH_ENTRIES, bytes = 0, i;

  if (replica->ops->max_entries > 0 && replica->ops->max_entries < most)
    most = replica->ops->max_entries;
  for (i = 0; i < n && i < most; i++) {
    bytes += entries[i].doc.body.size + entries[i].doc.meta.size;
    if (bytes > TALLY_BATCH_BYTES && i > 0)
      break;
  }
  return i;
}

bool
replica_has_batches (const struct replica *replica)
{
  return replica->ops->max_entries != 1;
}

int
replica_put_slot (struct replica *replica, const struct tally_entry *entries,
                  size_t n, unsigned flags, struct tally_outcome *outcomes,
                  struct tally_error *err)
{
  int status = check_writable (replica, err);

  if (status != TALLY_OK)
    return status;
  enter (replica);
  status =
      replica->ops->put (replica->handle, entries, n, flags, outcomes, err);
  leave (replica);
  return checked (replica, status, err);
}

int
replica_check (struct replica *replica, struct tally_error *err)
{
  int status = TALLY_OK;

  if (replica->ops->check) {
    enter (replica);
    status =
        checked (replica, replica->ops->check (replica->handle, err), err);
    leave (replica);
  }
  if (status == TALLY_OK && replica->ops->digest)
    status = replica_check_digests (replica, err);
  return status;
}

/* ---- waiting ------------------------------------------------------------ */

bool
replica_can_wait (const struct replica *replica)
{
  return replica->ops->wait != NULL;
}

/* Beside other calls: whoever waits must keep nobody from writing. */
int
replica_wait_slot (struct replica *replica, uint64_t since,
                   unsigned timeout_ms, uint64_t *head,
                   struct tally_error *err)
{
  return checked (
      replica,
      replica->ops->wait (replica->handle, since, timeout_ms, head, err), err);
}

/* ---- notes -------------------------------------------------------------- */

struct note_copy {
  struct buf *value;
  bool found;
};

static int
copy_note (void *ctx, const void *data, size_t size)
{
  struct note_copy *copy = ctx;

  buf_clear (copy->value);
  buf_add (copy->value, data, size);
  copy->found = true;
  return 1;
}

int
replica_note_get (struct replica *replica, const char *key, struct buf *value,
                  bool *found, struct tally_error *err)
{
  struct note_copy copy = { value, false };
  int status;

  buf_clear (value);
  if (replica->ops->note_get) {
    enter (replica);
    status =
        replica->ops->note_get (replica->handle, key, copy_note, &copy, err);
    leave (replica);
    status = checked (replica, status, err);
  } else
    status = notes_fallback_get (replica, key, copy_note, &copy, err);
  *found = copy.found;
  if (status == TALLY_OK && value->failed)
    status = error_nomem (err);
  return status;
}

int
replica_note_put (struct replica *replica, const char *key,
                  const struct tally_slice *expected,
                  const struct tally_slice *value, struct tally_error *err)
{
  int status = check_writable (replica, err);

  if (status != TALLY_OK)
    return status;
  if (!replica->ops->note_put)
    return notes_fallback_put (replica, key, expected, value, err);
  enter (replica);
  status = replica->ops->note_put (replica->handle, key, expected, value, err);
  leave (replica);
  return checked (replica, status, err);
}

int
replica_note_list (struct replica *replica, const char *prefix,
                   tally_emit_name *emit, void *ctx, struct tally_error *err)
{
  int status;

  if (!replica->ops->note_list)
    return notes_fallback_list (replica, prefix, emit, ctx, err);
  enter (replica);
  status = replica->ops->note_list (replica->handle, prefix, emit, ctx, err);
  leave (replica);
  return checked (replica, status, err);
}

uint64_t
replica_wall_ms (const struct replica *replica)
{
  return replica->time.wall_ms (replica->time.ctx);
}
