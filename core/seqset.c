/* SPDX-License-Identifier: MIT */
/* Intervals in rising order that never touch each other. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "seqset.h"

/* The first interval that ends at or after seq. */
static size_t
lower_bound (const struct seqset *set, uint64_t seq)
{
  size_t low = 0, high = set->count;

  /* Most seqs come in rising order. */
  if (high > 0 && set->intervals[high - 1].last < seq)
    return high;
  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (set->intervals[middle].last < seq)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool
insert_at (struct seqset *set, size_t at, uint64_t seq)
{
  if (set->count == set->capacity) {
    size_t capacity = set->capacity ? set->capacity * 2 : 16;
    struct seq_interval *bigger =
        realloc (set->intervals, capacity * sizeof *bigger);

    if (!bigger)
      return false;
    set->intervals = bigger;
    set->capacity = capacity;
  }
  memmove (set->intervals + at + 1, set->intervals + at,
           (set->count - at) * sizeof *set->intervals);
  set->intervals[at].first = seq;
  set->intervals[at].last = seq;
  set->count++;
  return true;
}

static void
join_with_next (struct seqset *set, size_t at)
{
  struct seq_interval *here = set->intervals + at;

  if (at + 1 >= set->count || here[0].last + 1 != here[1].first)
    return;
  here[0].last = here[1].last;
  set->count--;
  memmove (here + 1, here + 2, (set->count - at - 1) * sizeof *here);
}

bool
seqset_add (struct seqset *set, uint64_t seq)
{
  size_t at = lower_bound (set, seq);

  if (at < set->count && set->intervals[at].first <= seq)
    return true;
  if (at > 0 && set->intervals[at - 1].last + 1 == seq) {
    set->intervals[at - 1].last = seq;
    join_with_next (set, at - 1);
    return true;
  }
  if (at < set->count && set->intervals[at].first == seq + 1) {
    set->intervals[at].first = seq;
    return true;
  }
  return insert_at (set, at, seq);
}

int
seq_order (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return (x > y) - (x < y);
}

bool
seqset_has (const struct seqset *set, uint64_t seq)
{
  size_t at = lower_bound (set, seq);

  return at < set->count && set->intervals[at].first <= seq;
}

uint64_t
seqset_run (const struct seqset *set, uint64_t seq)
{
  size_t at = seq < UINT64_MAX ? lower_bound (set, seq + 1) : set->count;

  return at < set->count && set->intervals[at].first <= seq + 1
             ? set->intervals[at].last
             : seq;
}

void
seqset_free (struct seqset *set)
{
  free (set->intervals);
  memset (set, 0, sizeof *set);
}
