/* SPDX-License-Identifier: MIT */
/* Who a store is.  The identity note holds the replica id, every client id
 * that the store wrote under, the place where the last was drawn (place.h),
 * and whether that remembers the store's clock (witness.h).  A store that
 * wakes up in another place may be a copy, so it draws a fresh client id and
 * two copies never write under one name.  Likewise one that was put back in
 * the same place: under its old name it would claim to know what it wrote
 * before that. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "json.h"
#include "notejson.h"
#include "place.h"
#include "replica.h"

#define IDENTITY_NOTE "identity"
/* More would not fit in one hello; the oldest are long unused. */
#define CLIENTS_MAX 4096

/* ---- the note ----------------------------------------------------------- */

static void
write_identity (const struct replica *replica, struct buf *out)
{
  char id[REPLICA_ID_TEXT];

  replica_id_text (replica->id, id);
  buf_add_text (out, "{\"clients\":[");
  for (size_t i = 0; i < replica->n_clients; i++)
    buf_addf (out, "%s%lu", i ? "," : "", (unsigned long) replica->clients[i]);
  buf_add_text (out, "],\"place\":");
  json_encode_string (out, slice_text (replica->place));
  buf_addf (out, ",\"replica\":\"%s\"", id);
  if (replica->remembered)
    buf_add_text (out, ",\"witness\":true");
  buf_add_text (out, "}");
}

static int
read_clients (struct replica *replica, struct tally_slice list,
              struct tally_error *err)
{
  struct tally_slice element;
  uint64_t client;

  replica->n_clients = 0;
  while (json_next_element (&list, &element)) {
    uint32_t *more;

    if (!note_number (element, &client) || client > HLC_CLIENT_MAX)
      return TALLY_CORRUPT;
    more = realloc (replica->clients, (replica->n_clients + 1) * sizeof *more);
    if (!more)
      return error_nomem (err);
    replica->clients = more;
    more[replica->n_clients++] = (uint32_t) client;
  }
  return replica->n_clients > 0 ? TALLY_OK : TALLY_CORRUPT;
}

/* Fills everything but place; *same says whether it was drawn here. */
static int
read_identity (struct replica *replica, struct tally_slice note, bool *same,
               struct tally_error *err)
{
  struct tally_slice id, clients, place, witness;
  int status = TALLY_CORRUPT;

  if (json_is_canonical (note.data, note.size)
      && json_find_member (note, slice_text ("replica"), &id)
      && json_find_member (note, slice_text ("clients"), &clients)
      && json_find_member (note, slice_text ("place"), &place)
      && id.size == REPLICA_ID_TEXT + 1
      && replica_id_from_text (replica->id,
                               slice_make (id.data + 1, id.size - 2)))
    status = read_clients (replica, clients, err);
  if (status == TALLY_CORRUPT)
    return error_set (err, status, "%s: its identity note is damaged",
                      replica->name);
  if (status != TALLY_OK)
    return status;
  replica->remembered =
      json_find_member (note, slice_text ("witness"), &witness);
  *same = place.size == strlen (replica->place) + 2
          && memcmp (place.data + 1, replica->place, place.size - 2) == 0;
  replica->clock.client = replica->clients[replica->n_clients - 1];
  return TALLY_OK;
}

static int
draw_client (struct replica *replica, struct tally_error *err)
{
  size_t keep = replica->n_clients;
  uint32_t *clients;

  if (keep >= CLIENTS_MAX) {
    memmove (replica->clients, replica->clients + 1,
             (CLIENTS_MAX - 1) * sizeof *replica->clients);
    keep = CLIENTS_MAX - 1;
  }
  clients = realloc (replica->clients, (keep + 1) * sizeof *clients);
  if (!clients)
    return error_nomem (err);
  replica->clients = clients;
  replica->n_clients = keep + 1;
  clients[keep] = randombytes_random () & HLC_CLIENT_MAX;
  replica->clock.client = clients[keep];
  return TALLY_OK;
}

/* Saves what draw_client and a new replica id made.  The witness is first: one
 * whose client the note then does not have costs no more than another client.
 * TALLY_CONFLICT: another process was first. */
static int
save_identity (struct replica *replica, const struct tally_slice *before,
               struct tally_error *err)
{
  struct buf note = BUF_INIT;
  struct tally_slice value;
  int status;

  replica->remembered = clock_witness (replica, 0);
  write_identity (replica, &note);
  value = buf_slice (&note);
  status = note.failed ? error_nomem (err)
                       : replica_note_put (replica, IDENTITY_NOTE, before,
                                           &value, err);
  buf_free (&note);
  return status;
}

static int
wake_once (struct replica *replica, struct tally_error *err)
{
  struct buf note = BUF_INIT;
  struct tally_slice before;
  bool found, same = false, rolled_back = false;
  int status = replica_note_get (replica, IDENTITY_NOTE, &note, &found, err);

  if (status == TALLY_OK && found)
    status = read_identity (replica, buf_slice (&note), &same, err);
  if (status == TALLY_OK && same)
    status = clock_was_rolled_back (replica, &rolled_back, err);
  if (status != TALLY_OK || (same && !rolled_back)
      || (replica->flags & TALLY_OPEN_READONLY))
    goto out;
  before = found ? buf_slice (&note) : slice_make (NULL, 0);
  if (!found)
    randombytes_buf (replica->id, sizeof replica->id);
  status = draw_client (replica, err);
  if (status == TALLY_OK)
    status = save_identity (replica, &before, err);
out:
  buf_free (&note);
  return status;
}

int
identity_wake (struct replica *replica, const struct replica_setup *setup,
               struct tally_error *err)
{
  int status;

