/* SPDX-License-Identifier: MIT */
/* put, get, remove and collections of tally.h. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "context.h"
#include "doclist.h"
#include "document.h"
#include "hooks.h"
#include "mirror.h"
#include "public.h"
#include "puttext.h"
#include "rev.h"
#include "write.h"

/* ---- put ---------------------------------------------------------------- */

struct putting {
  struct replica *replica;
  const char *collection;
  const struct tally_put_options *options;
  unsigned char rev[TALLY_REV_SIZE];
  bool has_rev;
  tally_written_fn *emit;
  void *ctx;

  /* For one batch. */
  struct write_item *items;
  struct write_result *results;
  bool *made;
  size_t n;
  bool stop;
};

static int
emit_written (struct putting *putting, const struct write_item *item,
              const struct write_result *result, bool made,
              struct tally_error *err)
{
  struct tally_written written = { .size = sizeof written };
  char rev[TALLY_REV_TEXT], id[TALLY_ID_MAX + 1];

  if (result->status == TALLY_CONFLICT)
    return error_set (err, TALLY_CONFLICT, "%.*s: moved since it was read",
                      (int) item->id.size, item->id.data);
  if (!putting->emit || putting->stop)
    return TALLY_OK;
  memcpy (id, item->id.data, item->id.size);
  id[item->id.size] = '\0';
  rev_to_text (rev, result->rev);
  written.collection = putting->collection;
  written.id = id;
  written.rev = result->outcome == TALLY_MISSING ? "" : rev;
  written.outcome = result->outcome;
  written.generated_id = made;
  putting->stop = putting->emit (putting->ctx, &written);
  return TALLY_OK;
}

static int
flush (struct putting *putting, struct tally_error *err)
{
  int status = write_batch (putting->replica, putting->collection,
                            putting->items, putting->n, putting->results, err);

  for (size_t i = 0; i < putting->n && status == TALLY_OK; i++)
    status = emit_written (putting, &putting->items[i], &putting->results[i],
                           putting->made[i], err);
  putting->n = 0;
  return status;
}

/* For n documents in all. */
static int
putting_start (struct putting *putting, size_t n, struct tally_error *err)
{
  size_t room = n < WRITE_BATCH ? n : WRITE_BATCH;

  putting->items = calloc (room + 1, sizeof *putting->items);
  putting->results = calloc (room + 1, sizeof *putting->results);
  putting->made = calloc (room + 1, sizeof *putting->made);
  return putting->items && putting->results && putting->made
             ? TALLY_OK
             : error_nomem (err);
}

static void
putting_end (struct putting *putting)
{
  free (putting->made);
  free (putting->results);
  free (putting->items);
}

static int
add_item (struct putting *putting, const struct write_item *item, bool made,
          struct tally_error *err)
{
  int status = putting->n == WRITE_BATCH ? flush (putting, err) : TALLY_OK;

  /* Whoever was told may have said stop. */
  if (status != TALLY_OK || putting->stop)
    return status;
  putting->items[putting->n] = *item;
  putting->made[putting->n++] = made;
  return TALLY_OK;
}

static int
put_documents (struct putting *putting, const struct doclist *docs,
               struct tally_error *err)
{
  size_t bytes = 0;
  int status = TALLY_OK;

  for (size_t i = 0; i < docs->count && status == TALLY_OK && !putting->stop;
       i++) {
    const struct tally_doc *doc = &docs->docs[i];
    struct write_item item = { doc->id, doc->body, putting->options->replace,
                               putting->has_rev ? putting->rev : NULL };

    if (bytes + doc->body.size > WRITE_BATCH_BYTES) {
      status = flush (putting, err);
      bytes = 0;
    }
    bytes += doc->body.size;
    if (status == TALLY_OK)
      status = add_item (putting, &item, doc->flags, err);
  }
  if (status == TALLY_OK)
    status = flush (putting, err);
  return status;
}

