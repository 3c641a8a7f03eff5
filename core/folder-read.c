/* SPDX-License-Identifier: MIT */
/* Reading the logs of other writers, each on its own: what is wrong with one
 * does not hold up the others. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "folder-internal.h"
#include "peer.h"

/* Loads a blob of another writer.  What does not come up in the listing is
 * not asked for. */
static int
load (struct folder *folder, const struct log *log, uint64_t number,
      uint32_t part, struct tally_error *err)
{
  const struct entry *entry = log->entries;
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;

  folder_unload (folder);
  if (folder_is_listed (log, number, part))
    return folder_fetch (folder, entry->collection, entry->writer, number,
                         part, &folder->bytes, &folder->loaded, err);
  folder_blob_name (entry->collection, entry->writer, number, part, &name,
                    text);
  return error_set (err, TALLY_NOTFOUND,
                    "%s: segment %s is not there yet; "
                    "it is read on the next sync",
                    folder->channel->name, text);
}

/* Loads a part of the base; its first only when all of them are there. */
static int
load_part (struct folder *folder, const struct log *log,
           struct segment_position *at, struct tally_error *err)
{
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE];
  const struct entry *entry = log->entries;
  uint32_t part = at->part + 1, n;
  struct segment base;
  bool same = false;
  int status = folder_fetch (folder, entry->collection, entry->writer,
                             at->number, 0, &folder->scratch, &base, err);

  if (status != TALLY_OK)
    return status;
  n = (uint32_t) (base.parts.size / SEGMENT_CHECKSUM_SIZE);
  for (uint32_t i = n; i > part && at->part == 0; i--)
    if (!folder_is_listed (log, at->number, i))
      part = i;
  if (part <= n) {
    status = load (folder, log, at->number, part, err);
    segment_checksum (checksum, buf_slice (&folder->bytes));
    same = status == TALLY_OK
           && memcmp (base.parts.data + (part - 1) * sizeof checksum, checksum,
                      sizeof checksum)
                  == 0;
  }
  segment_free (&base);
  if (status != TALLY_OK)
    return status;
  if (!same) {
    folder_unload (folder);
    return error_set (err, TALLY_CORRUPT,
                      "%s: a base of %s is damaged; it "
                      "is read again on the next sync",
                      folder->channel->name, entry->collection);
  }
  at->part = part < n ? part : 0;
  return TALLY_OK;
}

/* The newest base after `number`, as far as names tell: parts of it are
 * there.  0: none. */
static uint64_t
newest_base (const struct log *log, uint64_t number)
{
  for (size_t i = log->count; i > 0 && log->entries[i - 1].number > number;
       i--)
    if (log->entries[i - 1].part > 0
        && folder_is_listed (log, log->entries[i - 1].number, 0))
      return log->entries[i - 1].number;
  return 0;
}

/* Begins with the segment that begins the log. */
static int
load_beginning (struct folder *folder, const struct log *log, uint64_t number,
                struct segment_position *at, struct tally_error *err)
{
  struct segment_position next = *at;
  int status = load (folder, log, number, 0, err);

  next.number = number;
  next.part = 0;
  if (status == TALLY_OK && segment_is_base (&folder->loaded)) {
    folder_unload (folder);
    status = load_part (folder, log, &next, err);
  }
  if (status == TALLY_OK)
    *at = next;
  return status;
}

/* The next segment cannot be read.  Every segment tells where the log begins
 * by now: when that is behind the gap, the gap does not matter. */
static int
bridge (struct folder *folder, const struct log *log,
        struct segment_position *at, const struct tally_error *gap,
        struct tally_error *err)
{
  uint64_t head = folder_log_head (log), begin = 0;
  int status = TALLY_OK;

  if (gap->status == TALLY_CANCELLED) {
    *err = *gap;
    return err->status;
  }
  if (head > at->number) {
    status = load (folder, log, head, 0, err);
    begin = folder->loaded.begin;
  }
  if (status == TALLY_CANCELLED)
    return status;
  if (status == TALLY_OK && begin > at->number + (at->part == 0))
    return load_beginning (folder, log, begin, at, err);
  folder_unload (folder);
  *err = *gap;
  return err->status;
}

/* Loads the next of the log, if there is one, and moves on behind it. */
static int
load_next (struct folder *folder, const struct log *log,
           struct segment_position *at, struct tally_error *err)
{
  struct tally_error gap = { 0 };
  uint64_t base = newest_base (log, at->number + 1);

  if (base > 0 && load_beginning (folder, log, base, at, &gap) == TALLY_OK)
    return TALLY_OK;
  if (at->part > 0) {
    if (load_part (folder, log, at, &gap) == TALLY_OK)
      return TALLY_OK;
    return bridge (folder, log, at, &gap, err);
  }
  while (folder_log_head (log) > at->number) {
    if (load (folder, log, at->number + 1, 0, &gap) != TALLY_OK)
      return bridge (folder, log, at, &gap, err);
    at->number++;
    if (!segment_is_base (&folder->loaded))
      return TALLY_OK;
    /* All that it holds was read on the way here. */
  }
  folder_unload (folder);
  return TALLY_OK;
}

