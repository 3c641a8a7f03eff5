/* SPDX-License-Identifier: MIT */
/* The collections of the memory store, and the order in which their documents
 * arrived.  Shared by its files. */

#ifndef TALLY_MEMORY_INDEX_H
#define TALLY_MEMORY_INDEX_H

#include "memory-tree.h"

/* A place in the order of arrival; node is NULL when the document has moved
 * on or was forgotten. */
struct memory_arrival {
  uint64_t seq;
  struct memory_node *node;
};

/* The documents of a collection as they arrived. */
struct memory_order {
  struct memory_arrival *arrivals; /* in rising seq */
  size_t n, size, holes;
};

struct memory_collection {
  char *name;
  struct memory_tree ids;     /* all documents, which it owns */
  struct memory_tree stamped; /* the live ones */
  struct memory_order order;
  struct tally_digest digest;
  bool digest_known;
  size_t pending; /* arrivals of the put under way */
};

struct memory_list {
  struct memory_collection **collections; /* by name */
  size_t n;
  uint64_t head; /* the last seq that was given */
};

/* The bytes and a NUL in memory of their own; NULL: there is none. */
void *memory_copy (const void *data, size_t size);

/* The index of the first arrival above the seq. */
size_t memory_order_above (const struct memory_order *o, uint64_t seq);

/* Makes room for so many calls of add; 0 or -1. */
int memory_order_reserve (struct memory_order *o, size_t more);

/* Adds the node with its seq, above all others. */
void memory_order_add (struct memory_order *o, struct memory_node *node);

/* Leaves a hole where the node is, which must be there. */
void memory_order_drop (struct memory_order *o,
                        const struct memory_node *node);

struct memory_collection *
memory_collection_find (const struct memory_list *list, const char *name);

/* Finds or adds it; NULL: out of memory. */
struct memory_collection *memory_collection_make (struct memory_list *list,
                                                  const char *name);

#endif /* TALLY_MEMORY_INDEX_H */
