/* SPDX-License-Identifier: MIT */
/* Stores that are copied, rolled back in place or restored, on either side:
 * whatever still exists anywhere ends up everywhere, also when the run that
 * finds out is cut. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync-world.h"

/* ---- stores on disk ----------------------------------------------------- */

static const char *const beside[] = { "", "-wal", "-shm" };

static void
name_file (const struct world *w, const char *store, const char *end,
           char path[3 * KIT_PATH])
{
  char base[2 * KIT_PATH];

  world_path (w, store, base);
  snprintf (path, 3 * KIT_PATH, "%s%s", base, end);
}

/* What lies beside a database goes with it. */
static void
copy_store (const struct world *w, const char *from, const char *to)
{
  char one[3 * KIT_PATH], other[3 * KIT_PATH];

  for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
    name_file (w, from, beside[i], one);
    name_file (w, to, beside[i], other);
    if (access (one, F_OK) == 0)
      kit_copy (one, other);
    else if (i > 0)
      unlink (other);
  }
}

static void
save (struct world *w, const char *store)
{
  world_close (w);
  copy_store (w, store, "saved");
  world_open (w);
}

/* In place: the same file, the same folder. */
static void
restore (struct world *w, const char *store)
{
  world_close (w);
  copy_store (w, "saved", store);
  world_open (w);
}

/* ---- writing ------------------------------------------------------------ */

/* Adds a field to the document, which is made if it is not there. */
static void
add_field (struct tally_replica *replica, const char *id, const char *field)
{
  char *json = kit_get (replica, "notes", id, NULL);

  if (json) {
    json[strlen (json) - 1] = '\0';
    kit_put (replica, "notes", "%s,\"%s\":1}", json, field);
  } else
    kit_put (replica, "notes", "{\"_id\":\"%s\",\"%s\":1}", id, field);
  free (json);
}

static void
expect_field (struct world *w, const char *id, const char *field)
{
  char part[32];

  snprintf (part, sizeof part, "\"%s\":1", field);
  kit_expect (w->d1, "notes", id, part);
  kit_expect (w->d2, "notes", id, part);
  kit_expect (w->hub, "notes", id, part);
}

static void
fill (struct world *w)
{
  for (unsigned i = 0; i < 6; i++) {
    kit_put (w->d1, "notes", "{\"_id\":\"n%u\",\"v\":1}", i);
    kit_put (w->hub, "tasks", "{\"_id\":\"t%u\",\"v\":1}", i);
  }
  world_sync (w);
  world_sync (w);
  world_same (w);
}

/* A few rounds later all are equal, and then nothing moves any more. */
static void
settle (struct world *w)
{
  struct kit_run run;

  world_sync (w);
  world_sync (w);
  world_same (w);
  kit_sync (&run, w->tally, "l1");
  kit_expect_nothing (&run, 1);
  kit_sync (&run, w->tally, "l2");
  kit_expect_nothing (&run, 1);
}

/* ---- a device is rolled back -------------------------------------------- */

/* one: written before, and got to the hub; two: written before, and lost;
 * three: written after; four: the hub's own meanwhile. */
static void
roll_back_device (struct world *w)
{
  struct kit_run run;

  fill (w);
  add_field (w->d1, "n0", "zero");
  save (w, "d1");
  add_field (w->d1, "n1", "one");
  add_field (w->d1, "n2", "one");
  kit_sync (&run, w->tally, "l1");
  add_field (w->d1, "n2", "two");
  restore (w, "d1");
  /* The same names, seqs and perhaps stamps again. */
  add_field (w->d1, "n1", "three");
  add_field (w->d1, "n3", "three");
  add_field (w->d1, "new", "three");
  add_field (w->hub, "n1", "four");
  add_field (w->hub, "n0", "four");
}

static void
expect_rolled_back_device (struct world *w)
{
  settle (w);
  expect_field (w, "n0", "zero");
  expect_field (w, "n0", "four");
  expect_field (w, "n1", "one");
  expect_field (w, "n1", "three");
  expect_field (w, "n1", "four");
  expect_field (w, "n2", "one");
  expect_field (w, "n3", "three");
  expect_field (w, "new", "three");
}

static void
test_device_restored (struct world *w, const char *driver)
{
  world_start (w, driver);
  roll_back_device (w);
  expect_rolled_back_device (w);
}

/* What the device wrote before under the same name was not known to it any
 * more, and so it loses unseen. */
