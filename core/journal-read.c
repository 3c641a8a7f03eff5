/* SPDX-License-Identifier: MIT */
/* Entries are read in batches of headers and bodies.  In a store without
 * transactions they are written ahead of their merge: there an entry counts
 * once its winner stands in the document, or went into it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "journal-read.h"
#include "json.h"
#include "notejson.h"
#include "state.h"

#define GET_BATCH 256
/* Of bodies, but for the last. */
#define GET_BYTES ((size_t) 4 << 20)

/* ---- taking apart ------------------------------------------------------- */

static bool
copy_text (struct journal_item *item, const char **out,
           struct tally_slice text)
{
  struct buf copy = BUF_INIT;

  buf_add_slice (&copy, text);
  buf_add_byte (&copy, '\0');
  *out = copy.failed ? NULL : arena_add (&item->texts, copy.data, copy.size);
  buf_free (&copy);
  return *out != NULL;
}

static bool
take_string (struct journal_item *item, const char **out,
             struct tally_slice object, const char *name)
{
  struct tally_slice value;
  struct buf text = BUF_INIT;
  bool good = json_find_member (object, slice_text (name), &value)
              && json_decode_string (&text, value)
              && copy_text (item, out, buf_slice (&text));

  buf_free (&text);
  return good;
}

static bool
take_side (struct journal_item *item, struct tally_assignment *out,
           struct stamp *stamp, struct tally_slice *raw,
           struct tally_slice object, const char *name)
{
  struct tally_slice side, absent;

  if (!json_find_member (object, slice_text (name), &side)
      || !take_string (item, &out->stamp, side, "stamp")
      || !stamp_from_text (stamp, out->stamp, strlen (out->stamp))
      || !take_string (item, &out->client, side, "client")
      || !json_find_member (side, slice_text ("value"), raw))
    return false;
  if (json_find_member (side, slice_text ("absent"), &absent)) {
    *raw = slice_make (NULL, 0);
    return true;
  }
  if (!copy_text (item, &out->value, *raw))
    return false;
  *raw = slice_text (out->value);
  return true;
}

static int
take_item (struct journal_item *item, const struct tally_doc *doc,
           const char *store, struct tally_error *err)
{
  struct tally_conflict *conflict = &item->conflict;
  struct tally_slice at, member, ignored;

  memset (item, 0, sizeof *item);
  conflict->size = sizeof *conflict;
  memcpy (item->rev, doc->rev, sizeof item->rev);
  conflict->blind =
      json_find_member (doc->body, slice_text ("blind"), &member);
  item->there = json_find_member (doc->body, slice_text ("there"), &member);
  if (json_is_canonical (doc->body.data, doc->body.size)
      && take_string (item, &conflict->id, doc->body, "_id")
      && take_string (item, &conflict->collection, doc->body, "collection")
      && take_string (item, &conflict->document, doc->body, "document")
      && take_string (item, &conflict->field, doc->body, "field")
      && take_string (item, &conflict->link, doc->body, "link")
      && json_find_member (doc->body, slice_text ("at"), &at)
      && note_number (at, &conflict->at_ms)
      && take_side (item, &conflict->lost, &item->lost_stamp,
                    &item->lost_value, doc->body, "lost")
      && take_side (item, &conflict->won, &item->won_stamp, &ignored,
                    doc->body, "won"))
    return TALLY_OK;
  arena_free (&item->texts);
  return error_set (err, TALLY_CORRUPT,
                    "%s: conflict %.*s: the entry is damaged", store,
                    (int) doc->id.size, doc->id.data);
}

/* ---- whether the merge happened ----------------------------------------- */

struct knowing {
  const struct journal_item *item;
  bool knows;
  int status;
  struct tally_error *err;
};

static int
ask_document (void *ctx, const struct tally_doc *doc)
{
  struct knowing *knowing = ctx;
  struct state state;

  knowing->status = state_decode (&state, doc->flags & TALLY_DOC_DELETED,
                                  doc->meta, doc->body, knowing->err);
  if (knowing->status != TALLY_OK)
    return 1;
  /* Where much was seen, some of it was dropped. */
  knowing->knows = state.n_seen == STATE_SEEN_MAX
                   || state_knows (&state, &knowing->item->won_stamp, NULL);
  state_free (&state);
  return 0;
}

/* A document that is gone was merged once: nothing is merged that is not
 * here. */
