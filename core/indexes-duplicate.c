/* SPDX-License-Identifier: MIT */
/* Documents that have the same in an index.  Their rows are neighbours: what
 * stands before the mark in a row is the same, and nothing sorts between. */

#include <config.h>

#include <string.h>

#include "doclist.h"
#include "error.h"
#include "indexes-internal.h"

/* The size of what stands before the document's id. */
static size_t
place_size (struct tally_slice row)
{
  bool hashed;
  struct tally_slice id = index_row_id (row, &hashed);

  return id.data ? row.size - id.size - 1 : row.size;
}

/* ---- two of them -------------------------------------------------------- */

struct looking {
  struct doclist rows; /* the last one, and one that has the same */
};

static bool
is_same (struct tally_slice a, struct tally_slice b)
{
  size_t size = place_size (a);

  return size == place_size (b) && memcmp (a.data, b.data, size) == 0;
}

static bool
is_of_value (struct tally_slice row)
{
  struct buf key = BUF_INIT;
  bool is = index_row_key (row, &key) && !key.failed && key.size > 0
            && index_key_is_value (buf_slice (&key));

  buf_free (&key);
  return is;
}

static int
look_at_row (void *ctx, const struct tally_doc *row)
{
  struct looking *looking = ctx;
  bool same = looking->rows.count > 0
              && is_same (looking->rows.docs[0].id, row->id)
              && is_of_value (row->id);

  if (!same)
    doclist_clear (&looking->rows);
  return !doclist_add (&looking->rows, row) || same;
}

/* ---- what to say of them ------------------------------------------------ */

static int
copy_body (void *ctx, const struct tally_doc *doc)
{
  buf_add_slice (ctx, doc->body);
  return 0;
}

/* Appends the id of a row's document. */
static int
document_of (struct replica *replica, const char *rows, struct tally_slice row,
             struct buf *id, struct tally_error *err)
{
  bool hashed;
  struct tally_slice text = index_row_id (row, &hashed);

  if (hashed)
    return replica_get (replica, rows, &row, 1, TALLY_GET_BODY, copy_body, id,
                        err);
  buf_add_slice (id, text);
  return TALLY_OK;
}

static int
shown (struct tally_slice id)
{
  return (int) (id.size < 60 ? id.size : 60);
}

static int
describe (struct replica *replica, const char *collection,
          const struct index_def *def, const struct tally_doc *rows,
          struct buf *out, struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX];
  struct buf ids[2] = { BUF_INIT, BUF_INIT }, body = BUF_INIT;
  struct buf key = BUF_INIT, value = BUF_INIT;
  struct tally_slice first;
  int status;

  indexes_rows_name (name, collection);
  status = document_of (replica, name, rows[0].id, &ids[0], err);
  if (status == TALLY_OK)
    status = document_of (replica, name, rows[1].id, &ids[1], err);
  first = buf_slice (&ids[0]);
  if (status == TALLY_OK)
    status = replica_get (replica, collection, &first, 1, TALLY_GET_BODY,
                          copy_body, &body, err);
  if (status == TALLY_OK) {
    index_row_key (rows[0].id, &key);
    if (body.size > 0)
      index_value_text (def, buf_slice (&key), buf_slice (&body), &value);
    buf_addf (out, "documents \"%.*s\" and \"%.*s\" both have %.*s",
              shown (first), first.data ? first.data : "",
              shown (buf_slice (&ids[1])), ids[1].data ? ids[1].data : "",
              value.size > 0 ? (int) value.size : 8,
              value.size > 0 ? value.data : "the same");
    if (out->failed || key.failed || value.failed || body.failed)
      status = error_nomem (err);
  }
  buf_free (&value);
  buf_free (&key);
  buf_free (&body);
  buf_free (&ids[1]);
  buf_free (&ids[0]);
  return status;
}

int
indexes_find_duplicate (struct replica *replica, const char *collection,
                        const struct index_def *def, struct tally_slice key,
                        struct buf *out, struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX];
  struct looking looking = { DOCLIST_INIT };
  struct buf from = BUF_INIT, to = BUF_INIT;
  struct tally_slice first, last;
  int status;

  indexes_rows_name (name, collection);
  index_place (&from, def->number, key, false);
  index_place (&to, def->number, key, true);
  first = buf_slice (&from);
  last = buf_slice (&to);
  if (from.failed || to.failed)
    status = error_nomem (err);
  else
    status = replica_find (replica, name, &first, &last, TALLY_FIND_IDS,
                           look_at_row, &looking, err);
  if (status == TALLY_OK && looking.rows.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && looking.rows.count > 1)
    status = describe (replica, collection, def, looking.rows.docs, out, err);
  doclist_free (&looking.rows);
  buf_free (&to);
  buf_free (&from);
  return status;
}

/* ---- unique ones that are not ------------------------------------------- */

