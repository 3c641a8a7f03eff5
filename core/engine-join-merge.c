/* SPDX-License-Identifier: MIT */
/* One document that both sides have: what a merge of ours and theirs makes,
 * what lost in it, and what each side is known to have seen before. */

#include <config.h>

#include "engine-join.h"
#include "error.h"
#include "merge.h"
#include "notejson.h"

struct losing {
  struct joiner *joiner;
  struct joined *joined;
  struct tally_error *err;
};

static int
keep_loser (void *ctx, const struct loser *loser)
{
  struct losing *losing = ctx;
  struct joiner *joiner = losing->joiner;
  int status;

  if (joiner->look) {
    losing->joined->losers++;
    return TALLY_OK;
  }
  status =
      journal_add (&joiner->journal, losing->joined->id, loser, losing->err);
  if (status == TALLY_OK && !idlist_add (&joiner->fields, loser->field))
    status = error_nomem (losing->err);
  losing->joined->losers++;
  return status;
}

/* Keeps the merged document, or finds that it is one of the two.  One that
 * won over writes that it did not know is made anew, too: it has seen them
 * now, and whoever gets it must not find them unseen again. */
static int
keep_result (struct joiner *joiner, struct joined *joined,
             const struct state *merged, struct tally_error *err)
{
  struct tally_doc doc = { .id = joined->id };
  struct buf meta = BUF_INIT;

  state_rev (merged, joined->id, doc.rev);
  joined->side = SIDE_NEW;
  if (join_same_rev (&doc, joined->theirs))
    joined->side = SIDE_THEIRS;
  if (join_same_rev (&doc, joined->ours))
    joined->side = joined->side == SIDE_THEIRS ? SIDE_BOTH : SIDE_OURS;
  if (joined->side == SIDE_BOTH
      || (!joined->both && joined->side != SIDE_NEW)) {
    joined->result =
        joined->side == SIDE_THEIRS ? joined->theirs : joined->ours;
    return TALLY_OK;
  }
  state_encode (merged, &meta);
  doc.flags = merged->deleted ? TALLY_DOC_DELETED : 0;
  doc.meta = buf_slice (&meta);
  doc.body = merged->body;
  joined->made = !meta.failed && doclist_add (&joiner->made, &doc);
  buf_free (&meta);
  return joined->made ? TALLY_OK : error_nomem (err);
}

/* We were told of it up to the checkpoint, and may have forgotten it since:
 * who makes the document anew does not know its stamp and was not unaware. */
static bool
is_known_tombstone (const struct sync *sync, const struct tally_doc *theirs)
{
  struct run *run = sync->run;
  struct pair_cursor *cursor = pair_cursor (&run->pair, sync->collection);
  uint64_t far;

  return (theirs->flags & TALLY_DOC_DELETED) && !peer_is_passive (&run->peer)
         && !sync_strict_of (sync, theirs->id, theirs) && theirs->seq > 0
         && cursor && note_number (slice_text (cursor->far), &far)
         && theirs->seq <= far
         && !held_find (&run->pair.held, HELD_THEIRS, sync->collection,
                        theirs->id);
}

/* The cursor is past a tombstone also where the other side had no document for
 * it, and was not given it.  What beats it there is then later than all that
 * was deleted, unless a repair gave the tombstone its place. */
static bool
is_moved_tombstone (const struct state *state)
{
  return state->deleted && !stamp_is_zero (&state->undone);
}

int
join_merge (struct joiner *joiner, struct joined *joined,
            struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  struct state ours = { 0 }, theirs = { 0 }, merged = { 0 };
  struct buf body = BUF_INIT;
  struct losing losing = { joiner, joined, err };
  struct merge_rules rules = { .loser = keep_loser, .ctx = &losing };
  int status;

  joined->first_loser = joiner->journal.entries.count;
  rules.strict = sync_strict_of (sync, joined->id, joined->theirs);
  status = sync_decode (sync, &ours, joined->ours, err);
  if (status == TALLY_OK)
    status = sync_decode (sync, &theirs, joined->theirs, err);
  /* Unchanged since the cursor of an unbroken pair: they have it all. */
  rules.a_known = !peer_is_passive (&sync->run->peer)
                  && !sync_is_changed (sync, joined->ours->seq)
                  && !is_moved_tombstone (&ours);
  rules.b_known = is_known_tombstone (sync, joined->theirs)
                  && !is_moved_tombstone (&theirs);
  if (status == TALLY_OK)
    status = merge_states (&merged, &body, &ours, &theirs, &rules, err);
  /* A tombstone of what they did not have is here alone, whatever the cursor
   * says: if it beats theirs, it has seen that from now on. */
  if (status == TALLY_OK && (!rules.a_known || joined->losers > 0))
    joined->both = !state_knows_all (&theirs, &ours, rules.strict)
                   && !state_knows_all (&ours, &theirs, rules.strict);
  if (status == TALLY_OK)
    status = keep_result (joiner, joined, &merged, err);
  state_free (&merged);
  state_free (&theirs);
  state_free (&ours);
  buf_free (&body);
  return status;
}
