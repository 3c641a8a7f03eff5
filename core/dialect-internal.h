/* SPDX-License-Identifier: MIT */
/* What the files of the dialect's server share. */

#ifndef TALLY_DIALECT_INTERNAL_H
#define TALLY_DIALECT_INTERNAL_H

#include <pthread.h>

#include "dated.h"
#include "dialect.h"
#include "envelope.h"

/* A page of ids, or of documents. */
#define DIALECT_PAGE 4096
/* More would be asked for one by one, at the cost of all. */
#define DIALECT_IDS_MAX 1000000

/* ---- dialect-request.c: what is asked ------------------------------------
 */

/* A request in its parts.  Arrays are as they came: see envelope.h. */
struct dialect_request {
  bool has_key;
  struct buf key, collection; /* with their NULs */
  bool all;
  struct tally_slice ids, changes; /* data NULL: there are none */
};

/* TALLY_INVALID: it is none. */
int dialect_request_read (struct dialect_request *out, struct tally_slice text,
                          struct tally_error *err);
void dialect_request_free (struct dialect_request *request);

/* ---- dialect.c -----------------------------------------------------------
 */

struct dialect {
  struct dialect_setup setup;

  pthread_mutex_t lock; /* guards all below */
  size_t held;          /* bytes of replies */
  uint64_t pruned_ms;   /* the journal */
};

/* One request on its way. */
struct dialect_call {
  struct dialect *dialect;
  struct dialect_request asked;
  char account[ACCOUNT_NAME_MAX + 1];
  char collection[COLLECTION_TEXT_MAX]; /* as the store knows it */
  struct buf reply;
  size_t reserved;        /* for it */
  enum dialect_code code; /* of an error; 0: what its status says */
};

/* Makes sure that what is in the reply, and a little more, may be there. */
int dialect_room (struct dialect_call *call, struct tally_error *err);

/* A peer in whose name the collection's tombstones are kept, since none of
 * these clients ever says what it has. */
int dialect_register (struct dialect_call *call, struct tally_error *err);

/* ---- the methods ---------------------------------------------------------
 */

int dialect_meta (struct dialect_call *call, struct tally_error *err);
int dialect_get (struct dialect_call *call, struct tally_error *err);
int dialect_put (struct dialect_call *call, struct tally_error *err);

#endif /* TALLY_DIALECT_INTERNAL_H */
