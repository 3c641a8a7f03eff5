/* SPDX-License-Identifier: MIT */
/* Sums first; then whatever the far side found to be the smallest. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "compare-internal.h"
#include "error.h"

/* So often a sketch that did not do is begun anew. */
#define RETRIES 2

int
compare_strange (const struct compare *compare, struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "%s: answered something else than was asked",
                    compare->peer->channel->name);
}

/* ---- asking ------------------------------------------------------------- */

struct question {
  unsigned char counters[SKETCH_PACKED_SIZE];
  struct wire_compare message;
};

static void
make_question (struct question *question, const char *collection,
               const unsigned char *nonce, const struct rows_sum *sum,
               unsigned flags)
{
  struct wire_compare *message = &question->message;

  memset (message, 0, sizeof *message);
  sketch_pack (question->counters, sum->counters);
  message->collection = slice_text (collection);
  message->flags = flags;
  message->nonce = slice_make (nonce, SKETCH_NONCE_SIZE);
  message->count = sum->count;
  message->root = slice_make (sum->root, ROWS_ROOT_SIZE);
  message->counters =
      slice_make (question->counters, sizeof question->counters);
}

int
compare_look_ahead (struct peer *peer, const char *collection,
                    const unsigned char *nonce, struct compare_ahead *ahead,
                    struct tally_error *err)
{
  struct rows rows;
  int status;

  memset (ahead, 0, sizeof *ahead);
  if (nonce)
    memcpy (ahead->nonce, nonce, sizeof ahead->nonce);
  else
    randombytes_buf (ahead->nonce, sizeof ahead->nonce);
  rows_init (&rows, peer->replica, collection, ahead->nonce);
  status = rows_digest (&rows, &ahead->sum, err);
  if (status == TALLY_OK && ahead->sum.count > 0
      && strlen (collection) < sizeof ahead->collection)
    memcpy (ahead->collection, collection, strlen (collection));
  return status;
}

static struct tally_slice
token_of (const struct compare_ahead *ahead)
{
  return slice_make (ahead->token, ahead->offers ? sizeof ahead->token : 0);
}

int
compare_foresee (struct peer *peer, const struct compare_ahead *ahead,
                 unsigned flags, struct tally_error *err)
{
  struct question question;

  make_question (&question, ahead->collection, ahead->nonce, &ahead->sum,
                 flags);
  question.message.token = token_of (ahead);
  return peer_foresee_compare (peer, &question.message) ? TALLY_OK
                                                        : error_nomem (err);
}

/* The question that rode along, if it is this one. */
static const struct compare_ahead *
find_ahead (const struct compare *compare)
{
  const struct compare_ahead *ahead = compare->ahead;

  return ahead && rows_is_all (&compare->range)
                 && !(compare->flags & WIRE_COMPARE_ANEW)
                 && strcmp (ahead->collection, compare->collection) == 0
             ? ahead
             : NULL;
}

static int
ask (struct compare *compare, const struct rows_sum *sum, size_t first,
     uint64_t seq, struct wire_message *reply, struct tally_error *err)
{
  const struct compare_ahead *ahead = find_ahead (compare);
  struct question question;

  make_question (&question, compare->collection, compare->rows.nonce, sum,
                 compare->flags);
  question.message.from = compare->range.from;
  question.message.to = compare->range.to;
  question.message.first = first;
  question.message.cells = first > 0 ? sketch_more_cells (first) : 0;
  question.message.seq = seq;
  if (ahead && first == 0)
    question.message.token = token_of (ahead);
  return peer_compare (compare->peer, &question.message, reply, err);
}

static int
sum_here (struct compare *compare, struct rows_sum *sum,
          struct tally_error *err)
{
  int status;

  if (rows_is_all (&compare->range) && !(compare->flags & WIRE_COMPARE_ANEW))
    status = rows_digest (&compare->rows, sum, err);
  else
    status = rows_scan (&compare->rows, &compare->range, sum, NULL, err);
  compare->seq_here = sum->seq;
  compare->here = sum->count;
  return status;
}

/* ---- cells -------------------------------------------------------------- */

