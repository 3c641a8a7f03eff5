/* SPDX-License-Identifier: MIT */
/* Pair notes as canonical JSON:
 * {"alias":"hex","contact":ms,"counts":true,"current":"hex",
 * "cursors":{"NAME":[local,"far",met]},"held":[see held.c],"own":[client],
 * "pending":"hex","unsure":true}. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "json.h"
#include "notejson.h"
#include "pair.h"

#define KEY_SIZE (8 + REPLICA_ID_TEXT)

const char *
pair_prefix (enum pair_role role)
{
  return role == PAIR_CLIENT ? "pair/" : "peer/";
}

static void
make_key (const struct pair *pair, char key[KEY_SIZE])
{
  memcpy (key, pair_prefix (pair->role), 5);
  replica_id_text (pair->far, key + 5);
}

/* ---- tokens ------------------------------------------------------------- */

void
pair_draw_token (struct pair_token *token)
{
  randombytes_buf (token->bytes, sizeof token->bytes);
  token->set = true;
}

struct tally_slice
pair_token_slice (const struct pair_token *token)
{
  return slice_make (token->bytes, token->set ? WIRE_TOKEN_SIZE : 0);
}

bool
pair_token_is (const struct pair_token *token, struct tally_slice bytes)
{
  return token->set && bytes.size == WIRE_TOKEN_SIZE
         && sodium_memcmp (token->bytes, bytes.data, WIRE_TOKEN_SIZE) == 0;
}

/* ---- cursors ------------------------------------------------------------ */

struct pair_cursor *
pair_cursor (struct pair *pair, const char *collection)
{
  for (size_t i = 0; i < pair->n_cursors; i++)
    if (strcmp (pair->cursors[i].collection, collection) == 0)
      return &pair->cursors[i];
  return NULL;
}

static struct pair_cursor *
add_cursor (struct pair *pair, const char *collection)
{
  struct pair_cursor *cursors =
      realloc (pair->cursors, (pair->n_cursors + 1) * sizeof *cursors);
  size_t at = 0;

  if (!cursors)
    return NULL;
  pair->cursors = cursors;
  /* In name order, as the note's members are. */
  while (at < pair->n_cursors
         && strcmp (cursors[at].collection, collection) < 0)
    at++;
  memmove (cursors + at + 1, cursors + at,
           (pair->n_cursors - at) * sizeof *cursors);
  memset (&cursors[at], 0, sizeof *cursors);
  cursors[at].collection = strdup (collection);
  cursors[at].far = strdup ("");
  pair->n_cursors++;
  if (cursors[at].collection && cursors[at].far)
    return &cursors[at];
  free (cursors[at].collection);
  free (cursors[at].far);
  pair->n_cursors--;
  memmove (cursors + at, cursors + at + 1,
           (pair->n_cursors - at) * sizeof *cursors);
  return NULL;
}

bool
pair_set_cursor (struct pair *pair, const char *collection, uint64_t local,
                 const char *far)
{
  struct pair_cursor *cursor = pair_cursor (pair, collection);
  char *copy = strdup (far);

  if (copy && !cursor)
    cursor = add_cursor (pair, collection);
  if (!copy || !cursor) {
    free (copy);
    return false;
  }
  free (cursor->far);
  cursor->far = copy;
  cursor->local = local;
  return true;
}

/* ---- reading ------------------------------------------------------------ */

static char *
text_of (struct tally_slice value)
{
  struct buf text = BUF_INIT;

  json_decode_string (&text, value);
  buf_add_byte (&text, '\0');
  if (!text.failed)
    return text.data;
  buf_free (&text);
  return NULL;
}

static bool
read_token (struct pair_token *token, struct tally_slice value)
{
  token->set = value.data != NULL;
  if (!token->set)
    return true;
  return value.size == REPLICA_ID_TEXT + 1
         && replica_id_from_text (token->bytes,
                                  slice_make (value.data + 1, value.size - 2));
}

