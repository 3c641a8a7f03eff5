/* SPDX-License-Identifier: MIT */
/* A run, step by step: ensure_indexes, retrieve_remote_meta, compile_changes,
 * push_remote, pull_local, finalize.  A collection goes through the middle
 * four once for each window of headers, so that memory stays bounded. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "engine-internal.h"
#include "engine-compare.h"
#include "engine-connect.h"
#include "engine-names.h"
#include "error.h"
#include "forget.h"
#include "json.h"
#include "timesource.h"

/* ---- telling ------------------------------------------------------------ */

static void
tell (struct sync *sync, int type)
{
  const struct engine_link *link = sync->run->link;
  struct tally_event event = { .size = sizeof event, .type = type };

  if (!link->event)
    return;
  event.link = link->name;
  event.collection = sync->collection;
  event.done = sync->done;
  event.total = sync->total > sync->done ? sync->total : sync->done;
  if (type == TALLY_EVENT_SYNC_END)
    event.report = &sync->report;
  link->event (link->event_ctx, &event);
}

void
sync_progress (struct sync *sync)
{
  tell (sync, TALLY_EVENT_PROGRESS);
}

bool
sync_conflict (struct sync *sync, struct tally_slice id,
               struct tally_slice raw_field)
{
  const struct engine_link *link = sync->run->link;
  struct tally_event event = { .size = sizeof event };
  struct buf quoted = BUF_INIT, text = BUF_INIT;
  bool good;

  if (!link->event)
    return true;
  buf_add_slice (&text, id);
  buf_add_byte (&text, '\0');
  buf_addf (&quoted, "\"%.*s\"", (int) raw_field.size, raw_field.data);
  json_decode_string (&text, buf_slice (&quoted));
  buf_add_byte (&text, '\0');
  good = !quoted.failed && !text.failed;
  if (good) {
    event.type = TALLY_EVENT_CONFLICT;
    event.link = link->name;
    event.collection = sync->collection;
    event.id = text.data;
    event.field = text.data + id.size + 1;
    link->event (link->event_ctx, &event);
  }
  buf_free (&text);
  buf_free (&quoted);
  return good;
}

bool
sync_moves_first (struct sync *sync, struct tally_slice id)
{
  if (!peer_is_passive (&sync->run->peer))
    return true;
  if (idset_find (&sync->moved, &id, 1))
    return false;
  /* Without memory for it the worst is that it counts twice. */
  idset_add (&sync->moved, &id, 1);
  return true;
}

void
sync_count (struct sync *sync, struct tally_slice id, uint64_t *counter,
            bool deleted)
{
  sync->done++;
  if (!sync_moves_first (sync, id))
    return;
  ++*counter;
  sync->report.deleted += deleted;
}

void
sync_count_pushed (struct sync *sync, struct tally_slice id, bool deleted)
{
  if (!peer_is_passive (&sync->run->peer)) {
    sync_count (sync, id, &sync->report.pushed, deleted);
    return;
  }
  sync->done++;
  if (!sync_moves_first (sync, id))
    return;
  sync->waiting++;
  sync->waiting_deleted += deleted;
}

void
sync_stop_before (struct sync *sync, uint64_t seq)
{
  if (sync->stuck == 0 || seq < sync->stuck)
    sync->stuck = seq;
}

/* ---- the steps ---------------------------------------------------------- */

int
sync_begin (struct sync *sync, struct tally_error *err)
{
  struct run *run = sync->run;
  bool first = !pair_cursor (&run->pair, sync->collection);
  bool passive = peer_is_passive (&run->peer);
  /* Nobody compares with a folder: what is deleted while its link only pulls
   * must still be there when it pushes again. */
  bool gives = run->link->direction != TALLY_PULL || passive;
  bool rotates = !run->rotated && !passive;
  int status = replica_mark (run->replica, sync->wall_ms, err);

  if (status != TALLY_OK)
    return status;
  if (!first && (run->pair.counts || !gives) && !rotates)
    return TALLY_OK;
  if (first && !pair_set_cursor (&run->pair, sync->collection, 0, ""))
    return error_nomem (err);
  run->pair.counts |= gives;
  pair_meet (&run->pair, run->replica);
  /* One that may still be on its way to the far side is not given up: it
   * would have a token then that we know no more. */
  if (rotates && !run->pair.pending.set)
    pair_draw_token (&run->pair.pending);
  status = pair_save (&run->pair, run->replica, err);
  if (status != TALLY_OK || !rotates)
    return status;
  peer_queue_rotation (&run->peer, pair_token_slice (&run->pair.current),
                       pair_token_slice (&run->pair.pending));
  run->rotated = true;
  return TALLY_OK;
}

