/* SPDX-License-Identifier: MIT */
/* The loopback transport with one fault, chosen by FAULT when it is
 * compiled. */

#define tally_driver_1 inner_driver_1
#include "../../drivers/transport-loopback.c"
#undef tally_driver_1

#define IS(fault) (FAULT == fault)

enum { CODE_IS_200 = 1, BODY_IS_TEXT, NO_TRAFFIC, NOBODY_FAILS, READY_TWICE };

static const struct tally_transport *
inner (void)
{
  return inner_driver_1 ()->transport;
}

struct emitting {
  tally_emit_response *emit;
  void *ctx;
};

static int
spoil (void *ctx, const struct tally_response *response)
{
  struct emitting *emitting = ctx;
  struct tally_response spoilt = *response;

  if (IS (CODE_IS_200))
    spoilt.code = 200;
  if (IS (BODY_IS_TEXT) && spoilt.body.size > 0
      && memchr (spoilt.body.data, 0, spoilt.body.size))
    spoilt.body.size = strlen (spoilt.body.data);
  return emitting->emit (emitting->ctx, &spoilt);
}

static int
faulty_exchange (void *handle, const struct tally_request *request,
                 tally_emit_response *emit, void *ctx,
                 struct tally_traffic *traffic, struct tally_error *err)
{
  struct emitting emitting = { emit, ctx };
  struct tally_traffic unseen = { 0, 0 };
  int status = inner ()->exchange (handle, request, spoil, &emitting,
                                   IS (NO_TRAFFIC) ? &unseen : traffic, err);

  if (IS (NOBODY_FAILS) && status == TALLY_AGAIN)
    return err->status = TALLY_FAILED;
  return status;
}

static int
faulty_serve (void *handle, const struct tally_service *service,
              struct tally_error *err)
{
  if (IS (READY_TWICE))
    service->ready (service->ctx, "loopback:too-soon");
  return inner ()->serve (handle, service, err);
}

const struct tally_driver *
tally_driver_1 (void)
{
  static struct tally_transport transport;
  static struct tally_driver driver;

  transport = *inner ();
  transport.exchange = faulty_exchange;
  transport.serve = faulty_serve;
  driver = *inner_driver_1 ();
  driver.name = "faulty";
  driver.transport = &transport;
  return &driver;
}
