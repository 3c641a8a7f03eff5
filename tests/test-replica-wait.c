/* SPDX-License-Identifier: MIT */
/* Waiting for a store, with the driver's slot and without it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared-store.h"

#define LONG_MS 30000

static struct shared_store shared;

/* Two replicas have one handle of the store under them. */
static pthread_mutex_t one_call = PTHREAD_MUTEX_INITIALIZER;

static void
start (void)
{
  shared_start (&shared);
  shared.ops.threads = TALLY_THREADS_ONE;
  shared.driver.lock = &one_call;
}

static int
with_slot (void **state)
{
  (void) state;
  start ();
  assert_non_null (shared.ops.wait);
  return 0;
}

static int
without_slot (void **state)
{
  (void) state;
  start ();
  shared.ops.wait = NULL;
  return 0;
}

static int
with_required_slots (void **state)
{
  without_slot (state);
  shared_take_slots (&shared);
  return 0;
}

static int
end (void **state)
{
  (void) state;
  shared_free (&shared);
  return 0;
}

static void
put (struct replica *replica, const char *collection, const char *id)
{
  struct tally_entry entry = { .collection = collection };
  struct tally_outcome outcome = { 0 };
  struct tally_error err;

  entry.doc.id = slice_text (id);
  entry.doc.rev[0] = 1;
  assert_int_equal (replica_put (replica, &entry, 1, 0, &outcome, &err),
                    TALLY_OK);
  assert_int_equal (outcome.status, TALLY_OK);
}

static bool
moved (struct replica *replica, struct replica_watch *watch,
       unsigned timeout_ms)
{
  struct tally_error err;
  bool found;

  assert_int_equal (replica_wait (replica, watch, timeout_ms, &found, &err),
                    TALLY_OK);
  return found;
}

static void
test_looks (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct replica_watch watch = { 0 };

  (void) state;
  put (replica, "a", "1");
  assert_true (moved (replica, &watch, LONG_MS));
  assert_false (moved (replica, &watch, 0));
  assert_false (moved (replica, &watch, 20));
  put (replica, "b", "1");
  put (replica, "c", "1");
  assert_true (moved (replica, &watch, LONG_MS));
  assert_false (moved (replica, &watch, 0));
  put (replica, "a", "2");
  assert_true (moved (replica, &watch, 0));
  replica_close (replica);
}

static void *
put_later (void *replica)
{
  put (replica, "a", "later");
  return NULL;
}

static void
wait_beside (struct replica *waits, struct replica *writes)
{
  struct replica_watch watch = { 0 };
  double began = monotonic_seconds ();
  pthread_t thread;

  put (writes, "a", "first");
  assert_true (moved (waits, &watch, LONG_MS));
  assert_int_equal (pthread_create (&thread, NULL, put_later, writes), 0);
  assert_true (moved (waits, &watch, LONG_MS));
  pthread_join (thread, NULL);
  assert_true (monotonic_seconds () - began < LONG_MS / 2000);
}

static void
test_a_put_wakes (void **state)
{
  struct replica *replica = shared_replica (&shared);

  (void) state;
  wait_beside (replica, replica);
  replica_close (replica);
}

/* As another process would: only the store knows. */
static void
test_a_put_of_another_is_found (void **state)
{
  struct replica *a = shared_replica (&shared);
  struct replica *b = shared_replica (&shared);

  (void) state;
  wait_beside (a, b);
  replica_close (b);
  replica_close (a);
}

static int
cancelled (void *ctx)
{
  (void) ctx;
  return 1;
}

static void
test_cancel (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct replica_watch watch = { 0 };
  struct tally_error err;
  bool found;

  (void) state;
  put (replica, "a", "1");
  assert_true (moved (replica, &watch, LONG_MS));
  shared.host.cancelled = cancelled;
  assert_int_equal (replica_wait (replica, &watch, LONG_MS, &found, &err),
                    TALLY_CANCELLED);
  replica_close (replica);
}

#define TEST(name, set_up)                     \
  {                                            \
#name " " #set_up, name, set_up, end, NULL \
  }
#define TESTS(name)                                  \
  TEST (name, with_slot), TEST (name, without_slot), \
      TEST (name, with_required_slots)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TESTS (test_looks),
    TESTS (test_a_put_wakes),
    TESTS (test_a_put_of_another_is_found),
    TESTS (test_cancel),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
