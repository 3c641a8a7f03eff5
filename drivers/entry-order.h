/* SPDX-License-Identifier: MIT */
/* The order of entries by collection and id, in which a batch touches each
 * page of an index once, and in which an id that is there twice is seen. */

#ifndef TALLY_ENTRY_ORDER_H
#define TALLY_ENTRY_ORDER_H

#include <stdint.h>
#include <string.h>

#include <tally/driver.h>

/* The first bytes of an id as a number of the same order, short ones with
 * zeros. */
static inline uint64_t
entry_start (const struct tally_slice *id)
{
  uint64_t start = 0;

  for (size_t i = 0; i < sizeof start; i++)
    start = start << 8
            | (i < id->size ? (unsigned char) id->data[i] : (unsigned char) 0);
  return start;
}

/* With the starts of their ids: what begins differently, as nearly all does,
 * is not looked at further. */
static inline int
entry_compare (const struct tally_entry *a, uint64_t a_start,
               const struct tally_entry *b, uint64_t b_start)
{
  size_t a_size = a->doc.id.size, b_size = b->doc.id.size;
  int order = a->collection == b->collection
                  ? 0
                  : strcmp (a->collection, b->collection);

  if (!order && a_start != b_start)
    return a_start < b_start ? -1 : 1;
  if (!order)
    order = memcmp (a->doc.id.data, b->doc.id.data,
                    a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

#endif /* TALLY_ENTRY_ORDER_H */
