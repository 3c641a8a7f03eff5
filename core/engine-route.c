/* SPDX-License-Identifier: MIT */
/* What a store remembers of a channel: who answered there, and what it offered
 * to one that it did not know yet.
 *
 * A pair has no token before its first run.  Where that finds nothing to move,
 * a second exchange would be for the token alone: so one is offered with the
 * first question, to be taken if both are equal.  It must be durable before
 * the far side can have it, and then it is not known yet who that is: so it is
 * noted by the channel until it stands in the note of the pair.  When a run is
 * cut between, the far side has it, and the next hello finds it here. */

#include <config.h>

#include <string.h>

#include <sodium.h>

#include "engine-connect.h"

#define KEY_SIZE (6 + 32 + 1)

static void
make_key (const char *prefix, const char *channel_name, char key[KEY_SIZE])
{
  unsigned char hash[16];
  size_t size = strlen (prefix);

  crypto_generichash (hash, sizeof hash, (const unsigned char *) channel_name,
                      strlen (channel_name), NULL, 0);
  memcpy (key, prefix, size);
  sodium_bin2hex (key + size, KEY_SIZE - size, hash, sizeof hash);
}

/* Ids and tokens are of one size. */
static int
read_note (struct replica *replica, const char *prefix,
           const char *channel_name, unsigned char out[REPLICA_ID_SIZE],
           bool *found, struct tally_error *err)
{
  char key[KEY_SIZE];
  struct buf value = BUF_INIT;
  int status;

  make_key (prefix, channel_name, key);
  status = replica_note_get (replica, key, &value, found, err);
  if (status == TALLY_OK && *found)
    *found = replica_id_from_text (out, buf_slice (&value));
  buf_free (&value);
  return status;
}

static int
write_note (struct run *run, const char *prefix,
            const struct tally_slice *expected,
            const unsigned char value[REPLICA_ID_SIZE],
            struct tally_error *err)
{
  char key[KEY_SIZE], text[REPLICA_ID_TEXT];
  struct tally_slice slice;

  make_key (prefix, run->link->channel->name, key);
  replica_id_text (value, text);
  slice = slice_text (text);
  return replica_note_put (run->replica, key, expected, &slice, err);
}

/* ---- who answered ------------------------------------------------------- */

int
engine_route (struct replica *replica, const char *channel_name,
              unsigned char far[REPLICA_ID_SIZE], bool *found,
              struct tally_error *err)
{
  return read_note (replica, "route/", channel_name, far, found, err);
}

int
route_save (struct run *run, struct tally_error *err)
{
  return write_note (run, "route/", NULL, run->peer.far, err);
}

/* ---- what was offered --------------------------------------------------- */

/* To one that we know, the pair's note says it.  One that may be there already
 * is offered again: if it is, it is not taken. */
static int
offer_known (struct run *run, struct tally_error *err)
{
  struct pair *pair = &run->pair;
  int status = TALLY_OK;

  if (pair->current.set || pair->n_own > 0)
    return TALLY_OK;
  if (!pair->pending.set && pair->exists) {
    pair_draw_token (&pair->pending);
    status = pair_save (pair, run->replica, err);
  }
  run->offered = pair->pending;
  return status;
}

int
route_offer (struct run *run, bool named, struct tally_error *err)
{
  const struct tally_slice none = { NULL, 0 };
  unsigned char before[REPLICA_ID_SIZE];
  int status;

  run->offered.set = false;
  if (run->link->look)
    return TALLY_OK;
  if (named)
    return offer_known (run, err);
  status = read_note (run->replica, "offer/", run->link->channel->name, before,
                      &run->has_offer, err);
  /* One that may have been taken is not given up. */
  if (status != TALLY_OK || run->has_offer)
    return status;
  pair_draw_token (&run->offered);
  status = write_note (run, "offer/", &none, run->offered.bytes, err);
  run->has_offer = true;
  run->offered.set = status == TALLY_OK;
  return status == TALLY_CONFLICT ? TALLY_OK : status;
}

int
route_recall (struct run *run, struct tally_error *err)
{
  struct pair_token *pending = &run->pair.pending;
  int status;

  if (run->pair.exists)
    return TALLY_OK;
  status = read_note (run->replica, "offer/", run->link->channel->name,
                      pending->bytes, &pending->set, err);
  run->has_offer = pending->set;
  return status;
}

int
route_settle (struct run *run, struct tally_error *err)
{
  char key[KEY_SIZE];

  if (!run->has_offer)
    return TALLY_OK;
  run->has_offer = false;
  make_key ("offer/", run->link->channel->name, key);
  return replica_note_put (run->replica, key, NULL, NULL, err);
}
