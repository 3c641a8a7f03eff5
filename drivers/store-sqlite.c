/* SPDX-License-Identifier: MIT */
/* Documents in one SQLite file, for several processes at once.  Every slot
 * is one transaction: a write waits for its turn first, so that what it
 * checks stays so until it commits; a read sees one snapshot. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tally/driver.h>

#include "sqlite-file.h"

static int
sqlite_open (void **handle, const struct tally_host *host,
             const struct tally_value *values, unsigned flags,
             struct tally_error *err)
{
  struct sqlite_store *s = calloc (1, sizeof *s);
  struct sqlite_store nameless = { .host = host };
  size_t size = strlen (values[0].text);
  int status;

  if (s)
    s->path = malloc (size + 1);
  if (!s || !s->path) {
    free (s);
    return sqlite_fail (&nameless, err, TALLY_FAILED, "out of memory");
  }
  memcpy (s->path, values[0].text, size + 1);
  s->host = host;
  s->lock_timeout_ms = values[1].number;
  status = sqlite_file_open (s, flags, err);
  if (status) {
    sqlite_file_close (s);
    free (s->path);
    free (s);
    return status;
  }
  *handle = s;
  return TALLY_OK;
}

static void
sqlite_close (void *handle)
{
  struct sqlite_store *s = handle;

  sqlite_file_close (s);
  free (s->path);
  free (s);
}

/* ---- get and changes ---- */

/* Emits the document if it is there; *stop when emit says so. */
static int
get_one (const struct sqlite_store *s, int64_t key, struct tally_slice id,
         unsigned flags, tally_emit_doc *emit, void *ctx, bool *stop,
         struct tally_error *err)
{
  struct tally_doc doc;
  int status;

  sqlite_bind_number (s, SQL_FIND, 1, key);
  sqlite_bind_bytes (s, SQL_FIND, 2, id.data, id.size);
  sqlite_bind_number (s, SQL_FIND, 3, flags);
  status = sqlite_step (s, SQL_FIND, err);
  if (status == SQLITE_ROW) {
    status = sqlite_header (s, SQL_FIND, &doc, err);
    doc.id = id;
    if (!status)
      status = sqlite_slice (s, SQL_FIND, 4, &doc.meta, err);
    if (!status)
      status = sqlite_slice (s, SQL_FIND, 5, &doc.body, err);
    if (!status)
      *stop = emit (ctx, &doc);
  }
  sqlite_reset (s, SQL_FIND);
  return status < 0 ? status : TALLY_OK;
}

static int
sqlite_get (void *handle, const char *collection,
            const struct tally_slice *ids, size_t n, unsigned flags,
            tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  struct sqlite_store *s = handle;
  int64_t key = n == 1 ? sqlite_collection_known (s, collection) : 0;
  bool stop = false;
  int status;

  /* One statement is a transaction of its own. */
  if (key)
    return get_one (s, key, ids[0], flags, emit, ctx, &stop, err);
  status = sqlite_read_begin (s, collection, &key, err);
  for (size_t i = 0; !status && key && !stop && i < n; i++)
    status = get_one (s, key, ids[i], flags, emit, ctx, &stop, err);
  sqlite_read_end (s);
  return status;
}

static int
sqlite_changes (void *handle, const char *collection, uint64_t since,
                tally_emit_doc *emit, void *ctx, uint64_t *head,
                struct tally_error *err)
{
  struct sqlite_store *s = handle;
  int64_t key = 0, last = 0;
  int status = sqlite_read_begin (s, collection, &key, err);

  if (!status)
    status = sqlite_head (s, &last, err);
  if (status)
    goto out;
  *head = (uint64_t) last;
  if (!key || since >= INT64_MAX)
    goto out;
  sqlite_bind_number (s, SQL_CHANGES, 1, key);
  sqlite_bind_number (s, SQL_CHANGES, 2, (int64_t) since);
  status = sqlite_emit_headers (s, SQL_CHANGES, emit, ctx, err);

out:
  sqlite_read_end (s);
  return status;
}

/* ---- notes and collections ---- */

/* Leaves the statement on its row, for sqlite_reset. */
static int
note_find (const struct sqlite_store *s, const char *key, bool *found,
           struct tally_slice *value, struct tally_error *err)
{
  int result;

  sqlite_bind_text (s, SQL_NOTE_FIND, 1, key);
  result = sqlite_step (s, SQL_NOTE_FIND, err);
  *found = result == SQLITE_ROW;
  if (!*found)
    return result < 0 ? result : TALLY_OK;
  return sqlite_slice (s, SQL_NOTE_FIND, 0, value, err);
}

