/* SPDX-License-Identifier: MIT */
/* Local writes against a store in which others write, too: compare and try
 * again, and the limits of one put. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <tally/tally.h>

#include "../core/doclist.h"
#include "../core/state.h"
#include "../core/write.h"
#include "two-handles.h"

static struct write_result
write_one (struct replica *replica, const char *body, bool replace,
           const unsigned char *expected)
{
  struct write_item item = { .id = { "x", 1 },
                             .body = slice_text (body),
                             .replace = replace,
                             .expected = expected };
  struct tally_error err = { 0, "" };
  struct write_result result;

  if (write_batch (replica, "notes", &item, 1, &result, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return result;
}

static void
assert_write (const char *body, int outcome)
{
  struct write_result result = write_one (ours, body, false, NULL);

  assert_int_equal (result.status, TALLY_OK);
  assert_int_equal (result.outcome, outcome);
}

/* body NULL: nothing there; "": a tombstone. */
static void
assert_stored (const char *body, unsigned char rev[TALLY_REV_SIZE])
{
  struct doclist list = DOCLIST_INIT;
  struct tally_slice id = { "x", 1 };
  unsigned char computed[TALLY_REV_SIZE];
  struct tally_error err;
  struct state state;

  assert_int_equal (replica_get (ours, "notes", &id, 1, TALLY_GET_BODY,
                                 doclist_emit, &list, &err),
                    TALLY_OK);
  assert_int_equal (list.count, body != NULL);
  if (body) {
    const struct tally_doc *doc = &list.docs[0];
    bool deleted = doc->flags & TALLY_DOC_DELETED;

    assert_int_equal (deleted, !*body);
    assert_true (slice_equal (doc->body, slice_text (body)));
    assert_int_equal (
        state_decode (&state, deleted, doc->meta, doc->body, &err), TALLY_OK);
    assert_int_equal (state_check (&state, id, &err), TALLY_OK);
    state_rev (&state, id, computed);
    assert_memory_equal (computed, doc->rev, sizeof computed);
    if (rev)
      memcpy (rev, doc->rev, TALLY_REV_SIZE);
    state_free (&state);
  }
  doclist_free (&list);
}

/* ---- one writer --------------------------------------------------------- */

static void
test_outcomes (void **state)
{
  unsigned char before[TALLY_REV_SIZE], after[TALLY_REV_SIZE];
  struct write_result result;

  (void) state;
  assert_write (NULL, TALLY_MISSING);
  assert_stored (NULL, NULL);
  assert_write ("{\"_id\":\"x\",\"a\":1}", TALLY_INSERTED);
  assert_stored ("{\"_id\":\"x\",\"a\":1}", before);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":1}", false, NULL);
  assert_int_equal (result.outcome, TALLY_UNCHANGED);
  assert_memory_equal (result.rev, before, sizeof before);
  assert_stored ("{\"_id\":\"x\",\"a\":1}", after);
  assert_memory_equal (before, after, sizeof before);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":1}", true, NULL);
  assert_int_equal (result.outcome, TALLY_UPDATED);
  assert_stored ("{\"_id\":\"x\",\"a\":1}", after);
  assert_memory_equal (result.rev, after, sizeof after);
  assert_true (memcmp (before, after, STAMP_SIZE) < 0);
  assert_write (NULL, TALLY_DELETED);
  assert_stored ("", NULL);
  assert_write (NULL, TALLY_MISSING);
  assert_write ("{\"_id\":\"x\"}", TALLY_INSERTED);
  assert_stored ("{\"_id\":\"x\"}", NULL);
}

static void
test_expected (void **state)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  struct write_result first, result;

  (void) state;
  first = write_one (ours, "{\"_id\":\"x\",\"a\":1}", false, absent);
  assert_int_equal (first.outcome, TALLY_INSERTED);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":2}", false, absent);
  assert_int_equal (result.status, TALLY_CONFLICT);
  assert_memory_equal (result.rev, first.rev, sizeof first.rev);
  assert_stored ("{\"_id\":\"x\",\"a\":1}", NULL);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":2}", false, first.rev);
  assert_int_equal (result.status, TALLY_OK);
  result = write_one (ours, NULL, false, first.rev);
  assert_int_equal (result.status, TALLY_CONFLICT);
  assert_stored ("{\"_id\":\"x\",\"a\":2}", NULL);
}

