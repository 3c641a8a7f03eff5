/* SPDX-License-Identifier: MIT */
/* Documents are looked at where the store hands them out; only those that
 * match are copied.  Between batches the store is free for others. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "finder-index.h"
#include "finder-order.h"
#include "finder-pass.h"
#include "json.h"
#include "query-tree.h"
#include "state.h"
#include "value.h"

/* ---- looking ------------------------------------------------------------ */

static int
gather_key (struct finder *finder, const struct tally_doc *doc)
{
  buf_clear (&finder->key);
  field_list_key (finder->sort, doc->body, &finder->key);
  if (finder->key.failed)
    return error_nomem (finder->err);
  return sorter_add (finder->sorted, buf_slice (&finder->key), doc->id, "sort",
                     finder->err);
}

static int
keep (struct finder *finder, const struct tally_doc *doc)
{
  struct tally_doc copy = *doc;

  if (finder->headers)
    copy.meta = copy.body = slice_make (NULL, 0);
  return doclist_add (&finder->found, &copy) ? TALLY_OK
                                             : error_nomem (finder->err);
}

/* Of a walk the first part is short: it shows what the rest will cost. */
static bool
is_full (const struct finder *finder)
{
  size_t looks = finder->looked > FINDER_SAMPLE ? FINDER_LOOKS : FINDER_SAMPLE;

  return finder->looks >= looks || finder->found.count >= FINDER_BATCH
         || finder->found.bytes >= FINDER_BATCH_BYTES;
}

/* Takes a document that matches. */
static int
take (void *ctx, const struct tally_doc *doc)
{
  struct finder *finder = ctx;

  finder->status =
      finder->sorted ? gather_key (finder, doc) : keep (finder, doc);
  finder->full = is_full (finder);
  return finder->status != TALLY_OK || finder->full;
}

static int
look (void *ctx, const struct tally_doc *doc)
{
  struct finder *finder = ctx;
  struct tally_doc whole;
  bool matches = false;

  if (doc->flags & TALLY_DOC_DELETED)
    return 0;
  finder->looked++;
  finder->looks++;
  /* The match minds no damage; hashing all that is passed over would take as
   * long as looking at it. */
  finder->status =
      query_match (finder->query, doc->body, &matches, finder->err);
  if (matches) {
    finder->matched++;
    whole = *doc;
    finder->status =
        state_complete (&whole, finder->replica->name, finder->err);
    if (finder->status == TALLY_OK)
      return take (finder, &whole);
  }
  finder->full = is_full (finder);
  return finder->status != TALLY_OK || finder->full;
}

/* The same for a document whose id was asked for. */
static int
look_asked (void *ctx, const struct tally_doc *doc)
{
  struct finder *finder = ctx;

  /* Those before it are not there. */
  while (finder->next < finder->ids.n
         && !slice_equal (finder->ids.items[finder->next].id, doc->id))
    finder->next++;
  finder->next++;
  return look (finder, doc);
}

/* ---- ids ---------------------------------------------------------------- */

/* What a query says of _id; NULL: nothing that names ids. */
static const struct query_node *
find_ids (const struct query_node *node)
{
  const struct query_node *found = NULL;

  for (size_t i = 0; i < node->n && !found; i++) {
    const struct query_node *child = &node->children[i];

    if (child->op == QUERY_AND)
      found = find_ids (child);
    else if ((child->op == QUERY_EQ || child->op == QUERY_IN)
             && slice_equal (buf_slice (&child->path.text),
                             slice_text ("_id")))
      found = child;
  }
  return found;
}

static int
add_id (struct finder *finder, struct tally_slice value,
        struct tally_error *err)
{
  struct buf id = BUF_INIT;
  int status = TALLY_OK;

  if (value_type (value) != VALUE_STRING)
    return TALLY_OK;
  if (!json_decode_string (&id, value))
    status = error_nomem (err);
  /* An id has no NUL in it, and is no longer than this. */
  if (status == TALLY_OK && id.size > 0 && id.size <= TALLY_ID_MAX
      && !memchr (id.data, 0, id.size))
    status = sorter_add (&finder->ids, slice_make ("", 0), buf_slice (&id),
                         "query", err);
  buf_free (&id);
  return status;
}

static int
use_ids (struct finder *finder, const struct query_node *node,
         struct tally_error *err)
{
  int status = TALLY_OK;

  if (node->op == QUERY_EQ)
    status = add_id (finder, node->value, err);
  for (size_t i = 0; i < node->n_values && status == TALLY_OK; i++)
    if (i == 0 || value_cmp (node->values[i - 1], node->values[i]) != 0)
      status = add_id (finder, node->values[i], err);
  if (status == TALLY_OK)
    status = sorter_end (&finder->ids, err);
  finder->by_ids = true;
  return status;
}

/* ---- batches ------------------------------------------------------------ */

