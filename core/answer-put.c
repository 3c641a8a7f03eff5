/* SPDX-License-Identifier: MIT */
/* Takes documents that are pushed, as far as answer-judge.c lets it.  The
 * others are refused with the stored revision and nothing is lost: the pusher
 * fetches, merges and comes again. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "answer-internal.h"
#include "answer-judge.h"
#include "doclist.h"
#include "error.h"
#include "hooks.h"
#include "idmap.h"
#include "peer.h"
#include "seqset.h"
#include "state.h"

/* Rounds against other writers before the pusher hears of them. */
#define ROUNDS_MAX 16

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct verdict {
  int status;
  bool has_rev;
  unsigned char rev[TALLY_REV_SIZE];
};

struct taker {
  struct asked *asked;
  const struct wire_put *put;
  const char *collection;
  struct verdict *verdicts; /* of each document */
  uint64_t cursor;          /* the pusher's, moved on */
  uint64_t *seqs;           /* of what was written; 0: not */
  uint64_t wall_ms, limit_ms;
  uint64_t floor; /* 0: nothing was forgotten here */

  size_t *todo;
  size_t n_todo;
  struct doclist found;
  struct tally_entry *entries;
  struct tally_outcome *outcomes;
  unsigned char (*expected)[TALLY_REV_SIZE];
};

static void
settle (struct taker *taker, size_t i, int status, const unsigned char *rev)
{
  struct verdict *verdict = &taker->verdicts[i];

  verdict->status = status;
  verdict->has_rev = rev != NULL;
  if (rev)
    memcpy (verdict->rev, rev, TALLY_REV_SIZE);
}

/* ---- rounds ------------------------------------------------------------- */

/* What was written once and knows of nothing else is new here, mostly: it is
 * put as such, without a look, and the store says if it is not. */
static bool
seems_new (const struct taker *taker, const struct tally_doc *doc)
{
  struct stamp newest;

  memcpy (newest.bytes, doc->rev, STAMP_SIZE);
  return taker->floor == 0 && !(doc->flags & TALLY_DOC_DELETED)
         && state_is_plain (doc->meta, doc->rev)
         && stamp_ms (&newest) <= taker->limit_ms;
}

static int
find_stored (struct taker *taker, bool first, struct tally_error *err)
{
  struct tally_slice *ids = calloc (taker->n_todo + 1, sizeof *ids);
  size_t n = 0;
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t k = 0; k < taker->n_todo; k++) {
    const struct tally_doc *doc = &taker->put->docs[taker->todo[k]];

    if (!first || !seems_new (taker, doc))
      ids[n++] = doc->id;
  }
  doclist_clear (&taker->found);
  status = replica_get (taker->asked->replica, taker->collection, ids, n,
                        TALLY_GET_META, doclist_emit, &taker->found, err);
  if (status == TALLY_OK && taker->found.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && taker->floor > 0)
    status = graves_fill (&taker->found, taker->asked->replica,
                          taker->collection, ids, n, TALLY_GET_META, err);
  free (ids);
  return status;
}

static int
write_round (struct taker *taker, size_t n, struct tally_error *err)
{
  static const struct origin origin = { TALLY_ORIGIN_SYNC, NULL };
  struct replica *replica = taker->asked->replica;
  int status = n > 0 ? replica_mark (replica, taker->wall_ms, err) : TALLY_OK;
  struct stamp newest = { { 0 } };

  if (status == TALLY_OK)
    status = replica_put_by (replica, &origin, taker->entries, n, 0,
                             taker->outcomes, err);
  taker->n_todo = 0;
  for (size_t k = 0; k < n && status == TALLY_OK; k++) {
    size_t i = taker->todo[k];

    if (taker->outcomes[k].status == TALLY_OK) {
      stamp_raise (&newest, taker->put->docs[i].rev, taker->limit_ms);
      taker->seqs[i] = taker->outcomes[k].seq;
      settle (taker, i, TALLY_OK, taker->put->docs[i].rev);
    } else
      taker->todo[taker->n_todo++] = i;
  }
  replica_seen (replica, &newest);
  return status;
}

