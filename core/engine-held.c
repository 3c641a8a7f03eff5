/* SPDX-License-Identifier: MIT */
/* Documents that one side refuses: a stamp beyond its clock, or a rule that is
 * broken.  They are noted with the cursors, which go past them; engine-retry.c
 * tries them again. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"

/* What lies this close to their limit is for them to judge. */
#define TOLERANCE_MS 1000

static uint64_t
newest_ms (const unsigned char rev[TALLY_REV_SIZE])
{
  struct stamp newest;

  memcpy (newest.bytes, rev, STAMP_SIZE);
  return stamp_ms (&newest);
}

bool
sync_is_too_new (const struct sync *sync,
                 const unsigned char rev[TALLY_REV_SIZE])
{
  return newest_ms (rev) > sync->wall_ms + sync->run->replica->max_skew_ms;
}

enum keep
sync_keeps (const struct sync *sync, const unsigned char rev[TALLY_REV_SIZE])
{
  const struct run *run = sync->run;

  if (peer_is_passive (&run->peer))
    return KEEP_NOT;
  /* A look takes what will be repaired as if it were. */
  if (run->repairs && !sync->repaired && sync_is_too_new (sync, rev))
    return sync->looks ? KEEP_NOT : KEEP_FOR_REPAIR;
  if (newest_ms (rev) > run_far_wall_ms (run, sync->wall_ms)
                            + run->replica->max_skew_ms + TOLERANCE_MS)
    return KEEP_HELD;
  return KEEP_NOT;
}

/* ---- holding ------------------------------------------------------------ */

/* The cursors stop before what found no room. */
static void
stop (struct sync *sync, enum held_side side, const struct tally_doc *doc,
      int status, const char *reason)
{
  if (side == HELD_OURS)
    sync_stop_before (sync, doc->seq);
  else
    sync->far_stuck = true;
  if (sync->no_room.status == TALLY_OK)
    error_set (&sync->no_room, status, "document \"%.*s\": %s",
               (int) doc->id.size, doc->id.data, reason);
}

int
sync_hold (struct sync *sync, enum held_side side, const struct tally_doc *doc,
           int status, const char *why, struct tally_error *err)
{
  struct run *run = sync->run;
  struct tally_error text;
  char reason[CLOCK_REASON];
  int put = TALLY_AGAIN;

  if (!why)
    run_clock_reason (run, side, newest_ms (doc->rev), reason);
  error_set (&text, status, "%s", why ? why : reason);
  /* What is damaged in a folder is told of there. */
  if (!peer_is_passive (&run->peer) || status == TALLY_AGAIN)
    put = held_put (&run->pair.held, side, sync->collection, doc, status,
                    text.text, replica_wall_ms (run->replica));
  if (put == TALLY_FAILED)
    return error_nomem (err);
  if (put == TALLY_OK && sync_strict_of (sync, doc->id, NULL))
    held_set_strict (&run->pair.held, side, sync->collection, doc->id);
  if (put == TALLY_AGAIN)
    stop (sync, side, doc, status, text.text);
  else if (side == HELD_OURS && !seqset_add (&sync->settled, doc->seq))
    return error_nomem (err);
  return TALLY_OK;
}

int
sync_hold_with (struct sync *sync, const struct tally_doc *ours,
                const struct tally_doc *theirs, struct tally_error *err)
{
  char reason[CLOCK_REASON];

  run_clock_reason (sync->run, HELD_THEIRS, newest_ms (theirs->rev), reason);
  return sync_hold (sync, HELD_OURS, ours, TALLY_AGAIN, reason, err);
}

void
sync_stop_holding (struct sync *sync, struct tally_slice id)
{
  const struct held_list *list = &sync->run->pair.held;
  struct held *ours = held_find (list, HELD_OURS, sync->collection, id);
  struct held *theirs = held_find (list, HELD_THEIRS, sync->collection, id);

  /* A run of one direction gives, or takes, nothing of it. */
  if (ours && sync->pushes)
    ours->tried = true;
  /* What lies in a folder is not what was put there. */
  if (theirs && sync->pulls && !peer_is_passive (&sync->run->peer))
    theirs->tried = true;
}

