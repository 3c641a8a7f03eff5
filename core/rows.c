/* SPDX-License-Identifier: MIT */
/* Each function is one scan. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "rows.h"

/* ---- ranges ------------------------------------------------------------- */

bool
rows_end_is_good (struct tally_slice end)
{
  return end.size == 0
         || (end.size >= TALLY_STAMP_SIZE
             && end.size <= TALLY_STAMP_SIZE + TALLY_ID_MAX);
}

void
rows_end (struct buf *out, const struct tally_doc *row)
{
  buf_clear (out);
  buf_add (out, row->rev, TALLY_STAMP_SIZE);
  buf_add_slice (out, row->id);
}

static const struct tally_position *
position (struct tally_position *at, struct tally_slice end)
{
  if (end.size == 0)
    return NULL;
  memset (at, 0, sizeof *at);
  memcpy (at->stamp, end.data, TALLY_STAMP_SIZE);
  at->id =
      slice_make (end.data + TALLY_STAMP_SIZE, end.size - TALLY_STAMP_SIZE);
  return at;
}

int
rows_walk (const struct rows *rows, const struct rows_range *range,
           tally_emit_doc *emit, void *ctx, uint64_t *seq,
           struct tally_error *err)
{
  struct tally_position from, to;

  return replica_scan (rows->replica, rows->collection,
                       position (&from, range->from),
                       position (&to, range->to), emit, ctx, seq, err);
}

void
rows_init (struct rows *rows, struct replica *replica, const char *collection,
           const unsigned char nonce[SKETCH_NONCE_SIZE])
{
  memset (rows, 0, sizeof *rows);
  rows->replica = replica;
  rows->collection = collection;
  memcpy (rows->nonce, nonce, sizeof rows->nonce);
  sketch_key_init (&rows->key, nonce);
}

/* ---- sums --------------------------------------------------------------- */

static void
make_root (struct rows_sum *sum, const struct rows *rows, const void *data,
           size_t size)
{
  unsigned char count[8];
  crypto_generichash_state hash;

  for (unsigned i = 0; i < 8; i++)
    count[i] = (unsigned char) (sum->count >> (8 * i));
  crypto_generichash_init (&hash, rows->nonce, sizeof rows->nonce,
                           ROWS_ROOT_SIZE);
  crypto_generichash_update (&hash, count, sizeof count);
  crypto_generichash_update (&hash, data, size);
  crypto_generichash_final (&hash, sum->root, ROWS_ROOT_SIZE);
}

int
rows_digest (const struct rows *rows, struct rows_sum *sum,
             struct tally_error *err)
{
  struct tally_digest digest;
  int status =
      replica_digest (rows->replica, rows->collection, 0, &digest, err);

  memset (sum, 0, sizeof *sum);
  if (status != TALLY_OK)
    return status;
  sum->seq = digest.seq;
  sum->count = digest.count;
  memcpy (sum->counters, digest.counters, sizeof sum->counters);
  make_root (sum, rows, digest.sum, sizeof digest.sum);
  return TALLY_OK;
}

struct summing {
  const struct rows *rows;
  struct rows_sum *sum;
  uint64_t hashes[2];
  struct doclist *splits;
  uint64_t window; /* rows of one */
};

/* Half of the splits go when there are too many. */
static void
thin_out (struct summing *summing)
{
  struct doclist *splits = summing->splits;
  size_t kept = 0;

  for (size_t i = 1; i < splits->count; i += 2)
    splits->docs[kept++] = splits->docs[i];
  splits->count = kept;
  summing->window *= 2;
}

