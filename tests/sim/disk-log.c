/* SPDX-License-Identifier: MIT */
/* The log of a simulated disk.  Whoever opens it reads all of it, and cuts off
 * what a crash left half there. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "disk-log.h"

/* A record is its size, a checksum, and entries; a field of an entry is its
 * size and its bytes. */
#define HEAD_SIZE 8

enum entry_kind { ENTRY_DOC = 1, ENTRY_FORGET, ENTRY_NOTE, ENTRY_NOTE_GONE };

/* ---- bytes -------------------------------------------------------------- */

static uint32_t
hash_bytes (uint32_t hash, const char *data, size_t size)
{
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ (unsigned char) data[i]) * UINT32_C (16777619);
  return hash;
}

static uint32_t
hash_id (const char *collection, struct tally_slice id)
{
  return hash_bytes (hash_bytes (1, collection, strlen (collection)), id.data,
                     id.size);
}

/* Words at a time: the bodies are most of it. */
static uint32_t
checksum (const char *data, size_t size)
{
  uint64_t sum = size;

  for (size_t at = 0; at < size; at += 8) {
    uint64_t word = 0;

    memcpy (&word, data + at, size - at < 8 ? size - at : 8);
    sum = (sum ^ word) * UINT64_C (0x9e3779b97f4a7c15);
    sum ^= sum >> 29;
  }
  return (uint32_t) (sum ^ sum >> 32);
}

struct tally_slice
at_span (const struct disk_handle *h, struct span span)
{
  return slice_make (h->disk->log.data + span.at, span.size);
}

bool
is_span (const struct disk_handle *h, struct span span, const char *text)
{
  return slice_equal (at_span (h, span), slice_text (text));
}

static void
add_number (struct buf *log, uint64_t number)
{
  buf_add (log, &number, sizeof number);
}

static void
add_field (struct buf *log, struct tally_slice bytes)
{
  add_number (log, bytes.size);
  buf_add_slice (log, bytes);
}

struct reader {
  const struct buf *log;
  size_t at;
};

static uint64_t
take_number (struct reader *reader)
{
  uint64_t number;

  memcpy (&number, reader->log->data + reader->at, sizeof number);
  reader->at += sizeof number;
  return number;
}

static struct span
take_field (struct reader *reader)
{
  struct span span;

  span.size = (uint32_t) take_number (reader);
  span.at = (uint32_t) reader->at;
  reader->at += span.size;
  return span;
}

/* ---- what is on it ------------------------------------------------------ */

size_t
find_row (const struct disk_handle *h, const char *collection,
          struct tally_slice id)
{
  uint32_t hash = hash_id (collection, id);
  size_t i = 0;

  while (i < h->n_rows
         && (h->rows[i].hash != hash
             || !slice_equal (at_span (h, h->rows[i].id), id)
             || !is_span (h, h->rows[i].collection, collection)))
    i++;
  return i;
}

static void
drop_row (struct disk_handle *h, size_t at)
{
  if (at == h->n_rows)
    return;
  h->n_rows--;
  memmove (h->rows + at, h->rows + at + 1, (h->n_rows - at) * sizeof *h->rows);
}

static int
cmp_key (const struct disk_handle *h, size_t at, struct tally_slice key)
{
  return slice_cmp (at_span (h, h->notes[at].key), key);
}

size_t
note_place (const struct disk_handle *h, struct tally_slice key)
{
  size_t at = 0;

  while (at < h->n_notes && cmp_key (h, at, key) < 0)
    at++;
  return at;
}

bool
has_note (const struct disk_handle *h, size_t at, struct tally_slice key)
{
  return at < h->n_notes && cmp_key (h, at, key) == 0;
}

static bool
grow (void **items, size_t *capacity, size_t n, size_t size)
{
  size_t more = *capacity ? *capacity * 2 : 64;
  void *grown;

  if (n < *capacity)
    return true;
  grown = realloc (*items, more * size);
  if (!grown)
    return false;
  *items = grown;
  *capacity = more;
  return true;
}

static bool
apply_doc (struct disk_handle *h, struct reader *reader, bool forgets)
{
  struct row row = { 0 };
  char collection[COLLECTION_TEXT_MAX];

  row.collection = take_field (reader);
  row.id = take_field (reader);
  row.seq = take_number (reader);
  memcpy (collection, at_span (h, row.collection).data, row.collection.size);
  collection[row.collection.size] = '\0';
  drop_row (h, find_row (h, collection, at_span (h, row.id)));
  if (row.seq > h->head)
    h->head = row.seq;
  if (forgets)
    return true;
  row.hash = hash_id (collection, at_span (h, row.id));
  row.flags = (uint32_t) take_number (reader);
  memcpy (row.rev, reader->log->data + reader->at, TALLY_REV_SIZE);
  reader->at += TALLY_REV_SIZE;
  row.meta = take_field (reader);
  row.body = take_field (reader);
  if (!grow ((void **) &h->rows, &h->rows_capacity, h->n_rows,
             sizeof *h->rows))
    return false;
  h->rows[h->n_rows++] = row;
  return true;
}

