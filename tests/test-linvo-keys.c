/* SPDX-License-Identifier: MIT */
/* The linvo store's keys sort as what they are made of, and its values come
 * back as they went in, or not at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../drivers/linvo-keys.h"

#define ROUNDS 100000

struct parts {
  uint32_t number;
  uint64_t seq;
  unsigned char rev[TALLY_REV_SIZE];
  char id[8];
  struct tally_slice slice;
};

static uint64_t
next (uint64_t *random)
{
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return *random;
}

/* Few values, so that ties and shared beginnings are common. */
static void
draw (uint64_t *random, struct parts *p)
{
  size_t i;

  p->number = (uint32_t) (next (random) >> (32 + next (random) % 32));
  p->seq = next (random) >> (next (random) % 64);
  memset (p->rev, 0, sizeof p->rev);
  p->rev[next (random) % 12] = (unsigned char) next (random);
  p->slice.size = 1 + next (random) % sizeof p->id;
  p->slice.data = p->id;
  for (i = 0; i < sizeof p->id; i++)
    p->id[i] = "a~\xc3\x7f"[next (random) % 4];
}

static int
sign (int n)
{
  return (n > 0) - (n < 0);
}

static int
compare_u64 (uint64_t a, uint64_t b)
{
  return (a > b) - (a < b);
}

/* As LevelDB's default comparator. */
static int
compare_bytes (const char *a, size_t a_size, const char *b, size_t b_size)
{
  int r = memcmp (a, b, a_size < b_size ? a_size : b_size);

  return r ? sign (r) : compare_u64 (a_size, b_size);
}

static int
compare_keys (const struct linvo_key *a, const struct linvo_key *b)
{
  return compare_bytes (a->data, a->size, b->data, b->size);
}

static int
compare_ids (const struct parts *a, const struct parts *b)
{
  return compare_bytes (a->id, a->slice.size, b->id, b->slice.size);
}

static void
check_orders (const struct parts *a, const struct parts *b)
{
  struct linvo_key x, y;
  int number = compare_u64 (a->number, b->number), stamp;

  linvo_key_doc (&x, a->number, &a->slice);
  linvo_key_doc (&y, b->number, &b->slice);
  assert_int_equal (compare_keys (&x, &y),
                    number ? number : compare_ids (a, b));

  linvo_key_seq (&x, a->number, a->seq);
  linvo_key_seq (&y, b->number, b->seq);
  assert_int_equal (compare_keys (&x, &y),
                    number ? number : compare_u64 (a->seq, b->seq));

  stamp = sign (memcmp (a->rev, b->rev, TALLY_STAMP_SIZE));
  linvo_key_stamp (&x, a->number, a->rev, &a->slice);
  linvo_key_stamp (&y, b->number, b->rev, &b->slice);
  assert_int_equal (compare_keys (&x, &y), number  ? number
                                           : stamp ? stamp
                                                   : compare_ids (a, b));
}

static void
keys_sort_as_their_parts (void **state)
{
  uint64_t random = 88172645463325252u;
  struct parts a, b;
  size_t i;

  (void) state;
  for (i = 0; i < ROUNDS; i++) {
    draw (&random, &a);
    draw (&random, &b);
    if (i % 2)
      b.number = a.number;
    if (i % 4 == 3)
      memcpy (b.rev, a.rev, sizeof b.rev);
    check_orders (&a, &b);
  }
}

static void
a_range_ends_with_its_collection (void **state)
{
  static const uint32_t numbers[] = { 1, 2, 255, 256, 65535, UINT32_MAX };
  struct linvo_key prefix, other;
  struct tally_slice key;
  size_t i, j;

  (void) state;
  for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    linvo_key_seq (&prefix, numbers[i], 0);
    for (j = 0; j < sizeof numbers / sizeof numbers[0]; j++) {
      linvo_key_seq (&other, numbers[j], UINT64_MAX);
      key.data = other.data;
      key.size = other.size;
      assert_int_equal (linvo_key_within (&key, &prefix, 5), i == j);
    }
  }
}

static void
seq_comes_back_from_key (void **state)
{
  static const uint64_t seqs[] = { 1, 255, 256, UINT64_C (1) << 40,
                                   UINT64_MAX };
  struct linvo_key key;
  struct tally_slice slice;
  uint64_t seq;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
    linvo_key_seq (&key, 7, seqs[i]);
    slice.data = key.data;
    slice.size = key.size;
    assert_true (linvo_seq_of_key (&slice, &seq));
    assert_true (seq == seqs[i]);
    slice.size--;
    assert_false (linvo_seq_of_key (&slice, &seq));
  }
}

