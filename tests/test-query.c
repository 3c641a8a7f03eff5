/* SPDX-License-Identifier: MIT */
/* Queries: what is one, what matches, and what a hostile one can do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "query-kit.h"
#include "rng.h"

/* ---- parsing ------------------------------------------------------------ */

static void
test_refused (void **state)
{
  static const struct {
    const char *text;
    const char *why; /* must be in the message */
  } rows[] = {
    { "", "query: " },
    { "{", "query: " },
    { "[]", "not an object" },
    { "7", "not an object" },
    { "{\"a\":1,\"a\":2}", "query: " },
    { "{} {}", "query: " },
    { "{\"$gt\":1}", "$gt" },
    { "{\"$where\":1}", "$where" },
    { "{\"a\":{\"$get\":1}}", "did you mean \"$gt\"" },
    { "{\"a\":{\"$qqqqqqq\":1}}", "$qqqqqqq" },
    { "{\"a\":{\"$gt\":1,\"b\":2}}", "operators and fields" },
    { "{\"a..b\":1}", "empty name" },
    { "{\".a\":1}", "empty name" },
    { "{\"a.\":1}", "empty name" },
    { "{\"\":1}", "empty name" },
    { "{\"a\":{\"$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}}",
      "unknown operator" },
    { "{\"$or\":[]}", "at least one" },
    { "{\"$and\":[]}", "at least one" },
    { "{\"$nor\":[]}", "at least one" },
    { "{\"$or\":{}}", "array of queries" },
    { "{\"$or\":[1]}", "array of queries" },
    { "{\"$or\":[{\"$and\":1}]}", "array of queries" },
    { "{\"$not\":[]}", "takes a query" },
    { "{\"a\":{\"$in\":1}}", "takes an array" },
    { "{\"a\":{\"$in\":[{\"$gt\":1}]}}", "an operator among" },
    { "{\"a\":{\"$nin\":{}}}", "takes an array" },
    { "{\"a\":{\"$all\":1}}", "takes an array" },
    { "{\"a\":{\"$all\":[{\"$gt\":1}]}}", "$elemMatch alone" },
    { "{\"a\":{\"$size\":-1}}", "whole number" },
    { "{\"a\":{\"$size\":1.5}}", "whole number" },
    { "{\"a\":{\"$size\":0.1}}", "whole number" },
    { "{\"a\":{\"$size\":1e300}}", "whole number" },
    { "{\"a\":{\"$size\":\"1\"}}", "takes a number" },
    { "{\"a\":{\"$type\":\"strin\"}}", "a type" },
    { "{\"a\":{\"$type\":99}}", "a type" },
    { "{\"a\":{\"$type\":[]}}", "a type" },
    { "{\"a\":{\"$type\":[2,\"x\"]}}", "a type" },
    { "{\"a\":{\"$elemMatch\":1}}", "takes an object" },
    { "{\"a\":{\"$not\":1}}", "takes operators" },
    { "{\"a\":{\"$not\":{\"b\":1}}}", "takes operators" },
    { "{\"a\":{\"$regex\":1}}", "takes a string" },
    { "{\"a\":{\"$regex\":\"(\"}}", "$regex: at character" },
    { "{\"a\":{\"$regex\":\"\\\\C\"}}", "$regex: at character" },
    { "{\"a\":{\"$regex\":\"a\",\"$options\":\"g\"}}", "$options" },
    { "{\"a\":{\"$regex\":\"a\",\"$options\":1}}", "$options" },
    { "{\"a\":{\"$options\":\"i\"}}", "no $regex" },
    { "{\"a\":{\"$and\":[]}}", "does not stand here" },
    { "{\"$gt\":1}", "does not stand here" },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct tally_error err = { 0, "" };
    struct query *query;

    assert_int_equal (query_parse (&query, rows[i].text, &err), TALLY_INVALID);
    assert_null (query);
    assert_int_equal (err.status, TALLY_INVALID);
    if (!strstr (err.text, rows[i].why))
      fail_msg ("%s: %s", rows[i].text, err.text);
  }
}

/* ---- matching ----------------------------------------------------------- */