/* Cursors are kept, for what they say of either side, but all is listed. */
static int
start_rejoin (struct sync *sync, struct tally_error *err)
{
  sync->full = sync->rejoins = true;
  buf_free (&sync->checkpoint);
  sync->checkpoint = sync->far_cursor;
  memset (&sync->far_cursor, 0, sizeof sync->far_cursor);
  buf_add_byte (&sync->far_cursor, '\0');
  sync->past_known = sync->checkpoint.data[0] == '\0';
  sync->local_position = 0;
  sync->report.strategy = "full";
  return sync->far_cursor.failed ? error_nomem (err) : TALLY_OK;
}

/* Of what was forgotten here before they had it nothing is said any more. */
static int
check_own_floor (struct sync *sync, struct tally_error *err)
{
  int status = forget_floor (sync->run->replica, sync->collection,
                             &sync->own_floor, err);

  if (status != TALLY_OK || sync->full || !sync->pushes || !sync->pulls
      || peer_is_passive (&sync->run->peer))
    return status;
  sync->gone_here = sync->own_floor > sync->local_cursor;
  return sync->gone_here ? start_rejoin (sync, err) : status;
}

/* The stores are open and the identity is known since they were opened; the
 * pair's note says where the last run left off. */
int
ensure_indexes (struct sync *sync, struct tally_error *err)
{
  struct run *run = sync->run;
  struct pair_cursor *cursor = pair_cursor (&run->pair, sync->collection);
  const char *far = cursor ? cursor->far : "";

  sync->full = !pair_cursor_is_set (cursor);
  sync->local_cursor = cursor ? cursor->local : 0;
  if (run->peer.folder
      && folder_is_behind (run->peer.folder, sync->collection))
    sync->local_cursor = 0;
  sync->local_position = sync->local_cursor;
  buf_add (&sync->far_cursor, far, strlen (far) + 1);
  sync->pushes = run->link->direction != TALLY_PULL;
  sync->pulls = run->link->direction != TALLY_PUSH;
  sync->remote_done = !sync->pulls;
  sync->local_done = !sync->pushes;
  if (sync->far_cursor.failed)
    return error_nomem (err);
  /* A run of one direction has compared that one only. */
  if (sync->full || (sync->pushes && cursor->local == 0)
      || (sync->pulls && far[0] == '\0'))
    sync->strict = (struct strict){ run->pair.own, run->pair.n_own };
  sync->report.strategy = sync->full ? "full" : "changes";
  return check_own_floor (sync, err);
}

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

int
retrieve_remote_meta (struct sync *sync, struct tally_error *err)
{
  bool known = sync->rejoins && !sync->past_known;
  struct peer_ask ask = { .since = sync->far_cursor.data,
                          .until = known ? sync->checkpoint.data : "" };
  struct peer_page page;
  int status;

  doclist_clear (&sync->remote);
  if (sync->remote_done)
    return TALLY_OK;
  if (!sync->asked && !sync->looks)
    ask.flags = first_flags (sync->run, sync->collection);
  if (sync->graves)
    ask.flags |= WIRE_META_GRAVES;
  status = start_listing (sync, err);
  ask.bytes = wants_whole (sync);
  if (status == TALLY_OK)
    status = peer_meta (&sync->run->peer, sync->collection, &ask,
                        &sync->remote, &page, err);
  if (status != TALLY_OK)
    return status;
  if (!sync->full && peer_is_behind (sync->far_cursor.data, page.floor)) {
    buf_free (&page.next);
    status = start_rejoin (sync, err);
    return status == TALLY_OK ? retrieve_remote_meta (sync, err) : status;
  }
  if (!sync->asked)
    sync->gone = page.gone;
  sync->far_floor = page.floor;
  if (sync->rejoins && peer_is_behind (sync->checkpoint.data, page.floor))
    sync->gone_there = true;
  sync->known = known;
  sync->past_known |= known && !page.more;
  sync->asked = true;
  buf_free (&sync->far_cursor);
  sync->far_cursor = page.next;
  sync->remote_done = !page.more && !known;
  sync->looked |= sync->remote.count > 0;
  return TALLY_OK;
}