static void
test_damaged_meta (void **state)
{
  struct tally_entry entry = { .collection = "notes" };
  struct write_item item = { .id = { "x", 1 },
                             .body = slice_text ("{\"_id\":\"x\"}") };
  struct write_result result;
  struct tally_outcome outcome;
  struct tally_error err;

  (void) state;
  entry.doc.id = slice_text ("x");
  entry.doc.meta = slice_text ("junk");
  entry.doc.rev[0] = 1;
  assert_int_equal (replica_put (ours, &entry, 1, 0, &outcome, &err),
                    TALLY_OK);
  assert_int_equal (write_batch (ours, "notes", &item, 1, &result, &err),
                    TALLY_CORRUPT);
  assert_non_null (strstr (err.text, "document \"x\""));
}

/* ---- two writers -------------------------------------------------------- */

struct meddler {
  const char *body;
  unsigned times;
};

static void
meddle (void *ctx)
{
  struct meddler *meddler = ctx;

  if (meddler->times == 0)
    return;
  meddler->times--;
  write_one (others, meddler->body, false, NULL);
}

static void
meddle_with (struct meddler *meddler, const char *body, unsigned times)
{
  meddler->body = body;
  meddler->times = times;
  shared.meddle = meddle;
  shared.meddle_ctx = meddler;
}

/* A put is of the whole document: what was there when it is written counts,
 * and the stamp is above it. */
static void
test_a_faster_writer (void **state)
{
  unsigned char theirs[TALLY_REV_SIZE], rev[TALLY_REV_SIZE];
  struct meddler meddler;
  struct write_result result;

  (void) state;
  assert_write ("{\"_id\":\"x\",\"a\":1}", TALLY_INSERTED);
  meddle_with (&meddler, "{\"_id\":\"x\",\"a\":2,\"b\":2}", 1);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":3}", false, NULL);
  assert_int_equal (meddler.times, 0);
  assert_int_equal (result.outcome, TALLY_UPDATED);
  assert_stored ("{\"_id\":\"x\",\"a\":3}", rev);
  assert_memory_equal (rev, result.rev, sizeof rev);
  /* The same bytes, but by somebody else first. */
  meddle_with (&meddler, "{\"_id\":\"x\",\"a\":4}", 1);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":4}", false, NULL);
  assert_int_equal (result.outcome, TALLY_UNCHANGED);
  assert_stored ("{\"_id\":\"x\",\"a\":4}", theirs);
  assert_memory_equal (theirs, result.rev, sizeof theirs);
}

static void
test_a_faster_insert (void **state)
{
  struct meddler meddler;

  (void) state;
  meddle_with (&meddler, "{\"_id\":\"x\",\"a\":1}", 1);
  assert_write ("{\"_id\":\"x\",\"b\":2}", TALLY_UPDATED);
  assert_stored ("{\"_id\":\"x\",\"b\":2}", NULL);
}

static void
test_a_faster_delete (void **state)
{
  struct meddler meddler;

  (void) state;
  assert_write ("{\"_id\":\"x\",\"a\":1}", TALLY_INSERTED);
  meddle_with (&meddler, NULL, 1);
  assert_write ("{\"_id\":\"x\",\"a\":2}", TALLY_INSERTED);
  assert_stored ("{\"_id\":\"x\",\"a\":2}", NULL);
  meddle_with (&meddler, NULL, 1);
  assert_write (NULL, TALLY_MISSING);
  assert_stored ("", NULL);
}

