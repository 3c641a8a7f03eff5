/* SPDX-License-Identifier: MIT */
/* find, find_one and count of tally.h: what finder.c gives, skipped,
 * limited and projected. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "document.h"
#include "error.h"
#include "finder.h"
#include "indexes.h"
#include "public.h"
#include "rev.h"

struct finding {
  struct finder finder;
  struct query *query;
  struct field_list sort, fields;
  struct tally_find_options options;
  struct buf projected;
  uint64_t seen, given;
  bool stop;

  tally_document_fn *emit; /* NULL: they are only counted */
  void *ctx;
};

/* ---- giving out --------------------------------------------------------- */

static int
give (struct finding *finding, const struct tally_doc *doc,
      struct tally_error *err)
{
  struct tally_document document = { .size = sizeof document };
  struct tally_slice json = doc->body;
  char rev[TALLY_REV_TEXT], id[TALLY_ID_MAX + 1];

  if (finding->fields.count > 0 || finding->fields.without_id) {
    buf_clear (&finding->projected);
    field_list_project (&finding->fields, &finding->projected, json);
    if (finding->projected.failed)
      return error_nomem (err);
    json = buf_slice (&finding->projected);
  }
  memcpy (id, doc->id.data, doc->id.size);
  id[doc->id.size] = '\0';
  rev_to_text (rev, doc->rev);
  document.collection = finding->finder.collection;
  document.id = id;
  document.rev = rev;
  document.json = json.data;
  document.json_size = json.size;
  finding->stop = finding->emit (finding->ctx, &document);
  return TALLY_OK;
}

static int
give_batch (struct finding *finding, struct tally_error *err)
{
  const struct doclist *found = &finding->finder.found;
  int status = TALLY_OK;

  for (size_t i = 0; i < found->count && status == TALLY_OK && !finding->stop;
       i++) {
    if (finding->seen++ < finding->options.skip)
      continue;
    finding->given++;
    if (finding->emit)
      status = give (finding, &found->docs[i], err);
    if (finding->given == finding->options.limit)
      finding->stop = true;
  }
  return status;
}

static int
explain (struct finding *finding, struct tally_error *err)
{
  struct finder *finder = &finding->finder;
  struct tally_find_plan plan = { .size = sizeof plan };

  buf_add_byte (&finder->index, 0);
  if (finder->index.failed)
    return error_nomem (err);
  plan.access = finder->access;
  plan.index = finder->index.size > 1 ? finder->index.data : NULL;
  plan.ranges = finder->spans;
  plan.rows = finder->rows;
  plan.documents = finder->looked;
  plan.found = finding->given;
  plan.sorted = finder->sorts;
  plan.ordered = finder->in_order;
  finding->options.explain (finding->options.explain_ctx, &plan);
  return TALLY_OK;
}

static int
run (struct finding *finding, struct tally_replica *handle,
     struct tally_error *err)
{
  struct finder *finder = &finding->finder;
  const struct tally_find_options *options = &finding->options;
  int status = context_use (&finder->replica, handle, err);

  if (options->limit > 0 && options->limit < UINT64_MAX - options->skip)
    finder->most = options->skip + options->limit;
  finder->query = finding->query;
  finder->sort = &finding->sort;
  finder->headers = !finding->emit;
  if (status == TALLY_OK)
    status = finder_start (finder, err);
  while (status == TALLY_OK && !finding->stop && !finder->done) {
    status = finder_next (finder, err);
    if (status == TALLY_OK)
      status = give_batch (finding, err);
  }
  if (status == TALLY_OK && options->explain)
    status = explain (finding, err);
  finder_end (finder);
  return status;
}

static int
find (struct finding *finding, struct tally_replica *handle, const char *query,
      const struct tally_find_options *given, struct tally_error *err)
{
  struct tally_find_options *options = &finding->options;
  int status = collection_check_any (finding->finder.collection, err);

  public_copy (options, sizeof *options, given, given ? given->size : 0);
  if (status == TALLY_OK)
    status = query_parse (&finding->query, query, err);
  if (status == TALLY_OK)
    status = field_list_parse_sort (&finding->sort, options->sort, err);
  if (status == TALLY_OK)
    status = field_list_parse_shown (&finding->fields, options->fields, err);
  if (status == TALLY_OK)
    status = run (finding, handle, err);
  query_free (finding->query);
  field_list_free (&finding->sort);
  field_list_free (&finding->fields);
  buf_free (&finding->projected);
  return status;
}

int
tally_find (struct tally_replica *handle, const char *collection,
            const char *query, const struct tally_find_options *options,
            tally_document_fn *emit, void *ctx, struct tally_error *err)
{
  struct finding finding = { .emit = emit, .ctx = ctx };

  finding.finder.collection = collection;
  return find (&finding, handle, query, options, PUBLIC_ERROR (err));
}

int
tally_find_one (struct tally_replica *handle, const char *collection,
                const char *query, const struct tally_find_options *given,
                tally_document_fn *emit, void *ctx, struct tally_error *err)
{
  struct tally_find_options options = { 0 };
  struct finding finding = { .emit = emit, .ctx = ctx };

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  options.size = sizeof options;
  options.limit = 1;
  finding.finder.collection = collection;
  return find (&finding, handle, query, &options, err);
}

/* What is only counted is not sorted. */
int
tally_count (struct tally_replica *handle, const char *collection,
             const char *query, const struct tally_find_options *given,
             uint64_t *count, struct tally_error *err)
{
  struct tally_find_options options = { 0 };
  struct finding finding = { 0 };
  struct field_list sort;
  int status;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  options.size = sizeof options;
  status = field_list_parse_sort (&sort, options.sort, err);
  field_list_free (&sort);
  options.sort = NULL;
  finding.finder.collection = collection;
  if (status == TALLY_OK)
    status = find (&finding, handle, query, &options, err);
  *count = finding.given;
  return status;
}

int
tally_index_drop (struct tally_replica *handle, const char *collection,
                  const char *fields, struct tally_error *err)
{
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  status = collection_check (collection, err);
  if (status == TALLY_OK)
    status = context_use (&replica, handle, err);
  if (status == TALLY_OK)
    status = indexes_drop (replica, collection, fields, err);
  return status;
}

int
tally_index (struct tally_replica *handle, const char *collection,
             const char *fields, const struct tally_index_options *given,
             struct tally_error *err)
{
  struct tally_index_options options = { 0 };
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  status = collection_check (collection, err);
  if (status == TALLY_OK && !indexes_concern (collection))
    status = error_set (err, TALLY_INVALID,
                        "%s: a local collection has no indexes", collection);
  if (status == TALLY_OK)
    status = context_use (&replica, handle, err);
  if (status == TALLY_OK)
    status =
        indexes_ensure (replica, collection, fields, options.unique,
                        options.sparse, options.progress, options.ctx, err);
  return status;
}
