/* SPDX-License-Identifier: MIT */
/* The server, the handles and the asking that the checks of exchange share. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "asserting.h"
#include "exchange-kit.h"
#include "values.h"

#define PATIENCE_MS 20000

/* ---- the server --------------------------------------------------------- */

static void
on_ready (void *ctx, const char *url)
{
  struct exchange *x = ctx;

  pthread_mutex_lock (&x->lock);
  snprintf (x->url, sizeof x->url, "%s", url ? url : "");
  x->ready++;
  pthread_cond_broadcast (&x->changed);
  pthread_mutex_unlock (&x->lock);
}

static void
keep_text (char out[64], const char *text)
{
  snprintf (out, 64, "%s", text ? text : "");
}

struct late {
  const struct tally_request *request;
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
};

void
exchange_pause (unsigned ms)
{
  struct timespec pause = { 0, (long) ms * 1000000 };

  nanosleep (&pause, NULL);
}

static void *
reply_late (void *ctx)
{
  struct late late = *(struct late *) ctx;
  struct tally_response response = { .size = sizeof response, .code = 202 };

  free (ctx);
  exchange_pause (20);
  response.content_type = "text/late";
  response.body = late.request->body;
  late.reply (late.call, &response);
  return NULL;
}

/* Answers with the body that came; "/late" later, "/code/N" with a code. */
static void
on_request (void *ctx, const struct tally_request *request,
            void (*reply) (void *call, const struct tally_response *response),
            void *call)
{
  struct exchange *x = ctx;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  struct late *late;
  pthread_t thread;

  pthread_mutex_lock (&x->lock);
  x->requests++;
  keep_text (x->verb, request->verb);
  keep_text (x->path, request->path);
  keep_text (x->type, request->content_type);
  pthread_mutex_unlock (&x->lock);
  late = request->path && strcmp (request->path, "/late") == 0
             ? malloc (sizeof *late)
             : NULL;
  if (late) {
    *late = (struct late){ request, reply, call };
    if (pthread_create (&thread, NULL, reply_late, late) == 0)
      pthread_detach (thread);
    else
      reply_late (late);
    return;
  }
  if (request->path && strncmp (request->path, "/code/", 6) == 0)
    response.code = (unsigned) strtoul (request->path + 6, NULL, 10);
  response.content_type = "application/x-reply";
  response.body = request->body;
  reply (call, &response);
}

static void *
serve_main (void *ctx)
{
  struct exchange *x = ctx;
  struct tally_service service = { .size = sizeof service };
  int status;

  service.ctx = x;
  service.ready = on_ready;
  service.request = on_request;
  status = x->ops->serve (x->server, &service, &x->serve_err);
  pthread_mutex_lock (&x->lock);
  x->serve_status = status;
  x->done = true;
  pthread_cond_broadcast (&x->changed);
  pthread_mutex_unlock (&x->lock);
  return NULL;
}

bool
exchange_await (struct exchange *x, bool ready)
{
  struct timespec until;
  bool came;

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_sec += PATIENCE_MS / 1000;
  pthread_mutex_lock (&x->lock);
  while (!x->done && !(ready && x->ready > 0)
         && pthread_cond_timedwait (&x->changed, &x->lock, &until) == 0)
    ;
  came = ready ? x->ready > 0 : x->done;
  pthread_mutex_unlock (&x->lock);
  return came;
}

void
exchange_serve (struct exchange *x)
{
  x->ready = 0;
  x->done = false;
  assert_int_equal (pthread_create (&x->thread, NULL, serve_main, x), 0);
  x->serving = true;
}

void
exchange_stop (struct exchange *x)
{
  bool returned;

  x->ops->stop (x->server);
  returned = exchange_await (x, false);
  x->serving = !returned;
  if (returned)
    pthread_join (x->thread, NULL);
  else
    pthread_detach (x->thread);
  assert_true (returned);
}

/* ---- handles ------------------------------------------------------------ */