static int
sqlite_note_get (void *handle, const char *key, tally_emit_bytes *emit,
                 void *ctx, struct tally_error *err)
{
  const struct sqlite_store *s = handle;
  struct tally_slice value = { NULL, 0 };
  bool found;
  int status = note_find (s, key, &found, &value, err);

  if (!status && found)
    emit (ctx, value.size ? value.data : "", value.size);
  sqlite_reset (s, SQL_NOTE_FIND);
  return status;
}

static int
note_check (const struct sqlite_store *s, const char *key,
            const struct tally_slice *expected, struct tally_error *err)
{
  struct tally_slice value = { NULL, 0 };
  bool found, fits = true;
  int status;

  if (!expected)
    return TALLY_OK;
  status = note_find (s, key, &found, &value, err);
  if (!status)
    fits =
        found == (expected->data != NULL)
        && (!found
            || (value.size == expected->size
                && (!value.size
                    || memcmp (value.data, expected->data, value.size) == 0)));
  sqlite_reset (s, SQL_NOTE_FIND);
  if (!fits)
    return sqlite_fail (s, err, TALLY_CONFLICT, "the note is not as expected");
  return status;
}

static int
sqlite_note_put (void *handle, const char *key,
                 const struct tally_slice *expected,
                 const struct tally_slice *value, struct tally_error *err)
{
  const struct sqlite_store *s = handle;
  enum sqlite_statement which = value ? SQL_NOTE_SET : SQL_NOTE_REMOVE;
  int status = sqlite_run (s, SQL_WRITE, err);

  if (!status)
    status = note_check (s, key, expected, err);
  if (!status) {
    sqlite_bind_text (s, which, 1, key);
    if (value)
      sqlite_bind_bytes (s, which, 2, value->data, value->size);
    status = sqlite_run (s, which, err);
  }
  if (!status)
    status = sqlite_run (s, SQL_COMMIT, err);
  sqlite_rollback (s);
  return status;
}

/* Emits the names that the statement gives while they start with prefix. */
static int
emit_names (const struct sqlite_store *s, enum sqlite_statement which,
            const char *prefix, tally_emit_name *emit, void *ctx,
            struct tally_error *err)
{
  size_t size = strlen (prefix);
  int result;

  for (;;) {
    const char *name;

    result = sqlite_step (s, which, err);
    if (result != SQLITE_ROW)
      break;
    name = (const char *) sqlite3_column_text (s->statements[which], 0);
    if (!name) {
      result = sqlite_fail_code (s, err, SQLITE_NOMEM);
      break;
    }
    if (strncmp (name, prefix, size) != 0 || emit (ctx, name))
      break;
  }
  sqlite_reset (s, which);
  return result < 0 ? result : TALLY_OK;
}

static int
sqlite_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                  void *ctx, struct tally_error *err)
{
  sqlite_bind_text (handle, SQL_NOTE_LIST, 1, prefix);
  return emit_names (handle, SQL_NOTE_LIST, prefix, emit, ctx, err);
}

static int
sqlite_collections (void *handle, tally_emit_name *emit, void *ctx,
                    struct tally_error *err)
{
  return emit_names (handle, SQL_COLLECTION_LIST, "", emit, ctx, err);
}

/* ---- the driver ---- */

static const struct tally_store sqlite_store = {
  TALLY_STORE_INIT,
  .threads = TALLY_THREADS_HANDLE,
  .open = sqlite_open,
  .close = sqlite_close,
  .get = sqlite_get,
  .put = sqlite_put,
  .changes = sqlite_changes,
  .note_get = sqlite_note_get,
  .note_put = sqlite_note_put,
  .note_list = sqlite_note_list,
  .collections = sqlite_collections,
  .wait = sqlite_wait,
  .check = sqlite_check,
  .scan = sqlite_scan,
  .digest = sqlite_digest,
  .find = sqlite_find,
  .search = sqlite_search,
  .hold = sqlite_hold,
};

static const struct tally_option sqlite_options[] = {
  { .name = "path",
    .type = TALLY_OPTION_PATH,
    .flags = TALLY_OPTION_REQUIRED,
    .help = "the database file" },
  { .name = "lock_timeout",
    .type = TALLY_OPTION_DURATION,
    .default_value = "30s",
    .help = "how long to wait for another process that writes" },
  { .name = NULL },
};

static const struct tally_driver sqlite_driver = {
  TALLY_DRIVER_INIT,
  .name = "sqlite",
  .version = "1.0",
  .summary = "documents in one SQLite file, for several processes at once",
  .options = sqlite_options,
  .store = &sqlite_store,
};

TALLY_DRIVER (sqlite_driver)
