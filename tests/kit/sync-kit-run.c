/* SPDX-License-Identifier: MIT */
/* Runs and dry runs, and what they reported. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-kit.h"

static int
keep_report (void *ctx, const struct tally_report *report)
{
  struct kit_run *run = ctx;
  struct kit_row *row = &run->rows[run->n];

  assert_true (run->n < KIT_ROWS);
  run->n++;
  assert_int_equal (report->size, sizeof *report);
  row->report = *report;
  snprintf (row->strategy, sizeof row->strategy, "%s", report->strategy);
  row->report.strategy = row->strategy;
  if (report->collection) {
    snprintf (row->collection, sizeof row->collection, "%s",
              report->collection);
    row->report.collection = row->collection;
  }
  if (report->error) {
    snprintf (row->error, sizeof row->error, "%s", report->error);
    row->report.error = row->error;
  }
  row->report.link = NULL;
  return 0;
}

void
kit_try_sync (struct kit_run *run, struct tally *tally, const char *link,
              int direction)
{
  struct tally_sync_options options = { .size = sizeof options };

  options.direction = direction;
  memset (run, 0, sizeof *run);
  run->status =
      tally_sync (tally, link, &options, keep_report, run, &run->err);
}

void
kit_try_pair (struct kit_run *run, struct tally *tally, const char *a,
              const char *b)
{
  memset (run, 0, sizeof *run);
  run->status = tally_pair (tally, a, b, NULL, keep_report, run, &run->err);
}

void
kit_sync (struct kit_run *run, struct tally *tally, const char *link)
{
  kit_try_sync (run, tally, link, TALLY_AS_CONFIGURED);
  if (run->status != TALLY_OK)
    fail_msg ("status %d: %s", run->status, run->err.text);
  for (size_t i = 0; i < run->n; i++) {
    assert_int_equal (run->rows[i].report.status, TALLY_OK);
    assert_null (run->rows[i].report.error);
  }
}

/* Documents of a dry run, as figures of each collection. */
struct foreseen {
  struct kit_figures figures[KIT_ROWS];
  char collections[KIT_ROWS][64];
  size_t n;
};

static int
count_item (void *ctx, const struct tally_plan_item *item)
{
  struct foreseen *foreseen = ctx;
  struct kit_figures *figures;
  size_t n = foreseen->n;

  assert_int_equal (item->size, sizeof *item);
  assert_non_null (item->link);
  assert_true (item->id[0] != '\0');
  if (n == 0 || strcmp (foreseen->collections[n - 1], item->collection) != 0) {
    assert_true (n < KIT_ROWS);
    snprintf (foreseen->collections[n], sizeof foreseen->collections[n], "%s",
              item->collection);
    n = ++foreseen->n;
  }
  figures = &foreseen->figures[n - 1];
  switch (item->action) {
  case TALLY_ACTION_PULL:
    figures->pulled++;
    figures->deleted += item->deleted != 0;
    break;
  case TALLY_ACTION_PUSH:
    figures->pushed++;
    figures->deleted += item->deleted != 0;
    break;
  case TALLY_ACTION_MERGE:
    figures->merged++;
    break;
  default:
    fail_msg ("unknown action %d", item->action);
  }
  return 0;
}

static void
check_foreseen (struct kit_run *run, const struct foreseen *foreseen)
{
  size_t at = 0;

  for (size_t i = 0; i < run->n; i++) {
    struct kit_figures figures = { 0 };
    const char *collection = run->rows[i].collection;

    if (at < foreseen->n
        && strcmp (foreseen->collections[at], collection) == 0)
      figures = foreseen->figures[at++];
    if (run->rows[i].report.status != TALLY_OK)
      continue;
    figures.conflicts = run->rows[i].report.conflicts;
    kit_expect_figures (run, collection, figures);
  }
  assert_int_equal (at, foreseen->n);
}

static struct tally_sync_options
look_options (struct foreseen *foreseen, int direction)
{
  struct tally_sync_options options = { .size = sizeof options };

  memset (foreseen, 0, sizeof *foreseen);
  options.direction = direction;
  options.dry_run = 1;
  options.plan = count_item;
  options.plan_ctx = foreseen;
  return options;
}

