/* SPDX-License-Identifier: MIT */
/* One scenario over every store on either side of every transport: whatever
 * two sides did apart, they end equal, each document moves once, and what is
 * reported is what happened.  Drivers are loaded at run time; a combination
 * whose driver was not built is skipped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sync-kit.h"

#define EACH 1500 /* documents that each side brings */
#define BATCH 500
#define A_EDITS 20
#define B_EDITS 30

/* Over a folder each side runs on its own and never meets the other; else A
 * runs and B serves, over http from a context of its own. */
struct rig {
  const char *store_a, *store_b, *transport;
  char folder[KIT_PATH];
  struct tally *tally_a, *tally_b; /* the same over loopback */
  struct tally_replica *a, *b;
  struct kit_server server;
  bool serving;
  bool passive;
  uint64_t documents; /* that sync, on either side */
};

/* What one exchange of everything did, as A sees it. */
struct moved {
  struct kit_run a, b, again; /* b and again: over a folder only */
};

/* ---- the rig ------------------------------------------------------------ */

static const char *
store_path (const char *driver)
{
  return strcmp (driver, "memory") == 0 ? "name" : "path";
}

static void
open_sides (struct rig *rig, const char *wiring_a, const char *wiring_b)
{
  rig->tally_a = kit_context (
      NULL,
      "[store a]\ndriver = %s\n%s = %s/a\n[store b]\ndriver = %s\n"
      "%s = %s/b\n%s",
      rig->store_a, store_path (rig->store_a), rig->folder, rig->store_b,
      store_path (rig->store_b), rig->folder, wiring_a);
  rig->a = kit_store (rig->tally_a, "a");
  rig->tally_b = rig->tally_a;
  if (wiring_b)
    rig->tally_b = kit_context (NULL, "[store b]\ndriver = %s\n%s = %s/b\n%s",
                                rig->store_b, store_path (rig->store_b),
                                rig->folder, wiring_b);
  rig->b = kit_store (rig->tally_b, "b");
}

static void
serve (struct rig *rig)
{
  kit_serve (&rig->server, rig->tally_b, "hub");
  rig->serving = true;
}

static void
rig_loopback (struct rig *rig)
{
  open_sides (rig,
              "[transport wire]\ndriver = loopback\n"
              "[serve hub]\ntransport = wire\nstore = b\n"
              "[sync link]\nstore = a\ntransport = wire\n",
              NULL);
  serve (rig);
}

/* The url is known when B listens, and so A comes second. */
static void
rig_http (struct rig *rig)
{
  char wiring[512];

  rig->tally_b =
      kit_context (NULL,
                   "[store b]\ndriver = %s\n%s = %s/b\n"
                   "[transport public]\ndriver = http\nlisten = 127.0.0.1:0\n"
                   "[serve hub]\ntransport = public\nstore = b\n",
                   rig->store_b, store_path (rig->store_b), rig->folder);
  rig->b = kit_store (rig->tally_b, "b");
  serve (rig);
  snprintf (wiring, sizeof wiring,
            "[transport hub]\ndriver = http\n"
            "url = %s\n[sync link]\nstore = a\ntransport = hub\n",
            rig->server.url);
  rig->tally_a =
      kit_context (NULL, "[store a]\ndriver = %s\n%s = %s/a\n%s", rig->store_a,
                   store_path (rig->store_a), rig->folder, wiring);
  rig->a = kit_store (rig->tally_a, "a");
}

static void
rig_file (struct rig *rig)
{
  char a[512], b[512];

  snprintf (a, sizeof a,
            "[transport stick]\ndriver = file\n"
            "path = %s/stick\n[sync link]\nstore = a\ntransport = stick\n",
            rig->folder);
  snprintf (b, sizeof b,
            "[transport stick]\ndriver = file\n"
            "path = %s/stick\n[sync link]\nstore = b\ntransport = stick\n",
            rig->folder);
  rig->passive = true;
  open_sides (rig, a, b);
}

static void
rig_free (struct rig *rig)
{
  if (rig->a)
    tally_replica_close (rig->a);
  if (rig->serving)
    kit_serve_end (&rig->server);
  if (rig->b)
    tally_replica_close (rig->b);
  if (rig->tally_b != rig->tally_a)
    tally_free (rig->tally_b);
  tally_free (rig->tally_a);
  kit_folder_remove (rig->folder);
}

