/* SPDX-License-Identifier: MIT */
/* The http driver's client, over libcurl.  Any thread may call; each call
 * takes an easy handle from a small pool, so that links that share a section
 * do not wait for each other. */

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "http-client.h"
#include "http-zstd.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

/* libcurl counts its inits, so this one stays until the process ends.  When
 * it fails, so does curl_easy_init. */
static void
client_init_curl (void)
{
  curl_global_init (CURL_GLOBAL_DEFAULT);
}

/* ---- one exchange ------------------------------------------------------- */

static bool
client_add_header (struct curl_slist **headers, const char *line)
{
  struct curl_slist *longer = curl_slist_append (*headers, line);

  if (!longer)
    return false;
  *headers = longer;
  return true;
}

/* A name with nothing behind its colon takes out what libcurl would add. */
static bool
client_headers (const struct http_client *client,
                const struct tally_request *request, bool packed,
                struct curl_slist **headers)
{
  const char *type = request->content_type;
  char *line =
      http_join ("Content-Type:", type ? " " : "", type ? type : "", "");
  bool good = line && client_add_header (headers, line)
              && client_add_header (headers, "Accept:")
              && client_add_header (headers, "Expect:");

  if (good && client->authorization)
    good = client_add_header (headers, client->authorization);
  if (good && client->zstd)
    good = client_add_header (headers, "Accept-Encoding: zstd");
  if (good && packed)
    good = client_add_header (headers, "Content-Encoding: zstd");
  free (line);
  return good;
}

