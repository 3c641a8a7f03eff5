/* SPDX-License-Identifier: MIT */
/* libcurl's easy handles.  They are pooled, so that connections are kept; a
 * reply is collected, bounded and counted as it comes in. */

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "http-client.h"

#define CONNECT_MS 10000
#define HEAD_MAX 65536 /* of a reply, interim replies included */

/* ---- callbacks ---------------------------------------------------------- */

static size_t
curl_body (char *data, size_t one, size_t n, void *ctx)
{
  struct attempt *attempt = ctx;
  size_t want = attempt->allocated ? attempt->allocated : 4096;
  char *grown;

  (void) one;
  if (n > attempt->client->max_reply - attempt->size) {
    attempt->trouble = "reply is larger than max_reply";
    return 0;
  }

  while (want < attempt->size + n)
    want *= 2;
  if (want > attempt->allocated) {
    grown = realloc (attempt->data, want);
    if (!grown) {
      attempt->trouble = "out of memory";
      return 0;
    }
    attempt->data = grown;
    attempt->allocated = want;
  }

  memcpy (attempt->data + attempt->size, data, n);
  attempt->size += n;
  return n;
}

/* libcurl keeps the lines; here they are only bounded. */
static size_t
curl_head (char *data, size_t one, size_t n, void *ctx)
{
  struct attempt *attempt = ctx;

  (void) data;
  (void) one;
  if (n > HEAD_MAX - attempt->head) {
    attempt->trouble = "head of the reply is too large";
    return 0;
  }
  attempt->head += n;
  return n;
}

static int
curl_progress (void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up,
               curl_off_t up_now)
{
  const struct attempt *attempt = ctx;
  const struct tally_host *host = attempt->client->host;

  (void) down;
  (void) down_now;
  (void) up;
  (void) up_now;
  return host->cancelled (host->ctx) != 0;
}

/* The counters that curl_easy_getinfo offers count a body twice when it
 * leaves together with its head; what passes here is exact. */
static int
curl_count (CURL *curl, curl_infotype type, char *data, size_t size, void *ctx)
{
  struct attempt *attempt = ctx;

  (void) curl;
  (void) data;
  if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT)
    attempt->traffic->sent += size;
  else if (type == CURLINFO_HEADER_IN || type == CURLINFO_DATA_IN)
    attempt->traffic->received += size;
  return 0;
}

/* ---- easy handles ------------------------------------------------------- */

/* What is the same for every request. */
static CURL *
curl_make (const struct http_client *client)
{
  CURL *curl = curl_easy_init ();
  long connect_ms = client->timeout_ms;
  int bad = 0;

  if (!curl)
    return NULL;
  if (connect_ms > CONNECT_MS)
    connect_ms = CONNECT_MS;

  bad |= curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "http,https");
  bad |= curl_easy_setopt (curl, CURLOPT_HTTP_VERSION,
                           (long) CURL_HTTP_VERSION_1_1);
  bad |= curl_easy_setopt (curl, CURLOPT_FOLLOWLOCATION, 0L);
  bad |= curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
  bad |= curl_easy_setopt (curl, CURLOPT_NOPROGRESS, 0L);
  bad |= curl_easy_setopt (curl, CURLOPT_VERBOSE, 1L);
  bad |= curl_easy_setopt (curl, CURLOPT_MAXCONNECTS, 1L);
  bad |= curl_easy_setopt (curl, CURLOPT_TIMEOUT_MS, client->timeout_ms);
  bad |= curl_easy_setopt (curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  bad |= curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, curl_body);
  bad |= curl_easy_setopt (curl, CURLOPT_HEADERFUNCTION, curl_head);
  bad |= curl_easy_setopt (curl, CURLOPT_XFERINFOFUNCTION, curl_progress);
  bad |= curl_easy_setopt (curl, CURLOPT_DEBUGFUNCTION, curl_count);
  if (client->ca_file) {
    bad |= curl_easy_setopt (curl, CURLOPT_CAINFO, client->ca_file);
    bad |= curl_easy_setopt (curl, CURLOPT_CAPATH, NULL);
  }
  if (client->near)
    bad |= curl_easy_setopt (curl, CURLOPT_NOPROXY, "*");

  if (!bad)
    return curl;
  curl_easy_cleanup (curl);
  return NULL;
}

CURL *
http_curl_take (struct http_client *client)
{
  CURL *curl = NULL;

  pthread_mutex_lock (&client->lock);
  if (client->n_idle > 0)
    curl = client->idle[--client->n_idle];
  pthread_mutex_unlock (&client->lock);
  return curl ? curl : curl_make (client);
}

/* Leaves nothing behind that belongs to the exchange which is over. */
void
http_curl_give_back (struct http_client *client, CURL *curl)
{
  curl_easy_setopt (curl, CURLOPT_VERBOSE, 0L);
  curl_easy_setopt (curl, CURLOPT_DEBUGDATA, NULL);
  curl_easy_setopt (curl, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt (curl, CURLOPT_POSTFIELDS, NULL);

  pthread_mutex_lock (&client->lock);
  if (client->n_idle < HTTP_POOL_MAX) {
    client->idle[client->n_idle++] = curl;
    curl = NULL;
  }
  pthread_mutex_unlock (&client->lock);
  if (curl)
    curl_easy_cleanup (curl);
}

/* What is this request's own.  libcurl copies the url and the verb, not the
 * body and the headers. */
bool
http_curl_prepare (CURL *curl, const struct tally_request *request,
                   const char *url, struct curl_slist *headers,
                   struct attempt *attempt)
{
  bool head = strcmp (request->verb, "HEAD") == 0;
  bool post = strcmp (request->verb, "POST") == 0 || request->body.size > 0;
  const char *body = request->body.size > 0 ? request->body.data : "";
  int bad = 0;

  bad |= curl_easy_setopt (curl, CURLOPT_URL, url);
  bad |= curl_easy_setopt (curl, CURLOPT_HTTPGET, 1L);
  bad |= curl_easy_setopt (curl, CURLOPT_NOBODY, head ? 1L : 0L);
  if (post && !head) {
    bad |= curl_easy_setopt (curl, CURLOPT_POST, 1L);
    bad |= curl_easy_setopt (curl, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t) request->body.size);
    bad |= curl_easy_setopt (curl, CURLOPT_POSTFIELDS, body);
  }
  bad |= curl_easy_setopt (curl, CURLOPT_CUSTOMREQUEST, request->verb);
  bad |= curl_easy_setopt (curl, CURLOPT_HTTPHEADER, headers);
  bad |= curl_easy_setopt (curl, CURLOPT_VERBOSE, 1L);
  bad |= curl_easy_setopt (curl, CURLOPT_WRITEDATA, attempt);
  bad |= curl_easy_setopt (curl, CURLOPT_HEADERDATA, attempt);
  bad |= curl_easy_setopt (curl, CURLOPT_XFERINFODATA, attempt);
  bad |= curl_easy_setopt (curl, CURLOPT_DEBUGDATA, attempt);
  return !bad;
}
