/* SPDX-License-Identifier: MIT */
/* A collection that is being compared, shared by engine-compare*.c. */

#ifndef TALLY_ENGINE_COMPARING_H
#define TALLY_ENGINE_COMPARING_H

#include "compare.h"
#include "engine-compare.h"

struct comparing {
  struct sync *sync;
  struct compare compare;
  engine_step_fn *step;
  void *ctx;
  /* Of a look, in which nothing moves, and of parts that are taken whole:
   * what was seen. */
  struct idset seen;
  /* Whose documents were asked for, by the hashes of their ids; NULL: all. */
  unsigned char *asked;
};

/* Moves what differs in the range that was compared last. */
int comparing_move (struct comparing *comparing, struct tally_error *err);

/* Takes all of theirs in it, and offers ours that are not among them. */
int comparing_move_whole (struct comparing *comparing,
                          struct tally_error *err);

#endif /* TALLY_ENGINE_COMPARING_H */
