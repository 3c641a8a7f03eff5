/* SPDX-License-Identifier: MIT */
/* What is yet to be made, as something empty: whoever only looks sees what a
 * run would put in it, and makes nothing. */

#ifndef TALLY_VACANT_H
#define TALLY_VACANT_H

#include "channel.h"
#include "replica.h"

/* A store without an identity. */
int vacant_store (struct replica **out, const char *name, uint64_t max_skew_ms,
                  const struct tally_host *host, struct tally_error *err);

int vacant_folder (struct channel **out, const char *name,
                   struct tally_error *err);

#endif /* TALLY_VACANT_H */
