/* SPDX-License-Identifier: MIT */
/* What put must do: expectations, whole batches, any bytes, forgetting. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store-kit-impl.h"

/* Some drivers have no transactions, and say so. */
static void
skip_unless_batches (const struct kit *k)
{
  if (k->ops->max_entries != 1)
    return;
  skip ();
}

static void
put_expected (void **state)
{
  struct kit *k = *state;
  unsigned char none[TALLY_REV_SIZE], one[TALLY_REV_SIZE];
  struct tally_entry entry;
  struct tally_outcome outcome;
  uint64_t seq;

  make_rev (none, 0);
  make_rev (one, 1);
  entry = make_entry ("things", "a", one, 2, "{}");
  memset (&outcome, 0xff, sizeof outcome);
  put_entries (k, &entry, 1, 0, &outcome);
  assert_conflict (&outcome, 0, 0);
  assert_stored (k, "things", "a", 0);

  entry = make_entry ("things", "a", none, 1, "{}");
  put_entries (k, &entry, 1, 0, &outcome);
  assert_int_equal (outcome.status, TALLY_OK);
  seq = outcome.seq;

  entry = make_entry ("things", "a", none, 2, "{}");
  put_entries (k, &entry, 1, 0, &outcome);
  assert_conflict (&outcome, seq, 1);
  assert_stored (k, "things", "a", 1);

  entry = make_entry ("things", "a", one, 2, "{}");
  put_entries (k, &entry, 1, 0, &outcome);
  assert_int_equal (outcome.status, TALLY_OK);
  assert_true (outcome.seq > seq);
  seq = outcome.seq;
  put_entries (k, &entry, 1, 0, &outcome);
  assert_conflict (&outcome, seq, 2);
  assert_stored (k, "things", "a", 2);
}

/* A rev that differs in its last byte alone is another rev. */
static void
put_expected_last_byte (void **state)
{
  struct kit *k = *state;
  unsigned char rev[TALLY_REV_SIZE];
  struct tally_entry entry;
  struct tally_outcome outcome;
  uint64_t seq = put_one (k, "things", "a", 1);

  make_rev (rev, 1);
  rev[TALLY_REV_SIZE - 1] ^= 1;
  entry = make_entry ("things", "a", rev, 2, "{}");
  put_entries (k, &entry, 1, 0, &outcome);
  assert_conflict (&outcome, seq, 1);
}

static void
put_mixed (void **state, unsigned flags)
{
  struct kit *k = *state;
  unsigned char none[TALLY_REV_SIZE];
  struct tally_entry entries[3];
  struct tally_outcome outcomes[3];
  uint64_t seq = put_one (k, "things", "b", 1), head;
  bool all = flags & TALLY_PUT_ALL;

  make_rev (none, 0);
  entries[0] = make_entry ("things", "c", none, 2, "{}");
  entries[1] = make_entry ("things", "b", none, 3, "{}");
  entries[2] = make_entry ("others", "a", NULL, 4, "{}");
  memset (outcomes, 0xff, sizeof outcomes);
  put_entries (k, entries, 3, flags, outcomes);
  assert_int_equal (outcomes[0].status, TALLY_OK);
  assert_conflict (&outcomes[1], seq, 1);
  assert_int_equal (outcomes[2].status, TALLY_OK);
  assert_int_equal (outcomes[0].seq > seq, !all);
  assert_int_equal (outcomes[2].seq > outcomes[0].seq, !all);
  if (all)
    assert_int_equal (outcomes[0].seq | outcomes[2].seq, 0);
  kit_reopen (k);
  assert_stored (k, "things", "c", all ? 0 : 2);
  assert_stored (k, "things", "b", 1);
  assert_stored (k, "others", "a", all ? 0 : 4);
  rows_free (get_changes (k, "things", seq, 0, &head));
}

static void
put_some (void **state)
{
  skip_unless_batches (*state);
  put_mixed (state, 0);
}

static void
put_all_or_none (void **state)
{
  skip_unless_batches (*state);
  put_mixed (state, TALLY_PUT_ALL);
}

static void
put_all (void **state)
{
  struct kit *k = *state;
  unsigned char one[TALLY_REV_SIZE];
  struct tally_entry entries[3];
  struct tally_outcome outcomes[3];

  skip_unless_batches (k);
  make_rev (one, 1);
  put_one (k, "things", "a", 1);
  put_one (k, "things", "b", 1);
  entries[0] = make_entry ("things", "a", one, 2, "{}");
  entries[1] = make_entry ("things", "b", one, 0, "");
  entries[1].flags = TALLY_ENTRY_FORGET;
  entries[2] = make_entry ("journal", "a", NULL, 3, "{}");
  put_entries (k, entries, 3, TALLY_PUT_ALL, outcomes);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal (outcomes[i].status, TALLY_OK);
  kit_reopen (k);
  assert_stored (k, "things", "a", 2);
  assert_stored (k, "things", "b", 0);
  assert_stored (k, "journal", "a", 3);
}

