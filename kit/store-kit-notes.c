/* SPDX-License-Identifier: MIT */
/* Notes, and collections that are kept apart. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store-kit-impl.h"

struct names {
  size_t n;
  size_t stop_after;
  char text[1024];
};

static int
keep_name (void *ctx, const char *name)
{
  struct names *names = ctx;
  size_t used = strlen (names->text);

  snprintf (names->text + used, sizeof names->text - used, "%s ", name);
  names->n++;
  return names->n == names->stop_after;
}

struct note {
  int count;
  size_t size;
  char *data;
};

static int
keep_note (void *ctx, const void *data, size_t size)
{
  struct note *note = ctx;
  struct tally_slice slice = { data, size };

  note->count++;
  note->size = size;
  free (note->data);
  note->data = copy_bytes (slice);
  return 0;
}

/* value NULL: there is no such note. */
static void
assert_note (struct kit *k, const char *key, const char *value, size_t size)
{
  struct note note = { 0 };

  assert_int_equal (
      k->ops->note_get (k->handle, key, keep_note, &note, &k->err), TALLY_OK);
  assert_int_equal (note.count, value != NULL);
  if (value) {
    assert_int_equal (note.size, size);
    assert_memory_equal (note.data, value, size);
  }
  free (note.data);
}

static int
note_put (struct kit *k, const char *key, const char *expected,
          const char *value)
{
  struct tally_slice before = { expected, expected ? strlen (expected) : 0 };
  struct tally_slice after = { value, value ? strlen (value) : 0 };

  return k->ops->note_put (k->handle, key, &before, value ? &after : NULL,
                           &k->err);
}

static int
note_set (struct kit *k, const char *key, const char *value)
{
  struct tally_slice after = { value, value ? strlen (value) : 0 };

  return k->ops->note_put (k->handle, key, NULL, value ? &after : NULL,
                           &k->err);
}

static void
note_compare_and_set (void **state)
{
  struct kit *k = *state;

  if (!k->ops->note_put)
    skip ();
  assert_note (k, "key", NULL, 0);
  assert_int_equal (note_put (k, "key", "x", "1"), TALLY_CONFLICT);
  assert_int_equal (note_put (k, "key", "", "1"), TALLY_CONFLICT);
  assert_note (k, "key", NULL, 0);
  assert_int_equal (note_put (k, "key", NULL, "one"), TALLY_OK);
  assert_note (k, "key", "one", 3);
  assert_int_equal (note_put (k, "key", NULL, "2"), TALLY_CONFLICT);
  assert_int_equal (note_put (k, "key", "on", "2"), TALLY_CONFLICT);
  assert_int_equal (note_put (k, "key", "onE", "2"), TALLY_CONFLICT);
  assert_int_equal (note_put (k, "key", "onE", NULL), TALLY_CONFLICT);
  kit_reopen (k);
  assert_note (k, "key", "one", 3);
  assert_int_equal (note_put (k, "key", "one", "two2"), TALLY_OK);
  kit_reopen (k);
  assert_note (k, "key", "two2", 4);
  assert_int_equal (note_put (k, "key", "two2", NULL), TALLY_OK);
  kit_reopen (k);
  assert_note (k, "key", NULL, 0);
  assert_int_equal (note_put (k, "key", NULL, NULL), TALLY_OK);
}

static void
note_overwrite (void **state)
{
  struct kit *k = *state;

  if (!k->ops->note_put)
    skip ();
  assert_int_equal (note_set (k, "key", "1"), TALLY_OK);
  assert_int_equal (note_set (k, "key", "22"), TALLY_OK);
  assert_note (k, "key", "22", 2);
  assert_int_equal (note_set (k, "key", ""), TALLY_OK);
  kit_reopen (k);
  assert_note (k, "key", "", 0);
  assert_int_equal (note_put (k, "key", NULL, "3"), TALLY_CONFLICT);
  assert_int_equal (note_put (k, "key", "", "3"), TALLY_OK);
  assert_int_equal (note_set (k, "key", NULL), TALLY_OK);
  assert_int_equal (note_set (k, "key", NULL), TALLY_OK);
  assert_note (k, "key", NULL, 0);
}

static void
note_big (void **state)
{
  struct kit *k = *state;
  struct tally_slice value = { NULL, 1u << 20 };
  char *bytes;

  if (!k->ops->note_put)
    skip ();
  bytes = malloc (value.size);
  assert_non_null (bytes);
  for (size_t i = 0; i < value.size; i++)
    bytes[i] = (char) (i % 251);
  value.data = bytes;
  assert_int_equal (k->ops->note_put (k->handle, "big", NULL, &value, &k->err),
                    TALLY_OK);
  kit_reopen (k);
  assert_note (k, "big", bytes, value.size);
  bytes[77]++;
  assert_int_equal (k->ops->note_put (k->handle, "big", &value, NULL, &k->err),
                    TALLY_CONFLICT);
  bytes[77]--;
  assert_int_equal (k->ops->note_put (k->handle, "big", &value, NULL, &k->err),
                    TALLY_OK);
  assert_note (k, "big", NULL, 0);
  free (bytes);
}

