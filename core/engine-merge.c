/* SPDX-License-Identifier: MIT */
/* Documents that both sides changed: fetch theirs by id, merge, store the
 * result on the revision that was merged here and push it on the one that was
 * merged there.  Whoever was edited meanwhile comes round again.  It never
 * waits for the change feed to show a document: that can deadlock. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-join.h"
#include "error.h"

/* After so many rounds the next run goes on. */
#define ROUNDS_MAX 16

/* ---- merge -------------------------------------------------------------- */

static bool
broke_a_rule (const struct joiner *joiner, struct tally_slice id)
{
  for (size_t i = 0; i < joiner->bad.count; i++)
    if (slice_equal (joiner->bad.ids[i], id))
      return true;
  return false;
}

/* They would refuse what comes of a merge: others would merge with what is
 * there, and the conflict be told of twice. */
static bool
is_too_new_there (const struct joiner *joiner, const struct joined *joined)
{
  const struct sync *sync = joiner->sync;

  return sync->pushes && joined->ours && joined->theirs
         && sync_is_changed (sync, joined->ours->seq)
         && !join_same_rev (joined->ours, joined->theirs)
         && sync_keeps (sync, joined->ours->rev) == KEEP_HELD;
}

/* True when something of theirs is not here. */
static int
lacks_theirs (const struct sync *sync, const struct joined *joined,
              bool *lacks, struct tally_error *err)
{
  struct state ours = { 0 }, theirs = { 0 };
  int status = TALLY_OK;

  *lacks = true;
  if (!joined->ours)
    return status;
  status = sync_decode (sync, &ours, joined->ours, err);
  if (status == TALLY_OK)
    status = sync_decode (sync, &theirs, joined->theirs, err);
  if (status == TALLY_OK)
    *lacks = !state_knows_all (
        &ours, &theirs, sync_strict_of (sync, joined->id, joined->theirs));
  state_free (&theirs);
  state_free (&ours);
  return status;
}

/* Theirs is not taken: what is here waits for it, too. */
static int
hold_both (struct joiner *joiner, struct joined *joined,
           struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  const struct tally_doc *ours = joined->ours;
  bool too_new = is_too_new_there (joiner, joined), lacks = false;
  int status = TALLY_OK;

  if (joined->theirs && sync->pulls)
    status = lacks_theirs (sync, joined, &lacks, err);
  if (lacks && status == TALLY_OK)
    status = sync_hold (sync, HELD_THEIRS, joined->theirs, TALLY_AGAIN,
                        too_new ? "ours is held back" : NULL, err);
  joined->side = SIDE_NONE;
  if (status != TALLY_OK || !ours || !sync->pushes
      || !sync_is_changed (sync, ours->seq))
    return status;
  if (!joined->theirs)
    return sync_hold (sync, HELD_OURS, ours, TALLY_INVALID,
                      "theirs is held back", err);
  if (too_new)
    return sync_hold (sync, HELD_OURS, ours, TALLY_AGAIN, NULL, err);
  return sync_hold_with (sync, ours, joined->theirs, err);
}

/* They deleted it, that was held back here, and they have forgotten it since:
 * nobody has the tombstone any more, so ours is kept, and told of. */
static bool
is_kept (struct joiner *joiner, const struct joined *joined)
{
  struct sync *sync = joiner->sync;
  const struct held *held = held_find (&sync->run->pair.held, HELD_THEIRS,
                                       sync->collection, joined->id);

  if (!held || !held->deleted || !sync->pushes)
    return false;
  sync->returned++;
  return true;
}

/* Likewise of ours, that was held back there. */
static void
tell_kept (struct joiner *joiner, const struct joined *joined)
{
  struct sync *sync = joiner->sync;
  const struct held *held = held_find (&sync->run->pair.held, HELD_OURS,
                                       sync->collection, joined->id);

  sync->returned += held && held->deleted && !joined->grave && !joined->anew
                    && !(joined->theirs->flags & TALLY_DOC_DELETED);
}

