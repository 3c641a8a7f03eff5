/* SPDX-License-Identifier: MIT */
/* What indexes a collection has changes hardly ever, and every write asks.  So
 * the note is kept here, and a put checks in its own transaction that it is
 * not an old one, see indexes.c. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "indexes-internal.h"

/* Collections at once; two that share a place push each other out. */
#define KNOWN 16

struct indexes_known {
  struct {
    bool set;
    char collection[COLLECTION_TEXT_MAX];
    struct buf note;             /* empty: there is none */
    struct indexes_taken *taken; /* of whichever was last searched */
  } places[KNOWN];
};

void
indexes_made_id (char out[INDEX_MADE_MAX], uint32_t number)
{
  snprintf (out, INDEX_MADE_MAX, "made%lu", (unsigned long) number);
}

static size_t
place_of (const char *collection)
{
  size_t hash = 0;

  for (; *collection; collection++)
    hash = 31 * hash + (unsigned char) *collection;
  return hash % KNOWN;
}

static bool
find_known (struct replica *replica, const char *collection, struct buf *note)
{
  size_t at = place_of (collection);
  const struct indexes_known *known;
  bool found;

  pthread_mutex_lock (&replica->known_lock);
  known = replica->indexes_known;
  found = known && known->places[at].set
          && strcmp (known->places[at].collection, collection) == 0;
  if (found)
    buf_add_slice (note, buf_slice (&known->places[at].note));
  pthread_mutex_unlock (&replica->known_lock);
  return found;
}

/* Without memory it is read again the next time. */
static void
learn (struct replica *replica, const char *collection, const struct buf *note)
{
  size_t at = place_of (collection), size = strlen (collection) + 1;
  struct indexes_known *known;

  if (size > COLLECTION_TEXT_MAX)
    return;
  pthread_mutex_lock (&replica->known_lock);
  if (!replica->indexes_known)
    replica->indexes_known = calloc (1, sizeof *replica->indexes_known);
  known = replica->indexes_known;
  if (known) {
    memcpy (known->places[at].collection, collection, size);
    buf_clear (&known->places[at].note);
    buf_add_slice (&known->places[at].note, buf_slice (note));
    known->places[at].set = !known->places[at].note.failed;
  }
  pthread_mutex_unlock (&replica->known_lock);
}

static int
read_note (struct replica *replica, const char *collection, struct buf *note,
           struct tally_error *err)
{
  char key[COLLECTION_TEXT_MAX];
  bool found;

  indexes_note_name (key, collection);
  return replica_note_get (replica, key, note, &found, err);
}

int
indexes_recall (struct replica *replica, const char *collection,
                struct index_list *out, struct tally_error *err)
{
  struct buf note = BUF_INIT;
  int status = TALLY_OK;

  memset (out, 0, sizeof *out);
  if (!indexes_possible (replica) || !indexes_concern (collection))
    return TALLY_OK;
  if (!find_known (replica, collection, &note)) {
    status = read_note (replica, collection, &note, err);
    if (status == TALLY_OK)
      learn (replica, collection, &note);
  }
  if (status == TALLY_OK && note.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && note.size > 0)
    status = index_list_read (out, buf_slice (&note), err);
  if (status == TALLY_CORRUPT && note.size > 0)
    error_set (err, status, "%s: %s: %s", replica->name, collection,
               err->text);
  buf_free (&note);
  return status;
}

/* ---- for searches ------------------------------------------------------- */

/* With the lock held. */
static void
let_go (struct indexes_taken *taken)
{
  if (!taken || --taken->users > 0)
    return;
  buf_free (&taken->note);
  index_list_free (&taken->list);
  free (taken);
}

static struct indexes_taken *
take_known (struct replica *replica, size_t at, const struct buf *note)
{
  struct indexes_taken *taken = NULL;

  pthread_mutex_lock (&replica->known_lock);
  if (replica->indexes_known)
    taken = replica->indexes_known->places[at].taken;
  if (taken && slice_equal (buf_slice (&taken->note), buf_slice (note)))
    taken->users++;
  else
    taken = NULL;
  pthread_mutex_unlock (&replica->known_lock);
  return taken;
}

/* For the next search; without memory that reads it again. */
static void
share (struct replica *replica, size_t at, struct indexes_taken *taken)
{
  struct indexes_known *known;

  pthread_mutex_lock (&replica->known_lock);
  if (!replica->indexes_known)
    replica->indexes_known = calloc (1, sizeof *replica->indexes_known);
  known = replica->indexes_known;
  if (known) {
    let_go (known->places[at].taken);
    known->places[at].taken = taken;
    taken->users++;
  }
  pthread_mutex_unlock (&replica->known_lock);
}

static int
read_list (struct replica *replica, const char *collection, struct buf *note,
           struct indexes_taken **out, struct tally_error *err)
{
  struct indexes_taken *taken = calloc (1, sizeof *taken);
  int status;

  if (!taken)
    return error_nomem (err);
  status = index_list_read (&taken->list, buf_slice (note), err);
  if (status == TALLY_CORRUPT)
    error_set (err, status, "%s: %s: %s", replica->name, collection,
               err->text);
  if (status != TALLY_OK) {
    free (taken);
    return status;
  }
  taken->users = 1;
  taken->note = *note;
  memset (note, 0, sizeof *note);
  *out = taken;
  return TALLY_OK;
}

int
indexes_take (struct replica *replica, const char *collection,
              struct indexes_taken **out, struct tally_error *err)
{
  struct buf note = BUF_INIT;
  size_t at = place_of (collection);
  int status;

  *out = NULL;
  if (!indexes_possible (replica) || !indexes_concern (collection))
    return TALLY_OK;
  status = read_note (replica, collection, &note, err);
  if (status == TALLY_OK)
    *out = take_known (replica, at, &note);
  if (status == TALLY_OK && !*out) {
    status = read_list (replica, collection, &note, out, err);
    if (status == TALLY_OK)
      share (replica, at, *out);
  }
  buf_free (&note);
  return status;
}

void
indexes_release (struct replica *replica, struct indexes_taken *taken)
{
  pthread_mutex_lock (&replica->known_lock);
  let_go (taken);
  pthread_mutex_unlock (&replica->known_lock);
}

/* ---- forgetting --------------------------------------------------------- */

void
indexes_unlearn (struct replica *replica, const char *collection)
{
  size_t at = place_of (collection);

  pthread_mutex_lock (&replica->known_lock);
  if (replica->indexes_known)
    replica->indexes_known->places[at].set = false;
  pthread_mutex_unlock (&replica->known_lock);
}

void
indexes_known_free (struct replica *replica)
{
  for (size_t i = 0; replica->indexes_known && i < KNOWN; i++) {
    buf_free (&replica->indexes_known->places[i].note);
    let_go (replica->indexes_known->places[i].taken);
  }
  free (replica->indexes_known);
  replica->indexes_known = NULL;
}