static bool
apply_note (struct disk_handle *h, struct reader *reader, bool goes)
{
  struct note note = { .key = take_field (reader) };
  size_t at = note_place (h, at_span (h, note.key));
  bool there = has_note (h, at, at_span (h, note.key));

  if (!goes)
    note.value = take_field (reader);
  if (goes && there) {
    h->n_notes--;
    memmove (h->notes + at, h->notes + at + 1,
             (h->n_notes - at) * sizeof note);
  }
  if (goes)
    return true;
  if (!there) {
    if (!grow ((void **) &h->notes, &h->notes_capacity, h->n_notes,
               sizeof note))
      return false;
    memmove (h->notes + at + 1, h->notes + at,
             (h->n_notes - at) * sizeof note);
    h->n_notes++;
  }
  h->notes[at] = note;
  return true;
}

/* Takes in the record at an offset; its end, or 0 when it is not whole. */
static size_t
apply_record (struct disk_handle *h, size_t at, bool *good)
{
  const struct buf *log = &h->disk->log;
  struct reader reader = { log, at + HEAD_SIZE };
  uint32_t head[2];
  size_t end;

  if (log->size - at < HEAD_SIZE)
    return 0;
  memcpy (head, log->data + at, sizeof head);
  end = reader.at + head[0];
  if (end > log->size || end < reader.at
      || checksum (log->data + reader.at, head[0]) != head[1])
    return 0;
  while (reader.at < end && *good) {
    enum entry_kind kind = (enum entry_kind) take_number (&reader);

    if (kind == ENTRY_DOC || kind == ENTRY_FORGET)
      *good = apply_doc (h, &reader, kind == ENTRY_FORGET);
    else
      *good = apply_note (h, &reader, kind == ENTRY_NOTE_GONE);
  }
  return end;
}

bool
log_replay (struct disk_handle *h)
{
  size_t at = 0, end;
  bool good = true;

  while (good && (end = apply_record (h, at, &good)) > 0)
    at = end;
  if (good)
    h->disk->log.size = h->disk->synced = at;
  return good;
}

/* ---- writing ------------------------------------------------------------ */

int
disk_error (struct tally_error *err, int status, const char *text)
{
  err->status = status;
  snprintf (err->text, sizeof err->text, "disk: %s", text);
  return status;
}

size_t
log_start (struct disk_handle *h)
{
  size_t at = h->disk->log.size;

  buf_add (&h->disk->log, "\0\0\0\0\0\0\0", HEAD_SIZE);
  return at;
}

int
log_end (struct disk_handle *h, size_t at, struct tally_error *err)
{
  struct buf *log = &h->disk->log;
  uint32_t head[2];
  bool good = true;

  if (log->failed)
    return disk_error (err, TALLY_FAILED, "out of memory");
  head[0] = (uint32_t) (log->size - at - HEAD_SIZE);
  head[1] = checksum (log->data + at + HEAD_SIZE, head[0]);
  memcpy (log->data + at, head, sizeof head);
  if (h->disk->fails_to_sync)
    return disk_error (err, TALLY_FAILED, "the power is gone");
  h->disk->synced = log->size;
  apply_record (h, at, &good);
  return good ? TALLY_OK : disk_error (err, TALLY_FAILED, "out of memory");
}

void
log_entry (struct disk_handle *h, const struct tally_entry *entry,
           uint64_t seq)
{
  struct buf *log = &h->disk->log;
  bool forgets = entry->flags & TALLY_ENTRY_FORGET;

  add_number (log, forgets ? ENTRY_FORGET : ENTRY_DOC);
  add_field (log, slice_text (entry->collection));
  add_field (log, entry->doc.id);
  add_number (log, seq);
  if (forgets)
    return;
  add_number (log, entry->doc.flags);
  buf_add (log, entry->doc.rev, TALLY_REV_SIZE);
  add_field (log, entry->doc.meta);
  add_field (log, entry->doc.body);
}

void
log_note (struct disk_handle *h, struct tally_slice key,
          const struct tally_slice *value)
{
  add_number (&h->disk->log, value ? ENTRY_NOTE : ENTRY_NOTE_GONE);
  add_field (&h->disk->log, key);
  if (value)
    add_field (&h->disk->log, *value);
}
