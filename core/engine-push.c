/* SPDX-License-Identifier: MIT */
/* push_remote: the documents that changed here, in batches. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"

struct push {
  struct sync *sync;
  struct idlist *both;
  struct tally_slice *ids;
  size_t n;
  struct doclist docs;
  bool full;
};

static int
collect_doc (void *ctx, const struct tally_doc *doc)
{
  struct push *push = ctx;

  if (push->docs.count > 0
      && push->docs.bytes + doc->body.size + doc->meta.size > WIRE_BYTES_MAX) {
    push->full = true;
    return 1;
  }
  return !doclist_add (&push->docs, doc);
}

/* Where the ids go on after the documents that were read. */
static size_t
count_read (const struct push *push, size_t from)
{
  size_t at = 0, read = from;

  if (!push->full)
    return push->n;
  for (size_t i = from; i < push->n; i++)
    if (doclist_next_if (&push->docs, &at, push->ids[i]))
      read = i + 1;
  return read;
}

static int
take_outcome (struct push *push, const struct tally_doc *doc,
              const struct peer_outcome *outcome, struct tally_error *err)
{
  struct sync *sync = push->sync;

  switch (outcome->status) {
  case TALLY_OK:
    if (!seqset_add (&sync->settled, doc->seq))
      return error_nomem (err);
    sync_stop_holding (sync, doc->id);
    if (outcome->stored)
      sync_count_pushed (sync, doc->id, doc->flags & TALLY_DOC_DELETED);
    else
      sync->done++;
    return TALLY_OK;
  case TALLY_CONFLICT:
    return idlist_add (push->both, doc->id) ? TALLY_OK : error_nomem (err);
  default:
    return sync_hold (sync, HELD_OURS, doc, outcome->status,
                      outcome->status == TALLY_AGAIN ? NULL : "was refused",
                      err);
  }
}

static int
push_batch (struct push *push, struct tally_error *err)
{
  struct sync *sync = push->sync;
  struct run *run = sync->run;
  size_t n = push->docs.count;
  struct peer_outcome *outcomes = calloc (n + 1, sizeof *outcomes);
  bool *returns = calloc (n + 1, sizeof *returns);
  int status =
      outcomes && returns ? sync_begin (sync, err) : error_nomem (err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    status = bound_check (sync, push->docs.docs[i].id, push->docs.docs[i].rev,
                          NULL, err);
    if (status == TALLY_OK)
      status =
          sync_may_return (sync, &push->docs.docs[i], true, &returns[i], err);
    sync->returned += returns[i];
  }
  if (status == TALLY_OK)
    status = peer_put (
        &run->peer, sync->collection, sync_strict (sync) ? WIRE_PUT_STRICT : 0,
        push->docs.docs, NULL, n, sync->remote_done ? &sync->far_cursor : NULL,
        outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    sync->returned -= returns[i] && outcomes[i].status != TALLY_OK;
    status = take_outcome (push, &push->docs.docs[i], &outcomes[i], err);
  }
  free (returns);
  free (outcomes);
  sync_progress (sync);
  return status;
}

static int
push_all (struct push *push, struct tally_error *err)
{
  struct sync *sync = push->sync;
  size_t at = 0;

  while (at < push->n) {
    int status;

    if (sync_cancelled (sync))
      return error_set (err, TALLY_CANCELLED, "cancelled");
    doclist_clear (&push->docs);
    push->full = false;
    status =
        replica_get (sync->run->replica, sync->collection, push->ids + at,
                     push->n - at, TALLY_GET_BODY, collect_doc, push, err);
    if (status == TALLY_OK && push->docs.failed)
      status = error_nomem (err);
    at = count_read (push, at);
    if (status == TALLY_OK && push->docs.count > 0)
      status = push_batch (push, err);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

/* Adds an item, unless it is kept back. */
static int
add_item (struct push *push, const struct plan_item *item,
          struct tally_error *err)
{
  struct tally_doc doc = { .id = item->id, .seq = item->local_seq };

  memcpy (doc.rev, item->local_rev, TALLY_REV_SIZE);
  doc.flags = item->deleted ? TALLY_DOC_DELETED : 0;
  switch (sync_keeps (push->sync, doc.rev)) {
  case KEEP_HELD:
    return sync_hold (push->sync, HELD_OURS, &doc, TALLY_AGAIN, NULL, err);
  case KEEP_NOT:
    push->ids[push->n++] = item->id;
    return TALLY_OK;
  default:
    return TALLY_OK;
  }
}

int
push_remote (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct push push = { .sync = sync, .both = both };
  size_t most = plan_count (&sync->plan, PLAN_PUSH);
  int status = TALLY_OK;

  if (!sync->pushes || most == 0)
    return TALLY_OK;
  push.ids = calloc (most, sizeof *push.ids);
  if (!push.ids)
    return error_nomem (err);
  for (size_t i = 0; i < sync->plan.count && status == TALLY_OK; i++)
    if (sync->plan.items[i].action == PLAN_PUSH)
      status = add_item (&push, &sync->plan.items[i], err);
  if (status == TALLY_OK)
    status = push_all (&push, err);
  doclist_free (&push.docs);
  free (push.ids);
  return status;
}
