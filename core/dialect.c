/* SPDX-License-Identifier: MIT */
/* Who asks for what, and the answer's frame.  An answer is a whole collection
 * if that was asked for, as the protocol has it: so what all of them take is
 * bounded here. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "answer-internal.h"
#include "dialect-internal.h"
#include "error.h"
#include "json.h"
#include "mtime.h"

/* Replies are accounted for in steps of this. */
#define STEP ((size_t) 1 << 20)
/* A contact is worth a durable write this often, and so is the journal. */
#define CONTACT_MS (10 * 60 * 1000)

static const struct method {
  const char *name;
  int (*answer) (struct dialect_call *call, struct tally_error *err);
} methods[] = { { DIALECT_META, dialect_meta },
                { DIALECT_GET, dialect_get },
                { DIALECT_PUT, dialect_put } };

static const struct method *
find_method (const char *path)
{
  size_t skip = strlen (DIALECT_PATH);

  if (strncmp (path, DIALECT_PATH, skip) != 0)
    return NULL;
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp (path + skip, methods[i].name) == 0)
      return &methods[i];
  return NULL;
}

bool
dialect_has_path (const char *path)
{
  return find_method (path) != NULL;
}

/* ---- memory ------------------------------------------------------------- */

int
dialect_room (struct dialect_call *call, struct tally_error *err)
{
  struct dialect *dialect = call->dialect;
  bool fits;

  if (call->reply.failed)
    return error_nomem (err);
  if (call->reply.size <= call->reserved)
    return TALLY_OK;
  if (call->reply.size > DIALECT_REPLIES_MAX) {
    call->code = DIALECT_TOO_LARGE;
    return error_set (err, TALLY_INVALID,
                      "the answer is too large: ask for fewer ids at once");
  }
  pthread_mutex_lock (&dialect->lock);
  while (call->reserved < call->reply.size
         && dialect->held + STEP <= DIALECT_REPLIES_MAX) {
    dialect->held += STEP;
    call->reserved += STEP;
  }
  fits = call->reserved >= call->reply.size;
  pthread_mutex_unlock (&dialect->lock);
  return fits ? TALLY_OK
              : error_set (err, TALLY_AGAIN,
                           "too many large answers at once: try again");
}

static void
give_back (struct dialect_call *call)
{
  pthread_mutex_lock (&call->dialect->lock);
  call->dialect->held -= call->reserved;
  pthread_mutex_unlock (&call->dialect->lock);
  buf_free (&call->reply);
}

/* ---- the collection ----------------------------------------------------- */

int
dialect_register (struct dialect_call *call, struct tally_error *err)
{
  static const unsigned char who[] = "dialect clients";
  struct replica *replica = call->dialect->setup.replica;
  uint64_t now = replica_wall_ms (replica);
  unsigned char id[REPLICA_ID_SIZE];
  struct pair pair;
  int status;

  crypto_generichash (id, sizeof id, (const unsigned char *) call->account,
                      strlen (call->account), who, sizeof who - 1);
  status = pair_load (&pair, replica, PAIR_SERVER, id, err);
  if (status != TALLY_OK)
    return status;
  if (!pair_cursor (&pair, call->collection) || pair.contact_ms > now
      || now - pair.contact_ms >= CONTACT_MS) {
    pair.counts = true;
    pair.contact_ms = now;
    status = pair_cursor (&pair, call->collection)
                     || pair_set_cursor (&pair, call->collection, 0, "")
                 ? pair_save (&pair, replica, err)
                 : error_nomem (err);
    /* Somebody else is as new as we are, and the next call sees to it. */
    if (status == TALLY_AGAIN)
      status = TALLY_OK;
  }
  pair_free (&pair);
  return status;
}

static int
admit (struct dialect_call *call, struct tally_error *err)
{
  const struct dialect_setup *setup = &call->dialect->setup;
  struct asked asked = { .replica = setup->replica, .account = call->account };
  int status;

  if (!accounts_find (setup->accounts,
                      call->asked.has_key ? call->asked.key.data : NULL,
                      call->account)) {
    call->code = DIALECT_DENIED;
    return error_set (err, TALLY_DENIED, "wrong or no authKey");
  }
  status = asked_collection (&asked,
                             slice_make (call->asked.collection.data,
                                         call->asked.collection.size - 1),
                             call->collection, err);
  return status == TALLY_OK ? mtime_show (setup->replica, err) : status;
}

/* ---- answers ------------------------------------------------------------ */

static enum dialect_code
code_of (int status)
{
  switch (status) {
  case TALLY_INVALID:
  case TALLY_UNSUPPORTED:
    return DIALECT_BAD_REQUEST;
  case TALLY_DENIED:
    return DIALECT_FORBIDDEN;
  case TALLY_AGAIN:
  case TALLY_CONFLICT:
  case TALLY_CANCELLED:
    return DIALECT_BUSY;
  default:
    return DIALECT_FAILED;
  }
}

static void
write_error (struct dialect_call *call, const struct tally_error *why)
{
  enum dialect_code code = call->code ? call->code : code_of (why->status);

  buf_free (&call->reply);
  buf_addf (&call->reply,
            "{\"error\":{\"code\":%u,\"message\":", (unsigned) code);
  json_encode_string (&call->reply, slice_text (why->text));
  buf_add_text (&call->reply, "}}");
}

static void
send_reply (struct dialect_call *call, dialect_reply_fn *reply, void *to)
{
  static const char no_memory[] =
      "{\"error\":{\"code\":500,\"message\":\"out of memory\"}}";
  struct tally_response response = { .size = sizeof response, .code = 200 };

  response.content_type = DIALECT_CONTENT_TYPE;
  response.body =
      call->reply.failed ? slice_text (no_memory) : buf_slice (&call->reply);
  reply (to, &response);
}

void
dialect_answer (struct dialect *dialect, const struct tally_request *request,
                dialect_reply_fn *reply, void *to)
{
  const struct method *method = find_method (request->path);
  struct dialect_call call = { .dialect = dialect };
  struct tally_error why = { 0 };
  int status = dialect_request_read (&call.asked, request->body, &why);

  if (status == TALLY_OK)
    status = admit (&call, &why);
  if (status == TALLY_OK) {
    buf_add_text (&call.reply, "{\"result\":");
    status = method->answer (&call, &why);
    buf_add_byte (&call.reply, '}');
  }
  if (status == TALLY_OK)
    status = dialect_room (&call, &why);
  if (status != TALLY_OK)
    write_error (&call, &why);
  dialect_request_free (&call.asked);
  send_reply (&call, reply, to);
  give_back (&call);
}

/* ---- from outside ------------------------------------------------------- */

int
dialect_new (struct dialect **out, const struct dialect_setup *setup,
             struct tally_error *err)
{
  struct dialect *dialect = calloc (1, sizeof *dialect);

  *out = dialect;
  if (!dialect)
    return error_nomem (err);
  dialect->setup = *setup;
  pthread_mutex_init (&dialect->lock, NULL);
  return TALLY_OK;
}

void
dialect_free (struct dialect *dialect)
{
  if (!dialect)
    return;
  pthread_mutex_destroy (&dialect->lock);
  free (dialect);
}
