/* SPDX-License-Identifier: MIT */
/* The small things that everything else stands on: growable bytes, slices,
 * error texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../core/buf.h"
#include "../core/error.h"
#include "../core/slice.h"
#include "../core/utf8.h"

static void
assert_buf (const struct buf *b, const char *text)
{
  assert_false (b->failed);
  assert_int_equal (b->size, strlen (text));
  assert_memory_equal (b->data, text, b->size);
}

static void
test_buf_adds (void **state)
{
  struct buf b = BUF_INIT;

  (void) state;
  assert_int_equal (buf_slice (&b).size, 0);
  buf_add (&b, NULL, 0);
  buf_add (&b, "ab", 2);
  buf_add_byte (&b, 'c');
  buf_add_text (&b, "");
  buf_add_text (&b, "de");
  buf_add_slice (&b, slice_text ("f"));
  buf_add_slice (&b, slice_text (NULL));
  buf_addf (&b, "%s-%d", "g", 7);
  assert_buf (&b, "abcdefg-7");

  buf_clear (&b);
  assert_int_equal (b.size, 0);
  buf_add_text (&b, "again");
  assert_buf (&b, "again");
  buf_free (&b);
  assert_null (b.data);
  buf_add_byte (&b, 'x');
  assert_buf (&b, "x");
  buf_free (&b);
}

static void
test_buf_grows_by_a_share (void **state)
{
  struct buf b = BUF_INIT;
  size_t capacity = 0, steps = 0, i;

  (void) state;
  for (i = 0; i < 1000000; i++) {
    buf_add_byte (&b, (unsigned char) i);
    if (b.capacity != capacity)
      steps++;
    capacity = b.capacity;
  }
  assert_int_equal (b.size, 1000000);
  assert_true (steps < 40);
  assert_true (b.capacity <= 2 * b.size);
  for (i = 0; i < 1000000; i++)
    assert_int_equal ((unsigned char) b.data[i], i & 0xff);
  buf_free (&b);
}

/* Around the size at which the text no longer fits what is there. */
static void
test_buf_addf_of_any_length (void **state)
{
  char text[300];
  int n;

  (void) state;
  for (n = 0; n < 299; n++) {
    struct buf b = BUF_INIT;

    memset (text, 'x', (size_t) n);
    text[n] = 0;
    buf_addf (&b, "%s", text);
    assert_buf (&b, text);
    buf_addf (&b, "%s", text);
    assert_int_equal (b.size, 2 * n);
    buf_free (&b);
  }
}

static void
test_buf_reserve_makes_room (void **state)
{
  struct buf b = BUF_INIT;
  char *data;

  (void) state;
  assert_true (buf_reserve (&b, 1000));
  data = b.data;
  memset (b.data, 'r', 1000);
  b.size = 1000;
  assert_true (b.capacity >= 1000);
  assert_true (buf_reserve (&b, 0));
  assert_ptr_equal (b.data, data);
  buf_free (&b);
}

static void
test_buf_failure_sticks (void **state)
{
  struct buf b = BUF_INIT;

  (void) state;
  buf_add_text (&b, "kept");
  assert_false (buf_reserve (&b, SIZE_MAX));
  assert_true (b.failed);
  buf_add_text (&b, "dropped");
  buf_add_byte (&b, 'd');
  buf_addf (&b, "%d", 1);
  assert_false (buf_reserve (&b, 1));
  assert_true (b.failed);
  assert_int_equal (b.size, 4);
  assert_memory_equal (b.data, "kept", 4);

  buf_clear (&b);
  assert_false (b.failed);
  buf_add_text (&b, "again");
  assert_buf (&b, "again");
  buf_free (&b);
}

