/* SPDX-License-Identifier: MIT */
/* Rows that are looked for by their places: all of them are found, in that
 * order, and few others are read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../core/rows.h"
#include "rng.h"
#include "twins.h"

#define DOCUMENTS 600

static struct twins twins;
static struct rows rows;

/* Some are alone in their millisecond, and some share one. */
static int
set_up (void **state)
{
  static const unsigned char nonce[SKETCH_NONCE_SIZE] = { 1 };

  (void) state;
  twins_start (&twins, 1);
  for (unsigned i = 0; i < DOCUMENTS; i += 1 + i % 3)
    twins_write (&twins, twins.near, i, 1 + i % 3, 0);
  rows_init (&rows, twins.near, TWINS_COLLECTION, nonce);
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  twins_free (&twins);
  return 0;
}

struct choice {
  struct rng *rng;
  uint32_t one_in;
  unsigned char places[(DOCUMENTS + 2) * ROWS_PLACE_SIZE];
  size_t n;
};

static int
choose (void *ctx, const struct tally_doc *row)
{
  struct choice *choice = ctx;
  unsigned char *place = choice->places + choice->n * ROWS_PLACE_SIZE;

  if (!rng_one_in (choice->rng, choice->one_in))
    return 0;
  sketch_when (place, row->rev);
  sketch_id (place + SKETCH_WHEN_SIZE, &rows.key, row->id);
  choice->n++;
  return 0;
}

static int
by_place (const void *a, const void *b)
{
  return memcmp (a, b, ROWS_PLACE_SIZE);
}

/* most: rows that are read for each that is asked for. */
static void
check (struct rng *rng, uint32_t one_in, size_t most)
{
  struct choice choice = { .rng = rng, .one_in = one_in };
  struct rows_range all = { { NULL, 0 }, { NULL, 0 } };
  struct doclist found = DOCLIST_INIT;
  struct tally_error err = { 0 };
  uint64_t seq;

  assert_int_equal (rows_walk (&rows, &all, choose, &choice, &seq, &err),
                    TALLY_OK);
  qsort (choice.places, choice.n, ROWS_PLACE_SIZE, by_place);
  twins_rows ();
  assert_int_equal (rows_find (&rows, choice.places, choice.n, &found, &err),
                    TALLY_OK);
  assert_true (twins_rows () <= most * choice.n);
  assert_int_equal (found.count, choice.n);
  for (size_t i = 0; i < found.count; i++)
    assert_int_equal (
        rows_place (&rows, choice.places, choice.n, &found.docs[i]), i);
  doclist_free (&found);
}

static void
test_rows_are_found_by_their_places (void **state)
{
  struct rng rng = rng_start ("rows");

  (void) state;
  for (unsigned i = 0; i < rng_tries (50); i++) {
    check (&rng, 1, 1);
    check (&rng, 2, 20);
    check (&rng, 100, 25);
  }
}

/* Where they were, there may be others now, or nothing. */
static void
test_places_without_a_row (void **state)
{
  unsigned char places[3 * ROWS_PLACE_SIZE];
  struct doclist found = DOCLIST_INIT;
  struct tally_error err = { 0 };

  (void) state;
  memset (places, 0, ROWS_PLACE_SIZE);
  memset (places + ROWS_PLACE_SIZE, 0x70, ROWS_PLACE_SIZE);
  memset (places + 2 * ROWS_PLACE_SIZE, 0xff, ROWS_PLACE_SIZE);
  assert_int_equal (rows_find (&rows, places, 3, &found, &err), TALLY_OK);
  assert_int_equal (found.count, 0);
  assert_int_equal (rows_find (&rows, places, 0, &found, &err), TALLY_OK);
  doclist_free (&found);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_rows_are_found_by_their_places),
    cmocka_unit_test (test_places_without_a_row),
  };

  return cmocka_run_group_tests (tests, set_up, tear_down);
}
