/* SPDX-License-Identifier: MIT */
/* A walk over the live documents of a collection in bytewise order of their
 * ids, a stretch at a time and in bounded memory.  It is no snapshot: writes
 * between two stretches show where they are yet to be passed. */

#ifndef TALLY_WALK_H
#define TALLY_WALK_H

#include "buf.h"
#include "doclist.h"
#include "replica.h"

struct walk {
  struct replica *replica;
  const char *collection;
  struct buf last; /* id of the document that was handed out last */
  bool begun;
  bool done;
  uint64_t live; /* how many documents were handed out */
  bool part;     /* set to have of revisions what TALLY_GET_PART says */

  /* Ids yet to be handed out, of a store that cannot walk by itself. */
  struct doclist ids;
  size_t next;
  bool all; /* these are the last ones */

  tally_emit_doc *emit;
  void *ctx;
  int status; /* of what happened in emit */
};

void walk_start (struct walk *walk, struct replica *replica,
                 const char *collection);

/* Goes on, with bodies, until emit says stop, or walk->done.  TALLY_CORRUPT
 * at the end: some of the documents that there are were not found. */
int walk_on (struct walk *walk, tally_emit_doc *emit, void *ctx,
             struct tally_error *err);
void walk_end (struct walk *walk);

#endif /* TALLY_WALK_H */
