/* SPDX-License-Identifier: MIT */
/* What a comparison found goes through the steps of a window: gets and puts in
 * one frame, where it holds all of it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-comparing.h"
#include "error.h"

/* ---- one window --------------------------------------------------------- */

/* What a look went through is not met again where it also stands. */
static int
drop_seen (struct comparing *comparing, struct doclist *headers,
           struct tally_error *err)
{
  size_t kept = 0;

  if (!comparing->sync->looks)
    return TALLY_OK;
  for (size_t i = 0; i < headers->count; i++) {
    const struct tally_slice *id = &headers->docs[i].id;

    if (idset_find (&comparing->seen, id, 1))
      continue;
    if (!idset_add (&comparing->seen, id, 1))
      return error_nomem (err);
    headers->docs[kept++] = headers->docs[i];
  }
  headers->count = kept;
  return TALLY_OK;
}

static int
go_through (struct comparing *comparing, bool last, struct tally_error *err)
{
  struct sync *sync = comparing->sync;

  if (sync_cancelled (sync))
    return error_set (err, TALLY_CANCELLED, "cancelled");
  /* The nonce, which is drawn, has no say in the order of a plan. */
  doclist_sort (&sync->remote);
  doclist_sort (&sync->changed);
  sync->looked = true;
  return comparing->step (comparing->ctx, last, err);
}

/* What is only here, offered; what was queued goes with the first of it. */
static int
step_ours (struct comparing *comparing, bool last, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  int status = drop_seen (comparing, &sync->changed, err);

  doclist_clear (&sync->remote);
  if (status == TALLY_OK && (sync->changed.count > 0 || last))
    status = go_through (comparing, last, err);
  doclist_clear (&sync->changed);
  return status;
}

static int
note_seen (struct comparing *comparing, struct tally_error *err)
{
  const struct doclist *remote = &comparing->sync->remote;

  for (size_t i = 0; i < remote->count; i++)
    if (!idset_add (&comparing->seen, &remote->docs[i].id, 1))
      return error_nomem (err);
  return TALLY_OK;
}

static int
strange (const struct comparing *comparing, struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "%s: answered something else than was asked",
                    comparing->sync->run->peer.channel->name);
}

/* What nobody asked for is not taken. */
static int
check_asked (const struct comparing *comparing, struct tally_error *err)
{
  const struct doclist *remote = &comparing->sync->remote;

  for (size_t i = 0; comparing->asked && i < remote->count; i++)
    if (!compare_is_theirs (&comparing->compare, comparing->asked,
                            remote->docs[i].id))
      return strange (comparing, err);
  return TALLY_OK;
}

/* What came from there; note: keep the ids. */
static int
step_theirs (struct comparing *comparing, bool note, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  int status = TALLY_OK;

  doclist_clear (&sync->changed);
  if (sync->run->peer.fetch)
    status = peer_flush (&sync->run->peer, err);
  if (status == TALLY_OK)
    status = peer_list_hand (&sync->run->peer, &sync->remote, sync_hold_bad,
                             sync, err);
  if (status == TALLY_OK)
    status = check_asked (comparing, err);
  if (status == TALLY_OK && note)
    status = note_seen (comparing, err);
  if (status == TALLY_OK)
    status = drop_seen (comparing, &sync->remote, err);
  return status == TALLY_OK ? go_through (comparing, true, err) : status;
}

/* ---- what differs ------------------------------------------------------- */

/* Names are asked for in the frame that fetches: a place begins with the stamp
 * of a client. */
static int
ask_names (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  const struct compare_set *theirs = &comparing->compare.theirs;
  int status = TALLY_OK;

  if (sync->looks)
    return TALLY_OK;
  doclist_clear (&sync->remote);
  for (size_t i = 0; i < theirs->n && i < RUN_NAMES_MAX; i++) {
    struct tally_doc doc = { 0 };

    sketch_stamp (doc.rev, theirs->places + i * ROWS_PLACE_SIZE);
    if (!doclist_add (&sync->remote, &doc))
      return error_nomem (err);
  }
  status = names_ask (sync, err);
  doclist_clear (&sync->remote);
  return status;
}

static void
make_fetch (struct comparing *comparing, struct wire_fetch *fetch)
{
  struct compare *compare = &comparing->compare;

  memset (fetch, 0, sizeof *fetch);
  fetch->collection = slice_text (compare->collection);
  fetch->nonce = slice_make (compare->rows.nonce, SKETCH_NONCE_SIZE);
  fetch->flags = comparing->sync->looks ? WIRE_FETCH_HEADERS : 0;
  if (compare->kind != COMPARE_WHOLE)
    return;
  fetch->flags |= WIRE_FETCH_RANGE;
  fetch->from = compare->range.from;
  fetch->to = compare->range.to;
}