/* Puts the document on this round's batch, or settles it. */
static int
judge (struct taker *taker, size_t i, const struct tally_doc *stored,
       size_t *n, struct tally_error *err)
{
  const struct push push = { &taker->put->docs[i], taker->put->bases[i],
                             taker->put->flags & WIRE_PUT_STRICT,
                             taker->limit_ms };
  struct tally_entry *entry = &taker->entries[*n];
  bool here = stored && !is_grave (stored);
  enum push_verdict verdict;
  int status =
      push_judge (taker->asked->replica, &push, stored, &verdict, err);

  if (status != TALLY_OK)
    return status;
  switch (verdict) {
  case PUSH_KNOWN:
    settle (taker, i, TALLY_OK, NULL);
    break;
  case PUSH_REFUSE:
    settle (taker, i, TALLY_CONFLICT, stored->rev);
    break;
  case PUSH_AHEAD:
    settle (taker, i, TALLY_AGAIN, NULL);
    break;
  case PUSH_TAKE:
    memcpy (taker->expected[*n], here ? stored->rev : absent_rev,
            TALLY_REV_SIZE);
    memset (entry, 0, sizeof *entry);
    entry->collection = taker->collection;
    entry->expected = taker->expected[*n];
    entry->doc = *push.doc;
    taker->todo[(*n)++] = i;
    break;
  }
  return TALLY_OK;
}