static void
lose_one (struct world *w)
{
  struct kit_run run;

  fill (w);
  save (w, "d1");
  kit_put (w->d1, "notes", "{\"_id\":\"n1\",\"v\":\"before\"}");
  kit_sync (&run, w->tally, "l1");
  restore (w, "d1");
  kit_put (w->d1, "notes", "{\"_id\":\"n1\",\"v\":\"after\"}");
}

static void
test_loss_is_told (struct world *w, const char *driver)
{
  struct kit_run run;
  const struct tally_report *report;

  world_start (w, driver);
  lose_one (w);
  kit_sync (&run, w->tally, "l1");
  report = kit_report (&run, "notes");
  assert_string_equal (report->strategy, "compare");
  assert_int_equal (report->merged, 1);
  assert_int_equal (report->conflicts, 1);
  settle (w);
}

/* ---- the hub is rolled back --------------------------------------------- */

/* one: of d1, known to the hub and d2 before; two: of the hub, known to d1;
 * three: of the hub, after; four: of d2, after. */
static void
roll_back_hub (struct world *w)
{
  struct kit_run run;

  fill (w);
  save (w, "hub");
  add_field (w->hub, "n1", "two");
  add_field (w->hub, "n4", "two");
  kit_put (w->hub, "new", "{\"_id\":\"x\",\"v\":1}");
  add_field (w->d1, "n2", "one");
  kit_sync (&run, w->tally, "l1");
  kit_sync (&run, w->tally, "l2");
  kit_remove (w->d1, "notes", "n5");
  kit_sync (&run, w->tally, "l1");
  restore (w, "hub");
  add_field (w->hub, "n1", "three");
  add_field (w->hub, "n2", "three");
  add_field (w->hub, "n3", "three");
  add_field (w->hub, "new", "three");
  add_field (w->d2, "n1", "four");
  add_field (w->d2, "n2", "four");
}

static void
expect_rolled_back_hub (struct world *w)
{
  settle (w);
  expect_field (w, "n1", "two");
  expect_field (w, "n1", "three");
  expect_field (w, "n1", "four");
  expect_field (w, "n2", "one");
  expect_field (w, "n2", "three");
  expect_field (w, "n2", "four");
  expect_field (w, "n3", "three");
  expect_field (w, "n4", "two");
  expect_field (w, "new", "three");
  /* Everybody who was asked had its tombstone, so it was forgotten. */
  expect_field (w, "n5", "v");
  kit_expect (w->hub, "new", "x", "\"v\":1");
}

static void
test_hub_restored (struct world *w, const char *driver)
{
  world_start (w, driver);
  roll_back_hub (w);
  expect_rolled_back_hub (w);
}

/* ---- a device with two far sides is rolled back ------------------------- */

static void
pair_devices (struct world *w, struct kit_run *run)
{
  kit_try_pair (run, w->tally, "d1", "d2");
  if (run->status != TALLY_OK)
    fail_msg ("%s", run->err.text);
}

/* What is mended with one is not broken with the other by that: they would
 * break each other for ever. */
static void
test_two_far_sides (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_start (w, "sqlite");
  fill (w);
  pair_devices (w, &run);
  save (w, "d1");
  add_field (w->d1, "n1", "one");
  kit_sync (&run, w->tally, "l1");
  pair_devices (w, &run);
  restore (w, "d1");
  kit_sync (&run, w->tally, "l1");
  assert_string_equal (kit_report (&run, "notes")->strategy, "compare");
  pair_devices (w, &run);
  assert_string_equal (kit_report (&run, "notes")->strategy, "compare");
  kit_sync (&run, w->tally, "l1");
  assert_string_equal (kit_report (&run, "notes")->strategy, "changes");
  pair_devices (w, &run);
  assert_string_equal (kit_report (&run, "notes")->strategy, "changes");
  world_sync (w);
  expect_field (w, "n1", "one");
}

/* ---- a device is cloned ------------------------------------------------- */

/* d2 becomes what d1 is, and both go on. */
static void
clone_device (struct world *w)
{
  fill (w);
  add_field (w->d1, "n0", "zero");
  world_close (w);
  copy_store (w, "d1", "d2");
  world_open (w);
  add_field (w->d1, "n1", "one");
  add_field (w->d2, "n1", "two");
  add_field (w->d1, "n2", "one");
  add_field (w->d2, "n3", "two");
  add_field (w->d1, "same", "one");
  add_field (w->d2, "same", "two");
}