struct fetch {
  struct wire_fetch ask;
  size_t at, n;    /* places that are done, and that are asked for now */
  struct buf from; /* where in the range the next answer begins */
  bool more;
};

/* Queues the first, or what follows. */
static void
fetch_queue (struct comparing *comparing, struct fetch *fetch)
{
  const struct compare_set *theirs = &comparing->compare.theirs;

  if (!(fetch->ask.flags & WIRE_FETCH_RANGE)) {
    size_t left = theirs->n - fetch->at;

    fetch->n = left < WIRE_HEADERS_MAX ? left : WIRE_HEADERS_MAX;
    fetch->ask.places =
        slice_make (theirs->places + fetch->at * ROWS_PLACE_SIZE,
                    fetch->n * ROWS_PLACE_SIZE);
  }
  peer_queue_fetch (&comparing->sync->run->peer, &fetch->ask);
}

/* On in the range, or to the next places: whatever is answered, it ends. */
static int
fetch_went_on (struct comparing *comparing, struct fetch *fetch,
               struct tally_error *err)
{
  const struct peer_hand *hand = &comparing->sync->run->peer.hand;
  struct tally_slice next = buf_slice (&hand->next);
  bool good;

  if (fetch->ask.flags & WIRE_FETCH_RANGE) {
    good = next.size == 0 || slice_cmp (next, fetch->ask.from) > 0;
    buf_clear (&fetch->from);
    buf_add_slice (&fetch->from, next);
    fetch->ask.from = buf_slice (&fetch->from);
    fetch->more = next.size > 0;
  } else {
    good = hand->answered > 0 && hand->answered <= fetch->n;
    fetch->at += (size_t) hand->answered;
    fetch->more = fetch->at < comparing->compare.theirs.n;
  }
  if (fetch->from.failed)
    return error_nomem (err);
  return good ? TALLY_OK : strange (comparing, err);
}

/* Theirs, whose first question is queued, or answered; note: keep the ids. */
static int
take_theirs (struct comparing *comparing, struct fetch *fetch, bool note,
             struct tally_error *err)
{
  int status = TALLY_OK;

  for (fetch->more = true; fetch->more && status == TALLY_OK;) {
    fetch->more = false;
    status = step_theirs (comparing, note, err);
    if (status == TALLY_OK)
      status = fetch_went_on (comparing, fetch, err);
    if (status == TALLY_OK && fetch->more)
      fetch_queue (comparing, fetch);
  }
  return status;
}

/* Which of ours are offered indeed, if theirs are not taken for that. */
static void
note_given (const struct comparing *comparing, struct buf *given)
{
  const struct doclist *ours = &comparing->sync->changed;
  unsigned char hash[SKETCH_ID_SIZE];

  for (size_t i = 0; i < ours->count && comparing->compare.given.n > 0; i++) {
    compare_id (&comparing->compare, ours->docs[i].id, hash);
    buf_add (given, hash, sizeof hash);
  }
}

static int
offer_ours (struct comparing *comparing, bool last, struct buf *given,
            struct tally_error *err)
{
  const struct compare_set *ours = &comparing->compare.ours;
  int status = TALLY_OK;

  for (size_t at = 0; at < ours->n && status == TALLY_OK;) {
    status = compare_ours (&comparing->compare, &at, ROWS_FETCH_MAX,
                           &comparing->sync->changed, err);
    note_given (comparing, given);
    if (status == TALLY_OK)
      status = step_ours (comparing, last && at == ours->n, err);
  }
  return status == TALLY_OK && given->failed ? error_nomem (err) : status;
}

/* Of what has come from there nothing is offered. */
static void
leave_seen (const struct comparing *comparing, struct doclist *ours)
{
  size_t kept = 0;

  /* A look leaves them out by itself. */
  if (comparing->sync->looks)
    return;
  for (size_t i = 0; i < ours->count; i++)
    if (!idset_find (&comparing->seen, &ours->docs[i].id, 1))
      ours->docs[kept++] = ours->docs[i];
  ours->count = kept;
}

/* A document that was to be taken in place of ours, and was written to there
 * meanwhile, stands elsewhere by now and did not come.  Ours must not be
 * passed over, or the cursors would say that they have it. */