static void
test_slices (void **state)
{
  struct tally_slice none = slice_text (NULL);
  struct tally_slice empty = slice_text ("");

  (void) state;
  assert_true (slice_equal (none, empty));
  assert_int_equal (slice_cmp (none, empty), 0);
  assert_null (slice_end (none));
  assert_true (slice_equal (slice_text ("ab"), slice_make ("abc", 2)));
  assert_false (slice_equal (slice_text ("ab"), slice_text ("ac")));
  assert_true (slice_cmp (none, slice_text ("a")) < 0);
  assert_true (slice_cmp (slice_text ("a"), slice_text ("ab")) < 0);
  assert_true (slice_cmp (slice_text ("b"), slice_text ("ab")) > 0);
  assert_true (slice_cmp (slice_text ("\xff"), slice_text ("a")) > 0);
}

static void
test_error_text (void **state)
{
  struct tally_error err;

  (void) state;
  assert_int_equal (error_set (&err, TALLY_CONFLICT, "%s: %d", "doc", 3),
                    TALLY_CONFLICT);
  assert_int_equal (err.status, TALLY_CONFLICT);
  assert_string_equal (err.text, "doc: 3");
  assert_int_equal (error_set (&err, TALLY_FAILED, "outer: %s", err.text),
                    TALLY_FAILED);
  assert_string_equal (err.text, "outer: doc: 3");
  assert_int_equal (error_set (NULL, TALLY_AGAIN, "x"), TALLY_AGAIN);
  assert_int_equal (error_nomem (&err), TALLY_FAILED);
  assert_string_equal (err.text, "out of memory");
  assert_int_equal (error_nomem (NULL), TALLY_FAILED);
  error_clear (&err);
  error_clear (NULL);
  assert_int_equal (err.status, TALLY_OK);
  assert_string_equal (err.text, "");
}

static void
test_error_is_one_line_of_utf8 (void **state)
{
  struct tally_error err;

  (void) state;
  error_set (&err, TALLY_FAILED, "%s", "a\nb\r\tc\x1b[2J\x7f.");
  assert_string_equal (err.text, "a?b??c?[2J?.");
  error_set (&err, TALLY_FAILED, "%s",
             "\xc2\x9b"
             "1m \xc3\xa9 \xe2\x82\xac");
  assert_string_equal (err.text, "?1m \xc3\xa9 \xe2\x82\xac");
  error_set (&err, TALLY_FAILED, "%s", "\xff\xc3+\xed\xa0\x80\xe2\x82");
  assert_string_equal (err.text, "??+?????");
}

/* Texts of two-, three- and four-byte characters, shifted by every offset:
 * what is left is full but for less than a character, and valid. */
static void
test_error_is_cut_between_characters (void **state)
{
  static const char *const characters[] = {
    "x",    "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\x89",
    "\x01", "\xff",     "\xc2\x80"
  };
  size_t c, shift, i;

  (void) state;
  for (c = 0; c < sizeof characters / sizeof *characters; c++)
    for (shift = 0; shift < 5; shift++) {
      struct tally_error err;
      struct buf b = BUF_INIT;
      size_t length;

      buf_addf (&b, "%.*s", (int) shift, "shift");
      for (i = 0; i < 2000; i++)
        buf_add_text (&b, characters[c]);
      buf_add_byte (&b, 0);
      assert_false (b.failed);
      error_set (&err, TALLY_FAILED, "%s", b.data);
      length = strlen (err.text);
      assert_in_range (length, sizeof err.text - 4, sizeof err.text - 1);
      for (i = 0; i < length;) {
        size_t n = utf8_length (err.text + i, length - i);

        assert_int_not_equal (n, 0);
        i += n;
      }
      buf_free (&b);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_buf_adds),
    cmocka_unit_test (test_buf_grows_by_a_share),
    cmocka_unit_test (test_buf_addf_of_any_length),
    cmocka_unit_test (test_buf_reserve_makes_room),
    cmocka_unit_test (test_buf_failure_sticks),
    cmocka_unit_test (test_slices),
    cmocka_unit_test (test_error_text),
    cmocka_unit_test (test_error_is_one_line_of_utf8),
    cmocka_unit_test (test_error_is_cut_between_characters),
  };

  return cmocka_run_group_tests_name ("buf", tests, NULL, NULL);
}
