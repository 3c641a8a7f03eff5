/* SPDX-License-Identifier: MIT */
/* Headers and documents of the far side, asked for and given.  What comes is
 * checked before anybody looks at it. */

#include <config.h>

#include <string.h>

#include "errand.h"
#include "error.h"
#include "notejson.h"
#include "peer-internal.h"
#include "state.h"

static void
set_cursor (struct buf *cursor, uint64_t value)
{
  buf_clear (cursor);
  buf_addf (cursor, "%llu", (unsigned long long) value);
  buf_add_byte (cursor, '\0');
}

static int
read_cursor (const struct peer *peer, const char *text, uint64_t *value,
             struct tally_error *err)
{
  *value = 0;
  if (text[0] == '\0' || note_number (slice_text (text), value))
    return TALLY_OK;
  return error_set (err, TALLY_CORRUPT,
                    "%s: the checkpoint for %s is "
                    "damaged",
                    peer->replica->name, peer->channel->name);
}

bool
peer_is_behind (const char *cursor, uint64_t floor)
{
  uint64_t at;

  return (note_number (slice_text (cursor), &at) ? at : 0) < floor;
}

int
peer_make_meta (const struct peer *peer, const char *collection,
                const struct peer_ask *ask, struct wire_meta *meta,
                struct tally_error *err)
{
  int status;

  memset (meta, 0, sizeof *meta);
  meta->collection = slice_text (collection);
  meta->flags = ask->flags;
  meta->limit = ask->limit > 0 && ask->limit < WIRE_HEADERS_MAX
                    ? ask->limit
                    : WIRE_HEADERS_MAX;
  meta->bytes = ask->bytes;
  meta->after = ask->after;
  status = read_cursor (peer, ask->since, &meta->since, err);
  return status == TALLY_OK ? read_cursor (peer, ask->until, &meta->until, err)
                            : status;
}

/* Whole documents are checked, and so have their rev. */
static bool
add_headers (struct doclist *headers, const struct wire_headers *in)
{
  struct tally_error ignored;

  for (size_t i = 0; i < in->n; i++) {
    struct tally_doc *doc = &in->docs[i];

    if (doc->meta.size > 0 && peer_check_doc (doc, &ignored) != TALLY_OK)
      return false;
    doclist_add (headers, doc);
  }
  return true;
}

/* Ids rise, from page to page as well, and so do cursors: there is an end. */
static bool
goes_on (const struct wire_meta *asked, const struct wire_headers *in)
{
  struct tally_slice last = asked->after;

  if (!in->by_id)
    return !in->more || in->next > asked->since;
  for (size_t i = 0; i < in->n; i++) {
    if (in->docs[i].meta.size == 0 || slice_cmp (in->docs[i].id, last) <= 0)
      return false;
    last = in->docs[i].id;
  }
  return (asked->flags & WIRE_META_BY_ID) && (!in->more || in->n > 0);
}

int
peer_take_page (const struct peer *peer, const struct wire_meta *asked,
                const struct wire_headers *in, struct doclist *headers,
                struct peer_page *page, bool *bad, struct tally_error *err)
{
  if (!goes_on (asked, in))
    return peer_strange (peer, err);
  *bad = !add_headers (headers, in);
  if (*bad)
    doclist_clear (headers);
  set_cursor (&page->next, in->next);
  page->more = in->more;
  page->by_id = in->by_id;
  page->floor = in->floor;
  page->gone = in->gone;
  page->live = in->live;
  if (!headers->failed && !page->next.failed)
    return TALLY_OK;
  buf_free (&page->next);
  return error_nomem (err);
}

static int
ask_page (struct peer *peer, const struct wire_meta *meta,
          struct doclist *headers, struct peer_page *page, bool *bad,
          struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_META }, reply = { 0 };
  struct ahead *ahead = ahead_find (peer, meta);
  int status;

  if (ahead) {
    status = ahead_collect (peer, ahead, headers, page, bad, err);
    ahead_free (ahead);
    return status;
  }
  message.as.meta = *meta;
  status = peer_call (peer, &message, &reply, err);
  if (status != TALLY_OK)
    return status;
  status =
      peer_take_page (peer, meta, &reply.as.headers, headers, page, bad, err);
  wire_message_free (&reply);
  return status;
}

