/* SPDX-License-Identifier: MIT */
/* Making an index.  First it is noted, not ready, and from then on every put
 * keeps it; then all documents are walked over and the rows that they lack are
 * put; then it is ready.  Killed anywhere, it is not ready, and the next call
 * walks once more: rows that are there already are put over themselves. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "indexes-internal.h"
#include "walk.h"

#define BATCH 256
#define ROUNDS_MAX 1000

struct building {
  struct replica *replica;
  const char *collection;
  char rows_name[COLLECTION_TEXT_MAX];
  struct index_list list;
  struct doclist docs; /* of the batch, with bodies */
  uint64_t done;
};

/* ---- the note ----------------------------------------------------------- */

struct noting {
  const char *collection, *fields;
  bool unique, sparse;
  bool makes_ready;
  bool was_ready;
  uint32_t number;
};

/* No query can ask for it. */
static int
check_fields (const char *fields, struct tally_error *err)
{
  const char *at = fields;

  while (at) {
    at += at[0] == '-';
    if (at[0] == '$')
      return error_set (err, TALLY_INVALID,
                        "index: \"%.*s\": no query can ask for a name that "
                        "begins with \"$\"",
                        (int) strcspn (at, ","), at);
    at = strchr (at, ',');
    at += at != NULL;
  }
  return TALLY_OK;
}

/* Adds it, or says that it is ready. */
static int
edit_in (void *ctx, struct index_list *list, bool *changes,
         struct tally_error *err)
{
  struct noting *noting = ctx;
  struct index_def *def = index_list_find (list, noting->fields);
  int status;

  noting->was_ready = def && def->ready;
  *changes = !def || (noting->makes_ready && !def->ready);
  if (def && (def->unique != noting->unique || def->sparse != noting->sparse))
    return error_set (err, TALLY_INVALID,
                      "%s: an index on %s is there, which is%s unique and"
                      "%s sparse",
                      noting->collection, noting->fields,
                      def->unique ? "" : " not", def->sparse ? "" : " not");
  if (noting->makes_ready && (!def || def->number != noting->number))
    return error_set (err, TALLY_NOTFOUND,
                      "%s: the index on %s was dropped while it was made",
                      noting->collection, noting->fields);
  if (!def) {
    status = index_list_add (list, noting->fields, noting->unique,
                             noting->sparse, err);
    if (status != TALLY_OK)
      return status;
    def = &list->defs[list->n - 1];
  }
  noting->number = def->number;
  def->ready = def->ready || noting->makes_ready;
  return TALLY_OK;
}

/* Takes it out again, unless somebody has made it ready. */
static int
edit_out (void *ctx, struct index_list *list, bool *changes,
          struct tally_error *err)
{
  const struct index_def *def = index_list_find (list, ctx);

  (void) err;
  *changes = def && !def->ready;
  if (*changes)
    index_list_remove (list, (size_t) (def - list->defs));
  return TALLY_OK;
}

/* ---- documents ---------------------------------------------------------- */

static int
copy_doc (void *ctx, const struct tally_doc *doc)
{
  struct building *b = ctx;

  if (!doclist_add (&b->docs, doc))
    return 1;
  return b->docs.count >= BATCH || b->docs.bytes >= (size_t) 2 << 20;
}

static int
put_rows (struct building *b, struct rows *rows, struct tally_error *err)
{
  struct tally_outcome *outcomes;
  int status;

  if (rows->n == 0)
    return TALLY_OK;
  outcomes = calloc (rows->n, sizeof *outcomes);
  status = outcomes ? replica_put_plain (b->replica, rows->entries, rows->n, 0,
                                         outcomes, err)
                    : error_nomem (err);
  free (outcomes);
  return status;
}

static struct tally_slice
body_of (const struct tally_doc *doc)
{
  if (!doc || (doc->flags & TALLY_DOC_DELETED))
    return slice_make (NULL, 0);
  return doc->body;
}

/* Rows of what a document was when it was read must not stay when it has
 * become something else before they were put. */
static int
follow (struct building *b, struct tally_error *err)
{
  struct doclist now = DOCLIST_INIT;
  struct tally_slice *ids = calloc (b->docs.count + 1, sizeof *ids);
  struct rows rows = { 0 };
  size_t at = 0;
  int status = ids ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < b->docs.count && ids; i++)
    ids[i] = b->docs.docs[i].id;
  if (status == TALLY_OK)
    status = replica_get (b->replica, b->collection, ids, b->docs.count,
                          TALLY_GET_BODY, doclist_emit, &now, err);
  for (size_t i = 0; i < b->docs.count && status == TALLY_OK; i++) {
    const struct tally_doc *was = &b->docs.docs[i];
    const struct tally_doc *is = doclist_next_if (&now, &at, was->id);

    if (!is || memcmp (is->rev, was->rev, TALLY_REV_SIZE) != 0)
      status = rows_change (&rows, &b->list, b->rows_name, was->id,
                            body_of (was), body_of (is), err);
  }
  if (status == TALLY_OK)
    status = rows_settle (&rows, b->replica, err);
  if (status == TALLY_OK)
    status = indexes_note_marks (b->replica, b->collection, &b->list,
                                 &rows.marks, err);
  if (status == TALLY_OK)
    status = put_rows (b, &rows, err);
  rows_free (&rows);
  doclist_free (&now);
  free (ids);
  return status;
}