/* The cells that came, less those of ours; *seq is what ours are of. */
static int
take_cells (struct compare *compare, const struct wire_compared *compared,
            struct sketch_peel *peel, enum sketch_verdict *verdict,
            uint64_t *seq, struct tally_error *err)
{
  size_t n = compared->data.size / SKETCH_CELL_SIZE;
  struct sketch sketch;
  int status;

  if (n == 0 || compared->data.size % SKETCH_CELL_SIZE != 0
      || n > SKETCH_CELLS_MAX - peel->all.n
      || (peel->all.n > 0 && n != sketch_more_cells (peel->all.n)))
    return compare_strange (compare, err);
  if (!sketch_init (&sketch, compare->rows.nonce, peel->all.n, n))
    return error_nomem (err);
  sketch_read (&sketch, (const unsigned char *) compared->data.data);
  status =
      rows_sketch (&compare->rows, &compare->range, &sketch, true, seq, err);
  if (status == TALLY_OK)
    *verdict = sketch_peel (peel, &sketch);
  if (status == TALLY_OK && *verdict == SKETCH_NOMEM)
    status = error_nomem (err);
  sketch_free (&sketch);
  return status;
}

/* An estimate is never so far off that more than this many were needed: the
 * far side gives something else, or one of the two is at fault. */
static size_t
most_cells (size_t first)
{
  size_t most = 4 * first + 256;

  return most < SKETCH_CELLS_MAX ? most : SKETCH_CELLS_MAX;
}

/* Asks for more cells until they do; COMPARE_LOST: they never will. */
static int
peel_cells (struct compare *compare, const struct rows_sum *sum,
            struct wire_message *reply, struct tally_error *err)
{
  struct sketch_peel peel = { 0 };
  enum sketch_verdict verdict = SKETCH_MORE;
  uint64_t seq_there = reply->as.compared.seq, seq_here = 0, seq;
  size_t most = 0;
  int status = TALLY_OK;

  compare->kind = COMPARE_LOST;
  while (status == TALLY_OK && verdict == SKETCH_MORE
         && reply->as.compared.kind == WIRE_CELLS) {
    size_t had = peel.all.n;

    if (had == 0)
      most = most_cells (reply->as.compared.data.size / SKETCH_CELL_SIZE);
    status =
        take_cells (compare, &reply->as.compared, &peel, &verdict, &seq, err);
    wire_message_free (reply);
    if (had > 0 && seq != seq_here)
      break;
    seq_here = seq;
    if (status == TALLY_OK && verdict == SKETCH_MORE && peel.all.n < most)
      status = ask (compare, sum, peel.all.n, seq_there, reply, err);
  }
  if (status == TALLY_OK && verdict == SKETCH_DONE)
    status = compare_take_found (compare, peel.found, peel.n_found, err);
  sketch_peel_free (&peel);
  return status;
}

/* ---- splits ------------------------------------------------------------- */

/* They rise, and lie in the range. */
static int
take_splits (struct compare *compare, const struct wire_compared *compared,
             struct tally_error *err)
{
  struct tally_slice last = compare->range.from;

  compare->newest = compared->kind == WIRE_NEWEST;
  if (compare->newest
      && (!rows_is_all (&compare->range) || compared->n_splits != 1))
    return compare_strange (compare, err);
  doclist_clear (&compare->splits);
  for (size_t i = 0; i < compared->n_splits; i++) {
    struct tally_slice end = compared->splits[i];
    struct tally_doc row = { 0 };

    if (slice_cmp (end, last) <= 0
        || (compare->range.to.size > 0
            && slice_cmp (end, compare->range.to) >= 0))
      return compare_strange (compare, err);
    last = end;
    memcpy (row.rev, end.data, TALLY_STAMP_SIZE);
    row.id =
        slice_make (end.data + TALLY_STAMP_SIZE, end.size - TALLY_STAMP_SIZE);
    doclist_add (&compare->splits, &row);
  }
  compare->kind = COMPARE_SPLIT;
  return compare->splits.failed ? error_nomem (err) : TALLY_OK;
}

static int
by_position (const void *a, const void *b)
{
  const struct tally_doc *left = a, *right = b;
  int order = memcmp (left->rev, right->rev, TALLY_STAMP_SIZE);

  return order ? order : slice_cmp (left->id, right->id);
}

/* What was written here of late may be newer than all that is there: then it
 * is on its own, too. */
static int
halve_newest (struct compare *compare, struct doclist *ours,
              struct tally_error *err)
{
  struct rows_range newest = { { NULL, 0 }, { NULL, 0 } };
  struct buf from = BUF_INIT;
  struct rows_sum sum;
  int status;

