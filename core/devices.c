/* SPDX-License-Identifier: MIT */
/* A note is "MS NAME": when it was learned, and the name, which is empty for a
 * client that another side was asked for and did not know either.  It is
 * written only when the name is new or another, so that a hello costs a read
 * and nothing else. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "doclist.h"
#include "error.h"
#include "notejson.h"

/* "device/", an account, ":", a client. */
#define KEY_SIZE 128

/* ---- client ids --------------------------------------------------------- */

void
device_client_text (char out[CLIENT_TEXT], uint32_t client)
{
  struct stamp stamp;
  char text[STAMP_TEXT + 1];

  if (!stamp_make (&stamp, 0, 0, client))
    memset (&stamp, 0, sizeof stamp);
  stamp_to_text (text, &stamp);
  memcpy (out, text + STAMP_TEXT - (CLIENT_TEXT - 1), CLIENT_TEXT);
}

/* ---- notes -------------------------------------------------------------- */

static void
make_key (char key[KEY_SIZE], const char *account, const char *client)
{
  snprintf (key, KEY_SIZE, "device/%s:%s", account, client);
}

/* Splits "MS NAME"; what is damaged is nobody's name. */
static void
read_note (struct tally_slice note, uint64_t *ms, struct tally_slice *name)
{
  const char *space =
      note.size > 0 ? memchr (note.data, ' ', note.size) : NULL;
  size_t digits = space ? (size_t) (space - note.data) : 0;

  *ms = 0;
  *name = slice_make (NULL, 0);
  if (space && note_number (slice_make (note.data, digits), ms))
    *name = slice_make (space + 1, note.size - digits - 1);
}

int
device_name (struct replica *replica, const char *account, uint32_t client,
             struct buf *name, uint64_t *asked_ms, struct tally_error *err)
{
  char key[KEY_SIZE], text[CLIENT_TEXT];
  struct buf note = BUF_INIT;
  struct tally_slice known;
  uint64_t ms;
  bool found;
  int status;

  device_client_text (text, client);
  make_key (key, account, text);
  status = replica_note_get (replica, key, &note, &found, err);
  buf_clear (name);
  if (status == TALLY_OK) {
    read_note (buf_slice (&note), &ms, &known);
    buf_add_slice (name, known);
    if (asked_ms)
      *asked_ms = known.size == 0 ? ms : 0;
    if (name->failed)
      status = error_nomem (err);
  }
  buf_free (&note);
  return status;
}

/* ---- room --------------------------------------------------------------- */

struct aged {
  const char *key;
  uint64_t ms;
};

struct listing {
  struct arena arena;
  struct aged *keys;
  size_t count, capacity;
  bool failed;
};

static int
collect_key (void *ctx, const char *key)
{
  struct listing *listing = ctx;

  if (listing->count == listing->capacity) {
    size_t capacity = listing->capacity ? 2 * listing->capacity : 64;
    struct aged *keys = realloc (listing->keys, capacity * sizeof *keys);

    listing->failed = !keys;
    if (!keys)
      return 1;
    listing->keys = keys;
    listing->capacity = capacity;
  }
  listing->keys[listing->count].ms = 0;
  listing->keys[listing->count].key =
      arena_add (&listing->arena, key, strlen (key) + 1);
  listing->failed = !listing->keys[listing->count].key;
  listing->count += !listing->failed;
  return listing->failed;
}

static int
by_age (const void *a, const void *b)
{
  const struct aged *x = a, *y = b;

  return (x->ms > y->ms) - (x->ms < y->ms);
}

static int
forget_oldest (struct replica *replica, struct listing *listing, size_t n,
               struct tally_error *err)
{
  struct buf note = BUF_INIT;
  struct tally_slice name;
  bool found;
  int status = TALLY_OK;

  for (size_t i = 0; i < listing->count && status == TALLY_OK; i++) {
    status =
        replica_note_get (replica, listing->keys[i].key, &note, &found, err);
    if (status == TALLY_OK)
      read_note (buf_slice (&note), &listing->keys[i].ms, &name);
  }
  if (listing->count > 0)
    qsort (listing->keys, listing->count, sizeof *listing->keys, by_age);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = replica_note_put (replica, listing->keys[i].key, NULL, NULL, err);
  buf_free (&note);
  return status;
}

