/* SPDX-License-Identifier: MIT */
/* One request, from its head to the end of its reply.  It is handed up once
 * its body is here; its connection sleeps until the reply. */

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "http-server.h"
#include "http-zstd.h"

const struct refusal http_bad_head = { 400, "request head is malformed\n" };
const struct refusal http_bad_body = { 400, "request body is malformed\n" };
const struct refusal http_bad_encoding = { 415,
                                           "request has an encoding that is "
                                           "not known\n" };
const struct refusal http_too_large = { 413, "request is too large\n" };
const struct refusal http_busy = { 503, "server is busy\n" };

static void
call_set_peer (struct call *call)
{
  const union MHD_ConnectionInfo *info;
  char host[64], port[8];
  const struct sockaddr *addr;
  socklen_t size = sizeof (struct sockaddr_in);

  info = MHD_get_connection_info (call->connection,
                                  MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  addr = info ? info->client_addr : NULL;
  if (!addr)
    return;
  if (addr->sa_family == AF_INET6)
    size = sizeof (struct sockaddr_in6);
  if (getnameinfo (addr, size, host, sizeof host, port, sizeof port,
                   NI_NUMERICHOST | NI_NUMERICSERV)
      != 0)
    return;
  snprintf (call->peer, sizeof call->peer,
            addr->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
  call->request.peer = call->peer;
}

static struct call *
call_new (struct http_server *server, struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info;
  struct call *call = calloc (1, sizeof *call);

  if (!call)
    return NULL;
  info =
      MHD_get_connection_info (connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  call->server = server;
  call->connection = connection;
  call->conn = info ? info->socket_context : NULL;
  call->request.size = sizeof call->request;
  return call;
}

/* ---- the reply ---------------------------------------------------------- */

static enum MHD_Result
call_refuse (struct call *call)
{
  const struct refusal *refusal = call->refusal;
  enum MHD_Result result = MHD_NO;
  struct MHD_Response *response;

  response = MHD_create_response_from_buffer (
      strlen (refusal->text), (void *) (uintptr_t) refusal->text,
      MHD_RESPMEM_PERSISTENT);
  if (!response)
    return MHD_NO;
  if (MHD_add_response_header (response, "Content-Type", "text/plain")
      && MHD_add_response_header (response, "Connection", "close")
      && (refusal != &http_busy
          || MHD_add_response_header (response, "Retry-After", "1")))
    result = MHD_queue_response (call->connection, refusal->code, response);
  MHD_destroy_response (response);
  return result;
}

static bool
add_headers (const struct call *call, const struct tally_response *reply,
             bool packed, struct MHD_Response *response)
{
  if (reply->content_type
      && !MHD_add_response_header (response, "Content-Type",
                                   reply->content_type))
    return false;
  if (packed
      && !MHD_add_response_header (response, "Content-Encoding", "zstd"))
    return false;
  return !call->takes_packed
         || MHD_add_response_header (response, "Accept-Encoding", "zstd");
}

static struct MHD_Response *
call_response (const struct call *call, const struct tally_response *reply)
{
  struct MHD_Response *response;
  size_t size = reply->body.size;
  char *packed = call->takes_packed
                     ? http_zstd_pack (reply->body.data, size, &size)
                     : NULL;

  if (packed)
    response =
        MHD_create_response_from_buffer (size, packed, MHD_RESPMEM_MUST_FREE);
  else
    response = MHD_create_response_from_buffer (
        size, (void *) (uintptr_t) reply->body.data, MHD_RESPMEM_MUST_COPY);
  if (!response) {
    free (packed);
    return NULL;
  }
  if (add_headers (call, reply, packed != NULL, response))
    return response;
  MHD_destroy_response (response);
  return NULL;
}

/* What the service calls, from any thread, also while call_hand_up is still
 * inside `request`: whoever comes second to the lock sees the first.  After
 * the unlock the call may be gone. */
static void
call_reply (void *ctx, const struct tally_response *reply)
{
  struct call *call = ctx;
  struct http_server *server = call->server;
  struct MHD_Response *response = call_response (call, reply);

  pthread_mutex_lock (&server->lock);
  call->response = response;
  call->code = reply->code;
  call->replied = true;
  if (call->conn)
    call->conn->deadline_ms = http_now_ms () + server->request_ms;
  server->under_way--;
  server->leaving++;
  if (call->suspended)
    MHD_resume_connection (call->connection);
  if (server->draining)
    pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
}

/* On the connection's own thread, after the reply. */
static enum MHD_Result
call_finish (struct call *call)
{
  struct MHD_Response *response;
  enum MHD_Result result;

  pthread_mutex_lock (&call->server->lock);
  response = call->response;
  call->response = NULL;
  pthread_mutex_unlock (&call->server->lock);

  http_body_drop (call);
  if (!response)
    return MHD_NO;
  result = MHD_queue_response (call->connection, call->code, response);
  MHD_destroy_response (response);
  return result;
}

static enum MHD_Result
call_hand_up (struct call *call, const char *verb, const char *path)
{
  struct http_server *server = call->server;
  bool suspended;

  pthread_mutex_lock (&server->lock);
  if (server->draining)
    call->refusal = &http_busy;
  else {
    server->under_way++;
    if (call->conn)
      call->conn->deadline_ms = 0;
  }
  pthread_mutex_unlock (&server->lock);
  if (call->refusal)
    return call_refuse (call);

  call_set_peer (call);
  call->request.verb = verb;
  call->request.path = path;
  call->request.body.data = call->body;
  call->request.body.size = call->size;
  call->handed = true;
  server->service->request (server->service->ctx, &call->request, call_reply,
                            call);

  pthread_mutex_lock (&server->lock);
  suspended = !call->replied;
  if (suspended) {
    MHD_suspend_connection (call->connection);
    call->suspended = true;
  }
  pthread_mutex_unlock (&server->lock);
  return suspended ? MHD_YES : call_finish (call);
}

/* ---- what libmicrohttpd calls ------------------------------------------- */

/* Called with the head, with each piece of the body, at the end of the body,
 * and again when a connection that slept goes on. */
enum MHD_Result
http_call_access (void *ctx, struct MHD_Connection *connection,
                  const char *path, const char *verb, const char *version,
                  const char *data, size_t *size, void **call_ctx)
{
  struct http_server *server = ctx;
  struct call *call = *call_ctx;

  (void) version;
  if (!call) {
    call = call_new (server, connection);
    if (!call)
      return MHD_NO;
    *call_ctx = call;
    call->refusal = http_head_check (call);
    return call->refusal ? call_refuse (call) : MHD_YES;
  }

  if (*size > 0) {
    http_body_append (call, data, *size);
    *size = 0;
    return MHD_YES;
  }
  if (call->handed)
    return call_finish (call);
  if (!call->refusal && call->packed)
    http_body_unpack (call);
  if (call->refusal)
    return call_refuse (call);
  return call_hand_up (call, verb, path);
}

/* A call that was handed up only ends after its reply: until then its
 * connection is suspended, and libmicrohttpd lets it be. */
void
http_call_completed (void *ctx, struct MHD_Connection *connection,
                     void **call_ctx, enum MHD_RequestTerminationCode why)
{
  struct http_server *server = ctx;
  struct call *call = *call_ctx;

  (void) connection;
  (void) why;
  if (!call)
    return;
  *call_ctx = NULL;
  http_body_drop (call);
  pthread_mutex_lock (&server->lock);
  if (call->handed)
    server->leaving--;
  if (call->conn)
    call->conn->deadline_ms =
        http_now_ms () + server->request_ms + (uint64_t) server->idle_s * 1000;
  if (server->draining)
    pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
  if (call->response)
    MHD_destroy_response (call->response);
  free (call);
}
