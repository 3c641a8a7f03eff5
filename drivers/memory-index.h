/* SPDX-License-Identifier: MIT */
/* How the memory store finds a document: by its id, and by its seq.  Shared
 * by its files. */

#ifndef TALLY_MEMORY_INDEX_H
#define TALLY_MEMORY_INDEX_H

#include <tally/driver.h>

/* A document.  The payload, meta and then body, is apart so that an update
 * leaves the node where it stands in the tree. */
struct memory_node {
  struct memory_node *child[2];
  int height;
  uint32_t flags;
  uint64_t seq;
  unsigned char rev[TALLY_REV_SIZE];
  size_t meta_size;
  size_t body_size;
  char *payload; /* NULL when both are empty */
  size_t id_size;
  char id[];
};

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
  struct memory_node *root;
  struct memory_order order;
  size_t pending; /* arrivals of the put under way */
};

struct memory_list {
  struct memory_collection **collections; /* by name */
  size_t n;
};

/* The bytes and a NUL in memory of their own; NULL: there is none. */
void *memory_copy (const void *data, size_t size);

/* Bytewise, the shorter first. */
int memory_compare (const char *a, size_t a_size, const char *b,
                    size_t b_size);

struct memory_node *memory_tree_find (struct memory_node *root,
                                      struct tally_slice id);

/* The id is not in the tree yet; the tree owns the node from here on. */
void memory_tree_insert (struct memory_node **root, struct memory_node *node);

/* The caller owns the node again. */
void memory_tree_remove (struct memory_node **root, struct memory_node *node);

void memory_node_free (struct memory_node *node);
void memory_tree_free (struct memory_node *root);

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
