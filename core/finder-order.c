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
  buf_free (&finder->group);
  buf_free (&finder->group_end);
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

/* Behind the row that was read last; a zero behind that comes right after. */
static int
read_between (struct finder *finder, struct tally_slice from,
              struct tally_slice to, struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX];
  struct buf after = BUF_INIT;
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
    status = replica_find (finder->replica, name, &from, &to, TALLY_FIND_IDS,
                           take_row, finder, err);
  buf_free (&after);
  return status;
}

/* Until there are enough, or there is nothing left between the two. */
static int
read_on (struct finder *finder, struct tally_slice from, struct tally_slice to,
         bool *left, struct tally_error *err)
{
  const struct doclist *rows = &finder->rows_got;
  int status = read_between (finder, from, to, err);

  buf_clear (&finder->row);
  *left = rows->count >= finder->most_rows;
  if (*left)
    buf_add_slice (&finder->row, rows->docs[rows->count - 1].id);
  if (status == TALLY_OK && (rows->failed || finder->row.failed))
    status = error_nomem (err);
  return status;
}

/* ---- backwards ---------------------------------------------------------- */

static int
copy_row (void *ctx, const struct tally_doc *row)
{
  buf_clear (ctx);
  buf_add_slice (ctx, row->id);
  return 0;
}

/* What ties comes by id in either direction: so the rows of each key, whose
 * last one is found from behind, are read forwards. */
static int
find_group (struct finder *finder, const struct index_span *span, bool *any,
            struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX];
  struct buf last = BUF_INIT;
  struct tally_slice to, id;
  bool hashed;
  int status;

  if (finder->group_end.size == 0)
    buf_add_slice (&finder->group_end, span->to);
  to = buf_slice (&finder->group_end);
  indexes_rows_name (name, finder->collection);
  status =
      replica_find (finder->replica, name, &span->from, &to,
                    TALLY_FIND_IDS | TALLY_FIND_LAST, copy_row, &last, err);
  id = index_row_id (buf_slice (&last), &hashed);
  *any = status == TALLY_OK && id.data;
  buf_clear (&finder->group);
  if (*any)
    buf_add (&finder->group, last.data, last.size - id.size);
  finder->in_group = *any;
  if (last.failed || finder->group.failed || finder->group_end.failed)
    status = error_nomem (err);
  buf_free (&last);
  return status;
}

static int
read_back (struct finder *finder, const struct index_span *span,
           struct tally_error *err)
{
  bool any = true, left = false;
  int status = TALLY_OK;

  if (!finder->in_group)
    status = find_group (finder, span, &any, err);
  if (status != TALLY_OK || !any) {
    buf_clear (&finder->group_end);
    finder->span++;
    return status;
  }
  status = read_on (finder, buf_slice (&finder->group),
                    buf_slice (&finder->group_end), &left, err);
  if (left)
    return status;
  finder->in_group = false;
  buf_clear (&finder->group_end);
  buf_add_slice (&finder->group_end, buf_slice (&finder->group));
  return status;
}

/* ---- batches of rows ---------------------------------------------------- */

static int
read_rows (struct finder *finder, struct tally_error *err)
{
  struct doclist *rows = &finder->rows_got;
  const struct index_plan *plan = &finder->plan;
  int status = TALLY_OK;
  bool left;

  doclist_clear (rows);
  finder->next_row = 0;
  while (status == TALLY_OK && finder->span < plan->n
         && rows->count < finder->most_rows) {
    const struct index_span *span =
        &plan->spans[plan->reverse ? plan->n - 1 - finder->span
                                   : finder->span];

    if (plan->reverse) {
      status = read_back (finder, span, err);
      continue;
    }
    status = read_on (finder, span->from, span->to, &left, err);
    finder->span += !left;
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
    if (finder->plan.reverse)
      order = -order;
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
