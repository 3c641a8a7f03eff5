/* SPDX-License-Identifier: MIT */
/* The copy, and what is newer there than in it. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "dialect.h"
#include "document.h"
#include "envelope.h"
#include "error.h"
#include "intake.h"
#include "json.h"
#include "local.h"
#include "mirror.h"
#include "moment.h"
#include "mtime.h"

/* Ids that are looked up, and asked for, at once. */
#define PAGE 512

#define ACCOUNT_PREFIX "mirror-"
#define ACCOUNT_DIGITS 16

bool
mirror_has (const char *collection)
{
  const char *digits = collection + strlen (ACCOUNT_PREFIX);

  return strncmp (collection, ACCOUNT_PREFIX, strlen (ACCOUNT_PREFIX)) == 0
         && strspn (digits, "0123456789abcdef") == ACCOUNT_DIGITS
         && digits[ACCOUNT_DIGITS] == ':';
}

/* One server with two keys is two. */
static void
name_account (struct mirror *mirror)
{
  crypto_generichash_state hash;
  unsigned char digest[crypto_generichash_BYTES_MIN];
  char text[2 * sizeof digest + 1];
  const char *name = mirror->far->name;

  crypto_generichash_init (&hash, NULL, 0, sizeof digest);
  crypto_generichash_update (&hash, (const unsigned char *) name,
                             strlen (name) + 1);
  if (mirror->key)
    crypto_generichash_update (&hash, (const unsigned char *) mirror->key,
                               strlen (mirror->key));
  crypto_generichash_final (&hash, digest, sizeof digest);
  sodium_bin2hex (text, sizeof text, digest, sizeof digest);
  snprintf (mirror->account, sizeof mirror->account, ACCOUNT_PREFIX "%.*s",
            ACCOUNT_DIGITS, text);
}

int
mirror_open (struct mirror *mirror, struct channel *far,
             struct replica *replica, const char *key, const char *device,
             struct tally_error *err)
{
  int status;

  memset (mirror, 0, sizeof *mirror);
  mirror->far = far;
  mirror->replica = replica;
  mirror->key = key;
  if (channel_is_folder (far))
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: in a folder nobody speaks a dialect", far->name);
  if (key && !utf8_valid (slice_text (key)))
    return error_set (err, TALLY_INVALID, "%s: its token is not UTF-8",
                      far->name);
  name_account (mirror);
  mirror->answer.replica = replica;
  mirror->answer.device = device;
  mirror->answer.account = mirror->account;
  status = local_channel_open (&mirror->copy, &mirror->answer, far->name, err);
  /* The copy is looked at by its times. */
  return status == TALLY_OK ? mtime_show (replica, err) : status;
}

static void
forget_list (struct mirror *mirror)
{
  idmap_clear (&mirror->ids);
  arena_free (&mirror->texts);
  mirror->n = 0;
}

void
mirror_close (struct mirror *mirror)
{
  channel_close (mirror->copy);
  idmap_free (&mirror->ids);
  arena_free (&mirror->texts);
  free (mirror->times);
  buf_free (&mirror->request);
  buf_free (&mirror->reply);
  memset (mirror, 0, sizeof *mirror);
}

/* ---- what there is ------------------------------------------------------ */

static int
add_row (struct mirror *mirror, struct tally_slice id, uint64_t ms,
         struct tally_error *err)
{
  size_t at;
  char *copy;

  if (mirror->n == mirror->room) {
    size_t room = mirror->room ? 2 * mirror->room : 256;
    uint64_t *times = realloc (mirror->times, room * sizeof *times);

    if (!times)
      return error_nomem (err);
    mirror->times = times;
    mirror->room = room;
  }
  copy = arena_add (&mirror->texts, id.data, id.size);
  if (!copy
      || !idmap_add (&mirror->ids, slice_make (copy, id.size), mirror->n, &at))
    return error_nomem (err);
  mirror->times[at] = ms;
  mirror->n += at == mirror->n;
  return TALLY_OK;
}

/* [ID, TIME]; without a time it is as old as can be. */
static int
read_row (struct mirror *mirror, struct tally_slice given,
          struct tally_error *err)
{
  struct buf row = BUF_INIT, id = BUF_INIT;
  struct tally_slice rest, first, second;
  struct tally_error why;
  uint64_t ms = 0;
  int status = json_canonical (&row, given.data, given.size, &why);

  rest = buf_slice (&row);
  if (status != TALLY_OK || !json_next_element (&rest, &first)
      || json_type (first) != JSON_STRING
      || !json_next_element (&rest, &second))
    status = mirror_strange (mirror, err);
  else if (!json_decode_string (&id, first))
    status = error_nomem (err);
  else if (json_type (second) != JSON_NULL && !moment_read (second, &ms))
    status = mirror_strange (mirror, err);
  /* What could not be a document of ours is left there. */
  else if (document_check_id (buf_slice (&id), &why) == TALLY_OK)
    status = add_row (mirror, buf_slice (&id), ms, err);
  buf_free (&id);
  buf_free (&row);
  return status;
}