static bool
has_more (const struct folder *folder, const struct log *log,
          const struct segment_cursor *cursor)
{
  const struct entry *entry = log->entries;
  const struct segment_position *at =
      segment_cursor_find (cursor, entry->writer);

  return !log->stuck
         && memcmp (entry->writer, folder->self, REPLICA_ID_SIZE) != 0
         && (!at || at->part > 0 || folder_log_head (log) > at->number);
}

static int
read_log (struct folder *folder, struct lane *lane, struct log *log,
          struct segment_cursor *cursor, struct tally_error *err)
{
  const struct segment_position *known =
      segment_cursor_find (cursor, log->entries->writer);
  struct segment_position at = { .number = 0 };
  struct tally_error why = { 0 };
  int status = TALLY_OK;

  if (known)
    at = *known;
  memcpy (at.writer, log->entries->writer, sizeof at.writer);
  if (!known && cursor->count == SEGMENT_WRITERS_MAX)
    status = error_set (&why, TALLY_UNSUPPORTED,
                        "%s: %s has more writers "
                        "than can be followed",
                        folder->channel->name, lane->collection);
  if (status == TALLY_OK)
    status = load_next (folder, log, &at, &why);
  if (status == TALLY_CANCELLED) {
    *err = why;
    return status;
  }
  if (status != TALLY_OK) {
    folder_complain (lane, &why);
    log->stuck = true;
  }
  if (at.number > 0 && !segment_cursor_set (cursor, &at))
    return error_nomem (err);
  return TALLY_OK;
}

/* Checks what was loaded; the last of each id counts. */
static int
take_headers (struct folder *folder, struct lane *lane,
              struct doclist *headers, struct tally_error *err)
{
  struct segment *segment = &folder->loaded;

  for (size_t i = segment->n_docs; i > 0; i--) {
    struct tally_doc *doc = &segment->docs[i - 1];
    struct tally_error why = { 0 };
    int status = document_check_id (doc->id, &why);

    if (status == TALLY_OK)
      status = peer_check_doc (doc, &why);
    if (status != TALLY_OK) {
      error_set (&why, status, "%s: %s", folder->channel->name, why.text);
      folder_complain (lane, &why);
    } else if (!idmap_add (&folder->loaded_ids, doc->id, i - 1, NULL))
      return error_nomem (err);
  }
  for (size_t i = 0; i < segment->n_docs; i++)
    if (idmap_find (&folder->loaded_ids, segment->docs[i].id) == i) {
      struct tally_doc header = segment->docs[i];

      header.meta = header.body = slice_make (NULL, 0);
      doclist_add (headers, &header);
    }
  return headers->failed ? error_nomem (err) : TALLY_OK;
}

static int
read_logs (struct folder *folder, struct lane *lane,
           struct segment_cursor *cursor, struct doclist *headers, bool *more,
           struct tally_error *err)
{
  struct listing *listing = &folder->listing;
  size_t first = folder_seek_log (listing, lane->collection, NULL);
  int status = TALLY_OK;

  for (size_t i = first; i < listing->n_logs && status == TALLY_OK; i++) {
    struct log *log = &listing->logs[i];

    if (strcmp (log->entries->collection, lane->collection) != 0)
      break;
    if (!has_more (folder, log, cursor))
      continue;
    if (folder->loaded.n_docs > 0)
      *more = true;
    else
      status = read_log (folder, lane, log, cursor, err);
    if (folder->loaded.n_docs > 0 && has_more (folder, log, cursor))
      *more = true;
  }
  if (status == TALLY_OK)
    status = take_headers (folder, lane, headers, err);
  return status;
}

/* What this run began with is saved: it goes into our segments, to tell the
 * others what they need not keep for us. */
static bool
keep_reads (struct lane *lane, const char *since)
{
  size_t size = strlen (since);

  if (!lane->reads_known && size <= SEGMENT_READS_MAX)
    buf_add (&lane->reads, since, size);
  lane->reads_known = true;
  return !lane->reads.failed;
}

int
folder_meta (struct folder *folder, const char *collection, const char *since,
             struct doclist *headers, struct buf *next, bool *more,
             struct tally_error *err)
{
  struct segment_cursor cursor = { 0 };
  struct lane *lane = folder_lane (folder, collection);
  int status;

  *more = false;
  doclist_clear (headers);
  buf_clear (next);
  folder_unload (folder);
  status = segment_cursor_parse (&cursor, slice_text (since));
  if (status == TALLY_CORRUPT)
    return error_set (err, status, "%s: the checkpoint for %s is damaged",
                      folder->replica->name, folder->channel->name);
  if (status != TALLY_OK || !lane || !keep_reads (lane, since))
    status = error_nomem (err);
  else
    status = read_logs (folder, lane, &cursor, headers, more, err);
  segment_cursor_write (next, &cursor);
  buf_add_byte (next, '\0');
  if (status == TALLY_OK && next->failed)
    status = error_nomem (err);
  segment_cursor_free (&cursor);
  return status;
}

int
folder_get (struct folder *folder, const struct tally_slice *ids, size_t n,
            struct doclist *docs, struct tally_error *err)
{
  for (size_t i = 0; i < n; i++) {
    size_t at = idmap_find (&folder->loaded_ids, ids[i]);

    if (at != IDMAP_NONE)
      doclist_add (docs, &folder->loaded.docs[at]);
  }
  return docs->failed ? error_nomem (err) : TALLY_OK;
}
