/* SPDX-License-Identifier: MIT */
/* What the files of the http driver's client share. */

#ifndef TALLY_HTTP_CLIENT_H
#define TALLY_HTTP_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "http.h"

#define HTTP_POOL_MAX 8

struct http_client {
  const struct tally_host *host;
  char *base;          /* the url without a slash at its end */
  char *origin;        /* scheme://host:port, for messages */
  char *authorization; /* a header line, or NULL */
  char *ca_file;       /* or NULL */
  bool near;           /* this machine: never through a proxy */
  long timeout_ms;
  unsigned retries;
  size_t max_reply;
  bool zstd;               /* asked for */
  atomic_bool far_unpacks; /* the server's last reply said so */
  pthread_mutex_t lock;    /* guards the two below */
  CURL *idle[HTTP_POOL_MAX];
  size_t n_idle;
};

/* One exchange; reset before each attempt. */
struct attempt {
  const struct http_client *client;
  struct tally_traffic *traffic;
  char *data;
  size_t size;
  size_t allocated;
  size_t head;
  const char *trouble; /* why we stopped it ourselves, or NULL */
};

/* ---- http-url.c ---- */

/* Allocates the parts one after the other; NULL when out of memory. */
char *http_join (const char *a, const char *b, const char *c, const char *d);

/* No spaces and no control characters. */
bool http_is_plain (const char *text);

/* Fills base, origin and near. */
int http_url_parse (struct http_client *client, const char *text,
                    struct tally_error *err);

/* ---- http-curl.c ---- */

/* NULL when out of memory. */
CURL *http_curl_take (struct http_client *client);
void http_curl_give_back (struct http_client *client, CURL *curl);
bool http_curl_prepare (CURL *curl, const struct tally_request *request,
                        const char *url, struct curl_slist *headers,
                        struct attempt *attempt);

/* ---- http-retry.c ---- */

/* Sends until there is a reply worth passing on. */
int http_perform (const struct http_client *client, CURL *curl,
                  struct attempt *attempt, struct tally_error *err);

#endif /* TALLY_HTTP_CLIENT_H */
