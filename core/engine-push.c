/* SPDX-License-Identifier: MIT */
/* push_remote: the documents that changed here, in batches. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-pushing.h"
#include "errand.h"
#include "error.h"

/* A batch that is read while the one before it is pushed. */
struct reading {
  struct push *push;
  size_t from, to;  /* which of the ids */
  struct buf after; /* of all: the id of the last document before */
  struct doclist docs;
  bool full;
};

/* The other side makes revisions itself.  A plan that was saved names them,
 * and so does what lies in a folder. */
static unsigned
wanted (const struct push *push)
{
  const struct run *run = push->sync->run;
  bool whole = run->link->plan || peer_is_passive (&run->peer);

  return TALLY_GET_BODY | (whole ? 0 : TALLY_GET_PART);
}

static int
collect_doc (void *ctx, const struct tally_doc *doc)
{
  struct reading *reading = ctx;
  struct doclist *docs = &reading->docs;

  if (docs->count == WIRE_DOCS_MAX
      || (docs->count > 0
          && docs->bytes + doc->body.size + doc->meta.size > WIRE_BYTES_MAX)) {
    reading->full = true;
    return 1;
  }
  return !doclist_add (docs, doc);
}

/* Where the ids go on after the documents that were read. */
static size_t
count_read (const struct reading *reading)
{
  const struct push *push = reading->push;
  size_t at = 0, read = reading->from;

  if (!reading->full)
    return push->n;
  for (size_t i = reading->from; i < push->n; i++)
    if (doclist_next_if (&reading->docs, &at, push->ids[i]))
      read = i + 1;
  return read;
}

static int
collect_behind (void *ctx, const struct tally_doc *doc)
{
  struct reading *reading = ctx;

  return slice_equal (doc->id, buf_slice (&reading->after))
             ? 0
             : collect_doc (reading, doc);
}

static int
read_batch (void *ctx, struct tally_error *err)
{
  struct reading *reading = ctx;
  const struct push *push = reading->push;
  struct tally_slice after = buf_slice (&reading->after);
  struct replica *replica = push->sync->run->replica;
  int status;

  doclist_clear (&reading->docs);
  reading->full = false;
  status =
      push->all
          ? replica_find (replica, push->sync->collection, &after, NULL,
                          wanted (push), collect_behind, reading, err)
          : replica_get (replica, push->sync->collection,
                         push->ids + reading->from, push->n - reading->from,
                         wanted (push), collect_doc, reading, err);
  if (status == TALLY_OK && (reading->docs.failed || reading->after.failed))
    status = error_nomem (err);
  reading->to = push->all ? 0 : count_read (reading);
  return status;
}

/* Where the next batch begins; false: there is none. */
static bool
begin_next (const struct reading *reading, struct reading *next)
{
  const struct push *push = reading->push;
  const struct doclist *docs = &reading->docs;

  if (push->all && reading->full) {
    buf_clear (&next->after);
    buf_add_slice (&next->after, docs->docs[docs->count - 1].id);
  }
  next->from = reading->to;
  return push->all ? reading->full : next->from < push->n;
}

/* What ours is to stand in place of was not listed, and the cursor goes past
 * it: where ours cannot go there now, a run that pulls looks at both. */
static int
keep_back (struct push *push, const struct tally_doc *doc, int outcome,
           struct tally_error *err)
{
  const char *why = outcome == TALLY_AGAIN ? NULL : "was refused";

  if (push->sync->pulls)
    return idlist_add (push->both, doc->id) ? TALLY_OK : error_nomem (err);
  return sync_hold (push->sync, HELD_OURS, doc, outcome, why, err);
}

/* Under its whole revision; if it is damaged, under what was read of that. */
int
pushing_refused (struct push *push, const struct tally_doc *doc, int outcome,
                 struct tally_error *err)
{
  struct tally_doc whole = *doc;
  struct tally_error ignored;

  state_complete (&whole, push->sync->run->replica->name, &ignored);
  return keep_back (push, &whole, outcome, err);
}

static int
take_outcome (struct push *push, const struct tally_doc *doc,
              const struct peer_outcome *outcome, struct tally_error *err)
{
  struct sync *sync = push->sync;

  switch (outcome->status) {
  case TALLY_OK:
    if (!push->all)
      push->settled[push->n_settled++] = doc->seq;
    else if (doc->seq > push->head && !seqset_add (&sync->settled, doc->seq))
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
    return pushing_refused (push, doc, outcome->status, err);
  }
}

