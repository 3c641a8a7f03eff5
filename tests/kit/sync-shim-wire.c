/* SPDX-License-Identifier: MIT */
/* The transport of sync-shim.h: loopback, with faults. */

/* The memory store is linked under the name that every driver has. */
#define tally_driver_1 loopback_driver_1
#include "../../drivers/transport-loopback.c"
#undef tally_driver_1

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync-shim-parts.h"
#include "sync-shim.h"

static struct {
  pthread_mutex_t lock; /* guards all below */
  enum shim_fault fault;
  unsigned fault_at, exchanges, damaged;
  size_t where, reply_size;
  struct hook exchange;
  shim_rewrite_fn *rewrite;
  void *rewrite_ctx;
} shim = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
shim_fault_at (enum shim_fault fault, unsigned at, size_t where)
{
  pthread_mutex_lock (&shim.lock);
  shim.fault = fault;
  shim.fault_at = at;
  shim.where = where;
  shim.exchanges = 0;
  shim.damaged = 0;
  pthread_mutex_unlock (&shim.lock);
}

static unsigned
read_number (const unsigned *number)
{
  unsigned n;

  pthread_mutex_lock (&shim.lock);
  n = *number;
  pthread_mutex_unlock (&shim.lock);
  return n;
}

bool
shim_damaged (void)
{
  return read_number (&shim.damaged) > 0;
}

unsigned
shim_exchanges (void)
{
  return read_number (&shim.exchanges);
}

size_t
shim_reply_size (void)
{
  size_t size;

  pthread_mutex_lock (&shim.lock);
  size = shim.reply_size;
  pthread_mutex_unlock (&shim.lock);
  return size;
}

void
shim_before_exchange (unsigned at, void (*fn) (void *ctx), void *ctx)
{
  pthread_mutex_lock (&shim.lock);
  shim.exchange = (struct hook){ at, fn, ctx };
  pthread_mutex_unlock (&shim.lock);
}

void
shim_rewrite (shim_rewrite_fn *fn, void *ctx)
{
  pthread_mutex_lock (&shim.lock);
  shim.rewrite = fn;
  shim.rewrite_ctx = ctx;
  pthread_mutex_unlock (&shim.lock);
}

/* ---- slots -------------------------------------------------------------- */

struct wire_reply {
  tally_emit_response *emit; /* NULL: the reply is lost */
  void *ctx;
  enum shim_fault fault;
  size_t where;
};

static int
rewrite (struct wire_reply *reply, const struct tally_response *response)
{
  struct tally_response other = *response;
  char *bytes =
      shim.rewrite (shim.rewrite_ctx, response->body.data, &other.body.size);
  int stop;

  if (bytes)
    other.body.data = bytes;
  stop = reply->emit (reply->ctx, &other);
  free (bytes);
  return stop;
}

static int
damage (void *ctx, const struct tally_response *response)
{
  struct wire_reply *reply = ctx;
  struct tally_response damaged = *response;
  size_t at = reply->fault == SHIM_FLIP ? reply->where / 8 : reply->where;
  char *bytes;
  int stop;

  pthread_mutex_lock (&shim.lock);
  shim.reply_size = response->body.size;
  pthread_mutex_unlock (&shim.lock);
  if (!reply->emit)
    return 0;
  if (shim.rewrite)
    return rewrite (reply, response);
  if (reply->fault < SHIM_SHORT || at >= response->body.size)
    return reply->emit (reply->ctx, response);
  bytes = malloc (response->body.size);
  if (!bytes)
    return 1;
  memcpy (bytes, response->body.data, response->body.size);
  damaged.body.data = bytes;
  if (reply->fault == SHIM_SHORT)
    damaged.body.size = at;
  else
    bytes[at] ^= (char) (1 << reply->where % 8);
  pthread_mutex_lock (&shim.lock);
  shim.damaged = 1;
  pthread_mutex_unlock (&shim.lock);
  stop = reply->emit (reply->ctx, &damaged);
  free (bytes);
  return stop;
}

static int
is_cut (struct tally_error *err)
{
  err->status = TALLY_AGAIN;
  snprintf (err->text, sizeof err->text, "wire: was cut");
  return TALLY_AGAIN;
}

static int
wire_exchange (void *handle, const struct tally_request *request,
               tally_emit_response *emit, void *ctx,
               struct tally_traffic *traffic, struct tally_error *err)
{
  struct wire_reply reply = { emit, ctx, SHIM_NONE, 0 };
  struct hook hook;
  int status = TALLY_OK;

  pthread_mutex_lock (&shim.lock);
  hook = hook_due (&shim.exchange, ++shim.exchanges);
  if (shim.exchanges == shim.fault_at)
    reply.fault = shim.fault;
  reply.where = shim.where;
  pthread_mutex_unlock (&shim.lock);
  if (hook.fn)
    hook.fn (hook.ctx);
  if (reply.fault == SHIM_CUT)
    return is_cut (err);
  if (reply.fault == SHIM_LOSE || reply.fault == SHIM_TWICE) {
    reply.emit = NULL;
    status = loopback_exchange (handle, request, damage, &reply, traffic, err);
    reply.emit = emit;
    if (status == TALLY_OK && reply.fault == SHIM_LOSE)
      return is_cut (err);
  }
  if (status == TALLY_OK)
    status = loopback_exchange (handle, request, damage, &reply, traffic, err);
  return status;
}

static const struct tally_transport wire_transport = {
  TALLY_TRANSPORT_INIT,      .threads = TALLY_THREADS_ANY,
  .open = loopback_open,     .close = loopback_close,
  .exchange = wire_exchange, .serve = loopback_serve,
  .stop = loopback_stop,
};

const struct tally_driver wire_driver = {
  TALLY_DRIVER_INIT,
  .name = "wire",
  .summary = "loopback with faults",
  .options = loopback_options,
  .transport = &wire_transport,
};

void
wire_reset (void)
{
  pthread_mutex_lock (&shim.lock);
  memset (&shim.exchange, 0, sizeof shim.exchange);
  pthread_mutex_unlock (&shim.lock);
  shim_rewrite (NULL, NULL);
  shim_fault_at (SHIM_NONE, 0, 0);
}
