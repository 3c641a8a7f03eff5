/* SPDX-License-Identifier: MIT */
/* Copies of documents or headers, for one window or batch at a time.  Their
 * bytes lie in blocks that never move, so that slices into them stay good
 * until the list is cleared. */

#ifndef TALLY_DOCLIST_H
#define TALLY_DOCLIST_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/driver.h>

struct arena_block;

struct arena {
  struct arena_block *blocks; /* the one in use first */
};

/* NULL: out of memory. */
char *arena_add (struct arena *arena, const void *data, size_t size);
void arena_free (struct arena *arena);

struct doclist {
  struct tally_doc *docs;
  size_t count, capacity;
  size_t bytes; /* of ids, metas and bodies */
  bool failed;  /* out of memory: check once at the end */
  struct arena arena;
};

#define DOCLIST_INIT \
  {                  \
    0                \
  }

/* Copies the document; NULL, and list->failed, when out of memory. */
struct tally_doc *doclist_add (struct doclist *list,
                               const struct tally_doc *doc);

/* Without its bytes, which stay where they are for as long as the list. */
struct tally_doc *doclist_refer (struct doclist *list,
                                 const struct tally_doc *doc);

/* The same as a tally_emit_doc, with the list as ctx. */
int doclist_emit (void *list, const struct tally_doc *doc);

/* By their ids; the order itself is for qsort. */
int doc_order (const void *a, const void *b);
void doclist_sort (struct doclist *list);

void doclist_clear (struct doclist *list);
void doclist_free (struct doclist *list);

/* For walking over what `get` emitted for ids: the document of this id if it
 * is the next one, and *at then is behind it; else NULL. */
const struct tally_doc *doclist_next_if (const struct doclist *list,
                                         size_t *at, struct tally_slice id);

#endif /* TALLY_DOCLIST_H */