/* Who is there alone has won, unless it has been here and there before. */
static int
settle_one (struct joiner *joiner, struct joined *joined,
            struct tally_error *err)
{
  bool refuses = broke_a_rule (joiner, joined->id);
  int status = TALLY_OK;

  if (joined->left)
    return TALLY_OK;
  if (joined->theirs)
    status = sync_refuses (joiner->sync, joined->ours, joined->theirs,
                           &refuses, err);
  if (status != TALLY_OK)
    return status;
  refuses |= is_too_new_there (joiner, joined);
  if (refuses && !peer_is_passive (&joiner->sync->run->peer))
    return hold_both (joiner, joined, err);
  if (refuses)
    joined->theirs = NULL;
  if (joined->ours && joined->theirs)
    return join_merge (joiner, joined, err);
  if (joined->theirs) {
    joined->side = SIDE_THEIRS;
    tell_kept (joiner, joined);
  } else if (joined->ours
             && (joined->grave || is_kept (joiner, joined)
                 || sync_is_changed (joiner->sync, joined->ours->seq)))
    joined->side = SIDE_OURS;
  else
    joined->side = SIDE_NONE;
  joined->result = joined->side == SIDE_OURS     ? joined->ours
                   : joined->side == SIDE_THEIRS ? joined->theirs
                                                 : NULL;
  return TALLY_OK;
}

