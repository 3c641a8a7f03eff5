/* SPDX-License-Identifier: MIT */
/* What we know of our own log: a note for each collection, saved before a
 * segment gets its name.  After a crash it tells a segment of ours from one
 * that a copy of this store wrote, and a segment that never was from one that
 * was lost. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "folder-internal.h"
#include "json.h"
#include "notejson.h"

#define KEY_SIZE 256

/* ---- our own log: the note ---------------------------------------------- */

static void
note_key (const struct folder *folder, const struct lane *lane,
          char key[KEY_SIZE])
{
  char id[REPLICA_ID_TEXT];

  replica_id_text (folder->id, id);
  snprintf (key, KEY_SIZE, "folder/%s/%s", id, lane->collection);
}

static bool
read_field (struct tally_slice note, const char *name, uint64_t *out)
{
  struct tally_slice value;

  return json_find_member (note, slice_text (name), &value)
         && note_number (value, out) && *out <= SEGMENT_NUMBER_MAX;
}

/* A string of hexadecimal digits, as many as fill out. */
static bool
read_hex (struct tally_slice note, const char *name, unsigned char *out,
          size_t size)
{
  struct tally_slice value;
  size_t got;

  return json_find_member (note, slice_text (name), &value)
         && value.size == 2 * size + 2
         && sodium_hex2bin (out, size, value.data + 1, 2 * size, NULL, &got,
                            NULL)
                == 0
         && got == size;
}

/* *ours false: it is about the log of another id, which this store had. */
static bool
read_note (const struct folder *folder, struct own *own, bool *ours)
{
  struct tally_slice note = buf_slice (&own->note), value;
  unsigned char writer[REPLICA_ID_SIZE];
  uint64_t restarting;

  if (!json_is_canonical (note.data, note.size)
      || !read_field (note, "begin", &own->begin)
      || !read_field (note, "documents", &own->documents)
      || !read_field (note, "live", &own->live)
      || !read_field (note, "parts", &own->parts)
      || !read_field (note, "published", &own->published)
      || !read_field (note, "restarting", &restarting)
      || !read_hex (note, "writer", writer, sizeof writer))
    return false;
  /* Notes of before it was kept are without it. */
  if (!read_field (note, "checked", &own->checked_ms))
    own->checked_ms = 0;
  own->restarting = restarting != 0;
  own->has_intent = json_find_member (note, slice_text ("intent"), &value);
  *ours = memcmp (writer, folder->self, sizeof writer) == 0;
  return (!own->has_intent
          || read_hex (note, "intent", own->intent, sizeof own->intent))
         && own->begin > 0 && own->begin <= own->published + 1
         && own->parts <= SEGMENT_PARTS_MAX && own->live <= own->documents;
}

static void
write_note (const struct folder *folder, const struct own *own,
            struct buf *out)
{
  char writer[REPLICA_ID_TEXT], intent[2 * SEGMENT_CHECKSUM_SIZE + 1];

  buf_addf (out, "{\"begin\":%llu,\"checked\":%llu,\"documents\":%llu",
            (unsigned long long) own->begin,
            (unsigned long long) own->checked_ms,
            (unsigned long long) own->documents);
  if (own->has_intent) {
    sodium_bin2hex (intent, sizeof intent, own->intent, sizeof own->intent);
    buf_addf (out, ",\"intent\":\"%s\"", intent);
  }
  replica_id_text (folder->self, writer);
  buf_addf (out,
            ",\"live\":%llu,\"parts\":%llu,\"published\":%llu"
            ",\"restarting\":%d,\"writer\":\"%s\"}",
            (unsigned long long) own->live, (unsigned long long) own->parts,
            (unsigned long long) own->published,
            own->restarting || own->damaged, writer);
}

int
folder_save_note (struct folder *folder, struct lane *lane,
                  struct tally_error *err)
{
  struct own *own = &lane->own;
  struct buf note = BUF_INIT;
  struct tally_slice before, after;
  char key[KEY_SIZE];
  int status;

  note_key (folder, lane, key);
  write_note (folder, own, &note);
  before = own->noted ? buf_slice (&own->note) : slice_make (NULL, 0);
  after = buf_slice (&note);
  status = note.failed
               ? error_nomem (err)
               : replica_note_put (folder->replica, key, &before, &after, err);
  if (status != TALLY_OK) {
    buf_free (&note);
    if (status == TALLY_CONFLICT)
      status = error_set (err, TALLY_AGAIN,
                          "%s: another sync with the "
                          "same folder is running",
                          folder->replica->name);
    return status;
  }
  buf_free (&own->note);
  own->note = note;
  own->noted = true;
  own->dirty = false;
  return TALLY_OK;
}