bool
sync_hold_bad (void *ctx, const struct tally_doc *doc, const char *why)
{
  struct sync *sync = ctx;
  struct tally_doc bad = *doc;
  struct tally_error ignored;

  bad.seq = 0;
  memset (bad.rev, 0, sizeof bad.rev);
  return sync_hold (sync, HELD_THEIRS, &bad, TALLY_INVALID, why, &ignored)
         == TALLY_OK;
}

/* ---- what is refused ---------------------------------------------------- */

int
sync_decode (const struct sync *sync, struct state *out,
             const struct tally_doc *doc, struct tally_error *err)
{
  int status = state_decode (out, doc->flags & TALLY_DOC_DELETED, doc->meta,
                             doc->body, err);

  if (status == TALLY_OK)
    return status;
  return error_set (err, status, "%s: document \"%.*s\": %s",
                    sync->run->replica->name, (int) doc->id.size, doc->id.data,
                    err->text);
}

int
sync_refuses (const struct sync *sync, const struct tally_doc *ours,
              const struct tally_doc *theirs, bool *refuses,
              struct tally_error *err)
{
  struct state a = { 0 }, b = { 0 };
  uint64_t limit = sync->wall_ms + sync->run->replica->max_skew_ms;
  bool known = true;
  int status;

  *refuses = false;
  if (!sync_is_too_new (sync, theirs->rev))
    return TALLY_OK;
  status = sync_decode (sync, &b, theirs, err);
  if (status == TALLY_OK && ours)
    status = sync_decode (sync, &a, ours, err);
  if (status == TALLY_OK)
    *refuses =
        state_brings_ahead (ours ? &a : NULL, &b, limit, &known) && !known;
  state_free (&a);
  state_free (&b);
  return status;
}

int
sync_knows_newest (const struct sync *sync, const struct tally_doc *ours,
                   const unsigned char rev[TALLY_REV_SIZE], bool *knows,
                   struct tally_error *err)
{
  struct stamp newest;
  struct state state = { 0 };
  int status;

  *knows = false;
  if (!ours)
    return TALLY_OK;
  memcpy (newest.bytes, rev, STAMP_SIZE);
  status = sync_decode (sync, &state, ours, err);
  if (status == TALLY_OK)
    *knows = state_knows (&state, &newest, NULL);
  state_free (&state);
  return status;
}

/* ---- a window ----------------------------------------------------------- */

/* The header leaves the window; the document here, if there is one, is not
 * looked at as something that changed. */
static int
leave_out (struct sync *sync, const struct tally_doc *ours,
           struct tally_error *err)
{
  if (ours && !seqset_add (&sync->listed, ours->seq))
    return error_nomem (err);
  return TALLY_OK;
}

static int
refuse_header (struct sync *sync, const struct tally_doc *theirs,
               const struct tally_doc *ours, struct tally_error *err)
{
  int status = sync_hold (sync, HELD_THEIRS, theirs, TALLY_AGAIN, NULL, err);

  /* A folder refuses nothing. */
  if (peer_is_passive (&sync->run->peer))
    return status;
  if (status == TALLY_OK && ours && sync->pushes
      && sync_is_changed (sync, ours->seq))
    status = sync_hold_with (sync, ours, theirs, err);
  return status == TALLY_OK ? leave_out (sync, ours, err) : status;
}

static int
judge_header (struct sync *sync, const struct tally_doc *theirs,
              const struct tally_doc *ours, struct idlist *both, bool *stays,
              struct tally_error *err)
{
  struct held *held;
  bool knows;
  int status;

