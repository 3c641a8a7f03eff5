/* SPDX-License-Identifier: MIT */
/* Takes documents of LinvoDB's clients into a store.  Each comes whole, with
 * the time of its last change, and nobody says what it was built on: the later
 * time wins.  What loses is journaled, marked blind. */

#ifndef TALLY_INTAKE_H
#define TALLY_INTAKE_H

#include "idmap.h"
#include "dated.h"
#include "replica.h"
#include "write.h"

struct intake {
  struct replica *replica;
  const char *collection; /* as the store knows it */
  uint32_t client;        /* identity_dialect */
  /* The collection is our copy of what is in another store, which decides
   * itself: what is older is passed over, a field that is as it was stays
   * what it was, and nothing is journaled. */
  bool mirrors;

  /* Why the first document that was not taken was not: it breaks a rule
   * (TALLY_INVALID), or is beyond our clock (TALLY_AGAIN). */
  struct tally_error complaint;
  uint64_t taken;     /* written, or known already */
  uint64_t journaled; /* entries */

  /* The batch at hand. */
  struct dated *batch;
  struct idmap ids;
  size_t n, bytes;
};

/* Adds a document, as text that came in; writes a batch when it is full. */
int intake_add (struct intake *intake, struct tally_slice text,
                struct tally_error *err);

/* Writes what is left; durable on return. */
int intake_end (struct intake *intake, struct tally_error *err);

/* Also after a failure. */
void intake_free (struct intake *intake);

#endif /* TALLY_INTAKE_H */
