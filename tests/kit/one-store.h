/* SPDX-License-Identifier: MIT */
/* A test on a store with all slots, and on one with those that a driver must
 * have: what comes before and after it. */

#ifndef TALLY_TESTS_ONE_STORE_H
#define TALLY_TESTS_ONE_STORE_H

#include "shared-store.h"

static struct shared_store shared;

static inline int
with_all_slots (void **state)
{
  (void) state;
  shared_start (&shared);
  return 0;
}

static inline int
with_required_slots (void **state)
{
  (void) state;
  shared_start (&shared);
  shared_take_slots (&shared);
  return 0;
}

static inline int
with_end (void **state)
{
  (void) state;
  shared_free (&shared);
  return 0;
}

#define ON_BOTH(test)                                                    \
  { #test " (all slots)", test, with_all_slots, with_end, NULL },        \
  {                                                                      \
#test " (required slots)", test, with_required_slots, with_end, NULL \
  }

#endif /* TALLY_TESTS_ONE_STORE_H */
