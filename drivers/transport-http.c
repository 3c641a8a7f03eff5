/* SPDX-License-Identifier: MIT */
/* The http driver's table: one request, one reply, over HTTP or HTTPS.  The
 * client (http-client.c) and the server (http-server.c) know nothing of each
 * other; a handle only holds them side by side. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http-zstd.h"
#include "http.h"

struct http {
  struct http_client *client; /* NULL: no url is set */
  struct http_server *server; /* NULL: no listen is set */
};

static const struct tally_option http_options[] = {
  [HTTP_URL] = { "url", TALLY_OPTION_STRING, 0, NULL,
                 "where the server is: http://host:port[/path] or https",
                 NULL },
  [HTTP_TOKEN] = { "token", TALLY_OPTION_STRING, TALLY_OPTION_SECRET, NULL,
                   "what the server knows us by", NULL },
  [HTTP_TIMEOUT] = { "timeout", TALLY_OPTION_DURATION, 0, "30s",
                     "longest time for a request and its reply", NULL },
  [HTTP_RETRIES] = { "retries", TALLY_OPTION_INTEGER, 0, "3",
                     "how often a request is sent again when the server "
                     "cannot be reached or is busy",
                     NULL },
  [HTTP_MAX_REPLY] = { "max_reply", TALLY_OPTION_SIZE, 0, "64M",
                       "largest reply that is taken", NULL },
  [HTTP_CA_FILE] = { "ca_file", TALLY_OPTION_PATH, 0, NULL,
                     "certificates to trust in place of the system's", NULL },
  [HTTP_LISTEN] = { "listen", TALLY_OPTION_STRING, 0, NULL,
                    "where to serve: address:port; port 0 takes a free one",
                    NULL },
  [HTTP_TLS_CERT] = { "tls_cert", TALLY_OPTION_PATH, 0, NULL,
                      "the server's certificate chain, in PEM; needs tls_key",
                      NULL },
  [HTTP_TLS_KEY] = { "tls_key", TALLY_OPTION_PATH, 0, NULL,
                     "the server's private key, in PEM; needs tls_cert",
                     NULL },
  [HTTP_MAX_REQUEST] = { "max_request", TALLY_OPTION_SIZE, 0, "64M",
                         "largest request body that is taken; four times "
                         "this may be on its way in at once",
                         NULL },
  [HTTP_MAX_CONNECTIONS] = { "max_connections", TALLY_OPTION_INTEGER, 0, "256",
                             "connections at once", NULL },
  [HTTP_PER_IP] = { "per_ip", TALLY_OPTION_INTEGER, 0, "64",
                    "connections at once from one address; 0: no limit",
                    NULL },
  [HTTP_IDLE_TIMEOUT] = { "idle_timeout", TALLY_OPTION_DURATION, 0, "30s",
                          "a silent connection is closed after this, in "
                          "whole seconds",
                          NULL },
  [HTTP_REQUEST_TIMEOUT] = { "request_timeout", TALLY_OPTION_DURATION, 0,
                             "60s",
                             "longest time for a request to come in, "
                             "and for a reply to go out",
                             NULL },
  [HTTP_WORKERS] = { "workers", TALLY_OPTION_INTEGER, 0, "4",
                     "threads that serve", NULL },
  [HTTP_COMPRESS] = { "compress", TALLY_OPTION_STRING, 0, NULL,
                      "zstd: ask the server to pack what it sends, and pack "
                      "what is sent to it where it can unpack that",
                      NULL },
  { NULL, 0, 0, NULL, NULL, NULL }
};

/* What a number must lie in; sizes also fit a size_t with room to double. */
static const struct {
  int row;
  int64_t min;
  int64_t max;
} http_ranges[] = {
  { HTTP_TIMEOUT, 1, 86400000 },
  { HTTP_RETRIES, 0, 100 },
  { HTTP_MAX_REPLY, 1, (int64_t) (SIZE_MAX / 8) },
  { HTTP_MAX_REQUEST, 1, (int64_t) (SIZE_MAX / 8) },
  { HTTP_MAX_CONNECTIONS, 1, 100000 },
  { HTTP_PER_IP, 0, 100000 },
  { HTTP_IDLE_TIMEOUT, 1, 86400000 },
  { HTTP_REQUEST_TIMEOUT, 1, 86400000 },
  { HTTP_WORKERS, 1, 256 },
};

