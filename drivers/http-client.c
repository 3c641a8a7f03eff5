/* SPDX-License-Identifier: MIT */
/* The http driver's client, over libcurl.  Any thread may call; each call
 * takes an easy handle from a small pool, so that connections are kept and
 * links that share a section do not wait for each other.  What fails for the
 * moment is sent again, after a random wait that doubles its ceiling. */

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "http.h"

#define POOL_MAX 8
#define CONNECT_MS 10000
#define BACKOFF_MS 250        /* ceiling of the first wait */
#define BACKOFF_MAX_MS 10000
#define RETRY_AFTER_MAX_MS 30000
#define POLL_MS 50            /* how long cancelled may go unasked */
#define HEAD_MAX 65536        /* of a reply, interim replies included */

struct http_client
{
  const struct tally_host *host;
  char *base;          /* the url without a slash at its end */
  char *origin;        /* scheme://host:port, for messages */
  char *authorization; /* a header line, or NULL */
  char *ca_file;       /* or NULL */
  bool near;           /* this machine: never through a proxy */
  long timeout_ms;
  unsigned retries;
  size_t max_reply;
  pthread_mutex_t lock; /* guards the two below */
  CURL *idle[POOL_MAX];
  size_t n_idle;
};

/* One exchange; reset before each attempt. */
struct attempt
{
  const struct http_client *client;
  struct tally_traffic *traffic;
  char *data;
  size_t size;
  size_t allocated;
  size_t head;
  const char *trouble; /* why we stopped it ourselves, or NULL */
};

/* What a failure of libcurl means.  Retry: nothing was answered, and a
 * moment later it may be. */
static const struct reason
{
  CURLcode code;
  int status;
  bool retry;
  const char *text;
} reasons[] = {
  { CURLE_COULDNT_CONNECT, TALLY_AGAIN, true, "no connection" },
  { CURLE_OPERATION_TIMEDOUT, TALLY_AGAIN, true, "timed out" },
  { CURLE_COULDNT_RESOLVE_HOST, TALLY_AGAIN, false, "host is not known" },
  { CURLE_COULDNT_RESOLVE_PROXY, TALLY_AGAIN, false, "proxy is not known" },
  { CURLE_GOT_NOTHING, TALLY_AGAIN, true, "connection was closed" },
  { CURLE_PARTIAL_FILE, TALLY_AGAIN, true, "reply was cut short" },
  { CURLE_RECV_ERROR, TALLY_AGAIN, true, "connection was lost" },
  { CURLE_SEND_ERROR, TALLY_AGAIN, true, "connection was lost" },
  { CURLE_ABORTED_BY_CALLBACK, TALLY_CANCELLED, false, "cancelled" },
  { CURLE_PEER_FAILED_VERIFICATION, TALLY_DENIED, false,
    "certificate is not trusted" },
  { CURLE_SSL_CACERT_BADFILE, TALLY_FAILED, false,
    "ca_file holds no certificate that can be read" },
  { CURLE_SSL_CONNECT_ERROR, TALLY_FAILED, false, "tls handshake failed" },
  { CURLE_UNSUPPORTED_PROTOCOL, TALLY_FAILED, false, "does not speak http" },
  { CURLE_WEIRD_SERVER_REPLY, TALLY_FAILED, false, "does not speak http" },
  { CURLE_OUT_OF_MEMORY, TALLY_FAILED, false, "out of memory" },
};

