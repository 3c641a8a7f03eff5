/* SPDX-License-Identifier: MIT */
/* Answers meta: a window of what changed, as headers, or as whole documents
 * to somebody who will want most of them. */

#include <config.h>

#include <stdlib.h>

#include "answer-internal.h"
#include "doclist.h"
#include "error.h"
#include "forget.h"
#include "slice.h"

struct window {
  struct doclist headers;
  size_t limit;
  size_t bytes;   /* of whole documents; 0: headers */
  uint64_t until; /* 0: no end */
  bool counts, graves;
  uint64_t gone; /* tombstones behind the window */
  uint64_t last; /* the last header's seq */
  bool ended;
  bool more;
  struct tally_slice after; /* by id: the last one that is had */
};

static int
collect_header (void *ctx, const struct tally_doc *doc)
{
  struct window *window = ctx;
  struct tally_doc header = *doc;

  if (window->until > 0 && doc->seq > window->until) {
    window->ended = true;
    return 1;
  }
  if (window->graves && !(doc->flags & TALLY_DOC_DELETED))
    return 0;
  if (window->headers.count == window->limit) {
    window->more = true;
    window->gone += doc->flags & TALLY_DOC_DELETED;
    return !window->counts;
  }
  header.meta = header.body = slice_make (NULL, 0);
  window->last = doc->seq;
  return !doclist_add (&window->headers, &header);
}

/* ---- bodies ------------------------------------------------------------- */

/* So many documents are read to see how large they are. */
#define SAMPLE 64

/* Fills headers from..to with meta and body. */
struct filling {
  struct tally_doc *docs;
  size_t at, n;
  struct arena *arena;
  size_t bytes, most;
  bool failed;
};

/* What was asked for and is not there any more stays a header, and so does
 * what is behind the documents that fit. */
static int
take_body (struct filling *filling, const struct tally_doc *doc)
{
  struct tally_doc *out;
  const char *meta, *body;

  if (filling->at == filling->n
      || filling->bytes + doc->meta.size + doc->body.size > filling->most)
    return 1;
  meta = arena_add (filling->arena, doc->meta.data, doc->meta.size);
  body = arena_add (filling->arena, doc->body.data, doc->body.size);
  filling->failed = !meta || !body;
  if (filling->failed)
    return 1;
  out = &filling->docs[filling->at++];
  out->flags = doc->flags;
  out->meta = slice_make (meta, doc->meta.size);
  out->body = slice_make (body, doc->body.size);
  filling->bytes += doc->meta.size + doc->body.size;
  return 0;
}

static int
fill_body (void *ctx, const struct tally_doc *doc)
{
  struct filling *filling = ctx;

  while (filling->at < filling->n
         && !slice_equal (filling->docs[filling->at].id, doc->id))
    filling->at++;
  return take_body (filling, doc);
}

/* All of them, or the tombstones. */
static int
fill_by_id (struct asked *asked, const char *collection,
            struct filling *filling, bool all, struct tally_error *err)
{
  struct tally_slice *ids = calloc (filling->n + 1, sizeof *ids);
  size_t n = 0;
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < filling->n; i++)
    if (all || (filling->docs[i].flags & TALLY_DOC_DELETED))
      ids[n++] = filling->docs[i].id;
  filling->at = 0;
  status =
      replica_get (asked->replica, collection, ids, n,
                   TALLY_GET_BODY | TALLY_GET_PART, fill_body, filling, err);
  free (ids);
  return status;
}

static int
is_within (void *ctx, uint64_t seq, const struct tally_slice *body)
{
  const struct filling *filling = ctx;

  (void) body;
  return seq > filling->docs[filling->n - 1].seq ? TALLY_WANTED_END
                                                 : TALLY_WANTED_YES;
}

