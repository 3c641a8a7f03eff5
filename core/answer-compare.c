/* SPDX-License-Identifier: MIT */
/* Answers compare: what differs between the rows here and those of who asks.
 * It reads rows as often as it is asked to, and keeps nothing. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "answer-internal.h"
#include "error.h"
#include "forget.h"
#include "rows.h"

/* A document is taken for so many bytes, to tell whether listing pays; one
 * that is fetched in vain for so many. */
#define DOC_BYTES 300
#ifndef COMPARE_VAIN_BYTES
#define COMPARE_VAIN_BYTES DOC_BYTES
#endif

struct comparing {
  struct asked *asked;
  const struct wire_compare *compare;
  struct rows rows;
  struct rows_range range;
  struct rows_sum sum;
  struct doclist splits;
  struct buf data, ends;
  struct wire_compared reply;
};

static int
read_sum (struct comparing *comparing, struct tally_error *err)
{
  if (rows_is_all (&comparing->range)
      && !(comparing->compare->flags & WIRE_COMPARE_ANEW))
    return rows_digest (&comparing->rows, &comparing->sum, err);
  return rows_scan (&comparing->rows, &comparing->range, &comparing->sum,
                    &comparing->splits, err);
}

static int
give_cells (struct comparing *comparing, size_t first, size_t n,
            struct tally_error *err)
{
  struct wire_compared *reply = &comparing->reply;
  struct sketch sketch;
  uint64_t seq;
  int status;

  if (!sketch_init (&sketch, comparing->rows.nonce, first, n))
    return error_nomem (err);
  status = rows_sketch (&comparing->rows, &comparing->range, &sketch, false,
                        &seq, err);
  if (status == TALLY_OK
      && !buf_reserve (&comparing->data, n * SKETCH_CELL_SIZE))
    status = error_nomem (err);
  if (status == TALLY_OK) {
    sketch_write (&sketch, (unsigned char *) comparing->data.data);
    comparing->data.size = n * SKETCH_CELL_SIZE;
    reply->kind = WIRE_CELLS;
    reply->seq = seq;
  }
  sketch_free (&sketch);
  return status;
}

/* More of a sketch that was begun, if it still is of the same rows. */
static int
go_on (struct comparing *comparing, struct tally_error *err)
{
  const struct wire_compare *compare = comparing->compare;
  int status = give_cells (comparing, (size_t) compare->first,
                           (size_t) compare->cells, err);

  if (status == TALLY_OK && comparing->reply.seq != compare->seq) {
    comparing->reply.kind = WIRE_OTHER;
    buf_clear (&comparing->data);
  }
  return status;
}

static int
give_list (struct comparing *comparing, struct tally_error *err)
{
  uint64_t seq;
  int status = rows_list (&comparing->rows, &comparing->range,
                          &comparing->data, &seq, err);

  comparing->reply.kind = WIRE_LIST;
  if (status != TALLY_AGAIN)
    return status;
  buf_clear (&comparing->data);
  comparing->reply.kind = WIRE_OTHER;
  return TALLY_OK;
}

static int
tell_splits (struct comparing *comparing, struct tally_error *err)
{
  struct wire_compared *reply = &comparing->reply;
  struct buf end = BUF_INIT;
  bool failed;

  reply->splits = calloc (comparing->splits.count + 1, sizeof *reply->splits);
  if (!reply->splits)
    return error_nomem (err);
  for (size_t i = 0; i < comparing->splits.count; i++) {
    rows_end (&end, &comparing->splits.docs[i]);
    buf_add_slice (&comparing->ends, buf_slice (&end));
    reply->splits[i].size = end.size;
    reply->n_splits++;
  }
  for (size_t i = 0, at = 0; i < reply->n_splits; i++) {
    reply->splits[i].data = comparing->ends.data + at;
    at += reply->splits[i].size;
  }
  failed = end.failed || comparing->ends.failed;
  buf_free (&end);
  return failed ? error_nomem (err) : TALLY_OK;
}

static int
give_splits (struct comparing *comparing, struct tally_error *err)
{
  struct rows_sum ignored;
  int status = TALLY_OK;

  if (rows_is_all (&comparing->range) && comparing->splits.count == 0)
    status = rows_scan (&comparing->rows, &comparing->range, &ignored,
                        &comparing->splits, err);
  comparing->reply.kind = WIRE_SPLIT;
  return status == TALLY_OK ? tell_splits (comparing, err) : status;
}

/* Much of what differs was mostly written of late.  On its own it is a list of
 * few, or has nothing in common; then what it replaced is gone from the rest,
 * which is equal, or nearly.  Half of the items are of either side, at most.
 */
static bool
newest_pay (const struct comparing *comparing, uint64_t differ)
{
  return rows_is_all (&comparing->range)
         && !(comparing->compare->flags
              & (WIRE_COMPARE_ANEW | WIRE_COMPARE_LIST))
         && differ >= ROWS_NEWEST_MIN && differ <= comparing->sum.count;
}

