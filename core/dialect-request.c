/* SPDX-License-Identifier: MIT */
/* The members that a request has. */

#include <config.h>

#include <string.h>

#include "dialect-internal.h"
#include "error.h"
#include "json.h"

/* What is not documents is short. */
#define VALUE_MAX 8192

/* Checks a short value and makes it canonical. */
static int
read_short (struct buf *out, struct tally_slice value, const char *name,
            enum json_type type, struct tally_error *err)
{
  if (value.size > VALUE_MAX)
    return error_set (err, TALLY_INVALID, "%s: is too long", name);
  if (json_canonical (out, value.data, value.size, err) != TALLY_OK)
    return error_set (err, err->status, "%s: %s", name, err->text);
  if (json_type (buf_slice (out)) == type)
    return TALLY_OK;
  return error_set (err, TALLY_INVALID, "%s: is not %s", name,
                    type == JSON_STRING ? "a string" : "true or false");
}

/* The string with a NUL behind it, and none in it. */
static int
read_text (struct buf *out, struct tally_slice value, const char *name,
           struct tally_error *err)
{
  struct buf canonical = BUF_INIT;
  int status = read_short (&canonical, value, name, JSON_STRING, err);

  if (status == TALLY_OK && out->size > 0)
    status = error_set (err, TALLY_INVALID, "%s: is there twice", name);
  if (status == TALLY_OK) {
    json_decode_string (out, buf_slice (&canonical));
    if (out->size > 0 && memchr (out->data, 0, out->size))
      status = error_set (err, TALLY_INVALID, "%s: has a NUL in it", name);
    buf_add_byte (out, '\0');
    if (out->failed)
      status = error_nomem (err);
  }
  buf_free (&canonical);
  return status;
}

static int
read_array (struct tally_slice *out, struct tally_slice value,
            const char *name, struct tally_error *err)
{
  if (out->data)
    return error_set (err, TALLY_INVALID, "%s: is there twice", name);
  if (*value.data != '[')
    return error_set (err, TALLY_INVALID, "%s: is not an array", name);
  *out = value;
  return TALLY_OK;
}

static int
read_all (struct dialect_request *out, struct tally_slice value,
          struct tally_error *err)
{
  struct buf canonical = BUF_INIT;
  int status = read_short (&canonical, value, "all", JSON_BOOL, err);

  if (status == TALLY_OK)
    out->all = *canonical.data == 't';
  buf_free (&canonical);
  return status;
}

static bool
is_null (struct tally_slice value)
{
  return slice_equal (value, slice_text ("null"));
}

/* What is null is not there, and what nobody knows is passed over. */
static int
read_member (void *ctx, struct tally_slice key, struct tally_slice value,
             struct tally_error *err)
{
  struct dialect_request *out = ctx;

  if (is_null (value))
    return TALLY_OK;
  if (slice_equal (key, slice_text ("\"authKey\""))) {
    int status = read_text (&out->key, value, "authKey", err);

    out->has_key = status == TALLY_OK;
    return status;
  }
  if (slice_equal (key, slice_text ("\"collection\"")))
    return read_text (&out->collection, value, "collection", err);
  if (slice_equal (key, slice_text ("\"ids\"")))
    return read_array (&out->ids, value, "ids", err);
  if (slice_equal (key, slice_text ("\"changes\"")))
    return read_array (&out->changes, value, "changes", err);
  if (slice_equal (key, slice_text ("\"all\"")))
    return read_all (out, value, err);
  return TALLY_OK;
}

int
dialect_request_read (struct dialect_request *out, struct tally_slice text,
                      struct tally_error *err)
{
  int status;

  memset (out, 0, sizeof *out);
  status = envelope_members (text, read_member, out, err);
  if (status == TALLY_OK && out->collection.size == 0)
    status = error_set (err, TALLY_INVALID, "collection: is missing");
  return status;
}

void
dialect_request_free (struct dialect_request *request)
{
  buf_free (&request->key);
  buf_free (&request->collection);
  memset (request, 0, sizeof *request);
}
