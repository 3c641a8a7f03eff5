/* SPDX-License-Identifier: MIT */
/* What the answers share. */

#ifndef TALLY_ANSWER_INTERNAL_H
#define TALLY_ANSWER_INTERNAL_H

#include "answer.h"
#include "forget.h"
#include "graves.h"
#include "pair.h"
#include "wire.h"

struct asked {
  struct replica *replica;
  const char *device;
  const char *account;
  unsigned char self[REPLICA_ID_SIZE];   /* as this account sees us */
  unsigned char sender[REPLICA_ID_SIZE]; /* as we know it */
  struct buf *reply;
  uint64_t wait_ms; /* the answer may be kept back for this long */
  /* A hello came in this frame; and to this one nothing may be answered
   * that builds on a checkpoint. */
  bool greeted, stranger, is_new;
};

/* The collection as the store knows it; TALLY_INVALID or TALLY_DENIED when it
 * is none that syncs. */
int asked_collection (const struct asked *asked, struct tally_slice name,
                      char out[COLLECTION_TEXT_MAX], struct tally_error *err);

/* The account as keys of notes have it: empty for `default`. */
const char *asked_account (const struct asked *asked);

/* Emits the names of the account's collections that sync, as it knows them,
 * until told to stop. */
int asked_collections (struct asked *asked, tally_emit_name *emit, void *ctx,
                       struct tally_error *err);

/* Notes that the client has durably all of ours up to a cursor; 0: that it is
 * there, and that tombstones wait for it. */
int asked_acknowledge (struct asked *asked, const char *collection,
                       uint64_t cursor, struct tally_error *err);

/* Says whose clock is off, if it is. */
void answer_skew (const struct asked *asked, const struct wire_hello *hello);

/* *ahead: the store may hold stamps beyond its clock, as far as they are not
 * repaired now. */
int answer_repair (struct asked *asked, const struct wire_hello *hello,
                   bool *ahead, struct tally_error *err);

/* One message each, whose reply is added to asked->reply. */
int answer_hello (struct asked *asked, const struct wire_hello *hello,
                  struct tally_error *err);
int answer_rotate (struct asked *asked, const struct wire_rotate *rotate,
                   struct tally_error *err);
int answer_meta (struct asked *asked, const struct wire_meta *meta,
                 struct tally_error *err);
int answer_get (struct asked *asked, const struct wire_get *get,
                struct tally_error *err);
int answer_put (struct asked *asked, const struct wire_put *put,
                struct tally_error *err);
int answer_names (struct asked *asked, const struct wire_names *names,
                  struct tally_error *err);
int answer_compare (struct asked *asked, const struct wire_compare *compare,
                    struct tally_error *err);
int answer_fetch (struct asked *asked, const struct wire_fetch *fetch,
                  struct tally_error *err);

/* Answers at once, and says if the answer may as well wait. */
int answer_wait (struct asked *asked, const struct wire_wait *wait,
                 struct tally_error *err);

#endif /* TALLY_ANSWER_INTERNAL_H */
