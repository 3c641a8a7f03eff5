/* SPDX-License-Identifier: MIT */
/* Names, ids, and documents as they come in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/document.h"

static void
test_collection_names (void **state)
{
  static const struct {
    const char *name;
    bool good;
  } rows[] = {
    { "notes", true }, { "N", true },       { "_local", true },
    { "9", true },     { "a.b-c_d", true }, { "", false },
    { ".a", false },   { "-a", false },     { "a b", false },
    { "a/b", false },  { "a:b", false },    { "caf\xc3\xa9", false },
    { "a\n", false },  { "a\x7f", false },  { "\xff", false },
  };
  char name[COLLECTION_NAME_MAX + 2];
  struct tally_error err;

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal (collection_check (rows[i].name, &err),
                      rows[i].good ? TALLY_OK : TALLY_INVALID);
  memset (name, 'c', sizeof name);
  name[COLLECTION_NAME_MAX] = '\0';
  assert_int_equal (collection_check (name, &err), TALLY_OK);
  name[COLLECTION_NAME_MAX] = 'c';
  name[COLLECTION_NAME_MAX + 1] = '\0';
  assert_int_equal (collection_check (name, &err), TALLY_INVALID);
  assert_true (collection_is_local ("_x"));
  assert_false (collection_is_local ("x_"));
}

static void
assert_id (const char *id, size_t size, bool good)
{
  struct tally_error err;

  assert_int_equal (document_check_id (slice_make (id, size), &err),
                    good ? TALLY_OK : TALLY_INVALID);
}

static void
test_ids (void **state)
{
  char id[TALLY_ID_MAX + 1];

  (void) state;
  assert_id ("", 0, false);
  assert_id ("a", 1, true);
  assert_id (" ", 1, true);
  assert_id ("\"\\/", 3, true);
  assert_id ("\xe8\xae\xbe", 3, true);
  assert_id ("a\0b", 3, false);
  assert_id ("a\x7f", 2, false);
  for (char c = 0; c < 0x20; c++)
    assert_id (&c, 1, false);
  /* U+0080 to U+009F, and what is next to them. */
  for (int c = 0x80; c < 0xa0; c++)
    assert_id ((char[]){ 'a', '\xc2', (char) c }, 3, false);
  assert_id ("\xc2\xa0", 2, true);
  assert_id ("\xc3\x80", 2, true);
  assert_id ("\xe8\xae", 2, false);
  assert_id ("\xed\xa0\x80", 3, false);
  assert_id ("\xc0\xaf", 2, false);
  memset (id, 'i', sizeof id);
  assert_id (id, TALLY_ID_MAX, true);
  assert_id (id, TALLY_ID_MAX + 1, false);
}

static int
by_text (const void *a, const void *b)
{
  return strcmp (a, b);
}

static void
test_made_ids (void **state)
{
  char ids[2000][DOCUMENT_ID_MADE + 1];

  (void) state;
  for (size_t i = 0; i < 2000; i++) {
    document_make_id (ids[i]);
    assert_int_equal (strlen (ids[i]), DOCUMENT_ID_MADE);
    assert_int_not_equal (ids[i][0], '-');
    assert_id (ids[i], DOCUMENT_ID_MADE, true);
  }
  qsort (ids, 2000, sizeof *ids, by_text);
  for (size_t i = 1; i < 2000; i++)
    assert_string_not_equal (ids[i - 1], ids[i]);
}

/* ---- reading ------------------------------------------------------------ */

struct reading {
  const char *text;
  const char *id_field;
  const char *id; /* NULL: made, or with body NULL: refused */
  const char *body;
};

static void
read_one (const struct reading *row)
{
  /* Something from before, which must go. */
  struct buf body = BUF_INIT, id = BUF_INIT;
  struct tally_error err = { 0, "" };
  bool made;
  int status;

  buf_add_text (&body, "old");
  buf_add_text (&id, "old");
  status = document_read (&body, &id, &made, slice_text (row->text),
                          row->id_field, &err);
  if (!row->body) {
    if (status != TALLY_INVALID || !err.text[0])
      fail_msg ("%s: %d", row->text, status);
  } else {
    if (status != TALLY_OK)
      fail_msg ("%s: %s", row->text, err.text);
    assert_int_equal (made, row->id == NULL);
    if (row->id) {
      assert_true (slice_equal (buf_slice (&id), slice_text (row->id)));
      assert_true (slice_equal (buf_slice (&body), slice_text (row->body)));
    }
  }
  buf_free (&body);
  buf_free (&id);
}

