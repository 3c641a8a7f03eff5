/* SPDX-License-Identifier: MIT */
/* compile_changes: what is here of what changed there, what changed here, and
 * the plan that comes of both. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"
#include "state.h"

struct changed {
  struct sync *sync;
  uint64_t last;
  bool full;
};

static int
collect_changed (void *ctx, const struct tally_doc *doc)
{
  struct changed *changed = ctx;
  struct sync *sync = changed->sync;
  struct tally_doc header = *doc;

  if (sync->graves && !(doc->flags & TALLY_DOC_DELETED))
    return 0;
  if (sync->changed.count == ENGINE_WINDOW) {
    changed->full = true;
    return 1;
  }
  changed->last = doc->seq;
  if (seqset_has (&sync->settled, doc->seq)
      || seqset_has (&sync->listed, doc->seq))
    return 0;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (&sync->changed, &header);
}

/* Local changes are looked at once all of theirs are known: what both sides
 * changed is then never pushed in vain. */
static int
read_changed (struct sync *sync, struct tally_error *err)
{
  struct changed changed = { sync, 0, false };
  uint64_t head = 0;
  int status;

  if (sync->compares)
    return TALLY_OK;
  doclist_clear (&sync->changed);
  if (sync->local_done || !sync->remote_done)
    return TALLY_OK;
  /* All that was just pulled would only be passed over. */
  status = replica_changes (sync->run->replica, sync->collection,
                            seqset_run (&sync->settled, sync->local_position),
                            collect_changed, &changed, &head, err);
  if (status == TALLY_OK && sync->changed.failed)
    status = error_nomem (err);
  if (status != TALLY_OK)
    return status;
  replica_note_listed (sync->run->replica, sync->changed.docs,
                       sync->changed.count);
  sync->local_done = !changed.full;
  sync->looked |= changed.last > 0;
  sync->local_position = changed.full ? changed.last : head;
  return TALLY_OK;
}

int
sync_fill_graves (struct sync *sync, struct doclist *docs,
                  const struct tally_slice *ids, size_t n, unsigned flags,
                  struct tally_error *err)
{
  if (sync->own_floor == 0 || sync_strict (sync))
    return TALLY_OK;
  return graves_fill (docs, sync->run->replica, sync->collection, ids, n,
                      flags, err);
}

/* The plan looks at the meta of what a repair left, and at no other. */
static int
collect_local (void *list, const struct tally_doc *doc)
{
  struct tally_doc header = *doc;

  header.body = slice_make (NULL, 0);
  if (!state_is_repaired (doc->meta))
    header.meta = header.body;
  return !doclist_add (list, &header);
}

static int
read_local (struct sync *sync, struct tally_error *err)
{
  size_t n = sync->remote.count;
  struct tally_slice *ids = calloc (n + 1, sizeof *ids);
  int status;

  doclist_clear (&sync->local);
  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < n; i++)
    ids[i] = sync->remote.docs[i].id;
  status = replica_get (sync->run->replica, sync->collection, ids, n,
                        TALLY_GET_META, collect_local, &sync->local, err);
  if (status == TALLY_OK && sync->local.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = sync_fill_graves (sync, &sync->local, ids, n, 0, err);
  free (ids);
  return status;
}

/* One that is not taken in; who makes the document anew writes above it. */
static void
see_tombstone (struct sync *sync, size_t header)
{
  struct stamp newest;

  memcpy (newest.bytes, sync->remote.docs[header].rev, STAMP_SIZE);
  replica_seen (sync->run->replica, &newest);
}

/* What was held back has never been on the other side: it is not gone there,
 * whatever the cursors went past. */
static void
spare_held (struct sync *sync)
{
  const struct held_list *held = &sync->run->pair.held;

  for (size_t i = 0; i < sync->plan.count; i++) {
    struct plan_item *item = &sync->plan.items[i];

    if (item->action == PLAN_DELETE_HERE
        && held_has_seq (held, sync->collection, item->local_seq))
      item->action = PLAN_PUSH;
    else if (item->action == PLAN_DELETE_THERE
             && held_find (held, HELD_THEIRS, sync->collection, item->id))
      item->action = PLAN_PULL;
  }
}

int
compile_changes (struct sync *sync, struct tally_error *err)
{
  bool passive = peer_is_passive (&sync->run->peer);
  struct plan_rules rules = { .local_cursor = sync->local_cursor,
                              .passive = passive,
                              .forgetful = !sync_strict (sync) && !passive,
                              /* What was repaired has been looked at. */
                              .listed = sync->full && sync->pulls && !passive
                                                && !sync->repaired
                                            ? sync->listed_from
                                            : 0,
                              .gone_here = sync->gone_here && sync->known,
                              .gone_there = sync->gone_there };
  int status = read_local (sync, err);

  if (status == TALLY_OK)
    status = read_changed (sync, err);
  if (status == TALLY_OK
      && !plan_compile (&sync->plan, &sync->remote, &sync->local,
                        &sync->changed, &rules))
    status = error_nomem (err);
  spare_held (sync);
  for (size_t i = 0; i < sync->plan.count && status == TALLY_OK; i++) {
    const struct plan_item *item = &sync->plan.items[i];

    sync->total += item->action != PLAN_EQUAL;
    if (item->local_seq == 0 && item->action == PLAN_EQUAL && !sync->looks)
      see_tombstone (sync, i);
    if (item->local_seq == 0)
      continue;
    if ((sync->rejoins && !seqset_add (&sync->listed, item->local_seq))
        || (item->action == PLAN_EQUAL
            && !seqset_add (&sync->settled, item->local_seq)))
      status = error_nomem (err);
  }
  return status;
}
