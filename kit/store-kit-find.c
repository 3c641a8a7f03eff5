/* SPDX-License-Identifier: MIT */
/* What find must do, of a store that has it: the ids between two places, in
 * bytewise order.  Indexes are made of nothing else.  And what search and hold
 * must. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "store-kit-impl.h"

static struct rows *
find_rows (struct kit *k, const char *from, const char *to, unsigned flags,
           size_t stop_after)
{
  struct tally_slice first = { from, from ? strlen (from) : 0 };
  struct tally_slice last = { to, to ? strlen (to) : 0 };
  struct rows *rows = rows_new (stop_after);

  assert_int_equal (k->ops->find (k->handle, "things", from ? &first : NULL,
                                  to ? &last : NULL, flags, keep_row, rows,
                                  &k->err),
                    TALLY_OK);
  return rows;
}

/* Put in another order than they sort in; "c" is a tombstone. */
static void
put_some (struct kit *k)
{
  static const char *const ids[] = { "d", "ab", "e", "a", "ab!", "b" };
  struct tally_entry gone = make_entry ("things", "c", NULL, 9, "");
  struct tally_outcome outcome;

  for (unsigned i = 0; i < COUNT (ids); i++)
    put_one (k, "things", ids[i], i + 1);
  put_one (k, "other", "aa", 1);
  put_one (k, "things!", "aa", 1);
  gone.doc.flags = TALLY_DOC_DELETED;
  put_entries (k, &gone, 1, 0, &outcome);
}

static void
find_between (void **state)
{
  struct kit *k = *state;
  struct rows *rows;

  if (!k->ops->find)
    skip ();
  put_some (k);
  rows = find_rows (k, "ab", "d", TALLY_GET_BODY, 0);
  assert_int_equal (rows->n, 3);
  assert_row (rows, 0, "ab", 2);
  assert_row (rows, 1, "ab!", 5);
  assert_row (rows, 2, "b", 6);
  assert_true (rows->docs[2].body.size > 0);
  rows_free (rows);
  rows = find_rows (k, NULL, NULL, 0, 0);
  assert_int_equal (rows->n, 6);
  assert_row (rows, 0, "a", 4);
  assert_row (rows, 5, "e", 3);
  rows_free (rows);
  rows = find_rows (k, "aba", "abz", 0, 0);
  assert_int_equal (rows->n, 0);
  rows_free (rows);
}

/* The last of what comes is the last one between the two. */
static void
find_last (void **state)
{
  static const struct {
    const char *from, *to, *last;
  } cases[] = { { "", "d", "b" },   { "", "zz", "e" },   { "ab", "ab!", "ab" },
                { "a", "ab", "a" }, { "b!", "d", NULL }, { "", "a", NULL } };
  struct kit *k = *state;

  if (!k->ops->find)
    skip ();
  for (unsigned i = 0; i < COUNT (cases); i++) {
    struct rows *rows = find_rows (k, cases[i].from, cases[i].to,
                                   TALLY_FIND_IDS | TALLY_FIND_LAST, 0);

    assert_int_equal (rows->n, 0);
    rows_free (rows);
  }
  for (unsigned i = 0; i < 6; i++) {
    static const char *const ids[] = { "d", "ab", "e", "a", "ab!", "b" };

    put_one (k, "things", ids[i], i + 1);
  }
  put_one (k, "other", "aa", 1);
  put_one (k, "things!", "aa", 1);
  for (unsigned i = 0; i < COUNT (cases); i++) {
    struct rows *rows = find_rows (k, cases[i].from, cases[i].to,
                                   TALLY_FIND_IDS | TALLY_FIND_LAST, 0);

    assert_int_equal (rows->n > 0, cases[i].last != NULL);
    if (cases[i].last)
      assert_string_equal (rows->ids[rows->n - 1], cases[i].last);
    rows_free (rows);
  }
}

static void
find_stops (void **state)
{
  struct kit *k = *state;
  struct rows *rows;

  if (!k->ops->find)
    skip ();
  put_some (k);
  rows = find_rows (k, "ab", NULL, 0, 2);
  assert_int_equal (rows->n, 2);
  assert_row (rows, 1, "ab!", 5);
  rows_free (rows);
}

static void
find_forgotten (void **state)
{
  struct kit *k = *state;
  struct tally_outcome outcome;
  struct rows *rows;

  if (!k->ops->find)
    skip ();
  put_some (k);
  assert_int_equal (forget_one (k, "things", "ab!", 5, &outcome), TALLY_OK);
  kit_reopen (k);
  rows = find_rows (k, "ab", "b", TALLY_FIND_IDS, 0);
  assert_int_equal (rows->n, 1);
  assert_string_equal (rows->ids[0], "ab");
  rows_free (rows);
}

/* ---- search ------------------------------------------------------------- */