static int
give_newest (struct comparing *comparing, uint64_t differ,
             struct tally_error *err)
{
  int status =
      rows_nth (&comparing->rows, &comparing->range,
                comparing->sum.count - differ / 2, &comparing->splits, err);

  comparing->reply.kind =
      comparing->splits.count > 0 ? WIRE_NEWEST : WIRE_OTHER;
  return status == TALLY_OK ? tell_splits (comparing, err) : status;
}

/* Next to nothing is common.  Where the newest rows are among them they are
 * wanted; but what stands before these may be just what who asks has replaced,
 * and then nothing of it is. */
static bool
whole_pays (const struct comparing *comparing, uint64_t differ)
{
  uint64_t n = comparing->sum.count, theirs = comparing->compare->count;
  uint64_t both = n + theirs, least = n < theirs ? n : theirs;
  uint64_t common = differ < both ? (both - differ) / 2 : 0;
  uint64_t list = n * ROWS_TOLD_SIZE / 2;

  return common * DOC_BYTES < list
         && (comparing->range.to.size == 0
             || least * COMPARE_VAIN_BYTES < list);
}

/* Whichever is the smallest. */
static int
give_smallest (struct comparing *comparing, struct tally_error *err)
{
  const struct wire_compare *compare = comparing->compare;
  uint64_t differ = sketch_estimate (
      (const unsigned char *) compare->counters.data, comparing->sum.counters);
  uint64_t n = comparing->sum.count;
  uint64_t cells = sketch_cells (differ) * SKETCH_CELL_SIZE;
  bool sketches =
      differ <= SKETCH_ESTIMATE_MAX && !(compare->flags & WIRE_COMPARE_LIST);

  if (n == 0)
    return give_list (comparing, err);
  if (sketches && newest_pay (comparing, differ))
    return give_newest (comparing, differ, err);
  if (sketches && (n > ROWS_WINDOW || cells < n * ROWS_TOLD_SIZE))
    return give_cells (comparing, 0, sketch_cells (differ), err);
  if (n > ROWS_WINDOW)
    return give_splits (comparing, err);
  if (!whole_pays (comparing, differ))
    return give_list (comparing, err);
  comparing->reply.kind = WIRE_WHOLE;
  return TALLY_OK;
}

static int
compare_rows (struct comparing *comparing, struct tally_error *err)
{
  const struct wire_compare *compare = comparing->compare;
  int status;

  if (compare->first > 0)
    return go_on (comparing, err);
  status = read_sum (comparing, err);
  if (status != TALLY_OK)
    return status;
  comparing->reply.seq = comparing->sum.seq;
  comparing->reply.count = comparing->sum.count;
  if (comparing->sum.count == compare->count
      && slice_equal (compare->root,
                      slice_make (comparing->sum.root, ROWS_ROOT_SIZE))) {
    comparing->reply.kind = WIRE_SAME;
    return TALLY_OK;
  }
  return give_smallest (comparing, err);
}

/* Both are equal, and that was the first exchange: the pair's token rides on
 * it.  One that has a token keeps it. */
static int
take_token (struct comparing *comparing, struct tally_error *err)
{
  struct asked *asked = comparing->asked;
  struct tally_slice token = comparing->compare->token;
  struct pair pair;
  int status;

  if (comparing->reply.kind != WIRE_SAME || token.size == 0)
    return TALLY_OK;
  status = pair_load (&pair, asked->replica, PAIR_SERVER, asked->sender, err);
  if (status != TALLY_OK)
    return status;
  if (pair.exists && !pair.current.set) {
    memcpy (pair.current.bytes, token.data, WIRE_TOKEN_SIZE);
    pair.current.set = true;
    pair_meet (&pair, asked->replica);
    status = pair_save (&pair, asked->replica, err);
    if (status == TALLY_OK)
      buf_add_slice (&comparing->data, token);
  }
  pair_free (&pair);
  return status;
}

int
answer_compare (struct asked *asked, const struct wire_compare *compare,
                struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_COMPARED };
  struct comparing comparing = { .asked = asked, .compare = compare };
  char collection[COLLECTION_TEXT_MAX];
  int status = asked_collection (asked, compare->collection, collection, err);

  if (status == TALLY_OK && (compare->flags & WIRE_COMPARE_SAVED))
    status = asked_acknowledge (asked, collection, 0, err);
  if (status != TALLY_OK)
    return status;
  rows_init (&comparing.rows, asked->replica, collection,
             (const unsigned char *) compare->nonce.data);
  comparing.range.from = compare->from;
  comparing.range.to = compare->to;
  status = compare_rows (&comparing, err);
  /* After the rows: what is forgotten between is told of. */
  if (status == TALLY_OK)
    status =
        forget_floor (asked->replica, collection, &comparing.reply.floor, err);
  if (status == TALLY_OK)
    status = take_token (&comparing, err);
  if (status == TALLY_OK) {
    comparing.reply.data = buf_slice (&comparing.data);
    reply.as.compared = comparing.reply;
    wire_encode (asked->reply, &reply);
  }
  free (comparing.reply.splits);
  doclist_free (&comparing.splits);
  buf_free (&comparing.ends);
  buf_free (&comparing.data);
  return status;
}
