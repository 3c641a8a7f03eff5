/* SPDX-License-Identifier: MIT */
/* The order of values, by comparison and by key, and the fields that are
 * sorted by and shown. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../core/fields.h"
#include "../core/value.h"

/* ---- the order of values ------------------------------------------------ */

/* In rising order; those in one row are equal. */
static const char *const ladder[][3] = {
  { NULL },
  { "null" },
  { "-1e300" },
  { "-9007199254740993", "-9007199254740993.000" },
  { "-9007199254740992" },
  { "-12.5" },
  { "-1" },
  { "-0.5", "-50e-2" },
  { "-1e-20000" },
  { "0", "-0", "0.0" },
  { "1e-99999999999999999999" },
  { "1e-16001" },
  { "1e-16000" },
  { "1e-300" },
  { "0.99" },
  { "1", "1.0", "10e-1" },
  { "1.01" },
  { "1.1" },
  { "10" },
  { "11" },
  { "99" },
  { "100", "1e2", "0.1e3" },
  { "9007199254740992" },
  { "9007199254740993" },
  { "\"\"" },
  { "\"\\u0000\"" },
  { "\"\\u0000\\u0001\"" },
  { "\"\\u0001\"" },
  { "\"\\u0001\\u0000\"" },
  { "\"\\u0002\"" },
  { "\"\\\"\"" },
  { "\"A\"" },
  { "\"a\"" },
  { "\"a\\\\\"" },
  { "\"aa\"" },
  { "\"\xc3\xa9\"" },
  { "false" },
  { "true" },
  { "{\"$$date\":-5}" },
  { "{\"$$date\":5}", "{\"$$date\":5.0}" },
  { "{\"$$date\":10}" },
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

/* By their keys, of which none may be the beginning of another one. */
static int
key_cmp (const char *a, const char *b)
{
  struct buf x = BUF_INIT, y = BUF_INIT;
  size_t common;
  int order;

  valuekey_add (&x, slice_text (a));
  valuekey_add (&y, slice_text (b));
  common = x.size < y.size ? x.size : y.size;
  order = slice_cmp (buf_slice (&x), buf_slice (&y));
  assert_true (order == 0 || memcmp (x.data, y.data, common) != 0);
  assert_true (x.data[0] >= VALUEKEY_TAG (VALUE_MISSING)
               || (unsigned char) x.data[0] >= VALUEKEY_TAG (VALUE_MISSING));
  buf_free (&x);
  buf_free (&y);
  return order;
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
          if (sign (value_cmp (slice_text (x), slice_text (y))) != order
              || sign (key_cmp (x, y)) != order)
            fail_msg ("%s and %s: not %d", x ? x : "missing",
                      y ? y : "missing", order);
        }
}

/* ---- fields ------------------------------------------------------------- */

static void
parse_sort (struct field_list *out, const char *text)
{
  struct tally_error err = { 0, "" };

  if (field_list_parse_sort (out, text, &err) != TALLY_OK)
    fail_msg ("%s: %s", text, err.text);
}

static void
test_field_lists (void **state)
{
  static const char *const bad[] = { "",  ",",   "a,",   ",a",   "a,,b",
                                     "-", "a,-", "\xff", "a..b", "a,-b." };
  struct field_list list;
  struct tally_error err;

  (void) state;
  parse_sort (&list, NULL);
  assert_int_equal (list.count, 0);
  parse_sort (&list, "a,-b,q\"");
  assert_int_equal (list.count, 3);
  assert_false (list.fields[0].descending);
  assert_true (list.fields[1].descending);
  assert_true (
      slice_equal (buf_slice (&list.fields[1].path.text), slice_text ("b")));
  assert_true (slice_equal (buf_slice (&list.fields[2].path.text),
                            slice_text ("q\\\"")));
  field_list_free (&list);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal (field_list_parse_sort (&list, bad[i], &err),
                      TALLY_INVALID);
    field_list_free (&list);
  }
}

