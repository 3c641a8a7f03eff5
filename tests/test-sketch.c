/* SPDX-License-Identifier: MIT */
/* Sketches: what differs is found, at the cost that the method promises, and
 * whatever cells a stranger sends, peeling ends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "../core/hlc.h"
#include "../core/sketch.h"
#include "rng.h"

static void
draw_bytes (struct rng *rng, void *out, size_t size)
{
  unsigned char *bytes = out;

  for (size_t i = 0; i < size; i++)
    bytes[i] = (unsigned char) rng_next (rng);
}

static struct sketch_item *
draw_items (struct rng *rng, size_t n)
{
  struct sketch_item *items = calloc (n + 1, sizeof *items);

  assert_non_null (items);
  draw_bytes (rng, items, n * sizeof *items);
  return items;
}

/* ---- which cells -------------------------------------------------------- */

/* (j+1)(j+2) u >= (i+1)(i+2) 2^32, and not for the one before. */
static bool
reaches (size_t from, uint32_t draw, size_t to)
{
  return (uint64_t) (to + 1) * (to + 2) * draw
         >= (uint64_t) (from + 1) * (from + 2) << 32;
}

static void
test_the_next_cell_is_the_first_that_is_far_enough (void **state)
{
  struct rng rng = { 7 };

  (void) state;
  for (unsigned i = 0; i < rng_tries (300000); i++) {
    size_t end = 1 + rng_below (&rng, SKETCH_CELLS_MAX);
    size_t from = rng_below (&rng, (uint32_t) end);
    uint32_t draw = (uint32_t) rng_next (&rng) >> rng_below (&rng, 31);
    size_t next;

    draw |= draw == 0;
    next = sketch_next (from, draw, end);
    assert_true (next > from);
    if (next >= end)
      assert_false (reaches (from, draw, end - 1));
    else {
      assert_true (reaches (from, draw, next));
      assert_true (next == from + 1 || !reaches (from, draw, next - 1));
    }
  }
  assert_true (sketch_next (0, 0, SKETCH_CELLS_MAX) >= SKETCH_CELLS_MAX);
  assert_true (sketch_next (SKETCH_CELLS_MAX - 1, UINT32_MAX, SKETCH_CELLS_MAX)
               >= SKETCH_CELLS_MAX);
}

/* Cell i has 1 / (1 + i/2) of all items. */
static void
test_later_cells_have_fewer_items (void **state)
{
  enum { ITEMS = 200000, CELLS = 64 };
  unsigned count[CELLS] = { 0 };
  struct rng rng = { 11 };

  (void) state;
  for (unsigned i = 0; i < ITEMS; i++)
    for (struct sketch_walk walk = sketch_walk (rng_next (&rng), CELLS);
         walk.at < walk.end; sketch_walk_on (&walk))
      count[walk.at]++;
  for (unsigned i = 0; i < CELLS; i++) {
    double expected = ITEMS / (1 + i / 2.0);

    assert_true (count[i] > expected - 5 * 450);
    assert_true (count[i] < expected + 5 * 450);
  }
  assert_int_equal (count[0], ITEMS);
}

/* Another machine, another compiler: the same bytes. */
static void
test_cells_are_the_same_everywhere (void **state)
{
  static const unsigned char expected[16] = { 0xe1, 0x70, 0x48, 0x1b,
                                              0xd2, 0x8e, 0xfc, 0x45,
                                              0x16, 0x8d, 0x4d, 0x67,
                                              0x8b, 0xb1, 0x17, 0xfa };
  unsigned char bytes[200 * SKETCH_CELL_SIZE], hash[16],
      nonce[SKETCH_NONCE_SIZE] = "sixteen letters";
  struct rng rng = { 13 };
  struct sketch_item *items = draw_items (&rng, 1000);
  struct sketch sketch;

  (void) state;
  assert_true (sketch_init (&sketch, nonce, 0, 200));
  for (unsigned i = 0; i < 1000; i++)
    sketch_add (&sketch, &items[i]);
  sketch_write (&sketch, bytes);
  crypto_generichash (hash, sizeof hash, bytes, sizeof bytes, NULL, 0);
  assert_memory_equal (hash, expected, sizeof hash);
  sketch_free (&sketch);
  free (items);
}

