/* SPDX-License-Identifier: MIT */
/* One request out, one reply in, and what may be believed of it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "document.h"
#include "notejson.h"
#include "peer-internal.h"
#include "state.h"

int
peer_open (struct peer *peer, struct channel *channel, struct replica *replica,
           struct tally_error *err)
{
  (void) err;
  memset (peer, 0, sizeof *peer);
  peer->channel = channel;
  peer->replica = replica;
  replica_id (replica, peer->self);
  return TALLY_OK;
}

void
peer_close (struct peer *peer)
{
  ahead_free_all (peer);
  folder_close (peer->folder);
  peer_forget_named (peer);
  peer_drop_hand (peer);
  buf_free (&peer->compare_ahead);
  buf_free (&peer->compared_ahead);
  buf_free (&peer->request);
  buf_free (&peer->reply);
  memset (peer, 0, sizeof *peer);
}

/* ---- exchange ----------------------------------------------------------- */

int
peer_strange (const struct peer *peer, struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "%s: answered something else than "
                    "was asked",
                    peer->channel->name);
}

/* An error that the far side reports is about it, unless it says whom. */
static int
far_failure (const struct peer *peer, const struct wire_failure *failure,
             struct tally_error *err)
{
  return error_set (err, failure->status, "%s: %.*s", peer->channel->name,
                    (int) failure->text.size, failure->text.data);
}

static void
make_request (struct peer *peer, const struct wire_message *message)
{
  buf_clear (&peer->request);
  wire_start (&peer->request, peer->self);
  if (peer->rotates) {
    struct wire_message rotate = { .type = WIRE_ROTATE };

    rotate.as.rotate.expected = slice_make (
        peer->rotate_from, peer->rotate_from_set ? WIRE_TOKEN_SIZE : 0);
    rotate.as.rotate.next = slice_make (peer->rotate_to, WIRE_TOKEN_SIZE);
    wire_encode (&peer->request, &rotate);
  }
  if (peer->n_asks > 0) {
    struct wire_message names = { .type = WIRE_NAMES };

    names.as.names.clients = peer->asks;
    names.as.names.n = peer->n_asks;
    wire_encode (&peer->request, &names);
  }
  if (peer->fetch) {
    struct wire_message fetch = { .type = WIRE_FETCH };

    fetch.as.fetch = *peer->fetch;
    wire_encode (&peer->request, &fetch);
  }
  if (message)
    wire_encode (&peer->request, message);
  if (message && message->type == WIRE_HELLO) {
    ahead_add (peer, &peer->request);
    buf_add_slice (&peer->request, buf_slice (&peer->compare_ahead));
  }
  wire_seal (&peer->request);
}

int
peer_open_reply (const struct peer *peer, struct tally_slice reply,
                 unsigned char far[REPLICA_ID_SIZE], struct tally_slice *rest,
                 struct tally_error *err)
{
  int status = wire_open (rest, far, reply, err);

  if (status == TALLY_OK)
    status = wire_unseal (rest, reply, err);
  if (status != TALLY_OK)
    return error_set (err, status, "%s: %s", peer->channel->name, err->text);
  if (peer->has_far && memcmp (far, peer->far, REPLICA_ID_SIZE) != 0)
    return error_set (err, TALLY_AGAIN,
                      "%s: became another replica while it "
                      "was synced",
                      peer->channel->name);
  return TALLY_OK;
}

int
peer_next_reply (const struct peer *peer, struct tally_slice *rest,
                 enum wire_type type, struct wire_message *reply,
                 struct tally_error *err)
{
  int status = wire_decode (reply, rest, err);

  if (status == TALLY_NOTFOUND)
    return peer_strange (peer, err);
  if (status != TALLY_OK)
    return error_set (err, status, "%s: %s", peer->channel->name, err->text);
  if (reply->type == type)
    return TALLY_OK;
  if (reply->type == WIRE_FAILURE)
    return far_failure (peer, &reply->as.failure, err);
  wire_message_free (reply);
  return peer_strange (peer, err);
}

static int
take_named (struct peer *peer, struct tally_slice *rest,
            struct tally_error *err)
{
  struct wire_message reply = { 0 };
  struct wire_named *named = &reply.as.named;
  int status = peer_next_reply (peer, rest, WIRE_NAMED, &reply, err);

