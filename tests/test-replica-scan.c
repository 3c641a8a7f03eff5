/* SPDX-License-Identifier: MIT */
/* Scans and digests of a store: by its slots, and without them from changes,
 * against a list that the test keeps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/doclist.h"
#include "../core/fingerprint.h"
#include "../core/replica.h"
#include "rng.h"
#include "shared-store.h"

/* More than the fallback gathers in two walks, and ids so long that the bytes
 * are what makes it stop. */
#define MANY 20000
#define LONG_ID 500

static struct shared_store shared;

static int
with_slots (void **state)
{
  (void) state;
  shared_start (&shared);
  return 0;
}

static int
without_slots (void **state)
{
  (void) state;
  shared_start (&shared);
  shared.ops.scan = NULL;
  shared.ops.digest = NULL;
  return 0;
}

static int
end (void **state)
{
  (void) state;
  shared_free (&shared);
  return 0;
}

/* ---- what is there ------------------------------------------------------ */

struct model {
  struct rng rng;
  struct doclist docs; /* one for each id; rev zero: nothing is stored */
};

static void
random_rev (struct rng *rng, unsigned char *rev)
{
  for (size_t i = 0; i < TALLY_REV_SIZE; i++)
    rev[i] = (unsigned char) rng_next (rng);
  rev[0] = 0; /* some stamps are equal, most begin alike */
  if (rng_one_in (rng, 3))
    memset (rev, 1, TALLY_STAMP_SIZE);
}

static void
fill_model (struct model *model, unsigned n, size_t padding)
{
  char id[TALLY_ID_MAX];

  memset (model, 0, sizeof *model);
  model->rng = rng_start ("scan");
  memset (id, 'x', sizeof id);
  for (unsigned i = 0; i < n; i++) {
    struct tally_doc doc = { .id = { id, padding } };

    doc.id.size += (size_t) snprintf (id + padding, 16, "%u", i);
    assert_non_null (doclist_add (&model->docs, &doc));
  }
}

/* Puts each document that the dice say, a batch of up to 1,000 at a time. */
static void
put_some (struct model *model, struct replica *replica, unsigned one_in)
{
  static struct tally_entry entries[1000];
  static struct tally_outcome outcomes[1000];
  static unsigned char before[1000][TALLY_REV_SIZE];
  struct tally_error err;
  size_t n = 0;

  for (size_t i = 0; i <= model->docs.count; i++) {
    if (n == 1000 || (n > 0 && i == model->docs.count)) {
      assert_int_equal (replica_put (replica, entries, n, 0, outcomes, &err),
                        TALLY_OK);
      for (size_t j = 0; j < n; j++)
        assert_int_equal (outcomes[j].status, TALLY_OK);
      n = 0;
    }
    if (i < model->docs.count && rng_one_in (&model->rng, one_in)) {
      struct tally_doc *doc = &model->docs.docs[i];

      memcpy (before[n], doc->rev, TALLY_REV_SIZE);
      doc->flags = rng_one_in (&model->rng, 4) ? TALLY_DOC_DELETED : 0;
      random_rev (&model->rng, doc->rev);
      memset (&entries[n], 0, sizeof entries[n]);
      entries[n].collection = "things";
      entries[n].expected = before[n];
      entries[n].doc = *doc;
      if (rng_one_in (&model->rng, 10)) {
        entries[n].flags = TALLY_ENTRY_FORGET;
        memset (doc->rev, 0, TALLY_REV_SIZE);
      }
      n++;
    }
  }
}

static bool
is_live (const struct tally_doc *doc)
{
  static const unsigned char none[TALLY_REV_SIZE];

  return !(doc->flags & TALLY_DOC_DELETED)
         && memcmp (doc->rev, none, sizeof none) != 0;
}

static int
by_position (const void *left, const void *right)
{
  const struct tally_doc *a = left, *b = right;
  int order = memcmp (a->rev, b->rev, TALLY_STAMP_SIZE);

  return order ? order : slice_cmp (a->id, b->id);
}