/* They sort as stamps do, and lose nothing but the counter. */
static void
test_when_sorts_as_stamps (void **state)
{
  static const uint32_t clients[] = { 0, 1, 0x12345678, HLC_CLIENT_MAX };
  static const uint64_t times[] = { 0, 3, 4, 1700000000001, HLC_MS_MAX };
  unsigned char last[SKETCH_WHEN_SIZE], when[SKETCH_WHEN_SIZE];

  (void) state;
  for (size_t i = 0; i < 5; i++)
    for (size_t j = 0; j < 4; j++) {
      struct stamp stamp, again;

      assert_true (stamp_make (&stamp, times[i], 77, clients[j]));
      sketch_when (when, stamp.bytes);
      if (i + j > 0)
        assert_true (memcmp (last, when, sizeof when) < 0);
      memcpy (last, when, sizeof last);
      sketch_stamp (again.bytes, when);
      assert_true (stamp_make (&stamp, times[i], 0, clients[j]));
      assert_memory_equal (stamp.bytes, again.bytes, STAMP_SIZE);
    }
}

/* ---- what differs ------------------------------------------------------- */

struct sets {
  unsigned char nonce[SKETCH_NONCE_SIZE];
  struct sketch_item *common, *ours, *theirs;
  size_t n_common, n_ours, n_theirs;
};

static void
sets_make (struct sets *sets, struct rng *rng, size_t common, size_t ours,
           size_t theirs)
{
  draw_bytes (rng, sets->nonce, sizeof sets->nonce);
  sets->common = draw_items (rng, common);
  sets->ours = draw_items (rng, ours);
  sets->theirs = draw_items (rng, theirs);
  sets->n_common = common;
  sets->n_ours = ours;
  sets->n_theirs = theirs;
}

static void
sets_free (struct sets *sets)
{
  free (sets->common);
  free (sets->ours);
  free (sets->theirs);
}

/* Cells of theirs as they come over the wire, less ours. */
static void
sets_sketch (const struct sets *sets, struct sketch *out, size_t first,
             size_t n)
{
  unsigned char *bytes = calloc (n + 1, SKETCH_CELL_SIZE);
  struct sketch theirs;

  assert_non_null (bytes);
  assert_true (sketch_init (&theirs, sets->nonce, first, n));
  for (size_t i = 0; i < sets->n_common; i++)
    sketch_add (&theirs, &sets->common[i]);
  for (size_t i = 0; i < sets->n_theirs; i++)
    sketch_add (&theirs, &sets->theirs[i]);
  sketch_write (&theirs, bytes);
  sketch_free (&theirs);
  assert_true (sketch_init (out, sets->nonce, first, n));
  sketch_read (out, bytes);
  free (bytes);
  for (size_t i = sets->n_common; i > 0; i--)
    sketch_subtract (out, &sets->common[i - 1]);
  for (size_t i = 0; i < sets->n_ours; i++)
    sketch_subtract (out, &sets->ours[i]);
}

static int
by_bytes (const void *a, const void *b)
{
  return memcmp (a, b, sizeof (struct sketch_item));
}

static void
check_found (const struct sketch_peel *peel, bool added,
             struct sketch_item *items, size_t n)
{
  struct sketch_item *found = calloc (n + 1, sizeof *found);
  size_t at = 0;

  assert_non_null (found);
  for (size_t i = 0; i < peel->n_found; i++)
    if (peel->found[i].added == added) {
      assert_true (at < n);
      found[at++] = peel->found[i].item;
    }
  assert_int_equal (at, n);
  qsort (found, n, sizeof *found, by_bytes);
  qsort (items, n, sizeof *items, by_bytes);
  assert_memory_equal (found, items, n * sizeof *items);
  free (found);
}

