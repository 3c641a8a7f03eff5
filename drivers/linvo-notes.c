/* SPDX-License-Identifier: MIT */
/* Notes are one record each, in a key range of their own.  The one that was
 * read last is kept until the next write, of whatever: each search of a
 * collection reads the same one. */

#include <string.h>

#include "linvo-db.h"
#include "linvo-notes.h"

static int
note_key (const struct linvo *s, const char *name, struct linvo_key *key,
          struct tally_error *err)
{
  size_t size = strlen (name);

  if (size > LINVO_NAME_MAX)
    return linvo_fail (err, TALLY_INVALID, s->folder.path,
                       "a note's key has at most %d bytes", LINVO_NAME_MAX);
  linvo_key_text (key, LINVO_NOTE, name, size);
  return TALLY_OK;
}

/* False: it is not this one that is kept, or it may have changed. */
static bool
emit_kept (struct linvo *s, const struct linvo_key *key,
           tally_emit_bytes *emit, void *ctx)
{
  struct linvo_note *kept = &s->note;
  bool holds;

  pthread_mutex_lock (&s->naming);
  holds = kept->as_of == atomic_load (&s->absent.moves)
          && kept->key.size == key->size
          && memcmp (kept->key.data, key->data, key->size) == 0;
  if (holds && kept->found)
    (void) emit (ctx, kept->value, kept->size);
  pthread_mutex_unlock (&s->naming);
  return holds;
}

/* As it was read after as_of was; value NULL: it is not there. */
static void
keep_note (struct linvo *s, const struct linvo_key *key, uint64_t as_of,
           const char *value, size_t size)
{
  struct linvo_note *kept = &s->note;

  if (as_of % 2 != 0 || (value && size > sizeof kept->value))
    return;
  pthread_mutex_lock (&s->naming);
  kept->as_of = as_of;
  kept->key.size = key->size;
  memcpy (kept->key.data, key->data, key->size);
  kept->found = value != NULL;
  kept->size = value ? size : 0;
  if (kept->size > 0)
    memcpy (kept->value, value, size);
  pthread_mutex_unlock (&s->naming);
}

int
linvo_note_get (void *handle, const char *name, tally_emit_bytes *emit,
                void *ctx, struct tally_error *err)
{
  struct linvo *s = handle;
  struct linvo_key key;
  char *value = NULL;
  uint64_t as_of;
  size_t size;
  int r;

  r = note_key (s, name, &key, err);
  if (r != TALLY_OK || emit_kept (s, &key, emit, ctx))
    return r;
  r = linvo_begin_look (s, err);
  if (r != TALLY_OK)
    return r;
  as_of = atomic_load (&s->absent.moves);
  r = linvo_read (s, s->read, &key, &value, &size, err);
  if (r == TALLY_OK && value)
    (void) emit (ctx, value, size);
  if (r == TALLY_OK)
    keep_note (s, &key, as_of, value, size);
  leveldb_free (value);
  linvo_end_look (s);
  return r;
}

static bool
note_is (const struct tally_slice *expected, const char *value, size_t size)
{
  if (!expected)
    return true;
  if (!expected->data || !value)
    return !expected->data && !value;
  return expected->size == size
         && (size == 0 || memcmp (expected->data, value, size) == 0);
}

/* With the store entered for writing. */
static int
note_write (struct linvo *s, const struct linvo_key *key,
            const struct tally_slice *value, struct tally_error *err)
{
  leveldb_writebatch_t *batch = leveldb_writebatch_create ();
  struct linvo_head head = s->head;
  int r;

  if (value)
    leveldb_writebatch_put (batch, key->data, key->size,
                            value->size ? value->data : "", value->size);
  else
    leveldb_writebatch_delete (batch, key->data, key->size);
  r = linvo_commit (s, batch, &head, err);
  leveldb_writebatch_destroy (batch);
  return r;
}

int
linvo_note_put (void *handle, const char *name,
                const struct tally_slice *expected,
                const struct tally_slice *value, struct tally_error *err)
{
  struct linvo *s = handle;
  struct linvo_key key;
  char *old = NULL;
  size_t size;
  int r;

  r = note_key (s, name, &key, err);
  if (r != TALLY_OK)
    return r;
  r = linvo_begin_write (s, err);
  if (r != TALLY_OK)
    return r;
  r = linvo_read (s, s->read, &key, &old, &size, err);
  if (r == TALLY_OK && !note_is (expected, old, size))
    r = linvo_fail (err, TALLY_CONFLICT, s->folder.path,
                    "the note %s is not as expected", name);
  else if (r == TALLY_OK && (value || old))
    r = note_write (s, &key, value, err);
  leveldb_free (old);
  linvo_end_write (s);
  return r;
}

int
linvo_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                 void *ctx, struct tally_error *err)
{
  char name[LINVO_NAME_MAX + 1];
  struct linvo *s = handle;
  struct linvo_view view;
  struct tally_slice key;
  struct linvo_key from;
  leveldb_iterator_t *it;
  int r, ended;

  if (strlen (prefix) > LINVO_NAME_MAX)
    return TALLY_OK;
  linvo_key_text (&from, LINVO_NOTE, prefix, strlen (prefix));
  r = linvo_begin_read (s, &view, err);
  if (r != TALLY_OK)
    return r;
  it = linvo_scan (s, &view, &from);
  while (linvo_scan_within (it, &from, from.size, &key)) {
    if (!linvo_name_of_key (&key, name))
      r = linvo_fail_corrupt (s, "the key of a note is damaged", err);
    if (r != TALLY_OK || emit (ctx, name))
      break;
    leveldb_iter_next (it);
  }
  ended = linvo_scan_end (s, it, err);
  linvo_end_read (s, &view);
  return r != TALLY_OK ? r : ended;
}