static void
put_twice (void **state)
{
  struct kit *k = *state;
  struct tally_entry entries[3];
  struct tally_outcome outcomes[3];

  skip_unless_batches (k);
  entries[0] = make_entry ("things", "b", NULL, 1, "{}");
  entries[1] = make_entry ("things", "a", NULL, 2, "{}");
  entries[2] = make_entry ("things", "b", NULL, 3, "{}");
  k->err.text[0] = 0;
  assert_int_equal (k->ops->put (k->handle, entries, 3, 0, outcomes, &k->err),
                    TALLY_INVALID);
  assert_int_equal (k->err.status, TALLY_INVALID);
  assert_int_not_equal (k->err.text[0], 0);
  assert_stored (k, "things", "a", 0);
  assert_stored (k, "things", "b", 0);
  entries[2].collection = "others";
  put_entries (k, entries, 3, 0, outcomes);
  assert_stored (k, "things", "b", 1);
  assert_stored (k, "others", "b", 3);
}

static void
put_nothing (void **state)
{
  struct kit *k = *state;
  struct tally_entry entry = { 0 };
  struct tally_outcome outcome;

  put_entries (k, &entry, 0, 0, &outcome);
  put_entries (k, &entry, 0, TALLY_PUT_ALL, &outcome);
}

/* Nothing of an older, longer version stays. */
static void
put_shorter (void **state)
{
  static const char *const ids[] = { "a" };
  struct kit *k = *state;
  struct tally_entry entry = make_entry ("things", "a", NULL, 1, "{\"a\":1}");
  struct tally_outcome outcome;
  struct rows *rows;

  put_entries (k, &entry, 1, 0, &outcome);
  entry = make_entry ("things", "a", NULL, 2, "");
  entry.doc.meta.data = entry.doc.body.data = NULL;
  entry.doc.meta.size = 0;
  entry.doc.flags = TALLY_DOC_DELETED;
  put_entries (k, &entry, 1, 0, &outcome);
  rows = get_rows (k, "things", ids, 1, TALLY_GET_BODY, 0);
  assert_row (rows, 0, "a", 2);
  assert_int_equal (rows->docs[0].flags, TALLY_DOC_DELETED);
  assert_int_equal (rows->docs[0].meta.size, 0);
  assert_int_equal (rows->docs[0].body.size, 0);
  rows_free (rows);
}

static void
put_binary (void **state)
{
  struct kit *k = *state;
  struct tally_entry entry = make_entry ("things", "a", NULL, 1, "");
  struct tally_outcome outcome;
  struct rows *rows = rows_new (0);
  char bytes[512], id[TALLY_ID_MAX];

  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char) (255 - i % 256);
  for (size_t i = 0; i < sizeof id; i++)
    id[i] = (char) (i % 2 ? 0xa9 : 0xc3);
  entry.doc.id.data = id;
  entry.doc.id.size = sizeof id;
  entry.doc.meta.data = entry.doc.body.data = bytes;
  entry.doc.meta.size = entry.doc.body.size = sizeof bytes;
  memset (entry.doc.rev, 0xff, TALLY_REV_SIZE);
  put_entries (k, &entry, 1, 0, &outcome);
  kit_reopen (k);
  assert_int_equal (k->ops->get (k->handle, "things", &entry.doc.id, 1,
                                 TALLY_GET_BODY, keep_row, rows, &k->err),
                    TALLY_OK);
  assert_int_equal (rows->n, 1);
  assert_memory_equal (rows->docs[0].rev, entry.doc.rev, TALLY_REV_SIZE);
  assert_int_equal (rows->docs[0].id.size, sizeof id);
  assert_memory_equal (rows->ids[0], id, sizeof id);
  assert_int_equal (rows->docs[0].meta.size, sizeof bytes);
  assert_memory_equal (rows->meta, bytes, sizeof bytes);
  assert_int_equal (rows->docs[0].body.size, sizeof bytes);
  assert_memory_equal (rows->body, bytes, sizeof bytes);
  rows_free (rows);
}

