/* SPDX-License-Identifier: MIT */
/* The first words with the far side: who it is, what it has, and whether it
 * remembers us. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "error.h"
#include "peer-internal.h"

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
  out->by_id = welcome->flags & WIRE_WELCOME_BY_ID;
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
    status = peer_call_rest (peer, &message, &reply, &rest, err);
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
