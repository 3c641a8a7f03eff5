/* SPDX-License-Identifier: MIT */
/* Answers hello, get and rotate; meta is in answer-meta.c, put in
 * answer-put.c. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "answer-internal.h"
#include "devices.h"
#include "doclist.h"
#include "document.h"
#include "error.h"
#include "forget.h"

/* Of a reply to a hello, with what is answered behind it. */
#define HELLO_REPLY_MAX ((size_t) 1 << 20)

/* A hello is worth a durable write this often. */
#define CONTACT_MS (10 * 60 * 1000)

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

/* ---- hello -------------------------------------------------------------- */

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

struct names {
  struct tally_slice *items;
  size_t n;
  struct arena arena;
  bool failed;
};

static int
collect_name (void *ctx, const char *name)
{
  struct names *names = ctx;
  struct tally_slice *items;
  char *copy;

  items = realloc (names->items, (names->n + 1) * sizeof *items);
  if (items)
    names->items = items;
  copy = arena_add (&names->arena, name, strlen (name));
  names->failed = !items || !copy;
  if (!names->failed)
    names->items[names->n++] = slice_make (copy, strlen (name));
  return names->failed;
}

static int
collect_names (struct asked *asked, struct names *names,
               struct tally_error *err)
{
  int status = asked_collections (asked, collect_name, names, err);

  if (status == TALLY_OK && names->failed)
    status = error_nomem (err);
  return status;
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
  return is_default (asked->account)
         && memcmp (asked->sender, asked->self, REPLICA_ID_SIZE) == 0;
}

static int
answer_hello (struct asked *asked, const struct wire_hello *hello,
              struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_WELCOME };
  struct wire_welcome *welcome = &reply.as.welcome;
  struct names names = { 0 };
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
    status = collect_names (asked, &names, err);
  if (status == TALLY_OK && verdict == WIRE_PAIR_BROKEN)
    status = replica_clients (asked->replica, &welcome->clients,
                              &welcome->n_clients, err);
  if (status == TALLY_OK) {
    welcome->verdict = verdict;
    welcome->flags = WIRE_WELCOME_COMPARES | (ahead ? WIRE_WELCOME_AHEAD : 0);
    welcome->wall_ms = replica_wall_ms (asked->replica);
    welcome->client = replica_client (asked->replica);
    welcome->device = slice_text (asked->device);
    welcome->collections = names.items;
    welcome->n_collections = names.n;
    wire_encode (asked->reply, &reply);
  }
  free (welcome->clients);
  free (names.items);
  arena_free (&names.arena);
  pair_free (&pair);
  return status;
}

/* ---- get ---------------------------------------------------------------- */

struct taken {
  struct doclist docs;
  bool bare; /* without bodies */
  bool full;
};

static int
collect_doc (void *ctx, const struct tally_doc *doc)
{
  struct taken *taken = ctx;
  struct tally_doc given = *doc;

  if (taken->bare)
    given.body = slice_make (NULL, 0);
  if (taken->docs.count > 0
      && taken->docs.bytes + given.body.size + given.meta.size
             > WIRE_BYTES_MAX) {
    taken->full = true;
    return 1;
  }
  return !doclist_add (&taken->docs, &given);
}

/* Every id up to the last document that fitted is answered, and the ids
 * behind it that are not there are asked again at no great cost. */
static size_t
count_answered (const struct wire_get *get, const struct taken *taken)
{
  size_t at = 0, answered = 0;

  if (!taken->full)
    return get->n;
  for (size_t i = 0; i < get->n; i++)
    if (doclist_next_if (&taken->docs, &at, get->ids[i]))
      answered = i + 1;
  return answered;
}

/* Who asks for what was deleted here, and that is forgotten, hears of it. */
static int
fill_graves (struct asked *asked, const char *collection,
             const struct wire_get *get, size_t n, struct taken *taken,
             struct tally_error *err)
{
  uint64_t floor = 0;
  int status = TALLY_OK;

  if (taken->docs.count < n)
    status = forget_floor (asked->replica, collection, &floor, err);
  if (status != TALLY_OK || floor == 0)
    return status;
  return graves_fill (&taken->docs, asked->replica, collection, get->ids, n,
                      taken->bare ? TALLY_GET_META : TALLY_GET_BODY, err);
}

static int
answer_get (struct asked *asked, const struct wire_get *get,
            struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_DOCS };
  struct taken taken = { .bare = get->flags & WIRE_GET_META };
  char collection[COLLECTION_TEXT_MAX];
  size_t answered;
  int status = asked_collection (asked, get->collection, collection, err);

  if (status == TALLY_OK)
    status = replica_get (asked->replica, collection, get->ids, get->n,
                          taken.bare ? TALLY_GET_META
                                     : TALLY_GET_BODY | TALLY_GET_PART,
                          collect_doc, &taken, err);
  if (status == TALLY_OK && taken.docs.failed)
    status = error_nomem (err);
  answered = count_answered (get, &taken);
  if (status == TALLY_OK)
    status = fill_graves (asked, collection, get, answered, &taken, err);
  if (status == TALLY_OK) {
    reply.as.docs.docs = taken.docs.docs;
    reply.as.docs.n = taken.docs.count;
    reply.as.docs.answered = answered;
    wire_encode (asked->reply, &reply);
  }
  doclist_free (&taken.docs);
  return status;
}

/* ---- rotate ------------------------------------------------------------- */

static int
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
