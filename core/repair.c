/* SPDX-License-Identifier: MIT */
/* Each document in one put on its revision, a batch at a time; one that was
 * edited meanwhile has a new seq and comes again.  How far a repair is stands
 * in a note, so that a server goes on in the next hello. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "namelist.h"
#include "notejson.h"
#include "repair.h"

#define WINDOW 256

/* ---- a document --------------------------------------------------------- */

static int
draw_stamps (struct replica *replica, struct stamp *out, size_t n,
             struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = replica_stamp (replica, NULL, &out[i], err);
  return status;
}

static int
renew_state (struct repair *repair, struct state *out, const struct state *old,
             struct tally_error *err)
{
  size_t n = repair_needs (old, repair->limit_ms);
  struct stamp *fresh = malloc ((n + 1) * sizeof *fresh);
  int status = fresh ? TALLY_OK : error_nomem (err);

  if (status == TALLY_OK)
    status = draw_stamps (repair->replica, fresh, n, err);
  if (status == TALLY_OK && !repair_state (out, old, repair->limit_ms, fresh))
    status = error_nomem (err);
  free (fresh);
  return status;
}

static int
renew_doc (struct repair *repair, const struct tally_doc *doc,
           struct tally_entry *entry, struct buf *meta,
           struct tally_error *err)
{
  struct state old, new;
  int status = state_decode (&old, doc->flags & TALLY_DOC_DELETED, doc->meta,
                             doc->body, err);

  if (status != TALLY_OK)
    return error_set (err, status, "%s: document \"%.*s\": %s",
                      repair->replica->name, (int) doc->id.size, doc->id.data,
                      err->text);
  status = renew_state (repair, &new, &old, err);
  if (status == TALLY_OK) {
    state_encode (&new, meta);
    entry->expected = doc->rev;
    entry->doc = *doc;
    entry->doc.meta = buf_slice (meta);
    state_rev (&new, doc->id, entry->doc.rev);
    status = meta->failed ? error_nomem (err) : TALLY_OK;
    state_free (&new);
  }
  state_free (&old);
  return status;
}

/* ---- batches ------------------------------------------------------------ */

struct window {
  struct repair *repair;
  const char *collection;
  size_t most;
  uint64_t last; /* looked at */
  bool full;
  struct doclist headers, docs;
};

static bool
is_ahead (const struct repair *repair, const struct tally_doc *doc)
{
  struct stamp newest;

  memcpy (newest.bytes, doc->rev, STAMP_SIZE);
  return stamp_ms (&newest) > repair->limit_ms;
}

static int
collect_header (void *ctx, const struct tally_doc *doc)
{
  struct window *window = ctx;
  struct tally_doc header = *doc;

  if (window->headers.count == window->most) {
    window->full = true;
    return 1;
  }
  window->last = doc->seq;
  if (!is_ahead (window->repair, doc))
    return 0;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (&window->headers, &header);
}

/* At least one, so that every call gets further. */
static int
collect_doc (void *ctx, const struct tally_doc *doc)
{
  struct doclist *docs = ctx;

  if (docs->count > 0
      && docs->bytes + doc->body.size + doc->meta.size > TALLY_BATCH_BYTES)
    return 1;
  return !doclist_add (docs, doc);
}

static int
write_docs (struct window *window, struct tally_error *err)
{
  struct repair *repair = window->repair;
  size_t n = 0, most = window->docs.count;
  struct tally_entry *entries = calloc (most + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (most + 1, sizeof *outcomes);
  struct buf *metas = calloc (most + 1, sizeof *metas);
  int status = entries && outcomes && metas ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < most && status == TALLY_OK; i++) {
    /* An edit may have come between, a repair by another too. */
    if (!is_ahead (repair, &window->docs.docs[i]))
      continue;
    entries[n].collection = window->collection;
    status =
        renew_doc (repair, &window->docs.docs[i], &entries[n], &metas[n], err);
    n++;
  }
  if (status == TALLY_OK)
    status =
        replica_put_by (repair->replica, NULL, entries, n, 0, outcomes, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    repair->count += outcomes[i].status == TALLY_OK;
  for (size_t i = 0; metas && i < most; i++)
    buf_free (&metas[i]);
  free (metas);
  free (outcomes);
  free (entries);
  return status;
}

static int
renew_window (struct window *window, struct tally_error *err)
{
  size_t at = 0, n = window->headers.count;
  struct tally_slice *ids = calloc (n + 1, sizeof *ids);
  int status = ids ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; ids && i < n; i++)
    ids[i] = window->headers.docs[i].id;
  while (at < n && status == TALLY_OK) {
    size_t found = 0, upto = n;

    doclist_clear (&window->docs);
    status =
        replica_get (window->repair->replica, window->collection, ids + at,
                     n - at, TALLY_GET_BODY, collect_doc, &window->docs, err);
    if (status == TALLY_OK && window->docs.failed)
      status = error_nomem (err);
    if (status == TALLY_OK)
      status = write_docs (window, err);
    /* Behind the last that was read; the others are gone. */
    for (size_t i = at; i < n && found < window->docs.count; i++)
      if (doclist_next_if (&window->docs, &found, ids[i]))
        upto = i + 1;
    at = window->docs.count > 0 ? upto : n;
  }
  free (ids);
  return status;
}

