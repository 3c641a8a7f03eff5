/* SPDX-License-Identifier: MIT */
/* A batch of local writes, as its rounds and what decides an item see it. */

#ifndef TALLY_WRITE_INTERNAL_H
#define TALLY_WRITE_INTERNAL_H

#include "buf.h"
#include "doclist.h"
#include "idmap.h"
#include "unique.h"
#include "write.h"

/* A document that items of this round are of.  Where there are several, each
 * goes by what the one before it made of the document, and what the last one
 * makes is put. */
struct target {
  const struct tally_doc *stored; /* or a grave; NULL: nothing */
  struct tally_entry *entry;      /* what is put; NULL: nothing */
};

struct writer {
  struct replica *replica;
  const char *collection;
  const struct write_item *items;
  struct write_result *results;

  size_t *todo; /* items of this round */
  size_t n_todo;
  struct idmap ids; /* of the targets */
  struct target *targets;
  size_t *target_of; /* by item */
  struct doclist stored;
  struct tally_entry *entries;
  struct tally_outcome *outcomes;
  size_t n_entries;
  struct buf *metas; /* by item */
  struct unique unique;
};

static inline struct target *
target_of (const struct writer *writer, size_t item)
{
  return &writer->targets[writer->target_of[item]];
}

/* Decides one item against what is there, or a grave: who makes a document
 * anew knows what was deleted, and goes on from there. */
int write_decide (struct writer *writer, size_t item, struct tally_error *err);

#endif /* TALLY_WRITE_INTERNAL_H */
