/* SPDX-License-Identifier: MIT */
/* Ids to be put in the order of their keys, in bounded memory: with a limit
 * only the first so many are kept, without one there is an end to how many
 * there may be.  Pure. */

#ifndef TALLY_SORTER_H
#define TALLY_SORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "doclist.h"

#define SORTER_BYTES_MAX ((size_t) 128 << 20)

struct sorter {
  struct sorted {
    struct tally_slice key, id;
  } * items;
  size_t n, room;
  size_t bytes;     /* of keys and ids in the arena */
  uint64_t most;    /* 0: all are wanted */
  size_t bytes_max; /* 0: SORTER_BYTES_MAX */
  struct arena arena;
};

/* TALLY_UNSUPPORTED: too many, `what` says of what. */
int sorter_add (struct sorter *sorter, struct tally_slice key,
                struct tally_slice id, const char *what,
                struct tally_error *err);

/* By key, then by id; items are in order from here on. */
int sorter_end (struct sorter *sorter, struct tally_error *err);
void sorter_free (struct sorter *sorter);

#endif /* TALLY_SORTER_H */
