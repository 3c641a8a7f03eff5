/* SPDX-License-Identifier: MIT */
/* Runs that go wrong at any exchange: the request or its reply is lost, comes
 * twice, comes damaged.  There is one clean error or none, nothing that was
 * not written anywhere ends up anywhere, and the next run finishes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-world.h"

static int
set_up (void **state)
{
  struct world *world = calloc (1, sizeof *world);

  assert_non_null (world);
  world_make (world, NULL);
  *state = world;
  return 0;
}

/* ---- the scenario ------------------------------------------------------- */

#define EACH 12
#define DOCUMENTS (3 * EACH + 1 + 2 - 1)

static void
put_many (struct tally_replica *replica, char side)
{
  for (unsigned i = 0; i < EACH; i++)
    kit_put (replica, "notes", "{\"_id\":\"%c%02u\",\"v\":%u}", side, i, i);
}

/* Something of everything is still to be done. */
static void
prepare (struct world *w)
{
  world_open (w);
  put_many (w->d1, 'a');
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":0}");
  world_sync (w);
  put_many (w->d1, 'd');
  put_many (w->hub, 'h');
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":1,\"b\":0}");
  kit_put (w->hub, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":1}");
  kit_put (w->d1, "notes", "{\"_id\":\"a01\",\"v\":\"from d1\"}");
  kit_put (w->hub, "notes", "{\"_id\":\"a02\",\"v\":\"from hub\"}");
  kit_remove (w->d1, "notes", "a03");
  kit_put (w->d1, "tasks", "{\"_id\":\"d\"}");
  kit_put (w->hub, "tasks", "{\"_id\":\"h\"}");
}

static void
forget (struct world *w)
{
  world_close (w);
  shim_reset ();
}

/* The documents without their revisions; free it. */
static char *
plain_dump (struct tally_replica *replica)
{
  char *dump = kit_dump (replica), *out = dump, *next;

  for (char *line = dump; *line; line = next) {
    char *rev = strchr (line, ' '), *json = strchr (rev + 1, ' ');

    next = strchr (json, '\n') + 1;
    memmove (out, line, (size_t) (rev - line));
    out += rev - line;
    memmove (out, json, (size_t) (next - json));
    out += next - json;
  }
  *out = '\0';
  return dump;
}

/* What all must have in the end; free it. */
static char *
expected_end (struct world *w)
{
  struct kit_run run;
  char *dump;

  prepare (w);
  kit_sync (&run, w->tally, "l1");
  dump = plain_dump (w->hub);
  forget (w);
  return dump;
}

static void
expect_end (struct world *w, const char *end)
{
  struct kit_run run;
  char *dump;

  kit_sync (&run, w->tally, "l1");
  dump = plain_dump (w->d1);
  assert_string_equal (dump, end);
  free (dump);
  kit_sync (&run, w->tally, "l1");
  kit_expect_nothing (&run, 1);
  kit_verify (w->tally, "d1", "wire", DOCUMENTS);
  kit_sync (&run, w->tally, "l2");
  world_same (w);
}

/* A line that says something, once; everything that was reported agrees. */
static void
expect_clean_error (const struct kit_run *run)
{
  unsigned failed = 0;

  assert_int_not_equal (run->status, TALLY_OK);
  assert_int_equal (run->err.status, run->status);
  assert_true (run->err.text[0]);
  assert_null (strchr (run->err.text, '\n'));
  for (size_t i = 0; i < run->n; i++)
    failed += run->rows[i].report.status != TALLY_OK;
  assert_int_equal (failed, 1);
}

/* ---- lost and doubled --------------------------------------------------- */

static void
fail_everywhere (struct world *w, enum shim_fault fault)
{
  char *end = expected_end (w);
  unsigned at = 1, exchanges = 0;

  for (;; at++) {
    struct kit_run run;

    prepare (w);
    shim_fault_at (fault, at, 0);
    kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
    exchanges = shim_exchanges ();
    if (at > exchanges)
      break;
    if (fault == SHIM_TWICE)
      assert_int_equal (run.status, TALLY_OK);
    else {
      assert_int_equal (run.status, TALLY_AGAIN);
      expect_clean_error (&run);
    }
    shim_fault_at (SHIM_NONE, 0, 0);
    expect_end (w, end);
    forget (w);
  }
  assert_true (at > 7);
  free (end);
}

