/* SPDX-License-Identifier: MIT */
/* What goes to the far side in batches: the documents of a list
 * (engine-push.c), or all that there are (engine-give.c). */

#ifndef TALLY_ENGINE_PUSHING_H
#define TALLY_ENGINE_PUSHING_H

#include "engine-internal.h"

struct push {
  struct sync *sync;
  struct idlist *both;
  bool all; /* without ids */
  struct tally_slice *ids;
  size_t n;
  /* What came there, by seq: in the order of ids it would make holes. */
  uint64_t *settled;
  size_t n_settled;
  /* Of all: what comes behind this is listed, too; and how many were read. */
  uint64_t head, met;
};

/* Reads and pushes all batches. */
int pushing_run (struct push *push, struct tally_error *err);

/* A document that cannot go there now, of which part of the revision may have
 * been read. */
int pushing_refused (struct push *push, const struct tally_doc *doc,
                     int outcome, struct tally_error *err);

/* Of a batch of all takes out what is kept back. */
int given_leave_kept (struct push *push, struct doclist *docs,
                      struct tally_error *err);

/* So much of all did not go there that it is better to look at windows. */
bool given_is_beyond (const struct push *push);

#endif /* TALLY_ENGINE_PUSHING_H */
