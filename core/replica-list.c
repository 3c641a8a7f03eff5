/* SPDX-License-Identifier: MIT */
/* The list of collections of a store whose driver keeps none: a note of names,
 * with a NUL after each. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "replica.h"

#define COLLECTIONS_NOTE "collections"

static bool
listed (const struct buf *names, const char *name)
{
  for (size_t at = 0; at < names->size; at += strlen (names->data + at) + 1)
    if (strcmp (names->data + at, name) == 0)
      return true;
  return false;
}

/* Whether the bytes are names with a NUL after each. */
static bool
well_formed (const struct buf *names)
{
  return names->size == 0 || names->data[names->size - 1] == '\0';
}

/* Adds the name to the note before its first document is written: a name
 * without documents does no harm, documents without a name would. */
int
replica_list (struct replica *replica, const char *name,
              struct tally_error *err)
{
  int status = TALLY_OK;
  bool known;

  if (strcmp (name, NOTES_COLLECTION) == 0)
    return TALLY_OK;
  pthread_mutex_lock (&replica->identity_lock);
  known = listed (&replica->collections, name);
  while (!known && status == TALLY_OK) {
    struct tally_slice before, after;
    struct buf *names = &replica->collections;

    status = replica_note_get (replica, COLLECTIONS_NOTE, names, &known, err);
    if (status != TALLY_OK)
      break;
    before = known ? slice_make ("", 0) : slice_make (NULL, 0);
    if (!well_formed (names))
      status = error_set (err, TALLY_CORRUPT,
                          "%s: its list of collections "
                          "is damaged",
                          replica->name);
    known = status == TALLY_OK && listed (names, name);
    if (known || status != TALLY_OK)
      break;
    /* Room first: the bytes before must not move. */
    if (buf_reserve (names, strlen (name) + 1) && names->size > 0)
      before = buf_slice (names);
    buf_add (names, name, strlen (name) + 1);
    after = buf_slice (names);
    status = names->failed ? error_nomem (err)
                           : replica_note_put (replica, COLLECTIONS_NOTE,
                                               &before, &after, err);
    known = status == TALLY_OK;
    if (status == TALLY_CONFLICT)
      status = TALLY_OK;
  }
  if (status != TALLY_OK)
    buf_clear (&replica->collections);
  pthread_mutex_unlock (&replica->identity_lock);
  return status;
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static int
emit_listed (const struct buf *names, tally_emit_name *emit, void *ctx,
             struct tally_error *err)
{
  size_t n = 0, at;
  const char **sorted = calloc (names->size + 1, sizeof *sorted);

  if (!sorted)
    return error_nomem (err);
  for (at = 0; at < names->size; at += strlen (names->data + at) + 1)
    sorted[n++] = names->data + at;
  qsort (sorted, n, sizeof *sorted, by_name);
  for (size_t i = 0; i < n; i++)
    if (emit (ctx, sorted[i]))
      break;
  free (sorted);
  return TALLY_OK;
}

int
replica_emit_listed (struct replica *replica, tally_emit_name *emit, void *ctx,
                     struct tally_error *err)
{
  struct buf names = BUF_INIT;
  bool found;
  int status =
      replica_note_get (replica, COLLECTIONS_NOTE, &names, &found, err);

  if (status == TALLY_OK && !well_formed (&names))
    status = error_set (err, TALLY_CORRUPT,
                        "%s: its list of collections is "
                        "damaged",
                        replica->name);
  if (status == TALLY_OK)
    status = emit_listed (&names, emit, ctx, err);
  buf_free (&names);
  return status;
}
