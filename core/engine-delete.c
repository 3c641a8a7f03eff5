/* SPDX-License-Identifier: MIT */
/* Documents that are gone on one side, which has forgotten their tombstones,
 * while the pair was away: they are deleted on the other side by a tombstone
 * of our own, of now.  One that was edited meanwhile, on either side, is left
 * for the next run, which finds it changed and keeps it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "engine-internal.h"
#include "error.h"
#include "hooks.h"
#include "write.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct gone {
  struct sync *sync;
  struct tally_slice *ids;
  const struct plan_item **items; /* of the ids */
  size_t n;
};

static int
gone_list (struct gone *gone, enum plan_action action, struct tally_error *err)
{
  const struct plan *plan = &gone->sync->plan;
  size_t most = plan_count (plan, action);

  gone->ids = calloc (most + 1, sizeof *gone->ids);
  gone->items = calloc (most + 1, sizeof *gone->items);
  if (!gone->ids || !gone->items)
    return error_nomem (err);
  for (size_t i = 0; i < plan->count; i++)
    if (plan->items[i].action == action) {
      gone->ids[gone->n] = plan->items[i].id;
      gone->items[gone->n++] = &plan->items[i];
    }
  return TALLY_OK;
}

static void
gone_free (struct gone *gone)
{
  free (gone->items);
  free (gone->ids);
}

/* ---- here --------------------------------------------------------------- */

static int
delete_batch (struct gone *gone, size_t from, size_t n,
              struct tally_error *err)
{
  struct sync *sync = gone->sync;
  struct write_item *items = calloc (n + 1, sizeof *items);
  struct write_result *results = calloc (n + 1, sizeof *results);
  int status = items && results ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    items[i].id = gone->ids[from + i];
    items[i].expected = gone->items[from + i]->local_rev;
  }
  if (status == TALLY_OK)
    status = write_batch (sync->run->replica, sync->collection, items, n,
                          results, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    if (results[i].status != TALLY_OK || results[i].seq == 0)
      continue;
    sync_count (sync, items[i].id, &sync->report.pulled, true);
    if (!seqset_add (&sync->settled, results[i].seq))
      status = error_nomem (err);
  }
  free (results);
  free (items);
  return status;
}

static int
delete_here (struct sync *sync, struct tally_error *err)
{
  struct gone gone = { .sync = sync };
  int status = gone_list (&gone, PLAN_DELETE_HERE, err);

  if (status == TALLY_OK && gone.n > 0)
    status = sync_begin (sync, err);
  for (size_t at = 0; at < gone.n && status == TALLY_OK; at += WRITE_BATCH)
    status = delete_batch (
        &gone, at, gone.n - at < WRITE_BATCH ? gone.n - at : WRITE_BATCH, err);
  gone_free (&gone);
  return status;
}

/* ---- there -------------------------------------------------------------- */

/* A tombstone over their document. */
static int
bury (struct sync *sync, const struct tally_doc *theirs,
      struct doclist *tombstones, struct tally_error *err)
{
  struct state old = { 0 }, new = { 0 };
  struct stamp stamp;
  struct tally_doc doc = { .id = theirs->id, .flags = TALLY_DOC_DELETED };
  struct buf meta = BUF_INIT;
  int status = state_decode (&old, false, theirs->meta, theirs->body, err);

  if (status == TALLY_OK)
    status = write_stamp (sync->run->replica, &old, &stamp, err);
  if (status == TALLY_OK)
    status = edit_delete (&new, &old, &stamp, err);
  if (status == TALLY_OK) {
    state_encode (&new, &meta);
    state_rev (&new, doc.id, doc.rev);
    doc.meta = buf_slice (&meta);
    doc.body = new.body;
    if (meta.failed || !doclist_add (tombstones, &doc))
      status = error_nomem (err);
  }
  buf_free (&meta);
  state_free (&new);
  state_free (&old);
  return status;
}

struct burial {
  struct doclist theirs, tombstones;
  struct tally_slice *bases;
  struct tally_entry *entries;
  struct tally_outcome *stored;
  struct peer_outcome *pushed;
};

