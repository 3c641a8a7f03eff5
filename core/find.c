/* SPDX-License-Identifier: MIT */
/* find and remove_found of tally.h: the ids of a collection in order, then
 * its documents in batches; what must be sorted is kept until the end. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "doclist.h"
#include "document.h"
#include "public.h"
#include "query.h"
#include "rev.h"
#include "state.h"

#define FIND_BATCH 512

struct finder {
  struct replica *replica;
  const char *collection;
  struct query *query;
  struct field_list sort, fields;
  uint64_t skip, limit; /* limit 0: none */

  struct doclist headers;
  struct doclist found; /* to be sorted */
  struct buf projected;
  uint64_t seen, emitted;
  bool stop;

  tally_document_fn *emit;
  void *ctx;
};

/* ---- giving out --------------------------------------------------------- */

static int
give (struct finder *finder, const struct tally_doc *doc,
      struct tally_error *err)
{
  struct tally_document document = { .size = sizeof document };
  struct tally_slice json = doc->body;
  char rev[TALLY_REV_TEXT], id[TALLY_ID_MAX + 1];

  if (finder->seen++ < finder->skip)
    return TALLY_OK;
  if (finder->fields.count > 0) {
    buf_clear (&finder->projected);
    field_list_project (&finder->fields, &finder->projected, json);
    if (finder->projected.failed)
      return error_nomem (err);
    json = buf_slice (&finder->projected);
  }
  memcpy (id, doc->id.data, doc->id.size);
  id[doc->id.size] = '\0';
  rev_to_text (rev, doc->rev);
  document.collection = finder->collection;
  document.id = id;
  document.rev = rev;
  document.json = json.data;
  document.json_size = json.size;
  finder->stop = finder->emit (finder->ctx, &document);
  finder->emitted++;
  if (finder->limit > 0 && finder->emitted == finder->limit)
    finder->stop = true;
  return TALLY_OK;
}

/* qsort has no context: each document is sorted with a pointer to it. */
struct sortable {
  const struct field_list *sort;
  const struct tally_doc *doc;
};

static int
by_fields (const void *a, const void *b)
{
  const struct sortable *x = a, *y = b;
  int order = field_list_cmp (x->sort, x->doc->body, y->doc->body);

  return order ? order : slice_cmp (x->doc->id, y->doc->id);
}

static int
give_sorted (struct finder *finder, struct tally_error *err)
{
  size_t n = finder->found.count;
  struct sortable *sorted = calloc (n + 1, sizeof *sorted);
  int status = TALLY_OK;

  if (!sorted)
    return error_nomem (err);
  for (size_t i = 0; i < n; i++) {
    sorted[i].sort = &finder->sort;
    sorted[i].doc = &finder->found.docs[i];
  }
  qsort (sorted, n, sizeof *sorted, by_fields);
  for (size_t i = 0; i < n && status == TALLY_OK && !finder->stop; i++)
    status = give (finder, sorted[i].doc, err);
  free (sorted);
  return status;
}

/* ---- looking ------------------------------------------------------------ */

static int
collect_alive (void *ctx, const struct tally_doc *doc)
{
  struct finder *finder = ctx;
  struct tally_doc header = *doc;

  if (doc->flags & TALLY_DOC_DELETED)
    return 0;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (&finder->headers, &header);
}

static int
by_id (const void *a, const void *b)
{
  const struct tally_doc *x = a, *y = b;

  return slice_cmp (x->id, y->id);
}

static int
look_at (struct finder *finder, const struct doclist *docs,
         struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < docs->count && status == TALLY_OK && !finder->stop;
       i++) {
    const struct tally_doc *doc = &docs->docs[i];

    status = state_verify (doc, finder->replica->name, err);
    if (status != TALLY_OK || (doc->flags & TALLY_DOC_DELETED)
        || !query_match (finder->query, doc->body))
      continue;
    if (finder->sort.count == 0)
      status = give (finder, doc, err);
    else if (!doclist_add (&finder->found, doc))
      status = error_nomem (err);
  }
  return status;
}

