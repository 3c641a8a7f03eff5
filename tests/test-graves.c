/* SPDX-License-Identifier: MIT */
/* Graves: a tombstone that was forgotten is found where its document is asked
 * for and not there, in its place among the others; it counts against what it
 * knew and nothing else; and there are never too many. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/forget.h"
#include "../core/graves.h"
#include "../core/state.h"
#include "../core/write.h"
#include "shared-store.h"

#define MANY (GRAVES_MAX + GRAVES_SWEEP + 100)

static struct shared_store shared;
static struct replica *replica;

static int
start (void **state)
{
  (void) state;
  shared_start (&shared);
  replica = shared_replica (&shared);
  return 0;
}

static int
end (void **state)
{
  (void) state;
  replica_close (replica);
  shared_free (&shared);
  return 0;
}

/* A document, or with body NULL its delete. */
static void
put (const char *id, const char *body)
{
  struct write_item item = { .id = slice_text (id) };
  struct write_result result;
  struct tally_error err = { 0 };

  if (body)
    item.body = slice_text (body);
  if (write_batch (replica, "notes", &item, 1, &result, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  assert_int_equal (result.status, TALLY_OK);
}

/* Nobody else has this store: what is deleted may go at once. */
static void
forget (void)
{
  struct tally_error err = { 0 };

  if (forget_tombstones (replica, "notes", true, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
read_docs (struct doclist *docs, const struct tally_slice *ids, size_t n)
{
  struct tally_error err = { 0 };

  doclist_clear (docs);
  assert_int_equal (replica_get (replica, "notes", ids, n, TALLY_GET_BODY,
                                 doclist_emit, docs, &err),
                    TALLY_OK);
}

static void
fill (struct doclist *docs, const struct tally_slice *ids, size_t n)
{
  struct tally_error err = { 0 };

  if (graves_fill (docs, replica, "notes", ids, n, TALLY_GET_BODY, &err)
      != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
expect_doc (const struct tally_doc *doc, const char *id, bool grave)
{
  assert_true (slice_equal (doc->id, slice_text (id)));
  assert_int_equal (is_grave (doc), grave);
  assert_int_equal (doc->flags & TALLY_DOC_DELETED ? 1 : 0, grave);
}

static void
test_takes_its_place (void **state)
{
  const struct tally_slice ids[] = { slice_text ("a"), slice_text ("b"),
                                     slice_text ("c"), slice_text ("d"),
                                     slice_text ("never") };
  struct doclist docs = DOCLIST_INIT;

  (void) state;
  put ("a", "{\"_id\":\"a\",\"v\":1}");
  put ("b", "{\"_id\":\"b\",\"v\":1}");
  put ("c", "{\"_id\":\"c\",\"v\":1}");
  put ("d", "{\"_id\":\"d\",\"v\":1}");
  put ("a", NULL);
  put ("c", NULL);
  forget ();
  read_docs (&docs, ids, 5);
  assert_int_equal (docs.count, 2);
  fill (&docs, ids, 5);
  assert_int_equal (docs.count, 4);
  expect_doc (&docs.docs[0], "a", true);
  expect_doc (&docs.docs[1], "b", false);
  expect_doc (&docs.docs[2], "c", true);
  expect_doc (&docs.docs[3], "d", false);
  doclist_free (&docs);
}

static enum grave_meets
meets (const struct tally_doc *grave, const struct tally_doc *doc)
{
  struct tally_error err = { 0 };
  enum grave_meets result;

  assert_int_equal (graves_meet (grave, doc, &result, &err), TALLY_OK);
  return result;
}

static void
test_counts_against_what_it_knew (void **state)
{
  const struct tally_slice id = slice_text ("a");
  struct doclist old = DOCLIST_INIT, grave = DOCLIST_INIT, new = DOCLIST_INIT;

  (void) state;
  put ("a", "{\"_id\":\"a\",\"v\":1}");
  read_docs (&old, &id, 1);
  put ("a", NULL);
  forget ();
  read_docs (&grave, &id, 1);
  assert_int_equal (grave.count, 0);
  fill (&grave, &id, 1);
  assert_int_equal (grave.count, 1);
  assert_int_equal (meets (&grave.docs[0], &old.docs[0]), GRAVE_KNOWS_ALL);
  assert_int_equal (meets (&grave.docs[0], &grave.docs[0]),
                    GRAVE_KNOWS_NOTHING);
  put ("a", "{\"_id\":\"a\",\"v\":1}");
  read_docs (&new, &id, 1);
  assert_int_equal (meets (&grave.docs[0], &new.docs[0]), GRAVE_KNOWS_NOTHING);
  /* What is there is there. */
  fill (&new, &id, 1);
  assert_int_equal (new.count, 1);
  expect_doc (&new.docs[0], "a", false);
  doclist_free (&new);
  doclist_free (&grave);
  doclist_free (&old);
}

/* A tombstone that somebody else wrote, now, after a write of ours that was
 * named when our clock was so far ahead. */
static void
put_tombstone (const char *id, uint64_t ahead_ms)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  struct stamp seen;
  struct state state = { .deleted = true, .seen = &seen, .n_seen = 1 };
  struct tally_entry entry = { .collection = "notes", .expected = absent };
  struct tally_outcome outcome;
  struct buf meta = BUF_INIT;
  struct tally_error err = { 0 };
  uint32_t us = replica_client (replica);

  stamp_make (&state.whole, SHARED_WALL_MS, 0, us ^ 1);
  stamp_make (&seen, SHARED_WALL_MS + ahead_ms, 0, us);
  state_encode (&state, &meta);
  entry.doc.id = slice_text (id);
  entry.doc.flags = TALLY_DOC_DELETED;
  entry.doc.meta = buf_slice (&meta);
  state_rev (&state, entry.doc.id, entry.doc.rev);
  assert_int_equal (replica_put (replica, &entry, 1, 0, &outcome, &err),
                    TALLY_OK);
  assert_int_equal (outcome.status, TALLY_OK);
  buf_free (&meta);
}

/* Of somebody who knows of nothing else. */
static enum grave_meets
meets_made_at (const struct tally_doc *grave, uint64_t ms)
{
  struct state state = { .body = slice_text ("{\"_id\":\"a\"}") };
  struct tally_doc doc = { .id = slice_text ("a"), .body = state.body };
  struct buf meta = BUF_INIT;
  enum grave_meets result;

  stamp_make (&state.whole, ms, 0, replica_client (replica) ^ 2);
  state_encode (&state, &meta);
  doc.meta = buf_slice (&meta);
  state_rev (&state, doc.id, doc.rev);
  result = meets (grave, &doc);
  buf_free (&meta);
  return result;
}

/* There is no grave for what is there: what an old copy could beat must not
 * get there. */
static void
test_knows_what_an_old_copy_would_beat (void **state)
{
  const struct tally_slice id = slice_text ("a");
  struct doclist grave = DOCLIST_INIT;

  (void) state;
  put_tombstone ("a", 0);
  forget ();
  fill (&grave, &id, 1);
  assert_int_equal (meets_made_at (&grave.docs[0], SHARED_WALL_MS - 1),
                    GRAVE_KNOWS_LATER);
  assert_int_equal (meets_made_at (&grave.docs[0], SHARED_WALL_MS + 1),
                    GRAVE_KNOWS_NOTHING);
  doclist_free (&grave);
}

/* Under the name that it knows nobody writes again who has forgotten it. */
static void
test_a_name_that_is_known_is_given_up (void **state)
{
  uint32_t us = replica_client (replica);

  (void) state;
  put ("a", "{\"_id\":\"a\"}");
  put ("a", NULL);
  forget ();
  assert_int_equal (replica_client (replica), us);
  put_tombstone ("b", 8640000000);
  forget ();
  assert_int_not_equal (replica_client (replica), us);
}

/* Who makes the document anew knows what was deleted. */
static void
test_a_write_is_over_its_grave (void **state)
{
  const struct tally_slice id = slice_text ("a");
  struct doclist grave = DOCLIST_INIT, new = DOCLIST_INIT;
  struct state dead, alive;
  struct tally_error err = { 0 };

  (void) state;
  put_tombstone ("a", 0);
  forget ();
  fill (&grave, &id, 1);
  put ("a", "{\"_id\":\"a\",\"v\":2}");
  read_docs (&new, &id, 1);
  assert_int_equal (new.count, 1);
  assert_int_equal (
      state_decode (&dead, true, grave.docs[0].meta, grave.docs[0].body, &err),
      TALLY_OK);
  assert_int_equal (
      state_decode (&alive, false, new.docs[0].meta, new.docs[0].body, &err),
      TALLY_OK);
  assert_true (state_knows_all (&alive, &dead, NULL));
  assert_true (stamp_cmp (&alive.whole, &dead.whole) > 0);
  state_free (&alive);
  state_free (&dead);
  doclist_free (&new);
  doclist_free (&grave);
}

static int
count (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  ++*(size_t *) ctx;
  return 0;
}

static size_t
count_graves (void)
{
  struct tally_error err = { 0 };
  uint64_t head;
  size_t n = 0;

  assert_int_equal (
      replica_changes (replica, GRAVES_COLLECTION, 0, count, &n, &head, &err),
      TALLY_OK);
  return n;
}

/* The oldest go. */
static void
test_they_are_never_too_many (void **state)
{
  struct tally_slice ids[2] = { slice_text ("g0000"), { NULL, 0 } };
  struct doclist docs = DOCLIST_INIT;
  char id[16], body[32];

  (void) state;
  for (unsigned i = 0; i < MANY; i++) {
    snprintf (id, sizeof id, "g%04u", i);
    snprintf (body, sizeof body, "{\"_id\":\"%s\"}", id);
    put (id, body);
    put (id, NULL);
    if (i % 500 == 499)
      forget ();
  }
  forget ();
  assert_in_range (count_graves (), GRAVES_MAX, GRAVES_MAX + GRAVES_SWEEP);
  ids[1] = slice_text (id);
  fill (&docs, ids, 2);
  assert_int_equal (docs.count, 1);
  expect_doc (&docs.docs[0], id, true);
  doclist_free (&docs);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, end)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_takes_its_place),
    TEST (test_counts_against_what_it_knew),
    TEST (test_knows_what_an_old_copy_would_beat),
    TEST (test_a_name_that_is_known_is_given_up),
    TEST (test_a_write_is_over_its_grave),
    TEST (test_they_are_never_too_many)
  };

  return cmocka_run_group_tests_name ("graves", tests, NULL, NULL);
}
