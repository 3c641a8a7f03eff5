/* SPDX-License-Identifier: MIT */
/* A first run with who has nothing: all goes in the order of ids, without a
 * list, while somebody writes on either side. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sync-world.h"

/* What is there, was there or comes, before and behind where a page ends. */
static void
edit_around (void *ctx)
{
  struct tally_replica *replica = ctx;

  kit_put (replica, "notes", "{\"_id\":\"a\"}");
  kit_put (replica, "notes", "{\"_id\":\"m0\",\"v\":1}");
  kit_put (replica, "notes", "{\"_id\":\"m5\",\"v\":1}");
  kit_remove (replica, "notes", "m1");
  kit_remove (replica, "notes", "m4");
  kit_put (replica, "notes", "{\"_id\":\"z\"}");
}

/* Two of these are as much as travels at once. */
static void
fill_with_large (struct tally_replica *replica)
{
  static char pad[900001];

  memset (pad, 'x', sizeof pad - 1);
  for (unsigned i = 0; i < 6; i++)
    kit_put (replica, "notes", "{\"_id\":\"m%u\",\"pad\":\"%s\",\"v\":0}", i,
             pad);
}

/* Everything goes from one store, and at some exchange one is edited. */
static void
sync_and_edit (struct world *w, struct tally_replica *filled, unsigned at,
               void (*edit) (void *ctx), struct tally_replica *edited)
{
  struct kit_run run;

  fill_with_large (filled);
  shim_fault_at (SHIM_NONE, 0, 0);
  shim_before_exchange (at, edit, edited);
  kit_sync (&run, w->tally, "l1");
  assert_true (shim_exchanges () >= at);
  world_sync (w);
}

static void
make_anew (struct world *w)
{
  world_remove (w);
  world_make (w, NULL);
  world_open (w);
}

static void
expect_edits (struct world *w)
{
  world_expect (w, "notes", "m0", "\"v\":1");
  world_expect (w, "notes", "m1", NULL);
  world_expect (w, "notes", "m4", NULL);
  world_settled (w, 6);
}

/* Who has nothing takes documents in the order of their ids. */
static void
test_hub_changes_while_all_is_taken (void **state)
{
  struct world *w = *state;

  for (unsigned at = 1; at <= 5; at++) {
    sync_and_edit (w, w->hub, at, edit_around, w->hub);
    expect_edits (w);
    make_anew (w);
  }
}

/* And is given them so: what changes here meanwhile comes afterwards. */
static void
test_device_changes_while_all_is_given (void **state)
{
  struct world *w = *state;

  for (unsigned at = 1; at <= 5; at++) {
    sync_and_edit (w, w->d1, at, edit_around, w->d1);
    expect_edits (w);
    make_anew (w);
  }
}

static void
make_three (void *ctx)
{
  struct tally_replica *replica = ctx;

  kit_put (replica, "notes", "{\"_id\":\"m1\",\"hub\":1}");
  kit_put (replica, "notes", "{\"_id\":\"m4\",\"hub\":1}");
  kit_put (replica, "notes", "{\"_id\":\"n\",\"hub\":1}");
}

/* It had nothing when it was asked. */
static void
test_hub_changes_while_all_is_given (void **state)
{
  struct world *w = *state;

  for (unsigned at = 3; at <= 5; at++) {
    sync_and_edit (w, w->d1, at, make_three, w->hub);
    world_expect (w, "notes", "m1", "\"hub\":1");
    world_expect (w, "notes", "m4", "\"hub\":1");
    world_settled (w, 7);
    make_anew (w);
  }
}

/* Who gives does not take what it sees for all that there is. */
static void
test_what_is_hidden_is_missed (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_fill (w->d1, 'a', 9);
  shim_hide ("held/d1", "a003");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_CORRUPT);
  assert_non_null (strstr (run.err.text, "of the 9 documents of \"notes\" 8"));
  shim_spoil ("held/d1", NULL);
  world_sync (w);
  world_settled (w, 9);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, world_set_up, world_tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_hub_changes_while_all_is_taken),
    TEST (test_device_changes_while_all_is_given),
    TEST (test_hub_changes_while_all_is_given),
    TEST (test_what_is_hidden_is_missed),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
