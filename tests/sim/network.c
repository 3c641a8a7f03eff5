/* SPDX-License-Identifier: MIT */
/* The network: an exchange is a call of the far site's answering side, and
 * what can go wrong on the way goes wrong where the operation says.  And
 * shared folders: named blobs in memory. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "../../core/wire.h"
#include "oracle.h"

static int
unreachable (struct tally_error *err)
{
  err->status = TALLY_AGAIN;
  snprintf (err->text, sizeof err->text, "network: nobody answers");
  return TALLY_AGAIN;
}

/* What goes wrong now. */
static enum net_fault
next_fault (struct world *world)
{
  struct run_context *run = world->run;

  world_meddle (world);
  run->exchanges++;
  if (run->down)
    return NET_DROP;
  if (!run->op->fault || run->exchanges != run->op->fault_at)
    return NET_FINE;
  world->happened |= FEATURE_NETWORK;
  run->down = run->op->fault == NET_DOWN;
  return run->op->fault;
}

/* ---- requests on their way ---------------------------------------------- */

static void
keep_late (struct world *world, struct tally_slice frame)
{
  const struct run_context *run = world->run;
  struct late *late;

  if (world->n_late == SIM_LATE)
    return;
  late = &world->late[world->n_late];
  late->frame = malloc (frame.size);
  if (!late->frame)
    return;
  memcpy (late->frame, frame.data, frame.size);
  late->size = frame.size;
  late->from = run->client->index;
  late->to = run->server->index;
  memcpy (late->knows, run->client_read, sizeof late->knows);
  world->n_late++;
}

void
late_deliver (struct world *world, size_t which)
{
  struct late late = world->late[which];
  struct site *to = &world->sites[late.to];
  static const struct op nothing;
  struct run_context run = { .outer = world->run,
                             .number = ++world->runs,
                             .op = &nothing,
                             .client = &world->sites[late.from],
                             .server = to };
  struct buf reply = BUF_INIT;
  struct tally_error err = { 0 };

  world->late[which] = world->late[--world->n_late];
  memcpy (run.client_read, late.knows, sizeof run.client_read);
  trace (world, "    a late request of %s reaches %s", run.client->name,
         to->name);
  world->run = &run;
  if (to->replica && !to->crashed)
    answer_frame (&to->answer, ACCOUNT_DEFAULT,
                  slice_make (late.frame, late.size), &reply, &err);
  world->run = run.outer;
  world->happened |= FEATURE_NETWORK;
  buf_free (&reply);
  free (late.frame);
}

void
network_free (struct world *world)
{
  for (size_t i = 0; i < world->n_late; i++)
    free (world->late[i].frame);
  for (size_t f = 0; f < SIM_FOLDERS; f++) {
    for (size_t i = 0; i < world->folders[f].n; i++) {
      free (world->folders[f].blobs[i].name);
      free (world->folders[f].blobs[i].data);
    }
    free (world->folders[f].blobs);
  }
}

/* ---- exchange ----------------------------------------------------------- */

/* A copy of the bytes with one bit of them changed, or without their end. */
static bool
damage (struct buf *bytes, bool cut, uint64_t seed)
{
  struct rng rng = { seed };

  if (bytes->size == 0 || bytes->failed)
    return false;
  if (cut)
    bytes->size = rng_below (&rng, (uint32_t) bytes->size);
  else
    bytes->data[rng_below (&rng, (uint32_t) bytes->size)] ^=
        (char) (1 << rng_below (&rng, 8));
  return true;
}

static int
deliver (struct run_context *run, struct tally_slice frame, struct buf *reply,
         struct tally_error *err)
{
  struct site *to = run->server;
  int status;

  if (!to->replica || to->crashed)
    return unreachable (err);
  status = answer_frame (&to->answer, ACCOUNT_DEFAULT, frame, reply, err);
  return to->crashed ? unreachable (err) : status;
}

static int
exchange (void *handle, const struct tally_request *request,
          tally_emit_response *emit, void *ctx, struct tally_traffic *traffic,
          struct tally_error *err)
{
  struct world *world = handle;
  struct run_context *run = world->run;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  struct buf reply = BUF_INIT, frame = BUF_INIT;
  enum net_fault fault = next_fault (world);
  int status = TALLY_OK;

  if (fault != NET_FINE)
    trace (world, "      exchange %u goes wrong (%d)", run->exchanges, fault);
  traffic->sent += request->body.size;
  /* The dead send nothing. */
  if (run->client->crashed || fault == NET_DROP || fault == NET_DOWN)
    return unreachable (err);
  if (fault == NET_HOLD || fault == NET_LATE)
    keep_late (world, request->body);
  if (fault == NET_HOLD)
    return unreachable (err);
  buf_add_slice (&frame, request->body);
  if (fault == NET_SPOIL)
    damage (&frame, false, run->op->seed);
  if (fault == NET_TWICE)
    status = deliver (run, buf_slice (&frame), &reply, err);
  if (status == TALLY_OK)
    status = deliver (run, buf_slice (&frame), &reply, err);
  if (status == TALLY_OK && (run->client->crashed || fault == NET_LOSE))
    status = unreachable (err);
  if (status == TALLY_OK) {
    if (fault == NET_SHORT || fault == NET_FLIP)
      damage (&reply, fault == NET_SHORT, run->op->seed);
    traffic->received += reply.size;
    response.content_type = WIRE_CONTENT_TYPE;
    response.body = buf_slice (&reply);
    emit (ctx, &response);
  }
  buf_free (&frame);
  buf_free (&reply);
  return status;
}