  rows_end (&from, &compare->splits.docs[0]);
  newest.from = buf_slice (&from);
  status = from.failed ? error_nomem (err)
                       : rows_scan (&compare->rows, &newest, &sum, NULL, err);
  if (status == TALLY_OK && sum.count > 1)
    status = rows_nth (&compare->rows, &newest, sum.count / 2, ours, err);
  buf_free (&from);
  return status;
}

static int
find_windows (struct compare *compare, struct doclist *ours,
              struct tally_error *err)
{
  struct rows_sum ignored;

  return rows_scan (&compare->rows, &compare->range, &ignored, ours, err);
}

int
compare_split_here (struct compare *compare, struct tally_error *err)
{
  struct doclist ours = DOCLIST_INIT;
  int status = compare->newest ? halve_newest (compare, &ours, err)
                               : find_windows (compare, &ours, err);

  for (size_t i = 0; i < ours.count && status == TALLY_OK; i++)
    doclist_add (&compare->splits, &ours.docs[i]);
  if (status == TALLY_OK && compare->splits.failed)
    status = error_nomem (err);
  if (compare->splits.count > 0)
    qsort (compare->splits.docs, compare->splits.count,
           sizeof *compare->splits.docs, by_position);
  doclist_free (&ours);
  return status;
}

/* ---- a range ------------------------------------------------------------ */

/* What they took is told. */
static int
take_token (struct compare *compare, struct tally_slice token,
            struct tally_error *err)
{
  const struct compare_ahead *ahead = find_ahead (compare);

  if (token.size == 0)
    return TALLY_OK;
  compare->taken =
      ahead && ahead->offers && slice_equal (token, token_of (ahead));
  return compare->taken ? TALLY_OK : compare_strange (compare, err);
}

static int
take_reply (struct compare *compare, const struct rows_sum *sum,
            struct wire_message *reply, struct tally_error *err)
{
  const struct wire_compared *compared = &reply->as.compared;

  compare->there = compared->count;
  compare->seq_there = compared->seq;
  compare->floor_there = compared->floor;
  switch (compared->kind) {
  case WIRE_SAME:
    compare->kind = COMPARE_SAME;
    return take_token (compare, compared->data, err);
  case WIRE_CELLS:
    return peel_cells (compare, sum, reply, err);
  case WIRE_LIST:
    if (compare->skips_empty && compared->data.size == 0) {
      compare->kind = COMPARE_WHOLE;
      return TALLY_OK;
    }
    return compare_take_list (compare, reply, err);
  case WIRE_SPLIT:
  case WIRE_NEWEST:
    return take_splits (compare, compared, err);
  case WIRE_WHOLE:
    compare->kind = COMPARE_WHOLE;
    return TALLY_OK;
  default:
    compare->kind = COMPARE_LOST;
    return TALLY_OK;
  }
}

int
compare_range (struct compare *compare, const struct rows_range *range,
               struct tally_error *err)
{
  unsigned char nonce[SKETCH_NONCE_SIZE];
  struct wire_message reply = { 0 };
  const struct compare_ahead *ahead;
  struct rows_sum sum;
  int status = TALLY_OK;

  compare->range = *range;
  compare->taken = false;
  ahead = find_ahead (compare);
  compare->kind = COMPARE_LOST;
  for (unsigned i = 0;
       i <= RETRIES && compare->kind == COMPARE_LOST && status == TALLY_OK;
       i++) {
    if (i == 0 && (ahead || compare->nonce))
      memcpy (nonce, ahead ? ahead->nonce : compare->nonce, sizeof nonce);
    else
      randombytes_buf (nonce, sizeof nonce);
    rows_init (&compare->rows, compare->replica, compare->collection, nonce);
    if (i == 0 && ahead) {
      sum = ahead->sum;
      compare->here = sum.count;
      compare->seq_here = sum.seq;
    } else
      status = sum_here (compare, &sum, err);
    if (status == TALLY_OK)
      status = ask (compare, &sum, 0, 0, &reply, err);
    if (status == TALLY_OK) {
      status = take_reply (compare, &sum, &reply, err);
      wire_message_free (&reply);
    }
  }
  return status;
}

/* ---- what is only here -------------------------------------------------- */

int
compare_ours (struct compare *compare, size_t *at, size_t most,
              struct doclist *out, struct tally_error *err)
{
  const struct compare_set *ours = &compare->ours;
  size_t first = *at, n = ours->n - first < most ? ours->n - first : most;

  doclist_clear (out);
  *at += n;
  return rows_find (&compare->rows, ours->places + first * ROWS_PLACE_SIZE, n,
                    out, err);
}
