/* SPDX-License-Identifier: MIT */
/* What JSON is taken, what it becomes, what is refused and in which words.
 * fuzz-json.c adds random input and another parser as oracle. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../core/json.h"
#include "kit/ordered-keys.h"

/* Two string literals, so that a hex escape can be ended. */
struct pair {
  const char *in, *out;
};

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
check_taken (const char *in, size_t in_size, const char *out, size_t size)
{
  struct buf b = BUF_INIT;
  struct tally_error err = { 0, "" };
  char *copy = copy_exactly (in, in_size);

  buf_add_text (&b, "before");
  if (json_canonical (&b, copy, in_size, &err) != TALLY_OK)
    fail_msg ("%s: refused: %s", in, err.text);
  assert_int_equal (b.size, 6 + size);
  assert_memory_equal (b.data, "before", 6);
  assert_memory_equal (b.data + 6, out, size);
  assert_true (json_is_canonical (b.data + 6, size));
  assert_int_equal (json_is_canonical (copy, in_size),
                    in_size == size && memcmp (copy, out, size) == 0);
  free (copy);
  buf_free (&b);
}

static void
check_refused (const char *in, size_t size, const char *message)
{
  struct buf b = BUF_INIT;
  struct tally_error err = { 0, "" };
  char *copy = copy_exactly (in, size);

  buf_add_text (&b, "before");
  if (json_canonical (&b, copy, size, &err) != TALLY_INVALID)
    fail_msg ("%s: taken", in);
  assert_int_equal (err.status, TALLY_INVALID);
  assert_int_equal (json_canonical (&b, copy, size, NULL), TALLY_INVALID);
  if (message)
    assert_string_equal (err.text, message);
  assert_int_equal (strncmp (err.text, "column ", 7) == 0
                        || strncmp (err.text, "line ", 5) == 0,
                    1);
  assert_int_equal (b.size, 6);
  assert_memory_equal (b.data, "before", 6);
  assert_false (json_is_canonical (copy, size));
  free (copy);
  buf_free (&b);
}