static void
note_names (void **state)
{
  static const char *const keys[] = { "peer/b", "peer/", "peer",    "peer/a",
                                      "Z",      "peer0", "peer/a~", "!" };
  struct kit *k = *state;
  struct names names = { 0 }, all = { 0 }, none = { 0 }, one = { 0 };

  if (!k->ops->note_list)
    skip ();
  for (size_t i = 0; i < COUNT (keys); i++)
    assert_int_equal (note_set (k, keys[i], "1"), TALLY_OK);
  assert_int_equal (
      k->ops->note_list (k->handle, "peer/", keep_name, &names, &k->err),
      TALLY_OK);
  assert_string_equal (names.text, "peer/ peer/a peer/a~ peer/b ");
  assert_int_equal (
      k->ops->note_list (k->handle, "", keep_name, &all, &k->err), TALLY_OK);
  assert_string_equal (all.text,
                       "! Z peer peer/ peer/a peer/a~ peer/b peer0 ");
  assert_int_equal (
      k->ops->note_list (k->handle, "q", keep_name, &none, &k->err), TALLY_OK);
  assert_int_equal (none.n, 0);
  one.stop_after = 1;
  assert_int_equal (
      k->ops->note_list (k->handle, "peer", keep_name, &one, &k->err),
      TALLY_OK);
  assert_string_equal (one.text, "peer ");
}

/* A note's key may look like a collection or a document. */
static void
note_apart (void **state)
{
  struct kit *k = *state;

  if (!k->ops->note_put)
    skip ();
  put_one (k, "things", "a", 1);
  assert_int_equal (note_set (k, "things", "1"), TALLY_OK);
  assert_int_equal (note_set (k, "a", "1"), TALLY_OK);
  assert_int_equal (note_set (k, "things", NULL), TALLY_OK);
  assert_stored (k, "things", "a", 1);
  assert_stored (k, "things", "things", 0);
}

static void
assert_collections (struct kit *k, size_t stop_after, const char *text)
{
  struct names names = { 0 };

  names.stop_after = stop_after;
  assert_int_equal (
      k->ops->collections (k->handle, keep_name, &names, &k->err), TALLY_OK);
  assert_string_equal (names.text, text);
}

static void
collection_names (void **state)
{
  struct kit *k = *state;
  unsigned char rev[TALLY_REV_SIZE];
  struct tally_entry entry;
  struct tally_outcome outcome;

  if (!k->ops->collections)
    skip ();
  assert_collections (k, 0, "");
  put_one (k, "b", "x", 1);
  put_one (k, "a.b", "x", 1);
  put_one (k, "a", "x", 1);
  put_one (k, "_local", "x", 1);
  put_one (k, "Z", "x", 1);
  make_rev (rev, 1);
  entry = make_entry ("refused", "x", rev, 2, "{}");
  put_entries (k, &entry, 1, 0, &outcome);
  entry = make_entry ("gone", "x", NULL, 2, "");
  entry.doc.flags = TALLY_DOC_DELETED;
  put_entries (k, &entry, 1, 0, &outcome);
  kit_reopen (k);
  assert_collections (k, 0, "Z _local a a.b b gone ");
  assert_collections (k, 2, "Z _local ");
  forget_one (k, "a", "x", 1, &outcome);
  assert_collections (k, 0, "Z _local a.b b gone ");
}

static void
collections_apart (void **state)
{
  struct kit *k = *state;
  char name[32];
  struct rows *rows;
  uint64_t head;

  for (unsigned i = 1; i <= 60; i++) {
    snprintf (name, sizeof name, "c%u", i);
    put_one (k, name, "same", i);
    put_one (k, name, "other", i);
  }
  for (unsigned i = 1; i <= 60; i++) {
    snprintf (name, sizeof name, "c%u", i);
    assert_stored (k, name, "same", i);
    rows = get_changes (k, name, 0, 0, &head);
    assert_int_equal (rows->n, 2);
    assert_row (rows, 0, "same", i);
    assert_row (rows, 1, "other", i);
    rows_free (rows);
  }
}

/* Where one name ends and the next begins must not be guessed. */
static void
names_in_names (void **state)
{
  struct kit *k = *state;
  struct rows *rows;
  uint64_t head;

  put_one (k, "a", "bc", 1);
  put_one (k, "ab", "c", 2);
  put_one (k, "a", "b", 3);
  put_one (k, "a", "b/c", 4);
  put_one (k, "a.b", "c", 5);
  put_one (k, "a", "\xff", 6);
  assert_stored (k, "a", "bc", 1);
  assert_stored (k, "ab", "c", 2);
  assert_stored (k, "a", "b", 3);
  assert_stored (k, "a", "\xff", 6);
  assert_stored (k, "ab", "bc", 0);
  rows = get_changes (k, "a", 0, 0, &head);
  assert_int_equal (rows->n, 4);
  assert_row (rows, 1, "b", 3);
  assert_row (rows, 3, "\xff", 6);
  rows_free (rows);
}

const struct kit_check kit_notes_tests[] = {
  KIT_CHECK (note_compare_and_set, "note_put",
             "a note is set if, and only if, it is as expected"),
  KIT_CHECK (note_overwrite, "note_put",
             "without an expectation a note is set or removed whatever it is"),
  KIT_CHECK (note_big, "note_put", "a note may have 1 MiB"),
  KIT_CHECK (note_names, "note_list",
             "the keys with the prefix come in bytewise order"),
  KIT_CHECK (note_apart, "note_put", "notes and documents never meet"),
  KIT_CHECK (collection_names, "collections",
             "the collections that hold anything come in bytewise order"),
  KIT_CHECK (collections_apart, "put", "collections are apart"),
  KIT_CHECK (names_in_names, "put",
             "a collection and an id are never taken for another pair of the "
             "same letters"),
  { 0 },
};
