/* SPDX-License-Identifier: MIT */
/* Answers hello and rotate: who is there, what the two sides know of each
 * other, and the token that says that nothing of it was lost. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "answer-internal.h"
#include "devices.h"
#include "error.h"
#include "namelist.h"

/* A hello is worth a durable write this often. */
#define CONTACT_MS (10 * 60 * 1000)

static enum wire_verdict
judge (const struct pair *pair, const struct wire_hello *hello,
       const unsigned char self[REPLICA_ID_SIZE])
{
  bool named = hello->expects.size == REPLICA_ID_SIZE
               && memcmp (hello->expects.data, self, REPLICA_ID_SIZE) == 0;

  if (!named)
    return pair->exists && pair->current.set ? WIRE_PAIR_UNNAMED
                                             : WIRE_PAIR_NEW;
  if (pair_token_is (&pair->current, hello->current))
    return WIRE_PAIR_CURRENT;
  if (pair_token_is (&pair->current, hello->pending))
    return WIRE_PAIR_PENDING;
  if (!pair->current.set && hello->current.size == 0)
    return WIRE_PAIR_NEW;
  return WIRE_PAIR_BROKEN;
}

/* A broken pair changes nothing yet: a hello that was held up on its way says
 * the same.  Who mends it comes back under another name; what it had under
 * this one still holds tombstones back, until it is too old. */
static int
keep_contact (struct asked *asked, struct pair *pair,
              enum wire_verdict verdict, bool takes, struct tally_error *err)
{
  uint64_t now = replica_wall_ms (asked->replica);

  if (verdict == WIRE_PAIR_BROKEN)
    return TALLY_OK;
  if (pair->exists && (pair->counts || !takes) && !pair->unsure
      && pair->contact_ms <= now && now - pair->contact_ms < CONTACT_MS)
    return TALLY_OK;
  pair->counts |= takes;
  pair_meet (pair, asked->replica);
  return pair_save (pair, asked->replica, err);
}

/* slices: of the names; free both. */
static int
list_collections (struct asked *asked, struct namelist *names,
                  struct tally_slice **slices, struct tally_error *err)
{
  int status = asked_collections (asked, namelist_emit, names, err);

  if (status != TALLY_OK)
    return status;
  *slices = calloc (names->count + 1, sizeof **slices);
  if (!*slices || names->failed)
    return error_nomem (err);
  for (size_t i = 0; i < names->count; i++)
    (*slices)[i] = slice_text (names->names[i]);
  return TALLY_OK;
}

/* What is remembered of a hello. */
static int
keep_hello (struct asked *asked, const struct wire_hello *hello,
            struct pair *pair, enum wire_verdict verdict,
            struct tally_error *err)
{
  int status = TALLY_OK;

  if (hello->flags & WIRE_HELLO_MENDS) {
    status = identity_renew (asked->replica, err);
    if (status == TALLY_OK)
      status = device_learn_own (asked->replica, asked->device, err);
  }
  if (status == TALLY_OK)
    status = keep_contact (asked, pair, verdict,
                           !(hello->flags & WIRE_HELLO_NO_PULL), err);
  if (status == TALLY_OK && hello->device.size > 0)
    status = device_learn (asked->replica, asked_account (asked),
                           hello->client, hello->device, err);
  return status;
}

/* This store through its own server, or a copy, which takes another name once
 * it hears ours: neither is a peer to be noted.  Under another account the
 * store has other collections, which it may well take. */
static bool
is_ourselves (const struct asked *asked)
{
  return *asked_account (asked) == '\0'
         && memcmp (asked->sender, asked->self, REPLICA_ID_SIZE) == 0;
}

int
answer_hello (struct asked *asked, const struct wire_hello *hello,
              struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_WELCOME };
  struct wire_welcome *welcome = &reply.as.welcome;
  struct namelist names = NAMELIST_INIT;
  struct tally_slice *collections = NULL;
  struct pair pair;
  enum wire_verdict verdict;
  bool ahead = false;
  int status =
      pair_load (&pair, asked->replica, PAIR_SERVER, asked->sender, err);

  if (status != TALLY_OK)
    return status;
  replica_compare_clock (asked->replica, hello->wall_ms);
  answer_skew (asked, hello);
  verdict = judge (&pair, hello, asked->self);
  asked->greeted = true;
  asked->is_new = verdict == WIRE_PAIR_NEW;
  asked->stranger =
      verdict != WIRE_PAIR_CURRENT && verdict != WIRE_PAIR_PENDING;
  if (!(hello->flags & WIRE_HELLO_LOOK) && !is_ourselves (asked))
    status = keep_hello (asked, hello, &pair, verdict, err);
  if (status == TALLY_OK)
    status = answer_repair (asked, hello, &ahead, err);
  if (status == TALLY_OK)
    status = list_collections (asked, &names, &collections, err);
  if (status == TALLY_OK && verdict == WIRE_PAIR_BROKEN)
    status = replica_clients (asked->replica, &welcome->clients,
                              &welcome->n_clients, err);
  if (status == TALLY_OK) {
    welcome->verdict = verdict;
    welcome->flags =
        WIRE_WELCOME_COMPARES | (ahead ? WIRE_WELCOME_AHEAD : 0)
        | (replica_lies_by_id (asked->replica) ? WIRE_WELCOME_BY_ID : 0);
    welcome->wall_ms = replica_wall_ms (asked->replica);
    welcome->client = replica_client (asked->replica);
    welcome->device = slice_text (asked->device);
    welcome->collections = collections;
    welcome->n_collections = names.count;
    wire_encode (asked->reply, &reply);
  }
  free (welcome->clients);
  free (collections);
  namelist_free (&names);
  pair_free (&pair);
  return status;
}

int
answer_rotate (struct asked *asked, const struct wire_rotate *rotate,
               struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_ROTATED };
  struct pair pair;
  int status =
      pair_load (&pair, asked->replica, PAIR_SERVER, asked->sender, err);

  if (status != TALLY_OK)
    return status;
  /* The transport may have delivered this twice. */
  if (!pair_token_is (&pair.current, rotate->next)) {
    bool same = pair.current.set
                    ? pair_token_is (&pair.current, rotate->expected)
                    : rotate->expected.size == 0;

    if (!pair.exists || !same)
      status = error_set (err, TALLY_AGAIN,
                          "another sync with this peer "
                          "is running");
    else {
      memcpy (pair.current.bytes, rotate->next.data, WIRE_TOKEN_SIZE);
      pair.current.set = true;
      pair_meet (&pair, asked->replica);
      status = pair_save (&pair, asked->replica, err);
    }
  }
  if (status == TALLY_OK)
    wire_encode (asked->reply, &reply);
  pair_free (&pair);
  return status;
}