/* Skips the test when a driver is not there. */
static void
require_drivers (const struct rig *rig)
{
  const char *names[] = { rig->store_a, rig->store_b, rig->transport };
  struct tally *tally = kit_context (NULL, "[tally]\ndevice = test\n");
  const char *missing = NULL;

  for (size_t i = 0; i < 3 && !missing; i++)
    if (!kit_has_driver (tally, names[i], i < 2 ? "store" : "transport"))
      missing = names[i];
  tally_free (tally);
  if (!missing)
    return;
  print_message ("there is no driver %s\n", missing);
  skip ();
}

/* ---- what the two do ---------------------------------------------------- */

static void
fill (struct tally_replica *replica, char side)
{
  char *json = malloc (BATCH * 96);

  assert_non_null (json);
  for (unsigned at = 0; at < EACH; at += BATCH) {
    size_t used = 0;

    for (unsigned i = at; i < at + BATCH; i++)
      used += (size_t) sprintf (json + used,
                                "{\"_id\":\"%c%04u\",\"n\":%u,\"price\":%u.10,"
                                "\"name\":\"number %u of %c\"}\n",
                                side, i, i, i % 97, i, side);
    kit_put (replica, "notes", "%s", json);
  }
  free (json);
}

/* As JSON strings. */
static const char *const odd_ids[] = {
  " ",       ".",       "..",      "/",        "a/../b",
  "\\\"",    "\\\\",    "%2e%00",  "_id",      "__proto__",
  "x:y",     "*",       "\\u00e9", "e\\u0301", "\\ud83d\\ude00",
  "\\u2028", "\\ufeff", "\\uffff", "'; DROP",  "A",
  "a"
};

#define ODD (sizeof odd_ids / sizeof odd_ids[0])

/* Every other one, and the longest that there may be. */
static void
fill_odd (struct tally_replica *replica, size_t from)
{
  char longest[1025];

  for (size_t i = from; i < ODD; i += 2)
    kit_put (replica, "odd", "{\"_id\":\"%s\",\"i\":%u}", odd_ids[i],
             (unsigned) i);
  memset (longest, from ? 'b' : 'a', sizeof longest);
  longest[1024] = '\0';
  kit_put (replica, "odd", "{\"_id\":\"%s\"}", longest);
}

static void
fill_both (struct rig *rig)
{
  fill (rig->a, 'a');
  fill (rig->b, 'b');
  for (unsigned i = 0; i < 5; i++)
    kit_put (rig->a, "tasks", "{\"_id\":\"a%u\"}", i);
  for (unsigned i = 0; i < 3; i++)
    kit_put (rig->b, "tasks", "{\"_id\":\"b%u\"}", i);
  fill_odd (rig->a, 0);
  fill_odd (rig->b, 1);
  kit_put (rig->a, "_x", "{\"_id\":\"mine\",\"of\":\"a\"}");
  kit_put (rig->b, "_x", "{\"_id\":\"mine\",\"of\":\"b\"}");
  kit_put (rig->b, "_y", "{\"_id\":\"1\"}");
  rig->documents = 2 * EACH + 5 + 3 + ODD + 2;
}

static void
edit (struct tally_replica *replica, char side, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    kit_put (replica, "notes", "{\"_id\":\"%c01%02u\",\"edited\":true}", side,
             i);
}

static int64_t
wall_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the clock shows a later time on every side: a store that takes a new
 * span of its clock may be a millisecond or two ahead of it. */
static void
next_tick (void)
{
  int64_t then = wall_ms ();

  while (wall_ms () < then + 5)
    continue;
}