  *stays = true;
  held = held_find (&sync->run->pair.held, HELD_THEIRS, sync->collection,
                    theirs->id);
  /* A folder has older versions beside the one that is held. */
  if (held
      && (!peer_is_passive (&sync->run->peer)
          || memcmp (held->rev, theirs->rev, TALLY_REV_SIZE) == 0))
    held->tried = true;
  if (ours && memcmp (ours->rev, theirs->rev, TALLY_REV_SIZE) == 0)
    return TALLY_OK;
  if (!sync_is_too_new (sync, theirs->rev)) {
    /* What was held of ours is not to be written over. */
    if (!ours
        || !held_has_seq (&sync->run->pair.held, sync->collection, ours->seq))
      return TALLY_OK;
    knows = true;
  } else {
    status = sync_knows_newest (sync, ours, theirs->rev, &knows, err);
    if (status != TALLY_OK)
      return status;
  }
  *stays = false;
  if (!knows)
    return refuse_header (sync, theirs, ours, err);
  if (!idlist_add (both, theirs->id))
    return error_nomem (err);
  return leave_out (sync, ours, err);
}

/* What of the window needs a look at what is here. */
static bool
is_odd (const struct sync *sync, const struct tally_doc *theirs)
{
  const struct held_list *list = &sync->run->pair.held;

  return sync_is_too_new (sync, theirs->rev)
         || (list->n > 0
             && (held_find (list, HELD_OURS, sync->collection, theirs->id)
                 || held_find (list, HELD_THEIRS, sync->collection,
                               theirs->id)));
}

int
sync_hold_back (struct sync *sync, struct idlist *both,
                struct tally_error *err)
{
  struct doclist *remote = &sync->remote, local = DOCLIST_INIT;
  struct tally_slice *ids = calloc (remote->count + 1, sizeof *ids);
  size_t n = 0, kept = 0, at = 0;
  int status = ids ? TALLY_OK : error_nomem (err);

  sync->wall_ms = replica_wall_ms (sync->run->replica);
  for (size_t i = 0; ids && i < remote->count; i++)
    if (is_odd (sync, &remote->docs[i]))
      ids[n++] = remote->docs[i].id;
  if (status == TALLY_OK)
    status = replica_get (sync->run->replica, sync->collection, ids, n,
                          TALLY_GET_META, doclist_emit, &local, err);
  if (status == TALLY_OK && local.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < remote->count && n > 0 && status == TALLY_OK; i++) {
    bool stays = true;

    if (is_odd (sync, &remote->docs[i]))
      status = judge_header (sync, &remote->docs[i],
                             doclist_next_if (&local, &at, remote->docs[i].id),
                             both, &stays, err);
    if (stays)
      remote->docs[kept++] = remote->docs[i];
  }
  if (n > 0 && status == TALLY_OK)
    remote->count = kept;
  doclist_free (&local);
  free (ids);
  return status;
}

/* ---- the end ------------------------------------------------------------ */

int
sync_complaint (const struct sync *sync, struct tally_error *err)
{
  const struct held_list *list = &sync->run->pair.held;
  const struct held *first = NULL;
  uint64_t n = 0;
  const char *name = sync->run->link->channel->name;

  for (size_t i = 0; i < list->n; i++) {
    const struct held *held = &list->items[i];

    if (strcmp (held->collection, sync->collection) != 0
        || !(held->side == HELD_OURS ? sync->pushes : sync->pulls)
        || (held->side == HELD_THEIRS && sync->pushes
            && held_find (list, HELD_OURS, sync->collection,
                          slice_make (held->id, held->id_size))))
      continue;
    n++;
    if (!first
        || (first->status == TALLY_AGAIN && held->status != TALLY_AGAIN))
      first = held;
  }
  if (sync->no_room.status != TALLY_OK && (!first || n >= HELD_MAX))
    return error_set (err, sync->no_room.status, "%s: %s are held back: %s",
                      name,
                      first ? "more documents than can be listed"
                            : "documents that cannot be listed",
                      sync->no_room.text);
  if (!first)
    return TALLY_OK;
  if (first->status == TALLY_AGAIN)
    return error_set (err, first->status, "%s: %llu document%s held back: %s",
                      name, (unsigned long long) n, n == 1 ? " is" : "s are",
                      first->reason);
  return error_set (err, first->status,
                    "%s: document \"%.60s\" is held back: "
                    "%s",
                    name, first->id, first->reason);
}
