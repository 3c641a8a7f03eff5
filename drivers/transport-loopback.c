/* SPDX-License-Identifier: MIT */
/* A transport that goes nowhere: what one thread asks, a server on the same
 * handle answers.  Two stores in one program are synced through it, over the
 * same messages that a network would carry.  A call is shared by the two
 * sides and copies what it holds, so that a cancelled exchange can leave
 * while its request is still being worked on. */

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tally/driver.h>

#define TICK_MS 50 /* how long cancelled may go unasked */

enum { LOOPBACK_NAME };

struct loopback {
  const struct tally_host *host;
  char *name;           /* or NULL */
  pthread_mutex_t lock; /* guards all below, and every call's shared part */
  pthread_cond_t changed;
  const struct tally_service *service; /* NULL: nobody serves */
  bool serving;                        /* serve has not returned yet */
  bool stop;        /* asked for; taken back when serve returns */
  size_t under_way; /* twice a call: `request` to return, the reply to come */
};

struct call {
  struct loopback *loopback;
  struct tally_request request;
  void *copies[4]; /* what the request points to */
  /* Shared, under the lock. */
  bool replied;
  bool left; /* nobody waits: whoever replies frees the call */
  struct tally_response response;
  char *type; /* of the response, copied */
  char *body;
  bool lost; /* no memory for the response */
};

static const struct tally_option loopback_options[] = {
  [LOOPBACK_NAME] = { "name", TALLY_OPTION_STRING, 0, NULL,
                      "what messages call it", NULL },
  { NULL, 0, 0, NULL, NULL, NULL }
};

static int
loopback_fail (const struct loopback *loopback, struct tally_error *err,
               int status, const char *text)
{
  const char *name = loopback && loopback->name ? loopback->name : "";

  err->status = status;
  snprintf (err->text, sizeof err->text, "loopback%s%s: %s", *name ? " " : "",
            name, text);
  return status;
}

/* Waits for a change, but not for long.  Under the lock. */
static void
loopback_tick (struct loopback *loopback)
{
  struct timespec until;

  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += TICK_MS * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_cond_timedwait (&loopback->changed, &loopback->lock, &until);
}

static bool
loopback_cancelled (const struct loopback *loopback)
{
  return loopback->host->cancelled (loopback->host->ctx) != 0;
}

/* ---- calls ------------------------------------------------------------- */

static void
call_free (struct call *call)
{
  size_t i;

  if (!call)
    return;
  for (i = 0; i < sizeof call->copies / sizeof call->copies[0]; i++)
    free (call->copies[i]);
  free (call->type);
  free (call->body);
  free (call);
}

/* Like memdup: what is empty is one byte, so that NULL means no memory. */
static char *
call_copy (const void *data, size_t size)
{
  char *copy = malloc (size + 1);

  if (!copy)
    return NULL;
  if (size > 0)
    memcpy (copy, data, size);
  copy[size] = '\0';
  return copy;
}

/* Puts a copy of the text into *out; false when out of memory. */
static bool
call_copy_text (const char *text, void **keep, const char **out)
{
  if (!text)
    return true;
  *keep = call_copy (text, strlen (text));
  *out = *keep;
  return *keep != NULL;
}

static struct call *
call_new (struct loopback *loopback, const struct tally_request *request)
{
  struct call *call = calloc (1, sizeof *call);

  if (!call)
    return NULL;
  call->loopback = loopback;
  call->request.size = sizeof call->request;
  call->request.host = "loopback";
  call->request.peer = "loopback";
  call->copies[0] = call_copy (request->body.data, request->body.size);
  if (!call->copies[0]
      || !call_copy_text (request->verb, &call->copies[1], &call->request.verb)
      || !call_copy_text (request->path, &call->copies[2], &call->request.path)
      || !call_copy_text (request->content_type, &call->copies[3],
                          &call->request.content_type)) {
    call_free (call);
    return NULL;
  }
  call->request.body.data = call->copies[0];
  call->request.body.size = request->body.size;
  return call;
}

/* What the service calls, from any thread. */
static void
loopback_reply (void *ctx, const struct tally_response *response)
{
  struct call *call = ctx;
  struct loopback *loopback = call->loopback;
  const char *type = response->content_type;
  char *body = call_copy (response->body.data, response->body.size);
  char *copied = type ? call_copy (type, strlen (type)) : NULL;
  bool left;

  pthread_mutex_lock (&loopback->lock);
  call->body = body;
  call->type = copied;
  call->lost = !body || (type && !copied);
  call->response.size = sizeof call->response;
  call->response.code = response->code;
  call->response.content_type = copied;
  call->response.body.data = body;
  call->response.body.size = response->body.size;
  call->replied = true;
  left = call->left;
  loopback->under_way--;
  pthread_cond_broadcast (&loopback->changed);
  pthread_mutex_unlock (&loopback->lock);
  if (left)
    call_free (call);
}

/* ---- slots ------------------------------------------------------------- */

static void
loopback_close (void *handle)
{
  struct loopback *loopback = handle;

  pthread_mutex_destroy (&loopback->lock);
  pthread_cond_destroy (&loopback->changed);
  free (loopback->name);
  free (loopback);
}

