/* SPDX-License-Identifier: MIT */
/* AVL trees over the same nodes, one by id (a hash table would invite chosen
 * collisions: ids come from peers), one by stamp and id.  Nothing is allocated
 * in the step that changes one, so that a put which has begun cannot fail. */

#include <stdlib.h>
#include <string.h>

#include "memory-tree.h"

#define TREE_DEPTH 64 /* an AVL tree of 2^44 nodes has this height */

int
memory_compare (const char *a, size_t a_size, const char *b, size_t b_size)
{
  int order = memcmp (a, b, a_size < b_size ? a_size : b_size);

  return order ? order : (a_size > b_size) - (a_size < b_size);
}

struct memory_node *
memory_tree_find (struct memory_node *node, struct tally_slice id)
{
  while (node) {
    int order = memory_compare (id.data, id.size, node->id, node->id_size);

    if (!order)
      break;
    node = node->links[MEMORY_BY_ID].child[order > 0];
  }
  return node;
}

int
memory_compare_place (const struct tally_position *at,
                      const struct memory_node *node)
{
  int order = memcmp (at->stamp, node->rev, TALLY_STAMP_SIZE);

  /* An empty id may have no bytes to compare. */
  if (order || at->id.size == 0)
    return order ? order : -1;
  return memory_compare (at->id.data, at->id.size, node->id, node->id_size);
}

static int
node_compare (const struct memory_node *a, const struct memory_node *b,
              enum memory_tree_order by)
{
  int order =
      by == MEMORY_BY_STAMP ? memcmp (a->rev, b->rev, TALLY_STAMP_SIZE) : 0;

  return order ? order : memory_compare (a->id, a->id_size, b->id, b->id_size);
}

static int
tree_height (const struct memory_node *node, enum memory_tree_order by)
{
  return node ? node->links[by].height : 0;
}

static void
tree_measure (struct memory_node *node, enum memory_tree_order by)
{
  struct memory_links *links = &node->links[by];
  int left = tree_height (links->child[0], by);
  int right = tree_height (links->child[1], by);

  links->height = 1 + (left > right ? left : right);
}

/* Lifts the child on that side over its parent. */
static void
tree_rotate (struct memory_node **link, int side, enum memory_tree_order by)
{
  struct memory_node *down = *link, *up = down->links[by].child[side];

  down->links[by].child[side] = up->links[by].child[!side];
  up->links[by].child[!side] = down;
  tree_measure (down, by);
  tree_measure (up, by);
  *link = up;
}

static void
tree_balance (struct memory_node **link, enum memory_tree_order by)
{
  struct memory_node **child = (*link)->links[by].child, **heavy;
  int lean = tree_height (child[1], by) - tree_height (child[0], by);
  int side = lean > 0;

  if (lean >= -1 && lean <= 1) {
    tree_measure (*link, by);
    return;
  }
  heavy = child[side]->links[by].child;
  if (tree_height (heavy[!side], by) > tree_height (heavy[side], by))
    tree_rotate (&child[side], !side, by);
  tree_rotate (link, side, by);
}

/* Fills the links from the root down to where the node stands or would stand
 * and returns how many there are. */
static size_t
tree_descend (struct memory_node **root, const struct memory_node *node,
              enum memory_tree_order by, struct memory_node **path[TREE_DEPTH])
{
  struct memory_node **link = root;
  size_t depth = 0;

  path[depth++] = link;
  while (*link && *link != node) {
    int order = node_compare (node, *link, by);

    link = &(*link)->links[by].child[order > 0];
    path[depth++] = link;
  }
  return depth;
}

void
memory_tree_insert (struct memory_node **root, struct memory_node *node,
                    enum memory_tree_order by)
{
  struct memory_node **path[TREE_DEPTH];
  size_t depth = tree_descend (root, node, by, path);

  node->links[by].child[0] = node->links[by].child[1] = NULL;
  node->links[by].height = 1;
  *path[--depth] = node;
  while (depth) {
    int before = (*path[--depth])->links[by].height;

    tree_balance (path[depth], by);
    if ((*path[depth])->links[by].height == before)
      break;
  }
}

/* Takes the node out; its successor takes its place. */
void
memory_tree_remove (struct memory_node **root, struct memory_node *node,
                    enum memory_tree_order by)
{
  struct memory_node **path[TREE_DEPTH], *next;
  struct memory_links *links = &node->links[by];
  size_t depth = tree_descend (root, node, by, path);
  size_t at = depth - 1;

  if (links->child[0] && links->child[1]) {
    path[depth++] = &links->child[1];
    while ((*path[depth - 1])->links[by].child[0]) {
      path[depth] = &(*path[depth - 1])->links[by].child[0];
      depth++;
    }
    next = *path[depth - 1];
    *path[depth - 1] = next->links[by].child[1];
    next->links[by] = *links;
    *path[at] = next;
    path[at + 1] = &next->links[by].child[1];
  } else
    *path[at] = links->child[links->child[0] ? 0 : 1];
  for (depth--; depth; depth--)
    tree_balance (path[depth - 1], by);
}

/* In order, without what stands before `from`. */
static bool
walk (struct memory_node *root, enum memory_tree_order by,
      bool (*is_before) (const void *from, const struct memory_node *node),
      const void *from,
      bool (*visit) (void *ctx, const struct memory_node *node), void *ctx)
{
  const struct memory_node *path[TREE_DEPTH], *node = root;
  size_t depth = 0;

  for (;;) {
    /* What stands before is met on the first way down only. */
    while (node) {
      const struct memory_links *links = &node->links[by];

      if (from && is_before (from, node))
        node = links->child[1];
      else {
        path[depth++] = node;
        node = links->child[0];
      }
    }
    if (depth == 0)
      return true;
    node = path[--depth];
    if (!visit (ctx, node))
      return false;
    node = node->links[by].child[1];
  }
}

static bool
is_before_place (const void *from, const struct memory_node *node)
{
  return memory_compare_place (from, node) > 0;
}

bool
memory_tree_scan (struct memory_node *root, const struct tally_position *from,
                  bool (*visit) (void *ctx, const struct memory_node *node),
                  void *ctx)
{
  return walk (root, MEMORY_BY_STAMP, is_before_place, from, visit, ctx);
}

static bool
is_before_id (const void *from, const struct memory_node *node)
{
  const struct tally_slice *id = from;

  return memory_compare (node->id, node->id_size, id->data, id->size) < 0;
}

bool
memory_tree_walk (struct memory_node *root, const struct tally_slice *from,
                  bool (*visit) (void *ctx, const struct memory_node *node),
                  void *ctx)
{
  return walk (root, MEMORY_BY_ID, is_before_id, from, visit, ctx);
}

void
memory_node_free (struct memory_node *node)
{
  if (node)
    free (node->payload);
  free (node);
}

/* Needs no stack: unwinds left children until there are none. */
void
memory_tree_free (struct memory_node *root)
{
  while (root) {
    struct memory_node **child = root->links[MEMORY_BY_ID].child;
    struct memory_node *left = child[0];

    if (left) {
      child[0] = left->links[MEMORY_BY_ID].child[1];
      left->links[MEMORY_BY_ID].child[1] = root;
      root = left;
    } else {
      struct memory_node *right = child[1];

      memory_node_free (root);
      root = right;
    }
  }
}
