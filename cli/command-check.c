/* SPDX-License-Identifier: MIT */
/* tally check: the ini, section by section. */

#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "output.h"

struct checking {
  struct cli *cli;
  bool failed; /* a row has said so already */
};

static void
print_json (const struct tally_check_row *row)
{
  struct object object;

  object_open (&object);
  object_text (&object, "section", row->section);
  object_flag (&object, "ok", row->ok != 0);
  object_text (&object, "error", row->ok ? NULL : row->error);
  object_name (&object, "skew_ms");
  if (row->has_skew)
    printf ("%" PRId64, row->skew_ms);
  else
    fputs ("null", stdout);
  object_close ();
}

static void
print_line (const struct tally_check_row *row)
{
  out_plain (stdout, row->section ? row->section : "-");
  fputs (row->ok ? ": ok" : ": failed", stdout);
  if (row->has_skew && row->skew_ms != 0)
    printf (", its clock is %" PRIu64 " ms %s",
            row->skew_ms < 0 ? 0 - (uint64_t) row->skew_ms
                             : (uint64_t) row->skew_ms,
            row->skew_ms < 0 ? "behind" : "ahead");
  putchar ('\n');
}

static int
on_row (void *ctx, const struct tally_check_row *row)
{
  struct checking *checking = ctx;

  if (checking->cli->json)
    print_json (row);
  else
    print_line (row);
  if (row->repeated) {
    cli_exit_status (checking->cli, row->status);
  } else if (!row->ok) {
    checking->failed = true;
    cli_fail (checking->cli, row->status ? row->status : TALLY_FAILED,
              row->error);
  }
  return !out_works ();
}

void
command_check (struct cli *cli)
{
  struct checking checking = { .cli = cli };
  struct tally_error err = { .status = 0 };
  int status;

  cli_talk (cli, "%s: read", tally_config_path (cli->tally));
  status = tally_check (cli->tally, on_row, &checking, &err);
  if (status && !checking.failed)
    cli_fail_err (cli, status, &err);
}
