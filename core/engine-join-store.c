/* SPDX-License-Identifier: MIT */
/* What a merge makes is stored on the revision that was merged here. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine-join.h"
#include "error.h"
#include "hooks.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

/* What lost is kept, and seen from here on, whatever becomes of the push. */
static int
tell_losers (struct joiner *joiner, struct joined *joined,
             struct tally_error *err)
{
  for (; joined->losers > 0; joined->losers--) {
    struct tally_slice field = joiner->fields.ids[joined->first_loser++];

    joiner->sync->report.conflicts++;
    if (!sync_conflict (joiner->sync, joined->id, field))
      return error_nomem (err);
  }
  return TALLY_OK;
}

static int
stored (struct joiner *joiner, struct joined *joined,
        const struct tally_outcome *outcome, struct tally_error *err)
{
  struct stamp newest;

  if (outcome->status != TALLY_OK) {
    joined->again = true;
    return TALLY_OK;
  }
  memcpy (newest.bytes, joined->result->rev, STAMP_SIZE);
  replica_seen (joiner->sync->run->replica, &newest);
  joined->seq = outcome->seq;
  return tell_losers (joiner, joined, err);
}

/* In a link that only pushes, nothing changes here.  One that only pulls keeps
 * a tombstone that was forgotten until it can be given to them. */
static bool
must_store (const struct joiner *joiner, const struct joined *joined)
{
  const struct sync *sync = joiner->sync;

  if (!joined->result || !sync->pulls)
    return false;
  return joined->result != joined->ours
         || (!sync->pushes && is_grave (joined->ours));
}

static void
make_entry (const struct joiner *joiner, const struct joined *joined,
            struct tally_entry *entry)
{
  memset (entry, 0, sizeof *entry);
  entry->collection = joiner->sync->collection;
  entry->expected = joined->ours && !is_grave (joined->ours)
                        ? joined->ours->rev
                        : absent_rev;
  entry->doc = *joined->result;
}

/* A merge that makes somebody lose is one put with its journal, all or
 * nothing.  A store without transactions gets the journal first: what is in
 * it twice is there once. */
static int
store_with_losers (struct joiner *joiner, struct joined *joined,
                   struct tally_error *err)
{
  struct replica *replica = joiner->sync->run->replica;
  size_t n = joined->losers;
  bool with_doc = must_store (joiner, joined);
  struct tally_entry *entries = calloc (n + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (n + 1, sizeof *outcomes);
  struct origin origin = { TALLY_ORIGIN_SYNC, joiner->sync->run->link->name };
  int status = entries && outcomes ? TALLY_OK : error_nomem (err);

  if (status == TALLY_OK) {
    journal_entries (&joiner->journal, joined->first_loser, n, entries);
    if (with_doc)
      make_entry (joiner, joined, &entries[n]);
    status = replica_put_by (replica, &origin, entries, n + with_doc,
                             replica_has_batches (replica) ? TALLY_PUT_ALL : 0,
                             outcomes, err);
  }
  if (status == TALLY_OK)
    status = with_doc ? stored (joiner, joined, &outcomes[n], err)
                      : tell_losers (joiner, joined, err);
  free (outcomes);
  free (entries);
  return status;
}

/* All others in one batch. */
static int
store_others (struct joiner *joiner, struct tally_error *err)
{
  struct tally_entry *entries = calloc (joiner->n + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (joiner->n + 1, sizeof *outcomes);
  struct joined **of = calloc (joiner->n + 1, sizeof *of);
  struct origin origin = { TALLY_ORIGIN_SYNC, joiner->sync->run->link->name };
  size_t n = 0;
  int status = TALLY_OK;

  if (!entries || !outcomes || !of)
    status = error_nomem (err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    if (joiner->joined[i].losers == 0
        && must_store (joiner, &joiner->joined[i])) {
      make_entry (joiner, &joiner->joined[i], &entries[n]);
      of[n++] = &joiner->joined[i];
    }
  if (status == TALLY_OK)
    status = replica_put_by (joiner->sync->run->replica, &origin, entries, n,
                             0, outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = stored (joiner, of[i], &outcomes[i], err);
  free (of);
  free (outcomes);
  free (entries);
  return status;
}

int
join_store (struct joiner *joiner, struct tally_error *err)
{
  int status;

  for (size_t i = 0; i < joiner->n; i++)
    if (joiner->joined[i].ours)
      joiner->joined[i].seq = joiner->joined[i].ours->seq;
  status = store_others (joiner, err);
  for (size_t i = 0; i < joiner->n && status == TALLY_OK; i++)
    if (joiner->joined[i].losers > 0)
      status = store_with_losers (joiner, &joiner->joined[i], err);
  return status;
}