static int
has_happened (struct replica *replica, const struct journal_item *item,
              bool *happened, struct tally_error *err)
{
  struct knowing knowing = { .item = item, .knows = true, .err = err };
  struct tally_slice id = slice_text (item->conflict.document);
  int status = TALLY_OK;

  if (!replica_has_batches (replica) && !item->there)
    status = replica_get (replica, item->conflict.collection, &id, 1,
                          TALLY_GET_BODY, ask_document, &knowing, err);
  *happened = knowing.knows;
  return status == TALLY_OK ? knowing.status : status;
}

/* ---- all ---------------------------------------------------------------- */

struct walk {
  struct replica *replica;
  struct device_book *book;
  const char *collection;
  journal_item_fn *fn;
  void *ctx;
  size_t shown;
};

static int
collect_header (void *ctx, const struct tally_doc *doc)
{
  struct tally_doc header = *doc;

  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (ctx, &header);
}

static int
show_entry (struct walk *walk, const struct tally_doc *doc,
            struct tally_error *err)
{
  struct journal_item item;
  struct tally_conflict *conflict = &item.conflict;
  bool happened;
  int status = take_item (&item, doc, walk->replica->name, err);

  if (status != TALLY_OK)
    return status;
  item.collection = walk->collection;
  status = has_happened (walk->replica, &item, &happened, err);
  if (status == TALLY_OK)
    status = device_book_find (walk->book, stamp_client (&item.lost_stamp),
                               &conflict->lost.device, err);
  if (status == TALLY_OK)
    status = device_book_find (walk->book, stamp_client (&item.won_stamp),
                               &conflict->won.device, err);
  if (status == TALLY_OK && happened) {
    walk->shown++;
    status = walk->fn (walk->ctx, &item, err);
  }
  arena_free (&item.texts);
  return status;
}

static int
collect_entry (void *ctx, const struct tally_doc *doc)
{
  struct doclist *docs = ctx;

  return !doclist_add (docs, doc) || docs->bytes > GET_BYTES;
}

static int
show_batch (struct walk *walk, const struct tally_slice *ids, size_t n,
            struct tally_error *err)
{
  struct doclist docs = DOCLIST_INIT;
  size_t at = 0;
  int status = TALLY_OK;

  while (at < n && status == TALLY_OK) {
    size_t shown = 0;

    doclist_clear (&docs);
    status = replica_get (walk->replica, walk->collection, ids + at, n - at,
                          TALLY_GET_BODY, collect_entry, &docs, err);
    if (status == TALLY_OK && docs.failed)
      status = error_nomem (err);
    for (; at < n && status == TALLY_OK; at++) {
      const struct tally_doc *doc = doclist_next_if (&docs, &shown, ids[at]);

      if (doc)
        status = show_entry (walk, doc, err);
      else if (shown == docs.count && docs.bytes > GET_BYTES)
        break;
    }
  }
  doclist_free (&docs);
  return status;
}

static int
show_all (struct walk *walk, struct tally_error *err)
{
  struct doclist headers = DOCLIST_INIT;
  uint64_t head;
  int status = replica_changes (walk->replica, walk->collection, 0,
                                collect_header, &headers, &head, err);

  if (status == TALLY_OK && headers.failed)
    status = error_nomem (err);
  for (size_t at = 0; at < headers.count && status == TALLY_OK;) {
    struct tally_slice batch[GET_BATCH];
    size_t n = 0;

    while (n < GET_BATCH && at < headers.count)
      batch[n++] = headers.docs[at++].id;
    status = show_batch (walk, batch, n, err);
  }
  doclist_free (&headers);
  return status;
}

int
journal_each (struct replica *replica, struct device_book *book,
              const char *const *ids, size_t n, journal_item_fn *fn, void *ctx,
              struct tally_error *err)
{
  static const char *const collections[] = { JOURNAL_COLLECTION,
                                             JOURNAL_BLIND_COLLECTION };
  struct walk walk = { replica, book, NULL, fn, ctx, 0 };
  int status = TALLY_OK;

  for (size_t i = 0; i < 2 && n == 0 && status == TALLY_OK; i++) {
    walk.collection = collections[i];
    status = show_all (&walk, err);
  }
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    struct tally_slice id = slice_text (ids[i]);

    walk.shown = 0;
    for (size_t j = 0; j < 2 && status == TALLY_OK && walk.shown == 0
                       && id.size > 0 && id.size <= TALLY_ID_MAX;
         j++) {
      walk.collection = collections[j];
      status = show_batch (&walk, &id, 1, err);
    }
    if (status == TALLY_OK && walk.shown == 0)
      status = error_set (err, TALLY_NOTFOUND, "%s: no such conflict", ids[i]);
  }
  return status;
}
