/* SPDX-License-Identifier: MIT */
/* Answers names: what the devices behind client ids are called.  An account
 * hears of those that came in with it, and of this store. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "answer-internal.h"
#include "devices.h"

static bool
is_ours (const uint32_t *ours, size_t n, uint32_t client)
{
  for (size_t i = 0; i < n; i++)
    if (ours[i] == client)
      return true;
  return false;
}

int
answer_names (struct asked *asked, const struct wire_names *names,
              struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_NAMED };
  struct tally_slice slices[WIRE_NAMES_MAX];
  struct buf texts[WIRE_NAMES_MAX];
  uint32_t *ours = NULL;
  size_t n_ours;
  int status = replica_clients (asked->replica, &ours, &n_ours, err);

  memset (texts, 0, sizeof texts);
  for (size_t i = 0; i < names->n && status == TALLY_OK; i++) {
    uint32_t client = names->clients[i];

    status = device_name (asked->replica, asked_account (asked), client,
                          &texts[i], NULL, err);
    if (status == TALLY_OK && texts[i].size == 0
        && is_ours (ours, n_ours, client))
      status = device_name (asked->replica, "", client, &texts[i], NULL, err);
    slices[i] = buf_slice (&texts[i]);
  }
  if (status == TALLY_OK) {
    reply.as.named.names = slices;
    reply.as.named.n = names->n;
    wire_encode (asked->reply, &reply);
  }
  for (size_t i = 0; i < names->n; i++)
    buf_free (&texts[i]);
  free (ours);
  return status;
}