/* Only a name that is new makes them more.  A quarter goes at once, so that
 * this is rare. */
static int
make_room (struct replica *replica, const char *account,
           struct tally_error *err)
{
  struct listing listing = { 0 };
  char prefix[KEY_SIZE];
  int status;

  make_key (prefix, account, "");
  status = replica_note_list (replica, prefix, collect_key, &listing, err);
  if (status == TALLY_OK && listing.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && listing.count >= DEVICES_MAX)
    status = forget_oldest (replica, &listing,
                            listing.count - DEVICES_MAX * 3 / 4, err);
  free (listing.keys);
  arena_free (&listing.arena);
  return status;
}

/* ---- learning ----------------------------------------------------------- */

static bool
is_name (struct tally_slice name)
{
  if (name.size > DEVICE_NAME_MAX)
    return false;
  for (size_t i = 0; i < name.size; i++)
    if ((unsigned char) name.data[i] < 0x20 || name.data[i] == 0x7f)
      return false;
  return true;
}

static int
keep_name (struct replica *replica, const char *key, struct tally_slice name,
           struct tally_error *err)
{
  struct buf note = BUF_INIT;
  struct tally_slice value;
  int status;

  buf_addf (&note, "%llu ", (unsigned long long) replica_wall_ms (replica));
  buf_add_slice (&note, name);
  value = buf_slice (&note);
  status = note.failed ? error_nomem (err)
                       : replica_note_put (replica, key, NULL, &value, err);
  buf_free (&note);
  return status;
}

int
device_learn (struct replica *replica, const char *account, uint32_t client,
              struct tally_slice name, struct tally_error *err)
{
  char key[KEY_SIZE], text[CLIENT_TEXT];
  struct buf note = BUF_INIT;
  struct tally_slice known;
  uint64_t ms;
  bool found;
  int status;

  if (replica->flags & TALLY_OPEN_READONLY || !is_name (name))
    return TALLY_OK;
  device_client_text (text, client);
  make_key (key, account, text);
  status = replica_note_get (replica, key, &note, &found, err);
  read_note (buf_slice (&note), &ms, &known);
  /* To have asked in vain once more is news, too; it never hides a name. */
  if (status == TALLY_OK && !found)
    status = make_room (replica, account, err);
  if (status == TALLY_OK
      && (!found
          || (name.size == 0 ? known.size == 0 : !slice_equal (known, name))))
    status = keep_name (replica, key, name, err);
  buf_free (&note);
  return status;
}

int
device_learn_own (struct replica *replica, const char *name,
                  struct tally_error *err)
{
  struct tally_slice text = slice_text (name);

  if (text.size == 0)
    return TALLY_OK;
  return device_learn (replica, "", replica_client (replica), text, err);
}

/* ---- looking up --------------------------------------------------------- */

static int
add_row (struct device_book *book, uint32_t client, struct buf *name,
         struct tally_error *err)
{
  struct device_row *rows = realloc (book->rows, (book->n + 1) * sizeof *rows);

  if (!rows)
    return error_nomem (err);
  book->rows = rows;
  rows[book->n].client = client;
  rows[book->n].name = NULL;
  if (name->size == 0 && book->own && client == replica_client (book->replica))
    buf_add_text (name, book->own);
  if (name->size > 0) {
    buf_add_byte (name, '\0');
    rows[book->n].name = name->failed ? NULL : strdup (name->data);
    if (!rows[book->n].name)
      return error_nomem (err);
  }
  book->n++;
  return TALLY_OK;
}

int
device_book_find (struct device_book *book, uint32_t client, const char **name,
                  struct tally_error *err)
{
  struct buf found = BUF_INIT;
  int status;

  *name = NULL;
  for (size_t i = 0; i < book->n; i++)
    if (book->rows[i].client == client) {
      *name = book->rows[i].name;
      return TALLY_OK;
    }
  status = device_name (book->replica, "", client, &found, NULL, err);
  if (status == TALLY_OK)
    status = add_row (book, client, &found, err);
  if (status == TALLY_OK)
    *name = book->rows[book->n - 1].name;
  buf_free (&found);
  return status;
}

void
device_book_free (struct device_book *book)
{
  for (size_t i = 0; i < book->n; i++)
    free (book->rows[i].name);
  free (book->rows);
  book->rows = NULL;
  book->n = 0;
}
