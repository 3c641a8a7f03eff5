/* SPDX-License-Identifier: MIT */
/* Looking up many documents by ids that rise. */

#ifndef TALLY_LINVO_ALONG_H
#define TALLY_LINVO_ALONG_H

#include "linvo-db.h"

struct linvo_along {
  struct linvo *s;
  const leveldb_readoptions_t *how;
  uint32_t number;
  leveldb_iterator_t *it; /* NULL: each is looked up by itself */
  struct linvo_key last;  /* what was looked for last */
  unsigned asked, far;    /* of these, not close behind the last */
};

/* For n documents of that collection. */
void linvo_along_begin (struct linvo_along *along, struct linvo *s,
                        const leveldb_readoptions_t *how, uint32_t number,
                        size_t n);

/* As linvo_find.  What is found is there until the next one. */
int linvo_along_find (struct linvo_along *along, const struct tally_slice *id,
                      bool part, struct linvo_found *found,
                      struct tally_error *err);

/* Only then it is certain that all that was found is whole. */
int linvo_along_end (struct linvo_along *along, struct tally_error *err);

#endif /* TALLY_LINVO_ALONG_H */
