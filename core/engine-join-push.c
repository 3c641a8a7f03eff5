/* SPDX-License-Identifier: MIT */
/* What a merge makes is pushed on the revision that was merged there, and
 * counted once both sides have it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-join.h"
#include "error.h"
#include "notejson.h"

static bool
is_merged (const struct joined *joined)
{
  return joined->side == SIDE_NEW || joined->both;
}

/* A folder keeps what it was given, also beside what others put there. */
static bool
must_push (const struct joiner *joiner, const struct joined *joined)
{
  const struct sync *sync = joiner->sync;

  if ((joined->side != SIDE_OURS && joined->side != SIDE_NEW) || joined->again
      || !sync->pushes || sync_keeps (sync, joined->result->rev) != KEEP_NOT)
    return false;
  return joined->made || !peer_is_passive (&sync->run->peer)
         || joined->ours->seq > sync->local_cursor || is_grave (joined->ours);
}

enum plan_step
join_step (const struct joiner *joiner, const struct joined *joined)
{
  if (!joined->result)
    return STEP_NONE;
  if (is_merged (joined))
    return STEP_MERGE;
  if (joined->side == SIDE_THEIRS)
    return joiner->sync->pulls ? STEP_PULL : STEP_NONE;
  return must_push (joiner, joined) ? STEP_PUSH : STEP_NONE;
}

/* Once both sides have it; has_moved false: they had it before. */
static int
joined_up (struct joiner *joiner, struct joined *joined, bool has_moved,
           struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  bool deleted = joined->result->flags & TALLY_DOC_DELETED;
  enum plan_step step = join_step (joiner, joined);

  /* A run that only pushes leaves theirs there. */
  if (sync->pulls || has_moved)
    sync_stop_holding (sync, joined->id);
  if (step == STEP_MERGE)
    sync_count (sync, joined->id, &sync->report.merged, false);
  else if (!has_moved || step == STEP_NONE)
    sync->done++;
  else if (step == STEP_PULL)
    sync_count (sync, joined->id, &sync->report.pulled, deleted);
  else
    sync_count_pushed (sync, joined->id, deleted);
  if (joined->seq > 0 && !seqset_add (&sync->settled, joined->seq))
    return error_nomem (err);
  return TALLY_OK;
}

/* A run of one direction leaves what there is on either side.  Where theirs
 * lies behind the far cursor the next run that could do more must ask for
 * it. */
static int
leave_there (struct joiner *joiner, const struct joined *joined,
             const char *why, struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  struct pair_cursor *cursor =
      pair_cursor (&sync->run->pair, sync->collection);
  uint64_t far;

  if (!joined->theirs || !cursor
      || !note_number (slice_text (cursor->far), &far)
      || joined->theirs->seq > far)
    return TALLY_OK;
  return sync_hold (sync, HELD_THEIRS, joined->theirs, TALLY_AGAIN, why, err);
}

/* Where what is here now is not offered, or not yet.  It is behind the local
 * cursor only when it is a tombstone that they had no document for: a run that
 * pushes must hear of theirs again. */
static int
joined_here (struct joiner *joiner, struct joined *joined,
             struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  struct tally_doc doc = *joined->result;
  int status = TALLY_OK;

  if (joined->side == SIDE_OURS && !peer_is_passive (&sync->run->peer)
      && (!sync->pushes || joined->seq == 0)
      && joined->seq <= sync->local_cursor) {
    sync->far_stuck = true;
    status = leave_there (
        joiner, joined, "a run that only pulls does not give them ours", err);
  }
  if (is_merged (joined))
    sync_count (sync, joined->id, &sync->report.merged, false);
  doc.seq = joined->seq;
  if (status != TALLY_OK || !sync->pushes || joined->seq == 0
      || sync_keeps (sync, doc.rev) != KEEP_HELD
      || !(joined->made || joined->theirs || sync_is_changed (sync, doc.seq)))
    return status;
  return sync_hold (sync, HELD_OURS, &doc, TALLY_AGAIN, NULL, err);
}

static int
pushed (struct joiner *joiner, struct joined *joined,
        const struct peer_outcome *outcome, struct tally_error *err)
{
  struct tally_doc doc = *joined->result;

  /* Of what was put twice on its way the second finds it there; but theirs was
   * read in this run, and was another. */
  if (outcome->status == TALLY_OK)
    return joined_up (joiner, joined, outcome->stored || joined->theirs, err);
  if (outcome->status == TALLY_CONFLICT) {
    joined->again = true;
    return TALLY_OK;
  }
  doc.seq = joined->seq;
  return sync_hold (joiner->sync, HELD_OURS, &doc, outcome->status,
                    outcome->status == TALLY_AGAIN ? NULL : "was refused",
                    err);
}

bool
join_is_strict (const struct joiner *joiner)
{
  for (size_t i = 0; i < joiner->n; i++)
    if (must_push (joiner, &joiner->joined[i])
        && sync_strict_of (joiner->sync, joiner->joined[i].id,
                           joiner->joined[i].theirs))
      return true;
  return false;
}

int
join_push (struct joiner *joiner, struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  struct tally_doc *docs = calloc (joiner->n + 1, sizeof *docs);
  struct tally_slice *bases = calloc (joiner->n + 1, sizeof *bases);
  struct peer_outcome *outcomes = calloc (joiner->n + 1, sizeof *outcomes);
  struct joined **of = calloc (joiner->n + 1, sizeof *of);
  size_t n = 0;
  int status = TALLY_OK;

  if (!docs || !bases || !outcomes || !of)
    status = error_nomem (err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++) {
    struct joined *joined = &joiner->joined[i];

    if (!must_push (joiner, joined))
      continue;
    docs[n] = *joined->result;
    if (joined->theirs || joined->grave) {
      const struct tally_doc *there =
          joined->theirs ? joined->theirs : joined->grave;

      bases[n] = slice_make (there->rev, TALLY_REV_SIZE);
    }
    of[n++] = joined;
  }
  if (status == TALLY_OK && n > 0)
    status = peer_put (&sync->run->peer, sync->collection,
                       join_is_strict (joiner) ? WIRE_PUT_STRICT : 0, docs,
                       bases, n, sync->remote_done ? &sync->far_cursor : NULL,
                       outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = pushed (joiner, of[i], &outcomes[i], err);
  free (of);
  free (outcomes);
  free (bases);
  free (docs);
  return status;
}

/* What needs no push is done once it is here. */
int
join_finish (struct joiner *joiner, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++) {
    struct joined *joined = &joiner->joined[i];

    if (joined->again) {
      if (!idlist_add (joiner->again, joined->id))
        status = error_nomem (err);
      continue;
    }
    if (joined->ours && joined->theirs)
      held_set_merged (&joiner->sync->run->pair.held, joiner->sync->collection,
                       joined->id, joined->theirs->rev);
    if (!joined->result || must_push (joiner, joined))
      continue;
    if (joined->side == SIDE_THEIRS && !joiner->sync->pulls)
      status = leave_there (joiner, joined,
                            "a run that only pushes leaves it there", err);
    if (status == TALLY_OK
        && (joined->side == SIDE_THEIRS || joined->side == SIDE_BOTH))
      status = joined_up (joiner, joined, joiner->sync->pulls, err);
    else if (status == TALLY_OK)
      status = joined_here (joiner, joined, err);
  }
  return status;
}
