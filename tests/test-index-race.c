/* SPDX-License-Identifier: MIT */
/* Indexes that somebody makes while others put: by another handle of the
 * store, between a put's look at the list of indexes and its write. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <tally/tally.h>

#include "../core/indexes.h"
#include "../core/write.h"
#include "two-handles.h"

static int
try_write (struct replica *replica, const char *id, const char *body,
           struct tally_error *err)
{
  struct write_item item = { .id = slice_text (id),
                             .body = slice_text (body) };
  struct write_result result;

  return write_batch (replica, "notes", &item, 1, &result, err);
}

static void
write_one (struct replica *replica, const char *id, const char *body)
{
  struct tally_error err = { 0, "" };

  if (try_write (replica, id, body, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
assert_indexed (void)
{
  struct tally_error err = { 0, "" };

  if (indexes_check (ours, "notes", &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

/* ---- what the other handle does ----------------------------------------- */

struct making {
  const char *fields;
  bool unique;
  bool done;
};

static void
make_index (void *ctx)
{
  struct making *making = ctx;
  struct tally_error err = { 0, "" };

  if (making->done)
    return;
  making->done = true;
  if (indexes_ensure (others, "notes", making->fields, making->unique, false,
                      NULL, NULL, &err)
      != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
make_meanwhile (struct making *making)
{
  shared.meddle = make_index;
  shared.meddle_ctx = making;
}

struct dropping {
  const char *fields;
  bool done;
};

static void
drop_index (void *ctx)
{
  struct dropping *dropping = ctx;
  struct tally_error err = { 0, "" };

  if (dropping->done)
    return;
  dropping->done = true;
  if (indexes_drop (others, "notes", dropping->fields, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

static int
count_row (void *ctx, const struct tally_doc *row)
{
  /* Records of indexes as such are no rows. */
  *(unsigned *) ctx += row->id.size < 4
                       || (memcmp (row->id.data, "made", 4) != 0
                           && memcmp (row->id.data, "uniq", 4) != 0);
  return 0;
}

static void
assert_no_rows (void)
{
  struct tally_error err = { 0, "" };
  unsigned rows = 0;

  assert_int_equal (replica_find (ours, "_i:notes", NULL, NULL, TALLY_FIND_IDS,
                                  count_row, &rows, &err),
                    TALLY_OK);
  assert_int_equal (rows, 0);
}

/* ---- tests -------------------------------------------------------------- */

#define MANY 600 /* more than two parts of a put */
#define HAD 255  /* but one of the first part */

/* Of the first part of a put nearly all is refused, and of the others nothing.
 */
static void
test_few_are_put_then_many (void **state)
{
  static struct tally_entry entries[MANY];
  static struct tally_outcome outcomes[MANY];
  static char ids[MANY][8], bodies[MANY][32], rev[TALLY_REV_SIZE];
  struct making index = { "v", false, false };
  struct tally_error err = { 0, "" };

  (void) state;
  make_index (&index);
  for (unsigned i = 0; i < MANY; i++) {
    struct tally_doc *doc = &entries[i].doc;

    snprintf (ids[i], sizeof ids[i], "d%03u", i);
    snprintf (bodies[i], sizeof bodies[i], "{\"_id\":\"%s\",\"v\":1}", ids[i]);
    if (i < HAD)
      write_one (ours, ids[i], bodies[i]);
    entries[i].collection = "notes";
    entries[i].expected = (const unsigned char *) rev;
    doc->id = slice_text (ids[i]);
    doc->body = slice_text (bodies[i]);
    doc->rev[0] = 1;
    doc->rev[TALLY_REV_SIZE - 1] = (unsigned char) i;
  }
  assert_int_equal (replica_put (ours, entries, MANY, 0, outcomes, &err),
                    TALLY_OK);
  for (unsigned i = 0; i < MANY; i++)
    assert_int_equal (outcomes[i].status, i < HAD ? TALLY_CONFLICT : TALLY_OK);
  assert_indexed ();
}

static void
test_made_since_the_last_put (void **state)
{
  struct making making = { "a", false, false };

  (void) state;
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  make_index (&making);
  write_one (ours, "y", "{\"_id\":\"y\",\"a\":2}");
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":3}");
  assert_indexed ();
}

static void
test_made_during_a_put (void **state)
{
  struct making first = { "a", false, false }, second = { "b", false, false };

  (void) state;
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  make_meanwhile (&first);
  write_one (ours, "y", "{\"_id\":\"y\",\"a\":2}");
  assert_true (first.done);
  assert_indexed ();
  make_meanwhile (&second);
  write_one (ours, "z", "{\"_id\":\"z\",\"a\":2,\"b\":2}");
  assert_true (second.done);
  assert_indexed ();
}

/* What a sync stores expects revisions of its own, and is put all the same. */
static void
test_made_during_a_put_of_a_sync (void **state)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  struct making making = { "a", false, false };
  struct tally_entry entries[2] = { { .collection = "notes" },
                                    { .collection = "notes" } };
  struct tally_outcome outcomes[2];
  struct tally_error err = { 0, "" };

  (void) state;
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  entries[0].doc.id = slice_text ("x");
  entries[0].doc.body = slice_text ("{\"_id\":\"x\",\"a\":2}");
  entries[1].doc.id = slice_text ("y");
  entries[1].doc.body = slice_text ("{\"_id\":\"y\",\"a\":2}");
  for (int i = 0; i < 2; i++) {
    entries[i].expected = absent;
    entries[i].doc.rev[0] = (unsigned char) (i + 1);
  }
  make_meanwhile (&making);
  assert_int_equal (replica_put (ours, entries, 2, 0, outcomes, &err),
                    TALLY_OK);
  assert_true (making.done);
  assert_int_equal (outcomes[0].status, TALLY_CONFLICT);
  assert_int_equal (outcomes[1].status, TALLY_OK);
  assert_indexed ();
}

static void
test_a_unique_one_made_during_a_put (void **state)
{
  struct making making = { "a", true, false };
  struct tally_error err = { 0, "" };

  (void) state;
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  make_meanwhile (&making);
  assert_int_equal (try_write (ours, "y", "{\"_id\":\"y\",\"a\":1}", &err),
                    TALLY_INVALID);
  assert_true (making.done);
  assert_non_null (strstr (err.text, "unique"));
  write_one (ours, "y", "{\"_id\":\"y\",\"a\":2}");
  assert_indexed ();
}

static void
test_dropped_since_the_last_put (void **state)
{
  struct making making = { "a", true, false };
  struct dropping dropping = { "a", false };
  struct tally_error err = { 0, "" };

  (void) state;
  make_index (&making);
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  assert_int_equal (try_write (ours, "y", "{\"_id\":\"y\",\"a\":1}", &err),
                    TALLY_INVALID);
  drop_index (&dropping);
  assert_no_rows ();
  write_one (ours, "y", "{\"_id\":\"y\",\"a\":1}");
  assert_no_rows ();
  assert_int_equal (indexes_drop (ours, "notes", "a", &err), TALLY_NOTFOUND);
}

static void
test_dropped_during_a_put (void **state)
{
  struct making making = { "a", false, false }, other = { "b", false, false };
  struct dropping dropping = { "a", false };
  struct tally_error err = { 0, "" };

  (void) state;
  make_index (&making);
  make_index (&other);
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  shared.meddle = drop_index;
  shared.meddle_ctx = &dropping;
  write_one (ours, "y", "{\"_id\":\"y\",\"a\":1,\"b\":1}");
  assert_true (dropping.done);
  assert_indexed ();
  /* What is left is the other one. */
  shared.meddle = NULL;
  assert_int_equal (indexes_drop (ours, "notes", "b", &err), TALLY_OK);
  assert_no_rows ();
}

static void
drop_once (void *ctx, uint64_t done, uint64_t total)
{
  (void) done;
  (void) total;
  drop_index (ctx);
}

/* Made ready it would be one without rows. */
static void
test_dropped_while_it_is_made (void **state)
{
  struct dropping dropping = { "a", false };
  struct tally_error err = { 0, "" };
  struct index_list list;

  (void) state;
  write_one (ours, "x", "{\"_id\":\"x\",\"a\":1}");
  assert_int_equal (indexes_ensure (ours, "notes", "a", false, false,
                                    drop_once, &dropping, &err),
                    TALLY_NOTFOUND);
  assert_int_equal (indexes_load (ours, "notes", &list, &err), TALLY_OK);
  assert_int_equal (list.n, 0);
  index_list_free (&list);
}

#define TEST(function) \
  cmocka_unit_test_setup_teardown (function, two_handles, two_handles_end)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_few_are_put_then_many),
    TEST (test_made_since_the_last_put),
    TEST (test_made_during_a_put),
    TEST (test_made_during_a_put_of_a_sync),
    TEST (test_a_unique_one_made_during_a_put),
    TEST (test_dropped_since_the_last_put),
    TEST (test_dropped_during_a_put),
    TEST (test_dropped_while_it_is_made),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