static void
doc_comes_back (void **state)
{
  static const uint64_t seqs[] = { 1, 127, 128, 1u << 21, UINT64_MAX };
  static const char none[TALLY_REV_SIZE - TALLY_REV_PART];
  char value[LINVO_DOC_HEAD_MAX + 300];
  struct tally_slice slice = { value, 0 };
  struct tally_doc in = { .seq = 0 }, doc;
  size_t i, meta, n;

  (void) state;
  memset (in.rev, 0xab, sizeof in.rev);
  for (i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
    for (meta = 0; meta <= 300; meta += 100) {
      in.meta.size = meta;
      in.rev[TALLY_REV_PART - 1] = meta % 300 ? 0xab : 0xcd;
      in.flags = meta % 200 ? TALLY_DOC_DELETED : 0;
      n = linvo_encode_doc_head (value, seqs[i], &in);
      assert_true (n <= LINVO_DOC_HEAD_MAX);
      slice.size = n + 300;
      assert_true (linvo_decode_doc (&slice, &doc));
      assert_true (doc.seq == seqs[i]);
      assert_int_equal (doc.flags, in.flags);
      assert_memory_equal (doc.rev, in.rev, TALLY_REV_PART);
      assert_memory_equal (doc.rev + TALLY_REV_PART, none, sizeof none);
      assert_int_equal (doc.meta.size, meta);
      assert_ptr_equal (doc.meta.data, value + n);
      assert_int_equal (doc.body.size, 300 - meta);
      assert_ptr_equal (doc.body.data, value + n + meta);
    }
    slice.size = n + 299;
    assert_false (linvo_decode_doc (&slice, &doc));
  }
}

static void
header_comes_back (void **state)
{
  static const char none[TALLY_REV_SIZE - TALLY_STAMP_SIZE];
  static char id[TALLY_ID_MAX] = "id";
  char value[LINVO_SEQ_MAX];
  struct tally_slice slice = { value, 0 };
  struct tally_doc in, out;
  size_t size;
  uint32_t flags;

  (void) state;
  memset (&in, 0, sizeof in);
  memset (in.rev, 0xab, sizeof in.rev);
  in.id.data = id;
  for (flags = 0; flags <= TALLY_DOC_DELETED; flags++) {
    for (size = 1; size <= TALLY_ID_MAX; size += TALLY_ID_MAX - 1) {
      in.flags = flags;
      in.id.size = size;
      slice.size = linvo_encode_seq (value, &in);
      assert_true (slice.size <= sizeof value);
      assert_true (linvo_decode_seq (&slice, &out));
      assert_int_equal (out.flags, flags);
      assert_memory_equal (out.rev, in.rev, TALLY_STAMP_SIZE);
      assert_memory_equal (out.rev + TALLY_STAMP_SIZE,
                           flags ? (const char *) in.rev + TALLY_STAMP_SIZE
                                 : none,
                           sizeof none);
      assert_int_equal (out.id.size, size);
      assert_memory_equal (out.id.data, id, size);
    }
  }
}

static void
head_comes_back (void **state)
{
  struct linvo_head in = { LINVO_FORMAT, 3, 1u << 30, UINT64_MAX }, out;
  char value[LINVO_HEAD_SIZE + 1];
  struct tally_slice slice = { value, 0 };

  (void) state;
  slice.size = linvo_encode_head (value, &in);
  assert_int_equal (slice.size, LINVO_HEAD_SIZE);
  assert_true (linvo_decode_head (&slice, &out));
  assert_true (out.numbers == 3 && out.seq == in.seq
               && out.writes == in.writes);
  for (slice.size = 0; slice.size < LINVO_HEAD_SIZE; slice.size++)
    assert_false (linvo_decode_head (&slice, &out));
  slice.size = sizeof value;
  assert_false (linvo_decode_head (&slice, &out));

  in.format = LINVO_FORMAT + 1;
  linvo_encode_head (value, &in);
  assert_true (linvo_decode_head (&slice, &out));
  assert_int_equal (out.format, LINVO_FORMAT + 1);
}

/* Decoders look at nothing beyond the value and pass no size that is. */
static void
garbage_is_refused_or_fits (void **state)
{
  uint64_t random = 42, seq;
  char bytes[48];
  struct tally_slice slice = { bytes, 0 };
  struct linvo_head head;
  struct tally_doc doc;
  uint32_t number;
  size_t i, j;

  (void) state;
  for (i = 0; i < ROUNDS; i++) {
    slice.size = next (&random) % sizeof bytes;
    for (j = 0; j < slice.size; j++)
      bytes[j] = (char) (next (&random) | (i % 2 ? 0x80 : 0));
    if (linvo_decode_doc (&slice, &doc))
      assert_true (doc.body.data + doc.body.size == bytes + slice.size);
    if (linvo_decode_seq (&slice, &doc))
      assert_true (doc.id.data + doc.id.size == bytes + slice.size);
    (void) linvo_decode_head (&slice, &head);
    (void) linvo_decode_number (&slice, &number);
    (void) linvo_seq_of_key (&slice, &seq);
  }
  memset (bytes, 0xff, sizeof bytes);
  slice.size = sizeof bytes;
  assert_false (linvo_decode_doc (&slice, &doc));
  assert_false (linvo_decode_seq (&slice, &doc));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (keys_sort_as_their_parts),
    cmocka_unit_test (a_range_ends_with_its_collection),
    cmocka_unit_test (seq_comes_back_from_key),
    cmocka_unit_test (doc_comes_back),
    cmocka_unit_test (header_comes_back),
    cmocka_unit_test (head_comes_back),
    cmocka_unit_test (garbage_is_refused_or_fits),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
