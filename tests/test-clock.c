/* SPDX-License-Identifier: MIT */
/* The clock of a replica: stamps rise, none is given twice, and it is not
 * driven ahead of the wall. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/replica.h"
#include "one-store.h"
#include "rng.h"

static struct stamp
next (struct replica *replica, const struct stamp *newest)
{
  struct tally_error err = { 0, "" };
  struct stamp stamp;

  if (replica_stamp (replica, newest, &stamp, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return stamp;
}

static struct stamp
at (uint64_t ms, uint32_t counter, uint32_t client)
{
  struct stamp stamp;

  assert_true (stamp_make (&stamp, ms, counter, client));
  return stamp;
}

static void
test_stamps_rise (void **state)
{
  struct rng rng = rng_start ("stamps");
  struct replica *replica = shared_replica (&shared);
  struct stamp last = next (replica, NULL);

  (void) state;
  for (unsigned i = 0; i < 20000; i++) {
    struct stamp stamp;

    if (rng_one_in (&rng, 3))
      shared.wall_ms += rng_below (&rng, 40);
    if (rng_one_in (&rng, 50))
      shared.wall_ms -= rng_below (&rng, 5000);
    stamp = next (replica, NULL);
    assert_true (stamp_cmp (&stamp, &last) > 0);
    assert_true (stamp_ms (&stamp) >= shared.wall_ms);
    last = stamp;
  }
  replica_close (replica);
}

static int
by_stamp (const void *a, const void *b)
{
  return stamp_cmp (a, b);
}

/* Two processes that share a file reserve spans of time. */
static void
test_two_replicas_never_give_one_twice (void **state)
{
  struct rng rng = rng_start ("two replicas");
  struct replica *replicas[2] = { shared_replica (&shared),
                                  shared_replica (&shared) };
  struct stamp last[2] = { next (replicas[0], NULL),
                           next (replicas[1], NULL) };
  enum { N = 6000 };
  struct stamp *given = calloc (N, sizeof *given);

  (void) state;
  assert_non_null (given);
  for (size_t i = 0; i < N; i++) {
    uint32_t who = rng_below (&rng, 2);

    if (rng_one_in (&rng, 4))
      shared.wall_ms += rng_below (&rng, 60);
    if (rng_one_in (&rng, 10))
      replica_seen (replicas[who], &last[!who]);
    given[i] = next (replicas[who], NULL);
    assert_true (stamp_cmp (&given[i], &last[who]) > 0);
    last[who] = given[i];
  }
  qsort (given, N, sizeof *given, by_stamp);
  for (size_t i = 1; i < N; i++)
    assert_int_not_equal (stamp_cmp (&given[i - 1], &given[i]), 0);
  free (given);
  replica_close (replicas[0]);
  replica_close (replicas[1]);
}

static void
test_the_clock_survives_reopening (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct stamp last = next (replica, NULL), stamp;

  (void) state;
  replica_close (replica);
  /* An hour back, as after a dead battery. */
  shared.wall_ms -= 3600000;
  for (unsigned i = 0; i < 5; i++) {
    replica = shared_replica (&shared);
    stamp = next (replica, NULL);
    assert_true (stamp_cmp (&stamp, &last) > 0);
    last = next (replica, NULL);
    replica_close (replica);
  }
}

/* A loop of commands, each a process of its own that writes once, must not
 * run ahead of the wall: peers would refuse what it writes. */
static void
test_short_runs_stay_near_the_wall (void **state)
{
  struct stamp stamp = at (0, 0, 0);

  (void) state;
  for (unsigned i = 0; i < 3000; i++) {
    struct replica *replica = shared_replica (&shared);

    stamp = next (replica, NULL);
    replica_close (replica);
    shared.wall_ms += 5;
  }
  assert_true (stamp_ms (&stamp) < shared.wall_ms + 1000);
}

