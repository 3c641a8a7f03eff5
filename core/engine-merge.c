/* SPDX-License-Identifier: MIT */
/* Documents that both sides changed: fetch theirs by id, merge, store the
 * result on the revision that was merged here and push it on the one that was
 * merged there.  Whoever was edited meanwhile comes round again.  It never
 * waits for the change feed to show a document: that can deadlock. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-internal.h"
#include "error.h"
#include "journal.h"
#include "merge.h"

/* After so many rounds the next run goes on. */
#define ROUNDS_MAX 16

static const unsigned char absent_rev[TALLY_REV_SIZE];

/* Whose revision the result has. */
enum side {
  SIDE_NONE, /* there is no result: the document is gone on both */
  SIDE_OURS,
  SIDE_THEIRS,
  SIDE_BOTH, /* they became equal meanwhile */
  SIDE_NEW
};

/* One document that is being brought together. */
struct joined {
  struct tally_slice id;
  const struct tally_doc *ours;   /* NULL: not here */
  const struct tally_doc *theirs; /* NULL: not there */
  const struct tally_doc *result; /* ours, theirs, or made */
  enum side side;
  bool made;
  bool both;    /* neither side knew all of the other's */
  uint64_t seq; /* of the result, once it is here */
  bool again;

  /* Its losers in the joiner's journal, until they are told of. */
  size_t first_loser, losers;
};

struct joiner {
  struct sync *sync;
  struct doclist theirs, ours, made;
  struct journal journal;
  struct idlist fields; /* of the journal's entries, as raw keys */
  struct joined *joined;
  size_t n;
  struct idlist *again;
};

/* ---- merge -------------------------------------------------------------- */

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
  int status =
      journal_add (&joiner->journal, losing->joined->id, loser, losing->err);

  if (status == TALLY_OK && !idlist_add (&joiner->fields, loser->field))
    status = error_nomem (losing->err);
  losing->joined->losers++;
  return status;
}

static int
decode (const struct joiner *joiner, struct state *state,
        const struct tally_doc *doc, struct tally_error *err)
{
  int status = state_decode (state, doc->flags & TALLY_DOC_DELETED, doc->meta,
                             doc->body, err);

  if (status == TALLY_OK)
    return TALLY_OK;
  return error_set (err, status, "%s: document \"%.*s\": %s",
                    joiner->sync->run->replica->name, (int) doc->id.size,
                    doc->id.data, err->text);
}

