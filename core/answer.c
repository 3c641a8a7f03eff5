/* SPDX-License-Identifier: MIT */
/* A frame of requests becomes one of replies, and what an account sees of the
 * store is told from what it does not.  Each message has a file of its own:
 * answer-hello.c and so on. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "answer-internal.h"
#include "document.h"
#include "error.h"

/* Of a reply to a hello, with what is answered behind it. */
#define HELLO_REPLY_MAX ((size_t) 1 << 20)

/* ---- accounts ----------------------------------------------------------- */

static bool
is_default (const char *account)
{
  return strcmp (account, ACCOUNT_DEFAULT) == 0;
}

const char *
asked_account (const struct asked *asked)
{
  return is_default (asked->account) ? "" : asked->account;
}

int
asked_collection (const struct asked *asked, struct tally_slice name,
                  char out[COLLECTION_TEXT_MAX], struct tally_error *err)
{
  const char *account = asked->account;
  char plain[COLLECTION_NAME_MAX + 2];
  int status;

  if (name.size > COLLECTION_NAME_MAX || memchr (name.data, 0, name.size))
    return error_set (err, TALLY_INVALID,
                      "the name of a collection is too "
                      "long");
  memcpy (plain, name.data, name.size);
  plain[name.size] = '\0';
  status = collection_check (plain, err);
  if (status != TALLY_OK)
    return status;
  if (collection_is_local (plain))
    return error_set (err, TALLY_DENIED,
                      "collection \"%s\": is local and "
                      "never syncs",
                      plain);
  snprintf (out, COLLECTION_TEXT_MAX, "%s%s%s",
            is_default (account) ? "" : account,
            is_default (account) ? "" : ":", plain);
  return TALLY_OK;
}

/* Each account meets another replica, so that one client with two accounts
 * has two pairs. */
static void
scoped_id (unsigned char out[REPLICA_ID_SIZE],
           const unsigned char id[REPLICA_ID_SIZE], const char *account)
{
  crypto_generichash_state hash;

  memcpy (out, id, REPLICA_ID_SIZE);
  if (is_default (account))
    return;
  crypto_generichash_init (&hash, id, REPLICA_ID_SIZE, REPLICA_ID_SIZE);
  crypto_generichash_update (&hash, (const unsigned char *) account,
                             strlen (account));
  crypto_generichash_final (&hash, out, REPLICA_ID_SIZE);
}

struct scope {
  const char *prefix; /* ACCOUNT: or "" */
  tally_emit_name *emit;
  void *ctx;
};

static int
emit_scoped (void *ctx, const char *name)
{
  const struct scope *scope = ctx;
  size_t skip = strlen (scope->prefix);

  if (strncmp (name, scope->prefix, skip) != 0)
    return 0;
  name += skip;
  if (strchr (name, ':') || collection_is_local (name))
    return 0;
  return scope->emit (scope->ctx, name);
}

int
asked_collections (struct asked *asked, tally_emit_name *emit, void *ctx,
                   struct tally_error *err)
{
  char prefix[COLLECTION_TEXT_MAX] = "";
  struct scope scope = { prefix, emit, ctx };

  if (!is_default (asked->account))
    snprintf (prefix, sizeof prefix, "%s:", asked->account);
  return replica_collections (asked->replica, emit_scoped, &scope, err);
}

/* ---- frames ------------------------------------------------------------- */

static int
answer_message (struct asked *asked, const struct wire_message *message,
                struct tally_error *err)
{
  switch (message->type) {
  case WIRE_HELLO:
    return answer_hello (asked, &message->as.hello, err);
  case WIRE_META:
    return answer_meta (asked, &message->as.meta, err);
  case WIRE_GET:
    return answer_get (asked, &message->as.get, err);
  case WIRE_PUT:
    return answer_put (asked, &message->as.put, err);
  case WIRE_ROTATE:
    return answer_rotate (asked, &message->as.rotate, err);
  case WIRE_NAMES:
    return answer_names (asked, &message->as.names, err);
  case WIRE_WAIT:
    return answer_wait (asked, &message->as.wait, err);
  case WIRE_COMPARE:
    return answer_compare (asked, &message->as.compare, err);
  case WIRE_FETCH:
    return answer_fetch (asked, &message->as.fetch, err);
  default:
    return error_set (err, TALLY_INVALID,
                      "a reply where a request should "
                      "be");
  }
}

static void
add_failure (struct buf *reply, const struct tally_error *why)
{
  struct wire_message message = { .type = WIRE_FAILURE };

  message.as.failure.status = why->status;
  message.as.failure.text = slice_text (why->text);
  wire_encode (reply, &message);
}

/* What rides behind a hello is a guess: it is answered as far as it fits.  Who
 * was never here may compare. */
static bool
is_enough (const struct asked *asked, enum wire_type type)
{
  return asked->greeted
         && ((asked->stranger && !(asked->is_new && type == WIRE_COMPARE))
             || asked->reply->size > HELLO_REPLY_MAX);
}

/* The first message that fails ends the frame: what follows was built on
 * it. */
static void
answer_messages (struct asked *asked, struct tally_slice rest)
{
  struct tally_error why = { 0 };
  struct wire_message message;
  int status;

  for (size_t n = 0;; n++) {
    size_t before = asked->reply->size;

    status = wire_decode (&message, &rest, &why);
    if (status == TALLY_NOTFOUND)
      return;
    if (status == TALLY_OK && is_enough (asked, message.type)) {
      wire_message_free (&message);
      return;
    }
    if (status == TALLY_OK) {
      status = answer_message (asked, &message, &why);
      wire_message_free (&message);
    }
    /* What comes with others is answered once. */
    if (n > 0)
      asked->wait_ms = 0;
    if (status == TALLY_OK)
      continue;
    asked->reply->size = before;
    add_failure (asked->reply, &why);
    return;
  }
}

int
answer_patiently (const struct answer *answer, const char *account,
                  struct tally_slice frame, struct buf *reply,
                  uint64_t *wait_ms, struct tally_error *err)
{
  struct asked asked = { .replica = answer->replica,
                         .device = answer->device,
                         .account = account,
                         .reply = reply };
  struct tally_error why = { 0 };
  unsigned char sender[REPLICA_ID_SIZE];
  struct tally_slice rest;
  int status;

  replica_id (answer->replica, asked.self);
  scoped_id (asked.self, asked.self, account);
  buf_clear (reply);
  wire_start (reply, asked.self);
  status = wire_open (&rest, sender, frame, &why);
  if (status == TALLY_OK)
    status = wire_unseal (&rest, frame, &why);
  if (status == TALLY_OK) {
    scoped_id (asked.sender, sender, account);
    answer_messages (&asked, rest);
  } else
    add_failure (reply, &why);
  wire_seal (reply);
  *wait_ms = asked.wait_ms;
  return reply->failed ? error_nomem (err) : TALLY_OK;
}

int
answer_frame (const struct answer *answer, const char *account,
              struct tally_slice frame, struct buf *reply,
              struct tally_error *err)
{
  uint64_t wait_ms;

  return answer_patiently (answer, account, frame, reply, &wait_ms, err);
}
