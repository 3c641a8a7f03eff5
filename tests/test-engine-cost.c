/* SPDX-License-Identifier: MIT */
/* Bytes and round trips of each kind of run, as the engine counts them, which
 * is what `sync --json` shows.  Time, ids and nonces are drawn from a seed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../core/sketch.h"
#include "rng.h"
#include "twins.h"

/* What HTTP adds to an exchange, at most: both heads. */
#define HEADS 190
#define CHANGED 50

static struct twins twins;
static struct rng nonces;

static int
set_up (void **state)
{
  (void) state;
  nonces = (struct rng){ 11 };
  twins_start (&twins, 7);
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  twins_free (&twins);
  return 0;
}

static uint64_t
bytes_over_http (const struct twins_run *run)
{
  return run->bytes + HEADS * run->round_trips;
}

/* n documents here, and what a first sync of them comes to. */
static void
begin (unsigned n, struct twins_run *run)
{
  twins_write (&twins, twins.near, 0, n, 0);
  twins_sync (&twins, NULL, run);
  twins_same (&twins);
}

/* Both wrote to some, each to others. */
static void
change (unsigned near, unsigned far, unsigned first, unsigned version)
{
  twins_write (&twins, twins.near, first, near, version);
  twins_write (&twins, twins.far, first + near, far, version);
}

/* A run between the two as if they had never met. */
static void
lose_and_sync (struct twins_run *run)
{
  unsigned char nonce[SKETCH_NONCE_SIZE];

  twins_part (&twins);
  for (size_t i = 0; i < sizeof nonce; i++)
    nonce[i] = (unsigned char) rng_next (&nonces);
  twins_sync (&twins, nonce, run);
  assert_string_equal (run->strategy, "compare");
  twins_same (&twins);
}

/* Where a document costs a lot, as under valgrind, there are not so many. */
static void
need_effort (void)
{
  if (rng_tries (100) < 100)
    skip ();
}

static void
say (const char *what, const struct twins_run *run, uint64_t documents)
{
  print_message ("%s: %llu bytes besides %llu of documents, %llu round "
                 "trips\n",
                 what, (unsigned long long) (run->bytes - documents),
                 (unsigned long long) documents,
                 (unsigned long long) run->round_trips);
}

/* ---- with a checkpoint -------------------------------------------------- */

static void
test_a_first_sync_is_the_documents_and_little_else (void **state)
{
  enum { N = 5000 };
  uint64_t documents = twins_bytes (N);
  struct twins_run run;

  (void) state;
  begin (N, &run);
  say ("first push", &run, documents);
  assert_int_equal (run.pushed, N);
  assert_true (bytes_over_http (&run) * 10 <= documents * 11);
}

static void
test_a_first_pull_is_the_documents_and_little_else (void **state)
{
  enum { N = 5000 };
  uint64_t documents = twins_bytes (N);
  struct twins_run run;

  (void) state;
  twins_write (&twins, twins.far, 0, N, 0);
  twins_sync (&twins, NULL, &run);
  say ("first pull", &run, documents);
  assert_int_equal (run.pulled, N);
  assert_true (bytes_over_http (&run) * 10 <= documents * 11);
}

/* Numbers in it grow by some digits with the documents, and nothing else. */
static void
test_nothing_to_do_is_one_small_exchange (void **state)
{
  struct twins_run few, many;

  (void) state;
  begin (100, &few);
  twins_sync (&twins, NULL, &few);
  begin (20000, &many);
  twins_sync (&twins, NULL, &many);
  twins_rows ();
  twins_sync (&twins, NULL, &many);
  say ("nothing", &many, 0);
  assert_int_equal (few.round_trips, 1);
  assert_int_equal (many.round_trips, 1);
  assert_true (bytes_over_http (&many) <= 600);
  assert_true (many.bytes <= few.bytes + 16);
}

static void
test_what_changed_is_the_documents_and_little_else (void **state)
{
  uint64_t documents = twins_bytes (2 * CHANGED);
  struct twins_run run;

  (void) state;
  begin (3000, &run);
  change (CHANGED, CHANGED, 0, 1);
  twins_sync (&twins, NULL, &run);
  say ("changed", &run, documents);
  assert_int_equal (run.pulled, CHANGED);
  assert_int_equal (run.pushed, CHANGED);
  assert_true (run.round_trips <= 4);
  assert_true (bytes_over_http (&run) * 10 <= documents * 12);
}

/* ---- without one -------------------------------------------------------- */

/* The sums are kept with the documents.  One row is looked at for whether it
 * is a tombstone that has become too old. */
static void
test_without_a_difference_no_rows_are_read (void **state)
{
  struct twins_run run;

  (void) state;
  begin (3000, &run);
  twins_part (&twins);
  twins_rows ();
  twins_sync (&twins, NULL, &run);
  assert_true (twins_rows () <= 1);
  say ("lost, the same", &run, 0);
  assert_string_equal (run.strategy, "compare");
  assert_int_equal (run.round_trips, 1);
  assert_true (run.bytes < 450);
}