static void
edit_both (struct rig *rig)
{
  edit (rig->a, 'a', A_EDITS);
  edit (rig->b, 'b', B_EDITS);
  /* Different fields; n, price and name stay as they are. */
  kit_put (rig->a, "notes",
           "{\"_id\":\"a0001\",\"n\":1,\"price\":1.10,"
           "\"name\":\"number 1 of a\",\"x\":\"from a\"}");
  kit_put (rig->b, "notes",
           "{\"_id\":\"a0001\",\"n\":1,\"price\":1.10,"
           "\"name\":\"number 1 of a\",\"y\":\"from b\"}");
  /* Deletes that meet what nobody touched. */
  kit_remove (rig->a, "notes", "a0003");
  kit_remove (rig->b, "notes", "b0003");
  /* The same field, a delete that meets an edit, and a delete that meets a
   * later whole write. */
  kit_put (rig->a, "tasks", "{\"_id\":\"a0\",\"v\":\"from a\"}");
  kit_remove (rig->a, "tasks", "a1");
  kit_remove (rig->b, "tasks", "b1");
  next_tick ();
  kit_put (rig->b, "tasks", "{\"_id\":\"a0\",\"v\":\"from b\"}");
  kit_put (rig->b, "tasks", "{\"_id\":\"a1\",\"v\":\"from b\"}");
  kit_replace (rig->a, "tasks", "{\"_id\":\"b1\",\"v\":\"from a\"}");
  /* A collection that one of them does not have. */
  kit_put (rig->b, "late", "[{\"_id\":\"1\"},{\"_id\":\"2\"}]");
  kit_put (rig->a, "_x", "{\"_id\":\"mine\",\"of\":\"a\",\"v\":2}");
  rig->documents += 2 - 2 - 1;
}

/* ---- what must come of it ----------------------------------------------- */

/* A dry run first says the same. */
static void
run_one (struct kit_run *run, struct tally *tally)
{
  struct kit_run foreseen;

  kit_foresee (&foreseen, tally, "link", TALLY_AS_CONFIGURED);
  kit_sync (run, tally, "link");
  kit_expect_foreseen (&foreseen, run);
}

static void
run (struct rig *rig, struct moved *moved)
{
  run_one (&moved->a, rig->tally_a);
  if (!rig->passive)
    return;
  run_one (&moved->b, rig->tally_b);
  run_one (&moved->again, rig->tally_a);
}

static void
expect_local (struct rig *rig, const struct moved *moved, const char *of)
{
  kit_expect (rig->a, "_x", "mine", of);
  kit_expect (rig->b, "_x", "mine", "\"of\":\"b\"");
  kit_expect (rig->a, "_y", "1", NULL);
  for (size_t i = 0; i < moved->a.n; i++)
    assert_int_not_equal (moved->a.rows[i].collection[0], '_');
}

/* Equal, and another run finds nothing to do. */
static void
expect_settled (struct rig *rig)
{
  struct moved moved;

  kit_same (rig->a, rig->b);
  if (!rig->passive) {
    const char *far = strcmp (rig->transport, "http") == 0 ? "hub" : "b";

    kit_verify (rig->tally_a, "a", far, rig->documents);
  }
  run (rig, &moved);
  assert_true (moved.a.n >= 3);
  kit_expect_nothing (&moved.a, rig->passive ? 0 : 1);
  if (!rig->passive)
    return;
  kit_expect_nothing (&moved.b, 0);
  kit_expect_nothing (&moved.again, 0);
}

static void
expect_filled (const struct rig *rig, const struct moved *moved)
{
  uint64_t odd_a = (ODD + 1) / 2 + 1, odd_b = ODD / 2 + 1;

  assert_int_equal (moved->a.n, 3);
  if (!rig->passive) {
    kit_expect_figures (&moved->a, "notes", KIT_FIGURES (EACH, EACH, 0, 0, 0));
    kit_expect_figures (&moved->a, "odd", KIT_FIGURES (odd_b, odd_a, 0, 0, 0));
    kit_expect_figures (&moved->a, "tasks", KIT_FIGURES (3, 5, 0, 0, 0));
    return;
  }
  kit_expect_figures (&moved->a, "notes", KIT_FIGURES (0, EACH, 0, 0, 0));
  kit_expect_figures (&moved->b, "notes", KIT_FIGURES (EACH, EACH, 0, 0, 0));
  kit_expect_figures (&moved->again, "notes", KIT_FIGURES (EACH, 0, 0, 0, 0));
  kit_expect_figures (&moved->b, "odd", KIT_FIGURES (odd_a, odd_b, 0, 0, 0));
  kit_expect_figures (&moved->b, "tasks", KIT_FIGURES (5, 3, 0, 0, 0));
}

/* Over a folder A first publishes all that it changed; B merges; and A takes
 * what B made of it and did not have: all but the task that A won. */