  if (status != TALLY_OK)
    return status;
  if (named->n != peer->n_asks)
    status = peer_strange (peer, err);
  peer_forget_named (peer);
  for (size_t i = 0; i < named->n && status == TALLY_OK; i++) {
    peer->named.clients[i] = peer->asks[i];
    buf_add_slice (&peer->named.names[i], named->names[i]);
    peer->named.n++;
  }
  peer->n_asks = 0;
  wire_message_free (&reply);
  return status;
}

/* What goes ahead of a message is answered first. */
static int
take_ahead (struct peer *peer, struct tally_slice *rest,
            struct tally_error *err)
{
  struct wire_message reply = { 0 };
  int status = TALLY_OK;

  if (peer->rotates) {
    status = peer_next_reply (peer, rest, WIRE_ROTATED, &reply, err);
    if (status == TALLY_OK)
      peer->rotates = false;
  }
  if (status == TALLY_OK && peer->n_asks > 0)
    status = take_named (peer, rest, err);
  if (status != TALLY_OK || !peer->fetch)
    return status;
  peer->fetch = NULL;
  status = peer_next_reply (peer, rest, WIRE_FETCHED, &reply, err);
  if (status == TALLY_OK)
    status = peer_keep_fetched (peer, &reply.as.fetched, err);
  wire_message_free (&reply);
  return status;
}

/* The reply has its slices in peer->reply: good until the next call, and so is
 * what follows it, *rest. */
static int
call_rest (struct peer *peer, const struct wire_message *message,
           struct wire_message *reply, struct tally_slice *rest,
           struct tally_error *err)
{
  unsigned char far[REPLICA_ID_SIZE];
  int status;

  make_request (peer, message);
  if (peer->request.failed)
    return error_nomem (err);
  status = channel_exchange (peer->channel, buf_slice (&peer->request),
                             &peer->reply, &peer->traffic, err);
  peer->round_trips += status == TALLY_OK;
  if (status == TALLY_OK)
    status = peer_open_reply (peer, buf_slice (&peer->reply), far, rest, err);
  if (status == TALLY_OK) {
    memcpy (peer->far, far, sizeof far);
    peer->has_far = true;
    status = take_ahead (peer, rest, err);
  }
  /* It is not asked for again by whoever calls next. */
  peer->fetch = NULL;
  if (status == TALLY_OK && message)
    status = peer_next_reply (
        peer, rest, (enum wire_type) (message->type + 16), reply, err);
  return status;
}

int
peer_call (struct peer *peer, const struct wire_message *message,
           struct wire_message *reply, struct tally_error *err)
{
  struct tally_slice rest;

  return call_rest (peer, message, reply, &rest, err);
}

void
peer_queue_rotation (struct peer *peer, struct tally_slice from,
                     struct tally_slice to)
{
  peer->rotates = true;
  peer->rotate_from_set = from.size == WIRE_TOKEN_SIZE;
  if (peer->rotate_from_set)
    memcpy (peer->rotate_from, from.data, WIRE_TOKEN_SIZE);
  memcpy (peer->rotate_to, to.data, WIRE_TOKEN_SIZE);
}

void
peer_queue_names (struct peer *peer, const uint32_t *clients, size_t n)
{
  if (peer->folder || n > WIRE_NAMES_MAX - peer->n_asks)
    return;
  for (size_t i = 0; i < n; i++)
    peer->asks[peer->n_asks++] = clients[i];
}

void
peer_forget_named (struct peer *peer)
{
  for (size_t i = 0; i < peer->named.n; i++)
    buf_free (&peer->named.names[i]);
  peer->named.n = 0;
}

int
peer_flush (struct peer *peer, struct tally_error *err)
{
  struct wire_message reply = { 0 };

  if ((!peer->rotates && !peer->fetch) || peer->folder)
    return TALLY_OK;
  return peer_call (peer, NULL, &reply, err);
}

/* ---- hello -------------------------------------------------------------- */

static char *
copy_text (struct tally_slice text)
{
  char *copy = malloc (text.size + 1);

  if (!copy)
    return NULL;
  if (text.size > 0)
    memcpy (copy, text.data, text.size);
  copy[text.size] = '\0';
  return copy;
}

static bool
add_collection (struct peer_welcome *welcome, struct tally_slice name)
{
  char *copy = copy_text (name);
  struct tally_error ignored;

  if (!copy)
    return false;
  /* A name that we would not store is not ours to sync. */
  if (collection_check (copy, &ignored) != TALLY_OK
      || collection_is_local (copy))
    free (copy);
  else
    welcome->collections[welcome->n_collections++] = copy;
  return true;
}

