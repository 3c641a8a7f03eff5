/* SPDX-License-Identifier: MIT */
/* tally index: makes an index, or takes it away. */

#include <stdio.h>

#include "cli.h"
#include "commands.h"

static void
on_progress (void *ctx, uint64_t documents, uint64_t total)
{
  struct cli *cli = ctx;
  struct tally_event event = { .size = sizeof event };

  event.type = TALLY_EVENT_PROGRESS;
  event.link = cli->args->operands[0];
  event.collection = cli->args->operands[1];
  event.done = documents;
  event.total = total;
  progress_event (&cli->progress, &event);
}

static int
make (struct cli *cli, struct tally_replica *replica, struct tally_error *err)
{
  const struct args *args = cli->args;
  struct tally_index_options options = { .size = sizeof options };
  int status;

  options.unique = args->value[OPTION_UNIQUE] != NULL;
  options.sparse = args->value[OPTION_SPARSE] != NULL;
  if (progress_shows (&cli->progress)) {
    options.progress = on_progress;
    options.ctx = cli;
  }
  status = tally_index (replica, args->operands[1], args->operands[2],
                        &options, err);
  progress_clear (&cli->progress);
  return status;
}

void
command_index (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  if (args->value[OPTION_DROP]
      && (args->value[OPTION_UNIQUE] || args->value[OPTION_SPARSE])) {
    cli_usage (cli, "--drop stands alone");
    return;
  }
  replica = cli_open (cli, args->operands[0], 0);
  if (!replica)
    return;
  status = args->value[OPTION_DROP] ? tally_index_drop (
               replica, args->operands[1], args->operands[2], &err)
                                    : make (cli, replica, &err);
  if (status)
    cli_fail_err (cli, status, &err);
  tally_replica_close (replica);
}
