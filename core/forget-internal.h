/* SPDX-License-Identifier: MIT */
/* What decides which tombstones are forgotten. */

#ifndef TALLY_FORGET_INTERNAL_H
#define TALLY_FORGET_INTERNAL_H

#include "forget.h"

/* So many marks lie in one keep_deleted. */
#define MARKS 8
#define MARKS_MAX (2 * MARKS)

/* Which seqs were there at which time.  Stamps are no measure of age, since
 * whoever wrote them may have had another time. */
struct mark {
  uint64_t ms, seq;
};

struct floor {
  uint64_t floor;  /* the greatest seq that was forgotten */
  uint64_t swept;  /* up to here there is nothing left to forget */
  uint64_t graves; /* so many were made since they were last counted */
  struct mark marks[MARKS_MAX]; /* oldest first */
  size_t n_marks;
  bool exists;
  struct buf saved;
};

/* To be freed when it went well. */
int floor_load (struct floor *floor, struct replica *replica,
                const char *collection, struct tally_error *err);
void floor_free (struct floor *floor);

/* TALLY_CONFLICT: somebody else is at it, who does the same. */
int floor_save (struct floor *floor, struct replica *replica,
                const char *collection, struct tally_error *err);

/* Up to which seq everything is older than keep_deleted; *marked says that
 * the marks changed. */
uint64_t floor_expire (struct floor *floor, const struct replica *replica,
                       uint64_t head, bool *marked);

struct holders {
  uint64_t least; /* up to here all have it */
  uint64_t given; /* up to here the folders have been given all */
};

/* UINT64_MAX where nobody waits. */
int holders_find (struct holders *holders, struct replica *replica,
                  const char *collection, bool clock_confirmed,
                  struct tally_error *err);

#endif /* TALLY_FORGET_INTERNAL_H */
