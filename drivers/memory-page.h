/* SPDX-License-Identifier: MIT */
/* The pages of the memory store's trees.  What stands in them is taken and
 * moved; where it belongs is the trees' matter. */

#ifndef TALLY_MEMORY_PAGE_H
#define TALLY_MEMORY_PAGE_H

#include "memory-tree.h"

#define MEMORY_PAGE 64

/* The first bytes that a node is ordered by, as numbers of the same order. */
struct memory_start {
  uint64_t first;
  uint32_t rest;
};

/* A page of level 0 is a leaf and has nodes; any other has pages, with the
 * first node below each. */
struct memory_page {
  size_t n;
  uint64_t firsts[MEMORY_PAGE];
  uint32_t rests[MEMORY_PAGE];
  struct memory_node *nodes[MEMORY_PAGE];
  struct memory_page *pages[MEMORY_PAGE]; /* of a spare one, the first: the
                                             next */
};

/* What stands in a page. */
struct memory_item {
  struct memory_start start;
  struct memory_node *node;
  struct memory_page *page; /* not in a leaf */
};

/* An empty one of the spare ones, of which there must be one. */
struct memory_page *memory_page_take (struct memory_tree *tree,
                                      unsigned level);
void memory_page_give (struct memory_tree *tree, struct memory_page *page,
                       unsigned level);

/* Of a page above another it is the first item. */
struct memory_item memory_page_first (struct memory_page *page);

void memory_page_set (struct memory_page *page, size_t i,
                      const struct memory_item *item);
void memory_page_add (struct memory_page *page, size_t i,
                      const struct memory_item *item);

/* Moves the items from i on to j, in the same page or another, which end
 * there. */
void memory_page_move (struct memory_page *page, size_t i,
                       struct memory_page *to, size_t j);

#endif /* TALLY_MEMORY_PAGE_H */
