/* SPDX-License-Identifier: MIT */
/* What commands that write documents say about them. */

#ifndef CLI_WRITING_H
#define CLI_WRITING_H

#include <stdbool.h>
#include <stdint.h>

#include <tally/tally.h>

struct cli;

struct writing {
  struct cli *cli;
  uint64_t count[TALLY_MISSING + 1]; /* by outcome */
};

/* A tally_written_fn; ctx is a struct writing. */
int writing_tell (void *ctx, const struct tally_written *written);

/* Whether it was told of any document. */
bool writing_any (const struct writing *writing);

/* The totals of what was put. */
void writing_total (const struct writing *writing);

#endif
