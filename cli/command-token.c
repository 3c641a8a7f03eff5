/* SPDX-License-Identifier: MIT */
/* tally token: who may come in to a server.  A token is shown once, when it is
 * made; afterwards it goes by its fingerprint. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "table.h"

struct tokens {
  struct cli *cli;
  const char *server;
  const char *file;
  struct table table;
  uint64_t count;
};

static void
print_json (const struct tally_token *token)
{
  struct object object;

  object_open (&object);
  object_text (&object, "account", token->account);
  object_text (&object, "fingerprint", token->fingerprint);
  if (token->secret)
    object_text (&object, "token", token->secret);
  else
    object_text (&object, "comment", token->comment);
  object_close ();
}

/* ---- list --------------------------------------------------------------- */

static int
on_listed (void *ctx, const struct tally_token *token)
{
  struct tokens *tokens = ctx;
  const char *cells[] = { token->fingerprint, token->account,
                          token->comment ? token->comment : "" };

  if (tokens->cli->json)
    print_json (token);
  else
    table_add (&tokens->table, cells);
  return !out_works ();
}

static int
list (struct tokens *tokens, struct tally_error *err)
{
  static const char *const heading[] = { "FINGERPRINT", "ACCOUNT", "COMMENT" };
  int status;

  tokens->table.columns = 3;
  status = tally_tokens (tokens->cli->tally, tokens->server, tokens->file,
                         on_listed, tokens, err);
  if (tokens->table.failed)
    cli_fail (tokens->cli, TALLY_FAILED, "token: out of memory");
  if (!tokens->cli->json && status == TALLY_OK)
    table_print (&tokens->table, heading);
  table_free (&tokens->table);
  return status;
}

/* ---- add and revoke ----------------------------------------------------- */

static int
on_added (void *ctx, const struct tally_token *token)
{
  struct tokens *tokens = ctx;

  if (tokens->cli->json)
    print_json (token);
  else
    printf ("%s\n", token->secret);
  cli_talk (tokens->cli,
            "for account %s, fingerprint %s; it is not shown again",
            token->account, token->fingerprint);
  return 0;
}

static int
on_revoked (void *ctx, const struct tally_token *token)
{
  struct tokens *tokens = ctx;

  tokens->count++;
  if (tokens->cli->json)
    print_json (token);
  return 0;
}

static int
revoke (struct tokens *tokens, struct tally_error *err)
{
  const struct args *args = tokens->cli->args;
  int status = tally_token_revoke (tokens->cli->tally, tokens->server,
                                   tokens->file, args->operands + 1,
                                   args->n - 1, on_revoked, tokens, err);

  if (status == TALLY_OK)
    cli_talk (tokens->cli, "%" PRIu64 " revoked", tokens->count);
  return status;
}

void
command_token (struct cli *cli)
{
  static const char *const words[] = { "add", "list", "revoke", NULL };
  enum { ADD, LIST, REVOKE };
  const struct args *args = cli->args;
  struct tokens tokens = { .cli = cli };
  struct tally_error err = { .status = 0 };
  int choice, status;

  tokens.server = args->value[OPTION_SERVE];
  tokens.file = args->value[OPTION_TOKENS];
  if (tokens.server && tokens.file) {
    cli_usage (cli, "takes --serve or --tokens, not both");
    return;
  }
  choice = cli_choose (cli, "token", args->operands[0], words);
  if (choice < 0)
    return;
  if (choice == ADD && args->n <= 2)
    status = tally_token_add (cli->tally, tokens.server, tokens.file,
                              args->n > 1 ? args->operands[1] : NULL, on_added,
                              &tokens, &err);
  else if (choice == LIST && args->n == 1)
    status = list (&tokens, &err);
  else if (choice == REVOKE && args->n > 1)
    status = revoke (&tokens, &err);
  else {
    cli_usage (cli, "use: token add [ACCOUNT], token list, or token revoke "
                    "FINGERPRINT...");
    return;
  }
  if (status)
    cli_fail_err (cli, status, &err);
}
