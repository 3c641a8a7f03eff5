/* SPDX-License-Identifier: MIT */
/* Compare-and-retry rounds over a batch of local writes. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "doclist.h"
#include "document.h"
#include "edit.h"
#include "error.h"
#include "graves.h"
#include "hooks.h"
#include "journal.h"
#include "unique.h"
#include "write.h"

int
write_check (const char *collection, struct tally_error *err)
{
  static const char *const own[] = { NOTES_COLLECTION, JOURNAL_COLLECTION,
                                     GRAVES_COLLECTION };

  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (strcmp (collection, own[i]) == 0)
      return error_set (err, TALLY_INVALID,
                        "collection \"%s\": is the store's own", collection);
  return collection_check (collection, err);
}

/* Each lost round is somebody else's success; who loses so many is starved. */
#define ROUNDS_MAX 1000

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct writer {
  struct replica *replica;
  const char *collection;
  const struct write_item *items;
  struct write_result *results;

  size_t *todo; /* items of this round */
  size_t n_todo;
  struct doclist stored;
  struct tally_entry *entries;
  struct tally_outcome *outcomes;
  size_t *entry_item; /* which item an entry belongs to */
  size_t n_entries;
  struct buf *metas; /* of the entries */
  struct unique unique;
};

static void
set_result (struct writer *writer, size_t item, int outcome,
            const unsigned char *rev)
{
  struct write_result *result = &writer->results[item];

  result->status = TALLY_OK;
  result->outcome = outcome;
  memcpy (result->rev, rev, TALLY_REV_SIZE);
}

static void
add_entry (struct writer *writer, size_t item, const struct state *state,
           const struct tally_doc *stored)
{
  size_t at = writer->n_entries++;
  struct tally_entry *entry = &writer->entries[at];
  const struct write_item *write = &writer->items[item];

  memset (entry, 0, sizeof *entry);
  entry->collection = writer->collection;
  entry->expected = stored ? stored->rev : absent_rev;
  entry->doc.id = write->id;
  entry->doc.flags = state->deleted ? TALLY_DOC_DELETED : 0;
  buf_clear (&writer->metas[at]);
  state_encode (state, &writer->metas[at]);
  entry->doc.meta = buf_slice (&writer->metas[at]);
  entry->doc.body = state->body;
  state_rev (state, write->id, entry->doc.rev);
  writer->entry_item[at] = item;
}

static bool
is_expected (const struct write_item *item, const struct tally_doc *stored)
{
  if (!item->expected)
    return true;
  return memcmp (item->expected, stored ? stored->rev : absent_rev,
                 TALLY_REV_SIZE)
         == 0;
}

/* After a repair, or where a copy of this store went on, a document may have
 * seen later stamps of our client than any that we give now: a write under it
 * would count as known there. */
int
write_stamp (struct replica *replica, const struct state *old,
             struct stamp *stamp, struct tally_error *err)
{
  struct stamp newest;
  int status;

  if (!old)
    return replica_stamp (replica, NULL, stamp, err);
  newest = state_newest (old);
  status = replica_stamp (replica, &newest, stamp, err);
  while (status == TALLY_OK && state_knows (old, stamp, NULL)) {
    status = identity_renew (replica, err);
    if (status == TALLY_OK)
      status = replica_stamp (replica, &newest, stamp, err);
  }
  return status;
}

/* Decides one item against what is stored (NULL: nothing), or a grave: who
 * makes a document anew knows what was deleted, and goes on from there. */
static int
decide (struct writer *writer, size_t at, const struct tally_doc *stored,
        struct tally_error *err)
{
  const struct write_item *item = &writer->items[at];
  struct state old = { 0 }, new = { 0 };
  struct stamp stamp;
  struct tally_slice body = item->body;
  bool alive = stored && !(stored->flags & TALLY_DOC_DELETED);
  const struct tally_doc *here = stored && is_grave (stored) ? NULL : stored;
  bool changed = true;
  int status = TALLY_OK;

