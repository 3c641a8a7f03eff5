/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transport-kit.h"

int64_t
kit_now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- values ------------------------------------------------------------ */

int
kit_row (const char *name)
{
  const struct tally_option *options = tally_driver_1 ()->options;
  int i;

  for (i = 0; options[i].name; i++)
    if (strcmp (options[i].name, name) == 0)
      return i;
  fail_msg ("no option %s", name);
  return -1;
}

/* 3, 64M, 30s: as the host reads them. */
static int64_t
number_of (const char *text)
{
  char *end;
  int64_t number = strtoll (text, &end, 10);

  if (strcmp (end, "M") == 0)
    return number << 20;
  if (strcmp (end, "s") == 0)
    return number * 1000;
  assert_string_equal (end, "");
  return number;
}

void
kit_set_text (struct fixture *f, const char *name, const char *text)
{
  f->values[kit_row (name)].text = text;
}

void
kit_set_number (struct fixture *f, const char *name, int64_t number)
{
  f->values[kit_row (name)].number = number;
}

/* ---- host and service -------------------------------------------------- */

static int
host_cancelled (void *ctx)
{
  struct fixture *f = ctx;

  if (atomic_load (&f->cancel_after) > 0
      && atomic_fetch_sub (&f->cancel_after, 1) == 1)
    atomic_store (&f->cancel, 1);
  return atomic_load (&f->cancel);
}

static void
host_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  (void) text;
}

static void
service_ready (void *ctx, const char *url)
{
  struct fixture *f = ctx;

  pthread_mutex_lock (&f->lock);
  f->ready = true;
  snprintf (f->url, sizeof f->url, "%s", url);
  f->port = (unsigned) strtoul (strrchr (url, ':') + 1, NULL, 10);
  pthread_cond_broadcast (&f->changed);
  pthread_mutex_unlock (&f->lock);
}

struct late {
  const struct tally_request *request;
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
};

static void *
late_main (void *ctx)
{
  struct late late = *(struct late *) ctx;
  struct tally_response response = { .size = sizeof response, .code = 202 };

  free (ctx);
  response.body = late.request->body;
  late.reply (late.call, &response);
  return NULL;
}

static void
note (char *out, size_t size, const char *text)
{
  snprintf (out, size, "%s", text ? text : "-");
}

static void
service_note (struct fixture *f, const struct tally_request *request)
{
  pthread_mutex_lock (&f->lock);
  note (f->peer, sizeof f->peer, request->peer);
  note (f->credential, sizeof f->credential, request->credential);
  note (f->path, sizeof f->path, request->path);
  note (f->verb, sizeof f->verb, request->verb);
  note (f->hostname, sizeof f->hostname, request->host);
  pthread_mutex_unlock (&f->lock);
  atomic_fetch_add (&f->requests, 1);
}

/* /late replies from another thread, /hold when the test says so, /busy with
 * 503 as often as asked, all else at once. */
static void
service_request (void *ctx, const struct tally_request *request,
                 void (*reply) (void *call,
                                const struct tally_response *response),
                 void *call)
{
  struct fixture *f = ctx;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  struct late *late;
  pthread_t thread;

  service_note (f, request);
  if (strcmp (request->path, "/late") == 0) {
    late = malloc (sizeof *late);
    late->request = request;
    late->reply = reply;
    late->call = call;
    pthread_create (&thread, NULL, late_main, late);
    pthread_detach (thread);
    return;
  }
  if (strcmp (request->path, "/hold") == 0) {
    pthread_mutex_lock (&f->lock);
    f->request = request;
    f->reply = reply;
    f->call = call;
    pthread_cond_broadcast (&f->changed);
    pthread_mutex_unlock (&f->lock);
    return;
  }
  if (strcmp (request->path, "/busy") == 0
      && atomic_fetch_sub (&f->busy, 1) > 0)
    response.code = 503;
  response.content_type = request->content_type;
  response.body = request->body;
  if (strcmp (request->verb, "HEAD") == 0)
    response.body = (struct tally_slice){ "hello", 5 };
  reply (call, &response);
}

