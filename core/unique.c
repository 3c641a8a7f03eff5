/* SPDX-License-Identifier: MIT */
/* Documents with one key are neighbours in the rows.  Those without keys of
 * their own, which are few, are read. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "unique.h"

/* The record: no row, since a row's id has a mark in it. */
#define RECORD_ID "unique"

static int
copy_rev (void *ctx, const struct tally_doc *doc)
{
  memcpy (ctx, doc->rev, TALLY_REV_SIZE);
  return 1;
}

int
unique_begin (struct unique *unique, struct replica *replica,
              const char *collection, struct tally_error *err)
{
  int status;

  unique_end (unique);
  memset (unique, 0, sizeof *unique);
  unique->replica = replica;
  unique->collection = collection;
  indexes_rows_name (unique->rows, collection);
  status = indexes_recall (replica, collection, &unique->list, err);
  for (size_t i = 0; i < unique->list.n; i++)
    unique->any = unique->any || unique->list.defs[i].unique;
  return status;
}

void
unique_end (struct unique *unique)
{
  index_list_free (&unique->list);
}

/* ---- looking ------------------------------------------------------------ */

/* What is written, and whose key is looked for. */
struct search {
  const struct tally_entry *entries;
  size_t n, self;
  struct buf found; /* the id of another document */
  bool is_found;
  bool is_held; /* it has the key already */
};

/* Others of the same write count as what they become, see check_batch. */
static bool
is_written (const struct search *search, struct tally_slice id)
{
  for (size_t i = 0; i < search->n; i++)
    if (slice_equal (search->entries[i].doc.id, id))
      return true;
  return false;
}

static int
look (void *ctx, const struct tally_doc *doc)
{
  struct search *search = ctx;

  if (slice_equal (search->entries[search->self].doc.id, doc->id)) {
    search->is_held = true;
    return 1;
  }
  if (search->is_found || is_written (search, doc->id))
    return 0;
  buf_clear (&search->found);
  buf_add_slice (&search->found, doc->id);
  search->is_found = true;
  return 0;
}

static int
taken (const struct unique *unique, const struct index_def *def,
       struct tally_slice id, struct tally_slice other,
       struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "%s: document \"%.*s\": %.*s is unique, and \"%.*s\" has "
                    "the same",
                    unique->collection, (int) (id.size < 60 ? id.size : 60),
                    id.data, (int) (def->name.size < 60 ? def->name.size : 60),
                    def->name.data, (int) (other.size < 60 ? other.size : 60),
                    other.data);
}

/* A key that the document has already, as it may by a sync, is not given by
 * this write: it stays writable in all else. */
static int
check_key (const struct unique *unique, const struct index_def *def,
           struct tally_slice key, struct search *search,
           struct tally_error *err)
{
  struct buf from = BUF_INIT, to = BUF_INIT;
  int status;

  search->is_found = search->is_held = false;
  index_place (&from, def->number, key, false);
  index_place (&to, def->number, key, true);
  if (from.failed || to.failed)
    status = error_nomem (err);
  else
    status =
        indexes_scan (unique->replica, unique->collection, buf_slice (&from),
                      buf_slice (&to), look, search, err);
  if (status == TALLY_OK && search->found.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && search->is_found && !search->is_held)
    status = taken (unique, def, search->entries[search->self].doc.id,
                    buf_slice (&search->found), err);
  buf_free (&from);
  buf_free (&to);
  return status;
}

/* A key and which of the entries has it. */
struct owned {
  struct tally_slice key;
  size_t entry;
  bool is_held;
};

static int
by_key (const void *a, const void *b)
{
  return slice_cmp (((const struct owned *) a)->key,
                    ((const struct owned *) b)->key);
}

static bool
is_live (const struct tally_entry *entry)
{
  return !(entry->flags & TALLY_ENTRY_FORGET)
         && !(entry->doc.flags & TALLY_DOC_DELETED);
}

/* Two documents of one write. */
static int
check_batch (const struct unique *unique, const struct index_def *def,
             struct owned *owned, size_t n, const struct tally_entry *entries,
             struct tally_error *err)
{
  if (n > 1)
    qsort (owned, n, sizeof *owned, by_key);
  for (size_t i = 1; i < n; i++)
    if (slice_equal (owned[i - 1].key, owned[i].key)
        && index_key_is_value (owned[i].key)
        && !(owned[i - 1].is_held && owned[i].is_held))
      return taken (unique, def, entries[owned[i].entry].doc.id,
                    entries[owned[i - 1].entry].doc.id, err);
  return TALLY_OK;
}

static int
check_def (const struct unique *unique, const struct index_def *def,
           const struct tally_entry *entries, size_t n,
           struct tally_error *err)
{
  struct index_keys *keys = calloc (n + 1, sizeof *keys);
  struct search search = { .entries = entries, .n = n };
  struct owned *owned;
  size_t total = 0, at = 0;
  int status = keys ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    if (is_live (&entries[i]))
      status = index_keys_make (&keys[i], def, entries[i].doc.body, err);
    total += keys[i].n;
  }
  owned = calloc (total + 1, sizeof *owned);
  if (status == TALLY_OK && !owned)
    status = error_nomem (err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    search.self = i;
    for (size_t k = 0; k < keys[i].n && status == TALLY_OK; k++) {
      owned[at].key = keys[i].keys[k];
      owned[at].entry = i;
      if (index_key_is_value (keys[i].keys[k]))
        status = check_key (unique, def, keys[i].keys[k], &search, err);
      owned[at++].is_held = search.is_held;
    }
  }
  if (status == TALLY_OK)
    status = check_batch (unique, def, owned, at, entries, err);
  for (size_t i = 0; keys && i < n; i++)
    index_keys_free (&keys[i]);
  buf_free (&search.found);
  free (owned);
  free (keys);
  return status;
}

int
unique_guard (struct unique *unique, const struct tally_entry *entries,
              size_t n, struct tally_entry *record, struct tally_error *err)
{
  struct tally_slice id = slice_text (RECORD_ID);
  int status;

  memset (unique->expected, 0, sizeof unique->expected);
  status = replica_get (unique->replica, unique->rows, &id, 1, 0, copy_rev,
                        unique->expected, err);
  for (size_t i = 0; i < unique->list.n && status == TALLY_OK; i++)
    if (unique->list.defs[i].unique)
      status = check_def (unique, &unique->list.defs[i], entries, n, err);
  memset (record, 0, sizeof *record);
  record->collection = unique->rows;
  record->expected = unique->expected;
  record->doc.id = id;
  randombytes_buf (record->doc.rev, TALLY_REV_SIZE);
  record->doc.rev[0] &= 0x3f;
  record->doc.rev[1] |= 1;
  return status;
}