static void
assert_order (const char *sort, const char *a, const char *b, int order)
{
  struct field_list list;
  struct buf x = BUF_INIT, y = BUF_INIT;

  parse_sort (&list, sort);
  field_list_key (&list, slice_text (a), &x);
  field_list_key (&list, slice_text (b), &y);
  assert_int_equal (sign (slice_cmp (buf_slice (&x), buf_slice (&y))), order);
  buf_free (&x);
  buf_free (&y);
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
test_sorting_by_paths (void **state)
{
  (void) state;
  assert_order ("a.b", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", -1);
  assert_order ("-a.b", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", 1);
  assert_order ("a.b", "{\"a\":5}", "{}", 0);
  assert_order ("a.b", "{\"a\":5}", "{\"a\":{\"b\":null}}", -1);
  assert_order ("a.1", "{\"a\":[9,1]}", "{\"a\":[0,2]}", -1);
  assert_order ("a.1.b", "{\"a\":[9,{\"b\":1}]}", "{\"a\":[9]}", 1);
  /* An array sorts as an array. */
  assert_order ("a", "{\"a\":[1]}", "{\"a\":true}", 1);
  assert_order ("a", "{\"a\":[1]}", "{\"a\":{}}", -1);
  assert_order ("a", "{\"a\":[1,5]}", "{\"a\":[1,4,9]}", 1);
  /* As does what stands in the objects of one. */
  assert_order ("a.b", "{\"a\":[{\"b\":1},{\"b\":3}]}",
                "{\"a\":[{\"b\":1},{\"b\":2},{}]}", 1);
  assert_order ("a.b", "{\"a\":[{\"b\":1}]}", "{\"a\":{\"b\":9}}", 1);
  assert_order ("a,b", "{\"a\":\"x\",\"b\":1}", "{\"a\":\"xy\",\"b\":0}", -1);
  assert_order ("-a,b", "{\"a\":\"x\",\"b\":1}", "{\"a\":\"xy\",\"b\":0}", 1);
}

static void
assert_project (const char *fields, const char *document, const char *expected)
{
  struct field_list list;
  struct buf out = BUF_INIT;
  struct tally_error err = { 0, "" };

  if (field_list_parse_shown (&list, fields, &err) != TALLY_OK)
    fail_msg ("%s: %s", fields, err.text);
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
  assert_project ("-_id,a", document, "{\"a\":1.50}");
}

static void
test_projecting_all_others (void **state)
{
  static const char document[] =
      "{\"_id\":\"x\",\"a\":{\"b\":1,\"c\":{\"d\":2}},\"l\":[{\"b\":1,"
      "\"c\":2},7,[{\"b\":4}]],\"s\":5}";
  static const char *const bad[] = { "a,-b", "-a,b", "-", "-a,,-b" };
  struct field_list list;
  struct tally_error err;

  (void) state;
  assert_project ("-a,-l", document, "{\"_id\":\"x\",\"s\":5}");
  assert_project ("-a.b,-l.b,-s.x", document,
                  "{\"_id\":\"x\",\"a\":{\"c\":{\"d\":2}},"
                  "\"l\":[{\"c\":2},7,[{}]],\"s\":5}");
  assert_project ("-a.c.d,-a.c,-l", document,
                  "{\"_id\":\"x\",\"a\":{\"b\":1},\"s\":5}");
  assert_project ("-_id,-a,-l", document, "{\"s\":5}");
  assert_project ("-gone", document, document);
  assert_project ("-_id", "{\"_id\":\"x\",\"a\":1}", "{\"a\":1}");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal (field_list_parse_shown (&list, bad[i], &err),
                      TALLY_INVALID);
    field_list_free (&list);
  }
}

static void
test_projecting_paths (void **state)
{
  static const char document[] =
      "{\"_id\":\"x\",\"a\":{\"b\":1,\"c\":{\"d\":2,\"e\":3}},\"l\":[{\"b\":1,"
      "\"c\":2},7,{\"c\":3},[{\"b\":4}]],\"s\":5}";

  (void) state;
  assert_project ("a.b", document, "{\"_id\":\"x\",\"a\":{\"b\":1}}");
  assert_project ("a.c.e,a.b", document,
                  "{\"_id\":\"x\",\"a\":{\"b\":1,\"c\":{\"e\":3}}}");
  assert_project ("a.c.e,a", document,
                  "{\"_id\":\"x\",\"a\":{\"b\":1,\"c\":{\"d\":2,\"e\":3}}}");
  assert_project ("a.gone", document, "{\"_id\":\"x\",\"a\":{}}");
  assert_project ("s.b", document, "{\"_id\":\"x\"}");
  assert_project ("l.b", document,
                  "{\"_id\":\"x\",\"l\":[{\"b\":1},{},[{\"b\":4}]]}");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_value_order),
    cmocka_unit_test (test_field_lists),
    cmocka_unit_test (test_sorting),
    cmocka_unit_test (test_sorting_by_paths),
    cmocka_unit_test (test_projecting),
    cmocka_unit_test (test_projecting_paths),
    cmocka_unit_test (test_projecting_all_others),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