static int
by_number (const void *a, const void *b)
{
  const uint64_t *left = a, *right = b;

  return (*left > *right) - (*left < *right);
}

static void
test_a_hundred_differences_take_two_round_trips (void **state)
{
  enum { N = 2000, NONCES = 300 };
  uint64_t besides[NONCES], documents = twins_bytes (2 * CHANGED), sum = 0;
  struct twins_run run;
  unsigned thirds = 0;

  (void) state;
  need_effort ();
  begin (N, &run);
  for (unsigned i = 0; i < NONCES; i++) {
    change (CHANGED, CHANGED, i * 2 * CHANGED % N, i + 1);
    lose_and_sync (&run);
    assert_int_equal (run.pulled, CHANGED);
    assert_int_equal (run.pushed, CHANGED);
    assert_in_range (run.round_trips, 2, 3);
    thirds += run.round_trips == 3;
    besides[i] = bytes_over_http (&run) - documents;
    sum += besides[i];
  }
  qsort (besides, NONCES, sizeof *besides, by_number);
  print_message ("lost, 100 differ: %llu bytes besides on average, %llu in "
                 "99 of 100, %llu at most; %u of %d take a third round trip\n",
                 (unsigned long long) (sum / NONCES),
                 (unsigned long long) besides[NONCES * 99 / 100],
                 (unsigned long long) besides[NONCES - 1], thirds,
                 (int) NONCES);
  assert_true (sum / NONCES <= 12000);
  assert_true (besides[NONCES * 99 / 100] <= 16000);
  assert_true (thirds * 100 <= NONCES * 4);
}

/* What ten thousand documents cost that differ, written on either side. */
static uint64_t
ten_thousand (unsigned near, unsigned far, unsigned version, const char *what)
{
  uint64_t documents = twins_bytes (near + far);
  struct twins_run run;

  change (near, far, version * 997, version);
  lose_and_sync (&run);
  say (what, &run, documents);
  assert_int_equal (run.pulled, far);
  assert_int_equal (run.pushed, near);
  assert_true (run.round_trips <= 16);
  return bytes_over_http (&run) - documents;
}

static void
test_ten_thousand_differences_take_half_a_megabyte (void **state)
{
  struct twins_run run;

  (void) state;
  need_effort ();
  begin (45000, &run);
  assert_true (ten_thousand (5000, 5000, 1, "5,000 and 5,000") < 500000);
  assert_true (ten_thousand (2500, 7500, 2, "2,500 and 7,500") < 500000);
  assert_true (ten_thousand (10000, 0, 3, "10,000 here") < 500000);
  assert_true (ten_thousand (0, 10000, 4, "10,000 there") < 500000);
}

/* Whatever the nonce makes of the estimates. */
static void
test_what_was_replaced_here_is_not_fetched (void **state)
{
  enum { N = 6000, MANY = 2500, NONCES = 20 };
  uint64_t documents = twins_bytes (MANY), most = 0;
  struct twins_run run;

  (void) state;
  need_effort ();
  begin (N, &run);
  for (unsigned i = 1; i <= NONCES; i++) {
    change (MANY, 0, i * 250, i);
    lose_and_sync (&run);
    assert_int_equal (run.pushed, MANY);
    if (run.bytes - documents > most)
      most = run.bytes - documents;
  }
  print_message ("%d here, %d times: %llu bytes besides at most\n", (int) MANY,
                 (int) NONCES, (unsigned long long) most);
  assert_true (most < documents / 4);
}

static void
test_half_of_all_takes_few_bytes (void **state)
{
  enum { N = 40000 };
  uint64_t documents = twins_bytes (N / 2);
  struct twins_run run;

  (void) state;
  need_effort ();
  begin (N, &run);
  change (N / 4, N / 4, 0, 1);
  lose_and_sync (&run);
  say ("half of all", &run, documents);
  assert_true (bytes_over_http (&run) - documents < 16000000 / (500000 / N));
}

int
main (void)
{
#define TEST(f) cmocka_unit_test_setup_teardown (f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
    TEST (test_a_first_sync_is_the_documents_and_little_else),
    TEST (test_a_first_pull_is_the_documents_and_little_else),
    TEST (test_nothing_to_do_is_one_small_exchange),
    TEST (test_what_changed_is_the_documents_and_little_else),
    TEST (test_without_a_difference_no_rows_are_read),
    TEST (test_a_hundred_differences_take_two_round_trips),
    TEST (test_ten_thousand_differences_take_half_a_megabyte),
    TEST (test_what_was_replaced_here_is_not_fetched),
    TEST (test_half_of_all_takes_few_bytes),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