/* ---- what is shown ------------------------------------------------------ */

static void
expect_scan (const struct model *model, struct replica *replica,
             const struct tally_position *from,
             const struct tally_position *to)
{
  struct doclist wanted = DOCLIST_INIT, found = DOCLIST_INIT;
  struct tally_error err;
  uint64_t seq = 0, head = 0;

  for (size_t i = 0; i < model->docs.count; i++) {
    struct tally_doc *doc = &model->docs.docs[i];
    struct tally_doc at = { 0 };

    if (!is_live (doc))
      continue;
    if (from) {
      memcpy (at.rev, from->stamp, TALLY_STAMP_SIZE);
      at.id = from->id;
      if (by_position (doc, &at) < 0)
        continue;
    }
    if (to) {
      memcpy (at.rev, to->stamp, TALLY_STAMP_SIZE);
      at.id = to->id;
      if (by_position (doc, &at) >= 0)
        continue;
    }
    doclist_add (&wanted, doc);
  }
  if (wanted.count > 0)
    qsort (wanted.docs, wanted.count, sizeof *wanted.docs, by_position);
  if (replica_scan (replica, "things", from, to, doclist_emit, &found, &seq,
                    &err)
      != TALLY_OK)
    fail_msg ("%s", err.text);
  assert_int_equal (found.count, wanted.count);
  for (size_t i = 0; i < found.count; i++) {
    assert_true (slice_equal (found.docs[i].id, wanted.docs[i].id));
    assert_memory_equal (found.docs[i].rev, wanted.docs[i].rev,
                         TALLY_REV_SIZE);
    assert_int_equal (found.docs[i].flags, 0);
    assert_int_equal (found.docs[i].meta.size + found.docs[i].body.size, 0);
    assert_true (found.docs[i].seq <= seq);
  }
  doclist_free (&wanted);
  doclist_clear (&found);
  assert_int_equal (replica_changes (replica, "things", seq, doclist_emit,
                                     &found, &head, &err),
                    TALLY_OK);
  assert_int_equal (found.count, 0);
  doclist_free (&found);
}

static struct tally_position
position_of (const struct tally_doc *doc)
{
  struct tally_position at = { .id = doc->id };

  memcpy (at.stamp, doc->rev, TALLY_STAMP_SIZE);
  return at;
}

static void
expect_scans (const struct model *model, struct replica *replica, unsigned n)
{
  struct rng rng = model->rng;

  expect_scan (model, replica, NULL, NULL);
  for (unsigned i = 0; i < n; i++) {
    uint32_t count = (uint32_t) model->docs.count;
    struct tally_position from =
        position_of (&model->docs.docs[rng_below (&rng, count)]);
    struct tally_position to =
        position_of (&model->docs.docs[rng_below (&rng, count)]);

    if (rng_one_in (&rng, 3))
      from.id.size = 0;
    if (rng_one_in (&rng, 3))
      to.id.size = 0;
    expect_scan (model, replica, &from, &to);
    expect_scan (model, replica, &from, NULL);
    expect_scan (model, replica, NULL, &to);
  }
}

static void
expect_digest (const struct model *model, struct replica *replica)
{
  struct tally_digest wanted = { 0 }, found;
  struct doclist rest = DOCLIST_INIT;
  struct tally_error err;
  uint64_t head;

  for (size_t i = 0; i < model->docs.count; i++)
    if (is_live (&model->docs.docs[i]))
      digest_add_doc (&wanted, &model->docs.docs[i]);
  for (unsigned flags = 0; flags <= TALLY_DIGEST_ANEW; flags++) {
    if (replica_digest (replica, "things", flags, &found, &err) != TALLY_OK)
      fail_msg ("%s", err.text);
    assert_int_equal (found.count, wanted.count);
    assert_true (digest_equal (&found, &wanted));
  }
  assert_int_equal (replica_changes (replica, "things", found.seq,
                                     doclist_emit, &rest, &head, &err),
                    TALLY_OK);
  assert_int_equal (rest.count, 0);
  doclist_free (&rest);
}

