/* SPDX-License-Identifier: MIT */
/* Unique indexes bind what is written through tally.h.  A write looks whether
 * its values are somebody else's, and then puts a record along that every such
 * write changes: so two that looked at once cannot both have been right. */

#ifndef TALLY_UNIQUE_H
#define TALLY_UNIQUE_H

#include "indexes.h"

struct unique {
  struct replica *replica;
  const char *collection;
  struct index_list list;
  bool any; /* there is one that is unique */
  char rows[COLLECTION_TEXT_MAX];
  unsigned char expected[TALLY_REV_SIZE];
};

/* Looks which there are, or looks again: before each round of a write, since
 * somebody may have been faster with an index, too.  Zeroed before the first
 * time; to be ended also when it failed. */
int unique_begin (struct unique *unique, struct replica *replica,
                  const char *collection, struct tally_error *err);

/* Fills the record's entry, which is to be put with these, all or nothing.
 * TALLY_INVALID names two documents that would have the same. */
int unique_guard (struct unique *unique, const struct tally_entry *entries,
                  size_t n, struct tally_entry *record,
                  struct tally_error *err);
void unique_end (struct unique *unique);

#endif /* TALLY_UNIQUE_H */
