/* SPDX-License-Identifier: MIT */
/* What get and changes must do, and what a seq is. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store-kit-impl.h"

static void
get_order (void **state)
{
  static const char *const ids[] = { "b", "nothing", "a", "b", "c", "a" };
  struct kit *k = *state;
  struct rows *rows;

  put_one (k, "things", "a", 1);
  put_one (k, "things", "b", 2);
  put_one (k, "things", "c", 3);
  rows = get_rows (k, "things", ids, COUNT (ids), 0, 0);
  assert_int_equal (rows->n, 5);
  assert_row (rows, 0, "b", 2);
  assert_row (rows, 1, "a", 1);
  assert_row (rows, 2, "b", 2);
  assert_row (rows, 3, "c", 3);
  assert_row (rows, 4, "a", 1);
  rows_free (rows);
}

static void
get_unknown (void **state)
{
  static const char *const ids[] = { "a" };
  struct kit *k = *state;
  struct rows *rows;

  rows = get_rows (k, "nowhere", ids, 1, TALLY_GET_BODY, 0);
  assert_int_equal (rows->n, 0);
  rows_free (rows);
  put_one (k, "things", "a", 1);
  rows = get_rows (k, "things", ids, 0, TALLY_GET_BODY, 0);
  assert_int_equal (rows->n, 0);
  rows_free (rows);
  assert_stored (k, "nowhere", "a", 0);
}

static void
get_stops (void **state)
{
  static const char *const ids[] = { "a", "b", "a" };
  struct kit *k = *state;
  struct rows *rows;

  put_one (k, "things", "a", 1);
  put_one (k, "things", "b", 2);
  rows = get_rows (k, "things", ids, 3, TALLY_GET_BODY, 2);
  assert_int_equal (rows->n, 2);
  rows_free (rows);
  put_one (k, "things", "c", 3);
}

static void
get_whole (void **state)
{
  static const char *const ids[] = { "a" };
  struct kit *k = *state;
  struct tally_entry entry = make_entry ("things", "a", NULL, 7, "{\"a\":1}");
  struct tally_outcome outcome = { 0 };
  struct rows *rows;

  entry.doc.flags = TALLY_DOC_DELETED;
  put_entries (k, &entry, 1, 0, &outcome);
  rows = get_rows (k, "things", ids, 1, TALLY_GET_BODY, 0);
  assert_row (rows, 0, "a", 7);
  assert_int_equal (rows->docs[0].flags, TALLY_DOC_DELETED);
  assert_int_equal (rows->docs[0].seq, outcome.seq);
  assert_int_equal (rows->docs[0].meta.size, 4);
  assert_string_equal (rows->meta, "meta");
  assert_int_equal (rows->docs[0].body.size, 7);
  assert_string_equal (rows->body, "{\"a\":1}");
  rows_free (rows);
  rows = get_rows (k, "things", ids, 1, TALLY_GET_META, 0);
  assert_row (rows, 0, "a", 7);
  assert_string_equal (rows->meta, "meta");
  rows_free (rows);
}

/* Half of a rev may be zeros where the host asks for no more. */
static void
get_part (void **state)
{
  static const unsigned char none[TALLY_REV_SIZE - TALLY_REV_PART];
  static const char *const ids[] = { "a", "b" };
  struct kit *k = *state;
  struct tally_entry gone = make_entry ("things", "b", NULL, 8, "{}");
  struct tally_outcome outcome;
  struct rows *rows;

  put_one (k, "things", "a", 7);
  gone.doc.flags = TALLY_DOC_DELETED;
  put_entries (k, &gone, 1, 0, &outcome);
  rows = get_rows (k, "things", ids, 2, TALLY_GET_BODY | TALLY_GET_PART, 0);
  assert_int_equal (rows->n, 2);
  assert_int_equal (rows->docs[0].flags, 0);
  assert_int_equal (rows->docs[1].flags, TALLY_DOC_DELETED);
  assert_true (rows->docs[1].body.size == 2);
  for (unsigned i = 0; i < 2; i++) {
    unsigned char rev[TALLY_REV_SIZE];
    const unsigned char *got = rows->docs[i].rev;

    make_rev (rev, 7 + i);
    assert_memory_equal (got, rev, TALLY_REV_PART);
    if (memcmp (got + TALLY_REV_PART, none, sizeof none) != 0)
      assert_memory_equal (got, rev, TALLY_REV_SIZE);
  }
  rows_free (rows);
}

static void
seq_never_reused (void **state)
{
  struct kit *k = *state;
  struct tally_outcome outcome;
  uint64_t last = 0, seq;

  for (unsigned round = 1; round < 4; round++) {
    put_one (k, "things", "a", round);
    seq = put_one (k, "others", "b", round);
    assert_true (seq > last);
    last = seq;
    assert_int_equal (forget_one (k, "others", "b", round, &outcome),
                      TALLY_OK);
    assert_int_equal (forget_one (k, "things", "a", round, &outcome),
                      TALLY_OK);
    kit_reopen (k);
    kit_reopen (k);
  }
}

