/* SPDX-License-Identifier: MIT */
/* Urls, and the text that becomes part of a head. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "http-client.h"

/* Allocates the parts one after the other; NULL when out of memory. */
char *
http_join (const char *a, const char *b, const char *c, const char *d)
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

/* Spaces and control characters would end a line of the head. */
bool
http_is_plain (const char *text)
{
  for (; *text; text++)
    if ((unsigned char) *text <= ' ' || *text == 0x7f)
      return false;
  return true;
}

/* Fills base, origin and near.  Messages do not show the url: it may hold a
 * password. */
int
http_url_parse (struct http_client *client, const char *text,
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
  if (code == CURLUE_USER_NOT_ALLOWED) {
    status = http_fail (err, TALLY_INVALID,
                        "http: url holds a user name; "
                        "a server knows us by token or token_file");
    goto out;
  }
  if (code == CURLUE_OUT_OF_MEMORY) {
    status = http_fail (err, TALLY_FAILED, "http: out of memory");
    goto out;
  }
  if (code || curl_url_get (url, CURLUPART_SCHEME, &scheme, 0)
      || (strcasecmp (scheme, "http") && strcasecmp (scheme, "https"))
      || curl_url_get (url, CURLUPART_HOST, &host, 0)
      || curl_url_get (url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)
      || curl_url_get (url, CURLUPART_URL, &whole, 0)
      || !curl_url_get (url, CURLUPART_QUERY, &more, 0)
      || !curl_url_get (url, CURLUPART_FRAGMENT, &more, 0)) {
    status = http_fail (err, TALLY_INVALID,
                        "http: url must be "
                        "http://host[:port][/path], or https");
    goto out;
  }

  for (n = strlen (whole); n > 0 && whole[n - 1] == '/'; n--)
    whole[n - 1] = '\0';
  client->near = strcasecmp (host, "localhost") == 0
                 || strcmp (host, "[::1]") == 0
                 || strncmp (host, "127.", 4) == 0;
  client->base = http_join (whole, "", "", "");
  more = http_join (host, ":", port, "");
  client->origin = more ? http_join (scheme, "://", more, "") : NULL;
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
