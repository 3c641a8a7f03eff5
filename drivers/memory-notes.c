/* SPDX-License-Identifier: MIT */
/* The notes of the memory store: one sorted array, as they are few. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory-index.h"
#include "memory-notes.h"

struct memory_note {
  char *key;
  char *value;
  size_t size;
};

/* Where the first key at or after this one stands. */
static size_t
note_place (const struct memory_notes *notes, const char *key)
{
  size_t low = 0, high = notes->n;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (strcmp (notes->all[middle].key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static struct memory_note *
note_find (const struct memory_notes *notes, const char *key)
{
  size_t place = note_place (notes, key);

  if (place == notes->n || strcmp (notes->all[place].key, key) != 0)
    return NULL;
  return &notes->all[place];
}

void
memory_notes_get (const struct memory_notes *notes, const char *key,
                  tally_emit_bytes *emit, void *ctx)
{
  const struct memory_note *note = note_find (notes, key);

  if (note)
    emit (ctx, note->value, note->size);
}

void
memory_notes_list (const struct memory_notes *notes, const char *prefix,
                   tally_emit_name *emit, void *ctx)
{
  size_t size = strlen (prefix);

  for (size_t i = note_place (notes, prefix); i < notes->n; i++)
    if (strncmp (notes->all[i].key, prefix, size) != 0
        || emit (ctx, notes->all[i].key))
      break;
}

static bool
note_is (const struct memory_note *note, const struct tally_slice *expected)
{
  if (!expected)
    return true;
  if (!note || !expected->data)
    return !note && !expected->data;
  return note->size == expected->size
         && memcmp (note->value, expected->data, note->size) == 0;
}

static void
note_remove (struct memory_notes *notes, struct memory_note *note)
{
  free (note->key);
  free (note->value);
  notes->n--;
  memmove (note, note + 1,
           (size_t) (notes->all + notes->n - note) * sizeof *note);
}

/* Adds an empty note, or returns NULL. */
static struct memory_note *
note_add (struct memory_notes *notes, const char *key)
{
  size_t place = note_place (notes, key);
  struct memory_note *grown, *note;
  char *copy;

  grown = realloc (notes->all, (notes->n + 1) * sizeof *grown);
  if (!grown)
    return NULL;
  notes->all = grown;
  copy = memory_copy (key, strlen (key));
  if (!copy)
    return NULL;
  note = grown + place;
  memmove (note + 1, note, (notes->n - place) * sizeof *note);
  notes->n++;
  note->key = copy;
  note->value = NULL;
  note->size = 0;
  return note;
}

int
memory_notes_put (struct memory_notes *notes, const char *key,
                  const struct tally_slice *expected,
                  const struct tally_slice *value)
{
  struct memory_note *note = note_find (notes, key);
  char *copy;

  if (!note_is (note, expected))
    return TALLY_CONFLICT;
  if (!value) {
    if (note)
      note_remove (notes, note);
    return TALLY_OK;
  }
  copy = memory_copy (value->data, value->size);
  if (!copy)
    return TALLY_FAILED;
  if (!note)
    note = note_add (notes, key);
  if (!note) {
    free (copy);
    return TALLY_FAILED;
  }
  free (note->value);
  note->value = copy;
  note->size = value->size;
  return TALLY_OK;
}

void
memory_notes_free (struct memory_notes *notes)
{
  for (size_t i = 0; i < notes->n; i++) {
    free (notes->all[i].key);
    free (notes->all[i].value);
  }
  free (notes->all);
}
