/* SPDX-License-Identifier: MIT */
/* Rows: what an index has for a document, and what of it changes. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "indexes-internal.h"

const unsigned char index_row_rev[TALLY_REV_SIZE] = { 1, 1, 1, 1, 1, 1, 1,
                                                      1, 1, 1, 1, 1, 1, 1,
                                                      1, 1, 1, 1, 1, 1, 1,
                                                      1, 1, 1, 1, 1, 1, 1 };

/* ---- which -------------------------------------------------------------- */

bool
indexes_possible (const struct replica *replica)
{
  return replica_can_find (replica) && replica_has_batches (replica);
}

bool
indexes_concern (const char *collection)
{
  return collection[0] != '_';
}

void
indexes_rows_name (char out[COLLECTION_TEXT_MAX], const char *collection)
{
  size_t size = strnlen (collection, 250);

  memcpy (out, INDEX_PREFIX, sizeof INDEX_PREFIX - 1);
  memcpy (out + sizeof INDEX_PREFIX - 1, collection, size);
  out[sizeof INDEX_PREFIX - 1 + size] = '\0';
}

/* ---- rows --------------------------------------------------------------- */

int
rows_add (struct rows *rows, const char *collection, uint32_t number,
          struct tally_slice key, struct tally_slice id, bool gone,
          struct tally_error *err)
{
  struct buf row = BUF_INIT;
  struct tally_entry *entry;
  char *copy;

  if (rows->n == rows->room) {
    size_t room = rows->room ? 2 * rows->room : 64;

    entry = realloc (rows->entries, room * sizeof *entry);
    if (!entry)
      return error_nomem (err);
    rows->entries = entry;
    rows->room = room;
  }
  index_row (&row, number, key, id);
  copy = row.failed ? NULL : arena_add (&rows->arena, row.data, row.size);
  entry = &rows->entries[rows->n];
  memset (entry, 0, sizeof *entry);
  entry->collection = collection;
  entry->doc.id = slice_make (copy, row.size);
  memcpy (entry->doc.rev, index_row_rev, TALLY_REV_SIZE);
  if (id.size > INDEX_ID_MAX)
    entry->doc.body = id;
  if (gone) {
    entry->flags = TALLY_ENTRY_FORGET;
    entry->expected = index_row_rev;
  }
  buf_free (&row);
  if (!copy)
    return error_nomem (err);
  rows->n++;
  return TALLY_OK;
}

void
rows_free (struct rows *rows)
{
  free (rows->entries);
  arena_free (&rows->arena);
  memset (rows, 0, sizeof *rows);
}

/* Keys that only the one has. */
static int
add_difference (struct rows *rows, const char *collection, uint32_t number,
                const struct index_keys *these, const struct index_keys *those,
                struct tally_slice id, bool gone, struct tally_error *err)
{
  size_t j = 0;
  int status = TALLY_OK;

  for (size_t i = 0; i < these->n && status == TALLY_OK; i++) {
    while (j < those->n && slice_cmp (those->keys[j], these->keys[i]) < 0)
      j++;
    if (j == those->n || !slice_equal (those->keys[j], these->keys[i]))
      status =
          rows_add (rows, collection, number, these->keys[i], id, gone, err);
  }
  return status;
}

int
rows_change (struct rows *rows, const struct index_list *list,
             const char *collection, struct tally_slice id,
             struct tally_slice was, struct tally_slice is,
             struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < list->n && status == TALLY_OK; i++) {
    const struct index_def *def = &list->defs[i];
    struct index_keys old = { 0 }, new = { 0 };

    if (was.data)
      status = index_keys_make (&old, def, was, err);
    if (status == TALLY_OK && is.data)
      status = index_keys_make (&new, def, is, err);
    if (status == TALLY_OK)
      status = add_difference (rows, collection, def->number, &old, &new, id,
                               true, err);
    if (status == TALLY_OK)
      status = add_difference (rows, collection, def->number, &new, &old, id,
                               false, err);
    if (index_keys_marked (&new, id) && !def->marks)
      rows->marks |= UINT64_C (1) << i;
    index_keys_free (&old);
    index_keys_free (&new);
  }
  return status;
}

/* A row that is to go and is not there yet: its document is one that no build
 * of the index has come to. */
int
rows_settle (struct rows *rows, struct replica *replica,
             struct tally_error *err)
{
  struct tally_slice *ids = calloc (rows->n + 1, sizeof *ids);
  struct doclist there = DOCLIST_INIT;
  size_t n = 0, at = 0, kept = 0;
  int status = ids ? TALLY_OK : error_nomem (err);

  /* Entries of one collection stand together, see indexes_put. */
  for (size_t from = 0, to; from < rows->n && status == TALLY_OK; from = to) {
    const char *collection = rows->entries[from].collection;

    for (to = from, n = 0;
         to < rows->n && rows->entries[to].collection == collection; to++)
      if (rows->entries[to].flags & TALLY_ENTRY_FORGET)
        ids[n++] = rows->entries[to].doc.id;
    if (n > 0)
      status = replica_get (replica, collection, ids, n, 0, doclist_emit,
                            &there, err);
  }
  if (status == TALLY_OK && there.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < rows->n && status == TALLY_OK; i++)
    if (!(rows->entries[i].flags & TALLY_ENTRY_FORGET)
        || doclist_next_if (&there, &at, rows->entries[i].doc.id))
      rows->entries[kept++] = rows->entries[i];
  if (status == TALLY_OK)
    rows->n = kept;
  doclist_free (&there);
  free (ids);
  return status;
}
