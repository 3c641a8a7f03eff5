/* SPDX-License-Identifier: MIT */
/* Rows are read a batch ahead of their documents, and between batches the
 * store is free: a document may be elsewhere in the index by then.  One that
 * will be met there is left to that; one that moved to where the search has
 * been is given out where it was. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "finder-order.h"
#include "indexes.h"

/* Rows of the first batch at least; each further one is twice as many. */
#define ROWS_LEAST 16

void
finder_order_start (struct finder *finder)
{
  finder->in_order = true;
  finder->access = "index";
  finder->spans = finder->plan.ranges;
  buf_add_slice (&finder->index, buf_slice (&finder->plan.def->name));
  finder->most_rows = FINDER_BATCH;
  if (finder->most > 0 && finder->most < FINDER_BATCH)
    finder->most_rows =
        finder->most < ROWS_LEAST ? ROWS_LEAST : (size_t) finder->most;
}

void
finder_order_end (struct finder *finder)
{
  index_plan_free (&finder->plan);
  if (finder->indexes)
    indexes_release (finder->replica, finder->indexes);
  buf_free (&finder->row);
  doclist_free (&finder->rows_got);
}

/* ---- rows --------------------------------------------------------------- */

static int
take_row (void *ctx, const struct tally_doc *row)
{
  struct finder *finder = ctx;
  struct tally_doc id = { .id = row->id };
  bool hashed;

  finder->rows++;
  if (index_row_id (row->id, &hashed).data && !hashed)
    doclist_add (&finder->rows_got, &id);
  return finder->rows_got.failed
         || finder->rows_got.count >= finder->most_rows;
}

/* A zero behind the last row comes right after it. */
static int
read_span (struct finder *finder, struct tally_error *err)
{
  const struct index_span *span = &finder->plan.spans[finder->span];
  char name[COLLECTION_TEXT_MAX];
  struct buf after = BUF_INIT;
  struct tally_slice from = span->from;
  int status = TALLY_OK;

  if (finder->row.size > 0) {
    buf_add_slice (&after, buf_slice (&finder->row));
    buf_add_byte (&after, 0);
    from = buf_slice (&after);
  }
  indexes_rows_name (name, finder->collection);
  if (after.failed)
    status = error_nomem (err);
  else
    status = replica_find (finder->replica, name, &from, &span->to,
                           TALLY_FIND_IDS, take_row, finder, err);
  buf_free (&after);
  return status;
}

static int
read_rows (struct finder *finder, struct tally_error *err)
{
  struct doclist *rows = &finder->rows_got;
  int status = TALLY_OK;

  doclist_clear (rows);
  finder->next_row = 0;
  while (status == TALLY_OK && finder->span < finder->plan.n
         && rows->count < finder->most_rows) {
    status = read_span (finder, err);
    buf_clear (&finder->row);
    if (rows->count < finder->most_rows)
      finder->span++;
    else
      buf_add_slice (&finder->row, rows->docs[rows->count - 1].id);
    if (status == TALLY_OK && (rows->failed || finder->row.failed))
      status = error_nomem (err);
  }
  finder->most_rows = 2 * finder->most_rows < FINDER_BATCH
                          ? 2 * finder->most_rows
                          : FINDER_BATCH;
  return status;
}

/* ---- documents ---------------------------------------------------------- */

struct ordering {
  struct finder *finder;
  finder_look_fn *look;
};

/* Whether the document is to be given out at this row. */
static int
belongs (const struct finder *finder, struct tally_slice row,
         const struct tally_doc *doc, bool *here, struct tally_error *err)
{
  struct index_keys keys;
  struct buf now = BUF_INIT;
  int status = index_keys_make (&keys, finder->plan.def, doc->body, err);

  *here = false;
  if (status == TALLY_OK && keys.n > 0) {
    int order;

    index_row (&now, finder->plan.def->number, keys.keys[0], doc->id);
    order = slice_cmp (row, buf_slice (&now));
    *here = order == 0 || (order > 0 && keys.n == 1);
    if (now.failed)
      status = error_nomem (err);
  }
  buf_free (&now);
  index_keys_free (&keys);
  return status;
}

static int
look_at_row (void *ctx, const struct tally_doc *doc)
{
  const struct ordering *ordering = ctx;
  struct finder *finder = ordering->finder;
  const struct doclist *rows = &finder->rows_got;
  bool hashed, here = false;

  /* Documents before it are gone. */
  while (finder->next_row < rows->count
         && !slice_equal (
             index_row_id (rows->docs[finder->next_row].id, &hashed), doc->id))
    finder->next_row++;
  if (finder->next_row == rows->count)
    return 0;
  if (!(doc->flags & TALLY_DOC_DELETED))
    finder->status = belongs (finder, rows->docs[finder->next_row].id, doc,
                              &here, finder->err);
  finder->next_row++;
  if (finder->status != TALLY_OK)
    return 1;
  return here ? ordering->look (finder, doc) : 0;
}

int
finder_order_next (struct finder *finder, finder_look_fn *look,
                   struct tally_error *err)
{
  struct ordering ordering = { finder, look };
  const struct doclist *rows = &finder->rows_got;
  struct tally_slice ids[FINDER_BATCH];
  size_t n = 0;
  bool hashed;
  int status = TALLY_OK;

  if (finder->next_row >= rows->count)
    status = read_rows (finder, err);
  for (size_t i = finder->next_row; i < rows->count; i++)
    ids[n++] = index_row_id (rows->docs[i].id, &hashed);
  if (status == TALLY_OK && n > 0)
    status = replica_get (finder->replica, finder->collection, ids, n,
                          TALLY_GET_BODY | TALLY_GET_PART, look_at_row,
                          &ordering, err);
  if (!finder->full)
    finder->next_row = rows->count;
  finder->done =
      finder->span >= finder->plan.n && finder->next_row >= rows->count;
  return status;
}