/* ---- tests -------------------------------------------------------------- */

static void
test_empty (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct model model;

  (void) state;
  fill_model (&model, 0, 0);
  expect_scan (&model, replica, NULL, NULL);
  expect_digest (&model, replica);
  replica_close (replica);
}

static void
test_random_batches (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct model model;

  (void) state;
  fill_model (&model, 500, 3);
  for (unsigned round = 0; round < 20; round++) {
    put_some (&model, replica, 1 + rng_below (&model.rng, 6));
    expect_digest (&model, replica);
    expect_scans (&model, replica, 5);
  }
  doclist_free (&model.docs);
  replica_close (replica);
}

static void
test_many (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct model model;

  (void) state;
  fill_model (&model, MANY, 3);
  put_some (&model, replica, 1);
  expect_digest (&model, replica);
  expect_scans (&model, replica, 1);
  doclist_free (&model.docs);
  replica_close (replica);
}

static void
test_long_ids (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct model model;

  (void) state;
  fill_model (&model, MANY / 3, LONG_ID);
  put_some (&model, replica, 1);
  expect_digest (&model, replica);
  expect_scans (&model, replica, 1);
  doclist_free (&model.docs);
  replica_close (replica);
}

struct stopping {
  unsigned n, after;
};

static int
stop_after (void *ctx, const struct tally_doc *doc)
{
  struct stopping *stopping = ctx;

  (void) doc;
  return ++stopping->n == stopping->after;
}

static void
test_stops (void **state)
{
  static const unsigned counts[] = { 1, 7, 9000 };
  struct replica *replica = shared_replica (&shared);
  struct model model;

  (void) state;
  fill_model (&model, MANY, 0);
  put_some (&model, replica, 1);
  for (size_t i = 0; i < 3; i++) {
    struct stopping stopping = { 0, counts[i] };
    struct tally_error err;
    uint64_t seq = 0;

    assert_int_equal (replica_scan (replica, "things", NULL, NULL, stop_after,
                                    &stopping, &seq, &err),
                      TALLY_OK);
    assert_int_equal (stopping.n, counts[i]);
    assert_true (seq >= MANY / 2);
  }
  doclist_free (&model.docs);
  replica_close (replica);
}

/* ---- checking ----------------------------------------------------------- */

static const struct tally_store *store;

static int
wrong_digest (void *handle, const char *collection, unsigned flags,
              tally_fingerprint *fingerprint, struct tally_digest *out,
              struct tally_error *err)
{
  int status =
      store->digest (handle, collection, flags, fingerprint, out, err);

  if (!(flags & TALLY_DIGEST_ANEW))
    out->counters[77]++;
  return status;
}

static void
test_check_finds_a_wrong_digest (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct tally_error err = { 0 };
  struct model model;

  (void) state;
  store = tally_driver_1 ()->store;
  fill_model (&model, 100, 0);
  put_some (&model, replica, 1);
  assert_int_equal (replica_check (replica, &err), TALLY_OK);
  shared.ops.digest = wrong_digest;
  assert_int_equal (replica_check (replica, &err), TALLY_CORRUPT);
  assert_string_equal (
      err.text,
      "shared: the digest of \"things\" is not that of its documents");
  doclist_free (&model.docs);
  replica_close (replica);
}

#define BOTH(test)                                        \
  { #test " by slots", test, with_slots, end, NULL },     \
  {                                                       \
#test " from changes", test, without_slots, end, NULL \
  }

int
main (void)
{
  const struct CMUnitTest tests[] = {
    BOTH (test_empty),
    BOTH (test_random_batches),
    BOTH (test_many),
    BOTH (test_long_ids),
    BOTH (test_stops),
    cmocka_unit_test_setup_teardown (test_check_finds_a_wrong_digest,
                                     with_slots, end),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
