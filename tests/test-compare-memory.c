/* SPDX-License-Identifier: MIT */
/* What a comparison has allocated at most on either side, without what the
 * stores have.  Each allocation of core is counted where it is made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "../core/compare.h"
#include "../core/sketch.h"
#include "rng.h"
#include "twins.h"

#define MEGABYTE ((size_t) 1 << 20)

/* ---- allocations -------------------------------------------------------- */

enum { NEAR, FAR };

static struct {
  unsigned side; /* who is at work */
  long long now[2], most[2];
} held;

void *__real_malloc (size_t size);
void *__real_calloc (size_t n, size_t size);
void *__real_realloc (void *old, size_t size);
void __real_free (void *old);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t n, size_t size);
void *__wrap_realloc (void *old, size_t size);
void __wrap_free (void *old);

static void
count (const void *block, int sign)
{
  long long *now = &held.now[held.side];

  if (block)
    *now += sign * (long long) malloc_usable_size ((void *) (uintptr_t) block);
  if (*now > held.most[held.side])
    held.most[held.side] = *now;
}

void *
__wrap_malloc (size_t size)
{
  void *block = __real_malloc (size);

  count (block, 1);
  return block;
}

void *
__wrap_calloc (size_t n, size_t size)
{
  void *block = __real_calloc (n, size);

  count (block, 1);
  return block;
}

/* Both blocks may be there for a moment. */
void *
__wrap_realloc (void *old, size_t size)
{
  long long had = old ? (long long) malloc_usable_size (old) : 0;
  void *block = __real_realloc (old, size);

  count (block, 1);
  if (block)
    held.now[held.side] -= had;
  return block;
}

void
__wrap_free (void *old)
{
  count (old, -1);
  __real_free (old);
}

/* ---- comparisons -------------------------------------------------------- */

static void
begins (void *ctx)
{
  (void) ctx;
  held.side = FAR;
}

static void
ended (void *ctx)
{
  (void) ctx;
  held.side = NEAR;
}

/* Everything, or the parts of it that are told, the newest first. */
static void
compare_all (struct compare *compare)
{
  struct rows_range range = { { NULL, 0 }, { NULL, 0 } };
  struct buf ends[64], to = BUF_INIT;
  size_t n = 0;
  struct tally_error err = { 0 };

  assert_int_equal (compare_range (compare, &range, &err), TALLY_OK);
  if (compare->kind != COMPARE_SPLIT)
    return;
  assert_int_equal (compare_split_here (compare, &err), TALLY_OK);
  assert_true (compare->splits.count < 63);
  ends[n++] = (struct buf) BUF_INIT;
  for (size_t i = 0; i < compare->splits.count; i++) {
    ends[n] = (struct buf) BUF_INIT;
    rows_end (&ends[n++], &compare->splits.docs[i]);
  }
  while (n > 0) {
    range.from = buf_slice (&ends[--n]);
    range.to = buf_slice (&to);
    assert_int_equal (compare_range (compare, &range, &err), TALLY_OK);
    assert_int_not_equal (compare->kind, COMPARE_SPLIT);
    buf_free (&to);
    to = ends[n];
  }
  buf_free (&to);
}

/* n documents that both have, of which either then changes some. */
static void
check (unsigned n, unsigned changed, size_t most)
{
  static struct twins twins;
  struct wire_hello hello = { .flags = WIRE_HELLO_LOOK };
  struct peer_welcome welcome = { 0 };
  struct tally_error err = { 0 };
  struct twins_run run;
  struct peer peer;
  struct compare compare = { .peer = &peer, .collection = TWINS_COLLECTION };

  twins_start (&twins, 5);
  twins_write (&twins, twins.near, 0, n, 0);
  twins_sync (&twins, NULL, &run);
  twins_write (&twins, twins.near, 0, changed, 1);
  twins_write (&twins, twins.far, changed, changed, 1);
  twins.begins = begins;
  twins.ended = ended;
  assert_int_equal (peer_open (&peer, twins.channel, twins.near, &err),
                    TALLY_OK);
  assert_int_equal (peer_hello (&peer, &hello, &welcome, &err), TALLY_OK);
  memset (&held, 0, sizeof held);
  compare.replica = twins.near;
  compare_all (&compare);
  print_message ("%u differ of %u: %lld bytes here, %lld there\n", 2 * changed,
                 n, held.most[NEAR], held.most[FAR]);
  assert_true (held.most[NEAR] > 0 && held.most[FAR] > 0);
  assert_true ((size_t) held.most[NEAR] < most);
  assert_true ((size_t) held.most[FAR] < most);
  compare_free (&compare);
  peer_welcome_free (&welcome);
  peer_close (&peer);
  twins_free (&twins);
}

static void
test_a_hundred_differences (void **state)
{
  (void) state;
  check (20000, 50, MEGABYTE / 4);
}

/* Where a document costs a lot, as under valgrind, there are not so many. */
static void
need_effort (void)
{
  if (rng_tries (100) < 100)
    skip ();
}

static void
test_ten_thousand_differences (void **state)
{
  (void) state;
  need_effort ();
  check (30000, 5000, 4 * MEGABYTE);
}

static void
test_half_of_all (void **state)
{
  (void) state;
  need_effort ();
  check (40000, 10000, 4 * MEGABYTE);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_hundred_differences),
    cmocka_unit_test (test_ten_thousand_differences),
    cmocka_unit_test (test_half_of_all),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
