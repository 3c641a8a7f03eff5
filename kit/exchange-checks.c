/* SPDX-License-Identifier: MIT */
/* What a transport with serve and exchange must do: what is asked goes up as
 * it is, and the reply comes back as it is.  A driver with an option `listen`
 * gets two handles, one that listens at a free port of this machine, and one
 * whose first option is the URL that the first one told; any other serves what
 * its own handle asks. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "asserting.h"
#include "kit.h"
#include "values.h"

#define ASKERS 6
#define EACH 5
#define BIG ((size_t) 3 << 20)
#define PATIENCE_MS 20000

struct exchange {
  const struct kit_subject *subject;
  const struct tally_transport *ops;
  struct tally_host host;
  char value[4096];
  void *server, *client; /* the same when it is alone */
  bool alone;
  struct tally_error err;

  pthread_t thread;
  bool serving;

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t changed;
  unsigned ready, requests;
  bool done;
  int serve_status;
  struct tally_error serve_err;
  char url[128];
  char verb[64], path[64], type[64]; /* of the last request */
};

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

static void
pause_ms (unsigned ms)
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
  pause_ms (20);
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

/* Waits until the server is ready (or done, with `ready` false).  False: it
 * took too long. */
static bool
await_server (struct exchange *x, bool ready)
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

static void
serve_start (struct exchange *x)
{
  x->ready = 0;
  x->done = false;
  assert_int_equal (pthread_create (&x->thread, NULL, serve_main, x), 0);
  x->serving = true;
  if (!await_server (x, true)) {
    kit_note ("serve: %s", x->serve_err.text);
    assert_true (x->ready > 0);
  }
}

