/* SPDX-License-Identifier: MIT */
/* Digests: the arithmetic that driver.h promises, against a slow model of it,
 * and what makes two sets differ. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tally/digest.h>

#include "../core/fingerprint.h"
#include "../core/slice.h"
#include "rng.h"

#define BITS (8 * TALLY_DIGEST_SUM_SIZE)

struct print {
  unsigned char bytes[TALLY_FINGERPRINT_SIZE];
};

static void
random_bytes (struct rng *rng, void *to, size_t size)
{
  for (size_t i = 0; i < size; i++)
    ((unsigned char *) to)[i] = (unsigned char) rng_next (rng);
}

/* Adds bit by bit. */
static void
model_add (struct tally_digest *digest, const unsigned char *print)
{
  int carry = 0;

  for (size_t i = 0; i < BITS; i++) {
    int a = (digest->sum[i / 8] >> (i % 8)) & 1;
    int b = (print[i / 8] >> (i % 8)) & 1;
    int bit = a ^ b ^ carry;

    carry = (a & b) | (a & carry) | (b & carry);
    digest->sum[i / 8] =
        (unsigned char) ((digest->sum[i / 8] & ~(1 << (i % 8)))
                         | (bit << (i % 8)));
  }
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++) {
    const unsigned char *bits = print + TALLY_DIGEST_SUM_SIZE;

    digest->counters[i] += bits[i / 8] & (1 << (i % 8)) ? 1 : -1;
  }
  digest->count++;
}

static void
test_arithmetic (void **state)
{
  struct rng rng = rng_start ("arithmetic");
  struct tally_digest a = { 0 }, b = { 0 };
  struct print prints[64];

  (void) state;
  for (size_t i = 0; i < 64; i++) {
    random_bytes (&rng, &prints[i], sizeof prints[i]);
    if (i % 4 == 0) /* long carries */
      memset (&prints[i], 0xff, TALLY_DIGEST_SUM_SIZE - rng_below (&rng, 9));
    tally_digest_add (&a, prints[i].bytes);
    model_add (&b, prints[i].bytes);
    assert_true (digest_equal (&a, &b));
    assert_memory_equal (&a, &b, sizeof a);
  }
  for (size_t i = 64; i-- > 0;) {
    tally_digest_subtract (&a, prints[i].bytes);
    memset (&b, 0, sizeof b);
    for (size_t j = 0; j < i; j++)
      model_add (&b, prints[j].bytes);
    assert_true (digest_equal (&a, &b));
  }
}

static void
test_wraps (void **state)
{
  struct tally_digest a = { 0 }, zero = { 0 };
  unsigned char one[TALLY_FINGERPRINT_SIZE] = { 1 };

  (void) state;
  tally_digest_subtract (&a, one);
  assert_true (a.count == UINT64_MAX);
  for (size_t i = 0; i < sizeof a.sum; i++)
    assert_int_equal (a.sum[i], 0xff);
  assert_int_equal (a.counters[0], 1);
  tally_digest_add (&a, one);
  assert_true (digest_equal (&a, &zero));
  a.counters[5] = INT32_MIN;
  tally_digest_add (&a, one);
  assert_int_equal (a.counters[5], INT32_MAX);
}

/* The layout is what stores of other hosts have on disk: it never changes. */
static void
test_known_value (void **state)
{
  /* BLAKE2b as Python's hashlib has it. */
  static const char expected[] = "185d9875fe1f5aa5ab2d193291d052e6";
  unsigned char rev[TALLY_REV_SIZE], print[TALLY_FINGERPRINT_SIZE];
  struct tally_slice id = slice_text ("an id");
  char text[33];

  (void) state;
  for (size_t i = 0; i < sizeof rev; i++)
    rev[i] = (unsigned char) (i * 7);
  fingerprint_make (&id, rev, print);
  for (size_t i = 0; i < 16; i++)
    snprintf (text + 2 * i, 3, "%02x", print[i]);
  assert_string_equal (text, expected);
  assert_memory_equal (print + TALLY_DIGEST_SUM_SIZE, rev + TALLY_STAMP_SIZE,
                       16);
}

static void
test_what_counts (void **state)
{
  struct tally_doc doc = { .id = slice_text ("a") };
  struct tally_digest first = { 0 }, other = { 0 }, none = { 0 };

  (void) state;
  digest_add_doc (&first, &doc);
  doc.flags = TALLY_DOC_DELETED;
  digest_add_doc (&none, &doc);
  assert_int_equal (none.count, 0);
  doc.flags = 0;
  doc.seq = 5; /* does not */
  digest_add_doc (&other, &doc);
  assert_true (digest_equal (&first, &other));
  for (size_t i = 0; i < TALLY_REV_SIZE; i++) {
    doc.rev[i] ^= 1;
    memset (&other, 0, sizeof other);
    digest_add_doc (&other, &doc);
    assert_false (digest_equal (&first, &other));
    doc.rev[i] ^= 1;
  }
  doc.id = slice_text ("b");
  memset (&other, 0, sizeof other);
  digest_add_doc (&other, &doc);
  assert_false (digest_equal (&first, &other));
}

/* The mean square of the counters' differences is about how many documents
 * differ: from 128 of them, within a third. */
static void
test_counters_estimate (void **state)
{
  struct rng rng = rng_start ("estimate");
  struct tally_digest a = { 0 }, b = { 0 };
  int64_t squares = 0;

  (void) state;
  for (unsigned i = 0; i < 20000; i++) {
    struct tally_doc doc = { .id = slice_text ("x") };

    random_bytes (&rng, doc.rev, sizeof doc.rev);
    if (i >= 1000)
      digest_add_doc (&a, &doc);
    if (i < 19000)
      digest_add_doc (&b, &doc);
  }
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++) {
    int64_t d = (int64_t) a.counters[i] - b.counters[i];

    squares += d * d;
  }
  /* 2,000 differ; one deviation of the mean is an eighth of that. */
  assert_in_range (squares / TALLY_DIGEST_COUNTERS, 600, 3400);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_arithmetic),
    cmocka_unit_test (test_wraps),
    cmocka_unit_test (test_known_value),
    cmocka_unit_test (test_what_counts),
    cmocka_unit_test (test_counters_estimate),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
