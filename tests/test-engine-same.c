/* SPDX-License-Identifier: MIT */
/* A store and itself, under another name or through its own server; and
 * copies of one store that meet each other. */

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

static int
set_up (void **state)
{
  struct world *world = calloc (1, sizeof *world);

  assert_non_null (world);
  *state = world;
  return 0;
}

static int
tear_down (void **state)
{
  struct world *world = *state;

  if (world->folder[0])
    world_remove (world);
  free (world);
  return 0;
}

/* Opens the world over this driver, or skips. */
static void
start (struct world *w, const char *driver)
{
  struct tally *tally = kit_context (NULL, "[tally]\ndevice = test\n");
  bool found =
      strcmp (driver, "held") == 0 || kit_has_driver (tally, driver, "store");

  tally_free (tally);
  if (!found) {
    print_message ("there is no driver %s\n", driver);
    skip ();
  }
  world_make (w, driver);
  world_open (w);
}

/* The name that a mended pair has is for that pair: when somebody else answers
 * where it did, we come by our own. */
static void
test_another_store_behind_a_mended_route (void **state)
{
  struct world *w = *state;
  char d1[2 * KIT_PATH], saved[2 * KIT_PATH], hub[2 * KIT_PATH];
  struct kit_run run;

  start (w, "sqlite");
  world_path (w, "d1", d1);
  world_path (w, "hub", hub);
  world_path (w, "saved", saved);
  world_fill (w->d1, 'n', 3);
  kit_sync (&run, w->tally, "l1");
  world_close (w);
  kit_copy (d1, saved);
  world_open (w);
  kit_put (w->d1, "notes", "{\"_id\":\"n001\",\"v\":1}");
  kit_sync (&run, w->tally, "l1");
  world_close (w);
  kit_copy (saved, d1);
  world_open (w);
  kit_sync (&run, w->tally, "l1");
  assert_string_equal (kit_report (&run, "notes")->strategy, "full");

  world_close (w);
  assert_int_equal (unlink (hub), 0);
  world_open (w);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 3));
  kit_same (w->d1, w->hub);
  kit_sync (&run, w->tally, "l1");
  kit_expect_nothing (&run, 2);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
  static const struct CMUnitTest tests[] = {
    TEST (test_another_store_behind_a_mended_route),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