/* ---- our own log: what became of it ------------------------------------- */

int
folder_another_copy (const struct folder *folder, struct tally_error *err)
{
  return error_set (err, TALLY_AGAIN,
                    "%s: another copy of this store writes "
                    "under its name; run again",
                    folder->channel->name);
}

void
folder_adopt (struct own *own, const struct segment *segment)
{
  own->published = segment->number;
  if (segment->begin != own->begin) {
    own->begin = segment->begin;
    own->documents = own->live = segment->documents;
    own->restarted = !segment_is_base (segment);
    own->parts = segment->parts.size / SEGMENT_CHECKSUM_SIZE;
    own->litter = true;
  }
  own->documents += segment->n_docs;
  if (own->live < segment->n_docs)
    own->live = segment->n_docs;
  own->has_intent = false;
  own->unsure = false;
  own->dirty = true;
}

int
folder_settle (struct folder *folder, struct lane *lane,
               struct tally_error *err)
{
  struct own *own = &lane->own;
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE];
  struct segment segment;
  int status =
      folder_fetch (folder, lane->collection, folder->self, own->published + 1,
                    0, &folder->scratch, &segment, err);

  switch (status) {
  case TALLY_OK:
    segment_checksum (checksum, buf_slice (&folder->scratch));
    if (memcmp (checksum, own->intent, sizeof checksum) == 0)
      folder_adopt (own, &segment);
    else
      own->ahead = true;
    segment_free (&segment);
    return TALLY_OK;
  case TALLY_NOTFOUND:
    own->has_intent = false;
    own->unsure = false;
    return TALLY_OK;
  case TALLY_CORRUPT: /* ours would be whole */
  case TALLY_UNSUPPORTED:
    own->ahead = true;
    return TALLY_OK;
  default:
    return status;
  }
}

bool
folder_is_needed (const struct own *own, uint64_t number, uint32_t part)
{
  if (part > 0)
    return number == own->begin && part <= own->parts;
  return number >= own->begin;
}

/* Compares the listing with what the note claims, and what is listed with
 * what was written. */
static int
measure (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  const struct log *log =
      folder_find_log (folder, lane->collection, folder->self);
  uint64_t there = 0;

  for (size_t i = 0; log && i < log->count; i++) {
    const struct entry *entry = &log->entries[i];

    if (!folder_is_needed (own, entry->number, entry->part))
      own->litter = true;
    else if (entry->number <= own->published)
      there++;
    else
      own->ahead = true;
  }
  own->missing = there != own->published - own->begin + 1 + own->parts;
  if (!log || own->missing || own->restarting || own->ahead || folder->look)
    return TALLY_OK;
  return folder_check_own (folder, lane, log, err);
}

static int
load_note (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  char key[KEY_SIZE];
  bool ours = false;
  int status;

  note_key (folder, lane, key);
  status =
      replica_note_get (folder->replica, key, &own->note, &own->noted, err);
  if (status != TALLY_OK)
    return status;
  if (own->noted && !read_note (folder, own, &ours))
    return error_set (err, TALLY_CORRUPT, "%s: its note %s is damaged",
                      folder->replica->name, key);
  if (!ours) {
    own->published = own->parts = own->documents = own->live = 0;
    own->begin = 1;
    own->checked_ms = replica_wall_ms (folder->replica);
    own->has_intent = own->restarting = false;
  }
  return own->has_intent ? folder_settle (folder, lane, err) : TALLY_OK;
}

int
folder_load_own (struct folder *folder, struct lane *lane,
                 struct tally_error *err)
{
  struct own *own = &lane->own;

  if (!own->loaded) {
    struct tally_error why = { 0 };

    own->loaded = true;
    if (load_note (folder, lane, &why) != TALLY_OK
        || measure (folder, lane, &why) != TALLY_OK)
      own->broken = why;
    /* Even when it was ours: that run did not come to its commit. */
    own->restarted = false;
  }
  if (own->broken.status == TALLY_OK)
    return TALLY_OK;
  *err = own->broken;
  return err->status;
}

bool
folder_is_ahead (struct folder *folder)
{
  for (size_t i = 0; i < folder->n_lanes; i++)
    if (folder->lanes[i]->own.ahead)
      return true;
  return false;
}

bool
folder_is_behind (struct folder *folder, const char *collection)
{
  struct tally_error ignored = { 0 };
  struct lane *lane;

  lane = folder_lane (folder, collection);
  return lane && folder_load_own (folder, lane, &ignored) == TALLY_OK
         && (lane->own.missing || lane->own.restarting);
}