/* The next window comes while this one is stored. */
static void
fetch_remote_ahead (struct sync *sync)
{
  struct peer_ask ask = { .since = sync->far_cursor.data, .until = "" };
  size_t wanted = 0;

  for (size_t i = 0; i < sync->remote.count; i++)
    wanted += sync->plan.items[i].action == PLAN_PULL;
  sync->takes = wanted >= sync->remote.count - sync->remote.count / 8;
  if (sync->remote_done || sync->rejoins || sync->looks || sync->graves)
    return;
  ask.bytes = wants_whole (sync);
  peer_fetch_ahead (&sync->run->peer, sync->collection, &ask);
}

int
restart_remote (struct sync *sync, struct tally_error *err)
{
  struct pair_cursor *cursor =
      pair_cursor (&sync->run->pair, sync->collection);
  const char *far = cursor ? cursor->far : "";

  buf_clear (&sync->far_cursor);
  buf_add (&sync->far_cursor, far, strlen (far) + 1);
  sync->remote_done = !sync->pulls;
  if (sync->far_cursor.failed)
    return error_nomem (err);
  return retrieve_remote_meta (sync, err);
}

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
  status = replica_changes (sync->run->replica, sync->collection,
                            sync->local_position, collect_changed, &changed,
                            &head, err);
  if (status == TALLY_OK && sync->changed.failed)
    status = error_nomem (err);
  if (status != TALLY_OK)
    return status;
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
  status = replica_get (sync->run->replica, sync->collection, ids, n, 0,
                        doclist_emit, &sync->local, err);
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

struct settle {
  const struct sync *sync;
  uint64_t last;
  bool other;
};

static int
skip_settled (void *ctx, const struct tally_doc *doc)
{
  struct settle *settle = ctx;

  settle->other = !seqset_has (&settle->sync->settled, doc->seq);
  if (!settle->other)
    settle->last = doc->seq;
  return settle->other;
}

/* Below a floor only a run of both directions finds what is gone: until then
 * the cursor that says so stays where it is. */
static bool
leaves_gone_here (const struct sync *sync)
{
  return !sync->pulls && sync->own_floor > sync->local_cursor
         && sync->far_cursor.data[0] != '\0';
}

static bool
leaves_gone_there (const struct sync *sync)
{
  return !sync->pushes && sync->gone_there && sync->local_cursor > 0;
}

/* Everything here up to this seq is there, too.  A change that was made while
 * this run went on is not, and neither is what was set aside. */
static int
find_local_cursor (struct sync *sync, uint64_t *cursor,
                   struct tally_error *err)
{
  struct settle settle = { sync, sync->local_position, false };
  uint64_t head;
  int status;

  *cursor = sync->local_cursor;
  if (!sync->pushes || leaves_gone_here (sync))
    return TALLY_OK;
  if (sync->stuck > 0) {
    if (sync->stuck - 1 > *cursor)
      *cursor = sync->stuck - 1;
    return TALLY_OK;
  }
  status = replica_changes (sync->run->replica, sync->collection,
                            sync->local_position, skip_settled, &settle, &head,
                            err);
  if (status == TALLY_OK)
    *cursor = settle.other ? settle.last : head;
  return status;
}

