/* SPDX-License-Identifier: MIT */
/* The rows of a collection, (stamp, id, rev) of each live document in that
 * order, as they are compared with those of another store: sums, sketches and
 * lists of ranges.  Both sides of a comparison see their rows through this. */

#ifndef TALLY_ROWS_H
#define TALLY_ROWS_H

#include "doclist.h"
#include "replica.h"
#include "sketch.h"

/* Ranges are split into windows of so many rows. */
#ifndef ROWS_WINDOW
#define ROWS_WINDOW 32768
#endif
/* And none of more than this is listed. */
#define ROWS_LIST_MAX (2 * ROWS_WINDOW)
/* Splits at most; with more rows the windows are larger. */
#define ROWS_SPLITS_MAX 4096
#ifndef ROWS_FETCH_MAX
#define ROWS_FETCH_MAX 4096 /* documents of one answer by range */
#endif
/* From so many items on, where there are as many rows, the newest half of so
 * many are compared on their own. */
#ifndef ROWS_NEWEST_MIN
#define ROWS_NEWEST_MIN 4096
#endif
#define ROWS_ROOT_SIZE 16
#define ROWS_TOLD_SIZE 12 /* of a row in a list, about, as it is told */
#define ROWS_PLACE_SIZE (SKETCH_WHEN_SIZE + SKETCH_ID_SIZE)

/* From `from` inclusive to `to` exclusive; each a stamp with an id behind it,
 * or empty: no end. */
struct rows_range {
  struct tally_slice from, to;
};

static inline bool
rows_is_all (const struct rows_range *range)
{
  return range->from.size == 0 && range->to.size == 0;
}

/* An end that may be given by somebody else. */
bool rows_end_is_good (struct tally_slice end);

/* The end that stands at a row. */
void rows_end (struct buf *out, const struct tally_doc *row);

struct rows {
  struct replica *replica;
  const char *collection;
  unsigned char nonce[SKETCH_NONCE_SIZE];
  struct sketch_key key;
};

void rows_init (struct rows *rows, struct replica *replica,
                const char *collection,
                const unsigned char nonce[SKETCH_NONCE_SIZE]);

struct rows_sum {
  uint64_t seq; /* of the snapshot */
  uint64_t count;
  unsigned char root[ROWS_ROOT_SIZE]; /* keyed with the nonce */
  int32_t counters[SKETCH_COUNTERS];
};

/* Emits the rows of a range, headers in their order. */
int rows_walk (const struct rows *rows, const struct rows_range *range,
               tally_emit_doc *emit, void *ctx, uint64_t *seq,
               struct tally_error *err);

/* The sum of all, from the store's digest. */
int rows_digest (const struct rows *rows, struct rows_sum *sum,
                 struct tally_error *err);

/* The sum of a range, from a scan; with `splits` also the first row of each
 * window but for the first. */
int rows_scan (const struct rows *rows, const struct rows_range *range,
               struct rows_sum *sum, struct doclist *splits,
               struct tally_error *err);

/* Appends the row of a range that has so many before it, if there is one. */
int rows_nth (const struct rows *rows, const struct rows_range *range,
              uint64_t before, struct doclist *out, struct tally_error *err);

/* Adds the rows of a range to cells, or takes them out. */
int rows_sketch (const struct rows *rows, const struct rows_range *range,
                 struct sketch *sketch, bool subtract, uint64_t *seq,
                 struct tally_error *err);

/* Appends the item of each row, in their order.  TALLY_AGAIN: there are more
 * than ROWS_LIST_MAX by now. */
int rows_list (const struct rows *rows, const struct rows_range *range,
               struct buf *out, uint64_t *seq, struct tally_error *err);

/* Headers of the documents that stand at these places, n of ROWS_PLACE_SIZE
 * bytes in rising order, as far as there still are any; in that order. */
int rows_find (const struct rows *rows, const unsigned char *places, size_t n,
               struct doclist *out, struct tally_error *err);

/* Which of these places a document stands at; n: none. */
size_t rows_place (const struct rows *rows, const unsigned char *places,
                   size_t n, const struct tally_doc *doc);

/* Collects headers of a range, up to `most`; *more: there are others, which
 * begin at *next. */
int rows_headers (const struct rows *rows, const struct rows_range *range,
                  size_t most, struct doclist *out, struct buf *next,
                  bool *more, struct tally_error *err);

#endif /* TALLY_ROWS_H */