static void
test_request_lost (void **state)
{
  fail_everywhere (*state, SHIM_CUT);
}

static void
test_reply_lost (void **state)
{
  fail_everywhere (*state, SHIM_LOSE);
}

static void
test_request_doubled (void **state)
{
  fail_everywhere (*state, SHIM_TWICE);
}

/* What was built on theirs, which is there twice: pushed once. */
static void
test_doubled_push_counts (void **state)
{
  struct world *w = *state;
  unsigned at = 1, exchanges = 0;

  for (;; at++) {
    struct kit_run run;

    world_open (w);
    kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0}");
    world_sync (w);
    kit_put (w->hub, "notes", "{\"_id\":\"x\",\"a\":1}");
    kit_sync (&run, w->tally, "l2");
    kit_try_pair (&run, w->tally, "d1", "d2");
    assert_int_equal (run.status, TALLY_OK);
    kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":2}");
    shim_fault_at (SHIM_TWICE, at, 0);
    kit_sync (&run, w->tally, "l1");
    exchanges = shim_exchanges ();
    kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 1));
    forget (w);
    if (at > exchanges)
      break;
  }
  assert_true (at > 3);
}

/* Cut again and again, each time one exchange later: it gets there. */
static void
test_lost_again_and_again (void **state)
{
  struct world *w = *state;
  char *end = expected_end (w);
  unsigned runs = 0;
  struct kit_run run;

  prepare (w);
  do {
    shim_fault_at (runs % 2 ? SHIM_CUT : SHIM_LOSE, runs / 2 % 5 + 1, 0);
    kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  } while (++runs < 40);
  shim_fault_at (SHIM_NONE, 0, 0);
  expect_end (w, end);
  free (end);
}

/* ---- damaged ------------------------------------------------------------ */

/* How long a reply is depends on names and times that are drawn anew, so its
 * last bytes may not be there; false then. */
static bool
damage_at (struct world *w, enum shim_fault fault, unsigned at, size_t where,
           const char *end)
{
  struct kit_run run;
  bool damaged;

  prepare (w);
  shim_fault_at (fault, at, where);
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  damaged = shim_damaged ();
  if (damaged && run.status == TALLY_OK)
    fail_msg ("exchange %u, damage %zu: was not seen", at, where);
  if (damaged)
    expect_clean_error (&run);
  shim_fault_at (SHIM_NONE, 0, 0);
  expect_end (w, end);
  forget (w);
  return damaged;
}

/* The size of the reply to each exchange of the scenario; 0 ends them. */
static void
measure (struct world *w, size_t sizes[32])
{
  unsigned exchanges = 2;

  memset (sizes, 0, 32 * sizeof *sizes);
  for (unsigned at = 1; at < exchanges; at++) {
    struct kit_run run;

    prepare (w);
    /* The one after it is cut, so that its reply is the last. */
    shim_fault_at (SHIM_CUT, at + 1, 0);
    kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
    sizes[at - 1] = shim_reply_size ();
    assert_true (sizes[at - 1] > 0);
    exchanges = shim_exchanges () > at ? at + 2 : at;
    assert_true (exchanges < 32);
    forget (w);
  }
}

static void
damage_everywhere (struct world *w, enum shim_fault fault, size_t step)
{
  char *end = expected_end (w);
  size_t sizes[32], tried = 0, damaged = 0;

  measure (w, sizes);
  for (unsigned i = 0; sizes[i] > 0; i++) {
    size_t most = sizes[i] * (fault == SHIM_FLIP ? 8 : 1);

    for (size_t where = i % step; where < most; where += step, tried++)
      damaged += damage_at (w, fault, i + 1, where, end);
  }
  assert_true (damaged > tried - tried / 8);
  free (end);
}

static void
test_reply_truncated (void **state)
{
  damage_everywhere (*state, SHIM_SHORT, 5);
}

static void
test_reply_flipped (void **state)
{
  damage_everywhere (*state, SHIM_FLIP, 17);
}

/* ------------------------------------------------------------------------- */

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, set_up, world_tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_request_lost),         TEST (test_reply_lost),
    TEST (test_request_doubled),      TEST (test_doubled_push_counts),
    TEST (test_lost_again_and_again), TEST (test_reply_truncated),
    TEST (test_reply_flipped),
  };

  return cmocka_run_group_tests_name ("engine, cut", tests, NULL, NULL);
}
