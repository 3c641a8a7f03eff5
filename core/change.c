/* SPDX-License-Identifier: MIT */
/* update and remove_found of tally.h.  A batch of documents that match is
 * changed in one transaction, on the revisions that were read; when somebody
 * was faster its documents are read, matched and changed once more. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "document.h"
#include "finder.h"
#include "public.h"
#include "rev.h"
#include "update.h"
#include "write.h"

/* Each lost round is somebody else's success. */
#define ROUNDS_MAX 1000

struct changing {
  struct finder finder;
  struct query *query;
  struct update *update; /* NULL: they are deleted */
  bool one;
  uint64_t matched;
  bool stop;
  tally_written_fn *emit;
  void *ctx;

  /* A batch; the documents are the finder's or, in a later round, these. */
  struct doclist again;
  struct buf bodies[FINDER_BATCH];
  struct write_item items[FINDER_BATCH];
  struct write_result results[FINDER_BATCH];
  size_t n;
};

/* ---- telling ------------------------------------------------------------ */

static void
tell (struct changing *changing, struct tally_slice slice,
      const struct write_result *result, bool made)
{
  struct tally_written written = { .size = sizeof written };
  char rev[TALLY_REV_TEXT], id[TALLY_ID_MAX + 1];

  memcpy (id, slice.data, slice.size);
  id[slice.size] = '\0';
  rev_to_text (rev, result->rev);
  written.collection = changing->finder.collection;
  written.id = id;
  written.rev = rev;
  written.outcome = result->outcome;
  written.generated_id = made;
  if (changing->emit && !changing->stop)
    changing->stop = changing->emit (changing->ctx, &written);
}

/* ---- a batch ------------------------------------------------------------ */

static int
change_document (struct changing *changing, const struct tally_doc *doc,
                 struct tally_error *err)
{
  struct write_item *item = &changing->items[changing->n];
  struct buf *body = &changing->bodies[changing->n];
  uint64_t now_ms = replica_wall_ms (changing->finder.replica);
  int status = TALLY_OK;

  memset (item, 0, sizeof *item);
  item->id = doc->id;
  item->expected = doc->rev;
  if (changing->update) {
    buf_clear (body);
    status =
        update_apply (changing->update, doc->body, false, now_ms, body, err);
    if (status == TALLY_INVALID)
      error_set (err, status, "%s; document \"%.*s\"", err->text,
                 (int) (doc->id.size < 80 ? doc->id.size : 80), doc->id.data);
    item->body = buf_slice (body);
  }
  changing->n += status == TALLY_OK;
  return status;
}

static int
change_documents (struct changing *changing, const struct doclist *docs,
                  struct tally_error *err)
{
  int status = TALLY_OK;

  changing->n = 0;
  for (size_t i = 0; i < docs->count && status == TALLY_OK; i++)
    if (!changing->one || changing->n == 0)
      status = change_document (changing, &docs->docs[i], err);
  return status;
}

/* Those of the batch that are there and still match. */
static int
read_again (struct changing *changing, struct tally_error *err)
{
  struct finder finder = { .replica = changing->finder.replica,
                           .collection = changing->finder.collection,
                           .query = changing->query };
  struct tally_slice ids[FINDER_BATCH] = { { NULL, 0 } };
  int status;

  for (size_t i = 0; i < changing->n; i++)
    ids[i] = changing->items[i].id;
  status = finder_start_ids (&finder, ids, changing->n, err);
  doclist_clear (&changing->again);
  while (status == TALLY_OK && !finder.done) {
    status = finder_next (&finder, err);
    for (size_t i = 0; i < finder.found.count && status == TALLY_OK; i++)
      if (!doclist_add (&changing->again, &finder.found.docs[i]))
        status = error_nomem (err);
  }
  finder_end (&finder);
  return status;
}

static int
change_batch (struct changing *changing, struct tally_error *err)
{
  struct finder *finder = &changing->finder;
  struct doclist keep = DOCLIST_INIT;
  int status = change_documents (changing, &finder->found, err);
  bool written = false;
  unsigned round;

  for (round = 0; status == TALLY_OK && !written && round < ROUNDS_MAX;
       round++) {
    status =
        write_together (finder->replica, finder->collection, changing->items,
                        changing->n, changing->results, &written, err);
    if (status != TALLY_OK || written)
      break;
    status = read_again (changing, err);
    /* The items of the next round point into what this one has read. */
    doclist_free (&keep);
    keep = changing->again;
    memset (&changing->again, 0, sizeof changing->again);
    if (status == TALLY_OK)
      status = change_documents (changing, &keep, err);
  }
  if (status == TALLY_OK && !written)
    status = error_set (err, TALLY_AGAIN, "%s: too many writers at once",
                        finder->replica->name);
  for (size_t i = 0; i < changing->n && status == TALLY_OK; i++) {
    changing->matched++;
    tell (changing, changing->items[i].id, &changing->results[i], false);
  }
  doclist_free (&keep);
  return status;
}

static int
change_all (struct changing *changing, struct tally_error *err)
{
  struct finder *finder = &changing->finder;
  int status = finder_start (finder, err);

  while (status == TALLY_OK && !finder->done && !changing->stop
         && !(changing->one && changing->matched > 0)) {
    status = finder_next (finder, err);
    if (status == TALLY_OK && finder->found.count > 0)
      status = change_batch (changing, err);
  }
  return status;
}