struct search {
  struct rows *rows; /* first: it is what keep_row sees */
  uint64_t seqs[8];
  size_t asked;
  size_t end_after; /* so many were asked about; 0: never */
  bool wanted;      /* the last one */
};

/* Every other one is wanted. */
static int
want_some (void *ctx, uint64_t seq, const struct tally_slice *body)
{
  struct search *search = ctx;

  assert_true (body->size > 0);
  if (search->end_after > 0 && search->asked == search->end_after)
    return TALLY_WANTED_END;
  assert_true (search->asked < COUNT (search->seqs));
  assert_true (search->asked == 0 || seq > search->seqs[search->asked - 1]);
  search->seqs[search->asked++] = seq;
  search->wanted = search->asked % 2 == 1;
  return search->wanted ? TALLY_WANTED_YES : TALLY_WANTED_NO;
}

static int
keep_wanted (void *ctx, const struct tally_doc *doc)
{
  struct search *search = ctx;

  assert_true (search->wanted);
  assert_true (doc->seq == search->seqs[search->asked - 1]);
  assert_true (doc->body.size > 0 && doc->meta.size > 0);
  return keep_row (search->rows, doc);
}

static struct search
search_for (struct kit *k, uint64_t since, size_t end_after, size_t stop_after)
{
  struct search search = { .rows = rows_new (stop_after),
                           .end_after = end_after };

  assert_int_equal (k->ops->search (k->handle, "things", since, want_some,
                                    keep_wanted, &search, &k->err),
                    TALLY_OK);
  return search;
}

static void
search_all (void **state)
{
  struct kit *k = *state;
  struct search search;

  if (!k->ops->search)
    skip ();
  put_some (k);
  search = search_for (k, 0, 0, 0);
  assert_int_equal (search.asked, 6);
  assert_int_equal (search.rows->n, 3);
  assert_row (search.rows, 0, "d", 1);
  assert_row (search.rows, 1, "e", 3);
  assert_row (search.rows, 2, "ab!", 5);
  rows_free (search.rows);
  search = search_for (k, search.seqs[1], 0, 0);
  assert_int_equal (search.asked, 4);
  assert_row (search.rows, 0, "e", 3);
  rows_free (search.rows);
}

static void
search_ends (void **state)
{
  struct kit *k = *state;
  struct search search;

  if (!k->ops->search)
    skip ();
  put_some (k);
  search = search_for (k, 0, 2, 0);
  assert_int_equal (search.asked, 2);
  assert_int_equal (search.rows->n, 1);
  rows_free (search.rows);
  search = search_for (k, 0, 0, 2);
  assert_int_equal (search.asked, 3);
  assert_int_equal (search.rows->n, 2);
  rows_free (search.rows);
}

/* ---- hold --------------------------------------------------------------- */

static int
take_note (void *ctx, const void *data, size_t size)
{
  assert_true (size == 1 && *(const char *) data == 'n');
  ++*(int *) ctx;
  return 0;
}

static void
hold_reads (void **state)
{
  static const struct tally_slice value = { "n", 1 };
  struct kit *k = *state;
  struct rows *rows;
  int notes = 0;

  if (!k->ops->hold)
    skip ();
  put_one (k, "things", "a", 1);
  if (k->ops->note_put)
    assert_int_equal (
        k->ops->note_put (k->handle, "note", NULL, &value, &k->err), TALLY_OK);
  assert_int_equal (k->ops->hold (k->handle, 1, &k->err), TALLY_OK);
  if (k->ops->note_get) {
    assert_int_equal (
        k->ops->note_get (k->handle, "note", take_note, &notes, &k->err),
        TALLY_OK);
    assert_int_equal (notes, 1);
  }
  assert_stored (k, "things", "a", 1);
  assert_stored (k, "nowhere", "a", 0);
  if (k->ops->find) {
    rows = find_rows (k, NULL, NULL, TALLY_FIND_IDS, 0);
    assert_int_equal (rows->n, 1);
    rows_free (rows);
  }
  assert_stored (k, "things", "a", 1);
  assert_int_equal (k->ops->hold (k->handle, 0, &k->err), TALLY_OK);
  put_one (k, "things", "a", 2);
  assert_stored (k, "things", "a", 2);
}

const struct kit_check kit_find_tests[] = {
  KIT_CHECK (find_between, "find",
             "the live documents from one id to before another, in order"),
  KIT_CHECK (find_last, "find",
             "the last id before another, where that is asked for"),
  KIT_CHECK (find_stops, "find",
             "an emit that says stop ends it, with TALLY_OK"),
  KIT_CHECK (find_forgotten, "find",
             "what was forgotten is not among the ids"),
  KIT_CHECK (
      search_all, "search",
      "live documents are asked about by seq, and those wanted emitted"),
  KIT_CHECK (hold_reads, "hold",
             "reads go well while they are held, and a put after it"),
  KIT_CHECK (search_ends, "search",
             "it ends where it is told to, with TALLY_OK"),
  { 0 },
};