static void
test_reading (void **state)
{
  static const struct reading rows[] = {
    { "{\"_id\":\"x\"}", NULL, "x", "{\"_id\":\"x\"}" },
    { " { \"b\" : 1.50, \"_id\" : \"x\", \"A\":[ ] }\n", NULL, "x",
      "{\"A\":[],\"_id\":\"x\",\"b\":1.50}" },
    { "{\"\\u005fid\":\"\\u0041\"}", NULL, "A", "{\"_id\":\"A\"}" },
    { "{\"_id\":\"\\\"\\\\\"}", NULL, "\"\\", "{\"_id\":\"\\\"\\\\\"}" },
    { "{\"a\":9007199254740993}", NULL, NULL, "" },
    { "{}", NULL, NULL, "" },
    { "{\"k\":\"x\",\"z\":1}", "k", "x",
      "{\"_id\":\"x\",\"k\":\"x\",\"z\":1}" },
    { "{\"K\":7}", "K", "7", "{\"K\":7,\"_id\":\"7\"}" },
    { "{\"k\":1.50}", "k", "1.50", "{\"_id\":\"1.50\",\"k\":1.50}" },
    { "{\"k\\\"\":\"x\"}", "k\"", "x", "{\"_id\":\"x\",\"k\\\"\":\"x\"}" },
    { "{\"_id\":\"old\",\"k\":\"x\"}", "k", "x",
      "{\"_id\":\"x\",\"k\":\"x\"}" },
    { "{\"_id\":\"x\"}", "_id", "x", "{\"_id\":\"x\"}" },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    read_one (&rows[i]);
}

static void
test_refusing (void **state)
{
  static const struct reading rows[] = {
    { "", NULL, NULL, NULL },
    { "[]", NULL, NULL, NULL },
    { "7", NULL, NULL, NULL },
    { "null", NULL, NULL, NULL },
    { "\"{}\"", NULL, NULL, NULL },
    { "{", NULL, NULL, NULL },
    { "{} {}", NULL, NULL, NULL },
    { "{\"_id\":7}", NULL, NULL, NULL },
    { "{\"_id\":null}", NULL, NULL, NULL },
    { "{\"_id\":{}}", NULL, NULL, NULL },
    { "{\"_id\":\"\"}", NULL, NULL, NULL },
    { "{\"_id\":\"a\\nb\"}", NULL, NULL, NULL },
    { "{\"_id\":\"\\u0000\"}", NULL, NULL, NULL },
    { "{\"_id\":\"x\",\"_id\":\"x\"}", NULL, NULL, NULL },
    { "{\"_id\":\"x\",\"a\":1e999}", NULL, NULL, NULL },
    { "{\"_id\":\"x\",\"a\":\"\xff\"}", NULL, NULL, NULL },
    { "{\"k\":1}", "_id", NULL, NULL },
    { "{\"_id\":7}", "_id", NULL, NULL },
    { "{\"a\":1}", "k", NULL, NULL },
    { "{\"k\":null}", "k", NULL, NULL },
    { "{\"k\":[]}", "k", NULL, NULL },
    { "{\"k\":\"\"}", "k", NULL, NULL },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    read_one (&rows[i]);
}

static void
test_a_made_id_is_in_the_body (void **state)
{
  struct buf body = BUF_INIT, id = BUF_INIT, expected = BUF_INIT;
  struct tally_error err;
  bool made;

  (void) state;
  assert_int_equal (document_read (&body, &id, &made,
                                   slice_text ("{\"z\":1,\"A\":2}"), NULL,
                                   &err),
                    TALLY_OK);
  assert_true (made);
  assert_int_equal (id.size, DOCUMENT_ID_MADE);
  buf_addf (&expected, "{\"A\":2,\"_id\":\"%.*s\",\"z\":1}", (int) id.size,
            id.data);
  assert_true (slice_equal (buf_slice (&body), buf_slice (&expected)));
  buf_free (&expected);
  buf_free (&body);
  buf_free (&id);
}

/* The limit is that of the canonical text, with the _id in it. */
static void
test_size (void **state)
{
  static const char head[] = "{\"_id\":\"x\",\"a\":\"";
  size_t size = TALLY_DOCUMENT_MAX;
  struct buf body = BUF_INIT, id = BUF_INIT;
  struct tally_error err;
  bool made;
  char *text = malloc (size + 2);

  (void) state;
  assert_non_null (text);
  for (size_t more = 0; more < 2; more++) {
    memset (text, 'a', size + 1);
    memcpy (text, head, sizeof head - 1);
    memcpy (text + size + more - 2, "\"}", 2);
    assert_int_equal (document_read (&body, &id, &made,
                                     slice_make (text, size + more), NULL,
                                     &err),
                      more ? TALLY_INVALID : TALLY_OK);
  }
  /* As large as it may be, but for the _id that it lacks. */
  memset (text, 'a', size);
  memcpy (text, "{\"a\":\"", 6);
  memcpy (text + size - 2, "\"}", 2);
  assert_int_equal (
      document_read (&body, &id, &made, slice_make (text, size), NULL, &err),
      TALLY_INVALID);
  free (text);
  buf_free (&body);
  buf_free (&id);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_collection_names),
    cmocka_unit_test (test_ids),
    cmocka_unit_test (test_made_ids),
    cmocka_unit_test (test_reading),
    cmocka_unit_test (test_refusing),
    cmocka_unit_test (test_a_made_id_is_in_the_body),
    cmocka_unit_test (test_size),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
