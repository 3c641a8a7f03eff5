/* SPDX-License-Identifier: MIT */
/* Two endpoints joined for a run: a store here, and a channel to a store or
 * over a transport there. */

#ifndef TALLY_LINK_H
#define TALLY_LINK_H

#include "answer.h"
#include "context.h"

struct joint {
  struct tally *tally;
  struct tally_replica *ours;
  struct replica *replica;
  struct tally_replica *theirs; /* NULL: over a transport */
  struct answer answer;
  struct channel *channel;
};

/* The sides may be made when they are missing, but not both.  TALLY_USAGE:
 * two transports, or one store twice.  With look nothing is made. */
int joint_open (struct joint *joint, struct tally *tally, const char *a,
                const char *b, bool look, struct tally_error *err);
void joint_close (struct joint *joint);

/* Says that there is no such link. */
int link_unknown (struct tally *tally, const char *name,
                  struct tally_error *err);

/* "A,B" as a list that ends with NULL, each name checked; NULL gives NULL. */
int collections_parse (char ***out, const char *text, struct tally_error *err);
void collections_free (char **names);

#endif /* TALLY_LINK_H */
