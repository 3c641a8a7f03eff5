/* SPDX-License-Identifier: MIT */
/* A batch in rounds: read what is stored, decide, put all of it on what was
 * read; whoever was faster makes another round. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "edit.h"
#include "error.h"
#include "hooks.h"
#include "journal.h"
#include "intake-internal.h"
#include "mtime.h"

#define ROUNDS_MAX 64
/* After so many, documents are put one by one, so that a crowd of writers
 * does not keep all of a batch from being written. */
#define ROUNDS_TOGETHER 4

static const unsigned char absent_rev[TALLY_REV_SIZE];

/* What becomes of one document in a round. */
struct fate {
  bool writes, raises;
  struct tally_entry write, raise;
  struct buf merged, meta;    /* of write */
  struct mtime_record record; /* of raise */
  size_t first_loser, losers;
};

struct round {
  struct intake *intake;
  struct dated *docs; /* the documents of this round */
  size_t n;
  struct mtimes mtimes;
  struct doclist stored;
  struct journal journal;
  struct fate *fates;
};

/* ---- one document ------------------------------------------------------- */

struct losing {
  struct round *round;
  struct fate *fate;
  struct tally_slice id;
  struct tally_error *err;
};

static int
keep_loser (void *ctx, const struct loser *loser)
{
  struct losing *losing = ctx;

  losing->fate->losers++;
  return journal_add (&losing->round->journal, losing->id, loser, losing->err);
}

/* What came, as a state: a whole write that has seen nothing. */
static int
make_incoming (const struct intake *intake, const struct dated *doc,
               struct state *out, struct tally_error *err)
{
  memset (out, 0, sizeof *out);
  if (!stamp_make (&out->whole, doc->mtime, 0, intake->client))
    return error_set (err, TALLY_FAILED, "the clock is at its end");
  out->deleted = doc->kind == DATED_ECHO
                 || (intake->mirrors && doc->kind == DATED_REMOVED);
  if (!out->deleted)
    out->body = buf_slice (&doc->body);
  return TALLY_OK;
}

/* All that came lost, to what is stored. */
static int
lose (struct losing *losing, const struct state *incoming,
      const struct state *old)
{
  struct loser loser = { .field = slice_make ("", 0) };

  loser.lost = incoming->deleted ? slice_make (NULL, 0) : incoming->body;
  loser.lost_stamp = incoming->whole;
  loser.won = old->deleted ? slice_make (NULL, 0) : old->body;
  loser.won_stamp = state_newest (old);
  return keep_loser (losing, &loser);
}

static int
raise (struct round *round, struct fate *fate, struct tally_slice id,
       uint64_t ms, const struct tally_doc *record, struct tally_error *err)
{
  fate->raises = true;
  return mtime_raise (&fate->record, &fate->raise, round->intake->collection,
                      id, ms, record, err);
}

static int
write_state (struct losing *losing, const struct state *state)
{
  struct fate *fate = losing->fate;
  struct tally_doc *doc = &fate->write.doc;

  state_encode (state, &fate->meta);
  if (fate->meta.failed)
    return error_nomem (losing->err);
  doc->flags = state->deleted ? TALLY_DOC_DELETED : 0;
  doc->meta = buf_slice (&fate->meta);
  doc->body = state->body;
  state_rev (state, losing->id, doc->rev);
  fate->writes = true;
  return TALLY_OK;
}

/* Over what is stored. */
static int
write_over (struct losing *losing, const struct state *incoming,
            const struct state *old)
{
  struct intake *intake = losing->round->intake;
  /* All of them write under one client id, and none knows of another. */
  struct strict strict = { &intake->client, 1 };
  struct merge_rules rules = { .strict = &strict,
                               .loser = keep_loser,
                               .ctx = losing };
  struct state new = { 0 };
  bool changed = true;
  int status;

  if (!intake->mirrors)
    status = merge_states (&new, &losing->fate->merged, old, incoming, &rules,
                           losing->err);
  else if (incoming->deleted)
    status = edit_delete (&new, old, &incoming->whole, losing->err);
  else
    status = edit_put (&new, &changed, old, incoming->body, false,
                       &incoming->whole, losing->err);
  if (status == TALLY_OK && changed)
    status = write_state (losing, &new);
  state_free (&new);
  return status;
}

