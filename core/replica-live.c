/* SPDX-License-Identifier: MIT */
/* Which numbers were given to documents that were alive: those that this
 * handle wrote or listed.  A number is of one state for ever, so a walk that
 * looks for tombstones need not read these: after a first sync that is all
 * there is. */

#include <config.h>

#include "replica.h"

/* Beyond that, what was known is forgotten: others write in between. */
#define INTERVALS_MAX 1024

/* Under the lock. */
static void
keep_bounded (struct replica *replica, bool good)
{
  if (!good || replica->live.count > INTERVALS_MAX)
    seqset_free (&replica->live);
}

void
replica_note_live (struct replica *replica, const struct tally_entry *entries,
                   const struct tally_outcome *outcomes, size_t n)
{
  const uint32_t dead = TALLY_DOC_DELETED;
  bool good = true;

  pthread_mutex_lock (&replica->puts_lock);
  for (size_t i = 0; i < n && good; i++)
    if (outcomes[i].status == TALLY_OK && outcomes[i].seq > 0
        && !(entries[i].flags & TALLY_ENTRY_FORGET)
        && !(entries[i].doc.flags & dead))
      good = seqset_add (&replica->live, outcomes[i].seq);
  keep_bounded (replica, good);
  pthread_mutex_unlock (&replica->puts_lock);
}

void
replica_note_listed (struct replica *replica, const struct tally_doc *headers,
                     size_t n)
{
  bool good = true;

  pthread_mutex_lock (&replica->puts_lock);
  for (size_t i = 0; i < n && good; i++)
    if (!(headers[i].flags & TALLY_DOC_DELETED))
      good = seqset_add (&replica->live, headers[i].seq);
  keep_bounded (replica, good);
  pthread_mutex_unlock (&replica->puts_lock);
}

uint64_t
replica_live_up_to (struct replica *replica, uint64_t seq)
{
  uint64_t last;

  pthread_mutex_lock (&replica->puts_lock);
  last = seqset_run (&replica->live, seq);
  pthread_mutex_unlock (&replica->puts_lock);
  return last;
}
