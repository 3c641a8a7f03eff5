/* SPDX-License-Identifier: MIT */
/* Merging two states of one document: for each field the assignment with the
 * greater stamp, for seen the greater of each client.  With equal stamps the
 * greater bytes win, absent below present, alive below deleted: a
 * semilattice, so that replicas end equal whatever came in which order.  What
 * a repair took the place of is no longer greater than what knew it. */

#ifndef TALLY_MERGE_H
#define TALLY_MERGE_H

#include "state.h"

/* An assignment that lost. */
struct loser {
  bool from_b;              /* which of the two states held it */
  struct tally_slice field; /* raw key; "" for the document as a whole */
  struct tally_slice lost;  /* the value, or for the whole document its body;
                               data NULL: absent, or deleted */
  struct stamp lost_stamp;  /* its name */
  struct tally_slice won;   /* data NULL: absent, or deleted */
  struct stamp won_stamp;
};

/* Told of each assignment that lost and that the other state does not know.
 * Returns a status, anything but TALLY_OK ends the merge with it. */
typedef int merge_loser_fn (void *ctx, const struct loser *loser);

struct merge_rules {
  bool a_known; /* the other side has all of a already: nothing of a is lost */
  bool b_known;
  const struct strict *strict; /* or NULL */
  merge_loser_fn *loser;       /* or NULL */
  void *ctx;
};

/* Makes *out of a and b; its body lives in *body, its fields in a and b, so
 * it lives no longer than these three.  rules may be NULL. */
int merge_states (struct state *out, struct buf *body, const struct state *a,
                  const struct state *b, const struct merge_rules *rules,
                  struct tally_error *err);

#endif /* TALLY_MERGE_H */
