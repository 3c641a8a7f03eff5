/* SPDX-License-Identifier: MIT */
/* A transport table whose exchange answers at once. */

#include <config.h>

#include "local.h"
#include "wire.h"

static int
local_exchange (void *handle, const struct tally_request *request,
                tally_emit_response *emit, void *ctx,
                struct tally_traffic *traffic, struct tally_error *err)
{
  const struct answer *answer = handle;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  struct buf reply = BUF_INIT;
  int status = answer_frame (
      answer, answer->account ? answer->account : ACCOUNT_DEFAULT,
      request->body, &reply, err);

  if (status == TALLY_OK) {
    traffic->sent += request->body.size;
    traffic->received += reply.size;
    response.content_type = WIRE_CONTENT_TYPE;
    response.body = buf_slice (&reply);
    emit (ctx, &response);
  }
  buf_free (&reply);
  return status;
}

/* The answer is not the channel's to close. */
static void
local_close (void *handle)
{
  (void) handle;
}

static const struct tally_transport local_transport = {
  TALLY_TRANSPORT_INIT,
  .threads = TALLY_THREADS_ANY,
  .close = local_close,
  .exchange = local_exchange,
};

int
local_channel_open (struct channel **out, const struct answer *answer,
                    const char *name, struct tally_error *err)
{
  return channel_adopt (out, &local_transport, (void *) answer, name, err);
}