static int
run_rounds (struct taker *taker, struct tally_error *err)
{
  for (unsigned round = 0; taker->n_todo > 0; round++) {
    size_t at = 0, n = 0, count = taker->n_todo;
    int status = find_stored (taker, round == 0, err);

    for (size_t k = 0; k < count && status == TALLY_OK; k++) {
      size_t i = taker->todo[k];
      const struct tally_doc *stored =
          doclist_next_if (&taker->found, &at, taker->put->docs[i].id);

      if (round == ROUNDS_MAX)
        settle (taker, i, TALLY_CONFLICT, stored ? stored->rev : absent_rev);
      else
        status = judge (taker, i, stored, &n, err);
    }
    if (status == TALLY_OK)
      status = write_round (taker, n, err);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

/* ---- the client's cursor ------------------------------------------------ */

struct advance {
  const uint64_t *seqs; /* sorted */
  size_t n;
  uint64_t last;
  bool foreign;
};

static int
advance_over (void *ctx, const struct tally_doc *doc)
{
  struct advance *advance = ctx;

  advance->foreign = !bsearch (&doc->seq, advance->seqs, advance->n,
                               sizeof doc->seq, seq_order);
  if (!advance->foreign)
    advance->last = doc->seq;
  return advance->foreign;
}

/* Numbers are never given twice: without a gap behind the cursor they leave no
 * room for anybody else. */
static bool
follow_cursor (const struct taker *taker)
{
  uint64_t expected = taker->put->cursor;

  for (size_t i = 0; i < taker->put->n; i++)
    if (taker->seqs[i] > 0 && taker->seqs[i] != ++expected)
      return false;
  return expected > taker->put->cursor;
}

/* The pusher need not hear of its own documents again: its cursor moves over
 * them as long as nobody else's come between. */
static int
advance_cursor (struct taker *taker, struct tally_error *err)
{
  struct advance advance = { taker->seqs, taker->put->n, taker->put->cursor,
                             false };
  uint64_t head;
  int status;

  taker->cursor = taker->put->cursor;
  if (!(taker->put->flags & WIRE_PUT_CURSOR))
    return TALLY_OK;
  qsort (taker->seqs, taker->put->n, sizeof *taker->seqs, seq_order);
  if (follow_cursor (taker)) {
    taker->cursor = taker->seqs[taker->put->n - 1];
    return TALLY_OK;
  }
  status =
      replica_changes (taker->asked->replica, taker->collection,
                       taker->put->cursor, advance_over, &advance, &head, err);
  if (status == TALLY_OK)
    taker->cursor = advance.foreign ? advance.last : head;
  return status;
}

/* ---- put ---------------------------------------------------------------- */

static bool
taker_init (struct taker *taker, size_t n)
{
  n++;
  taker->verdicts = calloc (n, sizeof *taker->verdicts);
  taker->seqs = calloc (n, sizeof *taker->seqs);
  taker->todo = calloc (n, sizeof *taker->todo);
  taker->entries = calloc (n, sizeof *taker->entries);
  taker->outcomes = calloc (n, sizeof *taker->outcomes);
  taker->expected = calloc (n, sizeof *taker->expected);
  return taker->verdicts && taker->seqs && taker->todo && taker->entries
         && taker->outcomes && taker->expected;
}

static void
taker_free (struct taker *taker)
{
  doclist_free (&taker->found);
  free (taker->expected);
  free (taker->outcomes);
  free (taker->entries);
  free (taker->todo);
  free (taker->seqs);
  free (taker->verdicts);
}

/* In the order of their ids, as they come from us, none is there twice. */
static bool
ids_rise (const struct wire_put *put)
{
  for (size_t i = 1; i < put->n; i++)
    if (slice_cmp (put->docs[i - 1].id, put->docs[i].id) >= 0)
      return false;
  return true;
}

static int
check_ids (const struct wire_put *put, struct tally_error *err)
{
  struct idmap ids = IDMAP_INIT;
  int status = TALLY_OK;

  for (size_t i = 0; i < put->n && status == TALLY_OK; i++) {
    size_t first;

    if (!idmap_add (&ids, put->docs[i].id, i, &first))
      status = error_nomem (err);
    else if (first != i)
      status = error_set (err, TALLY_INVALID,
                          "a document was pushed twice "
                          "at once");
  }
  idmap_free (&ids);
  return status;
}

/* Sets aside what breaks a rule: it does not keep the others back. */
static int
check_docs (struct taker *taker, struct tally_error *err)
{
  size_t n = taker->put->n;
  int status = ids_rise (taker->put) ? TALLY_OK : check_ids (taker->put, err);
  int *statuses = calloc (n + 1, sizeof *statuses);

  if (status == TALLY_OK && !statuses)
    status = error_nomem (err);
  if (status == TALLY_OK)
    peer_check_docs (taker->put->docs, n, statuses);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    if (statuses[i] == TALLY_OK)
      taker->todo[taker->n_todo++] = i;
    else
      settle (taker, i, statuses[i], NULL);
  free (statuses);
  return status;
}

static int
check_registered (struct asked *asked, struct tally_error *err)
{
  struct pair pair;
  int status =
      pair_load (&pair, asked->replica, PAIR_SERVER, asked->sender, err);

  if (status == TALLY_OK && !pair.exists)
    status = error_set (err, TALLY_AGAIN, "no hello came before");
  pair_free (&pair);
  return status;
}

/* Only what was not stored as it came is worth a word. */
static int
tell (struct taker *taker, struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_STORED };
  struct wire_stored *stored = &reply.as.stored;

  stored->others = calloc (taker->put->n + 1, sizeof *stored->others);
  if (!stored->others)
    return error_nomem (err);
  stored->cursor = taker->cursor;
  stored->n = taker->put->n;
  for (size_t i = 0; i < taker->put->n; i++) {
    const struct verdict *verdict = &taker->verdicts[i];
    struct wire_other *other = &stored->others[stored->n_others];

    if (verdict->status == TALLY_OK && verdict->has_rev)
      continue;
    other->index = i;
    other->status = verdict->status;
    other->rev =
        slice_make (verdict->rev, verdict->has_rev ? TALLY_REV_SIZE : 0);
    stored->n_others++;
  }
  wire_encode (taker->asked->reply, &reply);
  free (stored->others);
  return TALLY_OK;
}

int
answer_put (struct asked *asked, const struct wire_put *put,
            struct tally_error *err)
{
  struct taker taker = { .asked = asked, .put = put };
  char collection[COLLECTION_TEXT_MAX];
  int status = asked_collection (asked, put->collection, collection, err);

  if (status == TALLY_OK)
    status = check_registered (asked, err);
  if (status != TALLY_OK)
    return status;
  taker.collection = collection;
  taker.wall_ms = replica_wall_ms (asked->replica);
  taker.limit_ms = taker.wall_ms + asked->replica->max_skew_ms;
  if (!taker_init (&taker, put->n))
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = check_docs (&taker, err);
  if (status == TALLY_OK)
    status = forget_floor (asked->replica, collection, &taker.floor, err);
  if (status == TALLY_OK)
    status = run_rounds (&taker, err);
  if (status == TALLY_OK)
    status = advance_cursor (&taker, err);
  if (status == TALLY_OK)
    status = tell (&taker, err);
  taker_free (&taker);
  return status;
}