int
http_fail (struct tally_error *err, int status, const char *format, ...)
{
  va_list args;

  err->status = status;
  va_start (args, format);
  vsnprintf (err->text, sizeof err->text, format, args);
  va_end (args);
  return status;
}

uint64_t
http_now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static int
http_check (const struct tally_value *values, struct tally_error *err)
{
  const char *compress = values[HTTP_COMPRESS].text;
  size_t i;

  for (i = 0; i < sizeof http_ranges / sizeof http_ranges[0]; i++) {
    int row = http_ranges[i].row;
    int64_t number = values[row].number;

    if (number < http_ranges[i].min || number > http_ranges[i].max)
      return http_fail (
          err, TALLY_INVALID, "http: %s must be from %" PRId64 " to %" PRId64,
          http_options[row].name, http_ranges[i].min, http_ranges[i].max);
  }

  if (compress && strcmp (compress, "none") != 0
      && strcmp (compress, "zstd") != 0)
    return http_fail (err, TALLY_INVALID,
                      "http: compress is zstd or none, not %.40s", compress);
  if (compress && strcmp (compress, "zstd") == 0 && !http_zstd_here ())
    return http_fail (err, TALLY_UNSUPPORTED,
                      "http: compress: this driver was built without zstd");

  if (!values[HTTP_TLS_CERT].text != !values[HTTP_TLS_KEY].text)
    return http_fail (err, TALLY_INVALID,
                      "http: tls_cert and tls_key go together");
  return TALLY_OK;
}

static void
http_close (void *handle)
{
  struct http *http = handle;

  if (!http)
    return;
  http_server_free (http->server);
  http_client_free (http->client);
  free (http);
}

static int
http_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  struct http *http;
  int status;

  (void) flags;
  status = http_check (values, err);
  if (status != TALLY_OK)
    return status;

  http = calloc (1, sizeof *http);
  if (!http)
    return http_fail (err, TALLY_FAILED, "http: out of memory");

  if (values[HTTP_URL].text)
    status = http_client_new (&http->client, host, values, err);
  if (status == TALLY_OK && values[HTTP_LISTEN].text)
    status = http_server_new (&http->server, host, values, err);

  if (status != TALLY_OK) {
    http_close (http);
    return status;
  }
  *handle = http;
  return TALLY_OK;
}

static int
http_exchange (void *handle, const struct tally_request *request,
               tally_emit_response *emit, void *ctx,
               struct tally_traffic *traffic, struct tally_error *err)
{
  struct http *http = handle;

  if (!http->client)
    return http_fail (err, TALLY_INVALID, "http: no url is set");
  return http_client_exchange (http->client, request, emit, ctx, traffic, err);
}

static int
http_serve (void *handle, const struct tally_service *service,
            struct tally_error *err)
{
  struct http *http = handle;

  if (!http->server)
    return http_fail (err, TALLY_INVALID, "http: no listen is set");
  return http_server_serve (http->server, service, err);
}

static void
http_stop (void *handle)
{
  struct http *http = handle;

  if (http->server)
    http_server_stop (http->server);
}

static const struct tally_transport http_transport = {
  TALLY_TRANSPORT_INIT, .threads = TALLY_THREADS_ANY, .open = http_open,
  .close = http_close,  .exchange = http_exchange,    .serve = http_serve,
  .stop = http_stop,
};

static const struct tally_driver http_driver = {
  TALLY_DRIVER_INIT,
  .name = "http",
  .version = "1.0",
  .summary = "over HTTP or HTTPS, to a server or as one",
  .options = http_options,
  .transport = &http_transport,
};

TALLY_DRIVER (http_driver)
