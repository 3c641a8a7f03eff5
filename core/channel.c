/* SPDX-License-Identifier: MIT */
/* The one checked door to every transport. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "drivercall.h"
#include "error.h"
#include "wire.h"

static void
enter (struct channel *channel)
{
  drivercall_enter (channel->lock);
}

static void
leave (struct channel *channel)
{
  drivercall_leave (channel->lock);
}

static int
checked (const struct channel *channel, int status, struct tally_error *err)
{
  return drivercall_status (channel->name, status, err);
}

static struct channel *
channel_new (const struct tally_transport *ops, const char *name)
{
  struct channel *channel = calloc (1, sizeof *channel);

  if (!channel)
    return NULL;
  channel->ops = ops;
  channel->name = strdup (name);
  if (!channel->name) {
    free (channel);
    return NULL;
  }
  pthread_mutex_init (&channel->own_lock, NULL);
  return channel;
}

int
channel_open (struct channel **out, const struct driver *driver,
              const struct tally_value *values, unsigned flags,
              const char *name, const struct tally_host *host,
              struct tally_error *err)
{
  struct channel *channel = channel_new (driver->transport, name);
  int status;

  *out = NULL;
  if (!channel)
    return error_nomem (err);
  channel->lock =
      drivercall_lock (driver, channel->ops->threads, &channel->own_lock);
  enter (channel);
  status = channel->ops->open (&channel->handle, host, values, flags, err);
  leave (channel);
  status = checked (channel, status, err);
  if (status == TALLY_OK) {
    *out = channel;
    return TALLY_OK;
  }
  channel->handle = NULL;
  channel_close (channel);
  return status;
}

int
channel_adopt (struct channel **out, const struct tally_transport *ops,
               void *handle, const char *name, struct tally_error *err)
{
  *out = channel_new (ops, name);
  if (!*out)
    return error_nomem (err);
  (*out)->handle = handle;
  return TALLY_OK;
}

void
channel_close (struct channel *channel)
{
  if (!channel)
    return;
  if (channel->handle) {
    enter (channel);
    channel->ops->close (channel->handle);
    leave (channel);
  }
  free (channel->name);
  pthread_mutex_destroy (&channel->own_lock);
  free (channel);
}

bool
channel_is_folder (const struct channel *channel)
{
  return channel->ops->list != NULL;
}

bool
channel_can_linger (const struct channel *channel)
{
  return channel->ops->exchange && channel->ops->threads != TALLY_THREADS_ONE;
}

/* ---- exchange ----------------------------------------------------------- */

struct reply {
  unsigned code;
  struct buf *body;
  bool frame; /* it says that it is one of ours */
  bool given;
};

static int
keep_reply (void *ctx, const struct tally_response *response)
{
  struct reply *reply = ctx;

  buf_clear (reply->body);
  buf_add_slice (reply->body, response->body);
  reply->code = response->code;
  reply->frame = response->content_type
                 && strcmp (response->content_type, WIRE_CONTENT_TYPE) == 0;
  reply->given = true;
  return 0;
}

/* The first line of a plain refusal says why, if it is short. */
static int
refused (const struct channel *channel, const struct reply *reply,
         struct tally_error *err)
{
  const struct buf *body = reply->body;
  const char *advice = "";
  size_t size = 0;
  int status;

  while (size < body->size && size < 120 && body->data[size] != '\n')
    size++;
  switch (reply->code) {
  case 401:
  case 403:
    status = TALLY_DENIED;
    break;
  case 413:
    status = TALLY_INVALID;
    advice = "; raise the limit there, max_request or a proxy's";
    break;
  case 408:
  case 429:
  case 502:
  case 503:
  case 504:
    status = TALLY_AGAIN;
    break;
  default:
    /* Of the rest ours gives no other than 500; a proxy may. */
    if (reply->code < 500 || reply->code == 501 || reply->code == 505)
      return error_set (err, TALLY_UNSUPPORTED,
                        "%s: no tally server answers there (status %u)",
                        channel->name, reply->code);
    status = TALLY_FAILED;
  }
  return error_set (err, status, "%s: the server answered %u%s%.*s%s",
                    channel->name, reply->code, size > 0 ? ", " : "",
                    (int) size, size > 0 ? body->data : "", advice);
}