/* The last seq given belongs to an update; its document goes. */
static void
seq_after_update (void **state)
{
  struct kit *k = *state;
  struct tally_outcome outcome;
  uint64_t seq = put_one (k, "things", "a", 1), head;

  for (unsigned n = 2; n < 6; n++) {
    uint64_t next = put_one (k, "things", "a", n);

    assert_true (next > seq);
    seq = next;
  }
  assert_int_equal (forget_one (k, "things", "a", 5, &outcome), TALLY_OK);
  kit_reopen (k);
  rows_free (get_changes (k, "things", 0, 0, &head));
  assert_true (put_one (k, "things", "a", 6) > (head > seq ? head : seq));
}

static void
changes_order (void **state)
{
  struct kit *k = *state;
  struct tally_entry gone = make_entry ("things", "c", NULL, 5, "");
  struct tally_outcome outcome;
  struct rows *rows;
  uint64_t since, head, last;

  put_one (k, "things", "z", 1);
  put_one (k, "things", "a", 2);
  since = put_one (k, "things", "c", 3);
  put_one (k, "others", "o", 9);
  put_one (k, "things", "z", 4);
  gone.doc.flags = TALLY_DOC_DELETED;
  put_entries (k, &gone, 1, 0, &outcome);
  last = outcome.seq;

  rows = get_changes (k, "things", 0, 0, &head);
  assert_int_equal (rows->n, 3);
  assert_row (rows, 0, "a", 2);
  assert_row (rows, 1, "z", 4);
  assert_row (rows, 2, "c", 5);
  assert_int_equal (rows->docs[0].flags, 0);
  assert_int_equal (rows->docs[2].flags, TALLY_DOC_DELETED);
  assert_int_equal (rows->docs[2].seq, last);
  rows_free (rows);

  rows = get_changes (k, "things", since, 0, &head);
  assert_int_equal (rows->n, 2);
  assert_row (rows, 0, "z", 4);
  rows_free (rows);

  rows = get_changes (k, "things", last, 0, &head);
  assert_int_equal (rows->n, 0);
  assert_true (head >= last);
  rows_free (rows);
}

/* Whatever was returned as head, later writes stand above it. */
static void
changes_head (void **state)
{
  struct kit *k = *state;
  struct rows *rows;
  uint64_t head, seq;

  rows_free (get_changes (k, "things", 0, 0, &head));
  seq = put_one (k, "things", "a", 1);
  assert_true (seq > head);
  rows_free (get_changes (k, "things", seq, 0, &head));
  assert_true (head >= seq);
  kit_reopen (k);
  assert_true (put_one (k, "things", "b", 1) > head);
  rows = get_changes (k, "things", head, 0, &head);
  assert_int_equal (rows->n, 1);
  assert_row (rows, 0, "b", 1);
  rows_free (rows);
  rows = get_changes (k, "things", UINT64_MAX, 0, &head);
  assert_int_equal (rows->n, 0);
  rows_free (rows);
}

static void
changes_stop (void **state)
{
  struct kit *k = *state;
  struct rows *rows;
  uint64_t head;

  put_one (k, "things", "a", 1);
  put_one (k, "things", "b", 2);
  put_one (k, "things", "c", 3);
  rows = get_changes (k, "things", 0, 2, &head);
  assert_int_equal (rows->n, 2);
  assert_row (rows, 1, "b", 2);
  rows_free (rows);
  put_one (k, "things", "a", 4);
}

const struct kit_check kit_read_tests[] = {
  KIT_CHECK (
      get_order, "get",
      "documents come in the order asked, one asked for twice comes twice"),
  KIT_CHECK (get_unknown, "get",
             "an id or a collection that is not there emits nothing"),
  KIT_CHECK (get_stops, "get",
             "an emit that says stop ends it, with TALLY_OK"),
  KIT_CHECK (get_whole, "get", "meta, body and flags come as they were put"),
  KIT_CHECK (get_part, "get",
             "asked for a part of the rev, that part comes, or all of it"),
  KIT_CHECK (seq_never_reused, "put",
             "a seq is never given twice, not after forgetting or reopening"),
  KIT_CHECK (seq_after_update, "put",
             "a seq is above every seq given before, also after its document "
             "is forgotten"),
  KIT_CHECK (
      changes_order, "changes",
      "headers come in rising seq, each document once, tombstones included"),
  KIT_CHECK (changes_head, "changes",
             "later writes are above every head that was returned"),
  KIT_CHECK (changes_stop, "changes",
             "an emit that says stop ends it, with TALLY_OK"),
  { 0 },
};
