/* SPDX-License-Identifier: MIT */
/* A server's clients that wait: who is answered when, and that nobody is
 * forgotten. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../core/waiters.h"
#include "../core/wire.h"
#include "shared-store.h"

#define LONG_MS 20000

static struct shared_store shared;

struct fixture {
  struct answer answer;
  struct waiters *waiters;
};

/* A request, and the reply that it was given. */
struct ask {
  struct buf frame;
  struct tally_request request;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned replies;
  unsigned code;
  struct wire_waited waited;
  int failure;
};

static int
set_up (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);
  struct tally_error err;

  assert_non_null (f);
  shared_start (&shared);
  f->answer.replica = shared_replica (&shared);
  f->answer.device = "here";
  assert_int_equal (waiters_new (&f->waiters, &f->answer, &err), TALLY_OK);
  *state = f;
  return 0;
}

static int
tear_down (void **state)
{
  struct fixture *f = *state;

  waiters_free (f->waiters);
  replica_close (f->answer.replica);
  shared_free (&shared);
  free (f);
  return 0;
}

static void
put (struct fixture *f, const char *collection, const char *id)
{
  struct tally_entry entry = { .collection = collection };
  struct tally_outcome outcome = { 0 };
  struct tally_error err;

  entry.doc.id = slice_text (id);
  entry.doc.rev[0] = 1;
  assert_int_equal (
      replica_put (f->answer.replica, &entry, 1, 0, &outcome, &err), TALLY_OK);
}

static void
on_reply (void *call, const struct tally_response *response)
{
  struct ask *ask = call;
  unsigned char sender[REPLICA_ID_SIZE];
  struct wire_message message;
  struct tally_slice rest;
  struct tally_error err;

  pthread_mutex_lock (&ask->lock);
  ask->replies++;
  ask->code = response->code;
  if (response->code == 200
      && wire_open (&rest, sender, response->body, &err) == TALLY_OK
      && wire_unseal (&rest, response->body, &err) == TALLY_OK
      && wire_decode (&message, &rest, &err) == TALLY_OK) {
    if (message.type == WIRE_WAITED)
      ask->waited = message.as.waited;
    else
      ask->failure = message.as.failure.status;
    wire_message_free (&message);
  }
  pthread_cond_broadcast (&ask->changed);
  pthread_mutex_unlock (&ask->lock);
}

static void
ask_begin (struct ask *ask)
{
  static const unsigned char sender[REPLICA_ID_SIZE] = "client";

  memset (ask, 0, sizeof *ask);
  pthread_mutex_init (&ask->lock, NULL);
  pthread_cond_init (&ask->changed, NULL);
  wire_start (&ask->frame, sender);
}

static void
ask_add (struct ask *ask, const char *collection, uint64_t since,
         uint64_t floor, unsigned flags, uint64_t timeout_ms)
{
  struct wire_message message = { .type = WIRE_WAIT };
  struct tally_slice name = slice_text (collection ? collection : "");

  message.as.wait.flags = flags;
  message.as.wait.timeout_ms = timeout_ms;
  message.as.wait.floor = floor;
  message.as.wait.collections = &name;
  message.as.wait.since = &since;
  message.as.wait.n = collection ? 1 : 0;
  wire_encode (&ask->frame, &message);
}

static void
ask_send (struct fixture *f, struct ask *ask, const char *account)
{
  wire_seal (&ask->frame);
  ask->request.size = sizeof ask->request;
  ask->request.body = buf_slice (&ask->frame);
  waiters_answer (f->waiters, account, &ask->request, on_reply, ask);
}

static void
wait_for (struct fixture *f, struct ask *ask, const char *account,
          const char *collection, uint64_t since, uint64_t timeout_ms)
{
  ask_begin (ask);
  ask_add (ask, collection, since, 0, 0, timeout_ms);
  ask_send (f, ask, account);
}

static unsigned
replies (struct ask *ask)
{
  unsigned n;

  pthread_mutex_lock (&ask->lock);
  n = ask->replies;
  pthread_mutex_unlock (&ask->lock);
  return n;
}

/* The one reply, when it has come. */
static struct wire_waited
ask_end (struct ask *ask)
{
  struct timespec until;

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_sec += LONG_MS / 2000;
  pthread_mutex_lock (&ask->lock);
  while (ask->replies == 0)
    assert_int_equal (
        pthread_cond_timedwait (&ask->changed, &ask->lock, &until), 0);
  assert_int_equal (ask->replies, 1);
  assert_int_equal (ask->code, 200);
  pthread_mutex_unlock (&ask->lock);
  buf_free (&ask->frame);
  pthread_cond_destroy (&ask->changed);
  pthread_mutex_destroy (&ask->lock);
  return ask->waited;
}

static void
test_what_is_there_is_told_at_once (void **state)
{
  struct fixture *f = *state;
  struct ask ask;

  put (f, "c", "1");
  wait_for (f, &ask, "default", "c", 0, LONG_MS);
  assert_int_equal (replies (&ask), 1);
  assert_true (ask_end (&ask).changed);
  wait_for (f, &ask, "default", "c", 99, 0);
  assert_int_equal (replies (&ask), 1);
  assert_false (ask_end (&ask).changed);
}

