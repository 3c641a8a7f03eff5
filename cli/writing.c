/* SPDX-License-Identifier: MIT */
/* A line for each document that was written, and the totals. */

#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "output.h"
#include "writing.h"

int
writing_tell (void *ctx, const struct tally_written *written)
{
  struct writing *writing = ctx;

  if (written->outcome > 0 && written->outcome <= TALLY_MISSING)
    writing->count[written->outcome]++;
  if (writing->cli->json)
    print_written (written);
  else if (written->generated_id) {
    out_plain (stdout, written->id);
    putchar ('\n');
  }
  return !out_works ();
}

bool
writing_any (const struct writing *writing)
{
  size_t i;

  for (i = 0; i <= TALLY_MISSING; i++)
    if (writing->count[i])
      return true;
  return false;
}

void
writing_total (const struct writing *writing)
{
  const uint64_t *count = writing->count;

  cli_talk (writing->cli,
            "%" PRIu64 " inserted, %" PRIu64 " updated, %" PRIu64 " unchanged",
            count[TALLY_INSERTED], count[TALLY_UPDATED],
            count[TALLY_UNCHANGED]);
}