/* A header of the last reply, or NULL. */
static const char *
reply_header (CURL *curl, const char *name)
{
  struct curl_header *header;

  if (curl_easy_header (curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
    return NULL;
  return header->value;
}

/* Puts what was packed into the place of it. */
static int
client_unpack (const struct http_client *client, CURL *curl,
               struct attempt *attempt, struct tally_error *err)
{
  const char *encoding = reply_header (curl, "Content-Encoding");
  enum http_unpacked unpacked = HTTP_UNPACKED_BAD;
  char *data = NULL;
  size_t size = 0;

  if (!encoding || (attempt->size == 0 && client->zstd))
    return TALLY_OK;
  if (client->zstd && strcasecmp (encoding, "zstd") == 0)
    unpacked = http_zstd_unpack (attempt->data, attempt->size,
                                 client->max_reply, &data, &size);
  if (unpacked == HTTP_UNPACKED_LARGE)
    return http_fail (err, TALLY_FAILED, "%s: reply is larger than max_reply",
                      client->origin);
  if (unpacked != HTTP_UNPACKED)
    return http_fail (err, TALLY_FAILED,
                      "%s: reply is packed in a way that cannot be unpacked",
                      client->origin);
  free (attempt->data);
  attempt->data = data;
  attempt->size = size;
  return TALLY_OK;
}

static void
client_emit (CURL *curl, const struct attempt *attempt,
             tally_emit_response *emit, void *ctx)
{
  struct tally_response response = { .size = sizeof response };
  char *type = NULL;
  long code = 0;

  curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, &code);
  curl_easy_getinfo (curl, CURLINFO_CONTENT_TYPE, &type);
  response.code = (unsigned) code;
  response.content_type = type;
  response.body.data = attempt->data;
  response.body.size = attempt->size;
  emit (ctx, &response);
}

/* *again: the server does not know what was packed, and it is to be sent as it
 * is.  One that unpacks says so in each reply. */
static int
client_send (struct http_client *client, const struct tally_request *request,
             bool packed, tally_emit_response *emit, void *ctx,
             struct tally_traffic *traffic, bool *again,
             struct tally_error *err)
{
  struct attempt attempt = { .client = client, .traffic = traffic };
  struct curl_slist *headers = NULL;
  char *url = http_join (client->base, request->path, "", "");
  CURL *curl = http_curl_take (client);
  const char *takes;
  int status;

  *again = false;
  if (!url || !curl || !client_headers (client, request, packed, &headers)
      || !http_curl_prepare (curl, request, url, headers, &attempt)) {
    status =
        http_fail (err, TALLY_FAILED, "%s: out of memory", client->origin);
    goto out;
  }

  status = http_perform (client, curl, &attempt, err);
  if (status == TALLY_OK && client->zstd) {
    takes = reply_header (curl, "Accept-Encoding");
    atomic_store (&client->far_unpacks, takes && http_zstd_named (takes));
    *again = packed && !atomic_load (&client->far_unpacks);
  }
  if (status == TALLY_OK && !*again)
    status = client_unpack (client, curl, &attempt, err);
  if (status == TALLY_OK && !*again)
    client_emit (curl, &attempt, emit, ctx);

out:
  if (curl)
    http_curl_give_back (client, curl);
  curl_slist_free_all (headers);
  free (attempt.data);
  free (url);
  return status;
}

int
http_client_exchange (struct http_client *client,
                      const struct tally_request *request,
                      tally_emit_response *emit, void *ctx,
                      struct tally_traffic *traffic, struct tally_error *err)
{
  struct tally_request packed = *request;
  const char *type = request->content_type;
  char *body = NULL;
  bool again = true;
  int status = TALLY_OK;

  if (!request->verb || !request->path || request->path[0] != '/'
      || !http_is_plain (request->verb) || !http_is_plain (request->path)
      || (type && strpbrk (type, "\r\n")))
    return http_fail (err, TALLY_INVALID, "%s: request is malformed",
                      client->origin);

  if (client->zstd && atomic_load (&client->far_unpacks))
    body = http_zstd_pack (request->body.data, request->body.size,
                           &packed.body.size);
  if (body) {
    packed.body.data = body;
    status =
        client_send (client, &packed, true, emit, ctx, traffic, &again, err);
    free (body);
  }
  if (status == TALLY_OK && again)
    status =
        client_send (client, request, false, emit, ctx, traffic, &again, err);
  return status;
}

/* ---- making one --------------------------------------------------------- */

int
http_client_new (struct http_client **out, const struct tally_host *host,
                 const struct tally_value *values, struct tally_error *err)
{
  const char *token = values[HTTP_TOKEN].text;
  const char *ca_file = values[HTTP_CA_FILE].text;
  const char *compress = values[HTTP_COMPRESS].text;
  struct http_client *client;
  int status;

  if (token && (!*token || !http_is_plain (token)))
    return http_fail (err, TALLY_INVALID,
                      "http: token is empty or holds a "
                      "character that cannot be sent");

  pthread_once (&curl_once, client_init_curl);
  client = calloc (1, sizeof *client);
  if (!client || pthread_mutex_init (&client->lock, NULL) != 0) {
    free (client);
    return http_fail (err, TALLY_FAILED, "http: out of memory");
  }

  client->host = host;
  client->timeout_ms = (long) values[HTTP_TIMEOUT].number;
  client->retries = (unsigned) values[HTTP_RETRIES].number;
  client->max_reply = (size_t) values[HTTP_MAX_REPLY].number;
  client->zstd = compress && strcmp (compress, "zstd") == 0;
  atomic_init (&client->far_unpacks, false);
  status = http_url_parse (client, values[HTTP_URL].text, err);
  if (status == TALLY_OK && token)
    client->authorization =
        http_join ("Authorization: Bearer ", token, "", "");
  if (status == TALLY_OK && ca_file)
    client->ca_file = http_join (ca_file, "", "", "");
  if (status == TALLY_OK
      && ((token && !client->authorization) || (ca_file && !client->ca_file)))
    status = http_fail (err, TALLY_FAILED, "http: out of memory");

  if (status == TALLY_OK)
    *out = client;
  else
    http_client_free (client);
  return status;
}

void
http_client_free (struct http_client *client)
{
  if (!client)
    return;
  while (client->n_idle > 0)
    curl_easy_cleanup (client->idle[--client->n_idle]);
  pthread_mutex_destroy (&client->lock);
  free (client->ca_file);
  free (client->authorization);
  free (client->origin);
  free (client->base);
  free (client);
}
