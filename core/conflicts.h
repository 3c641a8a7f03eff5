/* SPDX-License-Identifier: MIT */
/* What listing, dropping and restoring conflicts share. */

#ifndef TALLY_CONFLICTS_H
#define TALLY_CONFLICTS_H

#include "journal-read.h"

/* journal_each, with the names of this context. */
int conflicts_each (struct tally_replica *handle, struct replica *replica,
                    const char *const *ids, size_t n, journal_item_fn *fn,
                    void *ctx, struct tally_error *err);

/* Keeps the journal within the limits of this context. */
int conflicts_prune (struct tally_replica *handle, struct replica *replica,
                     struct tally_error *err);

/* Drops the entry for good. */
int conflicts_forget (struct replica *replica, const struct journal_item *item,
                      struct tally_error *err);

#endif /* TALLY_CONFLICTS_H */
