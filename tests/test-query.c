/* SPDX-License-Identifier: MIT */
/* Queries: what is one, what matches, the order of values, and the fields
 * that are sorted by and shown. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/query.h"
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
    { "{\"$or\":[]}", "$or" },
    { "{\"a\":{\"$get\":1}}", "did you mean \"$gt\"" },
    { "{\"a\":{\"$qqqqqqq\":1}}", "$qqqqqqq" },
    { "{\"a\":{\"$gt\":1,\"b\":2}}", "operators and fields" },
    { "{\"a.b\":1}", "a.b" },
    { "{\"a\\u002eb\":1}", "a.b" },
    { "{\"a\":{\"$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}}",
      "unknown operator" },
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

static bool
match (const char *text, const char *document)
{
  struct tally_error err = { 0, "" };
  struct query *query;
  bool matches;

  if (query_parse (&query, text, &err) != TALLY_OK)
    fail_msg ("%s: %s", text, err.text);
  matches = query_match (query, slice_text (document));
  query_free (query);
  return matches;
}

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
    { "{\"l\":1}", false },
    { "{\"o\":{\"k\":1}}", true },
    { "{\"o\":{}}", false },
    { "{\"o\":{\"$ne\":{}}}", true },
    { "{\"o\":{\"$eq\":{\"k\":1.0}}}", true },
    { "{\"a\":1.5}", false }, /* names are exact */
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (match (rows[i].query, document) != rows[i].matches)
      fail_msg ("%s: not %d", rows[i].query, rows[i].matches);
  query_free (NULL);
}

static void
test_no_query_matches_all (void **state)
{
  (void) state;
  assert_true (match (NULL, "{\"_id\":\"x\"}"));
}

static void
test_escaped_names (void **state)
{
  static const char document[] = "{\"\\u0001\":1,\"_id\":\"x\",\"q\\\"\":2}";

  (void) state;
  assert_true (match ("{\"q\\u0022\":2}", document));
  assert_true (match ("{\"\\u0001\":{\"$lt\":2}}", document));
  assert_false (match ("{\"q\":2}", document));
}

/* ---- the order of values ------------------------------------------------ */

/* In rising order; those in one row are equal. */
static const char *const ladder[][3] = {
  { NULL },
  { "null" },
  { "-1e300" },
  { "-1" },
  { "0", "-0", "0.0" },
  { "1e-300" },
  { "1", "1.0", "10e-1" },
  { "9007199254740992" },
  { "9007199254740993" },
  { "\"\"" },
  { "\"\\u0001\"" },
  { "\"\\\"\"" },
  { "\"A\"" },
  { "\"a\"" },
  { "\"a\\\\\"" },
  { "\"aa\"" },
  { "\"\xc3\xa9\"" },
  { "false" },
  { "true" },
  { "[]" },
  { "[null]" },
  { "[1]", "[1.0]" },
  { "[1,1]" },
  { "[2]" },
  { "[[]]" },
  { "{}" },
  { "{\"a\":1}", "{\"a\":1.0}" },
  { "{\"a\":1,\"b\":1}" },
  { "{\"a\":2}" },
  { "{\"b\":0}" },
};

static int
sign (int order)
{
  return (order > 0) - (order < 0);
}

static void
test_value_order (void **state)
{
  size_t n = sizeof ladder / sizeof *ladder;

  (void) state;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t k = 0; k < 3; k++)
        for (size_t l = 0; l < 3; l++) {
          const char *x = ladder[i][k], *y = ladder[j][l];
          int order = (i > j) - (i < j);

          /* Only the first may be missing. */
          if ((!x && (i || k)) || (!y && (j || l)))
            continue;
          if (sign (query_value_cmp (slice_text (x), slice_text (y))) != order)
            fail_msg ("%s and %s: not %d", x ? x : "missing",
                      y ? y : "missing", order);
        }
}

/* ---- fields ------------------------------------------------------------- */

static void
parse_fields (struct field_list *out, const char *text, bool signs)
{
  struct tally_error err = { 0, "" };

  if (field_list_parse (out, text, signs, &err) != TALLY_OK)
    fail_msg ("%s: %s", text, err.text);
}