static int
save_cursors (struct sync *sync, uint64_t local, const char *far,
              struct tally_error *err)
{
  struct run *run = sync->run;
  int status = sync_begin (sync, err);

  if (status == TALLY_OK)
    status = peer_flush (&run->peer, err);
  if (status == TALLY_OK)
    status = names_take (run, err);
  if (status != TALLY_OK)
    return status;
  if (run->pair.pending.set) {
    run->pair.current = run->pair.pending;
    run->pair.pending.set = false;
  }
  pair_meet (&run->pair, run->replica);
  if (!pair_set_cursor (&run->pair, sync->collection, local, far))
    return error_nomem (err);
  status = pair_save (&run->pair, run->replica, err);
  if (status == TALLY_OK)
    status = forget_tombstones (run->replica, sync->collection,
                                replica_clock_agrees (run->replica), err);
  return status;
}

/* Both cursors become one note, once all that they claim is durable on both
 * sides.  Where nothing moved, nothing is written. */
static int
finalize (struct sync *sync, struct tally_error *err)
{
  struct run *run = sync->run;
  struct pair_cursor *had = pair_cursor (&run->pair, sync->collection);
  const char *far = sync->far_cursor.data;
  uint64_t local;
  int status = peer_commit (&run->peer, sync->collection, err);

  if (status == TALLY_OK) {
    sync->report.pushed += sync->waiting;
    sync->report.deleted += sync->waiting_deleted;
    status = find_local_cursor (sync, &local, err);
  }
  if (status != TALLY_OK)
    return status;
  /* What could not be taken is asked for again. */
  if (sync->bad.status != TALLY_OK || sync->far_stuck || sync->left
      || !sync->pulls || leaves_gone_there (sync))
    far = had ? had->far : "";
  held_settle (&run->pair.held, sync->collection);
  /* Cursors that moved only because other collections did need no note. */
  if (run->pair.held.changed)
    return save_cursors (sync, local, far, err);
  if (!sync->looked
      || (had && had->local == local && strcmp (had->far, far) == 0))
    return TALLY_OK;
  return save_cursors (sync, local, far, err);
}

/* ---- a collection ------------------------------------------------------- */

static int
sync_held (struct sync *sync, struct tally_error *err)
{
  struct idlist both = { 0 };
  int status = sync_retry (sync, &both, err);

  if (status == TALLY_OK)
    status = merge_both (sync, &both, err);
  idlist_free (&both);
  return status;
}

/* Steps 3 to 5 for a window; merges false: a next one does that. */
static int
sync_window (struct sync *sync, struct idlist *both, bool merges,
             struct tally_error *err)
{
  int status = sync_hold_back (sync, both, err);

  if (status == TALLY_OK)
    status = compile_changes (sync, err);
  if (status == TALLY_OK)
    fetch_remote_ahead (sync);
  if (status == TALLY_OK)
    status = bound_window (sync, err);
  if (status == TALLY_OK)
    status = names_ask (sync, err);
  if (status == TALLY_OK)
    status = push_remote (sync, both, err);
  if (status == TALLY_OK)
    status = pull_local (sync, both, err);
  if (status == TALLY_OK && merges)
    status = merge_both (sync, both, err);
  if (status == TALLY_OK && merges)
    status = delete_gone (sync, err);
  if (status == TALLY_OK && merges)
    status = names_take (sync->run, err);
  return status;
}

static int
sync_pending (struct sync *sync, struct tally_error *err)
{
  struct idlist both = { 0 };
  int status = TALLY_OK;

  do {
    if (sync_cancelled (sync))
      status = error_set (err, TALLY_CANCELLED, "cancelled");
    if (status == TALLY_OK && !sync->at_hand)
      status = retrieve_remote_meta (sync, err);
    sync->at_hand = false;
    if (status == TALLY_OK)
      status = sync_window (sync, &both, true, err);
    idlist_free (&both);
  } while (status == TALLY_OK && !(sync->remote_done && sync->local_done));
  return status;
}

struct compared {
  struct sync *sync;
  struct idlist both;
};

