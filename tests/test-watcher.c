/* SPDX-License-Identifier: MIT */
/* Watches through tally.h: in the background and in the foreground, what
 * they run and when, and how they end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sync-shim.h"

#define LONG_MS 20000

/* What a watch told. */
struct told {
  pthread_mutex_t lock;
  unsigned runs;
  unsigned vain; /* well, but nothing moved */
  uint64_t moved;
  int ended; /* status of a link that was given up */
  int status;
  bool enough; /* say stop */
};

struct fixture {
  struct tally *tally;
  struct told told;
};

static int
set_up (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);

  assert_non_null (f);
  shim_reset ();
  f->tally = kit_context (NULL, "[store a]\ndriver = held\nname = a\n"
                                "[store hub]\ndriver = held\nname = hub\n"
                                "[transport wire]\ndriver = wire\n"
                                "[serve it]\ntransport = wire\nstore = hub\n"
                                "[sync slow]\nstore = a\ntransport = wire\n"
                                "[sync quick]\nstore = a\ntransport = wire\n"
                                "on_write = yes\ninterval = 50ms\n");
  shim_register (f->tally);
  pthread_mutex_init (&f->told.lock, NULL);
  *state = f;
  return 0;
}

static int
tear_down (void **state)
{
  struct fixture *f = *state;

  tally_free (f->tally);
  pthread_mutex_destroy (&f->told.lock);
  shim_reset ();
  free (f);
  return 0;
}

static int
on_run (void *ctx, const struct tally_watch_run *run)
{
  struct told *told = ctx;
  int enough;

  pthread_mutex_lock (&told->lock);
  told->runs++;
  told->vain += run->status == TALLY_OK && run->moved == 0;
  told->moved += run->moved;
  told->status = run->status;
  if (run->ended)
    told->ended = run->status;
  enough = told->enough;
  pthread_mutex_unlock (&told->lock);
  return enough;
}

static struct told
look (struct fixture *f)
{
  struct told told;

  pthread_mutex_lock (&f->told.lock);
  told = f->told;
  pthread_mutex_unlock (&f->told.lock);
  return told;
}

static void
nap (void)
{
  struct timespec ms = { 0, 5000000 };

  nanosleep (&ms, NULL);
}

/* Until so many documents have moved. */
static void
await_moved (struct fixture *f, uint64_t moved)
{
  for (unsigned i = 0; i < LONG_MS / 5 && look (f).moved < moved; i++)
    nap ();
  assert_true (look (f).moved == moved);
}

static void
await_runs (struct fixture *f, unsigned runs)
{
  for (unsigned i = 0; i < LONG_MS / 5 && look (f).runs < runs; i++)
    nap ();
  assert_true (look (f).runs >= runs);
}

static struct tally_watcher *
watch_pair (struct fixture *f)
{
  struct tally_watch_options options = { .size = sizeof options };
  struct tally_watcher *watcher;
  struct tally_error err;

  options.a = "held:a";
  options.b = "held:b";
  options.run = on_run;
  options.ctx = &f->told;
  assert_int_equal (
      tally_watch_start (&watcher, f->tally, NULL, 0, &options, &err),
      TALLY_OK);
  return watcher;
}

static void
test_both_ways (void **state)
{
  struct fixture *f = *state;
  struct tally_replica *a = kit_store (f->tally, "held:a");
  struct tally_replica *b = kit_store (f->tally, "held:b");
  struct tally_watcher *watcher;
  struct tally_error err;

  kit_put (a, "notes", "{\"_id\":\"early\"}");
  kit_put (b, "notes", "{\"_id\":\"there\"}");
  watcher = watch_pair (f);
  await_moved (f, 2);
  kit_put (a, "notes", "{\"_id\":\"x\",\"n\":1}");
  await_moved (f, 3);
  kit_put (b, "notes", "{\"_id\":\"x\",\"n\":2}");
  await_moved (f, 4);
  kit_put (b, "more", "{\"_id\":\"new\"}");
  await_moved (f, 5);
  kit_remove (a, "notes", "early");
  await_moved (f, 6);
  kit_expect (a, "notes", "x", "\"n\":2");
  kit_expect (b, "notes", "early", NULL);
  /* A run's own doing is no news. */
  assert_int_equal (look (f).vain, 0);
  assert_int_equal (look (f).runs, 5);
  assert_int_equal (tally_watch_stop (watcher, &err), TALLY_OK);
  kit_put (a, "notes", "{\"_id\":\"late\"}");
  kit_expect (b, "notes", "late", NULL);
  tally_replica_close (b);
  tally_replica_close (a);
}

