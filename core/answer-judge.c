/* SPDX-License-Identifier: MIT */
/* A document is taken if what is stored is what the pusher built on, or if the
 * pushed state knows every stamp of the stored one. */

#include <config.h>

#include <string.h>

#include "answer-judge.h"
#include "graves.h"
#include "state.h"

static int
knows_stored (const struct tally_doc *pushed, const struct tally_doc *stored,
              bool *knows, struct tally_error *err)
{
  struct state mine, theirs;
  int status = state_decode (&mine, stored->flags & TALLY_DOC_DELETED,
                             stored->meta, stored->body, err);

  if (status != TALLY_OK)
    return status;
  status = state_decode (&theirs, pushed->flags & TALLY_DOC_DELETED,
                         pushed->meta, pushed->body, err);
  if (status == TALLY_OK)
    *knows = state_replaces (&theirs, &mine);
  state_free (&theirs);
  state_free (&mine);
  return status;
}

/* A tombstone of what is not here is nothing new; but where nobody knows what
 * was deleted it is worth keeping. */
static bool
is_forgotten (struct replica *replica, const struct push *push)
{
  struct stamp newest;

  if (!(push->doc->flags & TALLY_DOC_DELETED) || push->strict)
    return false;
  /* Whoever makes the document anew writes above it. */
  memcpy (newest.bytes, push->doc->rev, STAMP_SIZE);
  replica_seen (replica, &newest);
  return true;
}

static bool
is_base (const struct push *push, const struct tally_doc *stored)
{
  return slice_equal (push->base, slice_make (stored->rev, TALLY_REV_SIZE));
}

/* A stamp beyond our clock is not taken.  When the stored document knows it
 * and holds it no more, the pusher is to merge with that first. */
static int
judge_clock (const struct push *push, const struct tally_doc *stored,
             enum push_verdict *verdict, struct tally_error *err)
{
  const struct tally_doc *pushed = push->doc;
  struct state mine = { 0 }, theirs = { 0 };
  struct stamp newest;
  bool known;
  int status;

  *verdict = PUSH_TAKE;
  memcpy (newest.bytes, pushed->rev, STAMP_SIZE);
  if (stamp_ms (&newest) <= push->limit_ms)
    return TALLY_OK;
  status = state_decode (&theirs, pushed->flags & TALLY_DOC_DELETED,
                         pushed->meta, pushed->body, err);
  if (status == TALLY_OK && stored)
    status = state_decode (&mine, stored->flags & TALLY_DOC_DELETED,
                           stored->meta, stored->body, err);
  if (status == TALLY_OK
      && state_brings_ahead (stored ? &mine : NULL, &theirs, push->limit_ms,
                             &known))
    *verdict = known && !is_base (push, stored) ? PUSH_REFUSE : PUSH_AHEAD;
  state_free (&mine);
  state_free (&theirs);
  return status;
}

/* What was changed by somebody who did not know of the delete is taken from
 * whom the grave was shown: who pushes tells of it. */
static int
grave_stands (const struct push *push, const struct tally_doc *grave,
              bool *stands, struct tally_error *err)
{
  enum grave_meets meets = GRAVE_KNOWS_NOTHING;
  int status = TALLY_OK;

  if (!push->strict)
    status = graves_meet (grave, push->doc, &meets, err);
  *stands = grave_wins (meets)
            || (meets == GRAVE_KNOWS_SOME && !is_base (push, grave));
  return status;
}

int
push_judge (struct replica *replica, const struct push *push,
            const struct tally_doc *stored, enum push_verdict *verdict,
            struct tally_error *err)
{
  bool take, stands = true;
  int status = TALLY_OK;

  if (stored && is_grave (stored))
    status = grave_stands (push, stored, &stands, err);
  if (status != TALLY_OK)
    return status;
  if (!stands)
    stored = NULL;
  if (stored ? memcmp (stored->rev, push->doc->rev, TALLY_REV_SIZE) == 0
             : is_forgotten (replica, push)) {
    *verdict = PUSH_KNOWN;
    return TALLY_OK;
  }
  status = judge_clock (push, stored, verdict, err);
  if (status != TALLY_OK || *verdict != PUSH_TAKE)
    return status;
  take = !stored || is_base (push, stored);
  if (!take && !push->strict)
    status = knows_stored (push->doc, stored, &take, err);
  if (!take)
    *verdict = PUSH_REFUSE;
  return status;
}