static int
look_batch (struct finder *finder, size_t from, size_t n,
            struct tally_error *err)
{
  struct tally_slice ids[FIND_BATCH];
  struct doclist docs = DOCLIST_INIT;
  int status;

  for (size_t i = 0; i < n; i++)
    ids[i] = finder->headers.docs[from + i].id;
  status = replica_get (finder->replica, finder->collection, ids, n,
                        TALLY_GET_BODY, doclist_emit, &docs, err);
  if (status == TALLY_OK && docs.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = look_at (finder, &docs, err);
  doclist_free (&docs);
  return status;
}

static int
run_find (struct finder *finder, struct tally_error *err)
{
  uint64_t head;
  size_t n;
  int status = replica_changes (finder->replica, finder->collection, 0,
                                collect_alive, finder, &head, err);

  if (status == TALLY_OK && finder->headers.failed)
    status = error_nomem (err);
  n = finder->headers.count;
  if (status == TALLY_OK && n > 0)
    qsort (finder->headers.docs, n, sizeof *finder->headers.docs, by_id);
  for (size_t at = 0; at < n && status == TALLY_OK && !finder->stop;
       at += FIND_BATCH)
    status = look_batch (finder, at, n - at < FIND_BATCH ? n - at : FIND_BATCH,
                         err);
  if (status == TALLY_OK && finder->sort.count > 0)
    status = give_sorted (finder, err);
  return status;
}

static void
finder_free (struct finder *finder)
{
  query_free (finder->query);
  field_list_free (&finder->sort);
  field_list_free (&finder->fields);
  doclist_free (&finder->headers);
  doclist_free (&finder->found);
  buf_free (&finder->projected);
}

int
tally_find (struct tally_replica *handle, const char *collection,
            const char *query, const struct tally_find_options *given,
            tally_document_fn *emit, void *ctx, struct tally_error *err)
{
  struct tally_find_options options = { 0 };
  struct finder finder = { .collection = collection,
                           .emit = emit,
                           .ctx = ctx };
  int status;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  finder.skip = options.skip;
  finder.limit = options.limit;
  status = collection_check (collection, err);
  if (status == TALLY_OK)
    status = query_parse (&finder.query, query, err);
  if (status == TALLY_OK)
    status = field_list_parse (&finder.sort, options.sort, true, err);
  if (status == TALLY_OK)
    status = field_list_parse (&finder.fields, options.fields, false, err);
  if (status == TALLY_OK)
    status = context_replica (&finder.replica, handle, err);
  if (status == TALLY_OK)
    status = run_find (&finder, err);
  finder_free (&finder);
  return status;
}

/* ---- remove ------------------------------------------------------------- */

struct found_ids {
  char **ids;
  size_t count;
  bool failed;
};

static int
collect_id (void *ctx, const struct tally_document *document)
{
  struct found_ids *found = ctx;
  char **ids = realloc (found->ids, (found->count + 1) * sizeof *ids);

  found->failed = !ids;
  if (!ids)
    return 1;
  found->ids = ids;
  ids[found->count] = strdup (document->id);
  found->failed = !ids[found->count];
  found->count += !found->failed;
  return found->failed;
}

int
tally_remove_found (struct tally_replica *replica, const char *collection,
                    const char *query, tally_written_fn *emit, void *ctx,
                    struct tally_error *err)
{
  struct found_ids found = { 0 };
  int status;

  err = PUBLIC_ERROR (err);
  status =
      tally_find (replica, collection, query, NULL, collect_id, &found, err);
  if (status == TALLY_OK && found.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status =
        tally_remove (replica, collection, (const char *const *) found.ids,
                      found.count, emit, ctx, err);
  for (size_t i = 0; i < found.count; i++)
    free (found.ids[i]);
  free (found.ids);
  return status;
}
