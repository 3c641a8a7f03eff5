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

/* ---- a store and itself ------------------------------------------------- */

static int
count_peer (void *ctx, const struct tally_status_row *row)
{
  unsigned *peers = ctx;

  *peers += row->peer != NULL;
  return 0;
}

static void
refused (struct world *w, const char *a, const char *b)
{
  struct kit_run run;

  kit_try_pair (&run, w->tally, a, b);
  assert_int_equal (run.status, TALLY_USAGE);
  assert_non_null (strstr (run.err.text, "is the same store"));
  assert_int_equal (run.n, 0);
}

static void
test_links (struct world *w, const char *driver)
{
  char path[2 * KIT_PATH], link[3 * KIT_PATH];
  char a[3 * KIT_PATH], b[4 * KIT_PATH];
  struct tally_error err;

  world_start (w, driver);
  kit_put (w->d1, "notes", "{\"_id\":\"1\"}");
  world_path (w, "d1", path);
  snprintf (link, sizeof link, "%s-link", path);
  assert_int_equal (symlink (path, link), 0);
  snprintf (a, sizeof a, "%s:%s", driver, path);
  snprintf (b, sizeof b, "%s:%s", driver, link);
  refused (w, a, b);
  refused (w, b, a);
  refused (w, "d1", b);
  assert_int_equal (tally_verify (w->tally, a, b, NULL, NULL, &err),
                    TALLY_USAGE);
  unlink (link);
}

static void
sqlite_links (void **state)
{
  test_links (*state, "sqlite");
}

static void
linvo_links (void **state)
{
  test_links (*state, "linvo");
}

/* Not even that it came to itself is noted. */
static void
test_own_server (void **state)
{
  struct world *w = *state;
  struct tally_error err;
  unsigned peers = 0;

  world_start (w, "held");
  kit_put (w->hub, "notes", "{\"_id\":\"1\"}");
  refused (w, "hub", "wire");
  assert_int_equal (tally_status (w->tally, "hub", count_peer, &peers, &err),
                    TALLY_OK);
  assert_int_equal (peers, 0);
  kit_put (w->d1, "notes", "{\"_id\":\"2\"}");
  world_sync (w);
  world_settled (w, 2);
}

/* A server in a process of its own that found the store by a link. */
static void
test_own_server_by_a_link (void **state)
{
  struct world *w = *state;
  char path[2 * KIT_PATH], link[2 * KIT_PATH + 8], name[3 * KIT_PATH];
  struct kit_run run;

  world_start (w, "sqlite");
  kit_put (w->hub, "notes", "{\"_id\":\"1\"}");
  world_path (w, "hub", path);
  snprintf (link, sizeof link, "%s-link", path);
  assert_int_equal (symlink (path, link), 0);
  snprintf (name, sizeof name, "sqlite:%s", link);
  kit_try_pair (&run, w->tally, name, "wire");
  assert_int_equal (run.status, TALLY_USAGE);
  unlink (link);
}

/* ---- copies that meet --------------------------------------------------- */

static void
pair (struct world *w, const char *a, const char *b, struct kit_run *run)
{
  kit_try_pair (run, w->tally, a, b);
  if (run->status != TALLY_OK)
    fail_msg ("%s %s: %s", a, b, run->err.text);
}

static void
copy_d1 (struct world *w, const char *to)
{
  char from[2 * KIT_PATH], path[2 * KIT_PATH];

  world_path (w, "d1", from);
  world_path (w, to, path);
  kit_copy (from, path);
}

/* Each has an edit of its own, and they were one store before. */
static void
test_copies_meet (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_start (w, "sqlite");
  world_fill (w->d1, 'n', 5);
  world_close (w);
  copy_d1 (w, "d2");
  copy_d1 (w, "hub");
  world_open (w);
  kit_put (w->d1, "notes", "{\"_id\":\"n001\",\"v\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"n002\",\"v\":2}");
  kit_put (w->hub, "notes", "{\"_id\":\"n003\",\"v\":3}");
  kit_put (w->hub, "notes", "{\"_id\":\"new\"}");
  pair (w, "d1", "d2", &run);
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pulled = 1, .pushed = 1));
  kit_same (w->d1, w->d2);
  pair (w, "d2", "d1", &run);
  pair (w, "d1", "d2", &run);
  kit_expect_nothing (&run, 2);

  /* And the third with either. */
  pair (w, "d1", "hub", &run);
  pair (w, "d2", "hub", &run);
  pair (w, "d1", "d2", &run);
  world_same (w);
  world_expect (w, "notes", "n001", "\"v\":1");
  world_expect (w, "notes", "n002", "\"v\":2");
  world_expect (w, "notes", "n003", "\"v\":3");
  for (unsigned i = 0; i < 2; i++) {
    pair (w, "d1", "hub", &run);
    pair (w, "d2", "hub", &run);
    pair (w, "d1", "d2", &run);
  }
  assert_string_equal (kit_report (&run, "notes")->strategy, "changes");
  kit_expect_nothing (&run, 2);
  pair (w, "d1", "hub", &run);
  assert_string_equal (kit_report (&run, "notes")->strategy, "changes");
  kit_expect_nothing (&run, 2);
}

/* The name that a mended pair has is for that pair: when somebody else answers
 * where it did, we come by our own. */
static void
test_another_store_behind_a_mended_route (void **state)
{
  struct world *w = *state;
  char d1[2 * KIT_PATH], saved[2 * KIT_PATH], hub[2 * KIT_PATH];
  struct kit_run run;

  world_start (w, "sqlite");
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
  assert_string_equal (kit_report (&run, "notes")->strategy, "compare");

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
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, world_set_up_empty, world_tear_down)
  static const struct CMUnitTest tests[] = {
    TEST (sqlite_links),     TEST (linvo_links),
    TEST (test_own_server),  TEST (test_own_server_by_a_link),
    TEST (test_copies_meet), TEST (test_another_store_behind_a_mended_route),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