static int
compared_first (void *ctx, bool last, struct tally_error *err)
{
  struct compared *compared = ctx;

  (void) last;
  return sync_held (compared->sync, err);
}

static int
compared_window (void *ctx, bool last, struct tally_error *err)
{
  struct compared *compared = ctx;

  return sync_window (compared->sync, &compared->both, last, err);
}

static int
sync_listed (struct sync *sync, struct tally_error *err)
{
  int status = retrieve_remote_meta (sync, err);

  if (status == TALLY_OK)
    status = guard_deletes (sync, err);
  sync->at_hand = true;
  if (status == TALLY_OK)
    status = sync_held (sync, err);
  return status == TALLY_OK ? sync_pending (sync, err) : status;
}

/* What can be compared is; else, or where that does not tell, it is listed. */
static int
sync_differing (struct sync *sync, struct tally_error *err)
{
  struct compared compared = { .sync = sync };
  int status = TALLY_OK;

  if (compare_may (sync))
    status = compare_windows (sync, compared_first, compared_window, &compared,
                              err);
  idlist_free (&compared.both);
  if (status == TALLY_OK && sync->graves) {
    status = sync_pending (sync, err);
    return status == TALLY_OK ? compare_end_graves (sync, err) : status;
  }
  if (status != TALLY_OK || (sync->remote_done && sync->local_done))
    return status;
  return sync_listed (sync, err);
}

static int
sync_windows (struct sync *sync, struct tally_error *err)
{
  int status = ensure_indexes (sync, err);

  if (status == TALLY_OK)
    status = sync_differing (sync, err);
  if (status == TALLY_OK && sync->run->repairs) {
    status = sync_repair (sync, err);
    if (status == TALLY_OK)
      status = sync_held (sync, err);
    sync->local_done = !sync->pushes;
    if (status == TALLY_OK)
      status = sync_pending (sync, err);
  }
  if (status == TALLY_OK)
    status = finalize (sync, err);
  sync_tell_returned (sync);
  if (status == TALLY_OK && sync->bad.status != TALLY_OK) {
    *err = sync->bad;
    status = err->status;
  }
  return status;
}

/* What a run would stop at, or could not finish. */
static void
notice (struct sync *sync, int status, const struct tally_error *why)
{
  if (status != TALLY_OK && sync->notice.status == TALLY_OK)
    sync->notice = *why;
}

/* A look tells of it, and goes on. */
static int
look_windows (struct sync *sync, struct tally_error *err)
{
  struct tally_error why = { 0 };
  int status = survey_windows (sync, err), judged;

  if (status != TALLY_OK)
    return status;
  judged = guard_judge (sync, &why);
  if (judged != TALLY_OK && judged != TALLY_CONFLICT) {
    *err = why;
    return judged;
  }
  notice (sync, judged, &why);
  notice (sync, sync->bad.status, &sync->bad);
  notice (sync, run_complaint (sync, &why), &why);
  notice (sync, sync_complaint (sync, &why), &why);
  return TALLY_OK;
}

void
sync_free (struct sync *sync)
{
  buf_free (&sync->far_cursor);
  doclist_free (&sync->remote);
  doclist_free (&sync->local);
  doclist_free (&sync->changed);
  plan_free (&sync->plan);
  idset_free (&sync->moved);
  buf_free (&sync->checkpoint);
  seqset_free (&sync->settled);
  seqset_free (&sync->listed);
}

/* A run's hello falls to its first collection. */
static void
fill_report (struct sync *sync, int status, const struct tally_error *why)
{
  struct peer *peer = &sync->run->peer;
  struct tally_report *report = &sync->report;

  report->size = sizeof *report;
  report->link = sync->run->link->name;
  report->collection = sync->collection;
  report->round_trips = peer_is_passive (peer) ? 0 : peer->round_trips;
  report->bytes_sent = peer->traffic.sent;
  report->bytes_received = peer->traffic.received;
  report->seconds = monotonic_seconds () - sync->started;
  report->status = status;
  report->error = status == TALLY_OK ? NULL : why->text;
  report->notice = sync->notice.status ? sync->notice.text : NULL;
  peer->round_trips = 0;
  memset (&peer->traffic, 0, sizeof peer->traffic);
}