/* How many cells it took, asked for in steps. */
static size_t
sets_tell_apart (struct sets *sets, size_t first, size_t step)
{
  struct sketch_peel peel = { 0 };
  enum sketch_verdict verdict = SKETCH_MORE;
  size_t n = 0;

  while (verdict == SKETCH_MORE) {
    size_t more = n == 0 ? first : step;
    struct sketch sketch;

    sets_sketch (sets, &sketch, n, more);
    verdict = sketch_peel (&peel, &sketch);
    sketch_free (&sketch);
    n += more;
  }
  assert_int_equal (verdict, SKETCH_DONE);
  check_found (&peel, false, sets->ours, sets->n_ours);
  check_found (&peel, true, sets->theirs, sets->n_theirs);
  sketch_peel_free (&peel);
  return n;
}

static void
test_what_differs_is_found (void **state)
{
  struct rng rng = rng_start ("test-sketch");

  (void) state;
  for (unsigned i = 0; i < 300; i++) {
    struct sets sets;

    sets_make (&sets, &rng, rng_below (&rng, 3000),
               rng_below (&rng, rng_one_in (&rng, 2) ? 3 : 150),
               rng_below (&rng, rng_one_in (&rng, 2) ? 3 : 150));
    sets_tell_apart (&sets, 1 + rng_below (&rng, 200),
                     1 + rng_below (&rng, 40));
    sets_free (&sets);
  }
}

/* As in the paper: 1.35 cells for each item where there are many, and up to
 * 1.7 where there are a few dozen. */
static void
test_it_takes_few_cells (void **state)
{
  static const struct {
    size_t items;
    unsigned trials;
  } rows[] = { { 50, 100 }, { 200, 100 }, { 1000, 30 }, { 10000, 2 } };
  struct rng rng = { 17 };

  (void) state;
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    size_t d = rows[r].items, total = 0;
    double each;

    for (unsigned i = 0; i < rows[r].trials; i++) {
      struct sets sets;

      sets_make (&sets, &rng, 500, d / 2, d - d / 2);
      total += sets_tell_apart (&sets, d, d / 100 + 1);
      sets_free (&sets);
    }
    each = (double) total / (double) d / rows[r].trials;
    print_message ("%zu items: %.3f cells for each\n", d, each);
    assert_true (each >= 1.3 && each <= 1.7);
    if (d >= 1000)
      assert_true (each <= 1.42);
  }
}

/* ---- how much differs --------------------------------------------------- */

static void
count_items (int32_t counters[SKETCH_COUNTERS], const struct sketch_key *key,
             const struct sketch_item *items, size_t n)
{
  for (size_t i = 0; i < n; i++)
    sketch_count (counters, sketch_hash (key, &items[i]));
}

static uint64_t
sets_estimate (const struct sets *sets)
{
  int32_t ours[SKETCH_COUNTERS] = { 0 }, theirs[SKETCH_COUNTERS] = { 0 };
  unsigned char packed[SKETCH_PACKED_SIZE];
  struct sketch_key key;

  sketch_key_init (&key, sets->nonce);
  count_items (ours, &key, sets->common, sets->n_common);
  count_items (ours, &key, sets->ours, sets->n_ours);
  count_items (theirs, &key, sets->common, sets->n_common);
  count_items (theirs, &key, sets->theirs, sets->n_theirs);
  sketch_pack (packed, ours);
  return sketch_estimate (packed, theirs);
}

/* Off by an eighth on average; what ten bits cannot tell is "many". */
static void
test_the_estimate_is_near (void **state)
{
  static const size_t sizes[] = { 0, 1, 10, 200, 5000, 20000, 150000 };
  struct rng rng = { 19 };

  (void) state;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    size_t d = sizes[s], near = 0, trials = d > 10000 ? 3 : 20;

    for (unsigned i = 0; i < trials; i++) {
      struct sets sets;
      uint64_t estimate;

      sets_make (&sets, &rng, d < 10000 ? 20000 : 100, d / 2, d - d / 2);
      estimate = sets_estimate (&sets);
      if (d > SKETCH_ESTIMATE_MAX)
        near += estimate > SKETCH_ESTIMATE_MAX;
      else
        near += estimate >= d - d / 3 && estimate <= d + d / 3;
      sets_free (&sets);
    }
    assert_true (near >= trials - (trials > 10 ? 1 : 0));
  }
}

