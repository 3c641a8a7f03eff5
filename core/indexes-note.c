/* SPDX-License-Identifier: MIT */
/* The note that says which indexes a collection has: read with each search,
 * and by puts when they do not know it; changed by compare-and-set. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "indexes-internal.h"

#define ROUNDS_MAX 1000

void
indexes_note_name (char out[COLLECTION_TEXT_MAX], const char *collection)
{
  snprintf (out, COLLECTION_TEXT_MAX, "index.%.240s", collection);
}

int
indexes_load (struct replica *replica, const char *collection,
              struct index_list *out, struct tally_error *err)
{
  char key[COLLECTION_TEXT_MAX];
  struct buf note = BUF_INIT;
  bool found = false;
  int status = TALLY_OK;

  memset (out, 0, sizeof *out);
  if (!indexes_possible (replica) || !indexes_concern (collection))
    return TALLY_OK;
  indexes_note_name (key, collection);
  status = replica_note_get (replica, key, &note, &found, err);
  if (status == TALLY_OK && found)
    status = index_list_read (out, buf_slice (&note), err);
  if (status == TALLY_CORRUPT && found)
    error_set (err, status, "%s: %s: %s", replica->name, collection,
               err->text);
  buf_free (&note);
  return status;
}

static int
edit_once (struct replica *replica, const char *key, struct index_list *list,
           indexes_edit_fn *edit, void *ctx, struct tally_error *err)
{
  struct buf before = BUF_INIT, after = BUF_INIT;
  struct tally_slice expected = { NULL, 0 }, value;
  bool found = false, changes = false;
  int status = replica_note_get (replica, key, &before, &found, err);

  if (status == TALLY_OK)
    status = index_list_read (list, buf_slice (&before), err);
  if (status == TALLY_OK)
    status = edit (ctx, list, &changes, err);
  if (status == TALLY_OK && changes) {
    index_list_write (list, &after);
    if (found)
      expected = buf_slice (&before);
    value = buf_slice (&after);
    status = after.failed
                 ? error_nomem (err)
                 : replica_note_put (replica, key, &expected, &value, err);
  }
  buf_free (&before);
  buf_free (&after);
  return status;
}

int
indexes_edit (struct replica *replica, const char *collection,
              struct index_list *list, indexes_edit_fn *edit, void *ctx,
              struct tally_error *err)
{
  char key[COLLECTION_TEXT_MAX];
  int status = TALLY_CONFLICT;

  indexes_note_name (key, collection);
  for (unsigned round = 0; status == TALLY_CONFLICT && round < ROUNDS_MAX;
       round++) {
    index_list_free (list);
    status = edit_once (replica, key, list, edit, ctx, err);
  }
  indexes_unlearn (replica, collection);
  return status;
}

/* Ahead of the first row of an index, and after the last of one that goes. */
int
indexes_tell_made (struct replica *replica, const char *collection,
                   uint32_t number, struct tally_error *err)
{
  char rows[COLLECTION_TEXT_MAX], id[INDEX_MADE_MAX];
  struct tally_entry entry = { .collection = rows };
  struct tally_outcome outcome;

  indexes_rows_name (rows, collection);
  indexes_made_id (id, number);
  entry.doc.id = slice_text (id);
  memcpy (entry.doc.rev, index_row_rev, TALLY_REV_SIZE);
  return replica_put_plain (replica, &entry, 1, 0, &outcome, err);
}

/* ---- marks -------------------------------------------------------------- */

struct marking {
  const struct index_list *of;
  uint64_t which;
};

static int
set_marks (void *ctx, struct index_list *list, bool *changes,
           struct tally_error *err)
{
  const struct marking *marking = ctx;

  (void) err;
  for (size_t i = 0; i < marking->of->n; i++)
    for (size_t k = 0; k < list->n && (marking->which >> i & 1); k++)
      if (list->defs[k].number == marking->of->defs[i].number
          && !list->defs[k].marks)
        list->defs[k].marks = *changes = true;
  return TALLY_OK;
}

int
indexes_note_marks (struct replica *replica, const char *collection,
                    struct index_list *list, uint64_t *which,
                    struct tally_error *err)
{
  struct marking marking = { list, *which };
  struct index_list now = { 0 };
  int status = TALLY_OK;

  if (*which)
    status =
        indexes_edit (replica, collection, &now, set_marks, &marking, err);
  for (size_t i = 0; i < list->n && status == TALLY_OK; i++)
    if (*which >> i & 1)
      list->defs[i].marks = true;
  if (status == TALLY_OK)
    *which = 0;
  index_list_free (&now);
  return status;
}
