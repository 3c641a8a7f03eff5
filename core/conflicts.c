/* SPDX-License-Identifier: MIT */
/* conflicts of tally.h: the journal's entries listed, brought back, dropped.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "context.h"
#include "doclist.h"
#include "journal.h"
#include "json.h"
#include "notejson.h"
#include "public.h"
#include "rev.h"
#include "write.h"

#define GET_BATCH 256

/* An entry taken apart; the texts end in NULs and live in `texts`. */
struct entry {
  struct tally_conflict conflict;
  struct arena texts;
  struct tally_slice lost_value; /* data NULL: absent */
  unsigned char rev[TALLY_REV_SIZE];
};

/* ---- taking apart ------------------------------------------------------- */

static bool
copy_text (struct entry *entry, const char **out, struct tally_slice text)
{
  struct buf copy = BUF_INIT;

  buf_add_slice (&copy, text);
  buf_add_byte (&copy, '\0');
  *out = copy.failed ? NULL : arena_add (&entry->texts, copy.data, copy.size);
  buf_free (&copy);
  return *out != NULL;
}

static bool
take_string (struct entry *entry, const char **out, struct tally_slice object,
             const char *name)
{
  struct tally_slice value;
  struct buf text = BUF_INIT;
  bool good = json_find_member (object, slice_text (name), &value)
              && json_decode_string (&text, value)
              && copy_text (entry, out, buf_slice (&text));

  buf_free (&text);
  return good;
}

static bool
take_side (struct entry *entry, struct tally_assignment *out,
           struct tally_slice *raw, struct tally_slice object,
           const char *name)
{
  struct tally_slice side, absent;

  if (!json_find_member (object, slice_text (name), &side)
      || !take_string (entry, &out->stamp, side, "stamp")
      || !take_string (entry, &out->client, side, "client")
      || !json_find_member (side, slice_text ("value"), raw))
    return false;
  if (!json_find_member (side, slice_text ("absent"), &absent))
    return copy_text (entry, &out->value, *raw);
  *raw = slice_make (NULL, 0);
  return true;
}

static int
entry_read (struct entry *entry, const struct tally_doc *doc,
            const char *store, struct tally_error *err)
{
  struct tally_conflict *conflict = &entry->conflict;
  struct tally_slice at, ignored;

  memset (entry, 0, sizeof *entry);
  conflict->size = sizeof *conflict;
  memcpy (entry->rev, doc->rev, sizeof entry->rev);
  if (json_is_canonical (doc->body.data, doc->body.size)
      && take_string (entry, &conflict->id, doc->body, "_id")
      && take_string (entry, &conflict->collection, doc->body, "collection")
      && take_string (entry, &conflict->document, doc->body, "document")
      && take_string (entry, &conflict->field, doc->body, "field")
      && take_string (entry, &conflict->link, doc->body, "link")
      && json_find_member (doc->body, slice_text ("at"), &at)
      && note_number (at, &conflict->at_ms)
      && take_side (entry, &conflict->lost, &entry->lost_value, doc->body,
                    "lost")
      && take_side (entry, &conflict->won, &ignored, doc->body, "won"))
    return TALLY_OK;
  arena_free (&entry->texts);
  return error_set (err, TALLY_CORRUPT,
                    "%s: conflict %.*s: the entry is "
                    "damaged",
                    store, (int) doc->id.size, doc->id.data);
}

/* ---- reading ------------------------------------------------------------ */

static int
collect_header (void *ctx, const struct tally_doc *doc)
{
  struct tally_doc header = *doc;

  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (ctx, &header);
}

/* Headers of all entries, or of these. */
static int
read_headers (struct replica *replica, const char *const *ids, size_t n,
              struct doclist *headers, struct tally_error *err)
{
  uint64_t head;
  int status = TALLY_OK;