void
kit_hold_wait (struct fixture *f)
{
  pthread_mutex_lock (&f->lock);
  while (!f->call)
    pthread_cond_wait (&f->changed, &f->lock);
  pthread_mutex_unlock (&f->lock);
}

void
kit_hold_release (struct fixture *f)
{
  struct tally_response response = { .size = sizeof response, .code = 207 };

  response.body = f->request->body;
  f->reply (f->call, &response);
  f->call = NULL;
}

/* ---- fixtures ---------------------------------------------------------- */

void
kit_prepare (struct fixture *f)
{
  const struct tally_option *options = tally_driver_1 ()->options;
  int i;

  memset (f, 0, sizeof *f);
  f->host.size = sizeof f->host;
  f->host.ctx = f;
  f->host.log = host_log;
  f->host.cancelled = host_cancelled;
  f->service.size = sizeof f->service;
  f->service.ctx = f;
  f->service.ready = service_ready;
  f->service.request = service_request;
  pthread_mutex_init (&f->lock, NULL);
  pthread_cond_init (&f->changed, NULL);
  f->transport = tally_driver_1 ()->transport;
  for (i = 0; options[i].name; i++) {
    assert_true (i < KIT_ROWS);
    f->values[i].text = options[i].default_value;
    if (options[i].default_value)
      f->values[i].number = number_of (options[i].default_value);
  }
}

int
kit_open (struct fixture *f)
{
  return f->transport->open (&f->handle, &f->host, f->values, 0, &f->err);
}

static void *
serve_main (void *ctx)
{
  struct fixture *f = ctx;
  int status = f->transport->serve (f->handle, &f->service, &f->err);

  pthread_mutex_lock (&f->lock);
  f->status = status;
  f->done = true;
  pthread_cond_broadcast (&f->changed);
  pthread_mutex_unlock (&f->lock);
  return NULL;
}

void
kit_serve (struct fixture *f)
{
  f->ready = false;
  f->done = false;
  assert_int_equal (pthread_create (&f->thread, NULL, serve_main, f), 0);
  pthread_mutex_lock (&f->lock);
  while (!f->ready && !f->done)
    pthread_cond_wait (&f->changed, &f->lock);
  pthread_mutex_unlock (&f->lock);
}

/* Whether serve has returned, or does so in half a second: time enough for
 * one that wrongly does not wait. */
bool
kit_serve_returns (struct fixture *f)
{
  struct timespec until;
  bool done;

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_nsec += 500000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_mutex_lock (&f->lock);
  while (!f->done
         && pthread_cond_timedwait (&f->changed, &f->lock, &until) == 0)
    continue;
  done = f->done;
  pthread_mutex_unlock (&f->lock);
  return done;
}

void
kit_close (struct fixture *f)
{
  if (f->handle)
    f->transport->close (f->handle);
  pthread_cond_destroy (&f->changed);
  pthread_mutex_destroy (&f->lock);
}

void
kit_open_server (struct fixture *server)
{
  if (!server->values[kit_row ("listen")].text)
    kit_set_text (server, "listen", "127.0.0.1:0");
  assert_int_equal (kit_open (server), TALLY_OK);
  kit_serve (server);
  assert_true (server->ready);
}

void
kit_close_server (struct fixture *server)
{
  server->transport->stop (server->handle);
  pthread_join (server->thread, NULL);
  assert_int_equal (server->status, TALLY_OK);
  kit_close (server);
}

void
kit_open_client (struct fixture *client, const char *url)
{
  kit_set_text (client, "url", url);
  assert_int_equal (kit_open (client), TALLY_OK);
}

void
kit_open_pair (struct fixture *server, struct fixture *client)
{
  kit_prepare (server);
  kit_open_server (server);
  kit_prepare (client);
  kit_open_client (client, server->url);
}

void
kit_close_pair (struct fixture *server, struct fixture *client)
{
  kit_close (client);
  kit_close_server (server);
}