static int
fill_arrived (void *ctx, const struct tally_doc *doc)
{
  struct filling *filling = ctx;

  while (filling->at < filling->n && filling->docs[filling->at].seq < doc->seq)
    filling->at++;
  if (filling->at < filling->n && filling->docs[filling->at].seq != doc->seq)
    return 0;
  return take_body (filling, doc);
}

/* Afterwards they are in the order of their ids, so that whoever takes them
 * writes neighbours together.  A store where documents lie as they arrived is
 * read in that order; any other by id, neighbours together, too. */
static int
fill_bodies (struct asked *asked, const char *collection,
             struct window *window, size_t from, size_t to, size_t *bytes,
             size_t most, struct tally_error *err)
{
  struct filling filling = { .docs = window->headers.docs + from,
                             .n = to - from,
                             .arena = &window->headers.arena,
                             .bytes = *bytes,
                             .most = most };
  bool by_arrival = replica_can_search (asked->replica) && filling.n > 0;
  int status = TALLY_OK;

  if (by_arrival)
    status =
        replica_search (asked->replica, collection, filling.docs[0].seq - 1,
                        is_within, fill_arrived, &filling, err);
  qsort (filling.docs, filling.n, sizeof *filling.docs, doc_order);
  if (status == TALLY_OK)
    status = fill_by_id (asked, collection, &filling, !by_arrival, err);
  *bytes = filling.bytes;
  return filling.failed ? error_nomem (err) : status;
}

/* Ends the window where about so many bytes of documents do. */
static int
add_bodies (struct asked *asked, const char *collection, struct window *window,
            struct tally_error *err)
{
  struct doclist *headers = &window->headers;
  size_t n = headers->count < SAMPLE ? headers->count : SAMPLE, bytes = 0, to;
  size_t most = window->bytes, room = most + most / 4;
  int status;

  if (n == 0)
    return TALLY_OK;
  to = n;
  window->last = headers->docs[n - 1].seq;
  status = fill_bodies (asked, collection, window, 0, n, &bytes, room, err);
  if (bytes < most)
    to += (most - bytes) / (bytes / n + 1);
  if (to < headers->count) {
    for (size_t i = to; i < headers->count; i++)
      window->gone +=
          window->counts && (headers->docs[i].flags & TALLY_DOC_DELETED);
    headers->count = to;
    window->more = true;
  }
  if (status != TALLY_OK || headers->count == n)
    return status;
  window->last = headers->docs[headers->count - 1].seq;
  return fill_bodies (asked, collection, window, n, headers->count, &bytes,
                      room, err);
}

/* ---- by id -------------------------------------------------------------- */

/* Where documents lie in the order of their ids, somebody who has none gets
 * them in it: page after page, whatever holds them is read once.  Then all of
 * them can be counted, too. */
static bool
is_by_id (const struct asked *asked, const struct wire_meta *meta)
{
  return (meta->flags & WIRE_META_BY_ID) && !(meta->flags & WIRE_META_GRAVES)
         && meta->bytes > 0 && meta->since == 0 && meta->until == 0
         && replica_lies_by_id (asked->replica);
}

static int
collect_whole (void *ctx, const struct tally_doc *doc)
{
  struct window *window = ctx;
  struct doclist *docs = &window->headers;

  if (slice_equal (doc->id, window->after))
    return 0;
  window->more =
      docs->count == window->limit
      || (docs->count > 0
          && docs->bytes + doc->meta.size + doc->body.size > window->bytes);
  return window->more || !doclist_add (docs, doc);
}

/* What is written meanwhile comes behind the head, which is read first. */
static int
read_by_id (struct asked *asked, const char *collection, struct window *window,
            struct wire_headers *reply, struct tally_error *err)
{
  struct tally_digest digest;
  int status = replica_digest (asked->replica, collection, 0, &digest, err);

  if (status != TALLY_OK)
    return status;
  reply->by_id = true;
  reply->live = digest.count;
  reply->next = digest.seq;
  return replica_find (asked->replica, collection, &window->after, NULL,
                       TALLY_GET_BODY | TALLY_GET_PART, collect_whole, window,
                       err);
}