static bool
is_same (const struct state *incoming, const struct state *old)
{
  if (incoming->deleted || old->deleted)
    return incoming->deleted && old->deleted;
  return dated_equal (incoming->body, old->body);
}

/* What is as it was is not written again, whatever its time: it is only shown
 * with the later one. */
static int
decide_over (struct losing *losing, const struct dated *doc,
             const struct state *incoming, const struct state *old,
             const struct tally_doc *stored, const struct tally_doc *record)
{
  struct round *round = losing->round;
  uint64_t shown = mtime_shown (stored, record);

  if (is_same (incoming, old))
    return doc->mtime > shown ? raise (round, losing->fate, losing->id,
                                       doc->mtime, record, losing->err)
                              : TALLY_OK;
  if (doc->mtime > shown)
    return write_over (losing, incoming, old);
  if (round->intake->mirrors)
    return TALLY_OK;
  /* Of two with one time both clients must end with the same. */
  if (doc->mtime == shown) {
    int status = raise (round, losing->fate, losing->id, shown + 1, record,
                        losing->err);

    if (status != TALLY_OK)
      return status;
  }
  return lose (losing, incoming, old);
}

/* One beyond our clock, which must have been wrong, says nothing of what
 * comes; but to whoever else has it what came under this client earlier than
 * what it deleted would pass for known. */
static bool
says_nothing (const struct intake *intake, const struct tally_doc *grave,
              const struct state *dead, const struct state *incoming)
{
  struct stamp newest;

  memcpy (newest.bytes, grave->rev, STAMP_SIZE);
  return stamp_ms (&newest)
             > replica_wall_ms (intake->replica) + intake->replica->max_skew_ms
         && !state_knows (dead, &incoming->whole, NULL);
}

static int
decide (struct round *round, size_t i, const struct tally_doc *stored,
        const struct tally_doc *record, struct tally_error *err)
{
  const struct dated *doc = &round->docs[i];
  struct fate *fate = &round->fates[i];
  struct losing losing = { round, fate, buf_slice (&doc->id), err };
  struct state incoming, old = { 0 };
  int status = make_incoming (round->intake, doc, &incoming, err);

  fate->first_loser = round->journal.entries.count;
  fate->write.collection = round->intake->collection;
  fate->write.expected =
      stored && !is_grave (stored) ? stored->rev : absent_rev;
  fate->write.doc.id = losing.id;
  if (status != TALLY_OK || !stored)
    return status == TALLY_OK ? write_state (&losing, &incoming) : status;
  status = state_decode (&old, stored->flags & TALLY_DOC_DELETED, stored->meta,
                         stored->body, err);
  if (status == TALLY_OK && is_grave (stored)
      && says_nothing (round->intake, stored, &old, &incoming))
    status = write_state (&losing, &incoming);
  else if (status == TALLY_OK)
    status = decide_over (&losing, doc, &incoming, &old, stored, record);
  state_free (&old);
  return status;
}

/* ---- a round ------------------------------------------------------------ */

static int
read_stored (struct round *round, struct tally_error *err)
{
  struct intake *intake = round->intake;
  struct tally_slice *ids = calloc (round->n, sizeof *ids);
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < round->n; i++)
    ids[i] = buf_slice (&round->docs[i].id);
  status = mtime_read (&round->mtimes, intake->replica, intake->collection,
                       ids, round->n, err);
  if (status == TALLY_OK)
    status = replica_get (intake->replica, intake->collection, ids, round->n,
                          TALLY_GET_BODY, doclist_emit, &round->stored, err);
  if (status == TALLY_OK && round->stored.failed)
    status = error_nomem (err);
  /* A time before a delete is no later for that being forgotten. */
  if (status == TALLY_OK)
    status =
        graves_fill_all (&round->stored, intake->replica, intake->collection,
                         ids, round->n, TALLY_GET_BODY, err);
  free (ids);
  return status;
}