  if (!is_expected (item, here)) {
    writer->results[at].status = TALLY_CONFLICT;
    memcpy (writer->results[at].rev, here ? here->rev : absent_rev,
            TALLY_REV_SIZE);
    return TALLY_OK;
  }
  if (!item->body.data && !alive) {
    set_result (writer, at, TALLY_MISSING, absent_rev);
    return TALLY_OK;
  }
  status =
      hooks_before (writer->replica->hooks, writer->collection, item->id,
                    alive ? stored : NULL, &body, &writer->stored.arena, err);
  if (status != TALLY_OK)
    return status;
  if (stored) {
    status = state_decode (&old, !alive, stored->meta, stored->body, err);
    if (status != TALLY_OK)
      return error_set (err, status, "%s: document \"%.*s\": %s",
                        writer->replica->name, (int) item->id.size,
                        item->id.data, err->text);
  }
  status = write_stamp (writer->replica, stored ? &old : NULL, &stamp, err);
  if (status == TALLY_OK && body.data)
    status = edit_put (&new, &changed, stored ? &old : NULL, body,
                       item->replace, &stamp, err);
  else if (status == TALLY_OK)
    status = edit_delete (&new, &old, &stamp, err);
  if (status == TALLY_OK && changed)
    add_entry (writer, at, &new, here);
  else if (status == TALLY_OK)
    set_result (writer, at, TALLY_UNCHANGED, stored->rev);
  if (status == TALLY_OK && changed)
    writer->results[at].outcome = !item->body.data ? TALLY_DELETED
                                  : alive          ? TALLY_UPDATED
                                                   : TALLY_INSERTED;
  state_free (&new);
  state_free (&old);
  return status;
}

static int
read_stored (struct writer *writer, struct tally_error *err)
{
  struct tally_slice *ids = calloc (writer->n_todo, sizeof *ids);
  bool graves = false;
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < writer->n_todo; i++)
    ids[i] = writer->items[writer->todo[i]].id;
  doclist_clear (&writer->stored);
  status =
      replica_get (writer->replica, writer->collection, ids, writer->n_todo,
                   TALLY_GET_BODY, doclist_emit, &writer->stored, err);
  if (status == TALLY_OK && writer->stored.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && writer->stored.count < writer->n_todo)
    status = graves_are_there (writer->replica, &graves, err);
  if (status == TALLY_OK && graves)
    status = graves_fill (&writer->stored, writer->replica, writer->collection,
                          ids, writer->n_todo, TALLY_GET_BODY, err);
  free (ids);
  return status;
}

static int
decide_all (struct writer *writer, struct tally_error *err)
{
  size_t at = 0;
  int status = TALLY_OK;

  writer->n_entries = 0;
  for (size_t i = 0; i < writer->n_todo && status == TALLY_OK; i++) {
    size_t item = writer->todo[i];
    const struct tally_doc *stored =
        doclist_next_if (&writer->stored, &at, writer->items[item].id);

    status = decide (writer, item, stored, err);
  }
  for (size_t i = 0; i < writer->n_entries && status == TALLY_OK; i++)
    if (writer->metas[i].failed)
      status = error_nomem (err);
  return status;
}

static int
unknown_outcome (const struct writer *writer, int status,
                 struct tally_error *err)
{
  return error_set (err, TALLY_FAILED,
                    "%s: its driver gave an outcome with the unknown status "
                    "%d",
                    writer->replica->name, status);
}

/* All of them go again when one lost, or the record of unique indexes did. */
static int
put_unique (struct writer *writer, struct tally_error *err)
{
  size_t n = writer->n_entries;
  int status = unique_guard (&writer->unique, writer->entries, n,
                             &writer->entries[n], err);
  bool lost = false;

  if (status == TALLY_OK)
    status =
        replica_put (writer->replica, writer->entries, n + 1,
                     TALLY_PUT_ALL | INDEXES_LOOKED, writer->outcomes, err);
  writer->n_todo = 0;
  for (size_t i = 0; i <= n && status == TALLY_OK; i++)
    lost = lost || writer->outcomes[i].status != TALLY_OK;
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    size_t item = writer->entry_item[i];

    if (lost) {
      writer->todo[writer->n_todo++] = item;
      continue;
    }
    set_result (writer, item, writer->results[item].outcome,
                writer->entries[i].doc.rev);
    writer->results[item].seq = writer->outcomes[i].seq;
  }
  return status;
}