static void
serve_stop (struct exchange *x)
{
  bool returned;

  x->ops->stop (x->server);
  returned = await_server (x, false);
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

static int
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
static int
exchange_teardown (void **state)
{
  struct exchange *x = *state;

  if (x->serving) {
    x->ops->stop (x->server);
    if (!await_server (x, false))
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

struct answer {
  struct exchange *x;
  const char *path;
  const char *data;
  size_t n;
  int status;
  unsigned replies;
  unsigned code;
  char type[64];
  char *body;
  size_t size;
  unsigned good; /* of EACH */
  struct tally_traffic traffic;
  struct tally_error err;
};

static int
keep_answer (void *ctx, const struct tally_response *response)
{
  struct answer *a = ctx;

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

static void
ask (struct exchange *x, struct answer *a, const char *path, const char *data,
     size_t n)
{
  struct tally_request request = { .size = sizeof request,
                                   .verb = "POST",
                                   .path = path,
                                   .content_type = "application/x-ask" };

  memset (a, 0, sizeof *a);
  a->x = x;
  request.body.data = data;
  request.body.size = n;
  a->status = x->ops->exchange (x->client, &request, keep_answer, a,
                                &a->traffic, &a->err);
}

/* Asks what must be answered with the same bytes. */
static void
ask_well (struct exchange *x, struct answer *a, const char *path,
          const char *data, size_t n)
{
  ask (x, a, path, data, n);
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

static void
begin (struct exchange *x)
{
  serve_start (x);
  open_client (x);
}

/* ---- checks ------------------------------------------------------------- */

static void
request_goes_up (void **state)
{
  struct exchange *x = *state;
  struct answer a;

  begin (x);
  ask_well (x, &a, "/some/path", "body", 4);
  assert_int_equal (x->requests, 1);
  assert_string_equal (x->verb, "POST");
  assert_string_equal (x->path, "/some/path");
  assert_string_equal (x->type, "application/x-ask");
}

static void
reply_comes_back (void **state)
{
  static const unsigned codes[] = { 200, 400, 401, 404, 415, 500 };
  struct exchange *x = *state;
  struct answer a;
  char path[32];

  begin (x);
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    snprintf (path, sizeof path, "/code/%u", codes[i]);
    ask_well (x, &a, path, "why", 3);
    assert_int_equal (a.code, codes[i]);
    assert_string_equal (a.type, "application/x-reply");
  }
}

static void
any_bytes (void **state)
{
  struct exchange *x = *state;
  char bytes[1024];
  struct answer a;

  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char) (255 - i % 256);
  begin (x);
  ask_well (x, &a, "/", bytes, sizeof bytes);
  ask_well (x, &a, "/", bytes + 255, 1);
  ask_well (x, &a, "/", NULL, 0);
}

static void
big_body (void **state)
{
  struct exchange *x = *state;
  char *bytes = malloc (BIG);
  struct answer a;

  assert_non_null (bytes);
  for (size_t i = 0; i < BIG; i++)
    bytes[i] = (char) ((i * 2654435761u) >> 13);
  begin (x);
  ask_well (x, &a, "/", bytes, BIG);
  free (bytes);
}

static void
late_reply (void **state)
{
  struct exchange *x = *state;
  struct answer a;

  begin (x);
  ask_well (x, &a, "/late", "wait", 4);
  assert_int_equal (a.code, 202);
  assert_string_equal (a.type, "text/late");
}

static void
traffic_counts (void **state)
{
  struct exchange *x = *state;
  char bytes[5000] = { 1 };
  struct answer a;

  begin (x);
  ask_well (x, &a, "/", bytes, sizeof bytes);
  assert_true (a.traffic.sent >= sizeof bytes);
  assert_true (a.traffic.received >= sizeof bytes);
  assert_true (a.traffic.sent < 2 * sizeof bytes);
  assert_true (a.traffic.received < 2 * sizeof bytes);
}

static void *
ask_many (void *ctx)
{
  struct answer *a = ctx;
  struct exchange *x = a->x;
  char text[32];

  for (unsigned i = 0; i < EACH; i++) {
    struct answer one;

    snprintf (text, sizeof text, "%p %u", (void *) a, i);
    ask (x, &one, i % 2 ? "/late" : "/", text, strlen (text));
    a->good += one.status == TALLY_OK && one.size == strlen (text) && one.body
               && memcmp (one.body, text, one.size) == 0;
    free (one.body);
  }
  return NULL;
}

static void
many_at_once (void **state)
{
  struct exchange *x = *state;
  struct answer answers[ASKERS];
  pthread_t threads[ASKERS];

  if (x->ops->threads != TALLY_THREADS_ANY)
    skip ();
  begin (x);
  memset (answers, 0, sizeof answers);
  for (size_t i = 0; i < ASKERS; i++) {
    answers[i].x = x;
    assert_int_equal (
        pthread_create (&threads[i], NULL, ask_many, &answers[i]), 0);
  }
  for (size_t i = 0; i < ASKERS; i++)
    pthread_join (threads[i], NULL);
  for (size_t i = 0; i < ASKERS; i++)
    assert_int_equal (answers[i].good, EACH);
}

static void
ready_once (void **state)
{
  struct exchange *x = *state;
  struct answer a;

  begin (x);
  for (unsigned i = 0; i < 200; i++) {
    ask (x, &a, "/", "x", 1);
    free (a.body);
    if (a.status == TALLY_OK)
      break;
    pause_ms (10);
  }
  assert_int_equal (x->ready, 1);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_not_equal (x->url[0], '\0');
}

static void
stop_returns (void **state)
{
  struct exchange *x = *state;
  struct answer a;

  begin (x);
  ask_well (x, &a, "/", "x", 1);
  serve_stop (x);
  assert_int_equal (x->serve_status, TALLY_OK);
}

static void
stop_before (void **state)
{
  struct exchange *x = *state;

  x->ops->stop (x->server);
  x->done = false;
  assert_int_equal (pthread_create (&x->thread, NULL, serve_main, x), 0);
  x->serving = true;
  assert_true (await_server (x, false));
  assert_int_equal (x->serve_status, TALLY_OK);
}

static void
nobody_there (void **state)
{
  struct exchange *x = *state;
  struct answer a;

  begin (x);
  serve_stop (x);
  ask (x, &a, "/", "x", 1);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_int_equal (a.err.status, TALLY_AGAIN);
  assert_non_null (strchr (a.err.text, ':'));
  assert_int_equal (a.replies, 0);
}

static const struct kit_check exchange_checks[] = {
  KIT_CHECK (ready_once, "serve", "ready is called once, with a URL"),
  KIT_CHECK (request_goes_up, "serve",
             "a request has the verb, path and content type that were asked"),
  KIT_CHECK (late_reply, "serve",
             "a reply may come later, from another thread"),
  KIT_CHECK (reply_comes_back, "exchange",
             "the one reply is emitted, whatever its code"),
  KIT_CHECK (any_bytes, "exchange", "bodies are any bytes, or none"),
  KIT_CHECK (big_body, "exchange", "a body may be large"),
  KIT_CHECK (traffic_counts, "exchange", "traffic counts what went both ways"),
  KIT_CHECK (many_at_once, "exchange",
             "each of many at once gets its own reply"),
  KIT_CHECK (nobody_there, "exchange", "nobody there is TALLY_AGAIN"),
  KIT_CHECK (stop_returns, "stop", "serve returns TALLY_OK"),
  KIT_CHECK (stop_before, "stop", "also when serve is only about to start"),
  { 0 },
};

static const struct kit_check *const exchange_tables[] = { exchange_checks,
                                                           NULL };

const struct kit_suite kit_exchange = { exchange_tables, exchange_setup,
                                        exchange_teardown };
