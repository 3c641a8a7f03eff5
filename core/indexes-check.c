/* SPDX-License-Identifier: MIT */
/* Rows held against documents: each document has all that it should, and there
 * are no others. */

#include <config.h>

#include <stdlib.h>

#include "error.h"
#include "indexes-internal.h"
#include "walk.h"

#define BATCH 256

struct checking {
  struct replica *replica;
  const char *collection;
  char rows_name[COLLECTION_TEXT_MAX];
  struct index_list list;
  struct doclist docs; /* of the batch, with bodies */
};

static int
copy_doc (void *ctx, const struct tally_doc *doc)
{
  struct checking *checking = ctx;

  if (!doclist_add (&checking->docs, doc))
    return 1;
  return checking->docs.count >= BATCH
         || checking->docs.bytes >= (size_t) 2 << 20;
}

static int
count_row (void *ctx, const struct tally_doc *row)
{
  uint64_t *rows = ctx;

  (void) row;
  ++*rows;
  return 0;
}

/* Counts the rows that documents should have, and looks that each is there. */
static int
check_batch (struct checking *checking, uint64_t *rows_wanted,
             struct tally_error *err)
{
  struct rows rows = { 0 };
  uint64_t there = 0;
  struct tally_slice *ids;
  int status = TALLY_OK;

  for (size_t i = 0; i < checking->docs.count && status == TALLY_OK; i++)
    status = rows_change (&rows, &checking->list, checking->rows_name,
                          checking->docs.docs[i].id, slice_make (NULL, 0),
                          checking->docs.docs[i].body, err);
  ids = calloc (rows.n + 1, sizeof *ids);
  if (status == TALLY_OK && !ids)
    status = error_nomem (err);
  for (size_t i = 0; i < rows.n && ids; i++)
    ids[i] = rows.entries[i].doc.id;
  if (status == TALLY_OK && rows.n > 0)
    status = replica_get (checking->replica, checking->rows_name, ids, rows.n,
                          0, count_row, &there, err);
  if (status == TALLY_OK && there != rows.n)
    status =
        error_set (err, TALLY_CORRUPT, "%s: an index of %s lacks documents",
                   checking->replica->name, checking->collection);
  *rows_wanted += rows.n;
  free (ids);
  rows_free (&rows);
  return status;
}

static int
count_rows (struct checking *checking, uint64_t *rows, struct tally_error *err)
{
  int status = TALLY_OK;

  *rows = 0;
  for (size_t i = 0; i < checking->list.n && status == TALLY_OK; i++) {
    struct buf from = BUF_INIT, to = BUF_INIT;
    struct tally_slice first, last;

    index_place (&from, checking->list.defs[i].number, slice_make (NULL, 0),
                 false);
    index_place (&to, checking->list.defs[i].number, slice_make (NULL, 0),
                 true);
    first = buf_slice (&from);
    last = buf_slice (&to);
    if (from.failed || to.failed)
      status = error_nomem (err);
    else
      status = replica_find (checking->replica, checking->rows_name, &first,
                             &last, TALLY_FIND_IDS, count_row, rows, err);
    buf_free (&from);
    buf_free (&to);
  }
  return status;
}

/* Of indexes that are ready. */
int
indexes_check (struct replica *replica, const char *collection,
               struct tally_error *err)
{
  struct checking checking = { .replica = replica, .collection = collection };
  struct index_list *list = &checking.list;
  uint64_t wanted = 0, there = 0;
  struct walk walk;
  int status = indexes_load (replica, collection, list, err);

  indexes_rows_name (checking.rows_name, collection);
  for (size_t i = list->n; i-- > 0;)
    if (!list->defs[i].ready)
      index_list_remove (list, i);
  walk_start (&walk, replica, collection);
  while (status == TALLY_OK && !walk.done && list->n > 0) {
    doclist_clear (&checking.docs);
    status = walk_on (&walk, copy_doc, &checking, err);
    if (status == TALLY_OK && checking.docs.failed)
      status = error_nomem (err);
    if (status == TALLY_OK)
      status = check_batch (&checking, &wanted, err);
  }
  walk_end (&walk);
  if (status == TALLY_OK)
    status = count_rows (&checking, &there, err);
  if (status == TALLY_OK && wanted != there)
    status = error_set (err, TALLY_CORRUPT,
                        "%s: an index of %s has rows of no document",
                        replica->name, collection);
  index_list_free (list);
  doclist_free (&checking.docs);
  return status;
}
