/* SPDX-License-Identifier: MIT */
/* The put slot of the memory store; contract as in tally/driver.h. */

#ifndef TALLY_MEMORY_PUT_H
#define TALLY_MEMORY_PUT_H

#include "memory-index.h"

/* Of a failure *why says what it is; then nothing was changed. */
int memory_list_put (struct memory_list *list,
                     const struct tally_entry *entries, size_t n,
                     unsigned flags, struct tally_outcome *outcomes,
                     const char **why);

#endif /* TALLY_MEMORY_PUT_H */