/* `made` moves as it grows: results in it are found when it is whole. */
static int
merge_all (struct joiner *joiner, struct tally_error *err)
{
  size_t at = 0;
  int status = TALLY_OK;

  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    status = settle_one (joiner, &joiner->joined[i], err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    if (joiner->joined[i].made)
      joiner->joined[i].result = &joiner->made.docs[at++];
  return status;
}

/* ---- rounds ------------------------------------------------------------- */

/* What comes back, which is told of. */
static void
count_returned (struct joiner *joiner)
{
  for (size_t i = 0; i < joiner->n; i++) {
    enum plan_step step = join_step (joiner, &joiner->joined[i]);

    joiner->sync->returned +=
        joiner->joined[i].grave && (step == STEP_PULL || step == STEP_PUSH);
  }
}

static int
join_finally (struct joiner *joiner, struct tally_error *err)
{
  int status;

  count_returned (joiner);
  status = join_store (joiner, err);

  if (status == TALLY_OK)
    status = join_push (joiner, err);
  return status == TALLY_OK ? join_finish (joiner, err) : status;
}

/* A tombstone that was forgotten is there only for what it knew. */
static int
leave_graves (const struct joiner *joiner, struct joined *joined,
              struct tally_error *err)
{
  const struct sync *sync = joiner->sync;
  const struct tally_doc *ours = joined->ours, *theirs = joined->theirs;
  enum grave_meets meets = GRAVE_KNOWS_NOTHING;
  int status = TALLY_OK;

  if (ours && is_grave (ours)) {
    if (theirs)
      status = graves_meet (ours, theirs, &meets, err);
    if (!grave_wins (meets))
      joined->ours = NULL;
    if (meets == GRAVE_KNOWS_SOME)
      joined->grave = ours;
    joined->anew = meets == GRAVE_KNOWS_NOTHING;
  } else if (theirs && is_grave (theirs)
             && !peer_is_passive (&sync->run->peer)) {
    if (ours && !sync_strict_of (sync, ours->id, theirs))
      status = graves_meet (theirs, ours, &meets, err);
    if (!grave_wins (meets))
      joined->theirs = NULL;
    if (meets == GRAVE_KNOWS_SOME)
      joined->grave = theirs;
  }
  return status;
}

/* Joins the ids whose documents came in one reply. */
static int
join_batch (struct joiner *joiner, const struct tally_slice *ids, size_t n,
            struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  size_t at_ours = 0, at_theirs = 0;
  int status;

  doclist_clear (&joiner->ours);
  doclist_clear (&joiner->made);
  journal_clear (&joiner->journal);
  idlist_free (&joiner->fields);
  joiner->n = n;
  joiner->joined = calloc (n + 1, sizeof *joiner->joined);
  if (!joiner->joined)
    return error_nomem (err);
  status = replica_get (sync->run->replica, sync->collection, ids, n,
                        TALLY_GET_BODY, doclist_emit, &joiner->ours, err);
  if (status == TALLY_OK && joiner->ours.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status =
        sync_fill_graves (sync, &joiner->ours, ids, n, TALLY_GET_BODY, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    struct joined *joined = &joiner->joined[i];

    joined->id = ids[i];
    joined->ours = doclist_next_if (&joiner->ours, &at_ours, ids[i]);
    joined->theirs = doclist_next_if (&joiner->theirs, &at_theirs, ids[i]);
    status = leave_graves (joiner, joined, err);
  }
  for (size_t i = 0; i < n && status == TALLY_OK && !joiner->look; i++)
    status = bound_join (joiner, &joiner->joined[i], err);
  if (status == TALLY_OK)
    status = merge_all (joiner, err);
  if (status == TALLY_OK)
    status = joiner->look ? joiner->look (joiner->look_ctx, joiner, err)
                          : join_finally (joiner, err);
  free (joiner->joined);
  joiner->joined = NULL;
  sync_progress (sync);
  return status;
}

static bool
keep_bad (void *ctx, const struct tally_doc *doc, const char *why)
{
  struct joiner *joiner = ctx;

  return (!joiner->sync->pulls || sync_hold_bad (joiner->sync, doc, why))
         && idlist_add (&joiner->bad, doc->id);
}

static int
join_all (struct joiner *joiner, const struct idlist *both,
          struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  size_t at = 0, answered;
  int status = TALLY_OK;

  while (at < both->count && status == TALLY_OK) {
    if (sync_cancelled (sync))
      return error_set (err, TALLY_CANCELLED, "cancelled");
    status = peer_get (&sync->run->peer, sync->collection, both->ids + at,
                       both->count - at, &answered, &joiner->theirs, keep_bad,
                       joiner, err);
    if (status == TALLY_OK)
      status = join_batch (joiner, both->ids + at, answered, err);
    at += answered;
  }
  return status;
}

static void
joiner_free (struct joiner *joiner)
{
  doclist_free (&joiner->theirs);
  doclist_free (&joiner->ours);
  doclist_free (&joiner->made);
  journal_free (&joiner->journal);
  idlist_free (&joiner->fields);
  idlist_free (&joiner->bad);
}

int
join_look (struct sync *sync, const struct idlist *both, join_look_fn *look,
           void *ctx, struct tally_error *err)
{
  struct joiner joiner = { .sync = sync, .look = look, .look_ctx = ctx };
  int status = join_all (&joiner, both, err);

  joiner_free (&joiner);
  return status;
}

/* Out of rounds: the documents keep their place before the cursor. */
static void
give_up (struct sync *sync, const struct idlist *both)
{
  struct tally_error why;

  error_set (&why, TALLY_AGAIN, "%s: document \"%.*s\" keeps changing",
             sync->run->link->channel->name, (int) both->ids[0].size,
             both->ids[0].data);
  sync->bad = why;
  sync_stop_before (sync, 1);
}

int
merge_both (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct idlist current = *both, next = { 0 };
  int status = TALLY_OK;

  memset (both, 0, sizeof *both);
  if (current.count > 0)
    status = sync_begin (sync, err);
  for (unsigned round = 0; current.count > 0 && status == TALLY_OK; round++) {
    struct joiner joiner = { .sync = sync, .again = &next };

    joiner.journal.replica = sync->run->replica;
    joiner.journal.link = sync->run->link->name;
    joiner.journal.collection = sync->collection;
    joiner.journal.there = !sync->pulls;

    if (round == ROUNDS_MAX) {
      give_up (sync, &current);
      break;
    }
    status = join_all (&joiner, &current, err);
    joiner_free (&joiner);
    idlist_free (&current);
    current = next;
    memset (&next, 0, sizeof next);
  }
  idlist_free (&next);
  idlist_free (&current);
  return status;
}
