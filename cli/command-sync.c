/* SPDX-License-Identifier: MIT */
/* tally sync and tally pair: a line for each link and collection. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "plan.h"
#include "signals.h"
#include "sync.h"

/* One call of tally_sync or tally_pair. */
struct syncing {
  struct cli *cli;
  const char *store; /* the near side */
  bool dry;          /* its documents are printed, not its reports */
  size_t reports;
  bool failed;               /* a report has said so already */
  struct tally_error before; /* collections often fail for one reason */
};

void
report_json (const struct tally_report *report)
{
  struct object object;

  object_open (&object);
  object_text (&object, "link", report->link);
  object_text (&object, "collection", report->collection);
  object_text (&object, "strategy", report->strategy);
  object_number (&object, "pulled", report->pulled);
  object_number (&object, "pushed", report->pushed);
  object_number (&object, "merged", report->merged);
  object_number (&object, "conflicts", report->conflicts);
  object_number (&object, "deleted", report->deleted);
  object_number (&object, "round_trips", report->round_trips);
  object_number (&object, "bytes_sent", report->bytes_sent);
  object_number (&object, "bytes_received", report->bytes_received);
  object_name (&object, "seconds");
  printf ("%.3f", report->seconds > 0 ? report->seconds : 0.0);
  if (report->status) {
    object_name (&object, "error");
    object_open (&object);
    object_text (&object, "status", status_word (report->status));
    object_text (&object, "text", report->error);
    putchar ('}');
  }
  object_close ();
}

void
report_line (const struct tally_report *report)
{
  out_plain (stdout, report->link ? report->link : "-");
  putchar (' ');
  out_plain (stdout, report->collection ? report->collection : "-");
  printf (": %" PRIu64 " pulled, %" PRIu64 " pushed, %" PRIu64 " merged, "
          "%" PRIu64 " deleted, %" PRIu64 " conflict%s; ",
          report->pulled, report->pushed, report->merged, report->deleted,
          report->conflicts, plural (report->conflicts));
  if (report->status)
    fputs ("failed, ", stdout);
  printf ("%" PRIu64 " round trip%s, %" PRIu64 " bytes out, %" PRIu64 " in, "
          "%.1f s\n",
          report->round_trips, plural (report->round_trips),
          report->bytes_sent, report->bytes_received,
          report->seconds > 0 ? report->seconds : 0.0);
}

static void
say_failed (struct syncing *syncing, const struct tally_report *report)
{
  struct tally_error *before = &syncing->before;
  const char *text = report->error ? report->error : "";

  if (syncing->failed
      && strncmp (before->text, text, sizeof before->text - 1) == 0) {
    cli_exit_status (syncing->cli, report->status);
    return;
  }
  syncing->failed = true;
  snprintf (before->text, sizeof before->text, "%s", text);
  cli_fail (syncing->cli, report->status, text);
}

/* Where the losers are kept: the store of the pair, or of the link. */
void
report_conflicts (struct cli *cli, const char *store,
                  const struct tally_report *report)
{
  char text[1024];

  snprintf (text, sizeof text,
            "%s: %" PRIu64 " conflict%s in %s; see what lost with "
            "\"tally conflicts %s\"",
            report->link ? report->link : "-", report->conflicts,
            plural (report->conflicts),
            report->collection ? report->collection : "-", store);
  if (!cli->args->value[OPTION_FAIL_ON_CONFLICT]) {
    cli_talk (cli, "tally: %s", text);
    return;
  }
  cli_warn (cli, text, "");
  cli_exit (cli, EXIT_CONFLICTS);
}

static int
on_report (void *ctx, const struct tally_report *report)
{
  struct syncing *syncing = ctx;

  syncing->reports++;
  progress_clear (&syncing->cli->progress);
  if (syncing->dry) {
    if (report->collection && !report->status)
      plan_totals (syncing->cli, report);
  } else if (syncing->cli->json)
    report_json (report);
  else if (report->collection)
    report_line (report);
  fflush (stdout);
  if (report->conflicts && !syncing->dry)
    report_conflicts (syncing->cli, syncing->store, report);
  if (report->status)
    say_failed (syncing, report);
  return !out_works ();
}

/* What has not been said yet about a call that is over.  A link that failed
 * before its first report still has its line. */
