/* SPDX-License-Identifier: MIT */
/* The table of commands, from which come the usage, --help, the words that
 * are suggested and the check of the man page. */

#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stddef.h>

#include "args.h"

struct cli;

/* Does the command's work; what went wrong has gone through cli_fail. */
typedef void command_fn (struct cli *cli);

enum {
  COMMAND_BARE = 1,     /* needs no context */
  COMMAND_NEEDS_INI = 2 /* makes no sense without an ini */
};

struct command {
  const char *name;
  const char *synopsis; /* its operands */
  const struct option_row *options;
  const char *help; /* one line, as in a list */
  size_t least;     /* operands */
  size_t most;
  unsigned flags;
  command_fn *run;
};

/* Ends with a NULL name. */
extern const struct command commands[];

/* Those that every command takes. */
extern const struct option_row global_options[];

/* By name, or NULL. */
const struct command *command_find (const char *name);

command_fn command_init, command_drivers, command_check, command_put,
    command_get, command_rm, command_find_documents, command_export,
    command_sync, command_pair, command_conflicts, command_explain,
    command_serve, command_status, command_verify, command_import,
    command_token, command_driver_test, command_update, command_index;

#endif