static int
exchange (struct channel *channel, struct tally_request *request,
          struct reply *reply, struct tally_traffic *traffic,
          struct tally_error *err)
{
  int status;

  if (!channel->ops->exchange)
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: its driver cannot reach a server", channel->name);
  request->size = sizeof *request;
  request->verb = "POST";
  enter (channel);
  status = channel->ops->exchange (channel->handle, request, keep_reply, reply,
                                   traffic, err);
  leave (channel);
  status = checked (channel, status, err);
  if (status != TALLY_OK)
    return status;
  if (reply->body->failed)
    return error_nomem (err);
  if (!reply->given)
    return error_set (err, TALLY_FAILED, "%s: its driver gave no reply",
                      channel->name);
  return reply->code == 200 ? TALLY_OK : refused (channel, reply, err);
}

int
channel_exchange (struct channel *channel, struct tally_slice frame,
                  struct buf *body, struct tally_traffic *traffic,
                  struct tally_error *err)
{
  struct tally_request request = { .path = WIRE_PATH,
                                   .content_type = WIRE_CONTENT_TYPE,
                                   .body = frame };
  struct reply reply = { .body = body };
  int status = exchange (channel, &request, &reply, traffic, err);

  if (status == TALLY_OK && !reply.frame)
    status = error_set (err, TALLY_UNSUPPORTED,
                        "%s: no tally server answers there", channel->name);
  return status;
}

int
channel_post (struct channel *channel, const char *path, const char *type,
              struct tally_slice body, struct buf *reply_body,
              struct tally_traffic *traffic, struct tally_error *err)
{
  struct tally_request request = { .path = path,
                                   .content_type = type,
                                   .body = body };
  struct reply reply = { .body = reply_body };

  return exchange (channel, &request, &reply, traffic, err);
}

int
channel_serve (struct channel *channel, const struct tally_service *service,
               struct tally_error *err)
{
  if (!channel->ops->serve)
    return error_set (err, TALLY_UNSUPPORTED, "%s: its driver cannot serve",
                      channel->name);
  return checked (channel, channel->ops->serve (channel->handle, service, err),
                  err);
}

void
channel_stop (struct channel *channel)
{
  if (channel->ops->stop)
    channel->ops->stop (channel->handle);
}

/* ---- folder ------------------------------------------------------------- */

int
channel_list (struct channel *channel, const char *prefix,
              tally_emit_name *emit, void *ctx, struct tally_error *err)
{
  int status;

  enter (channel);
  status = channel->ops->list (channel->handle, prefix, emit, ctx, err);
  leave (channel);
  return checked (channel, status, err);
}

static int
keep_bytes (void *ctx, const void *data, size_t size)
{
  buf_add (ctx, data, size);
  return 0;
}

int
channel_read (struct channel *channel, const char *name, struct buf *out,
              struct tally_error *err)
{
  int status;

  buf_clear (out);
  enter (channel);
  status = channel->ops->read (channel->handle, name, keep_bytes, out, err);
  leave (channel);
  status = checked (channel, status, err);
  if (status == TALLY_OK && out->failed)
    status = error_nomem (err);
  return status;
}

int
channel_create (struct channel *channel, const char *name,
                struct tally_slice data, struct tally_error *err)
{
  int status;

  enter (channel);
  status =
      channel->ops->create (channel->handle, name, data.data, data.size, err);
  leave (channel);
  return checked (channel, status, err);
}

int
channel_remove (struct channel *channel, const char *name,
                struct tally_error *err)
{
  int status;

  enter (channel);
  status = channel->ops->remove (channel->handle, name, err);
  leave (channel);
  return checked (channel, status, err);
}