static void
finish (struct syncing *syncing, const char *link, int status,
        const struct tally_error *err)
{
  struct tally_report report = { .size = sizeof report };

  if (status && syncing->failed)
    cli_exit_status (syncing->cli, status);
  if (status == TALLY_OK || syncing->failed)
    return;
  if (syncing->cli->json && !syncing->dry && syncing->reports == 0
      && status != TALLY_USAGE) {
    report.link = link;
    report.strategy = "changes";
    report.status = status;
    report.error = err->text;
    report_json (&report);
  }
  cli_fail_err (syncing->cli, status, err);
}

static void
sync_link (struct cli *cli, const char *link,
           const struct tally_sync_options *options)
{
  struct syncing syncing = { .cli = cli, .dry = options->dry_run };
  struct tally_error err = { .status = 0 };
  int status;

  syncing.store = tally_link_store (cli->tally, link);
  status = tally_sync (cli->tally, link, options, on_report, &syncing, &err);
  finish (&syncing, link, status, &err);
}

/* A plan is of one link. */
static bool
is_one (struct cli *cli, size_t links)
{
  const char *const *value = cli->args->value;

  if (links == 1 || (!value[OPTION_PLAN] && !value[OPTION_APPLY]))
    return true;
  cli_usage (cli, "a plan is of one link; name it");
  return false;
}

void
command_sync (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_sync_options options = { .size = sizeof options };
  struct names names = { .n = 0 };
  struct tally_error err = { .status = 0 };
  size_t i;
  int status;

  if (!sync_options_fill (cli, &options))
    return;
  if (args->n && !is_one (cli, args->n))
    return;
  if (args->n && args->value[OPTION_WATCH]) {
    watch_links (cli, args->operands, args->n, &options);
    return;
  }
  for (i = 0; i < args->n && !signals_caught () && out_works (); i++)
    sync_link (cli, args->operands[i], &options);
  if (args->n)
    return;

  status = tally_links (cli->tally, names_add, &names, &err);
  if (status)
    cli_fail_err (cli, status, &err);
  else if (names.failed)
    cli_fail (cli, TALLY_FAILED, "sync: out of memory");
  else if (names.n == 0)
    cli_failf (cli, TALLY_CONFIG, "%s: has no [sync] section",
               tally_config_path (cli->tally));
  else if (args->value[OPTION_WATCH])
    watch_links (cli, NULL, 0, &options);
  else if (is_one (cli, names.n))
    for (i = 0; i < names.n && !signals_caught () && out_works (); i++)
      sync_link (cli, names.items[i], &options);
  names_free (&names);
}

/* ---- pair --------------------------------------------------------------- */

static int
add_totals (void *ctx, const struct tally_report *report)
{
  struct tally_report *sum = ctx;

  sum->pulled += report->pulled;
  sum->pushed += report->pushed;
  sum->merged += report->merged;
  sum->deleted += report->deleted;
  return 0;
}

/* What is about to move, for who sits in front of it; a look that fails leaves
 * it to the run to say why. */
static void
show_plan (struct cli *cli, const char *const *operands,
           const struct tally_sync_options *given)
{
  struct tally_sync_options options = *given;
  struct tally_report sum = { .size = sizeof sum };
  struct tally_error ignored;

  options.dry_run = 1;
  options.plan = NULL;
  if (tally_pair (cli->tally, operands[0], operands[1], &options, add_totals,
                  &sum, &ignored)
      != TALLY_OK)
    return;
  cli_talk (cli,
            "%s and %s: %" PRIu64 " to pull, %" PRIu64 " to push, %" PRIu64
            " to merge, %" PRIu64 " of them deletes",
            operands[0], operands[1], sum.pulled, sum.pushed, sum.merged,
            sum.deleted);
}

void
command_pair (struct cli *cli)
{
  const char **operands = cli->args->operands;
  struct tally_sync_options options = { .size = sizeof options };
  struct syncing syncing = { .cli = cli, .store = operands[0] };
  struct tally_error err = { .status = 0 };
  char link[256];
  int status;

  if (!sync_options_fill (cli, &options))
    return;
  if (cli->args->value[OPTION_WATCH]) {
    watch_pair (cli, operands[0], operands[1], &options);
    return;
  }
  syncing.dry = options.dry_run;
  if (progress_shows (&cli->progress) && !options.dry_run
      && !options.apply_plan)
    show_plan (cli, operands, &options);
  snprintf (link, sizeof link, "%s %s", operands[0], operands[1]);
  status = tally_pair (cli->tally, operands[0], operands[1], &options,
                       on_report, &syncing, &err);
  finish (&syncing, link, status, &err);
}