static void
put_big (void **state)
{
  static const char *const ids[] = { "big" };
  struct kit *k = *state;
  struct tally_entry entry = make_entry ("things", "big", NULL, 1, "");
  struct tally_outcome outcome;
  struct rows *rows;
  char *body = malloc (TALLY_DOCUMENT_MAX);

  assert_non_null (body);
  for (size_t i = 0; i < TALLY_DOCUMENT_MAX; i++)
    body[i] = (char) ((i * 2654435761u) >> 13);
  entry.doc.body.data = body;
  entry.doc.body.size = TALLY_DOCUMENT_MAX;
  put_entries (k, &entry, 1, 0, &outcome);
  kit_reopen (k);
  rows = get_rows (k, "things", ids, 1, TALLY_GET_BODY, 0);
  assert_row (rows, 0, "big", 1);
  assert_int_equal (rows->docs[0].body.size, TALLY_DOCUMENT_MAX);
  assert_memory_equal (rows->body, body, TALLY_DOCUMENT_MAX);
  rows_free (rows);
  free (body);
}

static void
put_many (void **state)
{
  struct kit *k = *state;
  size_t n = k->ops->max_entries ? k->ops->max_entries : TALLY_BATCH_ENTRIES;
  struct tally_entry *entries = calloc (n, sizeof *entries);
  struct tally_outcome *outcomes = calloc (n, sizeof *outcomes);
  char (*ids)[16] = calloc (n, sizeof *ids);
  struct rows *rows;
  uint64_t head;

  assert_true (entries && outcomes && ids);
  for (size_t i = 0; i < n; i++) {
    snprintf (ids[i], sizeof ids[i], "%08x", (unsigned) i * 2654435761u);
    entries[i] = make_entry ("things", ids[i], NULL, 1 + i % 9, "{}");
  }
  put_entries (k, entries, n, 0, outcomes);
  for (size_t i = 1; i < n; i++)
    assert_true (outcomes[i].seq > outcomes[i - 1].seq);
  kit_reopen (k);
  rows = get_changes (k, "things", 0, 0, &head);
  assert_int_equal (rows->n, n);
  for (size_t i = 0; i < n && i < ROWS_MAX; i++) {
    assert_row (rows, i, ids[i], 1 + i % 9);
    assert_int_equal (rows->docs[i].seq, outcomes[i].seq);
  }
  rows_free (rows);
  free (ids);
  free (outcomes);
  free (entries);
}

static void
forget (void **state)
{
  struct kit *k = *state;
  unsigned char none[TALLY_REV_SIZE] = { 0 };
  struct tally_outcome outcome;
  struct rows *rows;
  uint64_t seq, head;

  put_one (k, "things", "a", 1);
  seq = put_one (k, "things", "b", 2);
  assert_int_equal (forget_one (k, "things", "b", 1, &outcome),
                    TALLY_CONFLICT);
  assert_conflict (&outcome, seq, 2);
  assert_int_equal (forget_one (k, "things", "x", 1, &outcome),
                    TALLY_CONFLICT);
  assert_conflict (&outcome, 0, 0);
  assert_stored (k, "things", "b", 2);
  assert_int_equal (forget_one (k, "things", "x", 0, &outcome), TALLY_OK);
  assert_int_equal (outcome.seq, 0);

  assert_int_equal (forget_one (k, "things", "b", 2, &outcome), TALLY_OK);
  assert_int_equal (outcome.seq, 0);
  assert_memory_equal (outcome.rev, none, TALLY_REV_SIZE);
  kit_reopen (k);
  assert_stored (k, "things", "b", 0);
  rows = get_changes (k, "things", 0, 0, &head);
  assert_int_equal (rows->n, 1);
  assert_row (rows, 0, "a", 1);
  rows_free (rows);
}

const struct kit_check kit_put_tests[] = {
  KIT_CHECK (put_expected, "put",
             "an entry is written if, and only if, what it expects is stored"),
  KIT_CHECK (put_expected_last_byte, "put", "all of a rev is compared"),
  KIT_CHECK (put_some, "put",
             "an entry that fails its check leaves the others alone"),
  KIT_CHECK (put_all_or_none, "put",
             "with TALLY_PUT_ALL one entry that fails its check keeps all "
             "from being written"),
  KIT_CHECK (put_all, "put",
             "with TALLY_PUT_ALL all are written, over collections"),
  KIT_CHECK (put_twice, "put",
             "an id twice in one batch is TALLY_INVALID and writes nothing"),
  KIT_CHECK (put_nothing, "put", "no entries are TALLY_OK"),
  KIT_CHECK (put_shorter, "put", "nothing of an older, longer version stays"),
  KIT_CHECK (put_binary, "put", "ids, meta and bodies are any bytes"),
  KIT_CHECK (put_big, "put", "a document may have 16 MiB"),
  KIT_CHECK (put_many, "put",
             "a batch may have as many entries as max_entries allows"),
  KIT_CHECK (forget, "put",
             "TALLY_ENTRY_FORGET removes a document of the rev expected, and "
             "no other"),
  { 0 },
};
