/* SPDX-License-Identifier: MIT */
/* Rows that are looked for: by their places, or in a range. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hlc.h"
#include "rows.h"

/* Rows that nobody asked for, between two that somebody did, are walked over
 * up to so many; beyond that another walk is begun. */
#define WALKS_OVER 16

struct finding {
  const struct rows *rows;
  const unsigned char *places;
  size_t n;
  struct doclist *out;
  /* Of a walk in order: the first place that is not behind it, how many rows
   * it has met since it found one, and whether it goes on elsewhere. */
  size_t at, missed;
  bool skips;
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

static uint64_t
place_ms (const unsigned char *place)
{
  struct stamp stamp;

  sketch_stamp (stamp.bytes, place);
  return stamp_ms (&stamp);
}

static uint64_t
next_ms (const struct finding *finding)
{
  return place_ms (finding->places + finding->at * ROWS_PLACE_SIZE);
}

/* In any order. */
static int
find_row (void *ctx, const struct tally_doc *row)
{
  struct finding *finding = ctx;
  struct tally_doc header = *row;

  finding->missed++;
  if ((row->flags & TALLY_DOC_DELETED)
      || rows_place (finding->rows, finding->places, finding->n, row)
             == finding->n)
    return 0;
  finding->missed = 0;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (finding->out, &header);
}

/* In the order of stamps; those of one millisecond have another one. */
static int
find_next (void *ctx, const struct tally_doc *row)
{
  struct finding *finding = ctx;
  struct stamp stamp;

  memcpy (stamp.bytes, row->rev, sizeof stamp.bytes);
  while (finding->at < finding->n && next_ms (finding) < stamp_ms (&stamp))
    finding->at++;
  if (finding->at == finding->n)
    return 1;
  finding->skips =
      finding->missed > WALKS_OVER && next_ms (finding) > stamp_ms (&stamp);
  return finding->skips ? 1 : find_row (ctx, row);
}

/* From the next place on.  One that goes on elsewhere does so behind that. */
static int
find_from (struct finding *finding, struct tally_error *err)
{
  const unsigned char *last =
      finding->places + (finding->n - 1) * ROWS_PLACE_SIZE;
  struct rows_range range = { { NULL, 0 }, { NULL, 0 } };
  struct stamp from, to;
  uint64_t seq;
  int status;

  finding->missed = 0;
  finding->skips = false;
  if (stamp_make (&from, next_ms (finding), 0, 0))
    range.from = slice_make (from.bytes, sizeof from.bytes);
  if (stamp_make (&to, place_ms (last) + 1, 0, 0))
    range.to = slice_make (to.bytes, sizeof to.bytes);
  status = rows_walk (finding->rows, &range, find_next, finding, &seq, err);
  if (!finding->skips)
    finding->at = finding->n;
  return status;
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
  struct finding finding = {
    .rows = rows, .places = places, .n = n, .out = out
  };
  int status = TALLY_OK;

  if (n > 0 && !replica_can_scan (rows->replica))
    status = find_all (&finding, err);
  else
    while (finding.at < n && status == TALLY_OK)
      status = find_from (&finding, err);
  if (status == TALLY_OK && (out->failed || !sort_by_place (rows, out)))
    status = error_nomem (err);
  return status;
}

struct gathering {
  size_t most;
  struct doclist *out;
  struct buf *next;
  bool more;
};

static int
gather_row (void *ctx, const struct tally_doc *row)
{
  struct gathering *gathering = ctx;
  struct tally_doc header = *row;

  if (gathering->out->count == gathering->most) {
    rows_end (gathering->next, row);
    gathering->more = true;
    return 1;
  }
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (gathering->out, &header);
}

int
rows_headers (const struct rows *rows, const struct rows_range *range,
              size_t most, struct doclist *out, struct buf *next, bool *more,
              struct tally_error *err)
{
  struct gathering gathering = { most, out, next, false };
  uint64_t seq;
  int status = rows_walk (rows, range, gather_row, &gathering, &seq, err);

  if (status == TALLY_OK && (out->failed || next->failed))
    status = error_nomem (err);
  *more = gathering.more;
  return status;
}