/* What was expected is gone by the time of the write. */
static void
test_expected_and_a_faster_writer (void **state)
{
  unsigned char theirs[TALLY_REV_SIZE];
  struct write_result first, result;
  struct meddler meddler;

  (void) state;
  first = write_one (ours, "{\"_id\":\"x\",\"a\":1}", false, NULL);
  meddle_with (&meddler, "{\"_id\":\"x\",\"a\":2}", 1);
  result = write_one (ours, "{\"_id\":\"x\",\"a\":3}", false, first.rev);
  assert_int_equal (result.status, TALLY_CONFLICT);
  assert_stored ("{\"_id\":\"x\",\"a\":2}", theirs);
  assert_memory_equal (result.rev, theirs, sizeof theirs);
}

static unsigned counter;

static void
meddle_for_ever (void *ctx)
{
  char body[64];

  (void) ctx;
  snprintf (body, sizeof body, "{\"_id\":\"x\",\"n\":%u}", ++counter);
  write_one (others, body, false, NULL);
}

static void
test_starved (void **state)
{
  struct write_item item = { .id = { "x", 1 },
                             .body = slice_text ("{\"_id\":\"x\"}") };
  struct write_result result;
  struct tally_error err = { 0, "" };

  (void) state;
  shared.meddle = meddle_for_ever;
  assert_int_equal (write_batch (ours, "notes", &item, 1, &result, &err),
                    TALLY_AGAIN);
  assert_int_equal (err.status, TALLY_AGAIN);
}

/* ---- many --------------------------------------------------------------- */

#define MANY 2500

static char ids[MANY][8];
static struct buf bodies[MANY];
static struct write_item items[MANY];
static struct write_result results[MANY];

static void
make_items (size_t n, size_t padding)
{
  char *pad = malloc (padding + 1);

  assert_non_null (pad);
  memset (pad, 'p', padding);
  memset (items, 0, sizeof items);
  for (size_t i = 0; i < n; i++) {
    snprintf (ids[i], sizeof ids[i], "d%zu", i);
    buf_clear (&bodies[i]);
    buf_addf (&bodies[i], "{\"_id\":\"%s\",\"p\":\"", ids[i]);
    buf_add (&bodies[i], pad, padding);
    buf_add_text (&bodies[i], "\"}");
    assert_false (bodies[i].failed);
    items[i].id = slice_text (ids[i]);
    items[i].body = buf_slice (&bodies[i]);
  }
  free (pad);
}

static void
free_items (size_t n)
{
  for (size_t i = 0; i < n; i++)
    buf_free (&bodies[i]);
}

static int
count_doc (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  ++*(size_t *) ctx;
  return 0;
}

static void
assert_count (size_t expected)
{
  struct tally_error err;
  size_t n = 0;
  uint64_t head;

  assert_int_equal (
      replica_changes (ours, "notes", 0, count_doc, &n, &head, &err),
      TALLY_OK);
  assert_int_equal (n, expected);
}

static void
test_many (void **state)
{
  struct meddler meddler;
  struct tally_error err;
  size_t most = shared.ops.max_entries ? shared.ops.max_entries : MANY;

  (void) state;
  make_items (MANY, 10);
  /* One of them is somebody else's first. */
  items[7].id = slice_text ("x");
  bodies[7].size = 0;
  buf_add_text (&bodies[7], "{\"_id\":\"x\",\"p\":1}");
  items[7].body = buf_slice (&bodies[7]);
  meddle_with (&meddler, "{\"_id\":\"x\",\"p\":2}", 1);
  assert_int_equal (write_batch (ours, "notes", items, MANY, results, &err),
                    TALLY_OK);
  for (size_t i = 0; i < MANY; i++) {
    assert_int_equal (results[i].status, TALLY_OK);
    assert_int_equal (results[i].outcome,
                      i == 7 ? TALLY_UPDATED : TALLY_INSERTED);
  }
  assert_count (MANY);
  assert_stored ("{\"_id\":\"x\",\"p\":1}", NULL);
  assert_true (shared.most_entries <= most);
  free_items (MANY);
}