int
peer_meta (struct peer *peer, const char *collection,
           const struct peer_ask *ask, struct doclist *headers,
           struct peer_page *page, struct tally_error *err)
{
  struct wire_meta meta;
  bool bad = false;
  int status;

  memset (page, 0, sizeof *page);
  doclist_clear (headers);
  if (peer->folder) {
    status = folder_meta (peer->folder, collection, ask->since, headers,
                          &page->next, &page->more, err);
    if (status != TALLY_OK)
      buf_free (&page->next);
    return status;
  }
  status = peer_make_meta (peer, collection, ask, &meta, err);
  if (status == TALLY_OK)
    status = ask_page (peer, &meta, headers, page, &bad, err);
  if (status != TALLY_OK || !bad)
    return status;
  /* One that breaks a rule is set aside when it is asked for by its id. */
  buf_free (&page->next);
  memset (page, 0, sizeof *page);
  meta.bytes = 0;
  meta.flags &= ~(uint64_t) WIRE_META_BY_ID;
  meta.after = slice_make (NULL, 0);
  return ask_page (peer, &meta, headers, page, &bad, err);
}

int
peer_check_doc (struct tally_doc *doc, struct tally_error *err)
{
  struct state state;
  int status = state_decode (&state, doc->flags & TALLY_DOC_DELETED, doc->meta,
                             doc->body, err);

  if (status != TALLY_OK)
    return error_set (err, status == TALLY_CORRUPT ? TALLY_INVALID : status,
                      "document \"%.*s\": %s", (int) doc->id.size,
                      doc->id.data, err->text);
  status = state_check (&state, doc->id, err);
  if (status == TALLY_OK)
    state_rev (&state, doc->id, doc->rev);
  state_free (&state);
  return status;
}

/* So many are worth a thread. */
#define CHECK_APART 512

struct checking {
  struct tally_doc *docs;
  int *statuses;
  size_t n;
};

static int
check_some (void *ctx, struct tally_error *err)
{
  struct checking *checking = ctx;

  for (size_t i = 0; i < checking->n; i++)
    checking->statuses[i] = peer_check_doc (&checking->docs[i], err);
  return TALLY_OK;
}

void
peer_check_docs (struct tally_doc *docs, size_t n, int *statuses)
{
  size_t half = n / 2;
  struct checking first = { docs, statuses, half };
  struct checking second = { docs + half, statuses + half, n - half };
  struct errand errand;
  struct tally_error ignored;

  errand_start (&errand, n >= CHECK_APART, check_some, &second);
  check_some (&first, &ignored);
  errand_wait (&errand, NULL);
}

/* What is answered is a subset of what was asked, in its order.  Without
 * bodies (bad NULL) there is nothing to check. */
static int
take_docs (struct peer *peer, struct wire_docs *in,
           const struct tally_slice *ids, struct doclist *docs,
           peer_bad_fn *bad, void *ctx, struct tally_error *err)
{
  size_t at = 0;

  for (size_t i = 0; i < in->n; i++) {
    struct tally_error why = { 0 };

    while (at < in->answered && !slice_equal (ids[at], in->docs[i].id))
      at++;
    if (at++ >= in->answered)
      return peer_strange (peer, err);
    if (!bad || peer_check_doc (&in->docs[i], &why) == TALLY_OK)
      doclist_add (docs, &in->docs[i]);
    else if (!bad (ctx, &in->docs[i], why.text))
      return error_nomem (err);
  }
  return docs->failed ? error_nomem (err) : TALLY_OK;
}

