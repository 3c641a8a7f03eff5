/* SPDX-License-Identifier: MIT */
/* What the files of the http driver share.  A handle has a client, a
 * server, or both: a section may only call, only listen, or do the two. */

#ifndef HTTP_H
#define HTTP_H

#include <stdint.h>

#include <tally/driver.h>

/* The rows of the option table, in its order. */
enum {
  HTTP_URL,
  HTTP_TOKEN,
  HTTP_TIMEOUT,
  HTTP_RETRIES,
  HTTP_MAX_REPLY,
  HTTP_CA_FILE,
  HTTP_LISTEN,
  HTTP_TLS_CERT,
  HTTP_TLS_KEY,
  HTTP_MAX_REQUEST,
  HTTP_MAX_CONNECTIONS,
  HTTP_PER_IP,
  HTTP_IDLE_TIMEOUT,
  HTTP_REQUEST_TIMEOUT,
  HTTP_WORKERS,
  HTTP_COMPRESS
};

struct http_client;
struct http_server;

/* Fills *err and returns the status. */
#ifdef __GNUC__
__attribute__ ((format (printf, 3, 4)))
#endif
int
http_fail (struct tally_error *err, int status, const char *format, ...);

/* Milliseconds on a clock that only rises. */
uint64_t http_now_ms (void);

/* The values are checked for their ranges already; what is kept of them is
 * copied.  The host outlives what is made. */
int http_client_new (struct http_client **client,
                     const struct tally_host *host,
                     const struct tally_value *values,
                     struct tally_error *err);
void http_client_free (struct http_client *client);
int http_client_exchange (struct http_client *client,
                          const struct tally_request *request,
                          tally_emit_response *emit, void *ctx,
                          struct tally_traffic *traffic,
                          struct tally_error *err);

int http_server_new (struct http_server **server,
                     const struct tally_host *host,
                     const struct tally_value *values,
                     struct tally_error *err);
void http_server_free (struct http_server *server);
int http_server_serve (struct http_server *server,
                       const struct tally_service *service,
                       struct tally_error *err);
void http_server_stop (struct http_server *server);

#endif /* HTTP_H */
