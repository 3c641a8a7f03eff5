/* SPDX-License-Identifier: MIT */
/* conflicts of tally.h: the journal's entries listed and dropped. */

#include <config.h>

#include <string.h>

#include "conflicts.h"
#include "context.h"
#include "public.h"

int
conflicts_each (struct tally_replica *handle, struct replica *replica,
                const char *const *ids, size_t n, journal_item_fn *fn,
                void *ctx, struct tally_error *err)
{
  struct device_book book = { .replica = replica,
                              .own = handle->tally->config->device };
  int status = journal_each (replica, &book, ids, n, fn, ctx, err);

  device_book_free (&book);
  return status;
}

int
conflicts_prune (struct tally_replica *handle, struct replica *replica,
                 struct tally_error *err)
{
  const struct config *config = handle->tally->config;
  struct journal_limits limits = { (uint64_t) config->keep_conflicts_ms,
                                   (uint64_t) config->max_conflicts };

  return journal_prune (replica, &limits, replica_clock_agrees (replica), err);
}

/* ---- listing ------------------------------------------------------------ */

struct listing {
  tally_conflict_fn *emit;
  void *ctx;
  bool stop;
};

static int
list_entry (void *ctx, struct journal_item *item, struct tally_error *err)
{
  struct listing *listing = ctx;

  (void) err;
  if (!listing->stop)
    listing->stop = listing->emit (listing->ctx, &item->conflict);
  return TALLY_OK;
}

int
tally_conflicts (struct tally_replica *handle, const char *const *ids,
                 size_t n, tally_conflict_fn *emit, void *ctx,
                 struct tally_error *err)
{
  struct listing listing = { emit, ctx, false };
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  status = context_use (&replica, handle, err);
  if (status != TALLY_OK)
    return status;
  return conflicts_each (handle, replica, ids, n, list_entry, &listing, err);
}

int
tally_conflicts_dropped (struct tally_replica *handle, uint64_t *dropped,
                         uint64_t *recent, struct tally_error *err)
{
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  *dropped = *recent = 0;
  status = context_use (&replica, handle, err);
  if (status != TALLY_OK)
    return status;
  return journal_dropped (replica, dropped, recent, err);
}

/* ---- dropping ----------------------------------------------------------- */

int
conflicts_forget (struct replica *replica, const struct journal_item *item,
                  struct tally_error *err)
{
  struct tally_entry forget = { 0 };
  struct tally_outcome outcome = { 0 };

  forget.collection = item->collection;
  forget.flags = TALLY_ENTRY_FORGET;
  forget.expected = item->rev;
  forget.doc.id = slice_text (item->conflict.id);
  return replica_put (replica, &forget, 1, 0, &outcome, err);
}

static int
drop_entry (void *ctx, struct journal_item *item, struct tally_error *err)
{
  return conflicts_forget (ctx, item, err);
}

int
tally_conflict_drop (struct tally_replica *handle, const char *const *ids,
                     size_t n, struct tally_error *err)
{
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  if (n == 0)
    return TALLY_OK;
  status = context_use (&replica, handle, err);
  if (status == TALLY_OK)
    status =
        conflicts_each (handle, replica, ids, n, drop_entry, replica, err);
  return status == TALLY_OK ? conflicts_prune (handle, replica, err) : status;
}
