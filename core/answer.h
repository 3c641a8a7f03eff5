/* SPDX-License-Identifier: MIT */
/* The side that is asked: one request frame in, one reply frame out, against
 * a replica.  It keeps nothing between frames but what is in the store's
 * notes, so any number of threads may answer at once. */

#ifndef TALLY_ANSWER_H
#define TALLY_ANSWER_H

#include "replica.h"

#define ACCOUNT_DEFAULT "default"

struct answer {
  struct replica *replica;
  const char *device;
  const char *account; /* of a store that is answered for in this process
                          (local.c); NULL: the default one */
};

/* Fills `reply` with a whole frame, also when the request is bad.  What an
 * account sees is its own; its name fits in front of a collection's.  An error
 * means that there is no reply. */
int answer_frame (const struct answer *answer, const char *account,
                  struct tally_slice frame, struct buf *reply,
                  struct tally_error *err);

/* The same, and *wait_ms says for how long the answer may be kept back, while
 * there is no other: 0, not at all. */
int answer_patiently (const struct answer *answer, const char *account,
                      struct tally_slice frame, struct buf *reply,
                      uint64_t *wait_ms, struct tally_error *err);

#endif /* TALLY_ANSWER_H */
