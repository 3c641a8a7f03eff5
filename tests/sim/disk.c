/* SPDX-License-Identifier: MIT */
/* A store over a simulated disk.  The disk is a log of bytes; a call that
 * writes appends one record and syncs, so that a record is a transaction.
 * Opening reads all of the log, and cuts off what a crash left half there. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* A record is its size, a checksum, and entries; a field of an entry is its
 * size and its bytes. */
#define HEAD_SIZE 8

enum entry_kind { ENTRY_DOC = 1, ENTRY_FORGET, ENTRY_NOTE, ENTRY_NOTE_GONE };

/* A document or a note; slices are offsets into the log, which moves. */
struct span {
  uint32_t at, size;
};

struct row {
  uint32_t hash;
  struct span collection, id, meta, body;
  unsigned char rev[TALLY_REV_SIZE];
  uint32_t flags;
  uint64_t seq;
};

struct note {
  struct span key, value;
};

struct disk_handle {
  struct disk *disk;
  struct row *rows; /* in rising seq */
  size_t n_rows, rows_capacity;
  struct note *notes; /* in bytewise order */
  size_t n_notes, notes_capacity;
  uint64_t head;
};

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

static struct tally_slice
at_span (const struct disk_handle *h, struct span span)
{
  return slice_make (h->disk->log.data + span.at, span.size);
}

static bool
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

static size_t
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

/* The first note at or after the key. */
static size_t
note_place (const struct disk_handle *h, struct tally_slice key)
{
  size_t at = 0;

  while (at < h->n_notes && cmp_key (h, at, key) < 0)
    at++;
  return at;
}

static bool
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

/* ---- writing ------------------------------------------------------------ */

static int
disk_error (struct tally_error *err, int status, const char *text)
{
  err->status = status;
  snprintf (err->text, sizeof err->text, "disk: %s", text);
  return status;
}

static size_t
start_record (struct disk_handle *h)
{
  size_t at = h->disk->log.size;

  buf_add (&h->disk->log, "\0\0\0\0\0\0\0", HEAD_SIZE);
  return at;
}

/* One record is one transaction: its checksum makes it count. */
static int
end_record (struct disk_handle *h, size_t at, struct tally_error *err)
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

