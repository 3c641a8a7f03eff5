/* SPDX-License-Identifier: MIT */
/* What fails for the moment is sent again, after a random wait that doubles
 * its ceiling; what fails for good is said in words. */

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <curl/curl.h>

#include "http-client.h"

#define BACKOFF_MS 250 /* ceiling of the first wait */
#define BACKOFF_MAX_MS 10000
#define RETRY_AFTER_MAX_MS 30000
#define POLL_MS 50 /* how long cancelled may go unasked */

/* What a failure of libcurl means.  Retry: nothing was answered, and a
 * moment later it may be.  Who was silent for the whole of a time-out is not
 * waited for several times as long as was asked for. */
static const struct reason {
  CURLcode code;
  int status;
  bool retry;
  const char *text;
} reasons[] = {
  { CURLE_COULDNT_CONNECT, TALLY_AGAIN, true, "no connection" },
  { CURLE_OPERATION_TIMEDOUT, TALLY_AGAIN, false, "timed out" },
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

static const struct {
  int number;
  const char *text;
} os_reasons[] = {
  { ECONNREFUSED, "connection refused" },
  { ECONNRESET, "connection reset" },
  { EHOSTUNREACH, "no route to host" },
  { ENETUNREACH, "network is unreachable" },
  { ETIMEDOUT, "timed out" },
};

/* Jitter need not be secret, only different between machines. */
static uint64_t
retry_random (const struct http_client *client)
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
retry_again (const struct http_client *client, CURL *curl, CURLcode code,
             unsigned n, uint64_t *wait_ms)
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
  else
    for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
      again = again || (reasons[i].code == code && reasons[i].retry);

  while (n-- > 0 && ceiling < BACKOFF_MAX_MS)
    ceiling *= 2;
  if (ceiling > BACKOFF_MAX_MS)
    ceiling = BACKOFF_MAX_MS;
  *wait_ms = retry_random (client) % (ceiling + 1);

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
retry_wait (const struct http_client *client, uint64_t wait_ms)
{
  const struct tally_host *host = client->host;
  uint64_t end = http_now_ms () + wait_ms;
  struct timespec nap = { 0, 0 };
  uint64_t now;

  for (;;) {
    if (host->cancelled (host->ctx))
      return false;
    now = http_now_ms ();
    if (now >= end)
      return true;
    nap.tv_nsec = (long) (end - now < POLL_MS ? end - now : POLL_MS) * 1000000;
    nanosleep (&nap, NULL);
  }
}

static int
retry_fail (const struct http_client *client, CURL *curl, CURLcode code,
            const struct attempt *attempt, struct tally_error *err)
{
  const char *text = curl_easy_strerror (code);
  int status = TALLY_FAILED;
  long number = 0;
  size_t i;

  for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].code == code) {
      status = reasons[i].status;
      text = reasons[i].text;
    }

  if (code == CURLE_COULDNT_CONNECT) {
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

/* Sends until there is a reply worth passing on. */
int
http_perform (const struct http_client *client, CURL *curl,
              struct attempt *attempt, struct tally_error *err)
{
  uint64_t wait_ms;
  CURLcode code;
  unsigned n;

  for (n = 0;; n++) {
    attempt->size = 0;
    attempt->head = 0;
    attempt->trouble = NULL;
    code = curl_easy_perform (curl);
    if (!retry_again (client, curl, code, n, &wait_ms))
      break;
    if (!retry_wait (client, wait_ms)) {
      code = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
  }

  if (code != CURLE_OK)
    return retry_fail (client, curl, code, attempt, err);
  return TALLY_OK;
}
