/* SPDX-License-Identifier: MIT */
/* One request out, one reply in, and what may be believed of it. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "peer-internal.h"

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
/* A store on this machine is called sqlite:/x.db here, and names itself by the
 * same path. */
static bool
names_the_end_of (const char *name, struct tally_slice text)
{
  size_t size = strlen (name), n = 0;

  while (n + 1 < text.size && memcmp (text.data + n, ": ", 2) != 0)
    n++;
  return n > 0 && n + 1 < text.size && n <= size
         && memcmp (name + size - n, text.data, n) == 0;
}

static int
far_failure (const struct peer *peer, const struct wire_failure *failure,
             struct tally_error *err)
{
  struct tally_slice text = failure->text;

  if (names_the_end_of (peer->channel->name, text))
    return error_set (err, failure->status, "%.*s", (int) text.size,
                      text.data);
  return error_set (err, failure->status, "%s: %.*s", peer->channel->name,
                    (int) text.size, text.data);
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

int
peer_call_rest (struct peer *peer, const struct wire_message *message,
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

  return peer_call_rest (peer, message, reply, &rest, err);
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
