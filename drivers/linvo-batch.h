/* SPDX-License-Identifier: MIT */
/* What a put is about to write, and how it is written: as one LevelDB batch
 * that holds documents, their orders and their digests. */

#ifndef TALLY_LINVO_BATCH_H
#define TALLY_LINVO_BATCH_H

#include "linvo-db.h"

/* An entry and what is stored under its id now. */
struct linvo_item {
  const struct tally_entry *entry;
  uint64_t start;  /* of its id, see entry-order.h */
  uint32_t number; /* of its collection; 0: none yet */
  bool forget;
  bool absent; /* known without a look */
  bool found;
  bool live; /* what was found */
  bool conflict;
  uint64_t seq;
  uint64_t next; /* the seq that it gets */
  unsigned char rev[TALLY_REV_SIZE];
};

struct linvo_batch {
  struct linvo *s;
  struct linvo_item *items;   /* as given */
  struct linvo_item **sorted; /* by collection and id */
  size_t n;
  size_t conflicts; /* items that expect something else */
  size_t writes;    /* items that change something */
  struct linvo_head head;
  leveldb_writebatch_t *records;
  char *value; /* room to put a document's value together */
  size_t room;
};

/* Whether the item, which was looked up, writes or forgets anything. */
static inline bool
linvo_item_changes (const struct linvo_item *item)
{
  return !item->conflict && (item->found || !item->forget);
}

/* Writes all items that change something, within a write to the store
 * (linvo_begin_write).  Afterwards seq and rev of what stays are those now
 * stored. */
int linvo_batch_write (struct linvo_batch *b, struct tally_error *err);

#endif /* TALLY_LINVO_BATCH_H */
