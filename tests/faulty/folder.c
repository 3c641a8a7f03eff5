/* SPDX-License-Identifier: MIT */
/* The file transport with one fault, chosen by FAULT when it is compiled. */

#define tally_driver_1 inner_driver_1
#include "../../drivers/transport-file.c"
#undef tally_driver_1

#include <string.h>

#define IS(fault) (FAULT == fault)

enum {
  CREATE_OVER = 1,
  LIST_ALL,
  REMOVE_MISSES,
  READ_NOTHING,
  OPEN_MAKES /* what is not there is made, whatever the flags */
};

static const struct tally_transport *
inner (void)
{
  return inner_driver_1 ()->transport;
}

static int
faulty_open (void **handle, const struct tally_host *host,
             const struct tally_value *values, unsigned flags,
             struct tally_error *err)
{
  if (IS (OPEN_MAKES))
    flags = TALLY_OPEN_CREATE;
  return inner ()->open (handle, host, values, flags, err);
}

static int
faulty_create (void *handle, const char *name, const void *data, size_t size,
               struct tally_error *err)
{
  if (IS (CREATE_OVER))
    inner ()->remove (handle, name, err);
  return inner ()->create (handle, name, data, size, err);
}

static int
faulty_list (void *handle, const char *prefix, tally_emit_name *emit,
             void *ctx, struct tally_error *err)
{
  return inner ()->list (handle, IS (LIST_ALL) ? "" : prefix, emit, ctx, err);
}

static int
nothing (void *ctx, const void *data, size_t size)
{
  (void) ctx;
  (void) data;
  (void) size;
  return 0;
}

static int
faulty_read (void *handle, const char *name, tally_emit_bytes *emit, void *ctx,
             struct tally_error *err)
{
  int status = inner ()->read (handle, name, nothing, NULL, err);

  if (IS (READ_NOTHING) && status == TALLY_NOTFOUND)
    return emit (ctx, "", 0), TALLY_OK;
  return inner ()->read (handle, name, emit, ctx, err);
}

static int
faulty_remove (void *handle, const char *name, struct tally_error *err)
{
  int status = inner ()->read (handle, name, nothing, NULL, err);

  if (IS (REMOVE_MISSES) && status == TALLY_NOTFOUND)
    return status;
  return inner ()->remove (handle, name, err);
}

const struct tally_driver *
tally_driver_1 (void)
{
  static struct tally_transport transport;
  static struct tally_driver driver;

  transport = *inner ();
  transport.open = faulty_open;
  transport.create = faulty_create;
  transport.list = faulty_list;
  transport.read = faulty_read;
  transport.remove = faulty_remove;
  driver = *inner_driver_1 ();
  driver.name = "faulty";
  driver.transport = &transport;
  return &driver;
}