/* What is asked for first does in at least 24 of 25 comparisons. */
static void
test_the_first_cells_nearly_always_do (void **state)
{
  enum { TRIALS = 300 };
  struct rng rng = { 23 };
  size_t failed = 0, cells = 0;

  (void) state;
  for (unsigned i = 0; i < TRIALS; i++) {
    struct sketch_peel peel = { 0 };
    struct sketch sketch;
    struct sets sets;
    size_t n;

    sets_make (&sets, &rng, 100, 100, 100);
    n = sketch_cells (sets_estimate (&sets));
    sets_sketch (&sets, &sketch, 0, n);
    failed += sketch_peel (&peel, &sketch) != SKETCH_DONE;
    cells += n;
    sketch_free (&sketch);
    sketch_peel_free (&peel);
    sets_free (&sets);
  }
  print_message ("200 items: %zu bytes of cells, %zu of %d times too few\n",
                 cells * SKETCH_CELL_SIZE / TRIALS, failed, (int) TRIALS);
  assert_true (failed * 25 <= TRIALS);
  assert_true (cells * SKETCH_CELL_SIZE / TRIALS < 8200);
}

static void
test_cells_that_are_asked_for_are_bounded (void **state)
{
  size_t last = 0;

  (void) state;
  for (uint64_t d = 0; d < 60000; d++) {
    assert_true (sketch_cells (d) >= last);
    last = sketch_cells (d);
  }
  assert_int_equal (sketch_cells (UINT64_MAX / 10), SKETCH_CELLS_MAX);
  for (size_t had = 0; had <= SKETCH_CELLS_MAX; had += 997) {
    assert_true (had + sketch_more_cells (had) <= SKETCH_CELLS_MAX);
    assert_true (had == SKETCH_CELLS_MAX || sketch_more_cells (had) > 0);
  }
}

/* ---- strangers ---------------------------------------------------------- */

/* Whatever it says, it found no more than there are cells; and if that is all,
 * then the items put into cells are the cells. */
static void
check_hostile (const struct sketch *cells)
{
  struct sketch_peel peel = { 0 };
  enum sketch_verdict verdict = sketch_peel (&peel, cells);

  assert_int_not_equal (verdict, SKETCH_NOMEM);
  assert_true (peel.n_found <= cells->n);
  if (verdict == SKETCH_DONE) {
    struct sketch again = *cells;

    again.cells = calloc (cells->n + 1, sizeof *again.cells);
    assert_non_null (again.cells);
    for (size_t i = 0; i < peel.n_found; i++)
      if (peel.found[i].added)
        sketch_add (&again, &peel.found[i].item);
      else
        sketch_subtract (&again, &peel.found[i].item);
    for (size_t i = 0; i < cells->n; i++) {
      assert_memory_equal (again.cells[i].sum, cells->cells[i].sum,
                           sizeof again.cells[i].sum);
      assert_int_equal (again.cells[i].check, cells->cells[i].check);
      assert_int_equal (again.cells[i].count, cells->cells[i].count);
    }
    free (again.cells);
  }
  sketch_peel_free (&peel);
}

static void
test_random_cells_end (void **state)
{
  struct rng rng = rng_start ("hostile cells");

  (void) state;
  for (unsigned i = 0; i < 200; i++) {
    size_t n = rng_below (&rng, i < 195 ? 300 : SKETCH_CELLS_MAX);
    unsigned char *bytes = malloc (n * SKETCH_CELL_SIZE + 1);
    unsigned char nonce[SKETCH_NONCE_SIZE] = { 0 };
    struct sketch sketch;

    assert_non_null (bytes);
    draw_bytes (&rng, bytes, n * SKETCH_CELL_SIZE);
    assert_true (sketch_init (&sketch, nonce, 0, n));
    sketch_read (&sketch, bytes);
    check_hostile (&sketch);
    sketch_free (&sketch);
    free (bytes);
  }
}

