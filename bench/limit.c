/* SPDX-License-Identifier: MIT */
/* What the machine can do: append and sync, copy, and move bytes over HTTP
 * with nothing behind it. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <microhttpd.h>

#include "bench.h"
#include "limit.h"

double
limit_append (const char *path, size_t bytes, unsigned count)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  char *data = calloc (1, bytes);
  double began;

  if (fd < 0 || !data)
    die ("%s: %s", path, strerror (errno));
  memset (data, 'x', bytes);
  began = now_seconds ();
  for (unsigned i = 0; i < count; i++)
    if (write (fd, data, bytes) != (ssize_t) bytes || fdatasync (fd))
      die ("%s: %s", path, strerror (errno));
  began = now_seconds () - began;
  close (fd);
  unlink (path);
  free (data);
  return began;
}

double
limit_copy (uint64_t bytes)
{
  char *from = malloc (bytes), *to = malloc (bytes);
  double began;

  if (!from || !to)
    die ("out of memory");
  memset (from, 1, bytes);
  memset (to, 2, bytes);
  began = now_seconds ();
  memcpy (to, from, bytes);
  began = now_seconds () - began;
  if (to[bytes / 2] != 1)
    die ("memcpy");
  free (from);
  free (to);
  return began;
}

/* ---- http --------------------------------------------------------------- */

/* Replies are the same bytes again and again. */
static enum MHD_Result
answer (void *ctx, struct MHD_Connection *connection, const char *path,
        const char *verb, const char *version, const char *data, size_t *size,
        void **call)
{
  const struct text *reply = ctx;
  struct MHD_Response *response;
  enum MHD_Result result;

  (void) path;
  (void) verb;
  (void) version;
  (void) data;
  if (!*call || *size > 0) {
    *call = ctx;
    *size = 0;
    return MHD_YES;
  }
  response = MHD_create_response_from_buffer (reply->size, reply->data,
                                              MHD_RESPMEM_PERSISTENT);
  if (!response)
    return MHD_NO;
  result = MHD_queue_response (connection, 200, response);
  MHD_destroy_response (response);
  return result;
}

static size_t
take (char *data, size_t one, size_t n, void *ctx)
{
  struct text *reply = ctx;

  memcpy (reply->data + reply->size, data, one * n);
  reply->size += n;
  return n;
}

double
limit_http (uint64_t bytes, uint64_t exchange)
{
  struct text reply = { 0 }, got = { 0 };
  struct MHD_Daemon *daemon;
  CURL *curl = curl_easy_init ();
  char url[64];
  double began;

  reply.data = calloc (1, exchange + 1);
  got.data = calloc (1, exchange + 1);
  reply.size = exchange;
  if (!reply.data || !got.data || !curl)
    die ("out of memory");
  daemon = MHD_start_daemon (MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
                             answer, &reply, MHD_OPTION_END);
  if (!daemon)
    die ("libmicrohttpd does not start");
  snprintf (url, sizeof url, "http://127.0.0.1:%u/",
            MHD_get_daemon_info (daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
  curl_easy_setopt (curl, CURLOPT_URL, url);
  curl_easy_setopt (curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt (curl, CURLOPT_POSTFIELDS, "x");
  curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt (curl, CURLOPT_WRITEDATA, &got);
  began = now_seconds ();
  for (uint64_t done = 0; done < bytes || done == 0; done += exchange) {
    got.size = 0;
    if (curl_easy_perform (curl) != CURLE_OK || got.size != exchange)
      die ("%s: went wrong", url);
  }
  began = now_seconds () - began;
  curl_easy_cleanup (curl);
  MHD_stop_daemon (daemon);
  text_free (&reply);
  text_free (&got);
  return began;
}

/* ---- engines ------------------------------------------------------------ */

static const struct engine *const engines[] = { &engine_linvo,
                                                &engine_sqlite };

static const struct engine *
find (const char *driver)
{
  for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
    if (strcmp (engines[i]->driver, driver) == 0)
      return engines[i];
  return NULL;
}

bool
limit_has (const char *driver)
{
  return find (driver) != NULL;
}

double
limit_write (const char *driver, const char *path, const char *scratch,
             uint64_t n, uint64_t batch)
{
  double seconds;

  remove_tree (scratch);
  seconds = find (driver)->write (path, scratch, n, batch ? batch : n);
  remove_tree (scratch);
  return seconds;
}

double
limit_read (const char *driver, const char *path, uint64_t n)
{
  return find (driver)->read (path, n);
}

uint64_t
limit_size (const char *driver, const char *path, const char *scratch)
{
  uint64_t size;

  remove_tree (scratch);
  find (driver)->pack (path, scratch);
  size = size_of_tree (scratch);
  remove_tree (scratch);
  return size;
}
