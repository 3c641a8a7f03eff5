/* SPDX-License-Identifier: MIT */
/* What a head may hold, before a byte of the body is read.  libmicrohttpd
 * trusts heads more than we do. */

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "http-server.h"
#include "http-zstd.h"

struct head {
  struct tally_request *request;
  uint64_t length;
  unsigned lengths;
  unsigned encodings;
  unsigned hosts;
  unsigned credentials;
  const char *encoding; /* of the body, or NULL */
  const char *accepts;
  bool bad;
};

bool
http_number (const char *text, uint64_t *number)
{
  uint64_t value = 0;

  if (!*text || strlen (text) > 18)
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9')
      return false;
    value = value * 10 + (uint64_t) (*text - '0');
  }
  *number = value;
  return true;
}

static const char *
head_bearer (const char *text)
{
  if (strncasecmp (text, "bearer ", 7) != 0)
    return NULL;
  text += 7;
  while (*text == ' ')
    text++;
  return *text ? text : NULL;
}

/* A white space before the colon, or a NUL in a value, would be read
 * differently by a proxy in front of us. */
static enum MHD_Result
head_line (void *ctx, enum MHD_ValueKind kind, const char *name,
           size_t name_size, const char *value, size_t value_size)
{
  struct head *head = ctx;
  size_t i;

  (void) kind;
  if (!value)
    value = "";
  if (strlen (name) != name_size || strlen (value) != value_size)
    head->bad = true;
  for (i = 0; i < name_size; i++)
    if ((unsigned char) name[i] <= ' ')
      head->bad = true;

  if (strcasecmp (name, "Content-Length") == 0) {
    head->lengths++;
    if (!http_number (value, &head->length))
      head->bad = true;
  } else if (strcasecmp (name, "Transfer-Encoding") == 0) {
    head->encodings++;
    if (strcasecmp (value, "chunked") != 0)
      head->bad = true;
  } else if (strcasecmp (name, "Authorization") == 0) {
    head->credentials++;
    head->request->credential = head_bearer (value);
  } else if (strcasecmp (name, "Host") == 0) {
    head->hosts++;
    head->request->host = value;
  } else if (strcasecmp (name, "Content-Encoding") == 0)
    head->encoding = value;
  else if (strcasecmp (name, "Accept-Encoding") == 0)
    head->accepts = value;
  else if (strcasecmp (name, "Origin") == 0)
    head->request->origin = value;
  else if (strcasecmp (name, "Content-Type") == 0)
    head->request->content_type = value;
  return MHD_YES;
}

/* The refusal that the head deserves, before a byte of the body is read.  A
 * body not far above the limit is let in and thrown away (http_body_append):
 * closing while a client still sends can destroy the reply on its way. */
const struct refusal *
http_head_check (struct call *call)
{
  struct head head = { .request = &call->request };

  MHD_get_connection_values_n (call->connection, MHD_HEADER_KIND, head_line,
                               &head);
  if (head.bad || head.lengths + head.encodings > 1 || head.hosts > 1
      || head.credentials > 1)
    return &http_bad_head;
  if (head.length / 2 > call->server->max_request)
    return &http_too_large;
  if (head.encoding
      && (!http_zstd_here () || strcasecmp (head.encoding, "zstd") != 0))
    return &http_bad_encoding;
  call->packed = head.encoding != NULL;
  call->takes_packed =
      http_zstd_here () && head.accepts && http_zstd_named (head.accepts);
  call->length = head.length;
  return NULL;
}
