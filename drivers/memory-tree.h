/* SPDX-License-Identifier: MIT */
/* The documents of the memory store, and how they are found: by id, and the
 * live ones by stamp. */

#ifndef TALLY_MEMORY_TREE_H
#define TALLY_MEMORY_TREE_H

#include <stdbool.h>

#include <tally/driver.h>

struct memory_node;

enum memory_tree_order { MEMORY_BY_ID, MEMORY_BY_STAMP, MEMORY_TREES };

/* Where a node stands in one of the trees. */
struct memory_links {
  struct memory_node *child[2];
  int height;
};

/* A document.  The payload, meta and then body, is apart so that an update
 * leaves the node where it stands in the tree. */
struct memory_node {
  struct memory_links links[MEMORY_TREES];
  uint32_t flags;
  uint64_t seq;
  unsigned char rev[TALLY_REV_SIZE];
  size_t meta_size;
  size_t body_size;
  char *payload; /* NULL when both are empty */
  size_t id_size;
  char id[];
};

/* Bytewise, the shorter first. */
int memory_compare (const char *a, size_t a_size, const char *b,
                    size_t b_size);

/* A place against a node's, by stamp. */
int memory_compare_place (const struct tally_position *at,
                          const struct memory_node *node);

struct memory_node *memory_tree_find (struct memory_node *root,
                                      struct tally_slice id);

/* It is not in the tree yet, nor is another of its id and stamp.  The tree by
 * id owns the node from here on. */
void memory_tree_insert (struct memory_node **root, struct memory_node *node,
                         enum memory_tree_order by);

/* While what it is ordered by is still what it was.  Taken out of the tree by
 * id, the caller owns it again. */
void memory_tree_remove (struct memory_node **root, struct memory_node *node,
                         enum memory_tree_order by);

/* Visits the nodes of a tree by stamp from a place on (NULL: all), in order,
 * until visit is false; whether it never was. */
bool
memory_tree_scan (struct memory_node *root, const struct tally_position *from,
                  bool (*visit) (void *ctx, const struct memory_node *node),
                  void *ctx);

/* The same for a tree by id. */
bool
memory_tree_walk (struct memory_node *root, const struct tally_slice *from,
                  bool (*visit) (void *ctx, const struct memory_node *node),
                  void *ctx);

void memory_node_free (struct memory_node *node);

/* Of a tree by id. */
void memory_tree_free (struct memory_node *root);

#endif /* TALLY_MEMORY_TREE_H */
