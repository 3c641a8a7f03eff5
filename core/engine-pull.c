/* SPDX-License-Identifier: MIT */
/* pull_local: the documents that changed there and not here.  Each is put on
 * the revision that it was planned on; one that was edited meanwhile goes to
 * those that both sides changed. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"
#include "hooks.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct pull {
  struct sync *sync;
  struct idlist *both;
  struct tally_slice *ids;        /* of what is to be fetched */
  const struct plan_item **items; /* of the ids */
  size_t n;
  struct doclist docs;
  struct tally_entry *entries;
  struct tally_outcome *outcomes;
  struct stamp newest; /* of those that were stored */
  uint64_t limit_ms;
};

static void
make_entry (const struct pull *pull, struct tally_entry *entry,
            const struct plan_item *item, const struct tally_doc *doc)
{
  memset (entry, 0, sizeof *entry);
  entry->collection = pull->sync->collection;
  entry->expected = item->local_rev;
  entry->doc = *doc;
}

/* One that was written to since its header came may be too new for us. */
static int
make_entries (struct pull *pull, size_t from, size_t to, size_t *made,
              struct tally_error *err)
{
  size_t at = 0, n = 0;

  for (size_t i = from; i < to; i++) {
    const struct tally_doc *doc =
        doclist_next_if (&pull->docs, &at, pull->ids[i]);

    if (!doc)
      continue;
    if (!sync_is_too_new (pull->sync, doc->rev))
      make_entry (pull, &pull->entries[n++], pull->items[i], doc);
    else if (!idlist_add (pull->both, doc->id))
      return error_nomem (err);
  }
  *made = n;
  return TALLY_OK;
}

/* What came whole with its window, in the order of that. */
static size_t
make_entries_at_hand (struct pull *pull)
{
  const struct doclist *remote = &pull->sync->remote;
  size_t n = 0;

  for (size_t i = 0; i < remote->count; i++) {
    const struct plan_item *item = &pull->sync->plan.items[i];

    if (item->action == PLAN_PULL && remote->docs[i].meta.size > 0)
      make_entry (pull, &pull->entries[n++], item, &remote->docs[i]);
  }
  return n;
}

/* The rest is fetched. */
static void
list_ids (struct pull *pull)
{
  const struct sync *sync = pull->sync;

  for (size_t i = 0; i < sync->plan.count; i++) {
    const struct plan_item *item = &sync->plan.items[i];

    if (item->action != PLAN_PULL
        || (i < sync->remote.count && sync->remote.docs[i].meta.size > 0))
      continue;
    pull->ids[pull->n] = item->id;
    pull->items[pull->n++] = item;
  }
}

static int
take_outcome (struct pull *pull, const struct tally_entry *entry,
              const struct tally_outcome *outcome, struct tally_error *err)
{
  const struct tally_doc *doc = &entry->doc;
  struct sync *sync = pull->sync;

  if (outcome->status != TALLY_OK)
    return idlist_add (pull->both, doc->id) ? TALLY_OK : error_nomem (err);
  stamp_raise (&pull->newest, doc->rev, pull->limit_ms);
  sync_count (sync, doc->id, &sync->report.pulled,
              doc->flags & TALLY_DOC_DELETED);
  return seqset_add (&sync->settled, outcome->seq) ? TALLY_OK
                                                   : error_nomem (err);
}

static int
store_batch (struct pull *pull, size_t n, struct tally_error *err)
{
  struct origin origin = { TALLY_ORIGIN_SYNC, pull->sync->run->link->name };
  int status = TALLY_OK;

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    const struct tally_entry *entry = &pull->entries[i];
    bool returns = false;

    status = bound_check (pull->sync, entry->doc.id, entry->expected,
                          entry->doc.rev, err);
    if (status == TALLY_OK
        && memcmp (entry->expected, absent_rev, TALLY_REV_SIZE) == 0)
      status = sync_may_return (pull->sync, &entry->doc, false, &returns, err);
    pull->sync->returned += returns;
  }
  if (status == TALLY_OK)
    status = replica_put_by (pull->sync->run->replica, &origin, pull->entries,
                             n, 0, pull->outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = take_outcome (pull, &pull->entries[i], &pull->outcomes[i], err);
  replica_seen (pull->sync->run->replica, &pull->newest);
  sync_progress (pull->sync);
  return status;
}

static int
pull_all (struct pull *pull, struct tally_error *err)
{
  struct sync *sync = pull->sync;
  size_t at = 0, answered = 0, n = make_entries_at_hand (pull);
  int status = n > 0 ? store_batch (pull, n, err) : TALLY_OK;

  while (at < pull->n && status == TALLY_OK) {
    if (sync_cancelled (sync))
      return error_set (err, TALLY_CANCELLED, "cancelled");
    status = peer_get (&sync->run->peer, sync->collection, pull->ids + at,
                       pull->n - at, &answered, &pull->docs, sync_hold_bad,
                       sync, err);
    if (status == TALLY_OK)
      status = make_entries (pull, at, at + answered, &n, err);
    if (status == TALLY_OK)
      status = store_batch (pull, n, err);
    at += answered;
  }
  return status;
}

int
pull_local (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct pull pull = { .sync = sync,
                       .both = both,
                       .limit_ms = replica_wall_ms (sync->run->replica)
                                   + sync->run->replica->max_skew_ms };
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
    list_ids (&pull);
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