static void
expect_cloned_device (struct world *w)
{
  settle (w);
  expect_field (w, "n0", "zero");
  expect_field (w, "n1", "one");
  expect_field (w, "n1", "two");
  expect_field (w, "n2", "one");
  expect_field (w, "n3", "two");
  /* Made twice: one of them, as a whole. */
  kit_expect (w->hub, "notes", "same", "{\"_id\":\"same\",");
}

static void
test_device_cloned (struct world *w, const char *driver)
{
  struct kit_run run;

  world_start (w, driver);
  clone_device (w);
  kit_sync (&run, w->tally, "l2");
  add_field (w->d1, "n4", "one");
  add_field (w->d2, "n4", "two");
  expect_cloned_device (w);
  expect_field (w, "n4", "one");
  expect_field (w, "n4", "two");
}

/* ---- and the run that finds out is cut ---------------------------------- */

struct story {
  void (*tell) (struct world *w);
  void (*expect) (struct world *w);
};

static void
cut_story (struct world *w, const char *driver, const struct story *story,
           enum shim_fault fault)
{
  unsigned at = 1, exchanges = 0;

  for (;; at++) {
    struct kit_run run;

    world_start (w, driver);
    story->tell (w);
    shim_fault_at (fault, at, 0);
    kit_try_sync (&run, w->tally, "l2", TALLY_AS_CONFIGURED);
    if (run.status == TALLY_OK)
      kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
    exchanges = shim_exchanges ();
    shim_fault_at (SHIM_NONE, 0, 0);
    if (at > exchanges)
      break;
    assert_int_equal (run.status, TALLY_AGAIN);
    story->expect (w);
    world_remove (w);
  }
  assert_true (at > 7);
}

/* Also when the run that should have told is cut. */
static void
test_loss_is_told_late (void **state)
{
  struct world *w = *state;

  for (unsigned at = 1; at <= 8; at++) {
    struct kit_run run;
    uint64_t told;

    world_start (w, "sqlite");
    lose_one (w);
    shim_fault_at (SHIM_LOSE, at, 0);
    kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
    shim_fault_at (SHIM_NONE, 0, 0);
    told = kit_report (&run, "notes")->conflicts;
    kit_sync (&run, w->tally, "l1");
    told += kit_report (&run, "notes")->conflicts;
    if (told != 1)
      fail_msg ("exchange %u: told %u times", at, (unsigned) told);
    world_remove (w);
  }
  w->folder[0] = '\0';
}

static void
test_cut (struct world *w, const char *driver, enum shim_fault fault)
{
  static const struct story stories[] = {
    { roll_back_device, expect_rolled_back_device },
    { roll_back_hub, expect_rolled_back_hub },
    { clone_device, expect_cloned_device }
  };

  for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
    cut_story (w, driver, &stories[i], fault);
    world_remove (w);
  }
  w->folder[0] = '\0';
}

/* ------------------------------------------------------------------------- */

#define STORIES(driver)                               \
  static void driver##_device_restored (void **state) \
  {                                                   \
    test_device_restored (*state, #driver);           \
  }                                                   \
  static void driver##_loss_is_told (void **state)    \
  {                                                   \
    test_loss_is_told (*state, #driver);              \
  }                                                   \
  static void driver##_hub_restored (void **state)    \
  {                                                   \
    test_hub_restored (*state, #driver);              \
  }                                                   \
  static void driver##_device_cloned (void **state)   \
  {                                                   \
    test_device_cloned (*state, #driver);             \
  }

STORIES (sqlite)
STORIES (linvo)

static void
sqlite_request_lost (void **state)
{
  test_cut (*state, "sqlite", SHIM_CUT);
}

static void
sqlite_reply_lost (void **state)
{
  test_cut (*state, "sqlite", SHIM_LOSE);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, world_set_up_empty, world_tear_down)
#define TESTS(driver)                                            \
  TEST (driver##_device_restored), TEST (driver##_loss_is_told), \
      TEST (driver##_hub_restored), TEST (driver##_device_cloned)

int
main (void)
{
  const struct CMUnitTest tests[] = { TESTS (sqlite),
                                      TESTS (linvo),
                                      TEST (test_loss_is_told_late),
                                      TEST (test_two_far_sides),
                                      TEST (sqlite_request_lost),
                                      TEST (sqlite_reply_lost) };

  return cmocka_run_group_tests_name ("engine, copies", tests, NULL, NULL);
}