static bool
is_of (const struct tally_entry *row, const struct index_def *def)
{
  struct buf number = BUF_INIT;
  bool is;

  index_place (&number, def->number, slice_make (NULL, 0), false);
  is = !number.failed && row->doc.id.size > number.size
       && memcmp (row->doc.id.data, number.data, number.size) == 0;
  buf_free (&number);
  return is;
}

static bool
tell_one (struct replica *replica, const char *collection,
          const struct index_def *def, const struct tally_entry *row)
{
  struct buf key = BUF_INIT, why = BUF_INIT;
  struct tally_error line, ignored;
  bool told = index_row_key (row->doc.id, &key) && !key.failed
              && indexes_find_duplicate (replica, collection, def,
                                         buf_slice (&key), &why, &ignored)
                     == TALLY_OK
              && why.size > 0;

  if (told) {
    error_set (&line, TALLY_INVALID, "%s: %s: %.*s is unique, but %.*s",
               replica->name, collection, shown (buf_slice (&def->name)),
               def->name.data, (int) why.size, why.data);
    replica->host->log (replica->host->ctx, 1, line.text);
  }
  buf_free (&why);
  buf_free (&key);
  return told;
}

/* That it cannot be told is no reason to fail: all was put. */
void
indexes_tell_broken (struct replica *replica, const char *collection,
                     const struct index_list *list, const struct rows *rows,
                     const char *rows_name, unsigned *most)
{
  if (!replica->host || !replica->host->log)
    return;
  for (size_t k = 0; k < list->n; k++)
    for (size_t i = 0; i < rows->n && list->defs[k].unique && *most > 0; i++)
      if (rows->entries[i].collection == rows_name
          && !(rows->entries[i].flags & TALLY_ENTRY_FORGET)
          && is_of (&rows->entries[i], &list->defs[k])
          && tell_one (replica, collection, &list->defs[k], &rows->entries[i]))
        (*most)--;
}

/* ---- rows of an index that is not to be --------------------------------- */

#define FORGOTTEN_AT_ONCE 256

static int
take_row (void *ctx, const struct tally_doc *row)
{
  struct doclist *rows = ctx;

  return !doclist_add (rows, row) || rows->count == FORGOTTEN_AT_ONCE;
}

static int
forget_some (struct replica *replica, const char *rows_name,
             const struct doclist *rows, struct tally_error *err)
{
  struct tally_entry entries[FORGOTTEN_AT_ONCE];
  struct tally_outcome outcomes[FORGOTTEN_AT_ONCE];

  memset (entries, 0, sizeof entries);
  for (size_t i = 0; i < rows->count; i++) {
    entries[i].collection = rows_name;
    entries[i].doc.id = rows->docs[i].id;
    entries[i].flags = TALLY_ENTRY_FORGET;
    entries[i].expected = index_row_rev;
  }
  return replica_put_plain (replica, entries, rows->count, 0, outcomes, err);
}

int
indexes_forget_rows (struct replica *replica, const char *collection,
                     uint32_t number, struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX];
  struct buf from = BUF_INIT, to = BUF_INIT;
  struct doclist rows = DOCLIST_INIT;
  struct tally_slice first, last;
  int status = TALLY_OK;

  indexes_rows_name (name, collection);
  index_place (&from, number, slice_make (NULL, 0), false);
  index_place (&to, number, slice_make (NULL, 0), true);
  first = buf_slice (&from);
  last = buf_slice (&to);
  if (from.failed || to.failed)
    status = error_nomem (err);
  while (status == TALLY_OK) {
    doclist_clear (&rows);
    status = replica_find (replica, name, &first, &last, TALLY_FIND_IDS,
                           take_row, &rows, err);
    if (status == TALLY_OK && rows.failed)
      status = error_nomem (err);
    if (status != TALLY_OK || rows.count == 0)
      break;
    status = forget_some (replica, name, &rows, err);
  }
  doclist_free (&rows);
  buf_free (&to);
  buf_free (&from);
  return status;
}

/* ---- what is broken ----------------------------------------------------- */

int
indexes_each_broken (struct replica *replica, const char *collection,
                     indexes_broken_fn *fn, void *ctx, struct tally_error *err)
{
  struct index_list list;
  int status = indexes_load (replica, collection, &list, err);

  for (size_t i = 0; i < list.n && status == TALLY_OK; i++) {
    struct index_def *def = &list.defs[i];
    struct buf why = BUF_INIT;

    if (!def->unique || !def->ready)
      continue;
    status = indexes_find_duplicate (replica, collection, def,
                                     slice_make (NULL, 0), &why, err);
    buf_add_byte (&def->name, 0);
    if (status == TALLY_OK && why.size > 0) {
      buf_add_byte (&why, 0);
      if (why.failed || def->name.failed)
        status = error_nomem (err);
      else
        fn (ctx, def->name.data, why.data);
    }
    buf_free (&why);
  }
  index_list_free (&list);
  return status;
}
