/* SPDX-License-Identifier: MIT */
/* The documents of the memory store, and how they are found: by id, and the
 * live ones by stamp. */

#ifndef TALLY_MEMORY_TREE_H
#define TALLY_MEMORY_TREE_H

#include <stdbool.h>

#include <tally/driver.h>

enum memory_tree_order { MEMORY_BY_ID, MEMORY_BY_STAMP };

/* More levels than memory has room for. */
#define MEMORY_LEVELS 16

/* A document.  The payload, meta and then body, is apart so that an update
 * leaves the node where it stands in the tree. */
struct memory_node {
  uint32_t flags;
  uint64_t seq;
  unsigned char rev[TALLY_REV_SIZE];
  size_t meta_size;
  size_t body_size;
  char *payload; /* NULL when both are empty */
  size_t id_size;
  char id[];
};

struct memory_page;

/* All zero but for its order, it is empty.  It does not own its nodes. */
struct memory_tree {
  enum memory_tree_order by;
  struct memory_page *root;
  unsigned height;             /* 1: the root is a leaf */
  size_t pages[MEMORY_LEVELS]; /* on each level, leaves first */
  struct memory_page *spare;   /* a list of pages to come */
  size_t spares;
};

/* Bytewise, the shorter first. */
int memory_compare (const char *a, size_t a_size, const char *b,
                    size_t b_size);

/* A place against a node's, by stamp. */
int memory_compare_place (const struct tally_position *at,
                          const struct memory_node *node);

/* In a tree by id. */
struct memory_node *memory_tree_find (const struct memory_tree *tree,
                                      struct tally_slice id);

/* The last one before that id; NULL: there is none. */
struct memory_node *memory_tree_before (const struct memory_tree *tree,
                                        struct tally_slice id);

/* Makes room for so many calls of insert; 0 or -1. */
int memory_tree_reserve (struct memory_tree *tree, size_t more);

/* It is not in the tree yet, nor is another of its id and stamp. */
void memory_tree_insert (struct memory_tree *tree, struct memory_node *node);

/* While what it is ordered by is still what it was. */
void memory_tree_remove (struct memory_tree *tree,
                         const struct memory_node *node);

/* Visits the nodes of a tree by stamp from a place on (NULL: all), in order,
 * until visit is false; whether it never was. */
bool memory_tree_scan (
    const struct memory_tree *tree, const struct tally_position *from,
    bool (*visit) (void *ctx, const struct memory_node *node), void *ctx);

/* The same for a tree by id. */
bool memory_tree_walk (
    const struct memory_tree *tree, const struct tally_slice *from,
    bool (*visit) (void *ctx, const struct memory_node *node), void *ctx);

void memory_node_free (struct memory_node *node);

/* With `nodes` all that is in it, too. */
void memory_tree_free (struct memory_tree *tree, bool nodes);

#endif /* TALLY_MEMORY_TREE_H */
