/* SPDX-License-Identifier: MIT */
/* The asking side of a comparison: which rows of a range are only here, and
 * which only there.  It moves nothing. */

#ifndef TALLY_COMPARE_H
#define TALLY_COMPARE_H

#include "peer.h"
#include "rows.h"

/* What one side has and the other has not: places of ROWS_PLACE_SIZE bytes, in
 * rising order. */
struct compare_set {
  unsigned char *places;
  size_t n;
};

/* True when ours, whose newest stamp is this, may be offered for another of
 * theirs that is older, without a look at that. */
typedef bool compare_offer_fn (void *ctx,
                               const unsigned char stamp[TALLY_STAMP_SIZE]);

enum compare_kind {
  COMPARE_SAME,
  COMPARE_DIFFER, /* in what the sets say */
  COMPARE_SPLIT,  /* compare the parts */
  COMPARE_WHOLE,  /* take all of theirs */
  COMPARE_LOST    /* it cannot be told */
};

/* The first question, as it rides with a hello. */
struct compare_ahead {
  char collection[COLLECTION_TEXT_MAX]; /* empty: none */
  unsigned char nonce[SKETCH_NONCE_SIZE];
  struct rows_sum sum;
  /* For the far side to take as the pair's, if both are equal. */
  bool offers;
  unsigned char token[WIRE_TOKEN_SIZE];
};

struct compare {
  struct peer *peer;
  struct replica *replica;
  const char *collection;
  const unsigned char *nonce; /* NULL: one is drawn for each comparison */
  unsigned flags;             /* WIRE_COMPARE_*, of the next question */
  const struct compare_ahead *ahead; /* NULL: nothing was asked yet */
  compare_offer_fn *offers; /* NULL: both of a pair stay in the sets */
  void *ctx;
  bool skips_empty; /* beside nothing all is COMPARE_WHOLE, not a list */

  /* Of the range that was compared last. */
  struct rows rows;
  struct rows_range range;
  enum compare_kind kind;
  bool taken; /* the token that was offered ahead */
  struct compare_set ours, theirs;
  struct compare_set passed; /* ours of which theirs is to be taken instead */
  struct compare_set given;  /* theirs, of which ours is to be given instead */
  struct doclist splits; /* rows that stand at the splits, there and, if it was
                            asked for, here */
  bool newest; /* the only one stands before the newest of all rows there */
  uint64_t here, there; /* how many rows */
  uint64_t seq_here, seq_there, floor_there;
};

/* What to ask about the whole of a collection; nothing where there is nothing
 * here. */
int compare_look_ahead (struct peer *peer, const char *collection,
                        const unsigned char *nonce,
                        struct compare_ahead *ahead, struct tally_error *err);

/* Has the next hello ask it; what is answered is found by compare_range. */
int compare_foresee (struct peer *peer, const struct compare_ahead *ahead,
                     unsigned flags, struct tally_error *err);

int compare_range (struct compare *compare, const struct rows_range *range,
                   struct tally_error *err);

/* The parts of the whole as ends in rising order: its own windows here, or the
 * newer half of the newest rows, and the splits that were told. */
int compare_split_here (struct compare *compare, struct tally_error *err);

/* Headers of what is only here, at most `most`; *at: so many places are done,
 * 0 to begin with. */
int compare_ours (struct compare *compare, size_t *at, size_t most,
                  struct doclist *out, struct tally_error *err);

/* From here on those that were passed over are ours: what was to be taken in
 * place of one may not have come, since it was written to meanwhile. */
void compare_turn_to_passed (struct compare *compare);

/* From here on theirs are those for which ours was to be given, but for these
 * ids (n hashes, which it sorts): what was written to meanwhile stands
 * elsewhere by now, and was not. */
void compare_turn_to_given (struct compare *compare, unsigned char *ids,
                            size_t n);

/* The hash of an id, as in places. */
void compare_id (const struct compare *compare, struct tally_slice id,
                 unsigned char hash[SKETCH_ID_SIZE]);

/* The id hashes of what is only there, sorted; free them.  NULL: out of
 * memory. */
unsigned char *compare_their_ids (const struct compare *compare);
bool compare_is_theirs (const struct compare *compare,
                        const unsigned char *ids, struct tally_slice id);

/* How many documents are in both sets, in two states. */
int compare_pairs (const struct compare *compare, uint64_t *pairs,
                   struct tally_error *err);

void compare_free (struct compare *compare);

#endif /* TALLY_COMPARE_H */
