/* SPDX-License-Identifier: MIT */
/* Times as LinvoDB and NeDB write them into documents.  Pure. */

#ifndef TALLY_MOMENT_H
#define TALLY_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

/* Reads a canonical JSON value as milliseconds since 1970: {"$$date": ms}, a
 * number of milliseconds, or a string of ISO 8601 as Date.toISOString gives
 * it, with or without the milliseconds.  False: it is none of these, or lies
 * outside of what a stamp can hold. */
bool moment_read (struct tally_slice value, uint64_t *ms);

#endif /* TALLY_MOMENT_H */
