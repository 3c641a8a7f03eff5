/* SPDX-License-Identifier: MIT */
/* The loopback driver through its table: what one thread asks, the same
 * handle serves.  Threads only note what they see; the checks are made in
 * the test's own thread. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tally/driver.h>

#include "kit/transport-kit.h"

#define THREADS 8

static void
setup (struct fixture *f, const char *name)
{
  kit_prepare (f);
  kit_set_text (f, "name", name);
  assert_int_equal (kit_open (f), TALLY_OK);
}

static void
ask (struct fixture *f, struct answer *a, const char *path, const char *text)
{
  kit_ask (f, a, path, text, strlen (text));
}

static void
serve_end (struct fixture *f)
{
  f->transport->stop (f->handle);
  pthread_join (f->thread, NULL);
  assert_int_equal (f->status, TALLY_OK);
}

static void
test_table (void **state)
{
  const struct tally_driver *driver = tally_driver_1 ();

  (void) state;
  assert_int_equal (driver->abi, TALLY_DRIVER_ABI);
  assert_int_equal (driver->size, sizeof *driver);
  assert_string_equal (driver->name, "loopback");
  assert_null (driver->store);
  assert_int_equal (driver->transport->threads, TALLY_THREADS_ANY);
  assert_null (driver->transport->list);
  assert_string_equal (driver->options[0].name, "name");
  assert_null (driver->options[1].name);
}

static void
test_nobody_serves (void **state)
{
  struct fixture f;
  struct answer a;

  (void) state;
  setup (&f, NULL);
  ask (&f, &a, "/echo", "x");
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_string_equal (a.err.text, "loopback: nobody serves here");
  kit_close (&f);

  setup (&f, "pair");
  ask (&f, &a, "/echo", "x");
  assert_string_equal (a.err.text, "loopback pair: nobody serves here");
  kit_close (&f);
}

static void
test_echo (void **state)
{
  struct fixture f;
  struct answer a;

  (void) state;
  setup (&f, NULL);
  kit_serve (&f);
  assert_string_equal (f.url, "loopback:");
  ask (&f, &a, "/echo", "hello");
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 200);
  assert_string_equal (a.type, "text/x");
  assert_int_equal (a.size, 5);
  assert_memory_equal (a.body, "hello", 5);
  assert_int_equal (a.traffic.sent, 5);
  assert_int_equal (a.traffic.received, 5);
  free (a.body);

  ask (&f, &a, "/echo", "");
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.size, 0);
  free (a.body);
  serve_end (&f);

  ask (&f, &a, "/echo", "x");
  assert_int_equal (a.status, TALLY_AGAIN);
  kit_close (&f);
}

static void
test_late_reply (void **state)
{
  struct fixture f;
  struct answer a;
  int i;

  (void) state;
  setup (&f, NULL);
  kit_serve (&f);
  for (i = 0; i < 100; i++) {
    ask (&f, &a, "/late", "hello");
    assert_int_equal (a.status, TALLY_OK);
    assert_int_equal (a.code, 202);
    assert_int_equal (a.size, 5);
    assert_string_equal (a.type, "-");
    free (a.body);
  }
  serve_end (&f);
  kit_close (&f);
}

static void
test_many_threads (void **state)
{
  static const char *const texts[THREADS] = { "aaaaa", "bbbbb", "ccccc",
                                              "ddddd", "eeeee", "fffff",
                                              "ggggg", "hhhhh" };
  struct answer answers[THREADS];
  pthread_t threads[THREADS];
  struct fixture f;
  int i;

  (void) state;
  setup (&f, NULL);
  kit_serve (&f);
  for (i = 0; i < THREADS; i++) {
    memset (&answers[i], 0, sizeof answers[i]);
    answers[i].client = &f;
    answers[i].data = texts[i];
    answers[i].n = 5;
    pthread_create (&threads[i], NULL, kit_ask_many, &answers[i]);
  }
  for (i = 0; i < THREADS; i++)
    pthread_join (threads[i], NULL);
  for (i = 0; i < THREADS; i++) {
    assert_int_equal (answers[i].status, KIT_EACH);
    assert_int_equal (answers[i].traffic.sent, 5 * KIT_EACH);
    assert_int_equal (answers[i].traffic.received, 5 * KIT_EACH);
  }
  serve_end (&f);
  kit_close (&f);
}

static void
test_stop_waits_for_requests (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 }, b;
  struct fixture f;
  pthread_t thread;

  (void) state;
  setup (&f, NULL);
  kit_serve (&f);
  a.client = &f;
  pthread_create (&thread, NULL, kit_ask_main, &a);
  kit_hold_wait (&f);
  f.transport->stop (f.handle);

  ask (&f, &b, "/echo", "x");
  assert_int_equal (b.status, TALLY_AGAIN);
  assert_false (kit_serve_returns (&f));

  kit_hold_release (&f);
  pthread_join (thread, NULL);
  pthread_join (f.thread, NULL);
  assert_int_equal (f.status, TALLY_OK);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 207);
  assert_memory_equal (a.body, "held", 4);
  free (a.body);
  kit_close (&f);
}

static void
test_stop_before_serve (void **state)
{
  struct fixture f;
  struct answer a;

  (void) state;
  setup (&f, NULL);
  f.transport->stop (f.handle);
  kit_serve (&f);
  pthread_join (f.thread, NULL);
  assert_int_equal (f.status, TALLY_OK);
  assert_false (f.ready);

  kit_serve (&f);
  ask (&f, &a, "/echo", "again");
  assert_int_equal (a.status, TALLY_OK);
  free (a.body);
  serve_end (&f);
  kit_close (&f);
}

static void
test_second_serve (void **state)
{
  struct tally_error err;
  struct fixture f;

  (void) state;
  setup (&f, NULL);
  kit_serve (&f);
  assert_int_equal (f.transport->serve (f.handle, &f.service, &err),
                    TALLY_INVALID);
  serve_end (&f);
  kit_close (&f);
}

/* The exchange leaves; its request, body and all, is still there for the
 * reply that comes afterwards. */
static void
test_cancelled_exchange (void **state)
{
  char text[] = "gone";
  struct answer a = { .path = "/hold", .data = text, .n = 4 };
  struct fixture f;
  pthread_t thread;

  (void) state;
  setup (&f, NULL);
  kit_serve (&f);
  a.client = &f;
  pthread_create (&thread, NULL, kit_ask_main, &a);
  kit_hold_wait (&f);
  atomic_store (&f.cancel, 1);
  pthread_join (thread, NULL);
  assert_int_equal (a.status, TALLY_CANCELLED);
  assert_null (a.body);

  memset (text, 'x', 4);
  assert_memory_equal (f.request->body.data, "gone", 4);
  kit_hold_release (&f);
  pthread_join (f.thread, NULL);
  assert_int_equal (f.status, TALLY_CANCELLED);
  kit_close (&f);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_table),
    cmocka_unit_test (test_nobody_serves),
    cmocka_unit_test (test_echo),
    cmocka_unit_test (test_late_reply),
    cmocka_unit_test (test_many_threads),
    cmocka_unit_test (test_stop_waits_for_requests),
    cmocka_unit_test (test_stop_before_serve),
    cmocka_unit_test (test_second_serve),
    cmocka_unit_test (test_cancelled_exchange),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