/* ---- upserts ------------------------------------------------------------ */

static int
copy_header (void *ctx, const struct tally_doc *doc)
{
  struct tally_doc *header = ctx;

  memcpy (header->rev, doc->rev, TALLY_REV_SIZE);
  header->flags = doc->flags;
  return 1;
}

/* Only where no document is, or a deleted one.  *written false: one is. */
static int
insert_body (struct changing *changing, struct tally_slice id,
             struct tally_slice body, struct write_result *result,
             bool *written, struct tally_error *err)
{
  struct replica *replica = changing->finder.replica;
  const char *collection = changing->finder.collection;
  struct tally_doc header = { .flags = TALLY_DOC_DELETED };
  struct write_item item = { .id = id, .body = body, .expected = header.rev };
  int status =
      replica_get (replica, collection, &id, 1, 0, copy_header, &header, err);

  *written = false;
  if (status != TALLY_OK || !(header.flags & TALLY_DOC_DELETED))
    return status;
  return write_together (replica, collection, &item, 1, result, written, err);
}

static int
insert (struct changing *changing, bool *written, struct tally_error *err)
{
  struct buf base = BUF_INIT, text = BUF_INIT, body = BUF_INIT, id = BUF_INIT;
  struct write_result result;
  bool made = false;
  int status = update_base (changing->query, &base, err);

  if (status == TALLY_OK)
    status =
        update_apply (changing->update, buf_slice (&base), true,
                      replica_wall_ms (changing->finder.replica), &text, err);
  if (status == TALLY_OK)
    status = document_read (&body, &id, &made, buf_slice (&text), NULL, err);
  if (status == TALLY_OK)
    status = insert_body (changing, buf_slice (&id), buf_slice (&body),
                          &result, written, err);
  if (status == TALLY_OK && *written)
    tell (changing, buf_slice (&id), &result, made);
  buf_free (&base);
  buf_free (&text);
  buf_free (&body);
  buf_free (&id);
  return status;
}

static void
start_over (struct changing *changing)
{
  struct finder fresh = { .replica = changing->finder.replica,
                          .collection = changing->finder.collection,
                          .query = changing->query };

  finder_end (&changing->finder);
  changing->finder = fresh;
}

/* Where a document is in the way of an upsert it may match by now. */
static int
change_or_insert (struct changing *changing, bool upsert,
                  struct tally_error *err)
{
  bool written = false;
  int status = change_all (changing, err);

  for (unsigned round = 0;
       upsert && status == TALLY_OK && !written && changing->matched == 0;
       round++) {
    if (round == 3)
      return error_set (err, TALLY_CONFLICT,
                        "update: the document that an upsert would insert is "
                        "there, and does not match");
    status = insert (changing, &written, err);
    if (status != TALLY_OK || written)
      return status;
    start_over (changing);
    status = change_all (changing, err);
  }
  return status;
}

/* ---- the calls ---------------------------------------------------------- */

static int
run (struct changing *changing, struct tally_replica *handle,
     const char *collection, const char *query, bool upsert,
     struct tally_error *err)
{
  int status = write_check (collection, err);

  changing->finder.collection = collection;
  if (status == TALLY_OK)
    status = query_parse (&changing->query, query, err);
  if (status == TALLY_OK)
    status = context_use (&changing->finder.replica, handle, err);
  changing->finder.query = changing->query;
  changing->finder.headers = !changing->update;
  if (status == TALLY_OK)
    status = change_or_insert (changing, upsert, err);
  finder_end (&changing->finder);
  for (size_t i = 0; i < FINDER_BATCH; i++)
    buf_free (&changing->bodies[i]);
  doclist_free (&changing->again);
  query_free (changing->query);
  return status;
}

int
tally_update (struct tally_replica *replica, const char *collection,
              const char *query, const char *update,
              const struct tally_update_options *given, tally_written_fn *emit,
              void *ctx, struct tally_error *err)
{
  struct tally_update_options options = { 0 };
  struct changing *changing = calloc (1, sizeof *changing);
  int status;

  err = PUBLIC_ERROR (err);
  if (!changing)
    return error_nomem (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  changing->emit = emit;
  changing->ctx = ctx;
  changing->one = options.one != 0;
  status = update_parse (&changing->update, update, err);
  /* A document takes the place of one. */
  if (status == TALLY_OK)
    changing->one = changing->one || update_replaces (changing->update);
  if (status == TALLY_OK)
    status = run (changing, replica, collection, query, options.upsert, err);
  update_free (changing->update);
  free (changing);
  return status;
}

int
tally_remove_found (struct tally_replica *replica, const char *collection,
                    const char *query, tally_written_fn *emit, void *ctx,
                    struct tally_error *err)
{
  struct changing *changing = calloc (1, sizeof *changing);
  int status;

  err = PUBLIC_ERROR (err);
  if (!changing)
    return error_nomem (err);
  changing->emit = emit;
  changing->ctx = ctx;
  status = run (changing, replica, collection, query, false, err);
  free (changing);
  return status;
}