static int
burial_start (struct burial *burial, const struct gone *gone, size_t from,
              size_t to, struct tally_error *err)
{
  const struct doclist *theirs = &burial->theirs;
  struct sync *sync = gone->sync;
  size_t n = 0, at = 0;
  int status = TALLY_OK;

  burial->bases = calloc (theirs->count + 1, sizeof *burial->bases);
  burial->entries = calloc (theirs->count + 1, sizeof *burial->entries);
  burial->stored = calloc (theirs->count + 1, sizeof *burial->stored);
  burial->pushed = calloc (theirs->count + 1, sizeof *burial->pushed);
  if (!burial->bases || !burial->entries || !burial->stored || !burial->pushed)
    return error_nomem (err);
  doclist_clear (&burial->tombstones);
  for (size_t i = from; i < to && status == TALLY_OK; i++) {
    const struct tally_doc *doc = doclist_next_if (theirs, &at, gone->ids[i]);

    /* Somebody else was faster. */
    if (!doc || memcmp (doc->rev, gone->items[i]->remote_rev, sizeof doc->rev))
      continue;
    burial->bases[n++] = slice_make (doc->rev, TALLY_REV_SIZE);
    status = bury (sync, doc, &burial->tombstones, err);
  }
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    burial->entries[i].collection = sync->collection;
    burial->entries[i].expected = absent_rev;
    burial->entries[i].doc = burial->tombstones.docs[i];
  }
  return status;
}

static void
burial_end (struct burial *burial)
{
  free (burial->pushed);
  free (burial->stored);
  free (burial->entries);
  free (burial->bases);
}

/* Who made the document here meanwhile keeps it, and merges with theirs. */
static size_t
keep_stored (struct burial *burial, size_t n)
{
  size_t kept = 0;

  for (size_t i = 0; i < n; i++) {
    if (burial->stored[i].status != TALLY_OK)
      continue;
    burial->tombstones.docs[kept] = burial->tombstones.docs[i];
    burial->bases[kept] = burial->bases[i];
    burial->stored[kept++] = burial->stored[i];
  }
  return kept;
}

/* What they refuse must still be given to them: nobody lists theirs again.
 * What was edited there meanwhile the next run does. */
static int
take_burial (const struct burial *burial, struct sync *sync, size_t i,
             struct tally_error *err)
{
  struct tally_doc doc = burial->tombstones.docs[i];
  int outcome = burial->pushed[i].status;

  doc.seq = burial->stored[i].seq;
  if (outcome == TALLY_CONFLICT)
    return TALLY_OK;
  if (outcome != TALLY_OK)
    return sync_hold (sync, HELD_OURS, &doc, outcome,
                      outcome == TALLY_AGAIN ? NULL : "was refused", err);
  sync_count (sync, doc.id, &sync->report.pushed, true);
  return seqset_add (&sync->settled, doc.seq) ? TALLY_OK : error_nomem (err);
}

/* First here: what is here as a tombstone is pushed by whichever run. */
static int
bury_batch (struct burial *burial, const struct gone *gone, size_t from,
            size_t to, struct tally_error *err)
{
  struct sync *sync = gone->sync;
  struct run *run = sync->run;
  struct origin origin = { TALLY_ORIGIN_SYNC, run->link->name };
  int status = burial_start (burial, gone, from, to, err);
  size_t n = burial->tombstones.count;

  if (status == TALLY_OK)
    status = replica_put_by (run->replica, &origin, burial->entries, n, 0,
                             burial->stored, err);
  if (status == TALLY_OK)
    n = keep_stored (burial, n);
  if (status == TALLY_OK && n > 0)
    status = peer_put (
        &run->peer, sync->collection, sync_strict (sync) ? WIRE_PUT_STRICT : 0,
        burial->tombstones.docs, burial->bases, n,
        sync->remote_done ? &sync->far_cursor : NULL, burial->pushed, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = take_burial (burial, sync, i, err);
  burial_end (burial);
  return status;
}

static int
delete_there (struct sync *sync, struct tally_error *err)
{
  struct gone gone = { .sync = sync };
  struct burial burial = { 0 };
  size_t at = 0, answered;
  int status = gone_list (&gone, PLAN_DELETE_THERE, err);

  if (status == TALLY_OK && gone.n > 0)
    status = sync_begin (sync, err);
  while (at < gone.n && status == TALLY_OK) {
    if (sync_cancelled (sync))
      status = error_set (err, TALLY_CANCELLED, "cancelled");
    if (status == TALLY_OK)
      status = peer_get (&sync->run->peer, sync->collection, gone.ids + at,
                         gone.n - at, &answered, &burial.theirs, sync_hold_bad,
                         sync, err);
    if (status == TALLY_OK)
      status = bury_batch (&burial, &gone, at, at + answered, err);
    at += answered;
  }
  doclist_free (&burial.tombstones);
  doclist_free (&burial.theirs);
  gone_free (&gone);
  return status;
}

int
delete_gone (struct sync *sync, struct tally_error *err)
{
  int status = delete_here (sync, err);

  return status == TALLY_OK ? delete_there (sync, err) : status;
}
