/* SPDX-License-Identifier: MIT */
/* What was held back is tried again in every run that may get further with
 * it, or let go where that has lost its meaning. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"

struct retry {
  struct sync *sync;
  struct doclist local; /* headers with meta of all that are held */
};

static int
read_local (struct retry *retry, struct tally_error *err)
{
  struct sync *sync = retry->sync;
  const struct held_list *list = &sync->run->pair.held;
  struct tally_slice *ids = calloc (list->n + 1, sizeof *ids);
  size_t n = 0;
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < list->n; i++) {
    struct tally_slice id =
        slice_make (list->items[i].id, list->items[i].id_size);
    bool twice = list->items[i].side == HELD_THEIRS
                 && held_find (list, HELD_OURS, sync->collection, id);

    if (strcmp (list->items[i].collection, sync->collection) == 0 && !twice)
      ids[n++] = id;
  }
  status = replica_get (sync->run->replica, sync->collection, ids, n,
                        TALLY_GET_META, doclist_emit, &retry->local, err);
  if (status == TALLY_OK && retry->local.failed)
    status = error_nomem (err);
  free (ids);
  return status;
}

static const struct tally_doc *
find_local (const struct retry *retry, const struct held *held)
{
  struct tally_slice id = slice_make (held->id, held->id_size);

  for (size_t i = 0; i < retry->local.count; i++)
    if (slice_equal (retry->local.docs[i].id, id))
      return &retry->local.docs[i];
  return NULL;
}

/* A tombstone that grew too old here while they refused it: what it deleted is
 * still there, and meets its grave.  Where all is listed that does, too. */
static bool
is_forgotten (const struct sync *sync, const struct held *held)
{
  return held->deleted && !peer_is_passive (&sync->run->peer)
         && !(sync->full && sync->pulls);
}

/* *due: one more try may get further.  Sets held->tried also when the entry
 * has lost its meaning. */
static int
judge_held (const struct retry *retry, struct held *held, bool *due,
            struct tally_error *err)
{
  const struct sync *sync = retry->sync;
  const struct tally_doc *ours = find_local (retry, held);
  bool knows;
  int status;

  *due = false;
  if (held->side == HELD_OURS) {
    /* Edited since: it is past the cursor again.  But whether they know it
     * must still be looked at as after a broken pair. */
    if (held->strict && ours && ours->seq != held->seq) {
      held->seq = ours->seq;
      sync->run->pair.held.changed = true;
    }
    held->tried |= ours ? ours->seq != held->seq : !is_forgotten (sync, held);
    *due = sync->pushes && !held->tried
           && (held->status != TALLY_AGAIN
               || sync_keeps (sync, ours ? ours->rev : held->rev) == KEEP_NOT);
    return TALLY_OK;
  }
  if (!sync->pulls)
    return TALLY_OK;
  /* It is listed again, but once all was listed and repaired. */
  if (sync->full && !sync->repaired) {
    held->tried = true;
    return TALLY_OK;
  }
  /* Both wait for the one. */
  if (ours && sync->pushes && sync_keeps (sync, ours->rev) == KEEP_HELD)
    return TALLY_OK;
  if (held->status != TALLY_AGAIN || !sync_is_too_new (sync, held->rev)) {
    *due = true;
    return TALLY_OK;
  }
  status = sync_knows_newest (sync, ours, held->rev, &knows, err);
  *due = knows;
  return status;
}

/* In a folder nothing is found by its id: all of it is read again. */
static int
read_again (struct sync *sync, struct tally_error *err)
{
  buf_clear (&sync->far_cursor);
  buf_add_byte (&sync->far_cursor, '\0');
  sync->remote_done = false;
  return sync->far_cursor.failed ? error_nomem (err) : TALLY_OK;
}

static bool
has_id (const struct idlist *list, struct tally_slice id)
{
  for (size_t i = 0; i < list->count; i++)
    if (slice_equal (list->ids[i], id))
      return true;
  return false;
}

int
sync_retry (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct held_list *list = &sync->run->pair.held;
  struct retry retry = { .sync = sync };
  int status = TALLY_OK;

  sync->wall_ms = replica_wall_ms (sync->run->replica);
  if (list->n == 0)
    return TALLY_OK;
  status = read_local (&retry, err);
  for (size_t i = 0; i < list->n && status == TALLY_OK; i++) {
    struct held *held = &list->items[i];
    struct tally_slice id = slice_make (held->id, held->id_size);
    bool due;

    if (strcmp (held->collection, sync->collection) != 0)
      continue;
    status = judge_held (&retry, held, &due, err);
    if (status != TALLY_OK || !due)
      continue;
    held->tried = true;
    if (peer_is_passive (&sync->run->peer))
      status = read_again (sync, err);
    else if (!has_id (both, id) && !idlist_add (both, id))
      status = error_nomem (err);
  }
  doclist_free (&retry.local);
  return status;
}
