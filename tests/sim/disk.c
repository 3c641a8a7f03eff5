/* SPDX-License-Identifier: MIT */
/* A store over a simulated disk, and what befalls that.  A call that writes
 * appends one record and syncs, so that a record is a transaction. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "disk-log.h"

/* ---- writing ------------------------------------------------------------ */

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
  at = log_start (h);
  for (size_t i = 0; i < n; i++) {
    if (outcomes[i].status != TALLY_OK)
      continue;
    written++;
    if (entries[i].flags & TALLY_ENTRY_FORGET) {
      log_entry (h, &entries[i], head);
      continue;
    }
    log_entry (h, &entries[i], ++head);
    outcomes[i].seq = head;
    memcpy (outcomes[i].rev, entries[i].doc.rev, TALLY_REV_SIZE);
  }
  if (written > 0)
    return log_end (h, at, err);
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
  record = log_start (h);
  log_note (h, name, value);
  return log_end (h, record, err);
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

  (void) values;
  (void) flags;
  if (!h)
    return disk_error (err, TALLY_FAILED, "out of memory");
  h->disk = &site->disk;
  h->disk->fails_to_sync = false;
  if (!log_replay (h)) {
    disk_close (h);
    return disk_error (err, TALLY_FAILED, "out of memory");
  }
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