static int
decide_all (struct round *round, struct tally_error *err)
{
  size_t at = 0;
  int status = read_stored (round, err);

  for (size_t i = 0; i < round->n && status == TALLY_OK; i++) {
    struct tally_slice id = buf_slice (&round->docs[i].id);

    status = decide (round, i, doclist_next_if (&round->stored, &at, id),
                     mtime_find (&round->mtimes, id), err);
  }
  return status;
}

/* The journal first, for a driver that takes one entry after the other. */
static size_t
make_entries (const struct round *round, struct tally_entry *out)
{
  size_t n = round->journal.entries.count;

  journal_entries (&round->journal, 0, n, out);
  for (size_t i = 0; i < round->n; i++)
    if (round->fates[i].raises)
      out[n++] = round->fates[i].raise;
  for (size_t i = 0; i < round->n; i++)
    if (round->fates[i].writes)
      out[n++] = round->fates[i].write;
  return n;
}

/* *again: somebody was faster. */
static int
put_all (struct round *round, bool *again, struct tally_error *err)
{
  static const struct origin origin = { TALLY_ORIGIN_SYNC, NULL };
  struct replica *replica = round->intake->replica;
  size_t most = round->journal.entries.count + 2 * round->n;
  struct tally_entry *entries = calloc (most, sizeof *entries);
  struct tally_outcome *outcomes = calloc (most, sizeof *outcomes);
  size_t n = 0;
  int status = entries && outcomes ? TALLY_OK : error_nomem (err);

  *again = false;
  if (status == TALLY_OK)
    n = make_entries (round, entries);
  if (n > 0)
    status = replica_mark (replica, replica_wall_ms (replica), err);
  if (status == TALLY_OK && n > 0)
    status = replica_put_by (replica, &origin, entries, n,
                             replica_has_batches (replica) ? TALLY_PUT_ALL : 0,
                             outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    *again |= outcomes[i].status != TALLY_OK;
  for (size_t i = 0; i < round->n && status == TALLY_OK && !*again; i++)
    if (round->fates[i].writes) {
      struct stamp stamp;

      memcpy (stamp.bytes, round->fates[i].write.doc.rev, STAMP_SIZE);
      replica_seen (replica, &stamp);
    }
  free (outcomes);
  free (entries);
  return status;
}

static void
round_free (struct round *round)
{
  for (size_t i = 0; round->fates && i < round->n; i++) {
    buf_free (&round->fates[i].merged);
    buf_free (&round->fates[i].meta);
    mtime_record_free (&round->fates[i].record);
  }
  free (round->fates);
  journal_free (&round->journal);
  doclist_free (&round->stored);
  mtimes_free (&round->mtimes);
}

static int
take_round (struct intake *intake, size_t from, size_t n, bool *again,
            struct tally_error *err)
{
  struct round round = { .intake = intake,
                         .docs = intake->batch + from,
                         .n = n };
  int status = TALLY_OK;

  round.journal.replica = intake->replica;
  round.journal.collection = intake->collection;
  round.journal.blind = true;
  round.fates = calloc (n, sizeof *round.fates);
  if (!round.fates)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = decide_all (&round, err);
  if (status == TALLY_OK)
    status = put_all (&round, again, err);
  if (status == TALLY_OK && !*again) {
    intake->taken += n;
    intake->journaled += round.journal.entries.count;
  }
  round_free (&round);
  return status;
}

int
intake_batch (struct intake *intake, struct tally_error *err)
{
  size_t at = 0;

  for (unsigned round = 0; at < intake->n; round++) {
    size_t n = round < ROUNDS_TOGETHER ? intake->n - at : 1;
    bool again = false;
    int status = take_round (intake, at, n, &again, err);

    if (status != TALLY_OK)
      return status;
    if (!again) {
      at += n;
      round = round < ROUNDS_TOGETHER ? round : ROUNDS_TOGETHER;
    } else if (round == ROUNDS_MAX)
      return error_set (err, TALLY_AGAIN, "%s: too many writers at once",
                        intake->replica->name);
  }
  return TALLY_OK;
}