static void
test_field_lists (void **state)
{
  static const char *const bad[] = { "",  ",",   "a,",   ",a",  "a,,b",
                                     "-", "a,-", "\xff", "a.b", "a,-b.c" };
  struct field_list list;
  struct tally_error err;

  (void) state;
  parse_fields (&list, NULL, true);
  assert_int_equal (list.count, 0);
  parse_fields (&list, "a,-b,q\"", true);
  assert_int_equal (list.count, 3);
  assert_false (list.fields[0].descending);
  assert_true (list.fields[1].descending);
  assert_true (
      slice_equal (buf_slice (&list.fields[1].key), slice_text ("b")));
  assert_true (
      slice_equal (buf_slice (&list.fields[2].key), slice_text ("q\\\"")));
  field_list_free (&list);
  parse_fields (&list, "-b", false);
  assert_true (
      slice_equal (buf_slice (&list.fields[0].key), slice_text ("-b")));
  field_list_free (&list);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal (field_list_parse (&list, bad[i], true, &err),
                      TALLY_INVALID);
    field_list_free (&list);
  }
}

static void
assert_order (const char *sort, const char *a, const char *b, int order)
{
  struct field_list list;

  parse_fields (&list, sort, true);
  assert_int_equal (
      sign (field_list_cmp (&list, slice_text (a), slice_text (b))), order);
  assert_int_equal (
      sign (field_list_cmp (&list, slice_text (b), slice_text (a))), -order);
  field_list_free (&list);
}

static void
test_sorting (void **state)
{
  static const char one[] = "{\"_id\":\"1\",\"a\":1,\"b\":2}";
  static const char two[] = "{\"_id\":\"2\",\"a\":1,\"b\":10}";
  static const char three[] = "{\"_id\":\"3\",\"b\":10}";

  (void) state;
  assert_order ("a", one, two, 0);
  assert_order ("a,b", one, two, -1);
  assert_order ("a,-b", one, two, 1);
  assert_order ("a", three, one, -1);
  assert_order ("-a", three, one, 1);
  assert_order ("_id", three, one, 1);
  assert_order (NULL, three, one, 0);
}

static void
assert_project (const char *fields, const char *document, const char *expected)
{
  struct field_list list;
  struct buf out = BUF_INIT;

  parse_fields (&list, fields, false);
  field_list_project (&list, &out, slice_text (document));
  assert_true (slice_equal (buf_slice (&out), slice_text (expected)));
  buf_free (&out);
  field_list_free (&list);
}

static void
test_projecting (void **state)
{
  static const char document[] =
      "{\"A\":[1],\"_id\":\"x\",\"a\":1.50,\"q\\\"\":{}}";

  (void) state;
  assert_project ("a", document, "{\"_id\":\"x\",\"a\":1.50}");
  assert_project ("q\",A", document, "{\"A\":[1],\"_id\":\"x\",\"q\\\"\":{}}");
  assert_project ("_id", document, "{\"_id\":\"x\"}");
  assert_project ("gone", document, "{\"_id\":\"x\"}");
}

/* ---- anything ----------------------------------------------------------- */

/* Never a crash, whatever stands in a query. */
static void
test_mutated (void **state)
{
  static const char valid[] =
      "{\"a\":{\"$gt\":1,\"$lte\":[true,null]},\"b\\u0022\":\"c\"}";
  static const char document[] = "{\"_id\":\"x\",\"a\":2,\"b\\\"\":\"c\"}";
  struct rng rng = rng_start ("mutated");
  unsigned taken = 0;

  (void) state;
  for (unsigned i = 0; i < 100000; i++) {
    char text[sizeof valid];
    struct tally_error err;
    struct query *query;

    memcpy (text, valid, sizeof text);
    for (unsigned n = 1 + rng_below (&rng, 3); n > 0; n--)
      text[rng_below (&rng, sizeof text - 1)] =
          rng_one_in (&rng, 2) ? valid[rng_below (&rng, sizeof valid)]
                               : (char) rng_next (&rng);
    if (query_parse (&query, text, &err) != TALLY_OK)
      continue;
    taken++;
    query_match (query, slice_text (document));
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
    cmocka_unit_test (test_value_order),
    cmocka_unit_test (test_field_lists),
    cmocka_unit_test (test_sorting),
    cmocka_unit_test (test_projecting),
    cmocka_unit_test (test_mutated),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
