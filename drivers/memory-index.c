/* SPDX-License-Identifier: MIT */
/* The order of arrival is a vector, the collections are a sorted list. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory-index.h"

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
  c->ids.by = MEMORY_BY_ID;
  c->stamped.by = MEMORY_BY_STAMP;
  c->digest_known = true;
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
