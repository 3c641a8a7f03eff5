/* SPDX-License-Identifier: MIT */
/* A channel to a replica in the same process: every message goes through the
 * wire codec and the answering side, and nothing in between. */

#ifndef TALLY_LOCAL_H
#define TALLY_LOCAL_H

#include "answer.h"
#include "channel.h"

/* The answer lives longer than the channel; name is the route's, too. */
int local_channel_open (struct channel **out, const struct answer *answer,
                        const char *name, struct tally_error *err);

#endif /* TALLY_LOCAL_H */
