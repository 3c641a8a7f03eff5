/* SPDX-License-Identifier: MIT */
/* Documents that are being brought together: what becomes of each is settled
 * in engine-merge.c, merged in engine-join-merge.c, kept here in
 * engine-join-store.c, pushed in engine-join-push.c. */

#ifndef TALLY_ENGINE_JOIN_H
#define TALLY_ENGINE_JOIN_H

#include <string.h>

#include "engine-internal.h"
#include "journal.h"

/* Whose revision the result has. */
enum side {
  SIDE_NONE, /* there is no result: the document is gone on both */
  SIDE_OURS,
  SIDE_THEIRS,
  SIDE_BOTH, /* they became equal meanwhile */
  SIDE_NEW
};

/* One document that is being brought together. */
struct joined {
  struct tally_slice id;
  const struct tally_doc *ours;   /* NULL: not here */
  const struct tally_doc *theirs; /* NULL: not there */
  const struct tally_doc *result; /* ours, theirs, or made */
  /* Ours or theirs, that is not there any more: it was forgotten, and what it
   * deleted comes back with what was changed in it since. */
  const struct tally_doc *grave;
  bool anew; /* theirs has nothing of what our grave deleted */
  enum side side;
  bool made;
  bool both;    /* neither side knew all of the other's */
  uint64_t seq; /* of the result, once it is here */
  bool again;
  bool left; /* it is not in the plan */

  /* Its losers in the joiner's journal, until they are told of. */
  size_t first_loser, losers;
};

struct joiner;

/* The joiner's documents, merged; a status other than TALLY_OK ends it. */
typedef int join_look_fn (void *ctx, const struct joiner *joiner,
                          struct tally_error *err);

struct joiner {
  struct sync *sync;
  struct doclist theirs, ours, made;
  struct idlist bad; /* of theirs, which broke a rule */
  struct journal journal;
  struct idlist fields; /* of the journal's entries, as raw keys */
  struct joined *joined;
  size_t n;
  struct idlist *again;
  /* Instead of storing and pushing what was merged, tell of it. */
  join_look_fn *look;
  void *look_ctx;
};

static inline bool
join_same_rev (const struct tally_doc *doc, const struct tally_doc *other)
{
  return memcmp (doc->rev, other->rev, TALLY_REV_SIZE) == 0;
}

/* Merges ours and theirs into the result, which may be one of the two; what
 * loses unseen goes to the joiner's journal. */
int join_merge (struct joiner *joiner, struct joined *joined,
                struct tally_error *err);

/* What bringing a document together counts as. */
enum plan_step join_step (const struct joiner *joiner,
                          const struct joined *joined);

/* Whether what is pushed of the batch is put as after a broken pair: one such
 * document makes all of it so. */
bool join_is_strict (const struct joiner *joiner);

/* Merges these documents with theirs, and only tells of what comes of it. */
int join_look (struct sync *sync, const struct idlist *both,
               join_look_fn *look, void *ctx, struct tally_error *err);

/* Whether the run's plan, if it has one, is about this (engine-bound.c). */
int bound_join (struct joiner *joiner, struct joined *joined,
                struct tally_error *err);

/* Stores what is new here, each merge with the losers it makes. */
int join_store (struct joiner *joiner, struct tally_error *err);

/* Pushes what is new there; who was edited meanwhile comes round again. */
int join_push (struct joiner *joiner, struct tally_error *err);

/* Counts what needs no push, and lists what comes round again. */
int join_finish (struct joiner *joiner, struct tally_error *err);

#endif /* TALLY_ENGINE_JOIN_H */
