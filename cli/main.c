/* SPDX-License-Identifier: MIT */
/* The tally program: finds the command in the table and runs it.  It uses
 * the library as any application would, through tally.h alone. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"

/* A database that is opened as descriptor 1 must not be printed to.  The
 * modes are the wrong ones, so that using a closed stream stays an error. */
static void
fill_descriptors (void)
{
  static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };
  int i;

  for (i = 0; i < 3; i++)
    if (fcntl (i, F_GETFD) == -1 && open ("/dev/null", modes[i]) != i)
      return;
}

static void
print_options (const struct option_row *row)
{
  char left[40], letter[6];

  for (; row->name; row++) {
    letter[0] = '\0';
    if (row->letter)
      snprintf (letter, sizeof letter, "-%c, ", row->letter);
    snprintf (left, sizeof left, "%s--%s%s%s", letter, row->name,
              row->value ? " " : "", row->value ? row->value : "");
    printf ("  %-22s %s\n", left, row->help);
  }
}

static void
print_usage (void)
{
  const struct command *c;

  printf ("tally keeps sets of JSON documents the same on many machines\n\n"
          "usage: tally COMMAND [ARGUMENT...] [OPTION...]\n\ncommands:\n");
  for (c = commands; c->name; c++)
    printf ("  %s%s%s\n      %s\n", c->name, *c->synopsis ? " " : "",
            c->synopsis, c->help);
  printf ("\noptions of every command:\n");
  print_options (global_options);
  printf ("\n\"tally COMMAND --help\" shows a command's own options; the "
          "manual is tally(1).\n");
}

static void
print_command (const struct command *command)
{
  printf ("usage: tally %s%s%s [OPTION...]\n\n%s\n", command->name,
          *command->synopsis ? " " : "", command->synopsis, command->help);
  if (command->options->name) {
    printf ("\noptions:\n");
    print_options (command->options);
  }
  printf ("\noptions of every command:\n");
  print_options (global_options);
}

static void
run (struct cli *cli)
{
  const struct command *command = cli->args->command;

  if (cli->args->value[OPTION_HELP]) {
    if (command)
      print_command (command);
    else
      print_usage ();
  } else if (cli->args->value[OPTION_VERSION]) {
    printf ("tally %s\n", tally_version ());
  } else if (!command) {
    cli_fail (cli, TALLY_USAGE, "command: none given; see \"tally --help\"");
  } else if (command->flags & COMMAND_BARE || cli_begin (cli) == 0) {
    command->run (cli);
  }
}

int
main (int argc, char **argv)
{
  struct args args;
  struct cli cli = { .args = &args };
  int code;

  fill_descriptors ();
  if (args_parse (&args, argc, argv)) {
    args_free (&args);
    return EXIT_USAGE;
  }
  cli.json = args.value[OPTION_JSON] != NULL;
  cli.quiet = args.value[OPTION_QUIET] != NULL;
  cli.verbose = args.value[OPTION_VERBOSE] != NULL;
  run (&cli);
  code = cli_end (&cli);
  args_free (&args);
  return code;
}