  if (n == 0)
    status = replica_changes (replica, JOURNAL_COLLECTION, 0, collect_header,
                              headers, &head, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    struct tally_slice id = slice_text (ids[i]);
    size_t before = headers->count;

    if (id.size > 0 && id.size <= TALLY_ID_MAX)
      status = replica_get (replica, JOURNAL_COLLECTION, &id, 1, 0,
                            collect_header, headers, err);
    if (status == TALLY_OK && headers->count == before)
      status = error_set (err, TALLY_NOTFOUND, "%s: no such conflict", ids[i]);
  }
  if (status == TALLY_OK && headers->failed)
    status = error_nomem (err);
  return status;
}

typedef int entry_fn (void *ctx, const struct entry *entry,
                      struct tally_error *err);

/* Calls fn for each entry; what it returns but TALLY_OK ends it. */
static int
each_entry (struct replica *replica, const char *const *ids, size_t n,
            entry_fn *fn, void *ctx, struct tally_error *err)
{
  struct doclist headers = DOCLIST_INIT, docs = DOCLIST_INIT;
  int status = read_headers (replica, ids, n, &headers, err);

  for (size_t at = 0; at < headers.count && status == TALLY_OK;
       at += GET_BATCH) {
    struct tally_slice batch[GET_BATCH];
    size_t size = 0;

    while (size < GET_BATCH && at + size < headers.count) {
      batch[size] = headers.docs[at + size].id;
      size++;
    }
    doclist_clear (&docs);
    status = replica_get (replica, JOURNAL_COLLECTION, batch, size,
                          TALLY_GET_BODY, doclist_emit, &docs, err);
    if (status == TALLY_OK && docs.failed)
      status = error_nomem (err);
    for (size_t i = 0; i < docs.count && status == TALLY_OK; i++) {
      struct entry entry;

      status = entry_read (&entry, &docs.docs[i], replica->name, err);
      if (status != TALLY_OK)
        break;
      status = fn (ctx, &entry, err);
      arena_free (&entry.texts);
    }
  }
  doclist_free (&docs);
  doclist_free (&headers);
  return status;
}

struct listing {
  tally_conflict_fn *emit;
  void *ctx;
  bool stop;
};

static int
list_entry (void *ctx, const struct entry *entry, struct tally_error *err)
{
  struct listing *listing = ctx;

  (void) err;
  if (!listing->stop)
    listing->stop = listing->emit (listing->ctx, &entry->conflict);
  return TALLY_OK;
}

int
tally_conflicts (struct tally_replica *handle, const char *const *ids,
                 size_t n, tally_conflict_fn *emit, void *ctx,
                 struct tally_error *err)
{
  struct listing listing = { emit, ctx, false };
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  status = context_replica (&replica, handle, err);
  if (status != TALLY_OK)
    return status;
  return each_entry (replica, ids, n, list_entry, &listing, err);
}

/* ---- dropping ----------------------------------------------------------- */

static int
forget_entry (struct replica *replica, const struct entry *entry,
              struct tally_error *err)
{
  struct tally_entry forget = { 0 };
  struct tally_outcome outcome = { 0 };

  forget.collection = JOURNAL_COLLECTION;
  forget.flags = TALLY_ENTRY_FORGET;
  forget.expected = entry->rev;
  forget.doc.id = slice_text (entry->conflict.id);
  return replica_put (replica, &forget, 1, 0, &outcome, err);
}

static int
drop_entry (void *ctx, const struct entry *entry, struct tally_error *err)
{
  return forget_entry (ctx, entry, err);
}

int
tally_conflict_drop (struct tally_replica *handle, const char *const *ids,
                     size_t n, struct tally_error *err)
{
  struct replica *replica;
  int status;

  err = PUBLIC_ERROR (err);
  if (n == 0)
    return TALLY_OK;
  status = context_replica (&replica, handle, err);
  if (status != TALLY_OK)
    return status;
  return each_entry (replica, ids, n, drop_entry, replica, err);
}

/* ---- restoring ---------------------------------------------------------- */

struct restorer {
  struct replica *replica;
  tally_written_fn *emit;
  void *ctx;
};

