/* SPDX-License-Identifier: MIT */
/* Where there is no checkpoint: what differs is found by comparing rows, and
 * then goes through the steps of a window as if it had been listed.
 *
 * A tombstone is no row: what was deleted here and is there comes as a
 * document that they have, and what was deleted there is offered and refused.
 * So all that is in the end is what it would be with a list of everything,
 * but for tombstones of what nobody has.
 *
 * Much that differs is compared in parts, the newest rows first: what was
 * changed on one side is met at the newer stamp, moves, and is gone from
 * where it stood when that part comes. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-comparing.h"
#include "engine-connect.h"
#include "error.h"
#include "namelist.h"

/* Parts of one collection at most: who makes more goes back to a list. */
#define PARTS_MAX (4 * ROWS_SPLITS_MAX)

/* Everything must be known of both, in both directions. */
bool
compare_may (const struct sync *sync)
{
  const struct run *run = sync->run;

  return sync->full && !sync->rejoins && sync->pushes && sync->pulls
         && !peer_is_passive (&run->peer) && run->welcome.compares;
}

static unsigned
first_flags (const struct run *run, const char *collection)
{
  return !run->link->look && !held_has_tombstone (&run->pair.held, collection)
             ? WIRE_COMPARE_SAVED
             : 0;
}

static int
ride (struct run *run, const char *collection, bool named,
      struct tally_error *err)
{
  struct compare_ahead *ahead = &run->compare_ahead;
  int status = compare_look_ahead (&run->peer, collection, run->link->nonce,
                                   ahead, err);

  if (status != TALLY_OK || ahead->collection[0] == '\0')
    return status;
  status = route_offer (run, named, err);
  if (status != TALLY_OK)
    return status;
  if (run->offered.set)
    memcpy (ahead->token, run->offered.bytes, sizeof ahead->token);
  ahead->offers = run->offered.set;
  return compare_foresee (&run->peer, ahead, first_flags (run, collection),
                          err);
}

/* The first of those that the run may find: names are in order. */
int
compare_ride (struct run *run, bool named, struct tally_error *err)
{
  const struct engine_link *link = run->link;
  struct namelist names = NAMELIST_INIT;
  const char *first = NULL;
  int status = TALLY_OK;

  run->compare_ahead.collection[0] = '\0';
  if (link->direction == TALLY_PUSH || link->direction == TALLY_PULL
      || channel_is_folder (link->channel))
    return TALLY_OK;
  if (!link->collections)
    status =
        replica_collections (run->replica, namelist_emit_syncing, &names, err);
  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  if (link->collections)
    first = link->collections[0];
  else if (names.count > 0)
    first = names.names[0];
  if (status == TALLY_OK && first
      && !pair_cursor_is_set (pair_cursor (&run->pair, first)))
    status = ride (run, first, named, err);
  namelist_free (&names);
  return status;
}

/* Ours is offered for an older one of theirs, unless it is kept back; after a
 * broken pair only what was merged is. */
static bool
may_offer (void *ctx, const unsigned char stamp[TALLY_STAMP_SIZE])
{
  unsigned char rev[TALLY_REV_SIZE] = { 0 };

  memcpy (rev, stamp, TALLY_STAMP_SIZE);
  return !sync_strict (ctx) && sync_keeps (ctx, rev) == KEEP_NOT;
}

/* ---- a part ------------------------------------------------------------- */

/* The ends of parts that are not done, the last of them first. */
struct parts {
  struct buf *ends; /* the begin of each; an empty one is the first row */
  size_t n, made;
  struct buf to;
};

static bool
parts_push (struct parts *parts, const struct tally_doc *row)
{
  struct buf *ends =
      realloc (parts->ends, (parts->n + 1) * sizeof *parts->ends);

  if (!ends)
    return false;
  parts->ends = ends;
  ends[parts->n] = (struct buf) BUF_INIT;
  if (row)
    rows_end (&ends[parts->n], row);
  parts->made++;
  return !ends[parts->n++].failed;
}

static void
parts_free (struct parts *parts)
{
  for (size_t i = 0; i < parts->n; i++)
    buf_free (&parts->ends[i]);
  free (parts->ends);
  buf_free (&parts->to);
}

static int
parts_add (struct parts *parts, const struct doclist *splits,
           struct tally_error *err)
{
  for (size_t i = 0; i < splits->count; i++)
    if (!parts_push (parts, &splits->docs[i]))
      return error_nomem (err);
  return TALLY_OK;
}

/* The part at the end is done: what is before it is next. */
static void
parts_next (struct parts *parts)
{
  buf_free (&parts->to);
  parts->to = parts->ends[--parts->n];
}

/* *lost: even a list does not tell. */
static int
do_part (struct comparing *comparing, struct parts *parts, bool *lost,
         struct tally_error *err)
{
  struct compare *compare = &comparing->compare;
  struct rows_range range = { buf_slice (&parts->ends[parts->n - 1]),
                              buf_slice (&parts->to) };
  int status;

  compare->flags = 0;
  status = compare_range (compare, &range, err);
  if (status == TALLY_OK && compare->kind == COMPARE_LOST) {
    compare->flags = WIRE_COMPARE_LIST;
    status = compare_range (compare, &range, err);
  }
  if (status != TALLY_OK)
    return status;
  switch (compare->kind) {
  case COMPARE_SPLIT:
    *lost = compare->splits.count == 0;
    return parts_add (parts, &compare->splits, err);
  case COMPARE_DIFFER:
    status = comparing_move (comparing, err);
    break;
  case COMPARE_WHOLE:
    status = comparing_move_whole (comparing, err);
    break;
  case COMPARE_LOST:
    *lost = true;
    return TALLY_OK;
  default:
    break;
  }
  parts_next (parts);
  return status;
}

