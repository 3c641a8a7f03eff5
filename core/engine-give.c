/* SPDX-License-Identifier: MIT */
/* push_remote to who has nothing: all that is live goes there as it lies here,
 * in the order of ids and without a list.  What is written meanwhile has a seq
 * behind the head of before, and is listed as ever when this is done. */

#include <config.h>

#include "engine-pushing.h"
#include "error.h"

int
given_leave_kept (struct push *push, struct doclist *docs,
                  struct tally_error *err)
{
  size_t kept = 0;
  int status = TALLY_OK;

  push->met += docs->count;
  for (size_t i = 0; i < docs->count && status == TALLY_OK; i++)
    switch (sync_keeps (push->sync, docs->docs[i].rev)) {
    case KEEP_HELD:
      status = pushing_refused (push, &docs->docs[i], TALLY_AGAIN, err);
      break;
    case KEEP_NOT:
      docs->docs[kept++] = docs->docs[i];
      break;
    default:
      break;
    }
  docs->count = kept;
  return status;
}

bool
given_is_beyond (const struct push *push)
{
  return push->all && push->both->count > ENGINE_WINDOW;
}

/* Nothing was listed there, and on both sides documents lie in the order of
 * their ids. */
bool
push_may_give (const struct sync *sync)
{
  const struct run *run = sync->run;

  return sync->full && !sync->rejoins && !sync->looks && !sync->graves
         && sync->pushes && sync->asked && sync->remote_done && !sync->looked
         && sync->local_position == 0 && !sync_strict (sync)
         && !run->link->plan && !peer_is_passive (&run->peer)
         && run->welcome.by_id && replica_lies_by_id (run->replica);
}

static int
walk_live (struct replica *replica, const char *collection,
           tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  return replica_find (replica, collection, NULL, NULL,
                       TALLY_GET_BODY | TALLY_GET_PART, emit, ctx, err);
}

int
push_given (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct replica *replica = sync->run->replica;
  struct push push = { .sync = sync, .both = both, .all = true };
  struct tally_digest digest;
  int status = replica_digest (replica, sync->collection, 0, &digest, err);

  if (status != TALLY_OK || digest.count == 0)
    return status;
  push.head = digest.seq;
  sync->total += digest.count;
  status = pushing_run (&push, err);
  if (status == TALLY_OK && given_is_beyond (&push)) {
    idlist_free (both);
    return TALLY_OK;
  }
  if (status == TALLY_OK)
    status = replica_check_count (replica, sync->collection, push.met,
                                  walk_live, err);
  sync->local_position = push.head;
  sync->looked = true;
  return status;
}
