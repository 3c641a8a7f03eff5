/* SPDX-License-Identifier: MIT */
/* CBOR items: what is taken is only what would be written just so. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/cbor.h"

enum kind { UINT, BYTES, TEXT, ARRAY };

static bool
take (enum kind kind, struct tally_slice *in, uint64_t *number,
      struct tally_slice *string)
{
  size_t n = 0;
  bool taken;

  switch (kind) {
  case UINT:
    return cbor_take_uint (in, number);
  case BYTES:
    return cbor_take_bytes (in, string);
  case TEXT:
    return cbor_take_text (in, string);
  default:
    taken = cbor_take_array (in, &n);
    *number = n;
    return taken;
  }
}

/* In an allocation of its own, so that a byte too far is seen. */
static bool
takes (enum kind kind, const void *bytes, size_t size)
{
  char *copy = malloc (size > 0 ? size : 1);
  struct tally_slice in = { copy, size }, string;
  uint64_t number;
  bool taken;

  assert_non_null (copy);
  if (size > 0)
    memcpy (copy, bytes, size);
  taken = take (kind, &in, &number, &string);
  if (taken)
    assert_true (in.data >= copy && in.data + in.size == copy + size);
  free (copy);
  return taken;
}

static void
test_numbers (void **state)
{
  static const struct {
    uint64_t value;
    size_t size;
  } rows[] = {
    { 0, 1 },          { 23, 1 },         { 24, 2 },
    { 255, 2 },        { 256, 3 },        { 65535, 3 },
    { 65536, 5 },      { UINT32_MAX, 5 }, { UINT64_C (1) << 32, 9 },
    { UINT64_MAX, 9 },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = BUF_INIT;
    struct tally_slice in;
    uint64_t value;

    cbor_add_uint (&out, rows[i].value);
    assert_int_equal (out.size, rows[i].size);
    in = buf_slice (&out);
    assert_true (cbor_take_uint (&in, &value));
    assert_true (value == rows[i].value);
    assert_int_equal (in.size, 0);
    for (size_t cut = 0; cut < out.size; cut++)
      assert_false (takes (UINT, out.data, cut));
    buf_free (&out);
  }
}

static void
test_strings (void **state)
{
  static const size_t sizes[] = { 0, 1, 23, 24, 255, 256, 65535, 65536 };
  static char text[65536];

  (void) state;
  memset (text, 't', sizeof text);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int is_text = 0; is_text < 2; is_text++) {
      struct tally_slice string = slice_make (text, sizes[i]), in, got;
      struct buf out = BUF_INIT;

      if (is_text)
        cbor_add_text (&out, string);
      else
        cbor_add_bytes (&out, string);
      in = buf_slice (&out);
      assert_true (take (is_text ? TEXT : BYTES, &in, NULL, &got));
      assert_true (slice_equal (string, got));
      assert_int_equal (in.size, 0);
      assert_false (takes (is_text ? BYTES : TEXT, out.data, out.size));
      assert_false (takes (UINT, out.data, out.size));
      assert_false (takes (ARRAY, out.data, out.size));
      if (out.size > 1)
        assert_false (takes (is_text ? TEXT : BYTES, out.data, out.size - 1));
      buf_free (&out);
    }
}

static void
test_text_is_utf8 (void **state)
{
  (void) state;
  assert_true (takes (TEXT, "\x63\xe8\xae\xbe", 4));
  assert_false (takes (TEXT, "\x62\xe8\xae", 3));
  assert_false (takes (TEXT, "\x61\xff", 2));
  assert_false (takes (TEXT, "\x63\xed\xa0\x80", 4));
  assert_true (takes (BYTES, "\x41\xff", 2));
}

/* For every kind: heads longer than need be, without a length, reserved, or
 * with lengths up to 2^64 - 1. */
static void
test_bad_heads (void **state)
{
  static const struct {
    const char *head;
    size_t size;
  } rows[] = {
    { "\x18\x17", 2 },
    { "\x18\x00", 2 },
    { "\x19\x00\xff", 3 },
    { "\x19\x00\x00", 3 },
    { "\x1a\x00\x00\xff\xff", 5 },
    { "\x1b\x00\x00\x00\x00\xff\xff\xff\xff", 9 },
    { "\x1c", 1 },
    { "\x1d", 1 },
    { "\x1e", 1 },
    { "\x1f", 1 },
  };
  static const unsigned majors[] = { 0, 2, 3, 4 };
  char bytes[300] = { 0 };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int kind = UINT; kind <= ARRAY; kind++) {
      /* As much as any of these lengths could want; and a break. */
      memset (bytes, 0, sizeof bytes);
      memcpy (bytes, rows[i].head, rows[i].size);
      bytes[0] = (char) ((unsigned char) bytes[0] | majors[kind] << 5);
      assert_false (takes ((enum kind) kind, bytes, sizeof bytes));
      bytes[rows[i].size] = (char) 0xff;
      assert_false (takes ((enum kind) kind, bytes, sizeof bytes));
    }
}

static void
test_huge_lengths (void **state)
{
  static const uint64_t lengths[] = {
    24,           256,          65536,        UINT32_MAX, UINT64_C (1) << 32,
    SIZE_MAX - 9, SIZE_MAX - 8, SIZE_MAX - 1, UINT64_MAX, UINT64_MAX / 2
  };
  static const unsigned majors[] = { 2, 3, 4 };

  (void) state;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (int kind = BYTES; kind <= ARRAY; kind++) {
      struct buf out = BUF_INIT;

      cbor_add_uint (&out, lengths[i]);
      out.data[0] =
          (char) ((unsigned char) out.data[0] | majors[kind - BYTES] << 5);
      assert_false (takes ((enum kind) kind, out.data, out.size));
      buf_add (&out, "0123456789abcdef", 16);
      assert_false (takes ((enum kind) kind, out.data, out.size));
      buf_free (&out);
    }
}

/* An array's items have a byte at least. */
static void
test_arrays (void **state)
{
  (void) state;
  assert_true (takes (ARRAY, "\x80", 1));
  assert_true (takes (ARRAY, "\x82\0\0", 3));
  assert_false (takes (ARRAY, "\x83\0\0", 3));
}

/* Whatever the first byte, only the four kinds are read. */
static void
test_other_kinds (void **state)
{
  (void) state;
  for (unsigned first = 0; first < 256; first++)
    for (int kind = UINT; kind <= ARRAY; kind++) {
      static const unsigned majors[] = { 0, 2, 3, 4 };
      char bytes[40] = { 0 };

      bytes[0] = (char) first;
      assert_int_equal (takes ((enum kind) kind, bytes, sizeof bytes),
                        first >> 5 == majors[kind] && (first & 0x1f) < 24);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_numbers),      cmocka_unit_test (test_strings),
    cmocka_unit_test (test_text_is_utf8), cmocka_unit_test (test_bad_heads),
    cmocka_unit_test (test_huge_lengths), cmocka_unit_test (test_arrays),
    cmocka_unit_test (test_other_kinds),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
