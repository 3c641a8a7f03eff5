/* SPDX-License-Identifier: MIT */
/* tally put, rm and update: what is written, and what became of it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "input.h"
#include "writing.h"

static void
talk_rm (const struct writing *writing)
{
  cli_talk (writing->cli, "%" PRIu64 " deleted, %" PRIu64 " missing",
            writing->count[TALLY_DELETED], writing->count[TALLY_MISSING]);
}

void
command_put (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_put_options options = { .size = sizeof options };
  struct writing writing = { .cli = cli };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  size_t size = 0;
  char *json;
  int status;

  options.replace = args->value[OPTION_REPLACE] != NULL;
  options.rev = args->value[OPTION_REV];
  options.at = args->value[OPTION_AT];
  options.id_field = args->value[OPTION_ID];
  /* First the input: a file that is not there must not make a store. */
  json = input_read (cli, args->n > 2 ? args->operands[2] : NULL, &size);
  if (!json)
    return;
  replica = cli_open (cli, args->operands[0], TALLY_OPEN_CREATE);
  if (replica) {
    status = tally_put (replica, args->operands[1], json, size, &options,
                        writing_tell, &writing, &err);
    if (status == TALLY_OK || writing_any (&writing))
      writing_total (&writing);
    if (status)
      cli_fail_err (cli, status, &err);
    tally_replica_close (replica);
  }
  free (json);
}

void
command_rm (struct cli *cli)
{
  const struct args *args = cli->args;
  const char *query = args->value[OPTION_QUERY];
  struct writing writing = { .cli = cli };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  if (query ? args->n > 2 : args->n == 2) {
    cli_usage (cli, query ? "takes ids or --query, not both"
                          : "needs an ID, or --query");
    return;
  }
  replica = cli_open (cli, args->operands[0], 0);
  if (!replica)
    return;
  if (query)
    status = tally_remove_found (replica, args->operands[1], query,
                                 writing_tell, &writing, &err);
  else
    status = tally_remove (replica, args->operands[1], args->operands + 2,
                           args->n - 2, writing_tell, &writing, &err);
  if (status == TALLY_OK || writing_any (&writing))
    talk_rm (&writing);
  if (status)
    cli_fail_err (cli, status, &err);
  tally_replica_close (replica);
}

void
command_update (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_update_options options = { .size = sizeof options };
  struct writing writing = { .cli = cli };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  options.upsert = args->value[OPTION_UPSERT] != NULL;
  options.one = args->value[OPTION_ONE] != NULL;
  replica = cli_open (cli, args->operands[0], 0);
  if (!replica)
    return;
  status =
      tally_update (replica, args->operands[1], args->operands[2],
                    args->operands[3], &options, writing_tell, &writing, &err);
  if (status == TALLY_OK || writing_any (&writing))
    writing_total (&writing);
  if (status)
    cli_fail_err (cli, status, &err);
  tally_replica_close (replica);
}