static void
write_entry (struct disk_handle *h, const struct tally_entry *entry,
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

static bool
fits (const struct disk_handle *h, const struct tally_entry *entry,
      struct tally_outcome *outcome)
{
  static const unsigned char none[TALLY_REV_SIZE];
  size_t at = find_row (h, entry->collection, entry->doc.id);
  const struct row *row = at < h->n_rows ? &h->rows[at] : NULL;

  memset (outcome, 0, sizeof *outcome);
  if (!entry->expected
      || memcmp (entry->expected, row ? row->rev : none, TALLY_REV_SIZE) == 0)
    return true;
  outcome->status = TALLY_CONFLICT;
  outcome->seq = row ? row->seq : 0;
  memcpy (outcome->rev, row ? row->rev : none, TALLY_REV_SIZE);
  return false;
}

static bool
has_twice (const struct tally_entry *entries, size_t n)
{
  for (size_t i = 1; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (slice_equal (entries[i].doc.id, entries[j].doc.id)
          && strcmp (entries[i].collection, entries[j].collection) == 0)
        return true;
  return false;
}

static int
disk_put (void *handle, const struct tally_entry *entries, size_t n,
          unsigned flags, struct tally_outcome *outcomes,
          struct tally_error *err)
{
  struct disk_handle *h = handle;
  bool write = true;
  uint64_t head = h->head;
  size_t at, written = 0;

  for (size_t i = 0; i < n; i++)
    if ((entries[i].flags & TALLY_ENTRY_FORGET) && !entries[i].expected)
      return disk_error (err, TALLY_INVALID, "forgets what it does not name");
  if (has_twice (entries, n))
    return disk_error (err, TALLY_INVALID, "an id stands twice in a batch");
  for (size_t i = 0; i < n; i++)
    if (!fits (h, &entries[i], &outcomes[i]) && (flags & TALLY_PUT_ALL))
      write = false;
  if (!write)
    return TALLY_OK;
  at = start_record (h);
  for (size_t i = 0; i < n; i++) {
    if (outcomes[i].status != TALLY_OK)
      continue;
    written++;
    if (entries[i].flags & TALLY_ENTRY_FORGET) {
      write_entry (h, &entries[i], head);
      continue;
    }
    write_entry (h, &entries[i], ++head);
    outcomes[i].seq = head;
    memcpy (outcomes[i].rev, entries[i].doc.rev, TALLY_REV_SIZE);
  }
  if (written > 0)
    return end_record (h, at, err);
  h->disk->log.size = at;
  return TALLY_OK;
}

static int
disk_note_put (void *handle, const char *key,
               const struct tally_slice *expected,
               const struct tally_slice *value, struct tally_error *err)
{
  struct disk_handle *h = handle;
  struct tally_slice name = slice_text (key);
  size_t at = note_place (h, name);
  bool there = has_note (h, at, name), same = true;
  size_t record;

  if (expected && !expected->data)
    same = !there;
  else if (expected)
    same = there && slice_equal (at_span (h, h->notes[at].value), *expected);
  if (!same)
    return disk_error (err, TALLY_CONFLICT, "the note is not as expected");
  record = start_record (h);
  add_number (&h->disk->log, value ? ENTRY_NOTE : ENTRY_NOTE_GONE);
  add_field (&h->disk->log, name);
  if (value)
    add_field (&h->disk->log, *value);
  return end_record (h, record, err);
}

/* ---- reading ------------------------------------------------------------ */

static void
fill_doc (const struct disk_handle *h, const struct row *row, bool whole,
          struct tally_doc *doc)
{
  memset (doc, 0, sizeof *doc);
  doc->id = at_span (h, row->id);
  memcpy (doc->rev, row->rev, TALLY_REV_SIZE);
  doc->flags = row->flags;
  doc->seq = row->seq;
  if (!whole)
    return;
  doc->meta = at_span (h, row->meta);
  doc->body = at_span (h, row->body);
}

static int
disk_get (void *handle, const char *collection, const struct tally_slice *ids,
          size_t n, unsigned flags, tally_emit_doc *emit, void *ctx,
          struct tally_error *err)
{
  const struct disk_handle *h = handle;

  (void) err;
  for (size_t i = 0; i < n; i++) {
    size_t at = find_row (h, collection, ids[i]);
    struct tally_doc doc;

    if (at == h->n_rows)
      continue;
    fill_doc (h, &h->rows[at], flags != 0, &doc);
    if (emit (ctx, &doc))
      break;
  }
  return TALLY_OK;
}

static int
disk_changes (void *handle, const char *collection, uint64_t since,
              tally_emit_doc *emit, void *ctx, uint64_t *head,
              struct tally_error *err)
{
  const struct disk_handle *h = handle;

  (void) err;
  *head = h->head;
  for (size_t i = 0; i < h->n_rows; i++) {
    struct tally_doc doc;

    if (h->rows[i].seq <= since
        || !is_span (h, h->rows[i].collection, collection))
      continue;
    fill_doc (h, &h->rows[i], false, &doc);
    if (emit (ctx, &doc))
      break;
  }
  return TALLY_OK;
}

static int
by_position (const void *a, const void *b)
{
  const struct tally_doc *left = a, *right = b;
  int order = memcmp (left->rev, right->rev, TALLY_STAMP_SIZE);

  return order ? order : slice_cmp (left->id, right->id);
}

static bool
is_before (const struct tally_doc *doc, const struct tally_position *end)
{
  struct tally_doc at = { .id = end->id };

  memcpy (at.rev, end->stamp, TALLY_STAMP_SIZE);
  return by_position (doc, &at) < 0;
}

static int
disk_scan (void *handle, const char *collection,
           const struct tally_position *from, const struct tally_position *to,
           tally_emit_doc *emit, void *ctx, uint64_t *seq,
           struct tally_error *err)
{
  const struct disk_handle *h = handle;
  struct tally_doc *docs = calloc (h->n_rows + 1, sizeof *docs);
  size_t n = 0;

  if (!docs)
    return disk_error (err, TALLY_FAILED, "out of memory");
  *seq = h->head;
  for (size_t i = 0; i < h->n_rows; i++) {
    fill_doc (h, &h->rows[i], false, &docs[n]);
    n += is_span (h, h->rows[i].collection, collection)
         && !(docs[n].flags & TALLY_DOC_DELETED)
         && !(from && is_before (&docs[n], from))
         && !(to && !is_before (&docs[n], to));
  }
  qsort (docs, n, sizeof *docs, by_position);
  for (size_t i = 0; i < n && !emit (ctx, &docs[i]); i++)
    ;
  free (docs);
  return TALLY_OK;
}

static int
disk_note_get (void *handle, const char *key, tally_emit_bytes *emit,
               void *ctx, struct tally_error *err)
{
  const struct disk_handle *h = handle;
  size_t at = note_place (h, slice_text (key));

  (void) err;
  if (has_note (h, at, slice_text (key)))
    emit (ctx, at_span (h, h->notes[at].value).data, h->notes[at].value.size);
  return TALLY_OK;
}

/* With a NUL; emits are of names. */
static int
emit_span (const struct disk_handle *h, struct span span,
           tally_emit_name *emit, void *ctx)
{
  char name[COLLECTION_TEXT_MAX];

  memcpy (name, at_span (h, span).data, span.size);
  name[span.size] = '\0';
  return emit (ctx, name);
}

static int
disk_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                void *ctx, struct tally_error *err)
{
  const struct disk_handle *h = handle;
  size_t size = strlen (prefix);

  (void) err;
  for (size_t i = note_place (h, slice_text (prefix)); i < h->n_notes; i++) {
    struct tally_slice key = at_span (h, h->notes[i].key);

    if (key.size < size || memcmp (key.data, prefix, size) != 0
        || emit_span (h, h->notes[i].key, emit, ctx))
      break;
  }
  return TALLY_OK;
}

/* The next name after one, or a span of no bytes. */
static struct span
next_collection (const struct disk_handle *h, struct tally_slice after)
{
  struct span next = { 0, 0 };

  for (size_t i = 0; i < h->n_rows; i++) {
    struct span span = h->rows[i].collection;

    if (slice_cmp (at_span (h, span), after) > 0
        && (next.size == 0
            || slice_cmp (at_span (h, span), at_span (h, next)) < 0))
      next = span;
  }
  return next;
}

static int
disk_collections (void *handle, tally_emit_name *emit, void *ctx,
                  struct tally_error *err)
{
  const struct disk_handle *h = handle;
  struct span span = next_collection (h, slice_make (NULL, 0));

  (void) err;
  while (span.size > 0 && !emit_span (h, span, emit, ctx))
    span = next_collection (h, at_span (h, span));
  return TALLY_OK;
}

/* ---- opening ------------------------------------------------------------ */

static void
disk_close (void *handle)
{
  struct disk_handle *h = handle;

  free (h->rows);
  free (h->notes);
  free (h);
}

static int
disk_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  struct site *site = host->ctx;
  struct disk_handle *h = calloc (1, sizeof *h);
  size_t at = 0, end;
  bool good = true;

  (void) values;
  (void) flags;
  if (!h)
    return disk_error (err, TALLY_FAILED, "out of memory");
  h->disk = &site->disk;
  h->disk->fails_to_sync = false;
  while (good && (end = apply_record (h, at, &good)) > 0)
    at = end;
  if (!good) {
    disk_close (h);
    return disk_error (err, TALLY_FAILED, "out of memory");
  }
  h->disk->log.size = h->disk->synced = at;
  *handle = h;
  return TALLY_OK;
}

const struct tally_store disk_store = {
  TALLY_STORE_INIT,
  .threads = TALLY_THREADS_ANY,
  .open = disk_open,
  .close = disk_close,
  .get = disk_get,
  .put = disk_put,
  .changes = disk_changes,
  .scan = disk_scan,
  .note_get = disk_note_get,
  .note_put = disk_note_put,
  .note_list = disk_note_list,
  .collections = disk_collections,
};

/* ---- what befalls it ---------------------------------------------------- */

void
disk_cut_power (struct disk *disk, enum crash crash, struct rng *rng)
{
  size_t tail = disk->log.size - disk->synced;

  if (tail == 0)
    return;
  if (crash == CRASH_TORN) {
    size_t at = disk->synced + rng_below (rng, (uint32_t) tail);

    /* Either its end is missing, or a part in the middle. */
    if (rng_one_in (rng, 2))
      disk->log.size = at;
    else
      disk->log.data[at] ^= 0x55;
  } else if (crash != CRASH_KEPT)
    disk->log.size = disk->synced;
}

void
disk_copy (struct disk *to, const struct disk *from)
{
  buf_clear (&to->log);
  buf_add (&to->log, from->log.data, from->log.size);
  to->synced = from->synced;
  to->fails_to_sync = false;
}
