/* SPDX-License-Identifier: MIT */
/* The store contract of tally/driver.h, one rule a check, for any driver.
 * Each check gets a new, empty store; what the header leaves open
 * (how big a head is, what a stopped feed's head is) is not looked at. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store-kit-impl.h"
#include "values.h"

int
kit_open (struct kit *k, unsigned flags)
{
  struct tally_value values[KIT_VALUES];

  kit_values (values, k->kit, k->value);
  k->handle = NULL;
  return k->ops->open (&k->handle, &k->host, values, flags, &k->err);
}

void
kit_close (struct kit *k)
{
  if (k->handle)
    k->ops->close (k->handle);
  k->handle = NULL;
}

/* Leaves a store that forgets alone. */
void
kit_reopen (struct kit *k)
{
  if (!k->kit->persistent)
    return;
  kit_close (k);
  assert_int_equal (kit_open (k, 0), TALLY_OK);
}

int
kit_setup (void **state)
{
  const struct kit_subject *kit = *state;
  struct kit *k = calloc (1, sizeof *k);

  if (!k)
    return -1;
  k->kit = kit;
  k->ops = kit->driver->store;
  kit_host (&k->host);
  *state = k;
  if (kit->fresh (k->value, sizeof k->value)
      || kit_open (k, TALLY_OPEN_CREATE) != TALLY_OK) {
    kit_note ("open: %s", k->err.text);
    free (k);
    return -1;
  }
  return 0;
}

int
kit_teardown (void **state)
{
  struct kit *k = *state;

  kit_close (k);
  free (k);
  return 0;
}

/* A rev with stamp n; 0 gives the rev that means "not there". */
void
make_rev (unsigned char rev[TALLY_REV_SIZE], unsigned n)
{
  memset (rev, 0, TALLY_REV_SIZE);
  for (unsigned i = 0; i < 4; i++) {
    rev[8 + i] = (unsigned char) (n >> (24 - 8 * i));
    rev[12 + i] = (unsigned char) ((n * 2654435761u) >> (8 * i));
  }
}

struct tally_entry
make_entry (const char *collection, const char *id,
            const unsigned char *expected, unsigned n, const char *body)
{
  struct tally_entry entry = { 0 };

  entry.collection = collection;
  entry.expected = expected;
  entry.doc.id.data = id;
  entry.doc.id.size = strlen (id);
  make_rev (entry.doc.rev, n);
  entry.doc.meta.data = "meta";
  entry.doc.meta.size = 4;
  entry.doc.body.data = body;
  entry.doc.body.size = strlen (body);
  return entry;
}

void
put_entries (struct kit *k, const struct tally_entry *entries, size_t n,
             unsigned flags, struct tally_outcome *outcomes)
{
  int status = k->ops->put (k->handle, entries, n, flags, outcomes, &k->err);

  if (status)
    kit_note ("put: %s", k->err.text);
  assert_int_equal (status, TALLY_OK);
}

/* Puts one document, which must succeed; returns its seq. */
uint64_t
put_one (struct kit *k, const char *collection, const char *id, unsigned n)
{
  struct tally_entry entry = make_entry (collection, id, NULL, n, "{}");
  struct tally_outcome outcome = { 0 };

  put_entries (k, &entry, 1, 0, &outcome);
  assert_int_equal (outcome.status, TALLY_OK);
  assert_memory_equal (outcome.rev, entry.doc.rev, TALLY_REV_SIZE);
  assert_true (outcome.seq > 0);
  return outcome.seq;
}

int
forget_one (struct kit *k, const char *collection, const char *id, unsigned n,
            struct tally_outcome *outcome)
{
  struct tally_entry entry = make_entry (collection, id, NULL, 0, "");
  unsigned char rev[TALLY_REV_SIZE];

  make_rev (rev, n);
  entry.flags = TALLY_ENTRY_FORGET;
  entry.expected = rev;
  memset (outcome, 0xff, sizeof *outcome);
  put_entries (k, &entry, 1, 0, outcome);
  return outcome->status;
}