static int
get_docs (struct peer *peer, const char *collection,
          const struct tally_slice *ids, size_t n, size_t *answered,
          struct doclist *docs, peer_bad_fn *bad, void *ctx,
          struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_GET }, reply = { 0 };
  int status;

  message.as.get.collection = slice_text (collection);
  message.as.get.ids = (struct tally_slice *) ids;
  message.as.get.n = n < WIRE_HEADERS_MAX ? n : WIRE_HEADERS_MAX;
  message.as.get.flags = bad ? 0 : WIRE_GET_META;
  status = peer_call (peer, &message, &reply, err);
  if (status != TALLY_OK)
    return status;
  *answered = (size_t) reply.as.docs.answered;
  if (*answered == 0 || *answered > message.as.get.n)
    status = peer_strange (peer, err);
  else
    status = take_docs (peer, &reply.as.docs, ids, docs, bad, ctx, err);
  wire_message_free (&reply);
  return status;
}

int
peer_get (struct peer *peer, const char *collection,
          const struct tally_slice *ids, size_t n, size_t *answered,
          struct doclist *docs, peer_bad_fn *bad, void *ctx,
          struct tally_error *err)
{
  doclist_clear (docs);
  *answered = n;
  if (n == 0)
    return TALLY_OK;
  if (peer->folder)
    return folder_get (peer->folder, ids, n, docs, err);
  *answered = peer_take_hand (peer, ids, &n, docs);
  if (*answered > 0)
    return docs->failed ? error_nomem (err) : TALLY_OK;
  return get_docs (peer, collection, ids, n, answered, docs, bad, ctx, err);
}

int
peer_get_meta (struct peer *peer, const char *collection,
               const struct tally_slice *ids, size_t n, size_t *answered,
               struct doclist *docs, struct tally_error *err)
{
  doclist_clear (docs);
  *answered = n;
  if (n == 0 || peer->folder)
    return TALLY_OK;
  return get_docs (peer, collection, ids, n, answered, docs, NULL, NULL, err);
}

static void
take_outcomes (const struct wire_stored *stored, struct peer_outcome *outcomes)
{
  for (size_t i = 0; i < stored->n; i++)
    outcomes[i].stored = true;
  for (size_t i = 0; i < stored->n_others; i++) {
    struct peer_outcome *outcome = &outcomes[stored->others[i].index];

    outcome->status = stored->others[i].status;
    outcome->stored = false;
  }
}

int
peer_put (struct peer *peer, const char *collection, unsigned flags,
          const struct tally_doc *docs, const struct tally_slice *bases,
          size_t n, struct buf *cursor, struct peer_outcome *outcomes,
          struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_PUT }, reply = { 0 };
  struct wire_stored *stored = &reply.as.stored;
  int status;

  memset (outcomes, 0, n * sizeof *outcomes);
  if (peer->folder) {
    for (size_t i = 0; i < n; i++)
      outcomes[i].stored = true;
    return folder_put (peer->folder, collection, docs, n, err);
  }
  message.as.put.collection = slice_text (collection);
  message.as.put.flags = flags;
  message.as.put.docs = (struct tally_doc *) docs;
  message.as.put.bases = (struct tally_slice *) bases;
  message.as.put.n = n;
  status = TALLY_OK;
  if (cursor) {
    message.as.put.flags |= WIRE_PUT_CURSOR;
    status = read_cursor (peer, cursor->data, &message.as.put.cursor, err);
  }
  if (status == TALLY_OK)
    status = peer_call (peer, &message, &reply, err);
  if (status != TALLY_OK)
    return status;
  if (stored->n != n)
    status = peer_strange (peer, err);
  else
    take_outcomes (stored, outcomes);
  if (status == TALLY_OK && cursor && stored->cursor > message.as.put.cursor)
    set_cursor (cursor, stored->cursor);
  wire_message_free (&reply);
  return status;
}

int
peer_commit (struct peer *peer, const char *collection,
             struct tally_error *err)
{
  if (!peer->folder)
    return TALLY_OK;
  return folder_commit (peer->folder, collection, err);
}
