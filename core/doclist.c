/* SPDX-License-Identifier: MIT */
/* Documents in an arena. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "slice.h"

/* The first block is small, since most lists are of one document; each further
 * one is twice as large as the one before. */
#define BLOCK_FIRST ((size_t) 1 << 10)
#define BLOCK_SIZE ((size_t) 64 << 10)

struct arena_block {
  struct arena_block *next;
  size_t used, size;
  char data[];
};

static struct arena_block *
block_new (struct arena *arena, size_t size)
{
  size_t room = arena->blocks ? 2 * arena->blocks->size : BLOCK_FIRST;
  struct arena_block *block;

  if (room > BLOCK_SIZE)
    room = BLOCK_SIZE;
  if (room < size)
    room = size;
  block = malloc (sizeof *block + room);
  if (!block)
    return NULL;
  block->used = 0;
  block->size = room;
  block->next = arena->blocks;
  arena->blocks = block;
  return block;
}

char *
arena_add (struct arena *arena, const void *data, size_t size)
{
  struct arena_block *block = arena->blocks;
  char *copy;

  if (!block || block->size - block->used < size)
    block = block_new (arena, size);
  if (!block)
    return NULL;
  copy = block->data + block->used;
  if (size > 0)
    memcpy (copy, data, size);
  block->used += size;
  return copy;
}

void
arena_free (struct arena *arena)
{
  while (arena->blocks) {
    struct arena_block *next = arena->blocks->next;

    free (arena->blocks);
    arena->blocks = next;
  }
}

static bool
copy_slice (struct doclist *list, struct tally_slice *slice)
{
  char *copy = arena_add (&list->arena, slice->data, slice->size);

  if (!copy)
    return false;
  slice->data = copy;
  list->bytes += slice->size;
  return true;
}

struct tally_doc *
doclist_refer (struct doclist *list, const struct tally_doc *doc)
{
  if (list->failed)
    return NULL;
  if (list->count == list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 8;
    struct tally_doc *docs = realloc (list->docs, capacity * sizeof *docs);

    if (!docs) {
      list->failed = true;
      return NULL;
    }
    list->docs = docs;
    list->capacity = capacity;
  }
  list->docs[list->count] = *doc;
  return &list->docs[list->count++];
}

struct tally_doc *
doclist_add (struct doclist *list, const struct tally_doc *doc)
{
  struct tally_doc copy = *doc;

  if (list->failed)
    return NULL;
  if (!copy_slice (list, &copy.id) || !copy_slice (list, &copy.meta)
      || !copy_slice (list, &copy.body)) {
    list->failed = true;
    return NULL;
  }
  return doclist_refer (list, &copy);
}

int
doclist_emit (void *list, const struct tally_doc *doc)
{
  return !doclist_add (list, doc);
}

int
doc_order (const void *a, const void *b)
{
  const struct tally_doc *left = a, *right = b;

  return slice_cmp (left->id, right->id);
}

void
doclist_sort (struct doclist *list)
{
  if (list->count > 0)
    qsort (list->docs, list->count, sizeof *list->docs, doc_order);
}

void
doclist_clear (struct doclist *list)
{
  arena_free (&list->arena);
  list->count = 0;
  list->bytes = 0;
  list->failed = false;
}

void
doclist_free (struct doclist *list)
{
  doclist_clear (list);
  free (list->docs);
  list->docs = NULL;
  list->capacity = 0;
}

const struct tally_doc *
doclist_next_if (const struct doclist *list, size_t *at, struct tally_slice id)
{
  if (*at >= list->count || !slice_equal (list->docs[*at].id, id))
    return NULL;
  return &list->docs[(*at)++];
}
