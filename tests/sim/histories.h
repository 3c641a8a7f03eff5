/* SPDX-License-Identifier: MIT */
/* Histories written by hand, or shrunk from a schedule that failed: each is a
 * test of its own.  All run through the oracle, and settle. */

#ifndef TALLY_SIM_HISTORIES_H
#define TALLY_SIM_HISTORIES_H

#include "sim.h"

struct history_case {
  const char *name;
  struct setup setup;
  const struct op *ops;
  size_t n;
  /* Entries in all journals together once all is settled; -1: no matter. */
  int conflicts;
  /* Documents that runs told of as kept though they may have been deleted; 0:
   * no matter. */
  unsigned returned;
  /* The operation, counted from 1, that is cut at every call, or if it has
   * something come between, has that come at every point; 0: none. */
  size_t cut;
  /* It depends on what a file remembers; others are run without that, too. */
  bool witness;
};

/* Ends with a case without a name. */
extern const struct history_case classic_histories[]; /* histories.c */
extern const struct history_case found_histories[];   /* histories-found.c */
extern const struct history_case cut_histories[];     /* histories-cut.c */
extern const struct history_case looked_histories[];  /* histories-looks.c */
extern const struct history_case clock_histories[];   /* histories-clocks.c */
extern const struct history_case repair_histories[];  /* histories-repairs.c */
extern const struct history_case away_histories[];    /* histories-away.c */

#define HISTORY_OPS(list) .ops = (list), .n = sizeof (list) / sizeof (list)[0]

/* Shapes that many histories have: a hub s0 with clients s1 and s2, and a
 * spare site that a clone goes to; a chain s0 - s1 - s2. */
#define HISTORY_HUB                    \
  .sites = 3, .docs = 6, .n_links = 3, \
  .links = { { 1, 0, false }, { 2, 0, false }, { 3, 0, false } }
#define HISTORY_CHAIN                  \
  .sites = 3, .docs = 6, .n_links = 2, \
  .links = { { 0, 1, false }, { 1, 2, false } }

#endif /* TALLY_SIM_HISTORIES_H */
