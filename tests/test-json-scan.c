/* SPDX-License-Identifier: MIT */
/* Strings and the order of keys, the walk over canonical text, and streams
 * of values. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../core/json.h"
#include "kit/ordered-keys.h"

static void
test_key_order (void **state)
{
  size_t i, k;

  (void) state;
  for (i = 0; i < ORDERED_KEYS; i++)
    for (k = 0; k < ORDERED_KEYS; k++) {
      struct tally_slice a = slice_text (ordered_keys[i]);
      struct tally_slice b = slice_text (ordered_keys[k]);
      int order = json_key_cmp (a, b);

      assert_int_equal ((order > 0) - (order < 0), (i > k) - (i < k));
    }
}

static void
test_strings (void **state)
{
  static const char raw[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0\xc3\xa9";
  static const char text[] = "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f"
                             "\\u0000\xc3\xa9\"";
  static const char *const bad[] = {
    "",       "\"",        "a",       "\"a",         "a\"",         "\"a\"b\"",
    "\"\\\"", "\"\\u12\"", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"",
  };
  struct buf b = BUF_INIT;
  size_t i;

  (void) state;
  json_encode_string (&b, slice_make (raw, sizeof raw - 1));
  assert_int_equal (b.size, sizeof text - 1);
  assert_memory_equal (b.data, text, b.size);
  assert_true (json_is_canonical (b.data, b.size));
  buf_clear (&b);
  assert_true (json_decode_string (&b, slice_text (text)));
  assert_int_equal (b.size, sizeof raw - 1);
  assert_memory_equal (b.data, raw, b.size);

  buf_clear (&b);
  assert_true (json_decode_string (
      &b, slice_text ("\"\\u0041\\/\\ud83c\\udf89\\u20ac\"")));
  assert_true (slice_equal (buf_slice (&b),
                            slice_text ("A/\xf0\x9f\x8e\x89\xe2\x82\xac")));
  for (i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false (json_decode_string (&b, slice_text (bad[i])));
  assert_int_equal (b.size, 9);
  buf_clear (&b);
  json_encode_string (&b, slice_text (NULL));
  assert_true (slice_equal (buf_slice (&b), slice_text ("\"\"")));
  b.failed = true;
  assert_false (json_decode_string (&b, slice_text ("\"a\"")));
  json_encode_string (&b, slice_text ("a"));
  assert_int_equal (b.size, 2);
  buf_free (&b);

  assert_true (utf8_valid (slice_text (NULL)));
  assert_true (utf8_valid (slice_make (raw, sizeof raw - 1)));
  assert_false (utf8_valid (slice_text ("a\xc3")));
}

/* ---- walking ----------------------------------------------------------- */

static void
test_members (void **state)
{
  struct tally_slice object = slice_text (
      "{\"a\\\"\":\"x,}\\\"\",\"b\":[1,{\"c\":2}],\"d\":-1e5,\"e\":{},"
      "\"f\":null}");
  static const char *const parts[] = {
    "a\\\"", "\"x,}\\\"\"", "b", "[1,{\"c\":2}]", "d", "-1e5",
    "e",     "{}",          "f", "null"
  };
  struct tally_slice rest = object, value;
  struct json_member member;
  size_t i;

  (void) state;
  for (i = 0; i < 10; i += 2) {
    assert_true (json_next_member (&rest, &member));
    assert_true (slice_equal (member.key, slice_text (parts[i])));
    assert_true (slice_equal (member.value, slice_text (parts[i + 1])));
    assert_true (json_find_member (object, slice_text (parts[i]), &value));
    assert_ptr_equal (value.data, member.value.data);
  }
  assert_false (json_next_member (&rest, &member));
  assert_false (json_next_member (&rest, &member));

  assert_false (json_find_member (object, slice_text ("c"), &value));
  assert_false (json_find_member (object, slice_text ("g"), &value));
  rest = slice_text ("{}");
  assert_false (json_next_member (&rest, &member));
}

static void
test_elements (void **state)
{
  struct tally_slice rest =
      slice_text ("[null,true,1.5,\"],[\",[[]],{\"a\":[2]}]");
  static const char *const parts[] = { "null",    "true", "1.5",
                                       "\"],[\"", "[[]]", "{\"a\":[2]}" };
  static const enum json_type types[] = {
    JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT
  };
  struct tally_slice element;
  size_t i;

  (void) state;
  for (i = 0; i < 6; i++) {
    assert_true (json_next_element (&rest, &element));
    assert_true (slice_equal (element, slice_text (parts[i])));
    assert_int_equal (json_type (element), types[i]);
  }
  assert_false (json_next_element (&rest, &element));
  rest = slice_text ("[]");
  assert_false (json_next_element (&rest, &element));
  assert_int_equal (json_type (slice_text ("-1")), JSON_NUMBER);
  assert_int_equal (json_type (slice_text ("false")), JSON_BOOL);
}

/* The text in memory of just its size, so that reading past it shows. */
static char *
copy_exactly (const char *text, size_t size)
{
  char *copy = malloc (size > 0 ? size : 1);

  assert_non_null (copy);
  memcpy (copy, text, size);
  return copy;
}

static void
check_split (const char *text, const char *const *parts, size_t n, int status)
{
  size_t size = strlen (text), offset = 0, i;
  char *copy = copy_exactly (text, size);
  struct tally_error err = { 0, "" };
  struct tally_slice value;

  for (i = 0; i < n; i++) {
    assert_int_equal (json_split (copy, size, &offset, &value, &err),
                      TALLY_OK);
    assert_true (slice_equal (value, slice_text (parts[i])));
  }
  assert_int_equal (json_split (copy, size, &offset, &value, &err), status);
  if (status == TALLY_INVALID)
    assert_int_equal (strncmp (err.text, "line 2, column 2: ", 18), 0);
  free (copy);
}

static void
test_split (void **state)
{
  static const char *const parts[] = {
    "{\"a\": \"}\"}", "[1, 2]", "3", "\"\\\"\"", "nul]", "{}", "1,2"
  };

  (void) state;
  check_split ("", NULL, 0, TALLY_NOTFOUND);
  check_split (" \n\t\r", NULL, 0, TALLY_NOTFOUND);
  check_split (" {\"a\": \"}\"}[1, 2]3\"\\\"\"\nnul]{}\r\n1,2\n", parts, 7,
               TALLY_NOTFOUND);
  check_split ("3", parts + 2, 1, TALLY_NOTFOUND);
  check_split ("3\n {\"a\":1", parts + 2, 1, TALLY_INVALID);
  check_split ("3\n \"{}[]\\\"", parts + 2, 1, TALLY_INVALID);
  check_split ("3\n [[]", parts + 2, 1, TALLY_INVALID);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_key_order), cmocka_unit_test (test_strings),
    cmocka_unit_test (test_members),   cmocka_unit_test (test_elements),
    cmocka_unit_test (test_split),
  };

  return cmocka_run_group_tests_name ("json-scan", tests, NULL, NULL);
}
