/* SPDX-License-Identifier: MIT */
/* Goes over the tombstones that nobody waits for, and leaves graves in their
 * place.  Who waits is in forget-holders.c, how old they are in
 * forget-floor.c. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "forget-internal.h"
#include "graves.h"

#define FORGET_BATCH 1024
/* Having looked at so many changes in vain is worth a note. */
#define SWEPT_STEP 1024

struct sweep {
  struct doclist tombstones;
  uint64_t limit;
  uint64_t last; /* looked at */
  bool more;
};

static int
collect_tombstone (void *ctx, const struct tally_doc *doc)
{
  struct sweep *sweep = ctx;
  struct tally_doc header = *doc;

  if (doc->seq > sweep->limit)
    return 1;
  if (sweep->tombstones.count == FORGET_BATCH) {
    sweep->more = true;
    return 1;
  }
  sweep->last = doc->seq;
  header.meta = header.body = slice_make (NULL, 0);
  if (doc->flags & TALLY_DOC_DELETED)
    return !doclist_add (&sweep->tombstones, &header);
  return 0;
}

/* Each leaves a grave, in the same put or before it.  A tombstone that was
 * written over meanwhile stays. */
static int
forget_batch (struct floor *floor, struct replica *replica,
              const char *collection, const struct doclist *tombstones,
              struct tally_error *err)
{
  struct doclist graves = DOCLIST_INIT;
  int status = graves_make (&graves, replica, collection, tombstones, err);
  size_t n = graves.count + tombstones->count;
  struct tally_entry *entries = calloc (n + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (n + 1, sizeof *outcomes);

  if (status == TALLY_OK && (!entries || !outcomes))
    status = error_nomem (err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    if (i < graves.count) {
      entries[i].collection = GRAVES_COLLECTION;
      entries[i].doc = graves.docs[i];
    } else {
      const struct tally_doc *doc = &tombstones->docs[i - graves.count];

      entries[i].collection = collection;
      entries[i].flags = TALLY_ENTRY_FORGET;
      entries[i].expected = doc->rev;
      entries[i].doc.id = doc->id;
    }
  if (status == TALLY_OK)
    status = replica_put (replica, entries, n, 0, outcomes, err);
  floor->graves += graves.count;
  free (outcomes);
  free (entries);
  doclist_free (&graves);
  return status;
}

static int
prune_graves (struct floor *floor, struct replica *replica,
              struct tally_error *err)
{
  if (floor->graves < GRAVES_SWEEP)
    return TALLY_OK;
  floor->graves = 0;
  return graves_prune (replica, GRAVES_MAX, err);
}

/* A document that is made anew once its tombstone is forgotten must be stamped
 * above it, or it loses to the tombstone where that is still kept.  One that
 * is too far ahead of our clock stays, and so does all behind it. */
static int
pass_stamps (struct replica *replica, struct sweep *sweep,
             struct tally_error *err)
{
  struct doclist *found = &sweep->tombstones;
  uint64_t ahead = replica_wall_ms (replica) + replica->max_skew_ms;
  struct stamp greatest = { { 0 } };

  for (size_t i = 0; i < found->count; i++) {
    struct stamp newest;

    memcpy (newest.bytes, found->docs[i].rev, STAMP_SIZE);
    if (stamp_ms (&newest) > ahead) {
      sweep->limit = found->docs[i].seq - 1;
      sweep->more = false;
      found->count = i;
    } else if (stamp_cmp (&newest, &greatest) > 0)
      greatest = newest;
  }
  return found->count > 0 ? replica_pass (replica, &greatest, err) : TALLY_OK;
}

/* The floor is durable before what it tells of is gone. */
static int
sweep_batch (struct floor *floor, struct replica *replica,
             const char *collection, struct sweep *sweep,
             struct tally_error *err)
{
  const struct doclist *found = &sweep->tombstones;
  int status = pass_stamps (replica, sweep, err);

  if (status != TALLY_OK || found->count == 0)
    return status;
  if (floor->floor < found->docs[found->count - 1].seq) {
    floor->floor = found->docs[found->count - 1].seq;
    status = floor_save (floor, replica, collection, err);
  }
  if (status == TALLY_OK)
    status = forget_batch (floor, replica, collection, found, err);
  if (status == TALLY_OK)
    status = prune_graves (floor, replica, err);
  return status;
}

static int
sweep_up_to (struct floor *floor, struct replica *replica,
             const char *collection, uint64_t limit, bool marked,
             struct tally_error *err)
{
  struct sweep sweep = { .limit = limit, .more = true };
  uint64_t from = replica_live_up_to (replica, floor->swept), head;
  bool forgot = false;
  int status = TALLY_OK;

  if (from > limit)
    from = limit;
  while (status == TALLY_OK && sweep.more && from < sweep.limit) {
    sweep.more = false;
    sweep.last = from;
    doclist_clear (&sweep.tombstones);
    status = replica_changes (replica, collection, from, collect_tombstone,
                              &sweep, &head, err);
    if (status == TALLY_OK && sweep.tombstones.failed)
      status = error_nomem (err);
    if (status == TALLY_OK)
      status = sweep_batch (floor, replica, collection, &sweep, err);
    forgot |= sweep.tombstones.count > 0;
    from = sweep.more ? sweep.last : sweep.limit;
  }
  doclist_free (&sweep.tombstones);
  if (status != TALLY_OK
      || !(forgot || marked || from >= floor->swept + SWEPT_STEP))
    return status;
  if (from > floor->swept)
    floor->swept = from;
  return floor_save (floor, replica, collection, err);
}

static int
stop_at_once (void *ctx, const struct tally_doc *doc)
{
  (void) ctx;
  (void) doc;
  return 1;
}

int
forget_tombstones (struct replica *replica, const char *collection,
                   bool clock_confirmed, struct tally_error *err)
{
  struct holders holders;
  struct floor floor;
  uint64_t head, limit, expired = 0;
  bool marked = false;
  int status = floor_load (&floor, replica, collection, err);

  if (status != TALLY_OK)
    return status;
  /* First the head: what is deleted behind it may be news to somebody who
   * registers only now. */
  status =
      replica_changes (replica, collection, 0, stop_at_once, NULL, &head, err);
  if (status == TALLY_OK)
    status =
        holders_find (&holders, replica, collection, clock_confirmed, err);
  if (status != TALLY_OK)
    goto out;
  if (clock_confirmed)
    expired = floor_expire (&floor, replica, head, &marked);
  if (expired > holders.given)
    expired = holders.given;
  limit = holders.least < head ? holders.least : head;
  if (limit < expired)
    limit = expired;
  if (marked || limit > floor.swept)
    status = sweep_up_to (&floor, replica, collection, limit, marked, err);
out:
  floor_free (&floor);
  return status == TALLY_CONFLICT ? TALLY_OK : status;
}
