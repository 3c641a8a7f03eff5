/* SPDX-License-Identifier: MIT */
/* Compare-and-retry rounds over a batch of local writes. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "document.h"
#include "error.h"
#include "graves.h"
#include "journal.h"
#include "write-internal.h"

bool
write_is_own (const char *collection)
{
  static const char *const own[] = { NOTES_COLLECTION, JOURNAL_COLLECTION,
                                     JOURNAL_BLIND_COLLECTION,
                                     GRAVES_COLLECTION };

  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (strcmp (collection, own[i]) == 0)
      return true;
  /* No account's name begins so; those of indexes do, say. */
  return collection_is_local (collection) && strchr (collection, ':');
}

static int
refuse_own (const char *collection, struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "collection \"%s\": is the store's own", collection);
}

int
write_check (const char *collection, struct tally_error *err)
{
  return write_is_own (collection) ? refuse_own (collection, err)
                                   : collection_check (collection, err);
}

int
write_check_any (const char *collection, struct tally_error *err)
{
  return write_is_own (collection) ? refuse_own (collection, err)
                                   : collection_check_any (collection, err);
}

/* Each lost round is somebody else's success; who loses so many is starved. */
#define ROUNDS_MAX 1000

/* Finds the targets, and puts their ids into ids. */
static bool
find_targets (struct writer *writer, struct tally_slice *ids)
{
  idmap_clear (&writer->ids);
  for (size_t i = 0; i < writer->n_todo; i++) {
    size_t item = writer->todo[i], n = writer->ids.count;

    if (!idmap_add (&writer->ids, writer->items[item].id, n,
                    &writer->target_of[item]))
      return false;
    ids[writer->target_of[item]] = writer->items[item].id;
  }
  return true;
}

static int
read_targets (struct writer *writer, const struct tally_slice *ids,
              struct tally_error *err)
{
  size_t n = writer->ids.count, at = 0;
  bool graves = false;
  int status;

  doclist_clear (&writer->stored);
  status = replica_get (writer->replica, writer->collection, ids, n,
                        TALLY_GET_BODY, doclist_emit, &writer->stored, err);
  if (status == TALLY_OK && writer->stored.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && writer->stored.count < n)
    status = graves_are_there (writer->replica, &graves, err);
  if (status == TALLY_OK && graves)
    status = graves_fill (&writer->stored, writer->replica, writer->collection,
                          ids, n, TALLY_GET_BODY, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    writer->targets[i].stored = doclist_next_if (&writer->stored, &at, ids[i]);
    writer->targets[i].entry = NULL;
  }
  return status;
}

static int
read_stored (struct writer *writer, struct tally_error *err)
{
  struct tally_slice *ids = calloc (writer->n_todo, sizeof *ids);
  int status = ids && find_targets (writer, ids)
                   ? read_targets (writer, ids, err)
                   : error_nomem (err);

  free (ids);
  return status;
}

static int
decide_all (struct writer *writer, struct tally_error *err)
{
  int status = TALLY_OK;

  writer->n_entries = 0;
  for (size_t i = 0; i < writer->n_todo && status == TALLY_OK; i++)
    status = write_decide (writer, writer->todo[i], err);
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

/* Leaves in todo what another writer was faster at; lost: all of it. */
static int
settle (struct writer *writer, bool lost, struct tally_error *err)
{
  size_t n = writer->n_todo;

  writer->n_todo = 0;
  for (size_t i = 0; i < n; i++) {
    size_t item = writer->todo[i];
    const struct tally_entry *entry = target_of (writer, item)->entry;
    const struct tally_outcome *outcome;

    if (!entry)
      continue;
    outcome = &writer->outcomes[entry - writer->entries];
    if (lost || outcome->status == TALLY_CONFLICT)
      writer->todo[writer->n_todo++] = item;
    else if (outcome->status != TALLY_OK)
      return unknown_outcome (writer, outcome->status, err);
    else if (writer->results[item].outcome != TALLY_UNCHANGED)
      writer->results[item].seq = outcome->seq;
  }
  return TALLY_OK;
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
  for (size_t i = 0; i <= n && status == TALLY_OK; i++)
    lost = lost || writer->outcomes[i].status != TALLY_OK;
  return status == TALLY_OK ? settle (writer, lost, err) : status;
}

static int
put_all (struct writer *writer, unsigned flags, struct tally_error *err)
{
  int status;

  if (writer->unique.any && writer->n_entries > 0)
    return put_unique (writer, err);
  status = replica_put (writer->replica, writer->entries, writer->n_entries,
                        flags | INDEXES_LOOKED, writer->outcomes, err);
  return status == TALLY_OK ? settle (writer, false, err) : status;
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
  writer->targets = calloc (n, sizeof *writer->targets);
  writer->target_of = calloc (n, sizeof *writer->target_of);
  writer->metas = calloc (n, sizeof *writer->metas);
  writer->n_todo = n;
  memset (writer->results, 0, n * sizeof *writer->results);
  if (!writer->todo || !writer->entries || !writer->outcomes
      || !writer->targets || !writer->target_of || !writer->metas)
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
  idmap_free (&writer->ids);
  free (writer->target_of);
  free (writer->targets);
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
