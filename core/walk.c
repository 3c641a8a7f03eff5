/* SPDX-License-Identifier: MIT */
/* All that is asked of a store is changes and get: one pass over the headers
 * gathers the first so many ids behind the last document, the next pass those
 * behind these. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "walk.h"

/* When twice as many are gathered the greater half is let go. */
#define GATHER_IDS 65536
#define GET_BATCH 256

void
walk_start (struct walk *walk, struct replica *replica, const char *collection)
{
  memset (walk, 0, sizeof *walk);
  walk->replica = replica;
  walk->collection = collection;
}

void
walk_end (struct walk *walk)
{
  buf_free (&walk->last);
  doclist_free (&walk->ids);
}

/* ---- gathering ---------------------------------------------------------- */

struct gathering {
  const struct walk *walk;
  struct doclist *ids;
  struct tally_slice least; /* of those that were let go; data NULL: none */
};

/* Copies those that stay, so that the memory of the others is given back. */
static void
let_go (struct gathering *gathering, size_t most)
{
  struct doclist *ids = gathering->ids, kept = DOCLIST_INIT;

  doclist_sort (ids);
  if (ids->count <= most)
    return;
  /* One more: it says where the next pass begins. */
  for (size_t i = 0; i <= most; i++)
    doclist_add (&kept, &ids->docs[i]);
  kept.failed = kept.failed || ids->failed;
  doclist_free (ids);
  *ids = kept;
  if (!kept.failed)
    gathering->least = kept.docs[--ids->count].id;
}

static int
gather (void *ctx, const struct tally_doc *doc)
{
  struct gathering *gathering = ctx;
  const struct walk *walk = gathering->walk;
  struct tally_doc header = *doc;

  if (doc->flags & TALLY_DOC_DELETED)
    return 0;
  if (walk->begun && slice_cmp (doc->id, buf_slice (&walk->last)) <= 0)
    return 0;
  if (gathering->least.data && slice_cmp (doc->id, gathering->least) >= 0)
    return 0;
  header.meta = header.body = slice_make (NULL, 0);
  doclist_add (gathering->ids, &header);
  if (gathering->ids->count == 2 * GATHER_IDS)
    let_go (gathering, GATHER_IDS);
  return gathering->ids->failed;
}

static int
gather_ids (struct walk *walk, struct tally_error *err)
{
  struct gathering gathering = { .walk = walk, .ids = &walk->ids };
  uint64_t head;
  int status;

  doclist_clear (&walk->ids);
  walk->next = 0;
  status = replica_changes (walk->replica, walk->collection, 0, gather,
                            &gathering, &head, err);
  if (status == TALLY_OK)
    let_go (&gathering, GATHER_IDS);
  if (status == TALLY_OK && walk->ids.failed)
    status = error_nomem (err);
  walk->all = !gathering.least.data;
  return status;
}

/* ---- handing out -------------------------------------------------------- */

static int
hand_out (void *ctx, const struct tally_doc *doc)
{
  struct walk *walk = ctx;

  buf_clear (&walk->last);
  buf_add_slice (&walk->last, doc->id);
  walk->begun = true;
  if (doc->flags & TALLY_DOC_DELETED)
    return 0;
  walk->live++;
  walk->status = walk->emit (walk->ctx, doc);
  return walk->status;
}

static int
get_batch (struct walk *walk, struct tally_error *err)
{
  struct tally_slice ids[GET_BATCH] = { { NULL, 0 } };
  size_t left = walk->ids.count - walk->next;
  size_t n = left < GET_BATCH ? left : GET_BATCH;
  const struct tally_doc *docs = walk->ids.docs + walk->next;
  int status;

  for (size_t i = 0; i < n; i++)
    ids[i] = docs[i].id;
  status = replica_get (walk->replica, walk->collection, ids, n,
                        TALLY_GET_BODY, hand_out, walk, err);
  if (status == TALLY_OK && walk->last.failed)
    status = error_nomem (err);
  /* Behind the last one that was handed out, or behind all when some at the
   * end are gone. */
  for (size_t i = 0; i < n; i++, walk->next++)
    if (walk->status && slice_cmp (ids[i], buf_slice (&walk->last)) > 0)
      break;
  return status;
}

static int
find_all (struct replica *replica, const char *collection,
          tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  return replica_find (replica, collection, NULL, NULL, TALLY_GET_BODY, emit,
                       ctx, err);
}

/* Where the store walks by itself.  A zero behind an id comes right after. */
static int
find_on (struct walk *walk, struct tally_error *err)
{
  unsigned flags = TALLY_GET_BODY | (walk->part ? TALLY_GET_PART : 0);
  struct tally_slice from;
  struct buf next = BUF_INIT;
  int status;

  buf_add_slice (&next, buf_slice (&walk->last));
  buf_add_byte (&next, 0);
  if (next.failed)
    return error_nomem (err);
  from = buf_slice (&next);
  status = replica_find (walk->replica, walk->collection,
                         walk->begun ? &from : NULL, NULL, flags, hand_out,
                         walk, err);
  if (status == TALLY_OK && walk->last.failed)
    status = error_nomem (err);
  walk->done = !walk->status;
  buf_free (&next);
  if (status == TALLY_OK && walk->done
      && replica_counts (walk->replica, walk->collection))
    status = replica_check_count (walk->replica, walk->collection, walk->live,
                                  find_all, err);
  return status;
}

int
walk_on (struct walk *walk, tally_emit_doc *emit, void *ctx,
         struct tally_error *err)
{
  int status = TALLY_OK;

  walk->emit = emit;
  walk->ctx = ctx;
  walk->status = 0;
  if (replica_can_find (walk->replica))
    return find_on (walk, err);
  while (status == TALLY_OK && !walk->done && !walk->status) {
    if (walk->next < walk->ids.count)
      status = get_batch (walk, err);
    else if (walk->all)
      walk->done = true;
    else {
      /* What is gone since it was gathered must not be gathered again. */
      if (walk->ids.count > 0) {
        buf_clear (&walk->last);
        buf_add_slice (&walk->last, walk->ids.docs[walk->ids.count - 1].id);
        walk->begun = true;
        if (walk->last.failed)
          return error_nomem (err);
      }
      status = gather_ids (walk, err);
    }
  }
  return status;
}
