/* SPDX-License-Identifier: MIT */
/* Runs each named history, on the simulated disk and then on stores that can
 * do little; a failure prints what happened in it. */

#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "histories.h"
#include "oracle.h"

#define CASES_MAX 64

static void
count_entry (void *ctx, struct tally_slice id, struct tally_slice body)
{
  (void) id;
  (void) body;
  ++*(int *) ctx;
}

/* What went wrong, or "". */
static void
run (const struct history_case *history, unsigned lacks, FILE *out,
     char why[400])
{
  struct world *world = malloc (sizeof *world);
  struct setup setup = history->setup;
  int conflicts = 0;

  assert_non_null (world);
  for (unsigned i = 0; i < SIM_SITES; i++)
    setup.site[i].lacks = lacks;
  chance_start (1);
  world_start (world, &setup);
  world->trace = out;
  world_run (world, history->ops, history->n);
  for (unsigned i = 0; i < SIM_SITES; i++)
    if (world->sites[i].active)
      oracle_journal (&world->sites[i], count_entry, &conflicts);
  if (!world->violation && history->conflicts >= 0
      && conflicts != history->conflicts)
    violate (world, VIOLATION_CONFLICT, "%d conflicts, and not %d", conflicts,
             history->conflicts);
  memcpy (why, world->why, sizeof world->why);
  world_free (world);
  free (world);
}

static void
test_history (void **state)
{
  const struct history_case *history = *state;
  unsigned all = LACKS_NOTES | LACKS_COLLECTIONS | LACKS_BATCHES;
  char why[400];

  for (unsigned lacks = 0; lacks <= all; lacks += all) {
    run (history, lacks, NULL, why);
    if (!why[0])
      continue;
    run (history, lacks, stdout, why);
    fail_msg ("%s", why);
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
  n = add_cases (tests, n, looked_histories);
  /* Those that are not used have no function, and would be run. */
  return _cmocka_run_group_tests ("histories", tests, n, NULL, NULL);
}