/* No put is over the limit, but for one document that is so alone. */
static void
test_large (void **state)
{
  struct tally_error err;

  (void) state;
  make_items (9, 1 << 20);
  assert_int_equal (write_batch (ours, "notes", items, 9, results, &err),
                    TALLY_OK);
  assert_true (shared.most_bytes <= TALLY_BATCH_BYTES);
  free_items (9);
  make_items (2, 5 << 20);
  assert_int_equal (write_batch (ours, "notes", items, 2, results, &err),
                    TALLY_OK);
  assert_int_equal (results[1].outcome, TALLY_UPDATED);
  assert_true (shared.most_bytes <= TALLY_BATCH_BYTES);
  assert_count (9);
  free_items (2);
}

/* ---- one document several times ----------------------------------------- */

#define ONE_ID 5

static const char *const in_turn[ONE_ID] = {
  "{\"_id\":\"x\",\"a\":1}", "{\"_id\":\"x\",\"a\":2}",
  "{\"_id\":\"x\",\"a\":2}", NULL,
  "{\"_id\":\"x\",\"b\":3}",
};

static void
write_in_turn (const int *outcomes)
{
  unsigned char rev[TALLY_REV_SIZE];
  struct tally_error err = { 0, "" };

  for (size_t i = 0; i < ONE_ID; i++) {
    items[i] = (struct write_item){ .id = { "x", 1 } };
    if (in_turn[i])
      items[i].body = slice_text (in_turn[i]);
  }
  assert_int_equal (write_batch (ours, "notes", items, ONE_ID, results, &err),
                    TALLY_OK);
  for (size_t i = 0; i < ONE_ID; i++) {
    assert_int_equal (results[i].status, TALLY_OK);
    assert_int_equal (results[i].outcome, outcomes[i]);
  }
  assert_memory_equal (results[1].rev, results[2].rev, TALLY_REV_SIZE);
  for (size_t i = 1; i < ONE_ID; i++)
    if (i != 2)
      assert_true (memcmp (results[i - 1].rev, results[i].rev, STAMP_SIZE)
                   < 0);
  assert_stored ("{\"_id\":\"x\",\"b\":3}", rev);
  assert_memory_equal (rev, results[ONE_ID - 1].rev, sizeof rev);
}

/* Each goes by the one before it; what the last one leaves is put, once. */
static void
test_of_one_id (void **state)
{
  static const int outcomes[ONE_ID] = { TALLY_INSERTED, TALLY_UPDATED,
                                        TALLY_UNCHANGED, TALLY_DELETED,
                                        TALLY_INSERTED };

  (void) state;
  write_in_turn (outcomes);
  assert_int_equal (results[0].seq, results[ONE_ID - 1].seq);
  assert_int_equal (results[2].seq, 0);
}

static void
test_of_one_id_and_a_faster_writer (void **state)
{
  static const int outcomes[ONE_ID] = { TALLY_UNCHANGED, TALLY_UPDATED,
                                        TALLY_UNCHANGED, TALLY_DELETED,
                                        TALLY_INSERTED };
  struct meddler meddler;

  (void) state;
  meddle_with (&meddler, in_turn[0], 1);
  write_in_turn (outcomes);
  assert_int_equal (meddler.times, 0);
}

static void
test_none (void **state)
{
  struct tally_error err;

  (void) state;
  assert_int_equal (write_batch (ours, "notes", NULL, 0, NULL, &err),
                    TALLY_OK);
}

#define ON_BOTH(test)                                                        \
  { #test " (all slots)", test, two_handles, two_handles_end, NULL },        \
  {                                                                          \
#test " (required slots)", test, two_handles_bare, two_handles_end, NULL \
  }

int
main (void)
{
  const struct CMUnitTest tests[] = {
    ON_BOTH (test_outcomes),
    ON_BOTH (test_expected),
    ON_BOTH (test_damaged_meta),
    ON_BOTH (test_a_faster_writer),
    ON_BOTH (test_a_faster_insert),
    ON_BOTH (test_a_faster_delete),
    ON_BOTH (test_expected_and_a_faster_writer),
    ON_BOTH (test_starved),
    ON_BOTH (test_many),
    ON_BOTH (test_large),
    ON_BOTH (test_of_one_id),
    ON_BOTH (test_of_one_id_and_a_faster_writer),
    ON_BOTH (test_none),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
