/* SPDX-License-Identifier: MIT */
/* Pages that are asked for before they are needed.  Those of a run's beginning
 * ride with its hello, so that a run that finds nothing is one exchange; the
 * next page of a long list is fetched while the one before it is stored. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "peer-internal.h"
#include "slice.h"

/* ---- making ------------------------------------------------------------- */

static struct ahead *
ahead_new (struct peer *peer, const char *collection,
           const struct peer_ask *ask)
{
  struct ahead *ahead;
  struct tally_error ignored;

  if (peer->n_ahead == PEER_AHEAD_MAX)
    return NULL;
  ahead = calloc (1, sizeof *ahead);
  if (!ahead)
    return NULL;
  ahead->peer = peer;
  ahead->collection = strdup (collection);
  buf_add_slice (&ahead->after, ask->after);
  if (!ahead->collection || ahead->after.failed
      || peer_make_meta (peer, ahead->collection, ask, &ahead->meta, &ignored)
             != TALLY_OK) {
    ahead_free (ahead);
    return NULL;
  }
  ahead->meta.after = buf_slice (&ahead->after);
  peer->ahead[peer->n_ahead++] = ahead;
  return ahead;
}

void
ahead_free (struct ahead *ahead)
{
  struct tally_error ignored;

  if (!ahead)
    return;
  errand_wait (&ahead->errand, &ignored);
  doclist_free (&ahead->headers);
  buf_free (&ahead->page.next);
  buf_free (&ahead->request);
  buf_free (&ahead->reply);
  buf_free (&ahead->after);
  free (ahead->collection);
  free (ahead);
}

void
ahead_free_all (struct peer *peer)
{
  while (peer->n_ahead > 0)
    ahead_free (peer->ahead[--peer->n_ahead]);
}

/* ---- with a hello ------------------------------------------------------- */

void
peer_foresee (struct peer *peer, const char *collection,
              const struct peer_ask *ask)
{
  if (!channel_is_folder (peer->channel))
    ahead_new (peer, collection, ask);
}

void
ahead_add (const struct peer *peer, struct buf *request)
{
  struct wire_message message = { .type = WIRE_META };

  for (size_t i = 0; i < peer->n_ahead; i++) {
    message.as.meta = peer->ahead[i]->meta;
    wire_encode (request, &message);
  }
}

static bool
take_one (struct ahead *ahead, struct tally_slice *rest)
{
  struct wire_message reply = { 0 };
  struct tally_error ignored;
  int status =
      peer_next_reply (ahead->peer, rest, WIRE_HEADERS, &reply, &ignored);

  if (status != TALLY_OK)
    return false;
  status =
      peer_take_page (ahead->peer, &ahead->meta, &reply.as.headers,
                      &ahead->headers, &ahead->page, &ahead->bad, &ignored);
  wire_message_free (&reply);
  ahead->has_page = status == TALLY_OK;
  return ahead->has_page;
}

void
ahead_take_all (struct peer *peer, struct tally_slice rest)
{
  size_t n = 0;

  while (n < peer->n_ahead && take_one (peer->ahead[n], &rest))
    n++;
  while (peer->n_ahead > n)
    ahead_free (peer->ahead[--peer->n_ahead]);
}

/* ---- beside ------------------------------------------------------------- */

static int
fetch (void *ctx, struct tally_error *err)
{
  struct ahead *ahead = ctx;
  const struct peer *peer = ahead->peer;
  struct wire_message reply = { 0 };
  struct tally_slice rest;
  int status = channel_exchange (peer->channel, buf_slice (&ahead->request),
                                 &ahead->reply, &ahead->traffic, err);

  if (status == TALLY_OK)
    status = peer_open_reply (peer, buf_slice (&ahead->reply), ahead->far,
                              &rest, err);
  if (status == TALLY_OK)
    status = peer_next_reply (peer, &rest, WIRE_HEADERS, &reply, err);
  if (status != TALLY_OK)
    return status;
  status = peer_take_page (peer, &ahead->meta, &reply.as.headers,
                           &ahead->headers, &ahead->page, &ahead->bad, err);
  ahead->has_page = status == TALLY_OK;
  wire_message_free (&reply);
  buf_free (&ahead->reply);
  return status;
}

void
peer_fetch_ahead (struct peer *peer, const char *collection,
                  const struct peer_ask *ask)
{
  struct wire_message message = { .type = WIRE_META };
  struct ahead *ahead;

  if (channel_is_folder (peer->channel))
    return;
  ahead = ahead_new (peer, collection, ask);
  if (!ahead)
    return;
  wire_start (&ahead->request, peer->self);
  message.as.meta = ahead->meta;
  wire_encode (&ahead->request, &message);
  wire_seal (&ahead->request);
  if (!ahead->request.failed)
    errand_start (&ahead->errand, peer->threads, fetch, ahead);
}

/* ---- what came of it ---------------------------------------------------- */

struct ahead *
ahead_find (struct peer *peer, const struct wire_meta *meta)
{
  for (size_t i = 0; i < peer->n_ahead; i++) {
    struct ahead *ahead = peer->ahead[i];
    const struct wire_meta *had = &ahead->meta;

    if (!slice_equal (had->collection, meta->collection)
        || had->flags != meta->flags || had->since != meta->since
        || had->until != meta->until || had->bytes != meta->bytes
        || !slice_equal (had->after, meta->after))
      continue;
    peer->ahead[i] = peer->ahead[--peer->n_ahead];
    return ahead;
  }
  return NULL;
}

int
ahead_collect (struct peer *peer, struct ahead *ahead, struct doclist *headers,
               struct peer_page *page, bool *bad, struct tally_error *err)
{
  bool out = errand_is_out (&ahead->errand);
  int status = errand_wait (&ahead->errand, err);

  peer->round_trips += out && status == TALLY_OK;
  peer->traffic.sent += ahead->traffic.sent;
  peer->traffic.received += ahead->traffic.received;
  if (status != TALLY_OK)
    return status;
  if (!ahead->has_page)
    return peer_strange (peer, err);
  *bad = ahead->bad;
  *page = ahead->page;
  memset (&ahead->page, 0, sizeof ahead->page);
  doclist_free (headers);
  *headers = ahead->headers;
  memset (&ahead->headers, 0, sizeof ahead->headers);
  return TALLY_OK;
}