static bool
same_rev (const struct tally_doc *doc, const struct tally_doc *other)
{
  return memcmp (doc->rev, other->rev, TALLY_REV_SIZE) == 0;
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
  if (same_rev (&doc, joined->theirs))
    joined->side = SIDE_THEIRS;
  if (same_rev (&doc, joined->ours))
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

static int
merge_one (struct joiner *joiner, struct joined *joined,
           struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  struct state ours = { 0 }, theirs = { 0 }, merged = { 0 };
  struct buf body = BUF_INIT;
  struct losing losing = { joiner, joined, err };
  struct merge_rules rules = { .loser = keep_loser, .ctx = &losing };
  int status;

  joined->first_loser = joiner->journal.entries.count;
  rules.strict = sync_strict (sync);
  /* Unchanged since the cursor of an unbroken pair: they have it all. */
  rules.a_known = !peer_is_passive (&sync->run->peer)
                  && joined->ours->seq <= sync->local_cursor;
  status = decode (joiner, &ours, joined->ours, err);
  if (status == TALLY_OK)
    status = decode (joiner, &theirs, joined->theirs, err);
  if (status == TALLY_OK)
    status = merge_states (&merged, &body, &ours, &theirs, &rules, err);
  if (status == TALLY_OK && !rules.a_known)
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

/* `made` moves as it grows: results in it are found when it is whole. */
static int
merge_all (struct joiner *joiner, struct tally_error *err)
{
  size_t at = 0;
  int status = TALLY_OK;

  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++) {
    struct joined *joined = &joiner->joined[i];

    if (!joined->ours || !joined->theirs) {
      joined->result = joined->ours ? joined->ours : joined->theirs;
      joined->side = joined->ours     ? SIDE_OURS
                     : joined->theirs ? SIDE_THEIRS
                                      : SIDE_NONE;
    } else
      status = merge_one (joiner, joined, err);
  }
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    if (joiner->joined[i].made)
      joiner->joined[i].result = &joiner->made.docs[at++];
  return status;
}

/* ---- store -------------------------------------------------------------- */

/* What lost is kept, and seen from here on, whatever becomes of the push. */
static int
tell_losers (struct joiner *joiner, struct joined *joined,
             struct tally_error *err)
{
  for (; joined->losers > 0; joined->losers--) {
    struct tally_slice field = joiner->fields.ids[joined->first_loser++];

    joiner->sync->report.conflicts++;
    if (!sync_conflict (joiner->sync, joined->id, field))
      return error_nomem (err);
  }
  return TALLY_OK;
}

static int
stored (struct joiner *joiner, struct joined *joined,
        const struct tally_outcome *outcome, struct tally_error *err)
{
  struct stamp newest;

  if (outcome->status != TALLY_OK) {
    joined->again = true;
    return TALLY_OK;
  }
  memcpy (newest.bytes, joined->result->rev, STAMP_SIZE);
  replica_seen (joiner->sync->run->replica, &newest);
  joined->seq = outcome->seq;
  return tell_losers (joiner, joined, err);
}

/* In a link that only pushes, nothing changes here. */
static bool
must_store (const struct joiner *joiner, const struct joined *joined)
{
  return joined->result && joined->result != joined->ours
         && joiner->sync->pulls;
}

static void
make_entry (const struct joiner *joiner, const struct joined *joined,
            struct tally_entry *entry)
{
  memset (entry, 0, sizeof *entry);
  entry->collection = joiner->sync->collection;
  entry->expected = joined->ours ? joined->ours->rev : absent_rev;
  entry->doc = *joined->result;
}

/* A merge that makes somebody lose is one put with its journal, all or
 * nothing.  A store without transactions gets the journal first: what is in
 * it twice is there once. */
static int
store_with_losers (struct joiner *joiner, struct joined *joined,
                   struct tally_error *err)
{
  struct replica *replica = joiner->sync->run->replica;
  size_t n = joined->losers;
  bool with_doc = must_store (joiner, joined);
  struct tally_entry *entries = calloc (n + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (n + 1, sizeof *outcomes);
  int status = entries && outcomes ? TALLY_OK : error_nomem (err);

  if (status == TALLY_OK) {
    journal_entries (&joiner->journal, joined->first_loser, n, entries);
    if (with_doc)
      make_entry (joiner, joined, &entries[n]);
    status = replica_put (replica, entries, n + with_doc,
                          replica_has_batches (replica) ? TALLY_PUT_ALL : 0,
                          outcomes, err);
  }
  if (status == TALLY_OK)
    status = with_doc ? stored (joiner, joined, &outcomes[n], err)
                      : tell_losers (joiner, joined, err);
  free (outcomes);
  free (entries);
  return status;
}

/* All others in one batch. */
static int
store_others (struct joiner *joiner, struct tally_error *err)
{
  struct tally_entry *entries = calloc (joiner->n + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (joiner->n + 1, sizeof *outcomes);
  struct joined **of = calloc (joiner->n + 1, sizeof *of);
  size_t n = 0;
  int status = TALLY_OK;

  if (!entries || !outcomes || !of)
    status = error_nomem (err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    if (joiner->joined[i].losers == 0
        && must_store (joiner, &joiner->joined[i])) {
      make_entry (joiner, &joiner->joined[i], &entries[n]);
      of[n++] = &joiner->joined[i];
    }
  if (status == TALLY_OK)
    status =
        replica_put (joiner->sync->run->replica, entries, n, 0, outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = stored (joiner, of[i], &outcomes[i], err);
  free (of);
  free (outcomes);
  free (entries);
  return status;
}

static int
store_results (struct joiner *joiner, struct tally_error *err)
{
  int status;

  for (size_t i = 0; i < joiner->n; i++)
    if (joiner->joined[i].ours)
      joiner->joined[i].seq = joiner->joined[i].ours->seq;
  status = store_others (joiner, err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    if (joiner->joined[i].losers > 0)
      status = store_with_losers (joiner, &joiner->joined[i], err);
  return status;
}

/* ---- push --------------------------------------------------------------- */

static bool
is_merged (const struct joined *joined)
{
  return joined->side == SIDE_NEW || joined->both;
}

/* Once both sides have it; has_moved false: they had it before. */
static int
joined_up (struct joiner *joiner, struct joined *joined, bool has_moved,
           struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  bool deleted = joined->result->flags & TALLY_DOC_DELETED;

  if (is_merged (joined))
    sync_count (sync, &sync->report.merged, false);
  else if (!has_moved || joined->side == SIDE_BOTH)
    sync->done++;
  else if (joined->side == SIDE_THEIRS)
    sync_count (sync, &sync->report.pulled, deleted);
  else
    sync_count (sync, &sync->report.pushed, deleted);
  if (joined->seq > 0 && !seqset_add (&sync->settled, joined->seq))
    return error_nomem (err);
  return TALLY_OK;
}

/* Where what is here now is not offered. */
static void
joined_here (struct joiner *joiner, struct joined *joined)
{
  if (is_merged (joined))
    sync_count (joiner->sync, &joiner->sync->report.merged, false);
}

/* A folder keeps what it was given, also beside what others put there. */
static bool
must_push (const struct joiner *joiner, const struct joined *joined)
{
  const struct sync *sync = joiner->sync;

  if ((joined->side != SIDE_OURS && joined->side != SIDE_NEW) || joined->again
      || !sync->pushes)
    return false;
  return joined->made || !peer_is_passive (&sync->run->peer)
         || joined->ours->seq > sync->local_cursor;
}

static int
pushed (struct joiner *joiner, struct joined *joined,
        const struct peer_outcome *outcome, struct tally_error *err)
{
  struct tally_error why;

  if (outcome->status == TALLY_OK)
    return joined_up (joiner, joined, outcome->has_rev, err);
  if (outcome->status == TALLY_CONFLICT) {
    joined->again = true;
    return TALLY_OK;
  }
  error_set (&why, outcome->status, "%s: refused document \"%.*s\"",
             joiner->sync->run->link->channel->name, (int) joined->id.size,
             joined->id.data);
  sync_set_aside (joiner->sync, joined->seq, &why);
  return TALLY_OK;
}

static int
push_results (struct joiner *joiner, struct tally_error *err)
{
  struct sync *sync = joiner->sync;
  struct tally_doc *docs = calloc (joiner->n + 1, sizeof *docs);
  struct tally_slice *bases = calloc (joiner->n + 1, sizeof *bases);
  struct peer_outcome *outcomes = calloc (joiner->n + 1, sizeof *outcomes);
  struct joined **of = calloc (joiner->n + 1, sizeof *of);
  size_t n = 0;
  int status = TALLY_OK;

  if (!docs || !bases || !outcomes || !of)
    status = error_nomem (err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++) {
    struct joined *joined = &joiner->joined[i];

    if (!must_push (joiner, joined))
      continue;
    docs[n] = *joined->result;
    if (joined->theirs)
      bases[n] = slice_make (joined->theirs->rev, TALLY_REV_SIZE);
    of[n++] = joined;
  }
  if (status == TALLY_OK && n > 0)
    status =
        peer_put (&sync->run->peer, sync->collection,
                  sync_strict (sync) ? WIRE_PUT_STRICT : 0, docs, bases, n,
                  sync->remote_done ? &sync->far_cursor : NULL, outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = pushed (joiner, of[i], &outcomes[i], err);
  free (of);
  free (outcomes);
  free (bases);
  free (docs);
  return status;
}

/* What needs no push is done once it is here. */
static int
finish_others (struct joiner *joiner, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++) {
    struct joined *joined = &joiner->joined[i];

    if (joined->again) {
      if (!idlist_add (joiner->again, joined->id))
        status = error_nomem (err);
      continue;
    }
    if (!joined->result || must_push (joiner, joined))
      continue;
    if (joined->side == SIDE_THEIRS || joined->side == SIDE_BOTH)
      status = joined_up (joiner, joined, joiner->sync->pulls, err);
    else
      joined_here (joiner, joined);
  }
  return status;
}

/* ---- rounds ------------------------------------------------------------- */

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
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    joiner->joined[i].id = ids[i];
    joiner->joined[i].ours = doclist_next_if (&joiner->ours, &at_ours, ids[i]);
    joiner->joined[i].theirs =
        doclist_next_if (&joiner->theirs, &at_theirs, ids[i]);
  }
  if (status == TALLY_OK)
    status = merge_all (joiner, err);
  if (status == TALLY_OK)
    status = store_results (joiner, err);
  if (status == TALLY_OK)
    status = push_results (joiner, err);
  if (status == TALLY_OK)
    status = finish_others (joiner, err);
  free (joiner->joined);
  joiner->joined = NULL;
  sync_progress (sync);
  return status;
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
                       both->count - at, &answered, &joiner->theirs,
                       &sync->bad, err);
    if (status == TALLY_OK)
      status = join_batch (joiner, both->ids + at, answered, err);
    at += answered;
  }
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
  sync_set_aside (sync, 1, &why);
}

int
merge_both (struct sync *sync, struct idlist *both, struct tally_error *err)
{
  struct idlist current = *both, next = { 0 };
  int status = TALLY_OK;

  memset (both, 0, sizeof *both);
  if (current.count > 0)
    status = run_rotate (sync->run, err);
  for (unsigned round = 0; current.count > 0 && status == TALLY_OK; round++) {
    struct joiner joiner = { .sync = sync, .again = &next };

    joiner.journal.replica = sync->run->replica;
    joiner.journal.link = sync->run->link->name;
    joiner.journal.collection = sync->collection;

    if (round == ROUNDS_MAX) {
      give_up (sync, &current);
      break;
    }
    status = join_all (&joiner, &current, err);
    doclist_free (&joiner.theirs);
    doclist_free (&joiner.ours);
    doclist_free (&joiner.made);
    journal_free (&joiner.journal);
    idlist_free (&joiner.fields);
    idlist_free (&current);
    current = next;
    memset (&next, 0, sizeof next);
  }
  idlist_free (&next);
  idlist_free (&current);
  return status;
}
