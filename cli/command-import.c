/* SPDX-License-Identifier: MIT */
/* tally import: what another program, or export, has written. */

#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "writing.h"

void
command_import (struct cli *cli)
{
  const struct args *args = cli->args;
  struct writing writing = { .cli = cli };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  replica = cli_open (cli, args->operands[2], TALLY_OPEN_CREATE);
  if (!replica)
    return;
  status = tally_import (replica, args->operands[0], args->operands[1],
                         args->n > 3 ? args->operands[3] : NULL, writing_tell,
                         &writing, &err);
  if (status == TALLY_OK || writing_any (&writing))
    writing_total (&writing);
  if (status)
    cli_fail_err (cli, status, &err);
  tally_replica_close (replica);
}
