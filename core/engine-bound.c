/* SPDX-License-Identifier: MIT */
/* A run that does what a plan says.  What is not in the plan is left for the
 * next run, before the cursors; a document that moved since ends the run. */

#include <config.h>

#include <string.h>

#include "engine-join.h"
#include "error.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

static int
moved (struct sync *sync, struct tally_slice id, struct tally_error *err)
{
  sync->run->moved = true;
  return engine_moved (sync->run->link->name, sync->collection, id, err);
}

int
engine_moved (const char *link, const char *collection, struct tally_slice id,
              struct tally_error *err)
{
  return error_set (err, TALLY_CONFLICT,
                    "%s: document \"%.*s\" in \"%s\" moved since the plan was "
                    "made",
                    link, (int) id.size, id.data, collection);
}

static enum planned
find (const struct sync *sync, struct tally_slice id,
      const unsigned char *local, const unsigned char *remote)
{
  struct plan_move move = { .collection = sync->collection, .id = id };

  /* Only a folder's are kept. */
  move.again = idset_find (&sync->moved, &id, 1) != NULL;
  memcpy (move.local_rev, local ? local : absent_rev, TALLY_REV_SIZE);
  memcpy (move.remote_rev, remote ? remote : absent_rev, TALLY_REV_SIZE);
  return planfile_find (sync->run->link->plan, &move);
}

int
bound_check (struct sync *sync, struct tally_slice id,
             const unsigned char *local, const unsigned char *remote,
             struct tally_error *err)
{
  if (!sync->run->link->plan || find (sync, id, local, remote) == PLANNED_SO)
    return TALLY_OK;
  return moved (sync, id, err);
}

static void
leave (struct sync *sync, uint64_t local_seq)
{
  sync->left = true;
  if (local_seq > sync->local_cursor)
    sync_stop_before (sync, local_seq);
}

/* What was held stays so. */
static void
leave_held (struct sync *sync, struct tally_slice id)
{
  struct held_list *list = &sync->run->pair.held;

  for (int side = HELD_OURS; side <= HELD_THEIRS; side++) {
    struct held *held =
        held_find (list, (enum held_side) side, sync->collection, id);

    if (held)
      held->tried = false;
  }
}

int
bound_join (struct joiner *joiner, struct joined *joined,
            struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  const struct tally_doc *ours = joined->ours, *theirs = joined->theirs;

  if (!sync->run->link->plan)
    return TALLY_OK;
  switch (find (sync, joined->id, ours ? ours->rev : NULL,
                theirs ? theirs->rev : NULL)) {
  case PLANNED_SO:
    return TALLY_OK;
  case PLANNED_ELSE:
    return moved (sync, joined->id, err);
  default:
    joined->left = true;
    leave (sync, ours ? ours->seq : 0);
    leave_held (sync, joined->id);
    return TALLY_OK;
  }
}

int
bound_window (struct sync *sync, struct tally_error *err)
{
  if (!sync->run->link->plan)
    return TALLY_OK;
  for (size_t i = 0; i < sync->plan.count; i++) {
    struct plan_item *item = &sync->plan.items[i];

    if (item->action == PLAN_EQUAL)
      continue;
    switch (find (sync, item->id, item->local_rev, item->remote_rev)) {
    case PLANNED_SO:
      break;
    case PLANNED_NOT:
      item->action = PLAN_EQUAL;
      leave (sync, item->local_seq);
      break;
    case PLANNED_ELSE:
      /* It was planned as a merge with what is there, if with anything: that
       * is known once it was fetched. */
      if (item->action != PLAN_PUSH || peer_is_passive (&sync->run->peer))
        return moved (sync, item->id, err);
      item->action = PLAN_MERGE;
    }
  }
  return TALLY_OK;
}