static bool
read_cursor (struct pair *pair, const struct json_member *member)
{
  struct tally_slice rest = member->value, local, far, met;
  char name[COLLECTION_TEXT_MAX];
  struct pair_cursor *cursor;
  uint64_t seq;
  char *text;
  bool good;

  if (member->key.size >= sizeof name || !json_next_element (&rest, &local)
      || !json_next_element (&rest, &far) || !note_number (local, &seq)
      || json_type (far) != JSON_STRING)
    return false;
  memcpy (name, member->key.data, member->key.size);
  name[member->key.size] = '\0';
  text = text_of (far);
  good = text && pair_set_cursor (pair, name, seq, text);
  free (text);
  if (!good || !json_next_element (&rest, &met))
    return good;
  cursor = pair_cursor (pair, name);
  cursor->behind = true;
  return note_number (met, &cursor->met);
}

static bool
read_own (struct pair *pair, struct tally_slice list)
{
  struct tally_slice element;
  uint64_t client;

  if (!list.data)
    return true;
  /* An element is a digit and a comma at least. */
  pair->own = malloc ((list.size / 2 + 1) * sizeof *pair->own);
  if (!pair->own || json_type (list) != JSON_ARRAY)
    return false;
  while (json_next_element (&list, &element)) {
    if (!note_number (element, &client) || client > HLC_CLIENT_MAX)
      return false;
    pair->own[pair->n_own++] = (uint32_t) client;
  }
  return true;
}

/* A note is read in every hello, and looked through once. */
enum part {
  ALIAS,
  CONTACT,
  COUNTS,
  CURRENT,
  CURSORS,
  HELD,
  OWN,
  PENDING,
  UNSURE,
  PARTS
};

static void
split (struct tally_slice note, struct tally_slice part[PARTS])
{
  static const char *const names[PARTS] = { "alias",   "contact", "counts",
                                            "current", "cursors", "held",
                                            "own",     "pending", "unsure" };
  struct json_member member;

  while (json_next_member (&note, &member))
    for (size_t i = 0; i < PARTS; i++)
      if (slice_equal (member.key, slice_text (names[i])))
        part[i] = member.value;
}

static bool
read_note (struct pair *pair, struct tally_slice note)
{
  struct tally_slice part[PARTS] = { { NULL, 0 } };
  struct json_member member;

  if (!json_is_canonical (note.data, note.size))
    return false;
  split (note, part);
  if (!read_token (&pair->current, part[CURRENT])
      || !read_token (&pair->pending, part[PENDING]) || !part[CONTACT].data
      || !note_number (part[CONTACT], &pair->contact_ms)
      || !read_own (pair, part[OWN]) || !part[CURSORS].data)
    return false;
  pair->renamed = part[ALIAS].data != NULL;
  if (pair->renamed
      && (part[ALIAS].size != REPLICA_ID_TEXT + 1
          || !replica_id_from_text (
              pair->alias,
              slice_make (part[ALIAS].data + 1, part[ALIAS].size - 2))))
    return false;
  pair->counts = part[COUNTS].data != NULL;
  pair->unsure = part[UNSURE].data != NULL;
  while (json_next_member (&part[CURSORS], &member))
    if (!read_cursor (pair, &member))
      return false;
  return !part[HELD].data || held_read (&pair->held, part[HELD]);
}

int
pair_load (struct pair *pair, struct replica *replica, enum pair_role role,
           const unsigned char far[REPLICA_ID_SIZE], struct tally_error *err)
{
  char key[KEY_SIZE];
  int status;

  memset (pair, 0, sizeof *pair);
  pair->role = role;
  memcpy (pair->far, far, REPLICA_ID_SIZE);
  make_key (pair, key);
  status = replica_note_get (replica, key, &pair->saved, &pair->exists, err);
  if (status == TALLY_OK && pair->exists
      && !read_note (pair, buf_slice (&pair->saved)))
    status = error_set (err, TALLY_CORRUPT, "%s: its note %s is damaged",
                        replica->name, key);
  if (status != TALLY_OK)
    pair_free (pair);
  return status;
}

void
pair_meet (struct pair *pair, struct replica *replica)
{
  pair->contact_ms = replica_wall_ms (replica);
  pair->unsure = !replica_clock_agrees (replica);
}

/* ---- writing ------------------------------------------------------------ */