static const struct
{
  int number;
  const char *text;
} os_reasons[] = {
  { ECONNREFUSED, "connection refused" },
  { ECONNRESET, "connection reset" },
  { EHOSTUNREACH, "no route to host" },
  { ENETUNREACH, "network is unreachable" },
  { ETIMEDOUT, "timed out" },
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

/* libcurl counts its inits, so this one stays until the process ends.  When
 * it fails, so does curl_easy_init. */
static void
client_init_curl (void)
{
  curl_global_init (CURL_GLOBAL_DEFAULT);
}

/* Allocates the parts one after the other; NULL when out of memory. */
static char *
client_join (const char *a, const char *b, const char *c, const char *d)
{
  size_t na = strlen (a), nb = strlen (b), nc = strlen (c), nd = strlen (d);
  char *text = malloc (na + nb + nc + nd + 1);

  if (!text)
    return NULL;
  memcpy (text, a, na);
  memcpy (text + na, b, nb);
  memcpy (text + na + nb, c, nc);
  memcpy (text + na + nb + nc, d, nd + 1);
  return text;
}

/* ---- callbacks --------------------------------------------------------- */

static size_t
client_body (char *data, size_t one, size_t n, void *ctx)
{
  struct attempt *attempt = ctx;
  size_t want = attempt->allocated ? attempt->allocated : 4096;
  char *grown;

  (void) one;
  if (n > attempt->client->max_reply - attempt->size)
    {
      attempt->trouble = "reply is larger than max_reply";
      return 0;
    }

  while (want < attempt->size + n)
    want *= 2;
  if (want > attempt->allocated)
    {
      grown = realloc (attempt->data, want);
      if (!grown)
        {
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
client_head (char *data, size_t one, size_t n, void *ctx)
{
  struct attempt *attempt = ctx;

  (void) data;
  (void) one;
  if (n > HEAD_MAX - attempt->head)
    {
      attempt->trouble = "head of the reply is too large";
      return 0;
    }
  attempt->head += n;
  return n;
}

static int
client_progress (void *ctx, curl_off_t down, curl_off_t down_now,
                 curl_off_t up, curl_off_t up_now)
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
client_count (CURL *curl, curl_infotype type, char *data, size_t size,
              void *ctx)
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

/* ---- easy handles ------------------------------------------------------ */

/* What is the same for every request. */
static CURL *
client_make_curl (const struct http_client *client)
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
  bad |= curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, client_body);
  bad |= curl_easy_setopt (curl, CURLOPT_HEADERFUNCTION, client_head);
  bad |= curl_easy_setopt (curl, CURLOPT_XFERINFOFUNCTION, client_progress);
  bad |= curl_easy_setopt (curl, CURLOPT_DEBUGFUNCTION, client_count);
  if (client->ca_file)
    {
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

static CURL *
client_take (struct http_client *client)
{
  CURL *curl = NULL;

  pthread_mutex_lock (&client->lock);
  if (client->n_idle > 0)
    curl = client->idle[--client->n_idle];
  pthread_mutex_unlock (&client->lock);
  return curl ? curl : client_make_curl (client);
}

/* Leaves nothing behind that belongs to the exchange which is over. */
static void
client_give_back (struct http_client *client, CURL *curl)
{
  curl_easy_setopt (curl, CURLOPT_VERBOSE, 0L);
  curl_easy_setopt (curl, CURLOPT_DEBUGDATA, NULL);
  curl_easy_setopt (curl, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt (curl, CURLOPT_POSTFIELDS, NULL);

  pthread_mutex_lock (&client->lock);
  if (client->n_idle < POOL_MAX)
    {
      client->idle[client->n_idle++] = curl;
      curl = NULL;
    }
  pthread_mutex_unlock (&client->lock);
  if (curl)
    curl_easy_cleanup (curl);
}

/* What is this request's own.  libcurl copies the url and the verb, not the
 * body and the headers. */
static bool
client_prepare (CURL *curl, const struct tally_request *request,
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
  if (post && !head)
    {
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

/* ---- one exchange ------------------------------------------------------ */

/* Spaces and control characters would end a line of the head. */
static bool
client_is_plain (const char *text)
{
  for (; *text; text++)
    if ((unsigned char) *text <= ' ' || *text == 0x7f)
      return false;
  return true;
}

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
                const struct tally_request *request,
                struct curl_slist **headers)
{
  const char *type = request->content_type;
  char *line = client_join ("Content-Type:", type ? " " : "",
                            type ? type : "", "");
  bool good = line && client_add_header (headers, line)
              && client_add_header (headers, "Accept:")
              && client_add_header (headers, "Expect:");

  if (good && client->authorization)
    good = client_add_header (headers, client->authorization);
  free (line);
  return good;
}

/* Jitter need not be secret, only different between machines. */
static uint64_t
client_random (const struct http_client *client)
{
  struct timespec now;
  uint64_t x;

  clock_gettime (CLOCK_REALTIME, &now);
  x = (uint64_t) now.tv_sec * 1000000007u ^ (uint64_t) now.tv_nsec << 20
      ^ (uint64_t) (uintptr_t) client;
  x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* Whether to send again, and after how long. */
static bool
client_again (const struct http_client *client, CURL *curl, CURLcode code,
              const struct attempt *attempt, unsigned n, uint64_t *wait_ms)
{
  uint64_t ceiling = BACKOFF_MS;
  curl_off_t after = 0;
  long reply = 0;
  bool again = false;
  size_t i;

  if (n >= client->retries)
    return false;

  curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, &reply);
  if (code == CURLE_OK)
    again = reply == 429 || (reply >= 502 && reply <= 504);
  else if (code != CURLE_OPERATION_TIMEDOUT || attempt->head == 0)
    for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
      again = again || (reasons[i].code == code && reasons[i].retry);

  while (n-- > 0 && ceiling < BACKOFF_MAX_MS)
    ceiling *= 2;
  if (ceiling > BACKOFF_MAX_MS)
    ceiling = BACKOFF_MAX_MS;
  *wait_ms = client_random (client) % (ceiling + 1);

  if (code == CURLE_OK)
    curl_easy_getinfo (curl, CURLINFO_RETRY_AFTER, &after);
  if (after > RETRY_AFTER_MAX_MS / 1000)
    after = RETRY_AFTER_MAX_MS / 1000;
  if (after > 0)
    *wait_ms += (uint64_t) after * 1000;
  return again;
}

/* False when cancelled. */
static bool
client_wait (const struct http_client *client, uint64_t wait_ms)
{
  const struct tally_host *host = client->host;
  uint64_t end = http_now_ms () + wait_ms;
  struct timespec nap = { 0, 0 };
  uint64_t now;

  for (;;)
    {
      if (host->cancelled (host->ctx))
        return false;
      now = http_now_ms ();
      if (now >= end)
        return true;
      nap.tv_nsec = (long) (end - now < POLL_MS ? end - now : POLL_MS)
                    * 1000000;
      nanosleep (&nap, NULL);
    }
}

static int
client_fail (const struct http_client *client, CURL *curl, CURLcode code,
             const struct attempt *attempt, struct tally_error *err)
{
  const char *text = curl_easy_strerror (code);
  int status = TALLY_FAILED;
  long number = 0;
  size_t i;

  for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].code == code)
      {
        status = reasons[i].status;
        text = reasons[i].text;
      }

  if (code == CURLE_COULDNT_CONNECT)
    {
      curl_easy_getinfo (curl, CURLINFO_OS_ERRNO, &number);
      for (i = 0; i < sizeof os_reasons / sizeof os_reasons[0]; i++)
        if (os_reasons[i].number == number)
          text = os_reasons[i].text;
    }
  if (code == CURLE_WRITE_ERROR && attempt->trouble)
    text = attempt->trouble;
  return http_fail (err, status, "%s: %c%s", client->origin,
                    tolower ((unsigned char) text[0]), text + 1);
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

/* Sends until there is a reply worth passing on. */
static int
client_perform (const struct http_client *client, CURL *curl,
                struct attempt *attempt, struct tally_error *err)
{
  uint64_t wait_ms;
  CURLcode code;
  unsigned n;

  for (n = 0;; n++)
    {
      attempt->size = 0;
      attempt->head = 0;
      attempt->trouble = NULL;
      code = curl_easy_perform (curl);
      if (!client_again (client, curl, code, attempt, n, &wait_ms))
        break;
      if (!client_wait (client, wait_ms))
        {
          code = CURLE_ABORTED_BY_CALLBACK;
          break;
        }
    }

  if (code != CURLE_OK)
    return client_fail (client, curl, code, attempt, err);
  return TALLY_OK;
}

int
http_client_exchange (struct http_client *client,
                      const struct tally_request *request,
                      tally_emit_response *emit, void *ctx,
                      struct tally_traffic *traffic,
                      struct tally_error *err)
{
  struct attempt attempt = { .client = client, .traffic = traffic };
  struct curl_slist *headers = NULL;
  const char *type = request->content_type;
  char *url = NULL;
  CURL *curl = NULL;
  int status;

  if (!request->verb || !request->path || request->path[0] != '/'
      || !client_is_plain (request->verb) || !client_is_plain (request->path)
      || (type && strpbrk (type, "\r\n")))
    return http_fail (err, TALLY_INVALID, "%s: request is malformed",
                      client->origin);

  url = client_join (client->base, request->path, "", "");
  curl = client_take (client);
  if (!url || !curl || !client_headers (client, request, &headers)
      || !client_prepare (curl, request, url, headers, &attempt))
    {
      status = http_fail (err, TALLY_FAILED, "%s: out of memory",
                          client->origin);
      goto out;
    }

  status = client_perform (client, curl, &attempt, err);
  if (status == TALLY_OK)
    client_emit (curl, &attempt, emit, ctx);

out:
  if (curl)
    client_give_back (client, curl);
  curl_slist_free_all (headers);
  free (attempt.data);
  free (url);
  return status;
}

/* ---- making one -------------------------------------------------------- */

/* Fills base, origin and near.  Messages do not show the url: it may hold a
 * password. */
static int
client_parse (struct http_client *client, const char *text,
              struct tally_error *err)
{
  CURLU *url = curl_url ();
  char *scheme = NULL, *host = NULL, *port = NULL, *whole = NULL;
  char *more = NULL;
  CURLUcode code;
  size_t n;
  int status = TALLY_OK;

  code = url ? curl_url_set (url, CURLUPART_URL, text, CURLU_DISALLOW_USER)
             : CURLUE_OUT_OF_MEMORY;
  if (code == CURLUE_USER_NOT_ALLOWED)
    {
      status = http_fail (err, TALLY_INVALID, "http: url holds a user name; "
                          "a server knows us by token or token_file");
      goto out;
    }
  if (code == CURLUE_OUT_OF_MEMORY)
    {
      status = http_fail (err, TALLY_FAILED, "http: out of memory");
      goto out;
    }
  if (code || curl_url_get (url, CURLUPART_SCHEME, &scheme, 0)
      || (strcasecmp (scheme, "http") && strcasecmp (scheme, "https"))
      || curl_url_get (url, CURLUPART_HOST, &host, 0)
      || curl_url_get (url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)
      || curl_url_get (url, CURLUPART_URL, &whole, 0)
      || !curl_url_get (url, CURLUPART_QUERY, &more, 0)
      || !curl_url_get (url, CURLUPART_FRAGMENT, &more, 0))
    {
      status = http_fail (err, TALLY_INVALID, "http: url must be "
                          "http://host[:port][/path], or https");
      goto out;
    }

  for (n = strlen (whole); n > 0 && whole[n - 1] == '/'; n--)
    whole[n - 1] = '\0';
  client->near = strcasecmp (host, "localhost") == 0
                 || strcmp (host, "[::1]") == 0
                 || strncmp (host, "127.", 4) == 0;
  client->base = client_join (whole, "", "", "");
  more = client_join (host, ":", port, "");
  client->origin = more ? client_join (scheme, "://", more, "") : NULL;
  free (more);
  more = NULL;
  if (!client->base || !client->origin)
    status = http_fail (err, TALLY_FAILED, "http: out of memory");

out:
  curl_free (more);
  curl_free (whole);
  curl_free (port);
  curl_free (host);
  curl_free (scheme);
  curl_url_cleanup (url);
  return status;
}

int
http_client_new (struct http_client **out, const struct tally_host *host,
                 const struct tally_value *values, struct tally_error *err)
{
  const char *token = values[HTTP_TOKEN].text;
  const char *ca_file = values[HTTP_CA_FILE].text;
  struct http_client *client;
  int status;

  if (token && (!*token || !client_is_plain (token)))
    return http_fail (err, TALLY_INVALID, "http: token is empty or holds a "
                      "character that cannot be sent");

  pthread_once (&curl_once, client_init_curl);
  client = calloc (1, sizeof *client);
  if (!client || pthread_mutex_init (&client->lock, NULL) != 0)
    {
      free (client);
      return http_fail (err, TALLY_FAILED, "http: out of memory");
    }

  client->host = host;
  client->timeout_ms = (long) values[HTTP_TIMEOUT].number;
  client->retries = (unsigned) values[HTTP_RETRIES].number;
  client->max_reply = (size_t) values[HTTP_MAX_REPLY].number;
  status = client_parse (client, values[HTTP_URL].text, err);
  if (status == TALLY_OK && token)
    client->authorization = client_join ("Authorization: Bearer ", token,
                                         "", "");
  if (status == TALLY_OK && ca_file)
    client->ca_file = client_join (ca_file, "", "", "");
  if (status == TALLY_OK && ((token && !client->authorization)
                             || (ca_file && !client->ca_file)))
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
