/* SPDX-License-Identifier: MIT */
/* A set of seqs as sorted intervals.  A run's own writes take neighbouring
 * seqs, so that even a million of them are a few intervals. */

#ifndef TALLY_SEQSET_H
#define TALLY_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seqset {
  struct seq_interval {
    uint64_t first, last;
  } * intervals;
  size_t count, capacity;
};

#define SEQSET_INIT \
  {                 \
    0               \
  }

/* False: out of memory. */
bool seqset_add (struct seqset *set, uint64_t seq);
bool seqset_has (const struct seqset *set, uint64_t seq);

/* The last of those that follow seq without a gap; seq: there are none. */
uint64_t seqset_run (const struct seqset *set, uint64_t seq);

/* For qsort, of seqs. */
int seq_order (const void *a, const void *b);

void seqset_free (struct seqset *set);

#endif /* TALLY_SEQSET_H */
