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

#define THREADS 8
#define EACH 8

struct fixture {
  struct tally_host host;
  const struct tally_transport *transport;
  void *handle;
  struct tally_service service;
  pthread_t thread;
  atomic_int cancel;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool ready;
  bool done;
  int status;
  char url[32];
  struct tally_error err;
  /* The call that /hold keeps. */
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
  const struct tally_request *request;
};

struct answer {
  struct fixture *fixture;
  const char *path;
  const char *text;
  int status;
  unsigned code;
  char type[32];
  char *body;
  size_t size;
  struct tally_traffic traffic;
  struct tally_error err;
};

static int
host_cancelled (void *ctx)
{
  struct fixture *f = ctx;

  return atomic_load (&f->cancel);
}

static void
host_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  (void) text;
}

static void
service_ready (void *ctx, const char *url)
{
  struct fixture *f = ctx;

  pthread_mutex_lock (&f->lock);
  f->ready = true;
  strncpy (f->url, url, sizeof f->url - 1);
  pthread_cond_broadcast (&f->changed);
  pthread_mutex_unlock (&f->lock);
}

struct late {
  const struct tally_request *request;
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
};

static void *
late_main (void *ctx)
{
  struct late late = *(struct late *) ctx;
  struct tally_response response = { .size = sizeof response, .code = 202 };

  free (ctx);
  response.body = late.request->body;
  late.reply (late.call, &response);
  return NULL;
}

static void
service_request (void *ctx, const struct tally_request *request,
                 void (*reply) (void *call,
                                const struct tally_response *response),
                 void *call)
{
  struct fixture *f = ctx;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  struct late *late;
  pthread_t thread;

  if (strcmp (request->path, "/late") == 0) {
    late = malloc (sizeof *late);
    late->request = request;
    late->reply = reply;
    late->call = call;
    pthread_create (&thread, NULL, late_main, late);
    pthread_detach (thread);
    return;
  }
  if (strcmp (request->path, "/hold") == 0) {
    pthread_mutex_lock (&f->lock);
    f->request = request;
    f->reply = reply;
    f->call = call;
    pthread_cond_broadcast (&f->changed);
    pthread_mutex_unlock (&f->lock);
    return;
  }
  response.content_type = request->content_type;
  response.body = request->body;
  reply (call, &response);
}

static void *
serve_main (void *ctx)
{
  struct fixture *f = ctx;
  int status = f->transport->serve (f->handle, &f->service, &f->err);

  pthread_mutex_lock (&f->lock);
  f->status = status;
  f->done = true;
  pthread_cond_broadcast (&f->changed);
  pthread_mutex_unlock (&f->lock);
  return NULL;
}

static void
serve_start (struct fixture *f)
{
  f->ready = false;
  f->done = false;
  assert_int_equal (pthread_create (&f->thread, NULL, serve_main, f), 0);
  pthread_mutex_lock (&f->lock);
  while (!f->ready && !f->done)
    pthread_cond_wait (&f->changed, &f->lock);
  pthread_mutex_unlock (&f->lock);
}

/* Whether serve has returned, or does so in half a second: time enough for
 * one that wrongly does not wait. */
static bool
serve_returns (struct fixture *f)
{
  struct timespec until;
  bool done;

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_nsec += 500000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_mutex_lock (&f->lock);
  while (!f->done
         && pthread_cond_timedwait (&f->changed, &f->lock, &until) == 0)
    continue;
  done = f->done;
  pthread_mutex_unlock (&f->lock);
  return done;
}

static void
serve_end (struct fixture *f)
{
  f->transport->stop (f->handle);
  pthread_join (f->thread, NULL);
  assert_int_equal (f->status, TALLY_OK);
}

static void
hold_wait (struct fixture *f)
{
  pthread_mutex_lock (&f->lock);
  while (!f->call)
    pthread_cond_wait (&f->changed, &f->lock);
  pthread_mutex_unlock (&f->lock);
}

static void
hold_release (struct fixture *f)
{
  struct tally_response response = { .size = sizeof response, .code = 207 };

  response.body = f->request->body;
  f->reply (f->call, &response);
  f->call = NULL;
}

static void
setup (struct fixture *f, const char *name)
{
  struct tally_value values[1] = { { name, 0 } };

  memset (f, 0, sizeof *f);
  f->host.size = sizeof f->host;
  f->host.ctx = f;
  f->host.log = host_log;
  f->host.cancelled = host_cancelled;
  f->service.size = sizeof f->service;
  f->service.ctx = f;
  f->service.ready = service_ready;
  f->service.request = service_request;
  pthread_mutex_init (&f->lock, NULL);
  pthread_cond_init (&f->changed, NULL);
  f->transport = tally_driver_1 ()->transport;
  assert_int_equal (
      f->transport->open (&f->handle, &f->host, values, 0, &f->err), TALLY_OK);
}

static void
teardown (struct fixture *f)
{
  f->transport->close (f->handle);
  pthread_cond_destroy (&f->changed);
  pthread_mutex_destroy (&f->lock);
}

static int
answer_emit (void *ctx, const struct tally_response *response)
{
  struct answer *a = ctx;

  a->code = response->code;
  if (response->content_type)
    strncpy (a->type, response->content_type, sizeof a->type - 1);
  a->size = response->body.size;
  a->body = malloc (a->size + 1);
  if (a->size > 0)
    memcpy (a->body, response->body.data, a->size);
  return 0;
}

