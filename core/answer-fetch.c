/* SPDX-License-Identifier: MIT */
/* Answers fetch: the documents that a comparison found, by their places, or
 * all of a range, as far as one reply holds them. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "answer-internal.h"
#include "error.h"
#include "rows.h"

struct fetching {
  const struct wire_fetch *fetch;
  struct rows rows;
  struct doclist headers, docs;
  struct buf next;
  bool more, full;
};

static int
find_headers (struct fetching *fetching, struct tally_error *err)
{
  const struct wire_fetch *fetch = fetching->fetch;
  struct rows_range range = { fetch->from, fetch->to };

  if (!(fetch->flags & WIRE_FETCH_RANGE))
    return rows_find (
        &fetching->rows, (const unsigned char *) fetch->places.data,
        fetch->places.size / ROWS_PLACE_SIZE, &fetching->headers, err);
  return rows_headers (&fetching->rows, &range, ROWS_FETCH_MAX,
                       &fetching->headers, &fetching->next, &fetching->more,
                       err);
}

static int
collect_doc (void *ctx, const struct tally_doc *doc)
{
  struct fetching *fetching = ctx;
  struct tally_doc given = *doc;

  if (fetching->fetch->flags & WIRE_FETCH_HEADERS)
    given.meta = given.body = slice_make (NULL, 0);
  else
    memset (given.rev, 0, sizeof given.rev);
  /* Whoever compares has no cursor to hold it against: it only is not that of
   * a grave, which is 0. */
  given.seq = 1;
  if (fetching->docs.count > 0
      && fetching->docs.bytes + given.body.size + given.meta.size
             > WIRE_BYTES_MAX) {
    fetching->full = true;
    return 1;
  }
  return !doclist_add (&fetching->docs, &given);
}

static int
read_docs (struct fetching *fetching, struct tally_error *err)
{
  const struct doclist *headers = &fetching->headers;
  struct tally_slice *ids = calloc (headers->count + 1, sizeof *ids);
  bool bare = fetching->fetch->flags & WIRE_FETCH_HEADERS;
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < headers->count; i++)
    ids[i] = headers->docs[i].id;
  status = replica_get (
      fetching->rows.replica, fetching->rows.collection, ids, headers->count,
      bare ? 0 : TALLY_GET_BODY | TALLY_GET_PART, collect_doc, fetching, err);
  if (status == TALLY_OK && fetching->docs.failed)
    status = error_nomem (err);
  free (ids);
  return status;
}

/* Where to go on: at the first that did not fit. */
static const struct tally_doc *
first_left (const struct fetching *fetching)
{
  const struct doclist *headers = &fetching->headers;
  size_t at = 0, left = 0;

  if (!fetching->full)
    return NULL;
  for (size_t i = 0; i < headers->count; i++)
    if (doclist_next_if (&fetching->docs, &at, headers->docs[i].id))
      left = i + 1;
  return left < headers->count ? &headers->docs[left] : NULL;
}

static int
give_docs (struct fetching *fetching, struct buf *out, struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_FETCHED };
  struct wire_fetched *fetched = &reply.as.fetched;
  const struct wire_fetch *fetch = fetching->fetch;
  const struct tally_doc *left = first_left (fetching);

  fetched->answered = fetch->places.size / ROWS_PLACE_SIZE;
  if (left && (fetch->flags & WIRE_FETCH_RANGE))
    rows_end (&fetching->next, left);
  else if (left)
    fetched->answered = rows_place (&fetching->rows,
                                    (const unsigned char *) fetch->places.data,
                                    (size_t) fetched->answered, left);
  if (fetching->next.failed)
    return error_nomem (err);
  if (!(fetch->flags & WIRE_FETCH_RANGE))
    buf_clear (&fetching->next);
  else
    fetched->answered = 0;
  fetched->next = buf_slice (&fetching->next);
  fetched->docs = fetching->docs.docs;
  fetched->n = fetching->docs.count;
  wire_encode (out, &reply);
  return TALLY_OK;
}

int
answer_fetch (struct asked *asked, const struct wire_fetch *fetch,
              struct tally_error *err)
{
  struct fetching fetching = { .fetch = fetch };
  char collection[COLLECTION_TEXT_MAX];
  int status = asked_collection (asked, fetch->collection, collection, err);

  if (status != TALLY_OK)
    return status;
  rows_init (&fetching.rows, asked->replica, collection,
             (const unsigned char *) fetch->nonce.data);
  status = find_headers (&fetching, err);
  if (status == TALLY_OK)
    status = read_docs (&fetching, err);
  if (status == TALLY_OK)
    status = give_docs (&fetching, asked->reply, err);
  doclist_free (&fetching.headers);
  doclist_free (&fetching.docs);
  buf_free (&fetching.next);
  return status;
}