static void
write_token (struct buf *out, const char *name, const struct pair_token *token)
{
  char hex[REPLICA_ID_TEXT];

  if (!token->set)
    return;
  replica_id_text (token->bytes, hex);
  buf_addf (out, ",\"%s\":\"%s\"", name, hex);
}

static void
write_note (const struct pair *pair, struct buf *out)
{
  char alias[REPLICA_ID_TEXT];

  buf_add_byte (out, '{');
  replica_id_text (pair->alias, alias);
  if (pair->renamed)
    buf_addf (out, "\"alias\":\"%s\",", alias);
  buf_addf (out, "\"contact\":%llu", (unsigned long long) pair->contact_ms);
  if (pair->counts)
    buf_add_text (out, ",\"counts\":true");
  write_token (out, "current", &pair->current);
  buf_add_text (out, ",\"cursors\":{");
  for (size_t i = 0; i < pair->n_cursors; i++) {
    const struct pair_cursor *cursor = &pair->cursors[i];

    buf_addf (out, "%s\"%s\":[%llu,", i ? "," : "", cursor->collection,
              (unsigned long long) cursor->local);
    json_encode_string (out, slice_text (cursor->far));
    if (cursor->behind)
      buf_addf (out, ",%llu", (unsigned long long) cursor->met);
    buf_add_byte (out, ']');
  }
  buf_add_byte (out, '}');
  if (pair->held.n > 0) {
    buf_add_text (out, ",\"held\":");
    held_write (&pair->held, out);
  }
  for (size_t i = 0; i < pair->n_own; i++)
    buf_addf (out, "%s%lu%s", i ? "," : ",\"own\":[",
              (unsigned long) pair->own[i], i + 1 < pair->n_own ? "" : "]");
  write_token (out, "pending", &pair->pending);
  if (pair->unsure)
    buf_add_text (out, ",\"unsure\":true");
  buf_add_byte (out, '}');
}

int
pair_save (struct pair *pair, struct replica *replica, struct tally_error *err)
{
  char key[KEY_SIZE];
  struct buf note = BUF_INIT;
  struct tally_slice before, after;
  int status;

  make_key (pair, key);
  write_note (pair, &note);
  before = pair->exists ? buf_slice (&pair->saved) : slice_make (NULL, 0);
  after = buf_slice (&note);
  status = note.failed ? error_nomem (err)
                       : replica_note_put (replica, key, &before, &after, err);
  if (status == TALLY_OK) {
    buf_free (&pair->saved);
    pair->saved = note;
    pair->exists = true;
    pair->held.changed = false;
    return TALLY_OK;
  }
  buf_free (&note);
  if (status == TALLY_CONFLICT)
    status = error_set (err, TALLY_AGAIN,
                        "%s: another sync with the same peer is running",
                        replica->name);
  return status;
}

static void
free_cursors (struct pair *pair)
{
  for (size_t i = 0; i < pair->n_cursors; i++) {
    free (pair->cursors[i].collection);
    free (pair->cursors[i].far);
  }
  free (pair->cursors);
  pair->cursors = NULL;
  pair->n_cursors = 0;
}

bool
pair_forget (struct pair *pair, const uint32_t *own, size_t n)
{
  uint32_t *copy = malloc ((n + 1) * sizeof *copy);

  if (!copy)
    return false;
  memcpy (copy, own, n * sizeof *copy);
  free (pair->own);
  pair->own = copy;
  pair->n_own = n;
  pair->renamed = true;
  randombytes_buf (pair->alias, sizeof pair->alias);
  pair->current.set = pair->pending.set = false;
  held_clear (&pair->held);
  for (size_t i = 0; i < pair->n_cursors; i++) {
    pair->cursors[i].local = 0;
    pair->cursors[i].far[0] = '\0';
  }
  return true;
}

int
pair_restart (struct pair *pair, struct replica *replica, const uint32_t *own,
              size_t n, struct tally_error *err)
{
  if (!pair_forget (pair, own, n))
    return error_nomem (err);
  return pair_save (pair, replica, err);
}

void
pair_free (struct pair *pair)
{
  free_cursors (pair);
  held_clear (&pair->held);
  free (pair->own);
  buf_free (&pair->saved);
  memset (pair, 0, sizeof *pair);
}