static void *
ask_main (void *ctx)
{
  struct answer *a = ctx;
  struct tally_request request = { .size = sizeof request,
                                   .verb = "POST",
                                   .path = a->path,
                                   .content_type = "text/x" };

  request.body.data = a->text;
  request.body.size = strlen (a->text);
  a->status = a->fixture->transport->exchange (
      a->fixture->handle, &request, answer_emit, a, &a->traffic, &a->err);
  return NULL;
}

static void
ask (struct fixture *f, struct answer *a, const char *path, const char *text)
{
  memset (a, 0, sizeof *a);
  a->fixture = f;
  a->path = path;
  a->text = text;
  ask_main (a);
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
  teardown (&f);

  setup (&f, "pair");
  ask (&f, &a, "/echo", "x");
  assert_string_equal (a.err.text, "loopback pair: nobody serves here");
  teardown (&f);
}

static void
test_echo (void **state)
{
  struct fixture f;
  struct answer a;

  (void) state;
  setup (&f, NULL);
  serve_start (&f);
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
  teardown (&f);
}

static void
test_late_reply (void **state)
{
  struct fixture f;
  struct answer a;
  int i;

  (void) state;
  setup (&f, NULL);
  serve_start (&f);
  for (i = 0; i < 100; i++) {
    ask (&f, &a, "/late", "hello");
    assert_int_equal (a.status, TALLY_OK);
    assert_int_equal (a.code, 202);
    assert_int_equal (a.size, 5);
    assert_string_equal (a.type, "");
    free (a.body);
  }
  serve_end (&f);
  teardown (&f);
}

static void *
many_main (void *ctx)
{
  struct answer *a = ctx;
  int i, good = 0;

  for (i = 0; i < EACH; i++) {
    a->path = i % 2 ? "/late" : "/echo";
    ask_main (a);
    good += a->status == TALLY_OK && a->size == 5
            && memcmp (a->body, a->text, 5) == 0;
    free (a->body);
    a->body = NULL;
  }
  a->status = good;
  return NULL;
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
  serve_start (&f);
  for (i = 0; i < THREADS; i++) {
    memset (&answers[i], 0, sizeof answers[i]);
    answers[i].fixture = &f;
    answers[i].text = texts[i];
    pthread_create (&threads[i], NULL, many_main, &answers[i]);
  }
  for (i = 0; i < THREADS; i++)
    pthread_join (threads[i], NULL);
  for (i = 0; i < THREADS; i++) {
    assert_int_equal (answers[i].status, EACH);
    assert_int_equal (answers[i].traffic.sent, 5 * EACH);
    assert_int_equal (answers[i].traffic.received, 5 * EACH);
  }
  serve_end (&f);
  teardown (&f);
}

static void
test_stop_waits_for_requests (void **state)
{
  struct answer a = { .path = "/hold", .text = "held" }, b;
  struct fixture f;
  pthread_t thread;

  (void) state;
  setup (&f, NULL);
  serve_start (&f);
  a.fixture = &f;
  pthread_create (&thread, NULL, ask_main, &a);
  hold_wait (&f);
  f.transport->stop (f.handle);

  ask (&f, &b, "/echo", "x");
  assert_int_equal (b.status, TALLY_AGAIN);
  assert_false (serve_returns (&f));

  hold_release (&f);
  pthread_join (thread, NULL);
  pthread_join (f.thread, NULL);
  assert_int_equal (f.status, TALLY_OK);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 207);
  assert_memory_equal (a.body, "held", 4);
  free (a.body);
  teardown (&f);
}

static void
test_stop_before_serve (void **state)
{
  struct fixture f;
  struct answer a;

  (void) state;
  setup (&f, NULL);
  f.transport->stop (f.handle);
  serve_start (&f);
  pthread_join (f.thread, NULL);
  assert_int_equal (f.status, TALLY_OK);
  assert_false (f.ready);

  serve_start (&f);
  ask (&f, &a, "/echo", "again");
  assert_int_equal (a.status, TALLY_OK);
  free (a.body);
  serve_end (&f);
  teardown (&f);
}

static void
test_second_serve (void **state)
{
  struct tally_error err;
  struct fixture f;

  (void) state;
  setup (&f, NULL);
  serve_start (&f);
  assert_int_equal (f.transport->serve (f.handle, &f.service, &err),
                    TALLY_INVALID);
  serve_end (&f);
  teardown (&f);
}

/* The exchange leaves; its request, body and all, is still there for the
 * reply that comes afterwards. */
static void
test_cancelled_exchange (void **state)
{
  char text[] = "gone";
  struct answer a = { .path = "/hold", .text = text };
  struct fixture f;
  pthread_t thread;

  (void) state;
  setup (&f, NULL);
  serve_start (&f);
  a.fixture = &f;
  pthread_create (&thread, NULL, ask_main, &a);
  hold_wait (&f);
  atomic_store (&f.cancel, 1);
  pthread_join (thread, NULL);
  assert_int_equal (a.status, TALLY_CANCELLED);
  assert_null (a.body);

  memset (text, 'x', 4);
  assert_memory_equal (f.request->body.data, "gone", 4);
  hold_release (&f);
  pthread_join (f.thread, NULL);
  assert_int_equal (f.status, TALLY_CANCELLED);
  teardown (&f);
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
