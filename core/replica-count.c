/* SPDX-License-Identifier: MIT */
/* A damaged page of a file may hide documents from a walk that goes well. So
 * after a walk over all of a collection the number of those seen is held
 * against its digest, which says how many there are. */

#include <config.h>

#include "document.h"
#include "error.h"
#include "replica.h"

#define TRIES 16 /* against those who write meanwhile */

bool
replica_counts (const struct replica *replica, const char *collection)
{
  return replica_keeps_digest (replica) && !collection_is_local (collection);
}

/* Passes on, and counts. */
struct count {
  tally_emit_doc *emit; /* NULL: only counts */
  void *ctx;
  uint64_t live;
  bool stopped;
};

static int
emit_counted (void *ctx, const struct tally_doc *doc)
{
  struct count *count = ctx;

  count->live += !(doc->flags & TALLY_DOC_DELETED);
  count->stopped = count->emit && count->emit (count->ctx, doc) != 0;
  return count->stopped;
}

/* Where numbers differ somebody may have written in between: so all is walked
 * through again until nobody does. */
static int
count_again (struct replica *replica, const char *collection,
             replica_walk *walk, struct tally_error *err)
{
  for (unsigned n = 0; n < TRIES; n++) {
    struct count count = { NULL, NULL, 0, false };
    struct tally_digest before, after;
    int status = replica_digest (replica, collection, 0, &before, err);

    if (status == TALLY_OK)
      status = walk (replica, collection, emit_counted, &count, err);
    if (status == TALLY_OK)
      status = replica_digest (replica, collection, 0, &after, err);
    if (status != TALLY_OK
        || (before.seq == after.seq && before.count == count.live))
      return status;
    if (before.seq == after.seq)
      return error_set (err, TALLY_CORRUPT,
                        "%s: is damaged: of the %llu documents of \"%s\" "
                        "%llu are found",
                        replica->name, (unsigned long long) before.count,
                        collection, (unsigned long long) count.live);
  }
  return TALLY_OK;
}

int
replica_check_count (struct replica *replica, const char *collection,
                     uint64_t live, replica_walk *walk,
                     struct tally_error *err)
{
  struct tally_digest digest;
  int status = replica_digest (replica, collection, 0, &digest, err);

  if (status != TALLY_OK || digest.count == live)
    return status;
  return count_again (replica, collection, walk, err);
}

/* ---- walks -------------------------------------------------------------- */

static int
walk_changes (struct replica *replica, const char *collection,
              tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  uint64_t head;

  return replica_changes_slot (replica, collection, 0, emit, ctx, &head, err);
}

int
replica_changes (struct replica *replica, const char *collection,
                 uint64_t since, tally_emit_doc *emit, void *ctx,
                 uint64_t *head, struct tally_error *err)
{
  struct count count = { emit, ctx, 0, false };
  int status;

  if (since > 0 || !replica_counts (replica, collection))
    return replica_changes_slot (replica, collection, since, emit, ctx, head,
                                 err);
  status = replica_changes_slot (replica, collection, 0, emit_counted, &count,
                                 head, err);
  if (status == TALLY_OK && !count.stopped)
    status = replica_check_count (replica, collection, count.live,
                                  walk_changes, err);
  return status;
}

static int
walk_scan (struct replica *replica, const char *collection,
           tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  uint64_t seq;

  return replica_scan_slot (replica, collection, NULL, NULL, emit, ctx, &seq,
                            err);
}

int
replica_scan (struct replica *replica, const char *collection,
              const struct tally_position *from,
              const struct tally_position *to, tally_emit_doc *emit, void *ctx,
              uint64_t *seq, struct tally_error *err)
{
  struct count count = { emit, ctx, 0, false };
  int status;

  if (!replica_can_scan (replica))
    return replica_scan_changes (replica, collection, from, to, emit, ctx, seq,
                                 err);
  if (from || to || !replica_counts (replica, collection))
    return replica_scan_slot (replica, collection, from, to, emit, ctx, seq,
                              err);
  status = replica_scan_slot (replica, collection, NULL, NULL, emit_counted,
                              &count, seq, err);
  if (status == TALLY_OK && !count.stopped)
    status =
        replica_check_count (replica, collection, count.live, walk_scan, err);
  return status;
}