static int
next_of_ids (struct finder *finder, struct tally_error *err)
{
  struct tally_slice ids[FINDER_BATCH];
  size_t left = finder->ids.n - finder->next, end;
  size_t n = left < FINDER_BATCH ? left : FINDER_BATCH;
  int status;

  end = finder->next + n;
  for (size_t i = 0; i < n; i++)
    ids[i] = finder->ids.items[finder->next + i].id;
  status =
      replica_get (finder->replica, finder->collection, ids, n,
                   TALLY_GET_BODY | TALLY_GET_PART, look_asked, finder, err);
  if (!finder->full)
    finder->next = end;
  finder->done = finder->next >= finder->ids.n;
  return status;
}

static int
cancelled (const struct finder *finder, struct tally_error *err)
{
  const struct tally_host *host = finder->replica->host;

  if (host && host->cancelled && host->cancelled (host->ctx))
    return error_set (err, TALLY_CANCELLED, "cancelled");
  return TALLY_OK;
}

int
finder_next (struct finder *finder, struct tally_error *err)
{
  int status = cancelled (finder, err);

  if (status != TALLY_OK)
    return status;
  if (finder->ahead) {
    finder->ahead = false;
    finder->done = finder->ends;
    return TALLY_OK;
  }
  doclist_clear (&finder->found);
  finder->looks = 0;
  finder->full = false;
  finder->status = TALLY_OK;
  finder->err = err;
  if (finder->in_order)
    status = finder_order_next (finder, look, err);
  else if (finder->by_ids)
    status = next_of_ids (finder, err);
  else if (finder->passing)
    status = finder_pass_next (finder, take, err);
  else {
    status = walk_on (&finder->walk, look, finder, err);
    finder->done = finder->walk.done;
    finder->passing = !finder->done && finder_pass_pays (finder);
  }
  return status == TALLY_OK ? finder->status : status;
}

/* ---- starting ----------------------------------------------------------- */

static bool
is_sorted (const struct finder *finder)
{
  return finder->sort && finder->sort->count > 0;
}

/* A search that finds a few by an index is the note that tells of it, rows and
 * documents: in one go that costs less, and is one snapshot. */
static int
use_index (struct finder *finder, struct tally_error *err)
{
  int status = replica_hold (finder->replica, err);

  if (status != TALLY_OK)
    return status;
  status = finder_use_index (finder, err);
  if (status == TALLY_OK && finder->by_ids && !is_sorted (finder)) {
    status = finder_next (finder, err);
    finder->ahead = status == TALLY_OK;
    finder->ends = finder->done;
    finder->done = false;
  }
  replica_release (finder->replica);
  return status;
}

/* All that match, as ids in the order that they sort in: the documents are
 * read once more when their turn comes, since they may not fit in memory. */
static int
sort_all (struct finder *finder, struct tally_error *err)
{
  struct sorter sorted = { .most = finder->most,
                           .bytes_max = finder->sort_bytes };
  int status = TALLY_OK;

  finder->sorts = true;
  finder->sorted = &sorted;
  while (status == TALLY_OK && !finder->done)
    status = finder_next (finder, err);
  finder->sorted = NULL;
  if (status == TALLY_OK)
    status = sorter_end (&sorted, err);
  sorter_free (&finder->ids);
  finder->ids = sorted;
  /* More than fits in memory: an index has the order after all. */
  if (status == TALLY_UNSUPPORTED && finder->plan.def) {
    sorter_free (&finder->ids);
    finder->sorts = false;
    finder->done = false;
    finder_order_start (finder);
    return TALLY_OK;
  }
  finder->by_ids = true;
  finder->next = 0;
  finder->done = false;
  return status;
}

int
finder_start (struct finder *finder, struct tally_error *err)
{
  const struct query_node *ids = find_ids (&finder->query->root);
  int status = TALLY_OK;

  walk_start (&finder->walk, finder->replica, finder->collection);
  finder->walk.part = true;
  finder->access = ids ? "ids" : "scan";
  status = ids ? use_ids (finder, ids, err) : use_index (finder, err);
  if (status == TALLY_OK && is_sorted (finder) && !finder->in_order)
    status = sort_all (finder, err);
  return status;
}

int
finder_start_ids (struct finder *finder, const struct tally_slice *ids,
                  size_t n, struct tally_error *err)
{
  int status = TALLY_OK;

  finder->by_ids = true;
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status =
        sorter_add (&finder->ids, slice_make ("", 0), ids[i], "query", err);
  return status == TALLY_OK ? sorter_end (&finder->ids, err) : status;
}

void
finder_end (struct finder *finder)
{
  doclist_free (&finder->found);
  sorter_free (&finder->ids);
  walk_end (&finder->walk);
  buf_free (&finder->key);
  buf_free (&finder->index);
  finder_order_end (finder);
  finder_pass_end (finder);
}