static void
test_a_put_is_told (void **state)
{
  struct fixture *f = *state;
  struct ask first, second;
  struct wire_waited waited;

  put (f, "c", "1");
  wait_for (f, &first, "default", "c", 1, LONG_MS);
  wait_for (f, &second, "default", "c", 1, LONG_MS);
  assert_int_equal (replies (&first) + replies (&second), 0);
  put (f, "c", "2");
  waited = ask_end (&first);
  assert_true (waited.changed);
  assert_true (waited.head >= 2);
  assert_true (ask_end (&second).changed);
}

static void
test_time_runs_out (void **state)
{
  struct fixture *f = *state;
  struct wire_waited waited;
  struct ask ask;

  put (f, "c", "1");
  wait_for (f, &ask, "default", "c", 1, 30);
  assert_int_equal (replies (&ask), 0);
  waited = ask_end (&ask);
  assert_false (waited.changed);
  assert_true (waited.head >= 1);
}

/* Neither another collection's change nor another account's. */
static void
test_others_wake_nobody (void **state)
{
  struct fixture *f = *state;
  struct ask mine, other;

  wait_for (f, &mine, "default", "c", 0, LONG_MS);
  wait_for (f, &other, "anna", "c", 0, LONG_MS);
  put (f, "d", "1");
  put (f, "anna:c", "1");
  assert_true (ask_end (&other).changed);
  assert_int_equal (replies (&mine), 0);
  put (f, "c", "1");
  assert_true (ask_end (&mine).changed);
}

static void
test_a_collection_that_is_new (void **state)
{
  struct fixture *f = *state;
  struct ask ask;

  put (f, "c", "1");
  put (f, "_local", "1");
  put (f, "anna:x", "1");
  ask_begin (&ask);
  ask_add (&ask, "c", 1, 0, WIRE_WAIT_ALL, LONG_MS);
  ask_send (f, &ask, "default");
  assert_int_equal (replies (&ask), 0);
  put (f, "new", "1");
  assert_true (ask_end (&ask).changed);
}

static void
test_the_floor_counts (void **state)
{
  struct fixture *f = *state;
  struct ask ask;

  put (f, "c", "1");
  put (f, "c", "2");
  ask_begin (&ask);
  ask_add (&ask, "c", 0, 2, 0, LONG_MS);
  ask_send (f, &ask, "default");
  assert_int_equal (replies (&ask), 0);
  put (f, "c", "3");
  assert_true (ask_end (&ask).changed);
}

/* What comes with others is not kept: its answer would be made twice. */
static void
test_only_alone (void **state)
{
  struct fixture *f = *state;
  struct ask ask;

  ask_begin (&ask);
  ask_add (&ask, "c", 0, 0, 0, LONG_MS);
  ask_add (&ask, "c", 0, 0, 0, LONG_MS);
  ask_send (f, &ask, "default");
  assert_int_equal (replies (&ask), 1);
  assert_false (ask_end (&ask).changed);
}

static void
test_a_bad_name_is_refused (void **state)
{
  struct fixture *f = *state;
  struct ask ask;

  wait_for (f, &ask, "default", "_conflicts", 0, LONG_MS);
  ask_end (&ask);
  assert_int_equal (ask.failure, TALLY_DENIED);
  wait_for (f, &ask, "default", "anna:c", 0, LONG_MS);
  ask_end (&ask);
  assert_int_equal (ask.failure, TALLY_INVALID);
}

/* Beyond that each would hold a connection that others need. */
static void
test_not_too_many (void **state)
{
  enum { MOST = 128 };
  struct fixture *f = *state;
  struct ask *asks = calloc (MOST + 1, sizeof *asks);

  assert_non_null (asks);
  for (size_t i = 0; i < MOST; i++)
    wait_for (f, &asks[i], "default", "c", 0, LONG_MS);
  wait_for (f, &asks[MOST], "default", "c", 0, LONG_MS);
  assert_int_equal (replies (&asks[MOST]), 1);
  assert_false (ask_end (&asks[MOST]).changed);
  assert_int_equal (replies (&asks[0]), 0);
  put (f, "c", "1");
  for (size_t i = 0; i < MOST; i++)
    assert_true (ask_end (&asks[i]).changed);
  /* There is room again. */
  wait_for (f, &asks[0], "default", "c", 1, LONG_MS);
  assert_int_equal (replies (&asks[0]), 0);
  put (f, "c", "2");
  assert_true (ask_end (&asks[0]).changed);
  free (asks);
}

static void
test_a_stop_answers_all (void **state)
{
  struct fixture *f = *state;
  struct ask asks[3];

  for (size_t i = 0; i < 2; i++)
    wait_for (f, &asks[i], "default", "c", 0, LONG_MS);
  waiters_stop (f->waiters);
  for (size_t i = 0; i < 2; i++)
    assert_false (ask_end (&asks[i]).changed);
  wait_for (f, &asks[2], "default", "c", 0, LONG_MS);
  assert_int_equal (replies (&asks[2]), 1);
  ask_end (&asks[2]);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_what_is_there_is_told_at_once),
    TEST (test_a_put_is_told),
    TEST (test_time_runs_out),
    TEST (test_others_wake_nobody),
    TEST (test_a_collection_that_is_new),
    TEST (test_the_floor_counts),
    TEST (test_only_alone),
    TEST (test_a_bad_name_is_refused),
    TEST (test_not_too_many),
    TEST (test_a_stop_answers_all),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
