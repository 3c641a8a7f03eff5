/* SPDX-License-Identifier: MIT */
/* sync --watch and pair --watch: the lines of each run in which something
 * moved, until a signal says that it is enough or no link is left.  Lines are
 * kept until their run has ended, since only then it is known whether it did
 * anything. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "output.h"
#include "sync.h"

/* A report with what it points to. */
struct kept {
  struct tally_report report;
  char *collection;
  char *error;
};

struct shown {
  char *link;
  struct kept *kept; /* of the run under way */
  size_t n;
  bool ran;      /* the first run is over */
  char *trouble; /* the last failure that was told of, or NULL */
};

struct watching {
  struct cli *cli;
  const char *store; /* of a pair; NULL: that of the link */
  struct shown *links;
  size_t n;
  unsigned ended; /* bit n: see struct cli's exits */
  bool failed;    /* out of memory */
};

static char *
copy (const char *text)
{
  size_t size = text ? strlen (text) + 1 : 0;
  char *out = text ? malloc (size) : NULL;

  if (out)
    memcpy (out, text, size);
  return out;
}

/* NULL: out of memory. */
static struct shown *
find_link (struct watching *watching, const char *link)
{
  struct shown *links;
  size_t i;

  for (i = 0; i < watching->n; i++)
    if (strcmp (watching->links[i].link, link) == 0)
      return &watching->links[i];
  links = realloc (watching->links, (i + 1) * sizeof *links);
  if (!links)
    return NULL;
  watching->links = links;
  memset (&links[i], 0, sizeof links[i]);
  links[i].link = copy (link);
  if (!links[i].link)
    return NULL;
  watching->n++;
  return &links[i];
}

static void
forget_kept (struct shown *shown)
{
  size_t i;

  for (i = 0; i < shown->n; i++) {
    free (shown->kept[i].collection);
    free (shown->kept[i].error);
  }
  free (shown->kept);
  shown->kept = NULL;
  shown->n = 0;
}

static int
on_report (void *ctx, const struct tally_report *report)
{
  struct watching *watching = ctx;
  struct shown *shown = find_link (watching, report->link);
  struct kept *kept = NULL;

  if (shown)
    kept = realloc (shown->kept, (shown->n + 1) * sizeof *kept);
  if (!kept) {
    watching->failed = true;
    return 1;
  }
  shown->kept = kept;
  kept = &kept[shown->n++];
  kept->collection = copy (report->collection);
  kept->error = copy (report->error);
  kept->report = *report;
  kept->report.link = shown->link;
  kept->report.collection = kept->collection;
  kept->report.error = kept->error;
  return 0;
}

static void
print_run (struct watching *watching, const struct shown *shown)
{
  struct cli *cli = watching->cli;
  const char *store = watching->store;
  size_t i;

  if (!store)
    store = tally_link_store (cli->tally, shown->link);
  for (i = 0; i < shown->n; i++) {
    const struct tally_report *report = &shown->kept[i].report;

    if (cli->json)
      report_json (report);
    else if (report->collection)
      report_line (report);
    if (report->conflicts)
      report_conflicts (cli, store, report);
  }
  fflush (stdout);
}

/* A link that failed before its first report still has its line. */
static void
print_unreported (struct watching *watching, const struct tally_watch_run *run)
{
  struct tally_report report = { .size = sizeof report };

  report.link = run->link;
  report.strategy = "changes";
  report.status = run->status;
  report.error = run->error;
  if (watching->cli->json)
    report_json (&report);
  fflush (stdout);
}

static void
say_trouble (struct watching *watching, struct shown *shown,
             const struct tally_watch_run *run)
{
  struct cli *cli = watching->cli;

  free (shown->trouble);
  shown->trouble = copy (run->error);
  if (run->ended)
    cli_warn (cli, run->error, "");
  else
    cli_warn (cli, run->error, run->again_ms ? "; will try again" : "");
}

/* A run is shown if it is the first one, something moved, or it failed in
 * another way than the one before. */
static int
on_run (void *ctx, const struct tally_watch_run *run)
{
  struct watching *watching = ctx;
  struct shown *shown = find_link (watching, run->link);
  bool news;

  if (!shown) {
    watching->failed = true;
    return 1;
  }
  news = run->error
         && (run->ended || !shown->trouble
             || strcmp (shown->trouble, run->error) != 0);
  if (!shown->ran || run->moved || news) {
    print_run (watching, shown);
    if (shown->n == 0 && run->status)
      print_unreported (watching, run);
  }
  forget_kept (shown);
  shown->ran = true;
  if (news)
    say_trouble (watching, shown, run);
  if (!run->error && shown->trouble) {
    cli_talk (watching->cli, "tally: %s: works again", run->link);
    free (shown->trouble);
    shown->trouble = NULL;
  }
  if (run->ended) {
    struct cli ended = { .exits = 0 };

    cli_exit_status (&ended, run->status);
    watching->ended |= ended.exits;
  }
  return !out_works ();
}

/* What gave a link up counts if that is how all ended. */
static void
finish (struct watching *watching, int status, const struct tally_error *err)
{
  struct cli *cli = watching->cli;
  size_t i;

  if (watching->failed)
    cli_fail (cli, TALLY_FAILED, "watch: out of memory");
  else if (status && watching->ended)
    cli->exits |= watching->ended;
  else if (status)
    cli_fail_err (cli, status, err);
  for (i = 0; i < watching->n; i++) {
    forget_kept (&watching->links[i]);
    free (watching->links[i].link);
    free (watching->links[i].trouble);
  }
  free (watching->links);
}

static void
watch (struct watching *watching, const char *const *links, size_t n,
       struct tally_watch_options *options)
{
  struct cli *cli = watching->cli;
  struct tally_error err = { .status = 0 };
  int status;

  /* Several links run at once, and there is but one line for progress. */
  cli->progress.columns = 0;
  cli->serving = true;
  options->size = sizeof *options;
  options->report = on_report;
  options->run = on_run;
  options->ctx = watching;
  status = tally_watch (cli->tally, links, n, options, &err);
  finish (watching, status, &err);
}

void
watch_links (struct cli *cli, const char *const *links, size_t n,
             const struct tally_sync_options *sync)
{
  struct tally_watch_options options = { .sync = sync };
  struct watching watching = { .cli = cli };

  watch (&watching, links, n, &options);
}

void
watch_pair (struct cli *cli, const char *a, const char *b,
            const struct tally_sync_options *sync)
{
  struct tally_watch_options options = { .a = a, .b = b, .sync = sync };
  struct watching watching = { .cli = cli, .store = a };

  watch (&watching, NULL, 0, &options);
}
