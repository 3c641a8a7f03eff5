/* SPDX-License-Identifier: MIT */
/* What indexes a put goes by.  That may have changed since it was read, also
 * by another process: so the put checks that none was made, by a record that
 * would be there then, and else begins again. */

#ifndef TALLY_INDEXES_LISTS_H
#define TALLY_INDEXES_LISTS_H

#include "indexes-internal.h"

/* One collection of a put. */
struct indexed {
  const char *collection;
  char rows[COLLECTION_TEXT_MAX];
  struct index_list list;
  bool checks;               /* whether the list is an old one */
  char made[INDEX_MADE_MAX]; /* the record that is then there */
};

struct index_lists {
  struct replica *replica;
  struct indexed *all;
  size_t n;
};

/* *which is that of the collection, whose name lives as long. */
int index_lists_find (struct index_lists *lists, const char *collection,
                      size_t *which, struct tally_error *err);

/* Fills in the entries that check, and says how many: at most one for each
 * collection. */
size_t index_lists_check (const struct index_lists *lists,
                          struct tally_entry *put);

/* got: what became of these.  Reads anew what was old; *any: there was such a
 * one, and the put begins again. */
int index_lists_renew (struct index_lists *lists,
                       const struct tally_outcome *got, bool *any,
                       struct tally_error *err);

void index_lists_free (struct index_lists *lists);

#endif /* TALLY_INDEXES_LISTS_H */