/* Reserving is a durable write: a long run does it seldom. */
static void
test_long_runs_reserve_seldom (void **state)
{
  struct replica *replica = shared_replica (&shared);
  unsigned before;

  (void) state;
  next (replica, NULL);
  before = shared.note_puts + shared.puts;
  for (unsigned i = 0; i < 10000; i++) {
    next (replica, NULL);
    shared.wall_ms++;
  }
  assert_true (shared.note_puts + shared.puts - before <= 60);
  replica_close (replica);
}

static void
test_seen_moves_the_clock (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct stamp other = at (shared.wall_ms + SHARED_SKEW_MS, 5, 9), stamp;

  (void) state;
  replica_seen (replica, &other);
  stamp = next (replica, NULL);
  assert_true (stamp_cmp (&stamp, &other) > 0);
  /* Beyond max_skew it is somebody else's mistake. */
  other = at (shared.wall_ms + SHARED_SKEW_MS + 1000, 0, 9);
  replica_seen (replica, &other);
  stamp = next (replica, NULL);
  assert_true (stamp_cmp (&stamp, &other) < 0);
  replica_close (replica);
}

/* The wall beyond the end of time once must not be for ever. */
static void
test_end_of_time_passes (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct tally_error err = { 0, "" };
  struct stamp stamp;

  (void) state;
  shared.wall_ms = HLC_MS_MAX + 1;
  assert_int_equal (replica_stamp (replica, NULL, &stamp, &err), TALLY_FAILED);
  assert_int_equal (err.status, TALLY_FAILED);
  replica_close (replica);
  shared.wall_ms = SHARED_WALL_MS;
  replica = shared_replica (&shared);
  stamp = next (replica, NULL);
  assert_true (stamp_ms (&stamp) < SHARED_WALL_MS + 1000);
  replica_close (replica);
}

/* A repair in one process: the other goes on under the fresh client, and no
 * stamp of either is one that the former gave, or may have given. */
static void
test_a_restart_is_followed (void **state)
{
  struct replica *replicas[2] = { shared_replica (&shared),
                                  shared_replica (&shared) };
  uint64_t right = shared.wall_ms;
  struct stamp stamp;
  uint32_t before, after;
  struct tally_error err = { 0, "" };
  bool ahead;

  (void) state;
  next (replicas[0], NULL);
  shared.wall_ms = right + 1000 * SHARED_SKEW_MS;
  next (replicas[0], NULL);
  next (replicas[1], NULL);
  before = replica_client (replicas[1]);
  shared.wall_ms = right + 10;
  assert_int_equal (replica_is_ahead (replicas[0], &ahead, &err), TALLY_OK);
  assert_true (ahead);
  assert_int_equal (clock_restart (replicas[0], &err), TALLY_OK);
  after = replica_client (replicas[0]);
  assert_int_not_equal (before, after);
  for (int i = 0; i < 10; i++) {
    stamp = next (replicas[i % 2], NULL);
    assert_int_equal (stamp_client (&stamp), after);
    assert_true (stamp_ms (&stamp) < right + 1000);
  }
  /* Until all is put right. */
  assert_int_equal (replica_is_ahead (replicas[1], &ahead, &err), TALLY_OK);
  assert_true (ahead);
  replica_close (replicas[0]);
  replica_close (replicas[1]);
}

/* Something taken from elsewhere is as good a reason as something written. */
static void
test_a_mark_is_seldom_and_enough (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct tally_error err = { 0, "" };
  unsigned before = shared.note_puts + shared.puts;
  bool ahead;

  (void) state;
  for (unsigned i = 0; i < 1000; i++) {
    assert_int_equal (replica_mark (replica, shared.wall_ms, &err), TALLY_OK);
    shared.wall_ms += 100;
  }
  assert_true (shared.note_puts + shared.puts - before <= 3);
  assert_int_equal (replica_is_ahead (replica, &ahead, &err), TALLY_OK);
  assert_false (ahead);
  replica_close (replica);
  shared.wall_ms -= 20 * SHARED_SKEW_MS;
  replica = shared_replica (&shared);
  assert_int_equal (replica_is_ahead (replica, &ahead, &err), TALLY_OK);
  assert_true (ahead);
  replica_close (replica);
}

/* ---- bumps -------------------------------------------------------------- */

