/* SPDX-License-Identifier: MIT */
/* Each client is looked up once a run, and one whose name nobody knew is not
 * asked for again for a day. */

#include <config.h>

#include <string.h>

#include "devices.h"
#include "engine-names.h"

#define ASK_AGAIN_MS (UINT64_C (24) * 60 * 60 * 1000)

int
names_introduce (struct run *run, struct tally_error *err)
{
  const struct peer_welcome *welcome = &run->welcome;
  const char *device = run->link->device;
  int status =
      device ? device_learn_own (run->replica, device, err) : TALLY_OK;

  if (status == TALLY_OK && welcome->device && welcome->device[0])
    status = device_learn (run->replica, "", welcome->client,
                           slice_text (welcome->device), err);
  return status;
}

/* False: it was looked up already, or there is no room to remember it. */
static bool
is_new (struct run_names *names, uint32_t client)
{
  for (size_t i = names->n_looked; i > 0; i--)
    if (names->looked[i - 1] == client)
      return false;
  if (names->n_looked == RUN_NAMES_MAX)
    return false;
  names->looked[names->n_looked++] = client;
  return true;
}

static int
is_unknown (struct run *run, uint32_t client, bool *unknown,
            struct tally_error *err)
{
  uint64_t now = replica_wall_ms (run->replica), asked = 0;
  struct buf name = BUF_INIT;
  int status = device_name (run->replica, "", client, &name, &asked, err);

  *unknown = name.size == 0
             && (asked == 0 || asked > now || now - asked >= ASK_AGAIN_MS);
  buf_free (&name);
  return status;
}

int
names_ask (struct sync *sync, struct tally_error *err)
{
  struct run_names *names = &sync->run->names;
  uint32_t asks[WIRE_NAMES_MAX];
  size_t n = 0;
  int status = TALLY_OK;

  if (peer_is_passive (&sync->run->peer))
    return TALLY_OK;
  for (size_t i = 0; i < sync->remote.count && status == TALLY_OK
                     && names->asked + n < WIRE_NAMES_MAX;
       i++) {
    struct stamp newest;
    bool unknown = false;

    memcpy (newest.bytes, sync->remote.docs[i].rev, STAMP_SIZE);
    if (is_new (names, stamp_client (&newest)))
      status = is_unknown (sync->run, stamp_client (&newest), &unknown, err);
    if (unknown)
      asks[n++] = stamp_client (&newest);
  }
  if (status == TALLY_OK) {
    peer_queue_names (&sync->run->peer, asks, n);
    names->asked += n;
  }
  return status;
}

int
names_take (struct run *run, struct tally_error *err)
{
  struct peer *peer = &run->peer;
  int status = TALLY_OK;

  for (size_t i = 0; i < peer->named.n && status == TALLY_OK; i++)
    status = device_learn (run->replica, "", peer->named.clients[i],
                           buf_slice (&peer->named.names[i]), err);
  peer_forget_named (peer);
  return status;
}
