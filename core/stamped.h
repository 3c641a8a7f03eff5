/* SPDX-License-Identifier: MIT */
/* Writes that bring the time of their own, such as documents that another
 * program kept and says when they were changed.  The stamp is made of that
 * time and of the document alone, so that two stores that take in the same
 * data agree without ever having met.  Such a writer cannot know what it
 * replaces: what loses is journaled as lost to a blind one. */

#ifndef TALLY_STAMPED_H
#define TALLY_STAMPED_H

#include "write.h"

struct stamped_item {
  struct tally_slice id;
  struct tally_slice body; /* canonical, with the _id */
  uint64_t ms;             /* at most HLC_MS_MAX */
};

/* The stamp of a document that was changed at that time: the client in it is
 * a hash of id and body. */
void stamped_stamp (struct stamp *out, const struct stamped_item *item);

/* Writes items with different ids; `link` is what the journal calls the place
 * that they come from.  Results as those of write_batch; one that changes
 * nothing, or that is older than all that is there, is TALLY_UNCHANGED.
 * Unique indexes bind it as they bind write_batch. */
int stamped_write (struct replica *replica, const char *collection,
                   const struct stamped_item *items, size_t n,
                   const char *link, struct write_result *results,
                   struct tally_error *err);

#endif /* TALLY_STAMPED_H */
