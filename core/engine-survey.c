/* SPDX-License-Identifier: MIT */
/* What a run would do, found without doing it: the same windows, the same
 * plan, and for what both sides may have changed the same merge, in memory.
 * It asks, and writes nothing on either side. */

#include <config.h>

#include <string.h>

#include "engine-compare.h"
#include "engine-join.h"
#include "error.h"
#include "slice.h"

/* A flag of what moved: it was counted as a delete. */
#define DELETES 1

struct survey {
  struct sync *sync;
  struct idlist push; /* what the far side may have already */
  struct idlist both; /* what has to be merged to know */
  /* What was held and is looked at by its id: the window that lists it, too,
   * finds it done. */
  struct idset retried;
};

static bool
has_moved (const struct sync *sync, struct tally_slice id)
{
  return idset_find (&sync->moved, &id, 1) != NULL;
}

/* Also of what was looked at and stays as it is: a plan knows it. */
static int
tell_move (struct survey *survey, struct plan_move *move,
           struct tally_error *err)
{
  struct sync *sync = survey->sync;
  struct tally_report *report = &sync->report;
  const struct engine_look *look = sync->run->link->look;

  move->collection = sync->collection;
  move->again = has_moved (sync, move->id);
  if (!move->again && move->step != STEP_NONE) {
    sync_moves_first (sync, move->id);
    report->pulled += move->step == STEP_PULL;
    report->pushed += move->step == STEP_PUSH;
    report->merged += move->step == STEP_MERGE;
    report->deleted += move->deleted && move->step != STEP_MERGE;
  }
  return look ? look->move (look->ctx, move, err) : TALLY_OK;
}

/* A folder may tell of one twice. */
static void
count_delete (struct survey *survey, struct tally_slice id, uint64_t *counter)
{
  unsigned char *moved = idset_find (&survey->sync->moved, &id, 1);

  if (!moved || !(*moved & DELETES))
    ++*counter;
  if (moved)
    *moved |= DELETES;
}

/* What becomes of a live document on either side when a tombstone wins. */
static void
count_deletes (struct survey *survey, const struct plan_move *move,
               bool alive_here, bool alive_there)
{
  struct sync *sync = survey->sync;

  if (!move->deleted || move->step == STEP_NONE)
    return;
  if (alive_here && sync->pulls && move->step != STEP_PUSH)
    count_delete (survey, move->id, &sync->deletes_here);
  if (alive_there && sync->pushes && move->step != STEP_PULL
      && !peer_is_passive (&sync->run->peer))
    sync->deletes_there++;
}

/* ---- what a window's headers tell --------------------------------------- */

static int
tell_item (struct survey *survey, const struct plan_item *item,
           enum plan_step step, bool deleted, struct tally_error *err)
{
  struct plan_move move = { .id = item->id, .step = step, .deleted = deleted };

  int status;

  memcpy (move.local_rev, item->local_rev, TALLY_REV_SIZE);
  memcpy (move.remote_rev, item->remote_rev, TALLY_REV_SIZE);
  status = tell_move (survey, &move, err);
  count_deletes (survey, &move, item->local_alive,
                 item->action == PLAN_DELETE_THERE);
  return status;
}

static int
hold_item (struct survey *survey, const struct plan_item *item,
           struct tally_error *err)
{
  struct tally_doc doc = { .id = item->id, .seq = item->local_seq };

  if (survey->sync->pulls)
    return idlist_add (&survey->both, item->id) ? TALLY_OK : error_nomem (err);
  memcpy (doc.rev, item->local_rev, TALLY_REV_SIZE);
  doc.flags = item->deleted ? TALLY_DOC_DELETED : 0;
  return sync_hold (survey->sync, HELD_OURS, &doc, TALLY_AGAIN, NULL, err);
}

static int
survey_item (struct survey *survey, const struct plan_item *item,
             struct tally_error *err)
{
  if (idset_find (&survey->retried, &item->id, 1))
    return TALLY_OK;
  switch (item->action) {
  case PLAN_EQUAL:
    /* It is equal to what is here still, and will not be by then. */
    if (has_moved (survey->sync, item->id))
      return tell_item (survey, item, STEP_NONE, false, err);
    return TALLY_OK;
  case PLAN_PULL:
    return tell_item (survey, item, STEP_PULL, item->deleted, err);
  case PLAN_DELETE_HERE:
    return tell_item (survey, item, STEP_PULL, true, err);
  case PLAN_DELETE_THERE:
    return tell_item (survey, item, STEP_PUSH, true, err);
  case PLAN_PUSH:
    if (sync_keeps (survey->sync, item->local_rev) == KEEP_HELD)
      return hold_item (survey, item, err);
    if (peer_is_passive (&survey->sync->run->peer))
      return tell_item (survey, item, STEP_PUSH, item->deleted, err);
    return idlist_add (&survey->push, item->id) ? TALLY_OK : error_nomem (err);
  case PLAN_MERGE:
    break;
  }
  return idlist_add (&survey->both, item->id) ? TALLY_OK : error_nomem (err);
}

