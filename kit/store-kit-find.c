/* SPDX-License-Identifier: MIT */
/* What find must do, of a store that has it: the ids between two places, in
 * bytewise order.  Indexes are made of nothing else. */

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

const struct kit_check kit_find_tests[] = {
  KIT_CHECK (find_between, "find",
             "the live documents from one id to before another, in order"),
  KIT_CHECK (find_stops, "find",
             "an emit that says stop ends it, with TALLY_OK"),
  KIT_CHECK (find_forgotten, "find",
             "what was forgotten is not among the ids"),
  { 0 },
};