static void
test_taken (void **state)
{
  static const struct pair pairs[] = {
    { "null", "null" },
    { " true\n", "true" },
    { "\t\r\n false", "false" },
    { "\"\"", "\"\"" },
    { "[]", "[]" },
    { "{}", "{}" },
    { " [ ] ", "[]" },
    { "{ \t}", "{}" },
    { "[[],{}]", "[[],{}]" },
    { "[ 1 , 2 ]", "[1,2]" },
    { "{ \"a\" : 1 }", "{\"a\":1}" },
    { "{\"\":0}", "{\"\":0}" },
    { "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
    { "{\"b\":{\"z\":[],\"y\":{}},\"a\":2}",
      "{\"a\":2,\"b\":{\"y\":{},\"z\":[]}}" },
    { "[{\"b\":1,\"a\":2},{\"b\":1}]", "[{\"a\":2,\"b\":1},{\"b\":1}]" },
    { "{\"aa\":1,\"a\":2,\"B\":3}", "{\"B\":3,\"a\":2,\"aa\":1}" },
    /* numbers keep their digits */
    { "0", "0" },
    { "-0", "-0" },
    { "0.10", "0.10" },
    { "1E+05", "1E+05" },
    { "9007199254740993", "9007199254740993" },
    { "1e-9999", "1e-9999" },
    { "0.1000000000000000055511151231257827",
      "0.1000000000000000055511151231257827" },
    /* escapes */
    { "\"\\/\"", "\"/\"" },
    { "\"\\u0041\"", "\"A\"" },
    { "\"\\u00e9\\u20AC\"", "\"\xc3\xa9\xe2\x82\xac\"" },
    { "\"\\ud83c\\udf89\"", "\"\xf0\x9f\x8e\x89\"" },
    { "\"\\uDBFF\\uDFFF\"", "\"\xf4\x8f\xbf\xbf\"" },
    { "\"\\u0022\\u005c\\u002F\"", "\"\\\"\\\\/\"" },
    { "\"\\u0008\\u000C\\u000a\\u000d\\u0009\"", "\"\\b\\f\\n\\r\\t\"" },
    { "\"\\u0008\"", "\"\\b\"" },
    { "\"\\u0009\"", "\"\\t\"" },
    { "\"\\u000a\"", "\"\\n\"" },
    { "\"\\u000c\"", "\"\\f\"" },
    { "\"\\u000d\"", "\"\\r\"" },
    { "\"\\u000B\"", "\"\\u000b\"" },
    { "\"\\u0000\\u001F\\u000B\\u007f\"", "\"\\u0000\\u001f\\u000b\x7f\"" },
    { "\"\\b\\f\\n\\r\\t\\\"\\\\\"", "\"\\b\\f\\n\\r\\t\\\"\\\\\"" },
    { "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\"",
      "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\"" },
    { "\"\xf0\x90\x80\x80\xef\xbf\xbf\"", "\"\xf0\x90\x80\x80\xef\xbf\xbf\"" },
    { "{\"\\u0062\":1,\"\\u0061\":2}", "{\"a\":2,\"b\":1}" },
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
    check_taken (pairs[i].in, strlen (pairs[i].in), pairs[i].out,
                 strlen (pairs[i].out));
}

static void
test_refused (void **state)
{
  static const char *const texts[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "tru e",
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "'a'",
    "\"a",
    "\"",
    "\"\\\"",
    "\"a\\",
    "\"\\u",
    "\"\\u00",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1,,2]",
    "[}",
    "{",
    "}",
    "{]",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\" 1}",
    "{\"a\",1}",
    "{a:1}",
    "{1:1}",
    "{\"a\"::1}",
    "{\"a\":1 \"b\":2}",
    "{null:1}",
    "[\"a\":1]",
    "1 2",
    "{}{}",
    "[]]",
    "{}}",
    "null,",
    "[1]x",
    "//",
    "[1/**/]",
    "#",
    /* numbers */
    "+1",
    "01",
    "-01",
    "00",
    "-",
    "1.",
    ".5",
    "-.5",
    "1.e1",
    "1e",
    "1e+",
    "1e-",
    "1E+-1",
    "0x10",
    "1_000",
    "1,0",
    "--1",
    "1.2.3",
    "1e1.5",
    "1e1e1",
    "\xef\xbc\x91",
    "1e999",
    "-1e999",
    "[1e309]",
    /* strings */
    "\"\\a\"",
    "\"\\'\"",
    "\"\\x41\"",
    "\"\\0\"",
    "\"\\U0041\"",
    "\"\\u004\"",
    "\"\\u004g\"",
    "\"\\u+041\"",
    "\"\\u 041\"",
    "\"\n\"",
    "\"\t\"",
    "\"\x01\"",
    "\"\x1f\"",
    "\"\\\n\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud83cx\"",
    "\"\\ud83c\\n\"",
    "\"\\ud83c\\ud83c\"",
    "\"\\udf89\\ud83c\"",
    "\"\\ud83c\\u0041\"",
    /* UTF-8: loose ends, overlong, surrogates, too high, a byte order mark */
    "\"\x80\"",
    "\"\xbf\"",
    "\"\xc3\"",
    "\"\xc3(\"",
    "\"\xe2\x82\"",
    "\"\xe2(\xa1\"",
    "\"\xf0\x9f\x8e\"",
    "\"\xc0\x80\"",
    "\"\xc1\xbf\"",
    "\"\xe0\x80\x80\"",
    "\"\xe0\x9f\xbf\"",
    "\"\xf0\x80\x80\x80\"",
    "\"\xf0\x8f\xbf\xbf\"",
    "\"\xed\xa0\x80\"",
    "\"\xed\xbf\xbf\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xfe\"",
    "\"\xff\"",
    "\xef\xbb\xbf{}",
    "{\"\xff\":1}",
    "\xc2\xa0null",
    "\x0bnull",
    /* duplicates, next to each other and not, in any disguise */
    "{\"a\":1,\"a\":1}",
    "{\"a\":1,\"b\":2,\"a\":3}",
    "{\"\":1,\"\":2}",
    "{\"b\":1,\"a\":2,\"b\":3}",
    "{\"a\":1,\"\\u0061\":1}",
    "{\"/\":1,\"\\/\":1}",
    "[{\"x\":{\"a\":0,\"a\":0}}]",
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof texts / sizeof *texts; i++)
    check_refused (texts[i], strlen (texts[i]), NULL);
  check_refused ("\"a\0b\"", 5, NULL);
  check_refused ("{}\0", 3, NULL);
  check_refused ("\0", 1, NULL);
}

static void
test_messages (void **state)
{
  static const struct pair pairs[] = {
    { "", "column 1: expected a value, found the end" },
    { "{\"b\":1,\"a\":2,\"b\":3}", "column 14: duplicate member \"b\"" },
    { "{\"b\":1,\"c\":0,\"a\":2,\"b\":3}",
      "column 20: duplicate member \"b\"" },
    { "{\"a\":1,\n \"a\":2}", "line 2, column 2: duplicate member \"a\"" },
    { "{\"a\":1 \"b\"}", "column 8: expected ',' or '}', found '\"'" },
    { "[1,\n2,\n\x01]",
      "line 3, column 1: expected a value, found byte 0x01" },
    { "{} x", "column 4: expected the end, found 'x'" },
    { "{\"a\" 1}", "column 6: expected ':', found '1'" },
    { "{a", "column 2: expected a member name, found 'a'" },
    { "[1e999]", "column 2: number beyond the range of a double" },
    { "[01]", "column 2: bad number" },
    { "[\"\xff\"]", "column 3: bad UTF-8 in a string" },
    { "[\"a", "column 2: the string has no end" },
    { "\"\\ud800\"", "column 2: lone surrogate in a string" },
    { "\"\\q\"", "column 2: bad escape in a string" },
    { "\"\n\"", "column 2: control character 0x0a in a string" },
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
    check_refused (pairs[i].in, strlen (pairs[i].in), pairs[i].out);
}

/* opening and closing are one character or one beginning of a member. */
static void
check_depth (const char *opening, const char *closing, size_t levels)
{
  struct buf b = BUF_INIT;
  size_t i;

  for (i = 0; i < levels; i++)
    buf_add_text (&b, opening);
  buf_add_text (&b, "[]");
  for (i = 0; i < levels; i++)
    buf_add_text (&b, closing);
  assert_false (b.failed);
  if (levels < JSON_DEPTH_MAX)
    check_taken (b.data, b.size, b.data, b.size);
  else
    check_refused (b.data, b.size, NULL);
  buf_free (&b);
}

static void
test_depth (void **state)
{
  size_t levels;

  (void) state;
  for (levels = 60; levels < 70; levels++) {
    check_depth ("[", "]", levels);
    check_depth ("{\"a\":", "}", levels);
    check_depth ("[0,", "]", levels);
  }
  check_depth ("[", "]", 1000000);
}

/* ---- order ------------------------------------------------------------- */

static void
add_members (struct buf *b, size_t first, size_t step)
{
  size_t i;

  buf_add_byte (b, '{');
  for (i = 0; i < ORDERED_KEYS; i++)
    buf_addf (b, "%s\"%s\":%d", i > 0 ? "," : "",
              ordered_keys[(first + i * step) % ORDERED_KEYS], 1);
  buf_add_byte (b, '}');
}

static void
test_sorts_by_decoded_keys (void **state)
{
  struct buf sorted = BUF_INIT, b = BUF_INIT;
  size_t first, step;

  (void) state;
  assert_int_equal (ORDERED_KEYS, 39); /* with 3 and 13, all its divisors */
  add_members (&sorted, 0, 1);
  for (first = 0; first < ORDERED_KEYS; first++)
    for (step = 1; step < ORDERED_KEYS; step++)
      if (step % 3 != 0 && step % 13 != 0) {
        buf_clear (&b);
        add_members (&b, first, step);
        check_taken (b.data, b.size, sorted.data, sorted.size);
      }
  buf_free (&b);
  buf_free (&sorted);
}

/* Keys with a long common beginning, in an order without runs. */
static void
test_many_members (void **state)
{
  const unsigned n = 100003, prime = 61;
  struct buf in = BUF_INIT, out = BUF_INIT;
  unsigned i;

  (void) state;
  for (i = 0; i < n; i++) {
    buf_addf (&in, "%c\"common beginning %06u\":%u", i > 0 ? ',' : '{',
              i * prime % n, i * prime % n);
    buf_addf (&out, "%c\"common beginning %06u\":%u", i > 0 ? ',' : '{', i, i);
  }
  buf_add_byte (&out, '}');
  buf_add_byte (&in, '}');
  check_taken (in.data, in.size, out.data, out.size);

  in.size--;
  buf_add_text (&in, ",\"common beginning 000061\":0}");
  check_refused (in.data, in.size, NULL);
  buf_free (&in);
  buf_free (&out);
}

/* Depth times size must stay cheap, too. */
static void
test_unsorted_all_the_way_down (void **state)
{
  struct buf in = BUF_INIT, out = BUF_INIT;
  int i;

  (void) state;
  for (i = 0; i < 63; i++) {
    buf_add_text (&in, "{\"b\":");
    buf_add_text (&out, "{\"a\":0,\"b\":");
  }
  buf_addf (&in, "\"%01000000d\"", 0);
  buf_addf (&out, "\"%01000000d\"", 0);
  for (i = 0; i < 63; i++) {
    buf_add_text (&in, ",\"a\":0}");
    buf_add_text (&out, "}");
  }
  check_taken (in.data, in.size, out.data, out.size);
  buf_free (&in);
  buf_free (&out);
}

static void
test_no_memory (void **state)
{
  struct tally_error err = { 0, "" };
  struct buf b = BUF_INIT;

  (void) state;
  b.failed = true;
  assert_int_equal (json_canonical (&b, "{}", 2, &err), TALLY_FAILED);
  assert_string_equal (err.text, "out of memory");
  assert_int_equal (json_canonical (&b, "{\"b\":1,\"a\":1}", 13, &err),
                    TALLY_FAILED);
  assert_int_equal (json_canonical (&b, " 1", 2, &err), TALLY_FAILED);
  assert_null (b.data);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_taken),
    cmocka_unit_test (test_refused),
    cmocka_unit_test (test_messages),
    cmocka_unit_test (test_depth),
    cmocka_unit_test (test_sorts_by_decoded_keys),
    cmocka_unit_test (test_many_members),
    cmocka_unit_test (test_unsorted_all_the_way_down),
    cmocka_unit_test (test_no_memory),
  };

  return cmocka_run_group_tests_name ("json", tests, NULL, NULL);
}
