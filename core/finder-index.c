/* SPDX-License-Identifier: MIT */
/* What an index finds is gathered before the first document is read, and put
 * in the order of ids; where that is more than memory should hold, all
 * documents are looked at. */

#include <config.h>

#include "error.h"
#include "finder-index.h"
#include "finder-order.h"
#include "indexes.h"

/* More ids than this are not worth the memory: all documents are. */
#define INDEX_IDS_MAX 1000000

struct gathering {
  struct finder *finder;
  struct tally_error *err;
  int status;
  bool too_many;
};

static int
gather_id (void *ctx, const struct tally_doc *doc)
{
  struct gathering *gathering = ctx;
  struct finder *finder = gathering->finder;

  finder->rows++;
  gathering->too_many = finder->ids.n >= INDEX_IDS_MAX;
  if (!gathering->too_many)
    gathering->status = sorter_add (&finder->ids, slice_make ("", 0), doc->id,
                                    "query", gathering->err);
  return gathering->too_many || gathering->status != TALLY_OK;
}

static int
is_there (void *ctx, const struct tally_doc *doc)
{
  bool *there = ctx;

  (void) doc;
  *there = true;
  return 1;
}

/* Whether some document has several keys in the index. */
static int
find_several (const struct finder *finder, uint32_t number, bool *several,
              struct tally_error *err)
{
  static const char byte[] = { INDEX_SEVERAL };
  struct buf from = BUF_INIT, to = BUF_INIT;
  int status = TALLY_OK;

  index_place (&from, number, slice_make (byte, 1), false);
  index_place (&to, number, slice_make (byte, 1), true);
  *several = false;
  if (from.failed || to.failed)
    status = error_nomem (err);
  else
    status =
        indexes_scan (finder->replica, finder->collection, buf_slice (&from),
                      buf_slice (&to), is_there, several, err);
  buf_free (&from);
  buf_free (&to);
  return status;
}

static void
drop_repeated (struct sorter *ids)
{
  size_t kept = 0;

  for (size_t i = 0; i < ids->n; i++)
    if (kept == 0 || !slice_equal (ids->items[kept - 1].id, ids->items[i].id))
      ids->items[kept++] = ids->items[i];
  ids->n = kept;
}

static int
gather_ids (struct finder *finder, const struct index_plan *plan,
            struct tally_error *err)
{
  struct gathering gathering = { finder, err, TALLY_OK, false };
  int status = TALLY_OK;

  for (size_t i = 0; i < plan->n && status == TALLY_OK; i++) {
    status =
        indexes_scan (finder->replica, finder->collection, plan->spans[i].from,
                      plan->spans[i].to, gather_id, &gathering, err);
    if (status == TALLY_OK)
      status = gathering.status;
    if (gathering.too_many) {
      sorter_free (&finder->ids);
      return TALLY_OK;
    }
  }
  if (status == TALLY_OK)
    status = sorter_end (&finder->ids, err);
  drop_repeated (&finder->ids);
  finder->by_ids = true;
  finder->access = "index";
  finder->spans = plan->ranges;
  buf_add_slice (&finder->index, buf_slice (&plan->def->name));
  return status;
}

/* An index that has the order spares the sort; but one that finds less, or all
 * of an index where a query without a limit finds little, costs more, and so
 * does one that is read backwards to its end. */
static bool
goes_in_order (const struct finder *finder, const struct index_plan *ordered,
               const struct index_plan *best)
{
  if (!ordered->def || (ordered->reverse && finder->most == 0))
    return false;
  if (!best->def && ordered->fields == 0)
    return finder->query->root.n == 0 || finder->most > 0;
  return ordered->fields >= best->fields && (ordered->exact || !best->exact);
}

static int
plan_indexes (struct finder *finder, struct index_plan *best,
              struct tally_error *err)
{
  const struct index_list *list;
  bool several[INDEXES_MAX] = { false };
  int status = indexes_take (finder->replica, finder->collection,
                             &finder->indexes, err);

  if (status != TALLY_OK || !finder->indexes)
    return status;
  list = &finder->indexes->list;
  for (size_t i = 0; i < list->n && status == TALLY_OK; i++)
    if (list->defs[i].ready && list->defs[i].marks)
      status = find_several (finder, list->defs[i].number, &several[i], err);
  if (status == TALLY_OK && list->n > 0)
    status = index_plan_make (best, list, &finder->query->root, several, err);
  if (status == TALLY_OK && list->n > 0 && finder->sort
      && finder->sort->count > 0)
    status = index_plan_ordered (&finder->plan, list, &finder->query->root,
                                 finder->sort, err);
  return status;
}

int
finder_use_index (struct finder *finder, struct tally_error *err)
{
  struct index_plan best = { 0 };
  int status = plan_indexes (finder, &best, err);

  if (status == TALLY_OK && goes_in_order (finder, &finder->plan, &best))
    finder_order_start (finder);
  else if (status == TALLY_OK && best.def)
    status = gather_ids (finder, &best, err);
  index_plan_free (&best);
  return status;
}
