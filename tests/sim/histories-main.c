/* SPDX-License-Identifier: MIT */
/* Runs each named history, on the simulated disk and then on stores that can
 * do little; a failure prints what happened in it. */

#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "histories.h"
#include "oracle.h"

#define CASES_MAX 128
#define OPS_MAX 32
#define CALLS_MAX 400 /* of a store in one run */

static void
count_entry (void *ctx, struct tally_slice id, struct tally_slice body)
{
  (void) id;
  (void) body;
  ++*(int *) ctx;
}

/* Runs it with these operations; what went wrong, or "", and whether what is
 * to befall the one that is cut did so. */
static bool
run (const struct history_case *history, const struct op *ops, unsigned lacks,
     FILE *out, char why[400])
{
  struct world *world = malloc (sizeof *world);
  struct setup setup = history->setup;
  int conflicts = 0;
  bool befell;

  assert_non_null (world);
  for (unsigned i = 0; i < SIM_SITES; i++)
    setup.site[i].lacks |= lacks;
  chance_start (1);
  world_start (world, &setup);
  world->trace = out;
  world_run (world, ops, history->n);
  for (unsigned i = 0; i < SIM_SITES; i++)
    if (world->sites[i].active)
      oracle_journal (&world->sites[i], count_entry, &conflicts);
  if (!world->violation && history->conflicts >= 0
      && conflicts != history->conflicts)
    violate (world, VIOLATION_CONFLICT, "%d conflicts, and not %d", conflicts,
             history->conflicts);
  if (!world->violation && history->returned > 0
      && world->returned[0] + world->returned[1] != history->returned)
    violate (world, VIOLATION_RETURNED, "%u documents are told of, and not %u",
             (unsigned) (world->returned[0] + world->returned[1]),
             history->returned);
  memcpy (why, world->why, sizeof world->why);
  befell = world->happened & (FEATURE_CRASHES | FEATURE_MEDDLING);
  world_free (world);
  free (world);
  return befell;
}

static bool
must_hold (const struct history_case *history, const struct op *ops,
           unsigned lacks)
{
  char why[400];
  bool befell = run (history, ops, lacks, NULL, why);

  if (!why[0])
    return befell;
  run (history, ops, lacks, stdout, why);
  fail_msg ("%s", why);
  return false;
}

/* At every point, counted by *at, until the operation is over before. */
static void
sweep (const struct history_case *history, const struct op *ops,
       unsigned lacks, unsigned *at)
{
  for (*at = 1; *at < CALLS_MAX; ++*at)
    if (!must_hold (history, ops, lacks))
      break;
  assert_true (*at > 1 && *at < CALLS_MAX);
}

/* On either side and in every way, or what comes between does so anywhere. */
static void
cut_anywhere (const struct history_case *history, unsigned lacks)
{
  struct op ops[OPS_MAX], *cut = &ops[history->cut - 1];

  assert_true (history->n <= OPS_MAX && history->cut <= history->n);
  memcpy (ops, history->ops, history->n * sizeof *ops);
  if (cut->meddle) {
    sweep (history, ops, lacks, &cut->meddle_at);
    return;
  }
  for (int server = 0; server <= 1; server++)
    for (int crash = CRASH_BEFORE; crash < CRASHES; crash++) {
      cut->crash = (enum crash) crash;
      cut->crash_server = server;
      sweep (history, ops, lacks, &cut->crash_at);
    }
}

static void
test_history (void **state)
{
  const struct history_case *history = *state;
  unsigned all = LACKS_NOTES | LACKS_COLLECTIONS | LACKS_BATCHES;

  all |= history->witness ? 0 : LACKS_WITNESS;
  for (unsigned lacks = 0; lacks <= all; lacks += all) {
    must_hold (history, history->ops, lacks);
    if (history->cut > 0)
      cut_anywhere (history, lacks);
  }
}

static size_t
add_cases (struct CMUnitTest *tests, size_t n,
           const struct history_case *histories)
{
  for (; histories->name && n < CASES_MAX; histories++, n++) {
    tests[n].name = histories->name;
    tests[n].test_func = test_history;
    tests[n].initial_state = (void *) histories;
  }
  return n;
}

int
main (void)
{
  static struct CMUnitTest tests[CASES_MAX];
  size_t n = add_cases (tests, 0, classic_histories);

  n = add_cases (tests, n, found_histories);
  n = add_cases (tests, n, cut_histories);
  n = add_cases (tests, n, clock_histories);
  n = add_cases (tests, n, repair_histories);
  n = add_cases (tests, n, away_histories);
  n = add_cases (tests, n, looked_histories);
  /* Those that are not used have no function, and would be run. */
  return _cmocka_run_group_tests ("histories", tests, n, NULL, NULL);
}