void
kit_foresee (struct kit_run *run, struct tally *tally, const char *link,
             int direction)
{
  struct foreseen foreseen;
  struct tally_sync_options options = look_options (&foreseen, direction);

  memset (run, 0, sizeof *run);
  run->status =
      tally_sync (tally, link, &options, keep_report, run, &run->err);
  check_foreseen (run, &foreseen);
}

void
kit_foresee_pair (struct kit_run *run, struct tally *tally, const char *a,
                  const char *b, int direction)
{
  struct foreseen foreseen;
  struct tally_sync_options options = look_options (&foreseen, direction);

  memset (run, 0, sizeof *run);
  run->status =
      tally_pair (tally, a, b, &options, keep_report, run, &run->err);
  check_foreseen (run, &foreseen);
}

void
kit_try_pair_in (struct kit_run *run, struct tally *tally, const char *a,
                 const char *b, int direction)
{
  struct tally_sync_options options = { .size = sizeof options };

  options.direction = direction;
  memset (run, 0, sizeof *run);
  run->status =
      tally_pair (tally, a, b, &options, keep_report, run, &run->err);
}

void
kit_run_with (struct kit_run *run, struct tally *tally, const char *a,
              const char *b, const struct tally_sync_options *options)
{
  memset (run, 0, sizeof *run);
  run->status =
      b ? tally_pair (tally, a, b, options, keep_report, run, &run->err)
        : tally_sync (tally, a, options, keep_report, run, &run->err);
}

void
kit_expect_foreseen (const struct kit_run *foreseen, const struct kit_run *run)
{
  if (foreseen->status != run->status)
    fail_msg ("foreseen %d %s, was %d %s", foreseen->status,
              foreseen->err.text, run->status, run->err.text);
  assert_int_equal (foreseen->n, run->n);
  for (size_t i = 0; i < run->n; i++) {
    const struct tally_report *report = &foreseen->rows[i].report;

    assert_string_equal (foreseen->rows[i].collection,
                         run->rows[i].collection);
    assert_int_equal (report->status, run->rows[i].report.status);
    if (report->status != TALLY_OK)
      continue;
    assert_string_equal (report->strategy, run->rows[i].report.strategy);
    kit_expect_figures (
        run, run->rows[i].collection,
        KIT_FIGURES (report->pulled, report->pushed, report->merged,
                     run->rows[i].report.conflicts, report->deleted));
  }
}

const struct tally_report *
kit_report (const struct kit_run *run, const char *collection)
{
  static const struct tally_report none;

  for (size_t i = 0; i < run->n; i++)
    if (strcmp (run->rows[i].collection, collection) == 0)
      return &run->rows[i].report;
  return &none;
}

static void
expect_figure (const char *collection, const char *what, uint64_t is,
               uint64_t expected)
{
  if (is != expected)
    fail_msg ("%s: %s is %llu and should be %llu", collection, what,
              (unsigned long long) is, (unsigned long long) expected);
}

void
kit_expect_figures (const struct kit_run *run, const char *collection,
                    struct kit_figures figures)
{
  const struct tally_report *report = kit_report (run, collection);

  expect_figure (collection, "pulled", report->pulled, figures.pulled);
  expect_figure (collection, "pushed", report->pushed, figures.pushed);
  expect_figure (collection, "merged", report->merged, figures.merged);
  expect_figure (collection, "conflicts", report->conflicts,
                 figures.conflicts);
  expect_figure (collection, "deleted", report->deleted, figures.deleted);
}

void
kit_expect_nothing (const struct kit_run *run, uint64_t round_trips)
{
  static const struct kit_figures nothing;

  for (size_t i = 0; i < run->n; i++) {
    kit_expect_figures (run, run->rows[i].collection, nothing);
    if (run->rows[i].report.round_trips > round_trips)
      expect_figure (run->rows[i].collection, "round_trips",
                     run->rows[i].report.round_trips, round_trips);
  }
}