/* A store may give the body, too. */
static int
emit_meta (void *list, const struct tally_doc *doc)
{
  struct tally_doc header = *doc;

  header.body = slice_make (NULL, 0);
  return !doclist_add (list, &header);
}

/* ---- what is offered ---------------------------------------------------- */

/* A tombstone of what is not there is not stored, unless it is put as after a
 * broken pair. */
static bool
is_forgotten (const struct sync *sync, const struct tally_doc *ours,
              const struct tally_doc *theirs, bool strict)
{
  return !theirs && (ours->flags & TALLY_DOC_DELETED) && !strict
         && !peer_is_passive (&sync->run->peer);
}

/* Equal stamps are equal states, where no store was copied. */
static bool
same_stamps (const struct state *a, const struct state *b)
{
  if (stamp_cmp (&a->whole, &b->whole) != 0 || a->deleted != b->deleted
      || a->n_overrides != b->n_overrides)
    return false;
  for (size_t i = 0; i < a->n_overrides; i++)
    if (stamp_cmp (&a->overrides[i].stamp, &b->overrides[i].stamp) != 0
        || !slice_equal (a->overrides[i].field, b->overrides[i].field))
      return false;
  return true;
}

/* As the far side sees it: it takes what knows all that it has.  After runs
 * in one direction it may have the same, and nothing moves. */
static int
survey_offer (struct survey *survey, const struct tally_doc *ours,
              const struct tally_doc *theirs, struct tally_error *err)
{
  struct plan_move move = { .id = ours->id, .step = STEP_PUSH };
  struct state mine = { 0 }, far = { 0 };
  bool knows = true, known = false;
  int status = TALLY_OK;

  if (theirs) {
    status = sync_decode (survey->sync, &mine, ours, err);
    if (status == TALLY_OK)
      status = sync_decode (survey->sync, &far, theirs, err);
    knows = !sync_strict (survey->sync) && state_replaces (&mine, &far);
    known = knows && same_stamps (&mine, &far);
    state_free (&far);
    state_free (&mine);
  }
  if (status != TALLY_OK)
    return status;
  if (!knows)
    return idlist_add (&survey->both, ours->id) ? TALLY_OK : error_nomem (err);
  if (known
      || is_forgotten (survey->sync, ours, theirs,
                       sync_strict (survey->sync) != NULL))
    move.step = STEP_NONE;
  move.deleted = ours->flags & TALLY_DOC_DELETED;
  memcpy (move.local_rev, ours->rev, TALLY_REV_SIZE);
  count_deletes (survey, &move, !move.deleted,
                 theirs && !(theirs->flags & TALLY_DOC_DELETED));
  return tell_move (survey, &move, err);
}

static int
survey_offers (struct survey *survey, const struct tally_slice *ids, size_t n,
               const struct doclist *theirs, struct tally_error *err)
{
  struct sync *sync = survey->sync;
  struct doclist ours = DOCLIST_INIT;
  size_t at_ours = 0, at_theirs = 0;
  int status = replica_get (sync->run->replica, sync->collection, ids, n,
                            TALLY_GET_META, emit_meta, &ours, err);

  if (status == TALLY_OK && ours.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    const struct tally_doc *mine = doclist_next_if (&ours, &at_ours, ids[i]);
    const struct tally_doc *far = doclist_next_if (theirs, &at_theirs, ids[i]);

    /* A tombstone that was forgotten is there for what is alive. */
    if (mine && far && is_grave (far) && (mine->flags & TALLY_DOC_DELETED))
      far = NULL;
    if (mine)
      status = survey_offer (survey, mine, far, err);
  }
  doclist_free (&ours);
  return status;
}

static int
survey_pushes (struct survey *survey, struct tally_error *err)
{
  struct sync *sync = survey->sync;
  const struct idlist *push = &survey->push;
  struct doclist theirs = DOCLIST_INIT;
  size_t at = 0, answered;
  int status = TALLY_OK;

  while (at < push->count && status == TALLY_OK) {
    status = peer_get_meta (&sync->run->peer, sync->collection, push->ids + at,
                            push->count - at, &answered, &theirs, err);
    if (status == TALLY_OK)
      status = survey_offers (survey, push->ids + at, answered, &theirs, err);
    at += answered;
  }
  doclist_free (&theirs);
  return status;
}

/* ---- what a merge tells ------------------------------------------------- */

