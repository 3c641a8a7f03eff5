/* SPDX-License-Identifier: MIT */
/* Tables of slots that find nothing and refuse to write. */

#include <config.h>

#include "error.h"
#include "vacant.h"

static int
refuse (struct tally_error *err)
{
  return error_set (err, TALLY_INVALID, "it is not there and is looked at");
}

/* ---- a store ------------------------------------------------------------ */

static int
store_open (void **handle, const struct tally_host *host,
            const struct tally_value *values, unsigned flags,
            struct tally_error *err)
{
  (void) host;
  (void) values;
  (void) flags;
  (void) err;
  *handle = NULL;
  return TALLY_OK;
}

static void
nothing_close (void *handle)
{
  (void) handle;
}

static int
store_get (void *handle, const char *collection, const struct tally_slice *ids,
           size_t n, unsigned flags, tally_emit_doc *emit, void *ctx,
           struct tally_error *err)
{
  (void) handle;
  (void) collection;
  (void) ids;
  (void) n;
  (void) flags;
  (void) emit;
  (void) ctx;
  (void) err;
  return TALLY_OK;
}

static int
store_put (void *handle, const struct tally_entry *entries, size_t n,
           unsigned flags, struct tally_outcome *outcomes,
           struct tally_error *err)
{
  (void) handle;
  (void) entries;
  (void) n;
  (void) flags;
  (void) outcomes;
  return refuse (err);
}

static int
store_changes (void *handle, const char *collection, uint64_t since,
               tally_emit_doc *emit, void *ctx, uint64_t *head,
               struct tally_error *err)
{
  (void) handle;
  (void) collection;
  (void) since;
  (void) emit;
  (void) ctx;
  (void) err;
  *head = 0;
  return TALLY_OK;
}

static const struct tally_store store_table = {
  TALLY_STORE_INIT,        .threads = TALLY_THREADS_ANY,
  .open = store_open,      .close = nothing_close,
  .get = store_get,        .put = store_put,
  .changes = store_changes
};

int
vacant_store (struct replica **out, const char *name, uint64_t max_skew_ms,
              const struct tally_host *host, struct tally_error *err)
{
  struct driver driver = {
    .name = "vacant", .version = "", .summary = "", .store = &store_table
  };
  struct replica_setup setup = { .driver = &driver,
                                 .flags = TALLY_OPEN_READONLY,
                                 .name = name,
                                 .host = host,
                                 .max_skew_ms = max_skew_ms };

  return replica_open (out, &setup, err);
}

/* ---- a folder ----------------------------------------------------------- */

static int
folder_list (void *handle, const char *prefix, tally_emit_name *emit,
             void *ctx, struct tally_error *err)
{
  (void) handle;
  (void) prefix;
  (void) emit;
  (void) ctx;
  (void) err;
  return TALLY_OK;
}

static int
folder_read (void *handle, const char *name, tally_emit_bytes *emit, void *ctx,
             struct tally_error *err)
{
  (void) handle;
  (void) emit;
  (void) ctx;
  return error_set (err, TALLY_NOTFOUND, "%s: not found", name);
}

static int
folder_create (void *handle, const char *name, const void *data, size_t size,
               struct tally_error *err)
{
  (void) handle;
  (void) name;
  (void) data;
  (void) size;
  return refuse (err);
}

static int
folder_remove (void *handle, const char *name, struct tally_error *err)
{
  (void) handle;
  (void) name;
  return refuse (err);
}

static const struct tally_transport folder_table = {
  TALLY_TRANSPORT_INIT,   .threads = TALLY_THREADS_ANY,
  .close = nothing_close, .list = folder_list,
  .read = folder_read,    .create = folder_create,
  .remove = folder_remove
};

int
vacant_folder (struct channel **out, const char *name, struct tally_error *err)
{
  return channel_adopt (out, &folder_table, NULL, name, err);
}
