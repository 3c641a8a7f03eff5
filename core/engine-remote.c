/* SPDX-License-Identifier: MIT */
/* retrieve_remote_meta: the pages of what changed there, as headers or as
 * whole documents, and the question that a run will ask first. */

#include <config.h>

#include <string.h>

#include "engine-internal.h"
#include "error.h"

/* Only the first cursor of a run is durable here, and of what it went past a
 * tombstone must not be forgotten there. */
static unsigned
first_flags (const struct run *run, const char *collection)
{
  unsigned flags = WIRE_META_COUNT;

  if (!held_has_tombstone (&run->pair.held, collection))
    flags |= WIRE_META_SAVED;
  return flags;
}

/* Headers that are looked at for a page of documents, however large. */
#define LIMIT_LEAST 64

void
foresee_remote_meta (struct run *run, const char *collection)
{
  struct pair_cursor *cursor = pair_cursor (&run->pair, collection);
  struct peer_ask ask = { .until = "" };

  if (!pair_cursor_is_set (cursor) || run->link->look
      || run->link->direction == TALLY_PUSH)
    return;
  ask.since = cursor->far;
  ask.flags = first_flags (run, collection);
  ask.bytes = ENGINE_FIRST_BYTES;
  peer_foresee (&run->peer, collection, &ask);
}

static int
found_one (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  *(bool *) ctx = true;
  return 1;
}

static int
start_listing (struct sync *sync, struct tally_error *err)
{
  bool any = false;
  int status;

  if (!sync->full || sync->listing)
    return TALLY_OK;
  status = replica_changes (sync->run->replica, sync->collection, 0, found_one,
                            &any, &sync->listed_from, err);
  sync->listing = true;
  sync->was_empty = !any;
  return status;
}

/* Whole documents are asked for where most of them will be wanted: after a
 * checkpoint, where there is nothing here, and after a window of which most
 * was.  Else of each its header comes first. */
static uint64_t
wants_whole (const struct sync *sync)
{
  if (sync->looks || sync->rejoins || sync->graves
      || peer_is_passive (&sync->run->peer))
    return 0;
  if (sync->asked)
    return sync->takes ? WIRE_BYTES_MAX : 0;
  if (!sync->full)
    return ENGINE_FIRST_BYTES;
  return sync->was_empty ? WIRE_BYTES_MAX : 0;
}

/* Where nothing is here documents may come in any order, but not after a
 * broken pair, when tombstones must come, too. */
static bool
wants_by_id (const struct sync *sync)
{
  return sync->was_empty && sync->far_cursor.data[0] == '\0'
         && !sync_strict (sync) && replica_lies_by_id (sync->run->replica);
}

/* Who gives whole documents looks at as many headers first: not at more than
 * will fit, as the last page was. */
static void
ask_whole (const struct sync *sync, struct peer_ask *ask)
{
  const struct doclist *last = &sync->remote;

  ask->bytes = wants_whole (sync);
  if (ask->bytes > 0 && wants_by_id (sync)) {
    ask->flags |= WIRE_META_BY_ID;
    ask->after = buf_slice (&sync->after);
  }
  if (ask->bytes > 0 && last->count > 0)
    ask->limit =
        LIMIT_LEAST + ask->bytes * 5 / 4 / (last->bytes / last->count + 1);
}

static int
miss (const struct sync *sync, uint64_t live, struct tally_error *err)
{
  return error_set (err, TALLY_CORRUPT,
                    "%s: is damaged: of the %llu documents of \"%s\" %llu "
                    "are found",
                    sync->run->link->channel->name, (unsigned long long) live,
                    sync->collection, (unsigned long long) sync->had);
}

/* Goes on behind the last id, until all is had.  Then the cursor is the head
 * of before the first page, and what changed since is still to come; where
 * nothing did, the documents are as many as there must be. */