static void
let_go (void *handle)
{
  (void) handle;
}

const struct tally_transport exchange_transport = {
  TALLY_TRANSPORT_INIT,
  .threads = TALLY_THREADS_ANY,
  .close = let_go,
  .exchange = exchange,
};

/* ---- folders ------------------------------------------------------------ */

static size_t
find_blob (const struct shared_folder *folder, const char *name)
{
  size_t i = 0;

  while (i < folder->n && strcmp (folder->blobs[i].name, name) != 0)
    i++;
  return i;
}

static int
folder_error (struct tally_error *err, int status, const char *text)
{
  err->status = status;
  snprintf (err->text, sizeof err->text, "folder: %s", text);
  return status;
}

static bool
add_blob (struct shared_folder *folder, const char *name, const void *data,
          size_t size)
{
  struct blob blob = { strdup (name), malloc (size + 1), size };

  if (folder->n == folder->capacity) {
    size_t capacity = folder->capacity ? folder->capacity * 2 : 64;
    struct blob *blobs = realloc (folder->blobs, capacity * sizeof *blobs);

    if (blobs) {
      folder->blobs = blobs;
      folder->capacity = capacity;
    }
  }
  if (!blob.name || !blob.data || folder->n == folder->capacity) {
    free (blob.name);
    free (blob.data);
    return false;
  }
  memcpy (blob.data, data, size);
  folder->blobs[folder->n++] = blob;
  return true;
}

/* What is half copied shows half, or not at all. */
static int
list_blobs (void *handle, const char *prefix, tally_emit_name *emit, void *ctx,
            struct tally_error *err)
{
  struct world *world = handle;
  struct run_context *run = world->run;
  const struct shared_folder *folder = run->folder;
  enum net_fault fault = next_fault (world);
  size_t hidden = folder->n;

  if (run->client->crashed || fault == NET_DROP || fault == NET_DOWN)
    return unreachable (err);
  if (fault == NET_HOLD && folder->n > 0) {
    struct rng rng = { run->op->seed };

    hidden = rng_below (&rng, (uint32_t) folder->n);
  }
  for (size_t i = 0; i < folder->n; i++)
    if (i != hidden
        && strncmp (folder->blobs[i].name, prefix, strlen (prefix)) == 0
        && emit (ctx, folder->blobs[i].name))
      break;
  return TALLY_OK;
}

static int
read_blob (void *handle, const char *name, tally_emit_bytes *emit, void *ctx,
           struct tally_error *err)
{
  struct world *world = handle;
  struct run_context *run = world->run;
  enum net_fault fault = next_fault (world);
  size_t at = find_blob (run->folder, name);
  struct buf bytes = BUF_INIT;

  if (run->client->crashed || fault == NET_DROP || fault == NET_LOSE
      || fault == NET_DOWN)
    return unreachable (err);
  if (at == run->folder->n || fault == NET_HOLD)
    return folder_error (err, TALLY_NOTFOUND, "no such blob");
  buf_add (&bytes, run->folder->blobs[at].data, run->folder->blobs[at].size);
  if (fault == NET_SHORT || fault == NET_FLIP || fault == NET_SPOIL)
    damage (&bytes, fault == NET_SHORT, run->op->seed);
  emit (ctx, bytes.data, bytes.size);
  buf_free (&bytes);
  return TALLY_OK;
}

static int
create_blob (void *handle, const char *name, const void *data, size_t size,
             struct tally_error *err)
{
  struct world *world = handle;
  struct run_context *run = world->run;
  struct shared_folder *folder = run->folder;
  enum net_fault fault = next_fault (world);

  if (run->client->crashed || fault == NET_DROP || fault == NET_DOWN)
    return unreachable (err);
  if (find_blob (folder, name) < folder->n)
    return folder_error (err, TALLY_CONFLICT, "the name is taken");
  if (!add_blob (folder, name, data, size))
    return folder_error (err, TALLY_FAILED, "out of memory");
  for (size_t i = 0; i < SIM_DOCS; i++)
    folder->knows[i] |= run->client_read[i];
  return fault == NET_LOSE ? unreachable (err) : TALLY_OK;
}

static int
remove_blob (void *handle, const char *name, struct tally_error *err)
{
  struct world *world = handle;
  struct run_context *run = world->run;
  struct shared_folder *folder = run->folder;
  enum net_fault fault = next_fault (world);
  size_t at = find_blob (folder, name);

  if (run->client->crashed || fault == NET_DROP || fault == NET_DOWN)
    return unreachable (err);
  if (at < folder->n) {
    free (folder->blobs[at].name);
    free (folder->blobs[at].data);
    folder->blobs[at] = folder->blobs[--folder->n];
  }
  return fault == NET_LOSE ? unreachable (err) : TALLY_OK;
}

const struct tally_transport folder_transport = {
  TALLY_TRANSPORT_INIT,  .threads = TALLY_THREADS_ANY,
  .close = let_go,       .list = list_blobs,
  .read = read_blob,     .create = create_blob,
  .remove = remove_blob,
};