/* After these nothing more will come through. */
static bool
ends_run (int status)
{
  return status == TALLY_AGAIN || status == TALLY_CANCELLED
         || status == TALLY_DENIED;
}

/* When all is to stop, what fails first may look like something else: a
 * server of the same context that is gone, say. */
static int
unless_cancelled (const struct run *run, int status, struct tally_error *err)
{
  if (status == TALLY_OK || status == TALLY_CANCELLED || !run_cancelled (run))
    return status;
  return error_set (err, TALLY_CANCELLED, "cancelled");
}

static int
sync_collection (struct run *run, const char *collection, double started,
                 tally_report_fn *emit, void *ctx, bool *over,
                 struct tally_error *err)
{
  struct sync sync = { .run = run, .collection = collection };
  int status;

  sync.started = started;
  sync.looks = run->link->look != NULL;
  tell (&sync, TALLY_EVENT_SYNC_START);
  status = sync.looks ? look_windows (&sync, err) : sync_windows (&sync, err);
  status = unless_cancelled (run, status, err);
  *over = ends_run (status) || run->moved;
  /* What a folder does not have whole yet keeps no other collection back. */
  if (status == TALLY_OK && !sync.looks)
    status = run_complaint (&sync, err);
  if (status == TALLY_OK && !sync.looks)
    status = sync_complaint (&sync, err);
  fill_report (&sync, status, err);
  tell (&sync, TALLY_EVENT_SYNC_END);
  *over |= emit && emit (ctx, &sync.report);
  sync_free (&sync);
  return status;
}

/* What lost and is old goes when a run is over, however it went; its own
 * failure counts only where there is no other. */
static int
prune_journal (struct run *run, int status, struct tally_error *err)
{
  struct tally_error why = { 0 };
  int failed;

  if (!run->link->limits)
    return status;
  failed = journal_prune (run->replica, run->link->limits,
                          replica_clock_agrees (run->replica), &why);
  if (failed == TALLY_OK || status != TALLY_OK)
    return status;
  *err = why;
  return failed;
}

/* ---- a run -------------------------------------------------------------- */

static int
report_unreached (struct run *run, double started, tally_report_fn *emit,
                  void *ctx, struct tally_error *err)
{
  struct sync sync = { .run = run, .started = started };
  int status = err->status;

  fill_report (&sync, status, err);
  sync.report.strategy = "changes";
  if (emit && status != TALLY_USAGE)
    emit (ctx, &sync.report);
  return status;
}

int
engine_sync (const struct engine_link *link, tally_report_fn *emit, void *ctx,
             struct tally_error *err)
{
  struct run run = { .link = link, .replica = link->replica };
  double started = monotonic_seconds ();
  struct namelist names = { 0 };
  struct tally_error why = { 0 };
  bool over = false;
  int status = run_cancelled (&run)
                   ? error_set (err, TALLY_CANCELLED, "cancelled")
                   : run_connect (&run, err);

  if (status == TALLY_OK)
    status = run_collections (&run, &names, err);
  if (status != TALLY_OK) {
    status = unless_cancelled (&run, status, err);
    report_unreached (&run, started, emit, ctx, err);
    goto out;
  }
  for (size_t i = 0; i < names.count && !over; i++) {
    int failed = sync_collection (&run, names.names[i], started, emit, ctx,
                                  &over, &why);

    if (failed != TALLY_OK && status == TALLY_OK) {
      status = failed;
      *err = why;
    }
    started = monotonic_seconds ();
  }
  if (link->look)
    goto out;
  if (!over && run_repair (&run, &why) != TALLY_OK && status == TALLY_OK) {
    status = why.status;
    *err = why;
  }
  status = prune_journal (&run, status, err);
out:
  namelist_free (&names);
  run_disconnect (&run);
  return status;
}
