/* SPDX-License-Identifier: MIT */
/* The put slot of the linvo store. */

#ifndef TALLY_LINVO_PUT_H
#define TALLY_LINVO_PUT_H

#include <stddef.h>

#include <tally/driver.h>

/* As struct tally_store says. */
int linvo_put (void *handle, const struct tally_entry *entries, size_t n,
               unsigned flags, struct tally_outcome *outcomes,
               struct tally_error *err);

#endif /* TALLY_LINVO_PUT_H */