  replica->place =
      setup->place ? strdup (setup->place) : place_find (setup->path);
  if (!replica->place)
    return error_nomem (err);
  replica->clock.counter = -1;
  do
    status = wake_once (replica, err);
  while (status == TALLY_CONFLICT);
  return status;
}

int
identity_renew (struct replica *replica, struct tally_error *err)
{
  int status;

  pthread_mutex_lock (&replica->identity_lock);
  status = draw_client (replica, err);
  if (status == TALLY_OK)
    status = save_identity (replica, NULL, err);
  pthread_mutex_unlock (&replica->identity_lock);
  return status;
}

int
identity_follow (struct replica *replica, struct tally_error *err)
{
  struct buf note = BUF_INIT;
  bool found, same;
  int status = replica_note_get (replica, IDENTITY_NOTE, &note, &found, err);

  if (status == TALLY_OK && found)
    status = read_identity (replica, buf_slice (&note), &same, err);
  buf_free (&note);
  return status;
}

int
identity_rename (struct replica *replica, struct tally_error *err)
{
  unsigned char before[REPLICA_ID_SIZE];
  int status;

  pthread_mutex_lock (&replica->identity_lock);
  memcpy (before, replica->id, sizeof before);
  randombytes_buf (replica->id, sizeof replica->id);
  status = save_identity (replica, NULL, err);
  if (status != TALLY_OK)
    memcpy (replica->id, before, sizeof before);
  pthread_mutex_unlock (&replica->identity_lock);
  return status;
}

/* ---- the dialect -------------------------------------------------------- */

#define DIALECT_NOTE "dialect"

/* "CLIENT OWN": what was drawn, and the store's own at that time. */
static bool
parse_dialect (struct tally_slice note, uint32_t own, uint32_t *client)
{
  const char *space =
      note.size > 0 ? memchr (note.data, ' ', note.size) : NULL;
  size_t at = space ? (size_t) (space - note.data) : 0;
  uint64_t drawn, of;

  if (!space || !note_number (slice_make (note.data, at), &drawn)
      || !note_number (slice_make (space + 1, note.size - at - 1), &of)
      || drawn > HLC_CLIENT_MAX || of != own)
    return false;
  *client = (uint32_t) drawn;
  return true;
}

/* Also one of the ids that this store wrote under, but not the last of them,
 * which is its own.  Under the lock. */
static int
draw_dialect (struct replica *replica, const char *key, uint32_t *client,
              struct tally_error *err)
{
  struct buf note = BUF_INIT;
  struct tally_slice value;
  uint32_t own;
  int status = identity_follow (replica, err);

  own = replica->clock.client;
  if (status == TALLY_OK)
    status = draw_client (replica, err);
  if (status != TALLY_OK)
    return status;
  *client = replica->clock.client;
  replica->clients[replica->n_clients - 1] = own;
  replica->clients[replica->n_clients - 2] = *client;
  replica->clock.client = own;
  status = save_identity (replica, NULL, err);
  buf_addf (&note, "%lu %lu", (unsigned long) *client, (unsigned long) own);
  value = buf_slice (&note);
  if (status == TALLY_OK)
    status = note.failed ? error_nomem (err)
                         : replica_note_put (replica, key, NULL, &value, err);
  buf_free (&note);
  return status;
}

int
identity_dialect (struct replica *replica, const char *of, uint32_t *client,
                  struct tally_error *err)
{
  struct buf note = BUF_INIT;
  char key[96];
  bool found;
  int status;

  pthread_mutex_lock (&replica->identity_lock);
  snprintf (key, sizeof key, "%s%s%s", DIALECT_NOTE, of ? "/" : "",
            of ? of : "");
  status = replica_note_get (replica, key, &note, &found, err);
  if (status == TALLY_OK
      && (!found
          || !parse_dialect (buf_slice (&note), replica->clock.client,
                             client)))
    status = draw_dialect (replica, key, client, err);
  pthread_mutex_unlock (&replica->identity_lock);
  buf_free (&note);
  return status;
}

/* ---- asking ------------------------------------------------------------- */

void
replica_id (struct replica *replica, unsigned char id[REPLICA_ID_SIZE])
{
  pthread_mutex_lock (&replica->identity_lock);
  memcpy (id, replica->id, REPLICA_ID_SIZE);
  pthread_mutex_unlock (&replica->identity_lock);
}

void
replica_id_text (const unsigned char id[REPLICA_ID_SIZE],
                 char out[REPLICA_ID_TEXT])
{
  sodium_bin2hex (out, REPLICA_ID_TEXT, id, REPLICA_ID_SIZE);
}

bool
replica_id_from_text (unsigned char id[REPLICA_ID_SIZE],
                      struct tally_slice text)
{
  size_t size;
  const char *end;

  return text.size == REPLICA_ID_TEXT - 1
         && sodium_hex2bin (id, REPLICA_ID_SIZE, text.data, text.size, NULL,
                            &size, &end)
                == 0
         && size == REPLICA_ID_SIZE && end == text.data + text.size;
}

uint32_t
replica_client (struct replica *replica)
{
  uint32_t client;

  pthread_mutex_lock (&replica->identity_lock);
  client = replica->clock.client;
  pthread_mutex_unlock (&replica->identity_lock);
  return client;
}

int
replica_clients (struct replica *replica, uint32_t **clients, size_t *n,
                 struct tally_error *err)
{
  pthread_mutex_lock (&replica->identity_lock);
  *n = replica->n_clients;
  *clients = malloc ((*n + 1) * sizeof **clients);
  if (*clients && *n > 0)
    memcpy (*clients, replica->clients, *n * sizeof **clients);
  pthread_mutex_unlock (&replica->identity_lock);
  return *clients ? TALLY_OK : error_nomem (err);
}