static int
build_batch (struct building *b, struct tally_error *err)
{
  struct rows rows = { 0 };
  int status = TALLY_OK;

  for (size_t i = 0; i < b->docs.count && status == TALLY_OK; i++)
    status =
        rows_change (&rows, &b->list, b->rows_name, b->docs.docs[i].id,
                     slice_make (NULL, 0), body_of (&b->docs.docs[i]), err);
  if (status == TALLY_OK)
    status = indexes_note_marks (b->replica, b->collection, &b->list,
                                 &rows.marks, err);
  if (status == TALLY_OK)
    status = put_rows (b, &rows, err);
  rows_free (&rows);
  return status == TALLY_OK ? follow (b, err) : status;
}

static int
build_all (struct building *b, indexes_progress_fn *progress, void *ctx,
           struct tally_error *err)
{
  const struct tally_host *host = b->replica->host;
  struct tally_digest digest = { 0 };
  struct walk walk;
  int status = TALLY_OK;

  /* Where the store keeps no count, nobody knows how many there will be. */
  if (progress && replica_keeps_digest (b->replica))
    status = replica_digest (b->replica, b->collection, 0, &digest, err);
  walk_start (&walk, b->replica, b->collection);
  while (status == TALLY_OK && !walk.done) {
    doclist_clear (&b->docs);
    status = walk_on (&walk, copy_doc, b, err);
    if (status == TALLY_OK && b->docs.failed)
      status = error_nomem (err);
    if (status == TALLY_OK)
      status = build_batch (b, err);
    b->done += b->docs.count;
    if (progress)
      progress (ctx, b->done, digest.count);
    if (status == TALLY_OK && host && host->cancelled
        && host->cancelled (host->ctx))
      status = error_set (err, TALLY_CANCELLED, "cancelled");
  }
  walk_end (&walk);
  return status;
}

/* Killed in between, it is there and not ready, and the next call finds the
 * same documents.  Rows of writes that knew it while it went are left, under
 * a number that is given to no other. */
static int
give_up (struct building *b, uint32_t number, const char *fields,
         struct tally_error *err)
{
  int status = indexes_forget_rows (b->replica, b->collection, number, err);

  if (status == TALLY_OK)
    status = indexes_edit (b->replica, b->collection, &b->list, edit_out,
                           (void *) (uintptr_t) fields, err);
  if (status == TALLY_OK)
    status = indexes_forget_rows (b->replica, b->collection, number, err);
  return status;
}

/* From its note on, writes through here have kept to it among themselves and
 * what was built so far. */
static int
check_unique (struct building *b, const char *fields, struct tally_error *err)
{
  const struct index_def *def = index_list_find (&b->list, fields);
  struct buf why = BUF_INIT;
  uint32_t number = def->number;
  int status = indexes_find_duplicate (b->replica, b->collection, def,
                                       slice_make (NULL, 0), &why, err);

  if (status == TALLY_OK && why.size > 0) {
    status = give_up (b, number, fields, err);
    if (status == TALLY_OK)
      status = error_set (err, TALLY_INVALID, "%s: %s cannot be unique: %.*s",
                          b->collection, fields, (int) why.size, why.data);
  }
  buf_free (&why);
  return status;
}

int
indexes_ensure (struct replica *replica, const char *collection,
                const char *fields, bool unique, bool sparse,
                indexes_progress_fn *progress, void *ctx,
                struct tally_error *err)
{
  struct building b = { .replica = replica, .collection = collection };
  struct noting noting = {
    collection, fields, unique, sparse, false, false, 0
  };
  int status;

  if (!indexes_possible (replica))
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: its driver cannot keep indexes", replica->name);
  status = check_fields (fields, err);
  if (status != TALLY_OK)
    return status;
  indexes_rows_name (b.rows_name, collection);
  status = indexes_edit (replica, collection, &b.list, edit_in, &noting, err);
  if (status == TALLY_OK && !noting.was_ready)
    status = indexes_tell_made (replica, collection, noting.number, err);
  if (status == TALLY_OK && !noting.was_ready) {
    status = build_all (&b, progress, ctx, err);
    if (status == TALLY_OK && unique)
      status = check_unique (&b, fields, err);
    noting.makes_ready = true;
    if (status == TALLY_OK)
      status =
          indexes_edit (replica, collection, &b.list, edit_in, &noting, err);
  }
  index_list_free (&b.list);
  doclist_free (&b.docs);
  return status;
}
