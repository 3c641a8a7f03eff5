/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quiet-host.h"
#include "shared-store.h"

/* The one that is going on: slots get no other way to it. */
static struct shared_store *current;
static const struct tally_store *memory;
static void *inner;

static int
slot_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  (void) host;
  (void) values;
  (void) flags;
  (void) err;
  *handle = inner;
  return TALLY_OK;
}

static void
slot_close (void *handle)
{
  assert_ptr_equal (handle, inner);
}

static int
slot_put (void *handle, const struct tally_entry *entries, size_t n,
          unsigned flags, struct tally_outcome *outcomes,
          struct tally_error *err)
{
  size_t bytes = 0, documents = 0;
  bool synced = false;

  for (size_t i = 0; i < n; i++) {
    bytes += entries[i].doc.body.size;
    documents += !(entries[i].flags & TALLY_ENTRY_FORGET);
    synced = synced || entries[i].collection[0] != '_';
  }
  if (documents > current->most_entries)
    current->most_entries = documents;
  if (documents > 1 && bytes > current->most_bytes)
    current->most_bytes = bytes;
  current->puts++;
  if (current->meddle && !current->meddling && synced) {
    current->meddling = true;
    current->meddle (current->meddle_ctx);
    current->meddling = false;
  }
  return memory->put (handle, entries, n, flags, outcomes, err);
}

static int
slot_note_put (void *handle, const char *key,
               const struct tally_slice *expected,
               const struct tally_slice *value, struct tally_error *err)
{
  current->note_puts++;
  return memory->note_put (handle, key, expected, value, err);
}

static uint64_t
wall_ms (void *ctx)
{
  return ((const struct shared_store *) ctx)->wall_ms;
}

static void
sleep_ms (void *ctx, unsigned ms)
{
  (void) ms;
  ((struct shared_store *) ctx)->sleeps++;
}

void
shared_start (struct shared_store *shared)
{
  const struct tally_driver *driver = tally_driver_1 ();
  struct tally_value values[1] = { { NULL, 0 } };
  struct tally_error err;

  memset (shared, 0, sizeof *shared);
  shared->host = (struct tally_host) QUIET_HOST;
  shared->time.wall_ms = wall_ms;
  shared->time.sleep_ms = sleep_ms;
  shared->time.ctx = shared;
  shared->wall_ms = SHARED_WALL_MS;
  memory = driver->store;
  shared->ops = *memory;
  shared->ops.open = slot_open;
  shared->ops.close = slot_close;
  shared->ops.put = slot_put;
  shared->ops.note_put = slot_note_put;
  shared->driver.name = "shared";
  shared->driver.store = &shared->ops;
  assert_int_equal (
      memory->open (&inner, &shared->host, values, TALLY_OPEN_CREATE, &err),
      TALLY_OK);
  current = shared;
}

void
shared_take_slots (struct shared_store *shared)
{
  shared->ops.note_get = NULL;
  shared->ops.note_put = NULL;
  shared->ops.note_list = NULL;
  shared->ops.collections = NULL;
  shared->ops.max_entries = 1;
}

void
shared_free (struct shared_store *shared)
{
  assert_ptr_equal (shared, current);
  memory->close (inner);
  current = NULL;
}

int
shared_open (struct shared_store *shared, struct replica **out, unsigned flags,
             const char *place, struct tally_error *err)
{
  static const struct tally_value values[1] = { { NULL, 0 } };
  struct replica_setup setup = { .driver = &shared->driver,
                                 .values = values,
                                 .flags = flags,
                                 .name = "shared",
                                 .place = place,
                                 .host = &shared->host,
                                 .time = &shared->time,
                                 .max_skew_ms = SHARED_SKEW_MS };

  return replica_open (out, &setup, err);
}

struct replica *
shared_replica (struct shared_store *shared)
{
  struct tally_error err = { 0, "" };
  struct replica *replica;

  if (shared_open (shared, &replica, TALLY_OPEN_CREATE, "here", &err)
      != TALLY_OK)
    fail_msg ("%s", err.text);
  return replica;
}