static int
do_parts (struct comparing *comparing, bool *lost, struct tally_error *err)
{
  struct parts parts = { .to = BUF_INIT };
  int status = compare_split_here (&comparing->compare, err);

  if (status == TALLY_OK && !parts_push (&parts, NULL))
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = parts_add (&parts, &comparing->compare.splits, err);
  while (parts.n > 0 && status == TALLY_OK && !*lost) {
    status = do_part (comparing, &parts, lost, err);
    *lost |= parts.made > PARTS_MAX;
  }
  parts_free (&parts);
  return status;
}

/* ---- a collection ------------------------------------------------------- */

static int
compare_begin (struct comparing *comparing, bool *compares,
               struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  struct compare *compare = &comparing->compare;
  struct rows_range all = { { NULL, 0 }, { NULL, 0 } };
  struct tally_digest digest;
  int status =
      replica_digest (sync->run->replica, sync->collection, 0, &digest, err);

  *compares = false;
  /* Who has nothing takes all, as it comes. */
  if (status != TALLY_OK || digest.count == 0)
    return status;
  sync->wall_ms = replica_wall_ms (sync->run->replica);
  compare->peer = &sync->run->peer;
  compare->replica = sync->run->replica;
  compare->collection = sync->collection;
  compare->nonce = sync->run->link->nonce;
  compare->offers = may_offer;
  compare->ctx = sync;
  compare->ahead = &sync->run->compare_ahead;
  compare->flags = sync->looks ? 0 : first_flags (sync->run, sync->collection);
  compare->skips_empty = true;
  status = compare_range (compare, &all, err);
  compare->skips_empty = false;
  if (status == TALLY_OK && compare->taken
      && sync->run->welcome.verdict == WIRE_PAIR_NEW) {
    sync->run->pair.pending = sync->run->offered;
    sync->run->rotated = true;
  }
  if (status == TALLY_OK)
    *compares = compare->there > 0 && compare->kind != COMPARE_LOST
                && compare->kind != COMPARE_WHOLE;
  return status;
}

/* Both cursors will say what these rows were of. */
static int
take_cursors (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;

  buf_clear (&sync->far_cursor);
  buf_addf (&sync->far_cursor, "%llu",
            (unsigned long long) comparing->compare.seq_there);
  buf_add_byte (&sync->far_cursor, '\0');
  sync->local_position = comparing->compare.seq_here;
  sync->far_floor = comparing->compare.floor_there;
  sync->remote_done = sync->local_done = true;
  sync->asked = sync->looked = true;
  sync->report.strategy = "compare";
  return sync->far_cursor.failed ? error_nomem (err) : TALLY_OK;
}

/* From the start, as if nobody had compared; what moved is settled. */
static int
back_to_list (struct sync *sync, struct tally_error *err)
{
  buf_clear (&sync->far_cursor);
  buf_add_byte (&sync->far_cursor, '\0');
  sync->local_position = 0;
  sync->remote_done = sync->local_done = false;
  sync->report.strategy = "full";
  return sync->far_cursor.failed ? error_nomem (err) : TALLY_OK;
}

/* After a broken pair tombstones are exchanged as they are, since nobody knows
 * who has which: those of either side are listed. */
static int
start_graves (struct sync *sync, struct tally_error *err)
{
  sync->graves = true;
  buf_clear (&sync->checkpoint);
  buf_add_slice (&sync->checkpoint, buf_slice (&sync->far_cursor));
  sync->compared_position = sync->local_position;
  buf_clear (&sync->far_cursor);
  buf_add_byte (&sync->far_cursor, '\0');
  sync->local_position = 0;
  sync->remote_done = sync->local_done = false;
  return sync->checkpoint.failed || sync->far_cursor.failed ? error_nomem (err)
                                                            : TALLY_OK;
}

int
compare_end_graves (struct sync *sync, struct tally_error *err)
{
  sync->graves = false;
  buf_clear (&sync->far_cursor);
  buf_add_slice (&sync->far_cursor, buf_slice (&sync->checkpoint));
  sync->local_position = sync->compared_position;
  return sync->far_cursor.failed ? error_nomem (err) : TALLY_OK;
}

static int
compare_all (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  bool lost = false;
  int status = TALLY_OK;

  sync->compares = true;
  if (comparing->compare.kind == COMPARE_DIFFER)
    status = comparing_move (comparing, err);
  else if (comparing->compare.kind == COMPARE_SPLIT)
    status = do_parts (comparing, &lost, err);
  sync->compares = false;
  if (status == TALLY_OK && lost)
    return back_to_list (sync, err);
  return status == TALLY_OK && sync_strict (sync) ? start_graves (sync, err)
                                                  : status;
}

static uint64_t
set_size (const struct compare *compare, const struct compare_set *set)
{
  if (compare->kind == COMPARE_SAME)
    return 0;
  return compare->kind == COMPARE_DIFFER ? set->n : UINT64_MAX;
}

int
compare_windows (struct sync *sync, engine_step_fn *first,
                 engine_step_fn *step, void *ctx, struct tally_error *err)
{
  struct comparing comparing = { .sync = sync, .step = step, .ctx = ctx };
  const struct compare *compare = &comparing.compare;
  bool compares;
  int status = compare_begin (&comparing, &compares, err);

  if (status == TALLY_OK && compares)
    status = take_cursors (&comparing, err);
  if (status == TALLY_OK && compares && !sync->looks)
    status = guard_compared (sync, set_size (compare, &compare->ours),
                             set_size (compare, &compare->theirs), err);
  if (status == TALLY_OK && compares && first)
    status = first (ctx, false, err);
  if (status == TALLY_OK && compares)
    status = compare_all (&comparing, err);
  compare_free (&comparing.compare);
  idset_free (&comparing.seen);
  return status;
}
