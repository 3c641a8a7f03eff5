/* SPDX-License-Identifier: MIT */
/* Whether a document that is pushed may be put over what is stored. */

#ifndef TALLY_ANSWER_JUDGE_H
#define TALLY_ANSWER_JUDGE_H

#include "replica.h"

struct push {
  const struct tally_doc *doc;
  struct tally_slice base; /* the revision that it was built on; or empty */
  bool strict;             /* WIRE_PUT_STRICT: nothing counts as known */
  uint64_t limit_ms;       /* no stamp beyond this is taken */
};

enum push_verdict {
  PUSH_TAKE,
  PUSH_KNOWN,  /* there is nothing new in it */
  PUSH_REFUSE, /* the pusher is to merge with what is stored first */
  PUSH_AHEAD   /* it has a stamp beyond the limit */
};

/* stored: under that id, or its grave; NULL: there is nothing. */
int push_judge (struct replica *replica, const struct push *push,
                const struct tally_doc *stored, enum push_verdict *verdict,
                struct tally_error *err);

#endif /* TALLY_ANSWER_JUDGE_H */