static int
offer_passed (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  const struct compare_set *ours = &comparing->compare.ours;
  int status = TALLY_OK;

  compare_turn_to_passed (&comparing->compare);
  for (size_t at = 0; at < ours->n && status == TALLY_OK;) {
    status = compare_ours (&comparing->compare, &at, ROWS_FETCH_MAX,
                           &sync->changed, err);
    leave_seen (comparing, &sync->changed);
    if (status == TALLY_OK && sync->changed.count > 0)
      status = step_ours (comparing, true, err);
  }
  return status;
}

/* A document of ours that was to be given in place of theirs, and was written
 * to here meanwhile, was not.  Theirs must not be passed over, either. */
static int
take_given (struct comparing *comparing, struct buf *given,
            struct tally_error *err)
{
  struct compare *compare = &comparing->compare;
  struct fetch fetch = { 0 };
  int status = TALLY_OK;

  compare_turn_to_given (compare, (unsigned char *) given->data,
                         given->size / SKETCH_ID_SIZE);
  if (compare->theirs.n == 0)
    return TALLY_OK;
  make_fetch (comparing, &fetch.ask);
  comparing->asked = compare_their_ids (compare);
  if (!comparing->asked)
    return error_nomem (err);
  fetch_queue (comparing, &fetch);
  status = take_theirs (comparing, &fetch, false, err);
  peer_drop_hand (&comparing->sync->run->peer);
  free (comparing->asked);
  comparing->asked = NULL;
  buf_free (&fetch.from);
  return status;
}

int
comparing_move (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  struct fetch fetch = { 0 };
  struct buf given = BUF_INIT;
  bool takes = comparing->compare.theirs.n > 0;
  bool passes = comparing->compare.passed.n > 0 && !sync->looks;
  int status = TALLY_OK;

  make_fetch (comparing, &fetch.ask);
  comparing->asked = compare_their_ids (&comparing->compare);
  if (!comparing->asked)
    return error_nomem (err);
  if (takes && !sync->looks)
    status = sync_begin (sync, err);
  if (takes && status == TALLY_OK)
    status = ask_names (comparing, err);
  if (takes && status == TALLY_OK)
    fetch_queue (comparing, &fetch);
  if (status == TALLY_OK)
    status = offer_ours (comparing, !takes, &given, err);
  if (passes)
    idset_free (&comparing->seen);
  if (takes && status == TALLY_OK)
    status = take_theirs (comparing, &fetch, passes, err);
  peer_drop_hand (&sync->run->peer);
  free (comparing->asked);
  comparing->asked = NULL;
  if (status == TALLY_OK)
    status = offer_passed (comparing, err);
  if (passes)
    idset_free (&comparing->seen);
  if (status == TALLY_OK && !sync->looks)
    status = take_given (comparing, &given, err);
  buf_free (&fetch.from);
  buf_free (&given);
  return status;
}

/* ---- all of a part ------------------------------------------------------ */

/* Ours, but for those that were met there. */
static int
offer_others (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  struct compare *compare = &comparing->compare;
  struct rows_range range = compare->range;
  struct buf from = BUF_INIT, next = BUF_INIT;
  bool more = true;
  int status = TALLY_OK;

  while (more && status == TALLY_OK) {
    doclist_clear (&sync->changed);
    buf_clear (&next);
    status = rows_headers (&compare->rows, &range, ROWS_FETCH_MAX,
                           &sync->changed, &next, &more, err);
    leave_seen (comparing, &sync->changed);
    if (status == TALLY_OK)
      status = step_ours (comparing, true, err);
    buf_clear (&from);
    buf_add_slice (&from, buf_slice (&next));
    range.from = buf_slice (&from);
    if (from.failed)
      status = error_nomem (err);
  }
  buf_free (&from);
  buf_free (&next);
  return status;
}

int
comparing_move_whole (struct comparing *comparing, struct tally_error *err)
{
  struct sync *sync = comparing->sync;
  struct fetch fetch = { 0 };
  int status = sync->looks ? TALLY_OK : sync_begin (sync, err);

  make_fetch (comparing, &fetch.ask);
  fetch_queue (comparing, &fetch);
  if (!sync->looks)
    idset_free (&comparing->seen);
  if (status == TALLY_OK)
    status = take_theirs (comparing, &fetch, !sync->looks, err);
  peer_drop_hand (&sync->run->peer);
  if (status == TALLY_OK && comparing->compare.here > 0)
    status = offer_others (comparing, err);
  if (!sync->looks)
    idset_free (&comparing->seen);
  buf_free (&fetch.from);
  return status;
}
