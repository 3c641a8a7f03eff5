/* SPDX-License-Identifier: MIT */
/* The sync engine: brings a local replica and a far side to the same state,
 * collection by collection, whatever they are stored in and however they are
 * reached. */

#ifndef TALLY_ENGINE_H
#define TALLY_ENGINE_H

#include <tally/tally.h>

#include "channel.h"
#include "journal.h"
#include "plan.h"
#include "planfile.h"
#include "replica.h"

/* A run that only looks: it tells what a run would do, and does none of it. */
struct engine_look {
  /* Another status than TALLY_OK ends the collection with it. */
  int (*move) (void *ctx, const struct plan_move *move,
               struct tally_error *err);
  void *ctx;
  /* Who is joined; known before the first move. */
  unsigned char local[REPLICA_ID_SIZE], far[REPLICA_ID_SIZE];
};

struct engine_link {
  const char *name; /* of the link, for reports */
  struct replica *replica;
  struct channel *channel;
  const char *const *collections; /* ends with NULL; NULL: all */
  int direction;                  /* TALLY_PUSH, TALLY_PULL; else both */
  const char *device;
  const struct journal_limits *limits; /* of the journal; NULL: none */
  bool same_clock;                     /* the far side is in this process */
  bool threads;          /* what can be done beside has a thread of its own */
  tally_event_fn *event; /* or NULL */
  void *event_ctx;
  /* At most so many deletes a side and collection; otherwise half of it, once
   * over 100. */
  bool limits_deletes;
  uint64_t most_deletes;
  /* NULL, or what it is to do and nothing else.  TALLY_CONFLICT: a document
   * moved since it was made. */
  const struct planfile *plan;
  struct engine_look *look; /* NULL: the run does what it finds */
  /* For tests: 16 bytes that key the first comparison; NULL: drawn. */
  const unsigned char *nonce;
};

/* One run, or a look.  Reports each collection in name order; what failed
 * stands in its report, and the first failure is returned.  report->collection
 * NULL: the far side was never reached. */
int engine_sync (const struct engine_link *link, tally_report_fn *emit,
                 void *ctx, struct tally_error *err);

/* Says that a document is not what a plan says. */
int engine_moved (const char *link, const char *collection,
                  struct tally_slice id, struct tally_error *err);

/* The far side that a channel led to when it was last synced; *found false:
 * never. */
int engine_route (struct replica *replica, const char *channel_name,
                  unsigned char far[REPLICA_ID_SIZE], bool *found,
                  struct tally_error *err);

#endif /* TALLY_ENGINE_H */
