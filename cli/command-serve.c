/* SPDX-License-Identifier: MIT */
/* tally serve: until a signal says that it is enough. */

#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "output.h"

/* Called in the threads of the transports, several of which may be ready at
 * once.  Whoever waits for this line must not wait for a buffer. */
static void
on_ready (void *ctx, const char *name, const char *url)
{
  struct cli *cli = ctx;
  struct object object;

  flockfile (stdout);
  if (cli->json) {
    object_open (&object);
    object_text (&object, "serve", name);
    object_text (&object, "url", url);
    object_close ();
  } else {
    fputs ("listening on ", stdout);
    out_plain (stdout, url);
    putchar ('\n');
  }
  fflush (stdout);
  funlockfile (stdout);
}

void
command_serve (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_serve_options options = { .size = sizeof options };
  struct tally_error err = { .status = 0 };
  int status;

  options.ready = on_ready;
  options.ctx = cli;
  options.on_write = 1;
  options.listen = args->value[OPTION_LISTEN];
  options.tokens = args->value[OPTION_TOKENS];
  if (options.listen && args->n != 1) {
    cli_usage (cli, "--listen needs one STORE");
    return;
  }
  if (options.tokens && !options.listen) {
    cli_usage (cli, "--tokens goes with --listen");
    return;
  }
  if (options.listen)
    options.store = args->operands[0];
  else if (!tally_config_path (cli->tally)) {
    cli_fail (cli, TALLY_CONFIG,
              "tally.ini: not found; without one, name a "
              "STORE and --listen");
    return;
  }
  cli->serving = true;
  status = tally_serve (cli->tally, args->operands,
                        options.store ? 0 : args->n, &options, &err);
  if (status)
    cli_fail_err (cli, status, &err);
}