static void
expect_edited (const struct rig *rig, const struct moved *moved)
{
  if (!rig->passive) {
    kit_expect_figures (&moved->a, "notes",
                        KIT_FIGURES (B_EDITS + 1, A_EDITS + 1, 1, 0, 2));
    kit_expect_figures (&moved->a, "tasks", KIT_FIGURES (0, 0, 3, 3, 0));
    kit_expect_figures (&moved->a, "late", KIT_FIGURES (2, 0, 0, 0, 0));
    kit_expect_figures (&moved->a, "odd", KIT_FIGURES (0, 0, 0, 0, 0));
    return;
  }
  kit_expect_figures (&moved->a, "notes",
                      KIT_FIGURES (0, A_EDITS + 2, 0, 0, 1));
  kit_expect_figures (&moved->a, "tasks", KIT_FIGURES (0, 3, 0, 0, 1));
  kit_expect_figures (&moved->b, "notes",
                      KIT_FIGURES (A_EDITS + 1, B_EDITS + 1, 1, 0, 2));
  kit_expect_figures (&moved->b, "tasks", KIT_FIGURES (0, 0, 3, 3, 0));
  kit_expect_figures (&moved->b, "late", KIT_FIGURES (0, 2, 0, 0, 0));
  kit_expect_figures (&moved->again, "notes",
                      KIT_FIGURES (B_EDITS + 2, 0, 0, 0, 1));
  kit_expect_figures (&moved->again, "tasks", KIT_FIGURES (2, 0, 0, 0, 1));
  kit_expect_figures (&moved->again, "late", KIT_FIGURES (2, 0, 0, 0, 0));
}

static void
expect_documents (struct tally_replica *replica)
{
  kit_expect (replica, "notes", "a0001", "\"x\":\"from a\",\"y\":\"from b\"");
  kit_expect (replica, "notes", "a0001", "\"price\":1.10");
  kit_expect (replica, "notes", "a0003", NULL);
  kit_expect (replica, "notes", "b0003", NULL);
  kit_expect (replica, "notes", "a0119", "\"edited\":true");
  kit_expect (replica, "notes", "b0129", "\"edited\":true");
  kit_expect (replica, "tasks", "a0", "\"v\":\"from b\"");
  kit_expect (replica, "tasks", "a1", NULL);
  kit_expect (replica, "tasks", "b1", "\"v\":\"from a\"");
  kit_expect (replica, "odd", "A", "\"i\":19");
  kit_expect (replica, "odd", "a/../b", "\"i\":4");
}

/* ---- the test ----------------------------------------------------------- */

static void
converge (void **state)
{
  struct rig *rig = *state;
  struct moved moved;

  require_drivers (rig);
  kit_folder_make (rig->folder);
  if (strcmp (rig->transport, "loopback") == 0)
    rig_loopback (rig);
  else if (strcmp (rig->transport, "http") == 0)
    rig_http (rig);
  else
    rig_file (rig);

  fill_both (rig);
  run (rig, &moved);
  expect_filled (rig, &moved);
  expect_local (rig, &moved, "\"of\":\"a\"");
  expect_settled (rig);

  edit_both (rig);
  run (rig, &moved);
  expect_edited (rig, &moved);
  expect_local (rig, &moved, "\"v\":2");
  expect_documents (rig->a);
  expect_documents (rig->b);
  expect_settled (rig);
}

static int
tear_down (void **state)
{
  struct rig *rig = *state;

  if (rig->folder[0])
    rig_free (rig);
  return 0;
}

int
main (void)
{
  static const char *const stores[] = { "memory", "sqlite", "linvo" };
  static const char *const transports[] = { "loopback", "http", "file" };
  static struct rig rigs[27];
  static char names[27][64];
  struct CMUnitTest tests[27];

  memset (tests, 0, sizeof tests);
  for (size_t i = 0; i < 27; i++) {
    struct rig *rig = &rigs[i];

    rig->store_a = stores[i / 9];
    rig->store_b = stores[i / 3 % 3];
    rig->transport = transports[i % 3];
    snprintf (names[i], sizeof names[i], "%s to %s over %s", rig->store_a,
              rig->store_b, rig->transport);
    tests[i].name = names[i];
    tests[i].test_func = converge;
    tests[i].teardown_func = tear_down;
    tests[i].initial_state = rig;
  }
  return cmocka_run_group_tests_name ("convergence", tests, NULL, NULL);
}