/* Of all of them, before the first write. */
static int
check_schema (const struct putting *putting, const struct doclist *docs,
              struct tally_error *err)
{
  for (size_t i = 0; i < docs->count; i++) {
    int status = hooks_check (putting->replica->hooks, putting->collection,
                              docs->docs[i].body, err);

    if (status == TALLY_INVALID)
      return error_set (err, status, "document %zu: %s", i + 1, err->text);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

int
tally_put (struct tally_replica *replica, const char *collection,
           const char *json, size_t json_size,
           const struct tally_put_options *given, tally_written_fn *emit,
           void *ctx, struct tally_error *err)
{
  struct tally_put_options options = { 0 };
  struct puttext input = { 0 };
  struct putting putting = {
    .collection = collection, .options = &options, .emit = emit, .ctx = ctx
  };
  int status;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  input.id_field = options.id_field;
  status = write_check (collection, err);
  if (status == TALLY_OK && options.rev) {
    putting.has_rev = true;
    if (!rev_from_text (putting.rev, options.rev))
      status = error_set (err, TALLY_INVALID, "\"%.60s\": is not a revision",
                          options.rev);
  }
  if (status == TALLY_OK)
    status = puttext_read (&input, json, json_size, options.at, err);
  if (status == TALLY_OK && options.rev && input.docs.count != 1)
    status = error_set (err, TALLY_USAGE,
                        "a revision goes with one document, "
                        "not %zu",
                        input.docs.count);
  if (status == TALLY_OK)
    status = context_use (&putting.replica, replica, err);
  if (status == TALLY_OK)
    status = check_schema (&putting, &input.docs, err);
  if (status == TALLY_OK)
    status = putting_start (&putting, input.docs.count, err);
  if (status == TALLY_OK)
    status = put_documents (&putting, &input.docs, err);
  putting_end (&putting);
  doclist_free (&input.docs);
  return status;
}

/* ---- remove ------------------------------------------------------------- */

static int
check_ids (const char *collection, const char *const *ids, size_t n,
           struct tally_error *err)
{
  int status = collection_check_any (collection, err);

  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = document_check_id (slice_text (ids[i]), err);
  return status;
}

int
tally_remove (struct tally_replica *replica, const char *collection,
              const char *const *ids, size_t n, tally_written_fn *emit,
              void *ctx, struct tally_error *err)
{
  struct tally_put_options options = { 0 };
  struct putting putting = {
    .collection = collection, .options = &options, .emit = emit, .ctx = ctx
  };
  int status;

  err = PUBLIC_ERROR (err);
  status = write_check (collection, err);
  if (status == TALLY_OK)
    status = check_ids (collection, ids, n, err);
  if (status == TALLY_OK)
    status = context_use (&putting.replica, replica, err);
  if (status == TALLY_OK)
    status = putting_start (&putting, n, err);
  for (size_t i = 0; i < n && status == TALLY_OK && !putting.stop; i++) {
    struct write_item item = { .id = slice_text (ids[i]) };

    status = add_item (&putting, &item, false, err);
  }
  if (status == TALLY_OK)
    status = flush (&putting, err);
  putting_end (&putting);
  return status;
}

/* ---- get ---------------------------------------------------------------- */

struct getting {
  const char *collection;
  tally_document_fn *emit;
  void *ctx;
  bool stop;
};

static int
emit_document (struct getting *getting, const struct tally_doc *doc)
{
  struct tally_document document = { .size = sizeof document };
  char rev[TALLY_REV_TEXT], id[TALLY_ID_MAX + 1];

  if (doc->flags & TALLY_DOC_DELETED)
    return 0;
  memcpy (id, doc->id.data, doc->id.size);
  id[doc->id.size] = '\0';
  rev_to_text (rev, doc->rev);
  document.collection = getting->collection;
  document.id = id;
  document.rev = rev;
  document.json = doc->body.data;
  document.json_size = doc->body.size;
  getting->stop = getting->emit (getting->ctx, &document);
  return getting->stop;
}

/* Copied first, so that the application may use the store meanwhile. */
static int
get_batch (struct getting *getting, struct replica *replica,
           const struct tally_slice *ids, size_t n, struct tally_error *err)
{
  struct doclist docs = DOCLIST_INIT;
  int status = replica_read (replica, getting->collection, ids, n,
                             doclist_emit, &docs, err);

  if (status == TALLY_OK && docs.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < docs.count && status == TALLY_OK && !getting->stop;
       i++)
    emit_document (getting, &docs.docs[i]);
  doclist_free (&docs);
  return status;
}

#define GET_BATCH 256

int
tally_get (struct tally_replica *handle, const char *collection,
           const char *const *ids, size_t n, tally_document_fn *emit,
           void *ctx, struct tally_error *err)
{
  struct getting getting = { collection, emit, ctx, false };
  struct tally_slice slices[GET_BATCH];
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  status = check_ids (collection, ids, n, err);
  if (status == TALLY_OK)
    status = context_use (&replica, handle, err);
  for (size_t at = 0; at < n && status == TALLY_OK && !getting.stop;) {
    size_t batch = n - at < GET_BATCH ? n - at : GET_BATCH;

    for (size_t i = 0; i < batch; i++)
      slices[i] = slice_text (ids[at + i]);
    status = get_batch (&getting, replica, slices, batch, err);
    at += batch;
  }
  return status;
}

/* ---- collections -------------------------------------------------------- */

struct listing {
  tally_emit_name *emit;
  void *ctx;
};

static int
emit_shared (void *ctx, const char *name)
{
  struct listing *listing = ctx;

  if (collection_is_local (name) || mirror_has (name))
    return 0;
  return listing->emit (listing->ctx, name);
}

int
tally_collections (struct tally_replica *handle, tally_emit_name *emit,
                   void *ctx, struct tally_error *err)
{
  struct listing listing = { emit, ctx };
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  status = context_use (&replica, handle, err);
  if (status == TALLY_OK)
    status = replica_collections (replica, emit_shared, &listing, err);
  return status;
}
