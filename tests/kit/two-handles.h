/* SPDX-License-Identifier: MIT */
/* One store with two handles, ours and that of others who write to it: what
 * comes before and after a test. */

#ifndef TALLY_TESTS_TWO_HANDLES_H
#define TALLY_TESTS_TWO_HANDLES_H

#include "shared-store.h"

static struct shared_store shared;
static struct replica *ours, *others;

static inline int
two_handles (void **state)
{
  (void) state;
  shared_start (&shared);
  ours = shared_replica (&shared);
  others = shared_replica (&shared);
  return 0;
}

static inline int
two_handles_bare (void **state)
{
  (void) state;
  shared_start (&shared);
  shared_take_slots (&shared);
  ours = shared_replica (&shared);
  others = shared_replica (&shared);
  return 0;
}

static inline int
two_handles_end (void **state)
{
  (void) state;
  replica_close (ours);
  replica_close (others);
  shared_free (&shared);
  return 0;
}

#endif /* TALLY_TESTS_TWO_HANDLES_H */
