/* SPDX-License-Identifier: MIT */
/* Options that sync and pair share, and the lines of a dry run. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "plan.h"

/* ---- options ------------------------------------------------------------ */

/* False: usage. */
static bool
fill_direction (struct cli *cli, struct tally_sync_options *options)
{
  static const char *const words[] = { "both", "push", "pull", NULL };
  static const int directions[] = { TALLY_BOTH, TALLY_PUSH, TALLY_PULL };
  const char *word = cli->args->value[OPTION_DIRECTION];
  int choice = word ? cli_choose (cli, "--direction", word, words) : 0;

  options->direction =
      word && choice >= 0 ? directions[choice] : TALLY_AS_CONFIGURED;
  return choice >= 0;
}

/* A plan is of one link, and is made or applied. */
static bool
check_plans (struct cli *cli)
{
  const char *const *value = cli->args->value;
  const char *file =
      value[OPTION_PLAN] ? value[OPTION_PLAN] : value[OPTION_APPLY];

  if (value[OPTION_APPLY] && (value[OPTION_PLAN] || value[OPTION_DRY_RUN])) {
    cli_usage (cli, "--apply goes with neither --dry-run nor --plan");
    return false;
  }
  if (value[OPTION_WATCH] && (file || value[OPTION_DRY_RUN])) {
    cli_usage (cli, "--watch goes with neither --dry-run nor a plan");
    return false;
  }
  if (file && !*file) {
    cli_usage (cli, "--plan and --apply take the name of a file");
    return false;
  }
  return true;
}

bool
sync_options_fill (struct cli *cli, struct tally_sync_options *options)
{
  const char *const *value = cli->args->value;
  uint64_t most = 0;

  if (!fill_direction (cli, options) || !check_plans (cli)
      || !cli_count (cli, OPTION_MAX_DELETE, "max-delete", &most))
    return false;
  options->collections = value[OPTION_COLLECTIONS];
  options->dry_run = value[OPTION_DRY_RUN] || value[OPTION_PLAN];
  options->plan = plan_print;
  options->plan_ctx = cli;
  options->save_plan = value[OPTION_PLAN];
  options->apply_plan = value[OPTION_APPLY];
  options->limits_deletes = value[OPTION_MAX_DELETE] != NULL;
  options->most_deletes = most;
  return true;
}

/* ---- what a dry run prints ---------------------------------------------- */

static const char *
action_word (int action)
{
  static const char *const words[] = { "unknown", "pull", "push", "merge" };

  return words[action > 0 && action <= TALLY_ACTION_MERGE ? action : 0];
}

int
plan_print (void *ctx, const struct tally_plan_item *item)
{
  struct cli *cli = ctx;
  struct object object;

  progress_clear (&cli->progress);
  if (cli->json) {
    object_open (&object);
    object_text (&object, "link", item->link);
    object_text (&object, "collection", item->collection);
    object_text (&object, "_id", item->id);
    object_text (&object, "action", action_word (item->action));
    object_flag (&object, "deleted", item->deleted);
    object_close ();
    return !out_works ();
  }
  out_plain (stdout, item->link);
  putchar (' ');
  out_plain (stdout, item->collection);
  printf (": %s %s", action_word (item->action),
          item->deleted ? "delete of " : "");
  out_plain (stdout, item->id);
  putchar ('\n');
  return !out_works ();
}

void
plan_totals (struct cli *cli, const struct tally_report *report)
{
  cli_talk (cli,
            "tally: %s: %s: would pull %" PRIu64 ", push %" PRIu64
            ", merge %" PRIu64 ", of these %" PRIu64 " deletes",
            report->link ? report->link : "-",
            report->collection ? report->collection : "-", report->pulled,
            report->pushed, report->merged, report->deleted);
  if (!report->notice)
    return;
  progress_clear (&cli->progress);
  fputs ("tally: ", stderr);
  out_plain (stderr, report->notice);
  fputc ('\n', stderr);
}
