/* SPDX-License-Identifier: MIT */
/* Documents that only one side has, which may have been deleted on the other:
 * where nobody can tell that from one that is new it is kept, and told of.
 * They are counted before they move: when a run is cut the next one finds them
 * on both sides. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "engine-internal.h"

/* What was last written as a whole since the pair last met is new. */
static int
was_there (const struct sync *sync, const struct tally_doc *doc, bool *was,
           struct tally_error *err)
{
  uint64_t met = sync->run->last_contact_ms + sync->run->replica->max_skew_ms;
  struct state state = { 0 };
  int status;

  *was = true;
  if (sync->run->was_unsure)
    return TALLY_OK;
  status = state_decode (&state, false, doc->meta, doc->body, err);
  if (status == TALLY_OK)
    *was = stamp_ms (&state.whole) <= met;
  state_free (&state);
  return status;
}

/* A tombstone that nobody was waiting for is forgotten when it is older than
 * keep_deleted, and a copy of what it deleted is older still. */
static bool
is_old (const struct sync *sync, const struct tally_doc *doc)
{
  struct replica *replica = sync->run->replica;
  struct stamp newest;

  memcpy (newest.bytes, doc->rev, STAMP_SIZE);
  return replica->keep_deleted_ms > 0 && replica_clock_agrees (replica)
         && stamp_ms (&newest) + replica->keep_deleted_ms
                < replica_wall_ms (replica);
}

/* It was deleted on that side, and the tombstone held back on this one.  When
 * both it and its grave are forgotten nothing there stands in the way. */
static bool
was_held (const struct sync *sync, const struct tally_doc *doc, bool there)
{
  const struct held *held =
      held_find (&sync->run->pair.held, there ? HELD_THEIRS : HELD_OURS,
                 sync->collection, doc->id);

  return held && held->deleted;
}

int
sync_may_return (const struct sync *sync, const struct tally_doc *doc,
                 bool there, bool *may, struct tally_error *err)
{
  *may = false;
  if (doc->flags & TALLY_DOC_DELETED)
    return TALLY_OK;
  if (sync_strict (sync) || was_held (sync, doc, there))
    *may = true;
  else if (sync->rejoins && (there ? sync->gone_there : sync->gone_here))
    return was_there (sync, doc, may, err);
  else if ((sync->full && !sync->rejoins)
           || peer_is_passive (&sync->run->peer))
    *may =
        (there ? sync->far_floor : sync->own_floor) > 0 && is_old (sync, doc);
  return TALLY_OK;
}

void
sync_tell_returned (const struct sync *sync)
{
  const struct tally_host *host = sync->run->replica->host;
  char text[256];

  if (sync->returned == 0 || !host || !host->log)
    return;
  snprintf (text, sizeof text,
            "%s: %s: %llu document%s that only one side still had %s kept; "
            "some may have been deleted on the other",
            sync->run->link->channel->name, sync->collection,
            (unsigned long long) sync->returned,
            sync->returned == 1 ? "" : "s",
            sync->returned == 1 ? "was" : "were");
  host->log (host->ctx, 1, text);
}