static int
tell_joined (struct survey *survey, const struct joiner *joiner,
             const struct joined *joined, bool strict, struct tally_error *err)
{
  struct sync *sync = survey->sync;
  struct plan_move move = { .id = joined->id };
  int status;

  move.step = join_step (joiner, joined);
  sync->report.conflicts += joined->losers;
  if (joined->ours && !is_grave (joined->ours)
      && !seqset_add (&sync->settled, joined->ours->seq))
    return error_nomem (err);
  if (move.step == STEP_PUSH
      && is_forgotten (sync, joined->result, joined->theirs, strict))
    move.step = STEP_NONE;
  move.deleted = joined->result && (joined->result->flags & TALLY_DOC_DELETED);
  if (joined->ours)
    memcpy (move.local_rev, joined->ours->rev, TALLY_REV_SIZE);
  if (joined->theirs)
    memcpy (move.remote_rev, joined->theirs->rev, TALLY_REV_SIZE);
  status = tell_move (survey, &move, err);
  count_deletes (survey, &move,
                 joined->ours && !(joined->ours->flags & TALLY_DOC_DELETED),
                 joined->theirs
                     && !(joined->theirs->flags & TALLY_DOC_DELETED));
  return status;
}

static int
survey_joined (void *ctx, const struct joiner *joiner, struct tally_error *err)
{
  bool strict = join_is_strict (joiner);
  int status = TALLY_OK;

  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    status = tell_joined (ctx, joiner, &joiner->joined[i], strict, err);
  return status;
}

static int
survey_both (struct survey *survey, struct tally_error *err)
{
  int status =
      join_look (survey->sync, &survey->both, survey_joined, survey, err);

  idlist_free (&survey->both);
  return status;
}

/* ---- windows ------------------------------------------------------------ */

/* After a run what it moved is settled; here it is so from the start, and
 * does not come up again as a change of ours. */
static int
survey_window (struct survey *survey, struct tally_error *err)
{
  struct sync *sync = survey->sync;
  int status = TALLY_OK;

  for (size_t i = 0; i < sync->plan.count && status == TALLY_OK; i++) {
    const struct plan_item *item = &sync->plan.items[i];

    status = survey_item (survey, item, err);
    if (status == TALLY_OK && item->action != PLAN_EQUAL && item->local_seq > 0
        && !seqset_add (&sync->settled, item->local_seq))
      status = error_nomem (err);
  }
  if (status == TALLY_OK)
    status = survey_pushes (survey, err);
  idlist_free (&survey->push);
  return status == TALLY_OK ? survey_both (survey, err) : status;
}

static int
survey_held (struct survey *survey, struct tally_error *err)
{
  int status = sync_retry (survey->sync, &survey->both, err);

  for (size_t i = 0; i < survey->both.count && status == TALLY_OK; i++)
    if (!idset_add (&survey->retried, &survey->both.ids[i], 1))
      status = error_nomem (err);
  return status == TALLY_OK ? survey_both (survey, err) : status;
}

/* What of the window is looked at by its id has been, if it was held. */
static int
survey_hold_back (struct survey *survey, struct tally_error *err)
{
  struct idlist *both = &survey->both;
  int status = sync_hold_back (survey->sync, both, err);
  size_t kept = 0;

  for (size_t i = 0; i < both->count; i++)
    if (!idset_find (&survey->retried, &both->ids[i], 1))
      both->ids[kept++] = both->ids[i];
  both->count = kept;
  return status;
}

/* What was compared and is listed, too, since one side has a tombstone, is
 * done. */
static int
skip_compared (struct survey *survey, struct tally_error *err)
{
  const struct plan *plan = &survey->sync->plan;

  for (size_t i = 0; i < plan->count && survey->sync->compares; i++)
    if (!idset_add (&survey->retried, &plan->items[i].id, 1))
      return error_nomem (err);
  return TALLY_OK;
}

/* Steps 3 to 5. */
static int
survey_step (void *ctx, bool last, struct tally_error *err)
{
  struct survey *survey = ctx;
  int status = survey_hold_back (survey, err);

  (void) last;
  if (status == TALLY_OK)
    status = compile_changes (survey->sync, err);
  if (status == TALLY_OK)
    status = survey_window (survey, err);
  return status == TALLY_OK ? skip_compared (survey, err) : status;
}

int
survey_windows (struct sync *sync, struct tally_error *err)
{
  struct survey survey = { .sync = sync };
  int status = ensure_indexes (sync, err);

  if (status == TALLY_OK)
    status = survey_held (&survey, err);
  if (status == TALLY_OK && compare_may (sync))
    status = compare_windows (sync, NULL, survey_step, &survey, err);
  while (status == TALLY_OK && !(sync->remote_done && sync->local_done)) {
    if (sync_cancelled (sync))
      status = error_set (err, TALLY_CANCELLED, "cancelled");
    if (status == TALLY_OK)
      status = retrieve_remote_meta (sync, err);
    if (status == TALLY_OK)
      status = survey_step (&survey, true, err);
  }
  idset_free (&survey.retried);
  idlist_free (&survey.push);
  idlist_free (&survey.both);
  return status;
}