static void
test_a_stamp_is_past_the_newest (void **state)
{
  struct replica *replica = shared_replica (&shared);
  uint64_t ahead = shared.wall_ms + 5000;
  struct stamp newest = at (ahead, 77, 9), stamp;

  (void) state;
  stamp = next (replica, &newest);
  assert_int_equal (stamp_ms (&stamp), ahead + 1);
  assert_int_equal (stamp_counter (&stamp), 0);
  assert_int_equal (stamp_client (&stamp), replica->clock.client);
  /* That was the document's bump, not the clock's. */
  stamp = next (replica, NULL);
  assert_true (stamp_ms (&stamp) < ahead);
  newest = stamp;
  stamp = next (replica, &newest);
  assert_int_equal (stamp_ms (&stamp), stamp_ms (&newest) + 1);
  newest = at (shared.wall_ms - 5000, 0, 9);
  stamp = next (replica, &newest);
  assert_true (stamp_ms (&stamp) >= shared.wall_ms);
  assert_int_equal (shared.sleeps, 0);
  replica_close (replica);
}

static void
test_far_ahead_a_put_waits (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct stamp newest = at (shared.wall_ms + 59999, 0, 9);

  (void) state;
  next (replica, &newest);
  assert_int_equal (shared.sleeps, 0);
  newest = at (shared.wall_ms + 60000, 0, 9);
  next (replica, &newest);
  assert_int_equal (shared.sleeps, 1);
  newest = at (shared.wall_ms + SHARED_SKEW_MS + 5, 0, 9);
  next (replica, &newest);
  assert_int_equal (shared.sleeps, 1);
  replica_close (replica);
}

static void
test_beyond_max_skew_only_the_counter_rises (void **state)
{
  struct replica *replica = shared_replica (&shared);
  uint64_t far = shared.wall_ms + SHARED_SKEW_MS;
  struct stamp newest = at (far + 1, 7, 9), stamp;

  (void) state;
  stamp = next (replica, &newest);
  assert_int_equal (stamp_ms (&stamp), far + 1);
  assert_int_equal (stamp_counter (&stamp), 8);
  assert_int_equal (stamp_client (&stamp), replica->clock.client);
  newest = at (far + 1, HLC_COUNTER_MAX, 9);
  stamp = next (replica, &newest);
  assert_int_equal (stamp_ms (&stamp), far + 2);
  assert_int_equal (stamp_counter (&stamp), 0);
  newest = at (far, 7, 9);
  stamp = next (replica, &newest);
  assert_int_equal (stamp_ms (&stamp), far + 1);
  assert_int_equal (stamp_counter (&stamp), 0);
  replica_close (replica);
}

static void
test_a_document_at_the_end_of_time (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct stamp newest = at (HLC_MS_MAX, HLC_COUNTER_MAX, 9), stamp;
  struct tally_error err = { 0, "" };

  (void) state;
  assert_int_equal (replica_stamp (replica, &newest, &stamp, &err),
                    TALLY_FAILED);
  assert_int_equal (err.status, TALLY_FAILED);
  newest = at (HLC_MS_MAX, 5, 9);
  stamp = next (replica, &newest);
  assert_int_equal (stamp_counter (&stamp), 6);
  replica_close (replica);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    ON_BOTH (test_stamps_rise),
    ON_BOTH (test_two_replicas_never_give_one_twice),
    ON_BOTH (test_the_clock_survives_reopening),
    ON_BOTH (test_short_runs_stay_near_the_wall),
    ON_BOTH (test_long_runs_reserve_seldom),
    ON_BOTH (test_seen_moves_the_clock),
    ON_BOTH (test_end_of_time_passes),
    ON_BOTH (test_a_restart_is_followed),
    ON_BOTH (test_a_mark_is_seldom_and_enough),
    ON_BOTH (test_a_stamp_is_past_the_newest),
    ON_BOTH (test_far_ahead_a_put_waits),
    ON_BOTH (test_beyond_max_skew_only_the_counter_rises),
    ON_BOTH (test_a_document_at_the_end_of_time),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