/* Cells that are each pure by themselves: an item is peeled only from a cell
 * that it goes to, and peeling one makes others; it must not go round. */
static void
test_pure_cells_that_do_not_belong_end (void **state)
{
  struct rng rng = { 29 };
  unsigned char nonce[SKETCH_NONCE_SIZE] = { 1 };

  (void) state;
  for (unsigned i = 0; i < 50; i++) {
    size_t n = i < 45 ? 1 + rng_below (&rng, 400) : SKETCH_CELLS_MAX;
    struct sketch sketch;
    bool same = rng_one_in (&rng, 2);
    struct sketch_item item;

    assert_true (sketch_init (&sketch, nonce, 0, n));
    draw_bytes (&rng, &item, sizeof item);
    for (size_t at = 0; at < n; at++) {
      struct sketch one = { sketch.key, &sketch.cells[at], 0, 1 };

      if (!same)
        draw_bytes (&rng, &item, sizeof item);
      if (rng_one_in (&rng, 2))
        sketch_add (&one, &item);
      else
        sketch_subtract (&one, &item);
    }
    check_hostile (&sketch);
    sketch_free (&sketch);
  }
}

/* One item is in a cell that it does not go to. */
static void
test_a_cell_must_be_one_that_its_item_goes_to (void **state)
{
  unsigned char nonce[SKETCH_NONCE_SIZE] = { 2 };
  struct sketch_item item = { .id = "other" };
  struct sketch_peel peel = { 0 };
  struct sketch sketch;

  (void) state;
  assert_true (sketch_init (&sketch, nonce, 0, 50));
  for (size_t at = 1; at < 50; at++) {
    struct sketch_walk walk =
        sketch_walk (sketch_hash (&sketch.key, &item), at + 1);
    struct sketch one = { sketch.key, &sketch.cells[at], 0, 1 };

    while (walk.at < at)
      sketch_walk_on (&walk);
    if (walk.at != at)
      sketch_add (&one, &item);
  }
  assert_int_equal (sketch_peel (&peel, &sketch), SKETCH_MORE);
  assert_int_equal (peel.n_found, 0);
  sketch_peel_free (&peel);
  sketch_free (&sketch);
}

static void
test_cells_must_follow_each_other (void **state)
{
  unsigned char nonce[SKETCH_NONCE_SIZE] = { 3 };
  struct sketch_peel peel = { 0 };
  struct sketch sketch;

  (void) state;
  assert_true (sketch_init (&sketch, nonce, 5, 10));
  assert_int_equal (sketch_peel (&peel, &sketch), SKETCH_BAD);
  sketch_free (&sketch);
  assert_false (sketch_init (&sketch, nonce, 0, SKETCH_CELLS_MAX + 1));
  assert_false (sketch_init (&sketch, nonce, SIZE_MAX, 2));
  assert_false (sketch_init (&sketch, nonce, 2, SIZE_MAX));
  assert_true (sketch_init (&sketch, nonce, 0, 0));
  assert_int_equal (sketch_peel (&peel, &sketch), SKETCH_MORE);
  sketch_free (&sketch);
  sketch_peel_free (&peel);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_the_next_cell_is_the_first_that_is_far_enough),
    cmocka_unit_test (test_later_cells_have_fewer_items),
    cmocka_unit_test (test_cells_are_the_same_everywhere),
    cmocka_unit_test (test_when_sorts_as_stamps),
    cmocka_unit_test (test_what_differs_is_found),
    cmocka_unit_test (test_it_takes_few_cells),
    cmocka_unit_test (test_the_estimate_is_near),
    cmocka_unit_test (test_the_first_cells_nearly_always_do),
    cmocka_unit_test (test_cells_that_are_asked_for_are_bounded),
    cmocka_unit_test (test_random_cells_end),
    cmocka_unit_test (test_pure_cells_that_do_not_belong_end),
    cmocka_unit_test (test_a_cell_must_be_one_that_its_item_goes_to),
    cmocka_unit_test (test_cells_must_follow_each_other),
  };

  return sodium_init () < 0 ? 1 : cmocka_run_group_tests (tests, NULL, NULL);
}