static int
read_list (struct mirror *mirror, struct tally_error *err)
{
  struct envelope_items items = { { NULL, 0 }, false };
  struct tally_slice row;
  int status;

  forget_list (mirror);
  mirror_begin (mirror, mirror->collection);
  status = mirror_call (mirror, DIALECT_META, &items.rest, err);
  while (status == TALLY_OK) {
    status = envelope_next (&items, &row, err);
    if (status == TALLY_OK)
      status = read_row (mirror, row, err);
    else if (status == TALLY_INVALID)
      status = mirror_strange (mirror, err);
  }
  return status == TALLY_NOTFOUND ? TALLY_OK : status;
}

/* ---- taking ------------------------------------------------------------- */

/* Asks for a page of documents and takes them in. */
static int
take_page (struct mirror *mirror, struct intake *intake,
           const struct tally_slice *ids, size_t n, struct tally_error *err)
{
  struct envelope_items items = { { NULL, 0 }, false };
  struct tally_slice document;
  int status;

  mirror_begin (mirror, mirror->collection);
  buf_add_text (&mirror->request, ",\"ids\":[");
  for (size_t i = 0; i < n; i++) {
    if (i > 0)
      buf_add_byte (&mirror->request, ',');
    json_encode_string (&mirror->request, ids[i]);
  }
  buf_add_byte (&mirror->request, ']');
  status = mirror_call (mirror, DIALECT_GET, &items.rest, err);
  while (status == TALLY_OK) {
    status = envelope_next (&items, &document, err);
    if (status == TALLY_OK)
      status = intake_add (intake, document, err);
    else if (status == TALLY_INVALID)
      status = mirror_strange (mirror, err);
  }
  return status == TALLY_NOTFOUND ? intake_end (intake, err) : status;
}

/* Of a page of ids, those that are newer there than in the copy. */
static int
find_newer (struct mirror *mirror, struct tally_slice *ids, size_t *n,
            struct tally_error *err)
{
  struct mtimes mtimes = { 0 };
  struct doclist stored = DOCLIST_INIT;
  size_t newer = 0, at = 0;
  int status =
      mtime_read (&mtimes, mirror->replica, mirror->stored, ids, *n, err);

  if (status == TALLY_OK)
    status = replica_get (mirror->replica, mirror->stored, ids, *n, 0,
                          doclist_emit, &stored, err);
  if (status == TALLY_OK && stored.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < *n && status == TALLY_OK; i++) {
    const struct tally_doc *doc = doclist_next_if (&stored, &at, ids[i]);
    uint64_t ms = mirror->times[idmap_find (&mirror->ids, ids[i])];

    if (!doc || mtime_shown (doc, mtime_find (&mtimes, ids[i])) < ms)
      ids[newer++] = ids[i];
  }
  *n = newer;
  doclist_free (&stored);
  mtimes_free (&mtimes);
  return status;
}

static int
take_newer (struct mirror *mirror, struct intake *intake,
            struct tally_error *err)
{
  struct tally_slice ids[PAGE];
  size_t n = 0;
  int status = TALLY_OK;

  for (size_t i = 0; i <= mirror->ids.capacity && status == TALLY_OK; i++) {
    bool last = i == mirror->ids.capacity;

    if (!last && mirror->ids.slots[i].id.data)
      ids[n++] = mirror->ids.slots[i].id;
    if (n < PAGE && !(last && n > 0))
      continue;
    status = find_newer (mirror, ids, &n, err);
    if (status == TALLY_OK && n > 0)
      status = take_page (mirror, intake, ids, n, err);
    n = 0;
  }
  return status;
}

int
mirror_fetch (struct mirror *mirror, const char *collection, bool takes,
              struct tally_error *err)
{
  struct intake intake = { .replica = mirror->replica,
                           .collection = mirror->stored,
                           .mirrors = true };
  int status;

  error_clear (&mirror->complaint);
  mirror->collection = collection;
  snprintf (mirror->stored, sizeof mirror->stored, "%s:%s", mirror->account,
            collection);
  status =
      identity_dialect (mirror->replica, mirror->account, &intake.client, err);
  if (status == TALLY_OK)
    status = read_list (mirror, err);
  if (status == TALLY_OK && takes)
    status = take_newer (mirror, &intake, err);
  if (status == TALLY_OK && intake.complaint.status != TALLY_OK)
    error_set (&mirror->complaint, intake.complaint.status, "%s: %s",
               mirror->far->name, intake.complaint.text);
  intake_free (&intake);
  return status;
}

int
mirror_ping (struct channel *far, const char *key, struct tally_error *err)
{
  struct mirror mirror = { .far = far, .key = key };
  struct tally_slice result;
  int status;

  mirror_begin (&mirror, "tally");
  buf_add_text (&mirror.request, ",\"ids\":[]");
  status = mirror_call (&mirror, DIALECT_GET, &result, err);
  /* Who knows no such collection is there, too. */
  if (mirror.refused && status == TALLY_INVALID)
    status = TALLY_OK;
  mirror_close (&mirror);
  return status;
}