static void
test_matching (void **state)
{
  static const char document[] =
      "{\"A\":1.50,\"_id\":\"x\",\"big\":9007199254740993,\"l\":[1,\"b\"],"
      "\"n\":null,\"o\":{\"k\":1},\"s\":\"b\\\"\",\"t\":true}";
  static const struct {
    const char *query;
    bool matches;
  } rows[] = {
    { "{}", true },
    { "{\"_id\":\"x\"}", true },
    { "{\"_id\":\"y\"}", false },
    { "{ \"_id\" : \"x\", \"A\" : 1.5 }", true },
    { "{\"_id\":\"x\",\"A\":2}", false },
    { "{\"A\":15e-1}", true },
    { "{\"A\":\"1.5\"}", false },
    { "{\"big\":9007199254740993}", true },
    { "{\"big\":9007199254740992}", false },
    { "{\"big\":{\"$gt\":9007199254740992}}", true },
    { "{\"big\":{\"$lt\":9007199254740993.5}}", true },
    { "{\"A\":{\"$gt\":1,\"$lt\":2}}", true },
    { "{\"A\":{\"$gt\":1.5}}", false },
    { "{\"A\":{\"$gte\":1.500}}", true },
    { "{\"A\":{\"$lte\":1.5}}", true },
    { "{\"A\":{\"$lt\":1.5}}", false },
    { "{\"A\":{\"$ne\":1.5}}", false },
    { "{\"A\":{\"$ne\":2}}", true },
    { "{\"A\":{\"$eq\":1.5}}", true },
    { "{\"A\":{\"$gt\":\"0\"}}", false }, /* another type */
    { "{\"A\":{\"$lt\":\"9\"}}", false },
    { "{\"s\":{\"$gt\":\"b\"}}", true },
    { "{\"s\":\"b\\u0022\"}", true },
    { "{\"n\":null}", true },
    { "{\"gone\":null}", true },
    { "{\"gone\":1}", false },
    { "{\"gone\":{\"$ne\":1}}", true },
    { "{\"gone\":{\"$ne\":null}}", false },
    { "{\"gone\":{\"$lt\":1}}", false },
    { "{\"t\":true}", true },
    { "{\"t\":{\"$gt\":false}}", true },
    { "{\"l\":[1.0,\"b\"]}", true },
    { "{\"l\":[1]}", false },
    { "{\"l\":1}", true },
    { "{\"o\":{\"k\":1}}", true },
    { "{\"o\":{}}", false },
    { "{\"o\":{\"$ne\":{}}}", true },
    { "{\"o\":{\"$eq\":{\"k\":1.0}}}", true },
    { "{\"a\":1.5}", false }, /* names are exact */
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (query_matches (rows[i].query, document) != rows[i].matches)
      fail_msg ("%s: not %d", rows[i].query, rows[i].matches);
  query_free (NULL);
}

static void
test_no_query_matches_all (void **state)
{
  (void) state;
  assert_true (query_matches (NULL, "{\"_id\":\"x\"}"));
}

static void
test_escaped_names (void **state)
{
  static const char document[] = "{\"\\u0001\":1,\"_id\":\"x\",\"q\\\"\":2}";

  (void) state;
  assert_true (query_matches ("{\"q\\u0022\":2}", document));
  assert_true (query_matches ("{\"\\u0001\":{\"$lt\":2}}", document));
  assert_false (query_matches ("{\"q\":2}", document));
}

/* ---- limits ------------------------------------------------------------- */

static int64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
assert_gives_up (const char *pattern, char of, size_t size)
{
  char text[256];
  char *document = malloc (size + 16);
  struct tally_error err = { 0, "" };
  struct query *query;
  int64_t began = now_ms ();
  bool matches;

  snprintf (text, sizeof text, "{\"a\":{\"$regex\":\"%s\"}}", pattern);
  assert_int_equal (query_parse (&query, text, &err), TALLY_OK);
  memcpy (document, "{\"a\":\"", 6);
  memset (document + 6, of, size);
  memcpy (document + 6 + size, "\"}", 3);
  assert_int_equal (query_match (query, slice_text (document), &matches, &err),
                    TALLY_INVALID);
  assert_false (matches);
  assert_non_null (strstr (err.text, "too many steps"));
  assert_true (now_ms () - began < 30000);
  query_free (query);
  free (document);
}

static void
test_slow_regexes (void **state)
{
  (void) state;
  assert_gives_up ("^(a+)+[bc]$", 'a', 64);
  assert_gives_up ("(a|aa)+[bc]$", 'a', 200);
  assert_gives_up ("(.*)*[0-9][xy]", 'a', 100);
  /* Each beginning is soon given up, but there are very many. */
  assert_gives_up ("[ab]*a[ab]*[cd]", 'a', 60000);
  assert_gives_up ("[ab]*a[ab]*[cd]", 'a', 1000000);
}

/* A match far into a long string, over what is searched at a time. */
static void
test_long_strings (void **state)
{
  size_t size = 100000;
  char *document = malloc (size + 16);
  struct tally_error err = { 0, "" };
  struct query *query;
  bool matches;

  (void) state;
  memcpy (document, "{\"a\":\"", 6);
  for (size_t i = 0; i < size; i += 2)
    memcpy (document + 6 + i, "\xc3\xa4", 2);
  memcpy (document + 6 + size - 3, "xyz\"}", 6);
  document[6 + size - 4] = 'w';
  query_parse (&query, "{\"a\":{\"$regex\":\"x(?=y)yz$\"}}", &err);
  assert_int_equal (query_match (query, slice_text (document), &matches, &err),
                    TALLY_OK);
  assert_true (matches);
  query_free (query);
  free (document);
}

/* Text of n times `item`, within `before` and `behind`. */
static char *
repeated (const char *before, const char *item, size_t n, const char *behind)
{
  size_t step = strlen (item), at = strlen (before);
  char *text = malloc (at + n * step + strlen (behind) + 1);

  strcpy (text, before);
  for (size_t i = 0; i < n; i++, at += step)
    memcpy (text + at, item, step);
  strcpy (text + at, behind);
  return text;
}

static void
assert_too_much (char *text, const char *why)
{
  struct tally_error err = { 0, "" };
  struct query *query;

  assert_int_equal (query_parse (&query, text, &err), TALLY_INVALID);
  if (!strstr (err.text, why))
    fail_msg ("%s", err.text);
  free (text);
}

static void
test_limits (void **state)
{
  struct tally_error err = { 0, "" };
  struct query *query;
  char *text;

  (void) state;
  assert_too_much (repeated ("{\"a\":{\"$in\":[1", ",1", 100000, "]}}"),
                   "$in: more than 100000 values");
  assert_too_much (repeated ("{\"$or\":[{}", ",{\"a\":1}", 1000, "]}"),
                   "more than 1000 conditions");
  assert_too_much (repeated ("", "{\"$and\":[", 64, ""), "64");
  assert_too_much (repeated ("{\"a", ".a", 64, "\":1}"), "64 names");
  assert_too_much (repeated ("{\"a\":\"", "x", QUERY_TEXT_MAX, "\"}"),
                   "larger than");
  assert_too_much (repeated ("{\"a\":{\"$regex\":\"", "x", 5000, "\"}}"),
                   "longer");
  assert_too_much (repeated ("{\"a\":{\"$regex\":\"", "(", 60, "\"}}"),
                   "$regex");
  assert_too_much (
      repeated ("{\"a\":{\"$regex\":\"", "(x{1,300}){1,300}", 20, "\"}}"),
      "$regex");
  text = repeated ("{\"a\":{\"$in\":[1", ",1", 99999, "]}}");
  assert_int_equal (query_parse (&query, text, &err), TALLY_OK);
  query_free (query);
  free (text);
}

/* ---- anything ----------------------------------------------------------- */

/* Never a crash, whatever stands in a query. */
static void
test_mutated (void **state)
{
  static const char valid[] =
      "{\"$or\":[{\"a\":{\"$gt\":1,\"$in\":[true,null]}}],\"b.0\":{\"$all\":"
      "[{\"$elemMatch\":{\"c\":{\"$regex\":\"^(x+)+\"}}}],\"$size\":1}}";
  static const char document[] =
      "{\"_id\":\"x\",\"a\":2,\"b\":[[{\"c\":\"xxy\"}]]}";
  struct rng rng = rng_start ("mutated");
  unsigned taken = 0;

  (void) state;
  for (unsigned i = 0; i < rng_tries (100000); i++) {
    char text[sizeof valid];
    struct tally_error err;
    struct query *query;
    bool matches;

    memcpy (text, valid, sizeof text);
    for (unsigned n = 1 + rng_below (&rng, 3); n > 0; n--)
      text[rng_below (&rng, sizeof text - 1)] =
          rng_one_in (&rng, 2) ? valid[rng_below (&rng, sizeof valid)]
                               : (char) rng_next (&rng);
    if (query_parse (&query, text, &err) != TALLY_OK)
      continue;
    taken++;
    query_match (query, slice_text (document), &matches, &err);
    query_free (query);
  }
  assert_int_not_equal (taken, 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_refused),
    cmocka_unit_test (test_matching),
    cmocka_unit_test (test_no_query_matches_all),
    cmocka_unit_test (test_escaped_names),
    cmocka_unit_test (test_slow_regexes),
    cmocka_unit_test (test_long_strings),
    cmocka_unit_test (test_limits),
    cmocka_unit_test (test_mutated),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