static int
sum_row (void *ctx, const struct tally_doc *row)
{
  struct summing *summing = ctx;
  struct sketch_item item;
  uint64_t hash;

  sketch_item (&item, &summing->rows->key, row->id, row->rev);
  hash = sketch_hash (&summing->rows->key, &item);
  summing->hashes[0] += hash;
  summing->hashes[1] += (hash ^ hash >> 32) * UINT64_C (0x9e3779b97f4a7c15);
  sketch_count (summing->sum->counters, hash);
  if (summing->splits && summing->sum->count > 0
      && summing->sum->count % summing->window == 0) {
    struct tally_doc split = { .id = row->id };

    if (summing->splits->count == ROWS_SPLITS_MAX)
      thin_out (summing);
    memcpy (split.rev, row->rev, TALLY_REV_SIZE);
    if (summing->sum->count % summing->window == 0
        && !doclist_add (summing->splits, &split))
      return 1;
  }
  summing->sum->count++;
  return 0;
}

int
rows_scan (const struct rows *rows, const struct rows_range *range,
           struct rows_sum *sum, struct doclist *splits,
           struct tally_error *err)
{
  struct summing summing = { .rows = rows, .sum = sum, .window = ROWS_WINDOW };
  unsigned char bytes[16];
  int status;

  memset (sum, 0, sizeof *sum);
  summing.splits = splits;
  status = rows_walk (rows, range, sum_row, &summing, &sum->seq, err);
  if (status == TALLY_OK && splits && splits->failed)
    status = error_nomem (err);
  for (unsigned i = 0; i < 16; i++)
    bytes[i] = (unsigned char) (summing.hashes[i / 8] >> (8 * (i % 8)));
  make_root (sum, rows, bytes, sizeof bytes);
  return status;
}

struct counting {
  uint64_t before;
  struct doclist *out;
};

static int
count_row (void *ctx, const struct tally_doc *row)
{
  struct counting *counting = ctx;
  struct tally_doc found = { .id = row->id };

  if (counting->before-- > 0)
    return 0;
  memcpy (found.rev, row->rev, TALLY_REV_SIZE);
  doclist_add (counting->out, &found);
  return 1;
}

int
rows_nth (const struct rows *rows, const struct rows_range *range,
          uint64_t before, struct doclist *out, struct tally_error *err)
{
  struct counting counting = { before, out };
  uint64_t seq;
  int status = rows_walk (rows, range, count_row, &counting, &seq, err);

  return status == TALLY_OK && out->failed ? error_nomem (err) : status;
}

/* ---- sketches and lists ------------------------------------------------- */

struct sketching {
  const struct rows *rows;
  struct sketch *sketch;
  bool subtract;
};

static int
sketch_row (void *ctx, const struct tally_doc *row)
{
  struct sketching *sketching = ctx;
  struct sketch_item item;

  sketch_item (&item, &sketching->rows->key, row->id, row->rev);
  if (sketching->subtract)
    sketch_subtract (sketching->sketch, &item);
  else
    sketch_add (sketching->sketch, &item);
  return 0;
}

int
rows_sketch (const struct rows *rows, const struct rows_range *range,
             struct sketch *sketch, bool subtract, uint64_t *seq,
             struct tally_error *err)
{
  struct sketching sketching = { rows, sketch, subtract };

  return rows_walk (rows, range, sketch_row, &sketching, seq, err);
}

struct listing {
  const struct rows *rows;
  struct buf *out;
  size_t n;
};

static int
list_row (void *ctx, const struct tally_doc *row)
{
  struct listing *listing = ctx;
  struct sketch_item item;

  if (listing->n++ == ROWS_LIST_MAX)
    return 1;
  sketch_item (&item, &listing->rows->key, row->id, row->rev);
  buf_add (listing->out, &item, SKETCH_ITEM_SIZE);
  return listing->out->failed;
}

int
rows_list (const struct rows *rows, const struct rows_range *range,
           struct buf *out, uint64_t *seq, struct tally_error *err)
{
  struct listing listing = { rows, out, 0 };
  int status = rows_walk (rows, range, list_row, &listing, seq, err);

  if (status == TALLY_OK && out->failed)
    status = error_nomem (err);
  if (status == TALLY_OK && listing.n > ROWS_LIST_MAX)
    status = error_set (err, TALLY_AGAIN, "%s: %s: grew while it was compared",
                        rows->replica->name, rows->collection);
  return status;
}
