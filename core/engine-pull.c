/* SPDX-License-Identifier: MIT */
/* pull_local: the documents that changed there and not here.  Each is put on
 * the revision that it was planned on; one that was edited meanwhile goes to
 * those that both sides changed. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct pull {
  struct sync *sync;
  struct idlist *both;
  struct tally_slice *ids;
  const struct plan_item **items; /* of the ids */
  size_t n;
  struct doclist docs;
  struct tally_entry *entries;
  struct tally_outcome *outcomes;
};

/* One that was written to since its header came may be too new for us. */
static int
make_entries (struct pull *pull, size_t from, size_t to, size_t *made,
              struct tally_error *err)
{
  size_t at = 0, n = 0;

  for (size_t i = from; i < to; i++) {
    const struct tally_doc *doc =
        doclist_next_if (&pull->docs, &at, pull->ids[i]);
    struct tally_entry *entry = &pull->entries[n];

    if (!doc)
      continue;
    if (sync_is_too_new (pull->sync, doc->rev)) {
      if (!idlist_add (pull->both, doc->id))
        return error_nomem (err);
      continue;
    }
    memset (entry, 0, sizeof *entry);
    entry->collection = pull->sync->collection;
    entry->expected = pull->items[i]->local_rev;
    entry->doc = *doc;
    n++;
  }
  *made = n;
  return TALLY_OK;
}

static int
take_outcome (struct pull *pull, const struct tally_entry *entry,
              const struct tally_outcome *outcome, struct tally_error *err)
{
  const struct tally_doc *doc = &entry->doc;
  struct sync *sync = pull->sync;
  struct stamp newest;

  if (outcome->status != TALLY_OK)
    return idlist_add (pull->both, doc->id) ? TALLY_OK : error_nomem (err);
  memcpy (newest.bytes, doc->rev, STAMP_SIZE);
  replica_seen (sync->run->replica, &newest);
  sync->returned +=
      sync_strict (sync) && !(doc->flags & TALLY_DOC_DELETED)
      && memcmp (entry->expected, absent_rev, TALLY_REV_SIZE) == 0;
  sync_count (sync, doc->id, &sync->report.pulled,
              doc->flags & TALLY_DOC_DELETED);
  return seqset_add (&sync->settled, outcome->seq) ? TALLY_OK
                                                   : error_nomem (err);
}

static int
store_batch (struct pull *pull, size_t from, size_t to,
             struct tally_error *err)
{
  size_t n = 0;
  int status = make_entries (pull, from, to, &n, err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    const struct tally_entry *entry = &pull->entries[i];

    status = bound_check (pull->sync, entry->doc.id, entry->expected,
                          entry->doc.rev, err);
  }
  if (status == TALLY_OK)
    status = replica_put (pull->sync->run->replica, pull->entries, n, 0,
                          pull->outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = take_outcome (pull, &pull->entries[i], &pull->outcomes[i], err);
  sync_progress (pull->sync);
  return status;
}

static int
pull_all (struct pull *pull, struct tally_error *err)
{
  struct sync *sync = pull->sync;
  size_t at = 0, answered;

  while (at < pull->n) {
    int status = TALLY_OK;

    if (sync_cancelled (sync))
      return error_set (err, TALLY_CANCELLED, "cancelled");
    status = peer_get (&sync->run->peer, sync->collection, pull->ids + at,
                       pull->n - at, &answered, &pull->docs, sync_hold_bad,
                       sync, err);
    if (status == TALLY_OK)
      status = store_batch (pull, at, at + answered, err);
    if (status != TALLY_OK)
      return status;
    at += answered;
  }
  return TALLY_OK;
}

int
pull_local (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct pull pull = { .sync = sync, .both = both };
  size_t most = plan_count (&sync->plan, PLAN_PULL);
  int status;

  for (size_t i = 0; i < sync->plan.count; i++)
    if (sync->plan.items[i].action == PLAN_MERGE
        && !idlist_add (both, sync->plan.items[i].id))
      return error_nomem (err);
  if (most == 0)
    return TALLY_OK;
  pull.ids = calloc (most, sizeof *pull.ids);
  pull.items = calloc (most, sizeof *pull.items);
  pull.entries = calloc (most, sizeof *pull.entries);
  pull.outcomes = calloc (most, sizeof *pull.outcomes);
  if (!pull.ids || !pull.items || !pull.entries || !pull.outcomes)
    status = error_nomem (err);
  else {
    for (size_t i = 0; i < sync->plan.count; i++)
      if (sync->plan.items[i].action == PLAN_PULL) {
        pull.ids[pull.n] = sync->plan.items[i].id;
        pull.items[pull.n++] = &sync->plan.items[i];
      }
    status = sync_begin (sync, err);
  }
  if (status == TALLY_OK)
    status = pull_all (&pull, err);
  free (pull.outcomes);
  free (pull.entries);
  free (pull.items);
  free (pull.ids);
  doclist_free (&pull.docs);
  return status;
}