/* The stored document with one field as it lost. */
static int
set_field (struct buf *out, struct tally_slice document,
           const struct entry *entry, struct tally_error *err)
{
  struct buf key = BUF_INIT;
  struct tally_slice raw, rest = document;
  struct body_writer body;
  struct json_member member;
  bool placed = !entry->lost_value.data;

  json_encode_string (&key, slice_text (entry->conflict.field));
  if (key.failed)
    return error_nomem (err);
  raw = slice_make (key.data + 1, key.size - 2);
  body_start (&body, out, slice_make (NULL, 0));
  while (json_next_member (&rest, &member)) {
    int order = json_key_cmp (member.key, raw);

    if (!placed && order >= 0) {
      body_add (&body, raw, entry->lost_value);
      placed = true;
    }
    if (order != 0)
      body_add (&body, member.key, member.value);
  }
  if (!placed)
    body_add (&body, raw, entry->lost_value);
  body_end (&body, false);
  buf_free (&key);
  return out->failed ? error_nomem (err) : TALLY_OK;
}

/* What to write: the body that lost, nothing for a delete, or the document as
 * it is now with the field that lost. */
static int
make_item (struct restorer *restorer, const struct entry *entry,
           struct write_item *item, struct buf *body, struct doclist *now,
           struct tally_error *err)
{
  int status;

  item->id = slice_text (entry->conflict.document);
  if (!entry->conflict.field[0]) {
    item->body = entry->lost_value;
    item->replace = true;
    return TALLY_OK;
  }
  status = replica_get (restorer->replica, entry->conflict.collection,
                        &item->id, 1, TALLY_GET_BODY, doclist_emit, now, err);
  if (status == TALLY_OK && now->failed)
    status = error_nomem (err);
  if (status != TALLY_OK)
    return status;
  if (now->count == 0 || (now->docs[0].flags & TALLY_DOC_DELETED))
    return error_set (err, TALLY_CONFLICT,
                      "%s: is deleted; a field cannot "
                      "be restored in it",
                      entry->conflict.document);
  item->expected = now->docs[0].rev;
  status = set_field (body, now->docs[0].body, entry, err);
  item->body = buf_slice (body);
  return status;
}

static void
tell_written (struct restorer *restorer, const struct entry *entry,
              const struct write_result *result)
{
  struct tally_written written = { .size = sizeof written };
  char rev[TALLY_REV_TEXT];

  if (!restorer->emit)
    return;
  rev_to_text (rev, result->rev);
  written.collection = entry->conflict.collection;
  written.id = entry->conflict.document;
  written.rev = result->outcome == TALLY_MISSING ? "" : rev;
  written.outcome = result->outcome;
  restorer->emit (restorer->ctx, &written);
}

static int
restore_entry (void *ctx, const struct entry *entry, struct tally_error *err)
{
  struct restorer *restorer = ctx;
  struct write_result result = { 0 };
  int status;

  do {
    struct write_item item = { 0 };
    struct buf body = BUF_INIT;
    struct doclist now = DOCLIST_INIT;

    status = make_item (restorer, entry, &item, &body, &now, err);
    if (status == TALLY_OK)
      status = write_batch (restorer->replica, entry->conflict.collection,
                            &item, 1, &result, err);
    doclist_free (&now);
    buf_free (&body);
  } while (status == TALLY_OK && result.status == TALLY_CONFLICT);
  if (status != TALLY_OK)
    return status;
  tell_written (restorer, entry, &result);
  return forget_entry (restorer->replica, entry, err);
}

int
tally_conflict_restore (struct tally_replica *handle, const char *const *ids,
                        size_t n, tally_written_fn *emit, void *ctx,
                        struct tally_error *err)
{
  struct restorer restorer = { NULL, emit, ctx };
  int status;

  err = PUBLIC_ERROR (err);
  if (n == 0)
    return TALLY_OK;
  status = context_replica (&restorer.replica, handle, err);
  if (status != TALLY_OK)
    return status;
  return each_entry (restorer.replica, ids, n, restore_entry, &restorer, err);
}