static int
move_by_id (struct sync *sync, struct peer_page *page, struct tally_error *err)
{
  const struct doclist *docs = &sync->remote;

  sync->had += docs->count;
  if (sync->head.size == 0)
    buf_add_slice (&sync->head, buf_slice (&page->next));
  if (page->more) {
    buf_clear (&sync->after);
    buf_add_slice (&sync->after, docs->docs[docs->count - 1].id);
  } else {
    sync->remote_done =
        slice_equal (buf_slice (&page->next), buf_slice (&sync->head));
    buf_clear (&sync->far_cursor);
    buf_add_slice (&sync->far_cursor, buf_slice (&sync->head));
  }
  buf_free (&page->next);
  if (sync->after.failed || sync->head.failed || sync->far_cursor.failed)
    return error_nomem (err);
  return sync->remote_done && sync->had != page->live
             ? miss (sync, page->live, err)
             : TALLY_OK;
}

static void
move_by_arrival (struct sync *sync, const struct peer_page *page, bool known)
{
  sync->known = known;
  sync->past_known |= known && !page->more;
  buf_free (&sync->far_cursor);
  sync->far_cursor = page->next;
  sync->remote_done = !page->more && !known;
}

int
retrieve_remote_meta (struct sync *sync, struct tally_error *err)
{
  bool known = sync->rejoins && !sync->past_known;
  struct peer_ask ask = { .since = sync->far_cursor.data,
                          .until = known ? sync->checkpoint.data : "" };
  struct peer_page page;
  int status;

  if (sync->remote_done) {
    doclist_clear (&sync->remote);
    return TALLY_OK;
  }
  if (!sync->asked && !sync->looks)
    ask.flags = first_flags (sync->run, sync->collection);
  if (sync->graves)
    ask.flags |= WIRE_META_GRAVES;
  status = start_listing (sync, err);
  ask_whole (sync, &ask);
  if (status == TALLY_OK)
    status = peer_meta (&sync->run->peer, sync->collection, &ask,
                        &sync->remote, &page, err);
  if (status != TALLY_OK)
    return status;
  if (!sync->full && peer_is_behind (sync->far_cursor.data, page.floor)) {
    buf_free (&page.next);
    status = sync_rejoin (sync, err);
    return status == TALLY_OK ? retrieve_remote_meta (sync, err) : status;
  }
  if (!sync->asked)
    sync->gone = page.gone;
  sync->far_floor = page.floor;
  if (sync->rejoins && peer_is_behind (sync->checkpoint.data, page.floor))
    sync->gone_there = true;
  sync->asked = true;
  sync->looked |= sync->remote.count > 0;
  if (page.by_id)
    return move_by_id (sync, &page, err);
  move_by_arrival (sync, &page, known);
  return TALLY_OK;
}

void
fetch_remote_ahead (struct sync *sync)
{
  struct peer_ask ask = { .since = sync->far_cursor.data, .until = "" };
  size_t wanted = 0;

  for (size_t i = 0; i < sync->remote.count; i++)
    wanted += sync->plan.items[i].action == PLAN_PULL;
  sync->takes = wanted >= sync->remote.count - sync->remote.count / 8;
  if (sync->remote_done || sync->rejoins || sync->looks || sync->graves)
    return;
  ask_whole (sync, &ask);
  peer_fetch_ahead (&sync->run->peer, sync->collection, &ask);
}

int
restart_remote (struct sync *sync, struct tally_error *err)
{
  struct pair_cursor *cursor =
      pair_cursor (&sync->run->pair, sync->collection);
  const char *far = cursor ? cursor->far : "";

  buf_clear (&sync->after);
  buf_clear (&sync->head);
  sync->had = 0;
  buf_clear (&sync->far_cursor);
  buf_add (&sync->far_cursor, far, strlen (far) + 1);
  sync->remote_done = !sync->pulls;
  if (sync->far_cursor.failed)
    return error_nomem (err);
  return retrieve_remote_meta (sync, err);
}