static size_t
listen_row (const struct tally_option *options)
{
  size_t i = 0;

  while (options && options[i].name && strcmp (options[i].name, "listen") != 0)
    i++;
  return options && options[i].name ? i : KIT_VALUES;
}

static int
open_server (struct exchange *x)
{
  struct tally_value values[KIT_VALUES];
  size_t row = listen_row (x->subject->driver->options);

  kit_values (values, x->subject, NULL);
  if (row < KIT_VALUES)
    values[row].text = "127.0.0.1:0";
  else if (x->subject->fresh (x->value, sizeof x->value) == 0)
    values[0].text = x->value;
  x->alone = row == KIT_VALUES;
  return x->ops->open (&x->server, &x->host, values, 0, &x->err);
}

static void
open_client (struct exchange *x)
{
  struct tally_value values[KIT_VALUES];
  int status;

  if (x->alone) {
    x->client = x->server;
    return;
  }
  kit_values (values, x->subject, x->url);
  status = x->ops->open (&x->client, &x->host, values, 0, &x->err);
  if (status != TALLY_OK)
    kit_note ("open: %s", x->err.text);
  assert_int_equal (status, TALLY_OK);
}

int
exchange_setup (void **state)
{
  const struct kit_subject *subject = *state;
  struct exchange *x = calloc (1, sizeof *x);

  if (!x)
    return -1;
  x->subject = subject;
  x->ops = subject->driver->transport;
  kit_host (&x->host);
  pthread_mutex_init (&x->lock, NULL);
  pthread_cond_init (&x->changed, NULL);
  if (open_server (x) != TALLY_OK) {
    kit_note ("open: %s", x->err.text);
    free (x);
    return -1;
  }
  *state = x;
  return 0;
}

/* Of a server that does not return nothing is freed. */
int
exchange_teardown (void **state)
{
  struct exchange *x = *state;

  if (x->serving) {
    x->ops->stop (x->server);
    if (!exchange_await (x, false))
      return 0;
    pthread_join (x->thread, NULL);
  }
  if (x->client && x->client != x->server)
    x->ops->close (x->client);
  x->ops->close (x->server);
  pthread_cond_destroy (&x->changed);
  pthread_mutex_destroy (&x->lock);
  free (x);
  return 0;
}

/* ---- asking ------------------------------------------------------------- */

static int
keep_answer (void *ctx, const struct tally_response *response)
{
  struct exchange_answer *a = ctx;

  a->replies++;
  a->code = response->code;
  keep_text (a->type, response->content_type);
  free (a->body);
  a->size = response->body.size;
  a->body = malloc (a->size + 1);
  if (a->body && a->size > 0)
    memcpy (a->body, response->body.data, a->size);
  return 0;
}

void
exchange_ask (struct exchange *x, struct exchange_answer *a, const char *path,
              const char *data, size_t n)
{
  struct tally_request request = { .size = sizeof request,
                                   .verb = "POST",
                                   .path = path,
                                   .content_type = "application/x-ask" };

  memset (a, 0, sizeof *a);
  request.body.data = data;
  request.body.size = n;
  a->status = x->ops->exchange (x->client, &request, keep_answer, a,
                                &a->traffic, &a->err);
}

void
exchange_ask_well (struct exchange *x, struct exchange_answer *a,
                   const char *path, const char *data, size_t n)
{
  exchange_ask (x, a, path, data, n);
  if (a->status != TALLY_OK)
    kit_note ("exchange: %s", a->err.text);
  assert_int_equal (a->status, TALLY_OK);
  assert_int_equal (a->replies, 1);
  assert_int_equal (a->size, n);
  if (n > 0)
    assert_memory_equal (a->body, data, n);
  free (a->body);
  a->body = NULL;
}

void
exchange_begin (struct exchange *x)
{
  exchange_serve (x);
  if (!exchange_await (x, true)) {
    kit_note ("serve: %s", x->serve_err.text);
    assert_true (x->ready > 0);
  }
  open_client (x);
}
