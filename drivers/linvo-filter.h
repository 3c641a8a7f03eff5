/* SPDX-License-Identifier: MIT */
/* Which ids may be in a store that was empty when it was opened: a Bloom
 * filter of all that was written since.  That something is not there is what
 * LevelDB finds out last, and a first sync asks that of every document. */

#ifndef TALLY_LINVO_FILTER_H
#define TALLY_LINVO_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

/* Each is twice as large as the one before: 980,000 documents in 2 MB. */
#define LINVO_FILTERS 4

struct linvo_filter {
  atomic_bool on;
  /* Made and filled by the one who writes, read by all at any time. */
  _Atomic (atomic_uint_least64_t *) bits[LINVO_FILTERS];
  uint64_t n; /* in the last of them; only who writes looks at it */
};

void linvo_filter_start (struct linvo_filter *filter, bool empty);
void linvo_filter_free (struct linvo_filter *filter);

/* Ahead of the write.  When there are too many, or no memory, it is off. */
void linvo_filter_add (struct linvo_filter *filter, uint32_t number,
                       const struct tally_slice *id);

/* True: it is not there.  False: it may be. */
bool linvo_filter_lacks (struct linvo_filter *filter, uint32_t number,
                         const struct tally_slice *id);

#endif /* TALLY_LINVO_FILTER_H */
