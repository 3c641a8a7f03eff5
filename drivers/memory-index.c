/* SPDX-License-Identifier: MIT */
/* Each collection is an AVL tree by id (a hash table would invite chosen
 * collisions: ids come from peers) and a vector by seq.  Neither allocates in
 * the step that changes it, so that a put which has begun cannot fail. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory-index.h"

#define TREE_DEPTH 64 /* an AVL tree of 2^44 nodes has this height */

void *
memory_copy (const void *data, size_t size)
{
  char *copy = size < SIZE_MAX ? malloc (size + 1) : NULL;

  if (!copy)
    return NULL;
  if (size)
    memcpy (copy, data, size);
  copy[size] = 0;
  return copy;
}

int
memory_compare (const char *a, size_t a_size, const char *b, size_t b_size)
{
  int order = memcmp (a, b, a_size < b_size ? a_size : b_size);

  return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* ---- tree ---- */

struct memory_node *
memory_tree_find (struct memory_node *node, struct tally_slice id)
{
  while (node) {
    int order = memory_compare (id.data, id.size, node->id, node->id_size);

    if (!order)
      break;
    node = node->child[order > 0];
  }
  return node;
}

static int
tree_height (const struct memory_node *node)
{
  return node ? node->height : 0;
}

static void
tree_measure (struct memory_node *node)
{
  int left = tree_height (node->child[0]);
  int right = tree_height (node->child[1]);

  node->height = 1 + (left > right ? left : right);
}

/* Lifts the child on that side over its parent. */
static void
tree_rotate (struct memory_node **link, int side)
{
  struct memory_node *down = *link, *up = down->child[side];

  down->child[side] = up->child[!side];
  up->child[!side] = down;
  tree_measure (down);
  tree_measure (up);
  *link = up;
}

static void
tree_balance (struct memory_node **link)
{
  struct memory_node *node = *link, *heavy;
  int lean = tree_height (node->child[1]) - tree_height (node->child[0]);
  int side = lean > 0;

  if (lean >= -1 && lean <= 1) {
    tree_measure (node);
    return;
  }
  heavy = node->child[side];
  if (tree_height (heavy->child[!side]) > tree_height (heavy->child[side]))
    tree_rotate (&node->child[side], !side);
  tree_rotate (link, side);
}

/* Fills the links from the root down to where the id stands or would stand
 * and returns how many there are. */
static size_t
tree_descend (struct memory_node **root, const char *id, size_t size,
              struct memory_node **path[TREE_DEPTH])
{
  struct memory_node **link = root;
  size_t depth = 0;

  path[depth++] = link;
  while (*link) {
    int order = memory_compare (id, size, (*link)->id, (*link)->id_size);

    if (!order)
      break;
    link = &(*link)->child[order > 0];
    path[depth++] = link;
  }
  return depth;
}

void
memory_tree_insert (struct memory_node **root, struct memory_node *node)
{
  struct memory_node **path[TREE_DEPTH];
  size_t depth = tree_descend (root, node->id, node->id_size, path);

  node->child[0] = node->child[1] = NULL;
  node->height = 1;
  *path[--depth] = node;
  while (depth) {
    int before = (*path[--depth])->height;

    tree_balance (path[depth]);
    if ((*path[depth])->height == before)
      break;
  }
}

/* Takes the node out; its successor takes its place. */
void
memory_tree_remove (struct memory_node **root, struct memory_node *node)
{
  struct memory_node **path[TREE_DEPTH], *next;
  size_t depth = tree_descend (root, node->id, node->id_size, path);
  size_t at = depth - 1;

  if (node->child[0] && node->child[1]) {
    path[depth++] = &node->child[1];
    while ((*path[depth - 1])->child[0]) {
      path[depth] = &(*path[depth - 1])->child[0];
      depth++;
    }
    next = *path[depth - 1];
    *path[depth - 1] = next->child[1];
    memcpy (next->child, node->child, sizeof next->child);
    next->height = node->height;
    *path[at] = next;
    path[at + 1] = &next->child[1];
  } else
    *path[at] = node->child[node->child[0] ? 0 : 1];
  for (depth--; depth; depth--)
    tree_balance (path[depth - 1]);
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
    struct memory_node *left = root->child[0];

    if (left) {
      root->child[0] = left->child[1];
      left->child[1] = root;
      root = left;
    } else {
      struct memory_node *right = root->child[1];

      memory_node_free (root);
      root = right;
    }
  }
}

/* ---- order of arrival ---- */

/* The index of the first arrival above the seq. */
size_t
memory_order_above (const struct memory_order *o, uint64_t seq)
{
  size_t low = 0, high = o->n;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (o->arrivals[middle].seq > seq)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* Makes room for so many more.  Dropping the holes when they are half of all
 * keeps both the waste and the cost of an arrival bounded. */
int
memory_order_reserve (struct memory_order *o, size_t more)
{
  struct memory_arrival *grown;
  size_t size = o->size, kept = 0;

  if (o->holes > o->n / 2) {
    for (size_t i = 0; i < o->n; i++)
      if (o->arrivals[i].node)
        o->arrivals[kept++] = o->arrivals[i];
    o->n = kept;
    o->holes = 0;
  }
  if (more <= size - o->n)
    return 0;
  size = o->n + more;
  if (size < more || size > SIZE_MAX / 2 / sizeof *grown)
    return -1;
  size += size / 2;
  grown = realloc (o->arrivals, size * sizeof *grown);
  if (!grown)
    return -1;
  o->arrivals = grown;
  o->size = size;
  return 0;
}

void
memory_order_drop (struct memory_order *o, const struct memory_node *node)
{
  o->arrivals[memory_order_above (o, node->seq) - 1].node = NULL;
  o->holes++;
}

void
memory_order_add (struct memory_order *o, struct memory_node *node)
{
  o->arrivals[o->n].seq = node->seq;
  o->arrivals[o->n].node = node;
  o->n++;
}

/* ---- collections ---- */

/* Where the collection is or would be in the list. */
static size_t
collection_place (const struct memory_list *list, const char *name,
                  bool *found)
{
  size_t low = 0, high = list->n;

  *found = false;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp (name, list->collections[middle]->name);

    if (!order) {
      *found = true;
      return middle;
    }
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

struct memory_collection *
memory_collection_find (const struct memory_list *list, const char *name)
{
  bool found;
  size_t place = collection_place (list, name, &found);

  return found ? list->collections[place] : NULL;
}

struct memory_collection *
memory_collection_make (struct memory_list *list, const char *name)
{
  struct memory_collection **grown, *c;
  bool found;
  size_t place = collection_place (list, name, &found);

  if (found)
    return list->collections[place];
  grown = realloc (list->collections, (list->n + 1) * sizeof *grown);
  if (!grown)
    return NULL;
  list->collections = grown;
  c = calloc (1, sizeof *c);
  if (!c)
    return NULL;
  c->name = memory_copy (name, strlen (name));
  if (!c->name) {
    free (c);
    return NULL;
  }
  memmove (grown + place + 1, grown + place,
           (list->n - place) * sizeof *grown);
  grown[place] = c;
  list->n++;
  return c;
}