static bool
loopback_init_locks (struct loopback *loopback)
{
  pthread_condattr_t attr;
  bool good;

  if (pthread_condattr_init (&attr) != 0)
    return false;
  good = pthread_condattr_setclock (&attr, CLOCK_MONOTONIC) == 0
         && pthread_cond_init (&loopback->changed, &attr) == 0;
  pthread_condattr_destroy (&attr);
  if (good && pthread_mutex_init (&loopback->lock, NULL) != 0) {
    pthread_cond_destroy (&loopback->changed);
    good = false;
  }
  return good;
}

static int
loopback_open (void **handle, const struct tally_host *host,
               const struct tally_value *values, unsigned flags,
               struct tally_error *err)
{
  const char *name = values[LOOPBACK_NAME].text;
  struct loopback *loopback = calloc (1, sizeof *loopback);

  (void) flags;
  if (!loopback || !loopback_init_locks (loopback)) {
    free (loopback);
    return loopback_fail (NULL, err, TALLY_FAILED, "out of memory");
  }
  loopback->host = host;
  if (name) {
    loopback->name = strdup (name);
    if (!loopback->name) {
      loopback_close (loopback);
      return loopback_fail (NULL, err, TALLY_FAILED, "out of memory");
    }
  }
  *handle = loopback;
  return TALLY_OK;
}

/* After `request` has returned.  Waits for the reply; false when cancelled
 * first, and then the call is the other side's. */
static bool
loopback_wait (struct loopback *loopback, struct call *call)
{
  bool replied;

  pthread_mutex_lock (&loopback->lock);
  loopback->under_way--;
  pthread_cond_broadcast (&loopback->changed);
  while (!call->replied && !loopback_cancelled (loopback))
    loopback_tick (loopback);
  replied = call->replied;
  call->left = !replied;
  pthread_mutex_unlock (&loopback->lock);
  return replied;
}

static int
loopback_exchange (void *handle, const struct tally_request *request,
                   tally_emit_response *emit, void *ctx,
                   struct tally_traffic *traffic, struct tally_error *err)
{
  struct loopback *loopback = handle;
  const struct tally_service *service;
  struct call *call = call_new (loopback, request);
  int status = TALLY_OK;

  if (!call)
    return loopback_fail (loopback, err, TALLY_FAILED, "out of memory");

  pthread_mutex_lock (&loopback->lock);
  service = loopback->stop ? NULL : loopback->service;
  if (service)
    loopback->under_way += 2;
  pthread_mutex_unlock (&loopback->lock);
  if (!service) {
    call_free (call);
    return loopback_fail (loopback, err, TALLY_AGAIN, "nobody serves here");
  }

  traffic->sent += request->body.size;
  service->request (service->ctx, &call->request, loopback_reply, call);
  if (!loopback_wait (loopback, call))
    return loopback_fail (loopback, err, TALLY_CANCELLED, "cancelled");

  if (call->lost)
    status = loopback_fail (loopback, err, TALLY_FAILED, "out of memory");
  else {
    traffic->received += call->response.body.size;
    emit (ctx, &call->response);
  }
  call_free (call);
  return status;
}

static int
loopback_serve (void *handle, const struct tally_service *service,
                struct tally_error *err)
{
  struct loopback *loopback = handle;
  bool stop, cancelled = false;

  pthread_mutex_lock (&loopback->lock);
  if (loopback->serving) {
    pthread_mutex_unlock (&loopback->lock);
    return loopback_fail (loopback, err, TALLY_INVALID,
                          "is being served already");
  }
  loopback->serving = true;
  loopback->service = service;
  stop = loopback->stop;
  pthread_mutex_unlock (&loopback->lock);

  if (!stop)
    service->ready (service->ctx, "loopback:");

  pthread_mutex_lock (&loopback->lock);
  while (!loopback->stop && !cancelled) {
    loopback_tick (loopback);
    cancelled = loopback_cancelled (loopback);
  }
  loopback->service = NULL;
  while (loopback->under_way > 0)
    loopback_tick (loopback);
  loopback->serving = false;
  loopback->stop = false;
  pthread_mutex_unlock (&loopback->lock);

  if (cancelled)
    return loopback_fail (loopback, err, TALLY_CANCELLED, "cancelled");
  return TALLY_OK;
}

static void
loopback_stop (void *handle)
{
  struct loopback *loopback = handle;

  pthread_mutex_lock (&loopback->lock);
  loopback->stop = true;
  pthread_cond_broadcast (&loopback->changed);
  pthread_mutex_unlock (&loopback->lock);
}

static const struct tally_transport loopback_transport = {
  TALLY_TRANSPORT_INIT,          .threads = TALLY_THREADS_ANY,
  .open = loopback_open,         .close = loopback_close,
  .exchange = loopback_exchange, .serve = loopback_serve,
  .stop = loopback_stop,
};

static const struct tally_driver loopback_driver = {
  TALLY_DRIVER_INIT,
  .name = "loopback",
  .version = "1.0",
  .summary = "within one program: the same handle asks and serves",
  .options = loopback_options,
  .transport = &loopback_transport,
};

TALLY_DRIVER (loopback_driver)