/* It stays where it is, is told of, and the others go on. */
static void
test_a_bad_document_stops_nothing (void **state)
{
  struct fixture *f = *state;
  struct tally_replica *a = kit_store (f->tally, "held:a");
  struct tally_replica *b = kit_store (f->tally, "held:b");
  struct tally_watcher *watcher;
  struct tally_error err;

  kit_put (a, "notes", "{\"_id\":\"first\"}");
  kit_put (b, "notes", "{\"_id\":\"bad\"}");
  shim_spoil ("b", "bad");
  watcher = watch_pair (f);
  await_moved (f, 1);
  await_runs (f, 1);
  assert_int_equal (look (f).status, TALLY_INVALID);
  kit_put (a, "notes", "{\"_id\":\"second\"}");
  await_moved (f, 2);
  kit_put (b, "notes", "{\"_id\":\"third\"}");
  await_moved (f, 3);
  assert_int_equal (look (f).ended, TALLY_OK);
  /* What was set aside brings no run on again and again. */
  assert_in_range (look (f).runs, 3, 8);
  shim_spoil ("", NULL);
  kit_put (b, "notes", "{\"_id\":\"fourth\"}");
  await_moved (f, 5);
  kit_same (a, b);
  assert_int_equal (tally_watch_stop (watcher, &err), TALLY_OK);
  tally_replica_close (b);
  tally_replica_close (a);
}

/* Served in this context: nobody can be waited for over a handle of one's
 * own, so the interval has to do. */
static void
test_links_by_on_write (void **state)
{
  struct tally_watch_options options = { .size = sizeof options };
  struct fixture *f = *state;
  struct tally_replica *a = kit_store (f->tally, "a");
  struct tally_replica *hub = kit_store (f->tally, "hub");
  struct tally_watcher *watcher;
  struct kit_server server;
  struct tally_error err;

  kit_serve (&server, f->tally, "it");
  options.flags = TALLY_WATCH_ON_WRITE;
  options.run = on_run;
  options.ctx = &f->told;
  assert_int_equal (
      tally_watch_start (&watcher, f->tally, NULL, 0, &options, &err),
      TALLY_OK);
  kit_put (a, "notes", "{\"_id\":\"x\"}");
  await_moved (f, 1);
  kit_expect (hub, "notes", "x", "x");
  kit_put (hub, "notes", "{\"_id\":\"y\"}");
  await_moved (f, 2);
  kit_expect (a, "notes", "y", "y");
  assert_int_equal (tally_watch_stop (watcher, &err), TALLY_OK);
  /* And only by that. */
  options.run = NULL;
  assert_int_equal (
      tally_watch (f->tally, (const char *[]){ "slow" }, 1, &options, &err),
      TALLY_OK);
  tally_replica_close (hub);
  tally_replica_close (a);
  kit_serve_end (&server);
}

static void
test_given_up (void **state)
{
  struct tally_watch_options options = { .size = sizeof options };
  struct fixture *f = *state;
  struct tally_error err;

  options.a = "held:none";
  options.b = "held:neither";
  options.run = on_run;
  options.ctx = &f->told;
  assert_int_equal (tally_watch (f->tally, NULL, 0, &options, &err),
                    TALLY_NOTFOUND);
  assert_int_equal (look (f).ended, TALLY_NOTFOUND);
  assert_int_equal (look (f).runs, 1);
  assert_true (err.text[0] != '\0');
  options.a = options.b = NULL;
  assert_int_equal (
      tally_watch (f->tally, (const char *[]){ "slwo" }, 1, &options, &err),
      TALLY_CONFIG);
  assert_non_null (strstr (err.text, "did you mean \"slow\""));
}

static void
test_a_callback_says_stop (void **state)
{
  struct tally_watch_options options = { .size = sizeof options };
  struct fixture *f = *state;
  struct tally_replica *a = kit_store (f->tally, "held:a");
  struct tally_error err;

  kit_put (a, "notes", "{\"_id\":\"x\"}");
  options.a = "held:a";
  options.b = "held:b";
  options.run = on_run;
  options.ctx = &f->told;
  f->told.enough = true;
  assert_int_equal (tally_watch (f->tally, NULL, 0, &options, &err), TALLY_OK);
  assert_int_equal (look (f).runs, 1);
  tally_replica_close (a);
}

static void *
cancel_later (void *ctx)
{
  struct fixture *f = ctx;

  for (unsigned i = 0; i < LONG_MS / 5 && look (f).runs == 0; i++)
    nap ();
  tally_cancel (f->tally);
  return NULL;
}

static void
test_cancel (void **state)
{
  struct tally_watch_options options = { .size = sizeof options };
  struct fixture *f = *state;
  struct tally_replica *a = kit_store (f->tally, "held:a");
  struct tally_error err;
  pthread_t thread;

  kit_put (a, "notes", "{\"_id\":\"x\"}");
  options.a = "held:a";
  options.b = "held:b";
  options.run = on_run;
  options.ctx = &f->told;
  assert_int_equal (pthread_create (&thread, NULL, cancel_later, f), 0);
  assert_int_equal (tally_watch (f->tally, NULL, 0, &options, &err), TALLY_OK);
  pthread_join (thread, NULL);
  tally_replica_close (a);
}

/* The context ends those that nobody did: with the fixture. */
static void
test_free_stops_it (void **state)
{
  struct fixture *f = *state;
  struct tally_replica *a = kit_store (f->tally, "held:a");

  kit_put (a, "notes", "{\"_id\":\"x\"}");
  watch_pair (f);
  await_moved (f, 1);
  tally_replica_close (a);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_both_ways),
    TEST (test_a_bad_document_stops_nothing),
    TEST (test_links_by_on_write),
    TEST (test_given_up),
    TEST (test_a_callback_says_stop),
    TEST (test_cancel),
    TEST (test_free_stops_it),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