/* ---- by arrival --------------------------------------------------------- */

static int
read_by_arrival (struct asked *asked, const char *collection, uint64_t since,
                 struct window *window, struct wire_headers *reply,
                 struct tally_error *err)
{
  uint64_t head = 0;
  int status = replica_changes (asked->replica, collection, since,
                                collect_header, window, &head, err);

  if (status == TALLY_OK && window->headers.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && window->bytes > 0)
    status = add_bodies (asked, collection, window, err);
  reply->next = window->more    ? window->last
                : window->ended ? window->until
                                : head;
  return status;
}

/* ---- meta --------------------------------------------------------------- */

static int
count_live (void *ctx, const struct tally_doc *doc)
{
  uint64_t *live = ctx;

  *live += !(doc->flags & TALLY_DOC_DELETED);
  return 0;
}

/* The client's cursor is what it has of ours, durably; one that asks for the
 * first time has nothing, and tombstones wait for it from now on. */
int
asked_acknowledge (struct asked *asked, const char *collection,
                   uint64_t cursor, struct tally_error *err)
{
  struct pair pair;
  struct pair_cursor *had;
  int status =
      pair_load (&pair, asked->replica, PAIR_SERVER, asked->sender, err);

  if (status != TALLY_OK)
    return status;
  had = pair_cursor (&pair, collection);
  if (pair.exists && (!had || (pair.current.set && had->local < cursor))) {
    pair_meet (&pair, asked->replica);
    status = pair_set_cursor (&pair, collection, cursor, "")
                 ? pair_save (&pair, asked->replica, err)
                 : error_nomem (err);
    /* Another hello of this client was faster: the next one tells. */
    if (status == TALLY_AGAIN)
      status = had ? TALLY_OK : status;
    else if (status == TALLY_OK && cursor > 0)
      status = forget_tombstones (asked->replica, collection,
                                  replica_clock_agrees (asked->replica), err);
  }
  pair_free (&pair);
  return status;
}

int
answer_meta (struct asked *asked, const struct wire_meta *meta,
             struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_HEADERS };
  struct wire_headers *headers = &reply.as.headers;
  struct window window = { .limit = WIRE_HEADERS_MAX,
                           .bytes = meta->bytes < WIRE_BYTES_MAX
                                        ? (size_t) meta->bytes
                                        : WIRE_BYTES_MAX,
                           .until = meta->until,
                           .counts = meta->flags & WIRE_META_COUNT,
                           .graves = meta->flags & WIRE_META_GRAVES,
                           .after = meta->after };
  char collection[COLLECTION_TEXT_MAX];
  uint64_t ignored;
  int status = asked_collection (asked, meta->collection, collection, err);

  if (meta->limit > 0 && meta->limit < window.limit)
    window.limit = (size_t) meta->limit;
  if (status == TALLY_OK && (meta->flags & WIRE_META_SAVED))
    status = asked_acknowledge (asked, collection, meta->since, err);
  if (status == TALLY_OK)
    status = is_by_id (asked, meta)
                 ? read_by_id (asked, collection, &window, headers, err)
                 : read_by_arrival (asked, collection, meta->since, &window,
                                    headers, err);
  if (status == TALLY_OK && window.headers.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && (meta->flags & WIRE_META_LIVE))
    status = replica_changes (asked->replica, collection, 0, count_live,
                              &headers->live, &ignored, err);
  /* After the headers: what is forgotten between is told of. */
  if (status == TALLY_OK)
    status = forget_floor (asked->replica, collection, &headers->floor, err);
  if (status == TALLY_OK) {
    headers->docs = window.headers.docs;
    headers->n = window.headers.count;
    headers->more = window.more;
    headers->gone = window.gone;
    wire_encode (asked->reply, &reply);
  }
  doclist_free (&window.headers);
  return status;
}