/* Leaves in todo what another writer was faster at. */
static int
put_all (struct writer *writer, unsigned flags, struct tally_error *err)
{
  int status;

  if (writer->unique.any && writer->n_entries > 0)
    return put_unique (writer, err);
  status = replica_put (writer->replica, writer->entries, writer->n_entries,
                        flags | INDEXES_LOOKED, writer->outcomes, err);
  writer->n_todo = 0;
  for (size_t i = 0; i < writer->n_entries && status == TALLY_OK; i++) {
    size_t item = writer->entry_item[i];

    if (writer->outcomes[i].status == TALLY_OK) {
      set_result (writer, item, writer->results[item].outcome,
                  writer->entries[i].doc.rev);
      writer->results[item].seq = writer->outcomes[i].seq;
    } else if (writer->outcomes[i].status == TALLY_CONFLICT)
      writer->todo[writer->n_todo++] = item;
    else
      status = unknown_outcome (writer, writer->outcomes[i].status, err);
  }
  return status;
}

static int
run_rounds (struct writer *writer, struct tally_error *err)
{
  int status = TALLY_OK;
  unsigned round;

  for (round = 0; writer->n_todo > 0 && round < ROUNDS_MAX; round++) {
    status = unique_begin (&writer->unique, writer->replica,
                           writer->collection, err);
    if (status == TALLY_OK)
      status = read_stored (writer, err);
    if (status == TALLY_OK)
      status = decide_all (writer, err);
    if (status == TALLY_OK)
      status = put_all (writer, 0, err);
    if (status != TALLY_OK)
      return status;
  }
  if (writer->n_todo > 0)
    return error_set (err, TALLY_AGAIN, "%s: too many writers at once",
                      writer->replica->name);
  return status;
}

/* One round, which writes all or nothing where the store can. */
static int
run_together (struct writer *writer, bool *written, struct tally_error *err)
{
  unsigned flags = replica_has_batches (writer->replica) ? TALLY_PUT_ALL : 0;
  size_t n = writer->n_todo;
  int status =
      unique_begin (&writer->unique, writer->replica, writer->collection, err);

  if (status == TALLY_OK)
    status = read_stored (writer, err);
  if (status == TALLY_OK)
    status = decide_all (writer, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    if (writer->results[i].status == TALLY_CONFLICT)
      return TALLY_OK;
  if (status == TALLY_OK)
    status = put_all (writer, flags, err);
  *written = status == TALLY_OK && writer->n_todo == 0;
  return status;
}

static int
run_writer (struct writer *writer, size_t n, bool together, bool *written,
            struct tally_error *err)
{
  int status;

  writer->todo = calloc (n, sizeof *writer->todo);
  writer->entries = calloc (n + 1, sizeof *writer->entries);
  writer->outcomes = calloc (n + 1, sizeof *writer->outcomes);
  writer->entry_item = calloc (n, sizeof *writer->entry_item);
  writer->metas = calloc (n, sizeof *writer->metas);
  writer->n_todo = n;
  memset (writer->results, 0, n * sizeof *writer->results);
  if (!writer->todo || !writer->entries || !writer->outcomes
      || !writer->entry_item || !writer->metas)
    status = error_nomem (err);
  else {
    for (size_t i = 0; i < n; i++)
      writer->todo[i] = i;
    status = together ? run_together (writer, written, err)
                      : run_rounds (writer, err);
  }
  unique_end (&writer->unique);
  for (size_t i = 0; writer->metas && i < n; i++)
    buf_free (&writer->metas[i]);
  free (writer->metas);
  free (writer->entry_item);
  free (writer->outcomes);
  free (writer->entries);
  free (writer->todo);
  doclist_free (&writer->stored);
  return status;
}

int
write_batch (struct replica *replica, const char *collection,
             const struct write_item *items, size_t n,
             struct write_result *results, struct tally_error *err)
{
  struct writer writer = { .replica = replica,
                           .collection = collection,
                           .items = items,
                           .results = results };

  return n > 0 ? run_writer (&writer, n, false, NULL, err) : TALLY_OK;
}

int
write_together (struct replica *replica, const char *collection,
                const struct write_item *items, size_t n,
                struct write_result *results, bool *written,
                struct tally_error *err)
{
  struct writer writer = { .replica = replica,
                           .collection = collection,
                           .items = items,
                           .results = results };

  *written = n == 0;
  return n > 0 ? run_writer (&writer, n, true, written, err) : TALLY_OK;
}
