/* SPDX-License-Identifier: MIT */
/* One call of a server of the dialect. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "envelope.h"
#include "error.h"
#include "json.h"
#include "mirror.h"
#include "notejson.h"

/* An error is short, or is not shown. */
#define ERROR_MAX 8192

void
mirror_begin (struct mirror *mirror, const char *collection)
{
  struct buf *out = &mirror->request;

  buf_clear (out);
  buf_add_text (out, "{\"authKey\":");
  if (mirror->key)
    json_encode_string (out, slice_text (mirror->key));
  else
    buf_add_text (out, "null");
  buf_addf (out, ",\"collection\":\"%s\"", collection);
}

int
mirror_strange (const struct mirror *mirror, struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "%s: answered something else than was asked",
                    mirror->far->name);
}

struct members {
  struct tally_slice result, error;
};

static int
keep_member (void *ctx, struct tally_slice key, struct tally_slice value,
             struct tally_error *err)
{
  struct members *members = ctx;

  (void) err;
  if (slice_equal (key, slice_text ("\"result\"")))
    members->result = value;
  else if (slice_equal (key, slice_text ("\"error\""))
           && !slice_equal (value, slice_text ("null")))
    members->error = value;
  return TALLY_OK;
}

/* Codes are those that tally gives (dialect.h); others mean what they like. */
static int
status_of (struct tally_slice error)
{
  struct tally_slice code;
  uint64_t number;

  if (!json_find_member (error, slice_text ("code"), &code)
      || !note_number (code, &number))
    return TALLY_INVALID;
  switch (number) {
  case DIALECT_DENIED:
  case DIALECT_FORBIDDEN:
    return TALLY_DENIED;
  case DIALECT_CLOCK:
  case DIALECT_BUSY:
    return TALLY_AGAIN;
  case DIALECT_FAILED:
    return TALLY_FAILED;
  default:
    return TALLY_INVALID;
  }
}

/* {"message","code"}, or just a text. */
static int
far_error (struct mirror *mirror, struct tally_slice given,
           struct tally_error *err)
{
  struct buf error = BUF_INIT, text = BUF_INIT;
  struct tally_slice message = { NULL, 0 };
  struct tally_error ignored;
  int status = TALLY_INVALID;

  mirror->refused = true;
  if (given.size <= ERROR_MAX
      && json_canonical (&error, given.data, given.size, &ignored)
             == TALLY_OK) {
    if (json_type (buf_slice (&error)) == JSON_STRING)
      message = buf_slice (&error);
    else if (json_type (buf_slice (&error)) == JSON_OBJECT) {
      status = status_of (buf_slice (&error));
      json_find_member (buf_slice (&error), slice_text ("message"), &message);
    }
  }
  if (!message.data || !json_decode_string (&text, message))
    buf_add_text (&text, "the server refuses");
  error_set (err, status, "%s: %.*s", mirror->far->name, (int) text.size,
             text.data);
  buf_free (&text);
  buf_free (&error);
  return status;
}

int
mirror_call (struct mirror *mirror, const char *method,
             struct tally_slice *result, struct tally_error *err)
{
  struct members members = { { NULL, 0 }, { NULL, 0 } };
  char path[64];
  int status;

  mirror->refused = false;
  buf_add_byte (&mirror->request, '}');
  if (mirror->request.failed)
    return error_nomem (err);
  snprintf (path, sizeof path, "%s%s", DIALECT_PATH, method);
  status = channel_post (mirror->far, path, DIALECT_CONTENT_TYPE,
                         buf_slice (&mirror->request), &mirror->reply,
                         &mirror->traffic, err);
  if (status != TALLY_OK)
    return status;
  mirror->round_trips++;
  status = envelope_members (buf_slice (&mirror->reply), keep_member, &members,
                             err);
  if (status != TALLY_OK)
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: no server of the dialect answers there: %s",
                      mirror->far->name, err->text);
  if (members.error.data)
    return far_error (mirror, members.error, err);
  *result = members.result;
  return members.result.data ? TALLY_OK : mirror_strange (mirror, err);
}
