/* SPDX-License-Identifier: MIT */
/* Documents that are being brought together: merged in engine-merge.c, kept
 * here in engine-join-store.c, pushed in engine-join-push.c. */

#ifndef TALLY_ENGINE_JOIN_H
#define TALLY_ENGINE_JOIN_H

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
  enum side side;
  bool made;
  bool both;    /* neither side knew all of the other's */
  uint64_t seq; /* of the result, once it is here */
  bool again;

  /* Its losers in the joiner's journal, until they are told of. */
  size_t first_loser, losers;
};

struct joiner {
  struct sync *sync;
  struct doclist theirs, ours, made;
  struct idlist bad; /* of theirs, which broke a rule */
  struct journal journal;
  struct idlist fields; /* of the journal's entries, as raw keys */
  struct joined *joined;
  size_t n;
  struct idlist *again;
};

/* Stores what is new here, each merge with the losers it makes. */
int join_store (struct joiner *joiner, struct tally_error *err);

/* Pushes what is new there; who was edited meanwhile comes round again. */
int join_push (struct joiner *joiner, struct tally_error *err);

/* Counts what needs no push, and lists what comes round again. */
int join_finish (struct joiner *joiner, struct tally_error *err);

#endif /* TALLY_ENGINE_JOIN_H */