char *
copy_bytes (struct tally_slice slice)
{
  char *copy = malloc (slice.size + 1);

  assert_non_null (copy);
  if (slice.size)
    memcpy (copy, slice.data, slice.size);
  copy[slice.size] = 0;
  return copy;
}

int
keep_row (void *ctx, const struct tally_doc *doc)
{
  struct rows *rows = ctx;

  if (rows->n < ROWS_MAX) {
    assert_in_range (doc->id.size, 1, TALLY_ID_MAX);
    memcpy (rows->ids[rows->n], doc->id.data, doc->id.size);
    rows->docs[rows->n] = *doc;
    rows->docs[rows->n].id.data = rows->ids[rows->n];
  }
  free (rows->meta);
  free (rows->body);
  rows->meta = copy_bytes (doc->meta);
  rows->body = copy_bytes (doc->body);
  rows->n++;
  return rows->n == rows->stop_after;
}

struct rows *
rows_new (size_t stop_after)
{
  struct rows *rows = calloc (1, sizeof *rows);

  assert_non_null (rows);
  rows->stop_after = stop_after;
  return rows;
}

void
rows_free (struct rows *rows)
{
  free (rows->meta);
  free (rows->body);
  free (rows);
}

void
assert_row (const struct rows *rows, size_t i, const char *id, unsigned n)
{
  unsigned char rev[TALLY_REV_SIZE];

  make_rev (rev, n);
  assert_true (i < rows->n);
  assert_int_equal (rows->docs[i].id.size, strlen (id));
  assert_memory_equal (rows->ids[i], id, strlen (id));
  assert_memory_equal (rows->docs[i].rev, rev, TALLY_REV_SIZE);
}

struct rows *
get_rows (struct kit *k, const char *collection, const char *const *ids,
          size_t n, unsigned flags, size_t stop_after)
{
  struct rows *rows = rows_new (stop_after);
  struct tally_slice slices[8];

  assert_true (n <= COUNT (slices));
  for (size_t i = 0; i < n; i++) {
    slices[i].data = ids[i];
    slices[i].size = strlen (ids[i]);
  }
  assert_int_equal (k->ops->get (k->handle, collection, slices, n, flags,
                                 keep_row, rows, &k->err),
                    TALLY_OK);
  return rows;
}

/* Is this document here with this rev; n 0: it is not here. */
void
assert_stored (struct kit *k, const char *collection, const char *id,
               unsigned n)
{
  struct rows *rows = get_rows (k, collection, &id, 1, TALLY_GET_BODY, 0);

  assert_int_equal (rows->n, n != 0);
  if (n)
    assert_row (rows, 0, id, n);
  rows_free (rows);
}

struct rows *
get_changes (struct kit *k, const char *collection, uint64_t since,
             size_t stop_after, uint64_t *head)
{
  struct rows *rows = rows_new (stop_after);

  *head = 0;
  assert_int_equal (k->ops->changes (k->handle, collection, since, keep_row,
                                     rows, head, &k->err),
                    TALLY_OK);
  for (size_t i = 0; i < rows->n && i < ROWS_MAX; i++) {
    assert_true (rows->docs[i].seq > (i ? rows->docs[i - 1].seq : since));
    assert_int_equal (rows->docs[i].meta.size, 0);
    assert_int_equal (rows->docs[i].body.size, 0);
    if (!stop_after)
      assert_true (rows->docs[i].seq <= *head);
  }
  return rows;
}

void
assert_conflict (const struct tally_outcome *outcome, uint64_t seq, unsigned n)
{
  unsigned char rev[TALLY_REV_SIZE];

  make_rev (rev, n);
  assert_int_equal (outcome->status, TALLY_CONFLICT);
  assert_int_equal (outcome->seq, seq);
  assert_memory_equal (outcome->rev, rev, TALLY_REV_SIZE);
}

static const struct kit_check *const store_checks[] = {
  kit_open_tests, kit_read_tests, kit_put_tests,  kit_notes_tests,
  kit_wait_tests, kit_scan_tests, kit_find_tests, NULL
};

const struct kit_suite kit_store = { store_checks, kit_setup, kit_teardown };