static int
push_batch (struct push *push, const struct doclist *docs,
            struct tally_error *err)
{
  struct sync *sync = push->sync;
  struct run *run = sync->run;
  size_t n = docs->count;
  struct peer_outcome *outcomes = calloc (n + 1, sizeof *outcomes);
  bool *returns = calloc (n + 1, sizeof *returns);
  int status =
      outcomes && returns ? sync_begin (sync, err) : error_nomem (err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    status =
        bound_check (sync, docs->docs[i].id, docs->docs[i].rev, NULL, err);
    if (status == TALLY_OK)
      status = sync_may_return (sync, &docs->docs[i], true, &returns[i], err);
    sync->returned += returns[i];
  }
  if (status == TALLY_OK)
    status = peer_put (&run->peer, sync->collection,
                       sync_strict (sync) ? WIRE_PUT_STRICT : 0, docs->docs,
                       NULL, n, sync->remote_done ? &sync->far_cursor : NULL,
                       outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    sync->returned -= returns[i] && outcomes[i].status != TALLY_OK;
    status = take_outcome (push, &docs->docs[i], &outcomes[i], err);
  }
  free (returns);
  free (outcomes);
  sync_progress (sync);
  return status;
}

/* Pushes what was read, and meanwhile reads the next batch, if there is one.
 */
static int
push_and_read (struct push *push, struct reading *reading,
               struct reading *next, bool *more, struct tally_error *err)
{
  bool threads = push->sync->run->peer.threads;
  struct errand errand = { .run = NULL };
  struct tally_error reason;
  int status = TALLY_OK, read;

  *more = begin_next (reading, next);
  if (*more)
    errand_start (&errand, threads, read_batch, next);
  if (push->all)
    status = given_leave_kept (push, &reading->docs, err);
  if (status == TALLY_OK && reading->docs.count > 0)
    status = push_batch (push, &reading->docs, err);
  read = errand_wait (&errand, &reason);
  if (status == TALLY_OK && read != TALLY_OK) {
    *err = reason;
    status = read;
  }
  return status;
}

int
pushing_run (struct push *push, struct tally_error *err)
{
  struct reading readings[2] = { { .push = push }, { .push = push } };
  unsigned now = 0;
  bool more = push->all || push->n > 0;
  int status = more ? read_batch (&readings[0], err) : TALLY_OK;

  while (status == TALLY_OK && more && !given_is_beyond (push)) {
    if (sync_cancelled (push->sync))
      status = error_set (err, TALLY_CANCELLED, "cancelled");
    else
      status =
          push_and_read (push, &readings[now], &readings[!now], &more, err);
    now = !now;
  }
  for (unsigned i = 0; i < 2; i++) {
    doclist_free (&readings[i].docs);
    buf_free (&readings[i].after);
  }
  return status;
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
    return keep_back (push, &doc, TALLY_AGAIN, err);
  case KEEP_NOT:
    push->ids[push->n++] = item->id;
    return TALLY_OK;
  default:
    return TALLY_OK;
  }
}

static int
by_id (const void *a, const void *b)
{
  return slice_cmp (*(const struct tally_slice *) a,
                    *(const struct tally_slice *) b);
}

static int
settle (struct push *push, struct tally_error *err)
{
  qsort (push->settled, push->n_settled, sizeof *push->settled, seq_order);
  for (size_t i = 0; i < push->n_settled; i++)
    if (!seqset_add (&push->sync->settled, push->settled[i]))
      return error_nomem (err);
  return TALLY_OK;
}

/* In the order of their ids: either side has neighbours together. */
int
push_remote (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct push push = { .sync = sync, .both = both };
  size_t most = plan_count (&sync->plan, PLAN_PUSH);
  int status = TALLY_OK;

  if (!sync->pushes || most == 0)
    return TALLY_OK;
  push.ids = calloc (most, sizeof *push.ids);
  push.settled = calloc (most, sizeof *push.settled);
  if (!push.ids || !push.settled)
    status = error_nomem (err);
  for (size_t i = 0; i < sync->plan.count && status == TALLY_OK; i++)
    if (sync->plan.items[i].action == PLAN_PUSH)
      status = add_item (&push, &sync->plan.items[i], err);
  if (status == TALLY_OK) {
    qsort (push.ids, push.n, sizeof *push.ids, by_id);
    status = pushing_run (&push, err);
  }
  if (status == TALLY_OK)
    status = settle (&push, err);
  free (push.settled);
  free (push.ids);
  return status;
}
