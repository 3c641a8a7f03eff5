/* SPDX-License-Identifier: MIT */
/* Where a run begins and ends: the cursors and the token of the pair. Both
 * cursors are one note, which claims nothing that is not durable on both
 * sides; one that is below a floor of forgotten tombstones makes the pair
 * rejoin. */

#include <config.h>

#include <string.h>

#include "engine-connect.h"
#include "engine-names.h"
#include "error.h"
#include "forget.h"
#include "notejson.h"

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
  if (status == TALLY_OK)
    status = route_settle (run, err);
  if (status != TALLY_OK || !rotates)
    return status;
  peer_queue_rotation (&run->peer, pair_token_slice (&run->pair.current),
                       pair_token_slice (&run->pair.pending));
  run->rotated = true;
  return TALLY_OK;
}

/* Nothing was there when the pair last met: no window lies before it. */
static bool
is_at_start (const char *cursor)
{
  uint64_t seq;

  return cursor[0] == '\0'
         || (note_number (slice_text (cursor), &seq) && seq == 0);
}

int
sync_rejoin (struct sync *sync, struct tally_error *err)
{
  sync->full = sync->rejoins = true;
  buf_free (&sync->checkpoint);
  sync->checkpoint = sync->far_cursor;
  memset (&sync->far_cursor, 0, sizeof sync->far_cursor);
  buf_add_byte (&sync->far_cursor, '\0');
  sync->past_known = is_at_start (sync->checkpoint.data);
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
  sync->gone_here = sync->own_floor > sync->met;
  return sync->gone_here ? sync_rejoin (sync, err) : status;
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
  sync->met = cursor && cursor->behind ? cursor->met : sync->local_cursor;
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
  sync->own = (struct strict){ run->pair.own, run->pair.n_own };
  /* A run of one direction has compared that one only. */
  if (sync->full || (sync->pushes && cursor->local == 0)
      || (sync->pulls && far[0] == '\0'))
    sync->strict = sync->own;
  sync->report.strategy = sync->full ? "full" : "changes";
  return check_own_floor (sync, err);
}

void
sync_stop_before (struct sync *sync, uint64_t seq)
{
  if (sync->stuck == 0 || seq < sync->stuck)
    sync->stuck = seq;
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

/* Below a floor only a run of both directions finds what is gone.  One that
 * pushes gives them what is here, and notes where that is to be looked for. */
static bool
leaves_gone_here (const struct sync *sync)
{
  return !(sync->pushes && sync->pulls) && !peer_is_passive (&sync->run->peer)
         && sync->own_floor > sync->met && sync->far_cursor.data[0] != '\0';
}

/* Likewise; but theirs is listed again, from where the cursor stays. */
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
  uint64_t since = seqset_run (&sync->settled, sync->local_position), head;
  struct settle settle = { sync, since, false };
  int status;

  *cursor = sync->local_cursor;
  if (!sync->pushes)
    return TALLY_OK;
  if (sync->stuck > 0) {
    if (sync->stuck - 1 > *cursor)
      *cursor = sync->stuck - 1;
    return TALLY_OK;
  }
  status = replica_changes (sync->run->replica, sync->collection, since,
                            skip_settled, &settle, &head, err);
  if (status == TALLY_OK)
    *cursor = settle.other ? settle.last : head;
  return status;
}

static int
save_cursors (struct sync *sync, uint64_t local, const char *far,
              struct tally_error *err)
{
  struct run *run = sync->run;
  struct pair_cursor *cursor;
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
  cursor = pair_cursor (&run->pair, sync->collection);
  cursor->behind = leaves_gone_here (sync);
  cursor->met = sync->met;
  status = pair_save (&run->pair, run->replica, err);
  if (status == TALLY_OK)
    status = forget_tombstones (run->replica, sync->collection,
                                replica_clock_agrees (run->replica), err);
  return status;
}

int
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
  if (run->pair.held.changed
      || (had && had->behind && !leaves_gone_here (sync)))
    return save_cursors (sync, local, far, err);
  if (!sync->looked
      || (had && had->local == local && strcmp (had->far, far) == 0))
    return TALLY_OK;
  return save_cursors (sync, local, far, err);
}