static int
take_welcome (struct peer_welcome *out, struct wire_welcome *welcome,
              struct tally_error *err)
{
  out->verdict = (enum wire_verdict) welcome->verdict;
  out->ahead = welcome->flags & WIRE_WELCOME_AHEAD;
  out->compares = welcome->flags & WIRE_WELCOME_COMPARES;
  out->client = welcome->client;
  out->device = copy_text (welcome->device);
  out->collections =
      calloc (welcome->n_collections + 1, sizeof *out->collections);
  if (!out->collections || !out->device)
    return error_nomem (err);
  for (size_t i = 0; i < welcome->n_collections; i++)
    if (!add_collection (out, welcome->collections[i]))
      return error_nomem (err);
  out->clients = welcome->clients;
  out->n_clients = welcome->n_clients;
  welcome->clients = NULL;
  return TALLY_OK;
}

static int
hello_folder (struct peer *peer, const struct wire_hello *hello,
              struct peer_welcome *out, struct tally_error *err)
{
  const char *const *names;
  size_t n;
  int status = TALLY_OK;

  folder_close (peer->folder);
  peer->folder = NULL;
  status =
      folder_open (&peer->folder, peer->channel, peer->replica, peer->self,
                   hello->flags & WIRE_HELLO_LOOK, peer->far, err);
  if (status != TALLY_OK)
    return status;
  peer->has_far = true;
  n = folder_collections (peer->folder, &names);
  out->collections = calloc (n + 1, sizeof *out->collections);
  if (!out->collections)
    return error_nomem (err);
  for (size_t i = 0; i < n; i++)
    if (!add_collection (out, slice_text (names[i])))
      return error_nomem (err);
  out->verdict =
      folder_is_ahead (peer->folder) ? WIRE_PAIR_BROKEN : WIRE_PAIR_CURRENT;
  return TALLY_OK;
}

int
peer_hello (struct peer *peer, const struct wire_hello *hello,
            struct peer_welcome *out, struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_HELLO }, reply = { 0 };
  uint64_t before = replica_wall_ms (peer->replica), after;
  struct tally_slice rest;
  int status;

  memset (out, 0, sizeof *out);
  if (channel_is_folder (peer->channel))
    status = hello_folder (peer, hello, out, err);
  else {
    message.as.hello = *hello;
    message.as.hello.wall_ms = before;
    message.as.hello.client = replica_client (peer->replica);
    status = call_rest (peer, &message, &reply, &rest, err);
    after = replica_wall_ms (peer->replica);
    if (status == TALLY_OK) {
      out->skew_ms = (int64_t) reply.as.welcome.wall_ms
                     - (int64_t) (before + (after - before) / 2);
      status = take_welcome (out, &reply.as.welcome, err);
      if (out->verdict == WIRE_PAIR_CURRENT
          || out->verdict == WIRE_PAIR_PENDING)
        ahead_take_all (peer, rest);
      else
        ahead_free_all (peer);
      peer_take_compared (peer, rest,
                          out->verdict != WIRE_PAIR_BROKEN
                              && out->verdict != WIRE_PAIR_UNNAMED);
    }
    wire_message_free (&reply);
  }
  if (status != TALLY_OK)
    peer_welcome_free (out);
  return status;
}

void
peer_welcome_free (struct peer_welcome *welcome)
{
  for (size_t i = 0; i < welcome->n_collections; i++)
    free (welcome->collections[i]);
  free (welcome->collections);
  free (welcome->clients);
  free (welcome->device);
  memset (welcome, 0, sizeof *welcome);
}

/* ---- documents ---------------------------------------------------------- */

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
  meta->limit = WIRE_HEADERS_MAX;
  meta->bytes = ask->bytes;
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

int
peer_take_page (const struct peer *peer, const struct wire_meta *asked,
                const struct wire_headers *in, struct doclist *headers,
                struct peer_page *page, bool *bad, struct tally_error *err)
{
  if (in->more && in->next <= asked->since)
    return peer_strange (peer, err);
  *bad = !add_headers (headers, in);
  if (*bad)
    doclist_clear (headers);
  set_cursor (&page->next, in->next);
  page->more = in->more;
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
peer_wait (struct peer *peer, const struct wire_wait *wait,
           struct wire_waited *waited, struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_WAIT }, reply = { 0 };
  int status;

  message.as.wait = *wait;
  status = peer_call (peer, &message, &reply, err);
  if (status == TALLY_OK)
    *waited = reply.as.waited;
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
