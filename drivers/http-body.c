/* SPDX-License-Identifier: MIT */
/* Bodies on their way in, and the memory that all of them together may
 * take. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "http-server.h"
#include "http-zstd.h"

#define BUDGET 4 /* times max_request: bodies held at once */

/* Gives the body's memory back to the budget. */
void
http_body_drop (struct call *call)
{
  pthread_mutex_lock (&call->server->lock);
  call->server->held -= call->allocated;
  pthread_mutex_unlock (&call->server->lock);
  free (call->body);
  call->body = NULL;
  call->size = 0;
  call->allocated = 0;
}

/* Memory follows what has come, not what was announced.  The refusal, or
 * NULL when there is room for n more. */
static const struct refusal *
body_reserve (struct call *call, size_t n)
{
  struct http_server *server = call->server;
  size_t want = call->allocated ? call->allocated : 4096;
  bool fits;
  char *grown;

  if (n > server->max_request - call->size)
    return &http_too_large;
  while (want < call->size + n)
    want *= 2;
  if (want > server->max_request)
    want = server->max_request;
  if (call->length >= call->size + n && want > call->length)
    want = (size_t) call->length;
  if (want <= call->allocated)
    return NULL;

  pthread_mutex_lock (&server->lock);
  fits = want - call->allocated <= BUDGET * server->max_request - server->held;
  if (fits)
    server->held += want - call->allocated;
  pthread_mutex_unlock (&server->lock);
  if (!fits)
    return &http_busy;

  grown = realloc (call->body, want);
  if (!grown) {
    pthread_mutex_lock (&server->lock);
    server->held -= want - call->allocated;
    pthread_mutex_unlock (&server->lock);
    return &http_busy;
  }
  call->body = grown;
  call->allocated = want;
  return NULL;
}

/* Once refused, the rest is read and thrown away, within the deadline. */
void
http_body_append (struct call *call, const char *data, size_t n)
{
  if (call->refusal)
    return;
  call->refusal = body_reserve (call, n);
  if (call->refusal) {
    http_body_drop (call);
    return;
  }
  memcpy (call->body + call->size, data, n);
  call->size += n;
}

/* Of what is being unpacked no more than max_request is held beside the
 * budget, for each worker. */
void
http_body_unpack (struct call *call)
{
  struct http_server *server = call->server;
  char *body = NULL;
  size_t size = 0;
  bool fits;

  switch (http_zstd_unpack (call->body, call->size, server->max_request, &body,
                            &size)) {
  case HTTP_UNPACKED:
    break;
  case HTTP_UNPACKED_LARGE:
    call->refusal = &http_too_large;
    return;
  default:
    call->refusal = &http_bad_body;
    return;
  }
  http_body_drop (call);
  pthread_mutex_lock (&server->lock);
  fits = size <= BUDGET * server->max_request - server->held;
  if (fits)
    server->held += size;
  pthread_mutex_unlock (&server->lock);
  if (!fits) {
    free (body);
    call->refusal = &http_busy;
    return;
  }
  call->body = body;
  call->size = call->allocated = size;
}
