/* SPDX-License-Identifier: MIT */
/* The http driver's server, over libmicrohttpd: serving, from a socket that
 * listens until the last reply has left, and what a server is made of.  The
 * thread in `serve` only watches; requests have threads of their own
 * (http-daemon.c). */

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "http-server.h"

#define LINGER_MS 5000 /* for replies to go out after a stop */

/* Until every request has its reply; and then a while for the replies to
 * leave, since a client may take its time to read. */
static void
server_drain (struct http_server *server)
{
  uint64_t end;

  while (server->under_way > 0)
    http_conn_tick (server);
  end = http_now_ms () + LINGER_MS;
  while (server->leaving > 0 && http_now_ms () < end)
    http_conn_tick (server);
}

static int
server_run (struct http_server *server, struct tally_error *err)
{
  const struct tally_host *host = server->host;
  struct MHD_Daemon *daemon = NULL;
  bool cancelled = false;
  int fd = -1;
  int status = http_listen_open (server, &fd, err);

  if (status == TALLY_OK)
    status = http_daemon_start (server, &fd, &daemon, err);
  if (status != TALLY_OK)
    goto out;
  http_listen_ready (server, fd);

  pthread_mutex_lock (&server->lock);
  while (!server->stop && !cancelled) {
    http_conn_tick (server);
    cancelled = host->cancelled (host->ctx) != 0;
  }
  server->draining = true;
  pthread_mutex_unlock (&server->lock);

  fd = MHD_quiesce_daemon (daemon);
  pthread_mutex_lock (&server->lock);
  server_drain (server);
  pthread_mutex_unlock (&server->lock);
  MHD_stop_daemon (daemon);
  if (cancelled)
    status = http_fail (err, TALLY_CANCELLED, "%s: cancelled", server->listen);

out:
  if (fd >= 0)
    close (fd);
  return status;
}

int
http_server_serve (struct http_server *server,
                   const struct tally_service *service,
                   struct tally_error *err)
{
  int status = TALLY_OK;
  bool stop, serving;

  pthread_mutex_lock (&server->lock);
  serving = server->serving;
  stop = server->stop;
  server->serving = true;
  pthread_mutex_unlock (&server->lock);
  if (serving)
    return http_fail (err, TALLY_INVALID, "%s: is being served already",
                      server->listen);

  if (!stop) {
    server->service = service;
    status = server_run (server, err);
    server->service = NULL;
  }

  pthread_mutex_lock (&server->lock);
  server->serving = false;
  server->draining = false;
  server->stop = false;
  pthread_mutex_unlock (&server->lock);
  return status;
}

void
http_server_stop (struct http_server *server)
{
  pthread_mutex_lock (&server->lock);
  server->stop = true;
  pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
}

/* ---- making one --------------------------------------------------------- */

static bool
server_init_locks (struct http_server *server)
{
  pthread_condattr_t attr;
  bool good;

  if (pthread_condattr_init (&attr) != 0)
    return false;
  good = pthread_condattr_setclock (&attr, CLOCK_MONOTONIC) == 0
         && pthread_cond_init (&server->changed, &attr) == 0;
  pthread_condattr_destroy (&attr);
  if (good && pthread_mutex_init (&server->lock, NULL) != 0) {
    pthread_cond_destroy (&server->changed);
    good = false;
  }
  return good;
}

int
http_server_new (struct http_server **out, const struct tally_host *host,
                 const struct tally_value *values, struct tally_error *err)
{
  const char *cert = values[HTTP_TLS_CERT].text;
  const char *key = values[HTTP_TLS_KEY].text;
  struct http_server *server = calloc (1, sizeof *server);
  int status;

  if (!server || !server_init_locks (server)) {
    free (server);
    return http_fail (err, TALLY_FAILED, "http: out of memory");
  }

  server->host = host;
  server->max_request = (size_t) values[HTTP_MAX_REQUEST].number;
  server->max_connections = (unsigned) values[HTTP_MAX_CONNECTIONS].number;
  server->per_ip = (unsigned) values[HTTP_PER_IP].number;
  server->workers = (unsigned) values[HTTP_WORKERS].number;
  server->request_ms = (uint64_t) values[HTTP_REQUEST_TIMEOUT].number;
  server->idle_s =
      (unsigned) ((values[HTTP_IDLE_TIMEOUT].number + 999) / 1000);
  if (server->workers > server->max_connections)
    server->workers = server->max_connections;

  status = http_listen_parse (server, values[HTTP_LISTEN].text, err);
  if (status == TALLY_OK && cert) {
    server->cert = strdup (cert);
    server->key = strdup (key);
    if (!server->cert || !server->key)
      status = http_fail (err, TALLY_FAILED, "http: out of memory");
  }
  if (status == TALLY_OK)
    *out = server;
  else
    http_server_free (server);
  return status;
}

void
http_server_free (struct http_server *server)
{
  if (!server)
    return;
  pthread_mutex_destroy (&server->lock);
  pthread_cond_destroy (&server->changed);
  free (server->key);
  free (server->cert);
  free (server->node);
  free (server->name);
  free (server->listen);
  free (server);
}
