/* SPDX-License-Identifier: MIT */
/* What every put goes through on its way to the driver, from the bottom up:
 * batches, the rows of indexes, the times that are shown to LinvoDB's clients,
 * hooks. */

#include <config.h>

#include <string.h>

#include "hooks.h"
#include "indexes.h"
#include "mtime.h"
#include "replica.h"

static int
list_collections_of (struct replica *replica,
                     const struct tally_entry *entries, size_t n,
                     struct tally_error *err)
{
  for (size_t i = 0; i < n && !replica_keeps_collections (replica); i++)
    if (!(entries[i].flags & TALLY_ENTRY_FORGET)
        && (i == 0
            || strcmp (entries[i].collection, entries[i - 1].collection)
                   != 0)) {
      int status = replica_list (replica, entries[i].collection, err);

      if (status != TALLY_OK)
        return status;
    }
  return TALLY_OK;
}

/* One call. */
static int
put_batch (struct replica *replica, const struct tally_entry *entries,
           size_t n, unsigned flags, struct tally_outcome *outcomes,
           struct tally_error *err)
{
  struct replica_batch batch = { NULL, NULL };
  int status = replica_make_batch (&batch, entries, n,
                                   replica_keeps_digest (replica), err);

  if (status == TALLY_OK)
    status =
        replica_put_slot (replica, batch.entries, n, flags, outcomes, err);
  if (status == TALLY_OK)
    replica_note_live (replica, entries, outcomes, n);
  replica_free_batch (&batch);
  return status;
}

int
replica_put_plain (struct replica *replica, const struct tally_entry *entries,
                   size_t n, unsigned flags, struct tally_outcome *outcomes,
                   struct tally_error *err)
{
  int status = list_collections_of (replica, entries, n, err);
  size_t done = 0;

  while (status == TALLY_OK && done < n) {
    size_t batch =
        flags & TALLY_PUT_ALL
            ? n
            : replica_batch_size (replica, entries + done, n - done);

    status = put_batch (replica, entries + done, batch, flags & TALLY_PUT_ALL,
                        outcomes + done, err);
    done += batch;
  }
  if (done > 0)
    replica_tell_put (replica);
  return status;
}

int
replica_put_unraised (struct replica *replica,
                      const struct tally_entry *entries, size_t n,
                      unsigned flags, struct tally_outcome *outcomes,
                      struct tally_error *err)
{
  bool indexed = false;

  for (size_t i = 0; i < n && !indexed && indexes_possible (replica); i++)
    indexed = indexes_concern (entries[i].collection);
  return indexed
             ? indexes_put (replica, entries, n, flags, outcomes, err)
             : replica_put_plain (replica, entries, n, flags, outcomes, err);
}

static int
put_raised (struct replica *replica, const struct tally_entry *entries,
            size_t n, unsigned flags, struct tally_outcome *outcomes,
            struct tally_error *err)
{
  bool shown = false;
  int status = TALLY_OK;

  for (size_t i = 0; i < n && !shown; i++)
    shown = mtime_concerns (entries[i].collection);
  if (shown)
    status = mtime_is_shown (replica, &shown, err);
  if (status != TALLY_OK)
    return status;
  return shown ? mtime_put (replica, entries, n, flags, outcomes, err)
               : replica_put_unraised (replica, entries, n, flags, outcomes,
                                       err);
}

int
replica_put_by (struct replica *replica, const struct origin *origin,
                const struct tally_entry *entries, size_t n, unsigned flags,
                struct tally_outcome *outcomes, struct tally_error *err)
{
  struct hooks_put put = { origin ? replica->hooks : NULL, NULL };
  int status = hooks_look (&put, replica, entries, n, err);

  if (status != TALLY_OK)
    return status;
  /* After a failure it says which batches before it were written. */
  if (put.hooks)
    memset (outcomes, 0, n * sizeof *outcomes);
  status = put_raised (replica, entries, n, flags, outcomes, err);
  hooks_tell (&put, origin, entries, outcomes, n);
  return status;
}

int
replica_put (struct replica *replica, const struct tally_entry *entries,
             size_t n, unsigned flags, struct tally_outcome *outcomes,
             struct tally_error *err)
{
  static const struct origin here = { TALLY_ORIGIN_LOCAL, NULL };

  return replica_put_by (replica, &here, entries, n, flags, outcomes, err);
}
