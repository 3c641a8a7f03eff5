/* SPDX-License-Identifier: MIT */
/* Each function is one scan. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "hlc.h"
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

static int
scan (const struct rows *rows, const struct rows_range *range,
      tally_emit_doc *emit, void *ctx, uint64_t *seq, struct tally_error *err)
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
  status = scan (rows, range, sum_row, &summing, &sum->seq, err);
  if (status == TALLY_OK && splits && splits->failed)
    status = error_nomem (err);
  for (unsigned i = 0; i < 16; i++)
    bytes[i] = (unsigned char) (summing.hashes[i / 8] >> (8 * (i % 8)));
  make_root (sum, rows, bytes, sizeof bytes);
  return status;
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

  return scan (rows, range, sketch_row, &sketching, seq, err);
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
  buf_add (listing->out, item.id, SKETCH_ID_SIZE);
  buf_add (listing->out, item.rev, SKETCH_REV_SIZE);
  return listing->out->failed;
}

int
rows_list (const struct rows *rows, const struct rows_range *range,
           struct buf *out, uint64_t *seq, struct tally_error *err)
{
  struct listing listing = { rows, out, 0 };
  int status = scan (rows, range, list_row, &listing, seq, err);

  if (status == TALLY_OK && out->failed)
    status = error_nomem (err);
  if (status == TALLY_OK && listing.n > ROWS_LIST_MAX)
    status = error_set (err, TALLY_AGAIN, "%s: %s: grew while it was compared",
                        rows->replica->name, rows->collection);
  return status;
}

/* ---- finding ------------------------------------------------------------ */

struct finding {
  const struct rows *rows;
  const unsigned char *places;
  size_t n;
  struct doclist *out;
};

/* Places are compared as bytes, which are their first members. */
static int
by_place (const void *a, const void *b)
{
  return memcmp (a, b, ROWS_PLACE_SIZE);
}

static void
make_place (unsigned char place[ROWS_PLACE_SIZE], const struct rows *rows,
            const struct tally_doc *doc)
{
  sketch_when (place, doc->rev);
  sketch_id (place + SKETCH_WHEN_SIZE, &rows->key, doc->id);
}

size_t
rows_place (const struct rows *rows, const unsigned char *places, size_t n,
            const struct tally_doc *doc)
{
  unsigned char place[ROWS_PLACE_SIZE];
  const unsigned char *found;

  make_place (place, rows, doc);
  found = bsearch (place, places, n, ROWS_PLACE_SIZE, by_place);
  return found ? (size_t) (found - places) / ROWS_PLACE_SIZE : n;
}

static int
find_row (void *ctx, const struct tally_doc *row)
{
  struct finding *finding = ctx;
  struct tally_doc header = *row;

  if ((row->flags & TALLY_DOC_DELETED)
      || rows_place (finding->rows, finding->places, finding->n, row)
             == finding->n)
    return 0;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (finding->out, &header);
}

static uint64_t
place_ms (const unsigned char *place)
{
  struct stamp stamp;

  sketch_stamp (stamp.bytes, place);
  return stamp_ms (&stamp);
}

/* The rows of one millisecond are a range, which is read once however many of
 * the places are in it. */
static int
find_at (struct finding *finding, size_t most, struct tally_error *err)
{
  uint64_t ms = place_ms (finding->places), seq;
  struct stamp from, to;
  struct rows_range range = { { NULL, 0 }, { NULL, 0 } };

  finding->n = 1;
  while (finding->n < most
         && place_ms (finding->places + finding->n * ROWS_PLACE_SIZE) == ms)
    finding->n++;
  if (stamp_make (&from, ms, 0, 0))
    range.from = slice_make (from.bytes, sizeof from.bytes);
  if (stamp_make (&to, ms + 1, 0, 0))
    range.to = slice_make (to.bytes, sizeof to.bytes);
  return scan (finding->rows, &range, find_row, finding, &seq, err);
}

struct placed {
  unsigned char place[ROWS_PLACE_SIZE];
  struct tally_doc doc;
};

static bool
sort_by_place (const struct rows *rows, struct doclist *list)
{
  struct placed *placed = calloc (list->count + 1, sizeof *placed);

  if (!placed)
    return false;
  for (size_t i = 0; i < list->count; i++) {
    make_place (placed[i].place, rows, &list->docs[i]);
    placed[i].doc = list->docs[i];
  }
  qsort (placed, list->count, sizeof *placed, by_place);
  for (size_t i = 0; i < list->count; i++)
    list->docs[i] = placed[i].doc;
  free (placed);
  return true;
}

/* One walk over all where there is no scan. */
static int
find_all (struct finding *finding, struct tally_error *err)
{
  const struct rows *rows = finding->rows;
  uint64_t head;

  return replica_changes (rows->replica, rows->collection, 0, find_row,
                          finding, &head, err);
}

int
rows_find (const struct rows *rows, const unsigned char *places, size_t n,
           struct doclist *out, struct tally_error *err)
{
  struct finding finding = { rows, places, n, out };
  int status = TALLY_OK;

  if (n > 0 && !replica_can_scan (rows->replica))
    status = find_all (&finding, err);
  else
    for (; n > 0 && status == TALLY_OK; n -= finding.n) {
      status = find_at (&finding, n, err);
      finding.places += finding.n * ROWS_PLACE_SIZE;
    }
  if (status == TALLY_OK && (out->failed || !sort_by_place (rows, out)))
    status = error_nomem (err);
  return status;
}

struct picking {
  const struct rows *rows;
  const unsigned char *ids;
  size_t n, most;
  struct doclist *out;
  struct buf *next;
  bool more;
};

static int
by_id (const void *a, const void *b)
{
  return memcmp (a, b, SKETCH_ID_SIZE);
}

static int
pick_row (void *ctx, const struct tally_doc *row)
{
  struct picking *picking = ctx;
  unsigned char id[SKETCH_ID_SIZE];
  struct tally_doc header = *row;

  if (picking->ids) {
    sketch_id (id, &picking->rows->key, row->id);
    if (!bsearch (id, picking->ids, picking->n, SKETCH_ID_SIZE, by_id))
      return 0;
  }
  if (picking->out->count == picking->most) {
    rows_end (picking->next, row);
    picking->more = true;
    return 1;
  }
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (picking->out, &header);
}

int
rows_pick (const struct rows *rows, const struct rows_range *range,
           const unsigned char *ids, size_t n, size_t most,
           struct doclist *out, struct buf *next, bool *more,
           struct tally_error *err)
{
  struct picking picking = { rows, ids, n, most, out, next, false };
  uint64_t seq;
  int status = scan (rows, range, pick_row, &picking, &seq, err);

  if (status == TALLY_OK && (out->failed || next->failed))
    status = error_nomem (err);
  *more = picking.more;
  return status;
}
