/* SPDX-License-Identifier: MIT */
/* Notes for a store that has no slots for them: documents of a reserved
 * collection, whose revision is a hash of key, value and a random number, so
 * that compare-and-set on the revision is compare-and-set on the note. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "replica.h"

struct found_note {
  bool found;
  unsigned char rev[TALLY_REV_SIZE];
  struct buf value;
};

static int
keep_note (void *ctx, const struct tally_doc *doc)
{
  struct found_note *note = ctx;

  note->found = true;
  memcpy (note->rev, doc->rev, sizeof note->rev);
  buf_add_slice (&note->value, doc->body);
  return 1;
}

static int
find_note (struct replica *replica, const char *key, struct found_note *note,
           struct tally_error *err)
{
  struct tally_slice id = slice_text (key);
  int status = replica_get (replica, NOTES_COLLECTION, &id, 1, TALLY_GET_BODY,
                            keep_note, note, err);

  if (status == TALLY_OK && note->value.failed)
    status = error_nomem (err);
  return status;
}

int
notes_fallback_get (struct replica *replica, const char *key,
                    tally_emit_bytes *emit, void *ctx, struct tally_error *err)
{
  struct found_note note = { 0 };
  int status = find_note (replica, key, &note, err);

  /* What is emitted may be used to call the store: the store is not held. */
  if (status == TALLY_OK && note.found)
    emit (ctx, note.value.data, note.value.size);
  buf_free (&note.value);
  return status;
}

static bool
as_expected (const struct found_note *note, const struct tally_slice *expected)
{
  if (!expected)
    return true;
  if (!expected->data)
    return !note->found;
  return note->found && slice_equal (buf_slice (&note->value), *expected);
}

static void
draw_rev (unsigned char rev[TALLY_REV_SIZE])
{
  memset (rev, 0, TALLY_STAMP_SIZE);
  randombytes_buf (rev + TALLY_STAMP_SIZE, TALLY_REV_SIZE - TALLY_STAMP_SIZE);
}

/* One try.  TALLY_AGAIN: another writer came between. */
static int
try_put (struct replica *replica, const char *key,
         const struct tally_slice *expected, const struct tally_slice *value,
         struct tally_error *err)
{
  struct found_note note = { 0 };
  struct tally_outcome outcome = { 0 };
  struct tally_entry entry = { 0 };
  int status = find_note (replica, key, &note, err);

  if (status != TALLY_OK)
    goto out;
  if (!as_expected (&note, expected)) {
    status = error_set (err, TALLY_CONFLICT,
                        "note %s: was changed by "
                        "another",
                        key);
    goto out;
  }
  if (!note.found && !value)
    goto out;
  entry.collection = NOTES_COLLECTION;
  entry.doc.id = slice_text (key);
  entry.expected = note.rev;
  if (value) {
    draw_rev (entry.doc.rev);
    entry.doc.body = *value;
  } else
    entry.flags = TALLY_ENTRY_FORGET;
  status = replica_put (replica, &entry, 1, 0, &outcome, err);
  if (status == TALLY_OK && outcome.status == TALLY_CONFLICT)
    status = TALLY_AGAIN;
out:
  buf_free (&note.value);
  return status;
}

int
notes_fallback_put (struct replica *replica, const char *key,
                    const struct tally_slice *expected,
                    const struct tally_slice *value, struct tally_error *err)
{
  /* Each failed try is another writer's success. */
  for (unsigned tries = 0; tries < 1000; tries++) {
    int status = try_put (replica, key, expected, value, err);

    if (status != TALLY_AGAIN)
      return status;
  }
  return error_set (err, TALLY_AGAIN, "note %s: too many writers", key);
}

/* ---- listing ------------------------------------------------------------ */

struct note_keys {
  const char *prefix;
  struct buf names; /* with a NUL after each */
  size_t count;
};

static int
collect_key (void *ctx, const struct tally_doc *doc)
{
  struct note_keys *keys = ctx;
  size_t size = strlen (keys->prefix);

  if (doc->id.size < size || memcmp (doc->id.data, keys->prefix, size) != 0)
    return 0;
  buf_add_slice (&keys->names, doc->id);
  buf_add_byte (&keys->names, '\0');
  keys->count++;
  return 0;
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

int
notes_fallback_list (struct replica *replica, const char *prefix,
                     tally_emit_name *emit, void *ctx, struct tally_error *err)
{
  struct note_keys keys = { prefix, BUF_INIT, 0 };
  const char **sorted = NULL;
  size_t at = 0;
  uint64_t head;
  int status = replica_changes (replica, NOTES_COLLECTION, 0, collect_key,
                                &keys, &head, err);

  if (status != TALLY_OK)
    goto out;
  sorted = calloc (keys.count + 1, sizeof *sorted);
  if (!sorted || keys.names.failed) {
    status = error_nomem (err);
    goto out;
  }
  for (size_t i = 0; i < keys.count; i++) {
    sorted[i] = keys.names.data + at;
    at += strlen (sorted[i]) + 1;
  }
  qsort (sorted, keys.count, sizeof *sorted, by_name);
  for (size_t i = 0; i < keys.count; i++)
    if (emit (ctx, sorted[i]))
      break;
out:
  free (sorted);
  buf_free (&keys.names);
  return status;
}