int
repair_collection (struct repair *repair, const char *collection,
                   uint64_t *since, uint64_t most, bool *done,
                   struct tally_error *err)
{
  int status = TALLY_OK;

  *done = false;
  while (status == TALLY_OK && !*done && most > 0) {
    struct window window = { .repair = repair, .collection = collection };
    uint64_t head;

    window.most = most < WINDOW ? (size_t) most : WINDOW;
    window.last = *since;
    status = replica_changes (repair->replica, collection, *since,
                              collect_header, &window, &head, err);
    if (status == TALLY_OK && window.headers.failed)
      status = error_nomem (err);
    if (status == TALLY_OK)
      status = renew_window (&window, err);
    if (status == TALLY_OK) {
      *since = window.last;
      /* What is written now lies behind; what was edited, too. */
      *done = window.headers.count == 0 && !window.full;
      most -= window.headers.count;
    }
    doclist_free (&window.docs);
    doclist_free (&window.headers);
  }
  return status;
}

/* ---- the store ---------------------------------------------------------- */

int
repair_begin (struct repair *repair, struct replica *replica,
              struct tally_error *err)
{
  memset (repair, 0, sizeof *repair);
  repair->replica = replica;
  repair->limit_ms = replica_wall_ms (replica) + replica->max_skew_ms;
  return clock_restart (replica, err);
}

/* "COLLECTION SEQ". */
static bool
read_position (const struct buf *note, struct tally_slice *collection,
               uint64_t *since)
{
  struct tally_slice text = buf_slice (note);
  const char *space;

  *collection = slice_make ("", 0);
  space = text.size > 0 ? memchr (text.data, ' ', text.size) : NULL;
  if (!space)
    return false;
  *collection = slice_make (text.data, (size_t) (space - text.data));
  return note_number (slice_make (space + 1, text.size - collection->size - 1),
                      since);
}

/* Of two who are at it both are right: the second to save need not. */
static int
save_position (struct repair *repair, const struct buf *before,
               const struct buf *after, struct tally_error *err)
{
  struct tally_slice old = buf_slice (before), new;
  int status;

  if (after)
    new = buf_slice (after);
  if (after && after->failed)
    return error_nomem (err);
  status = replica_note_put (repair->replica, REPAIR_NOTE, &old,
                             after ? &new : NULL, err);
  return status == TALLY_CONFLICT ? TALLY_OK : status;
}

static int
each_collection (struct repair *repair, const struct namelist *names,
                 const struct buf *note, uint64_t most, bool *done,
                 struct tally_error *err)
{
  uint64_t before = repair->count, from, since;
  struct tally_slice first;
  int status = TALLY_OK;

  *done = true;
  if (!read_position (note, &first, &from))
    return error_set (err, TALLY_CORRUPT, "%s: its repair note is damaged",
                      repair->replica->name);
  for (size_t i = 0; i < names->count && status == TALLY_OK && *done; i++) {
    struct tally_slice name = slice_text (names->names[i]);
    struct buf next = BUF_INIT;
    int order = slice_cmp (name, first);

    if (order < 0)
      continue;
    since = order == 0 ? from : 0;
    *done = false;
    if (repair->count - before < most)
      status = repair_collection (repair, names->names[i], &since,
                                  most - (repair->count - before), done, err);
    if (status == TALLY_OK && !*done) {
      buf_addf (&next, "%s %llu", names->names[i], (unsigned long long) since);
      status = save_position (repair, note, &next, err);
    }
    buf_free (&next);
  }
  return status;
}

int
repair_end (struct repair *repair, uint64_t most, bool *done,
            struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  struct buf note = BUF_INIT;
  bool found;
  int status =
      replica_note_get (repair->replica, REPAIR_NOTE, &note, &found, err);

  *done = true;
  if (status == TALLY_OK && found)
    status = replica_collections (repair->replica, namelist_emit_shared,
                                  &names, err);
  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && found)
    status = each_collection (repair, &names, &note, most, done, err);
  if (status == TALLY_OK && found && *done)
    status = save_position (repair, &note, NULL, err);
  namelist_free (&names);
  buf_free (&note);
  return status;
}

void
repair_tell (const struct repair *repair)
{
  const struct tally_host *host = repair->replica->host;
  struct tally_error line;

  if (repair->count == 0 || !host || !host->log)
    return;
  error_set (&line, TALLY_OK,
             "%s: its clock was wrong: %llu document%s got new stamps",
             repair->replica->name, (unsigned long long) repair->count,
             repair->count == 1 ? "" : "s");
  host->log (host->ctx, 1, line.text);
}
