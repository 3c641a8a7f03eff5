/* SPDX-License-Identifier: MIT */
/* The LevelDB folder of a LinvoDB3 model: a document for each key, which is
 * its _id.  What is read is a copy, so that the folder stays as it is. */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <leveldb/c.h>

#include <tally/driver.h>

#include "linvodb3-copy.h"

#define OPEN_FILES 74

enum { OPTION_PATH };

static const struct tally_option linvodb3_options[] = {
  { "path", TALLY_OPTION_PATH, TALLY_OPTION_REQUIRED, NULL,
    "the folder of the model, NAME.db", NULL },
  { .name = NULL }
};

struct linvodb3 {
  const struct tally_host *host;
  char *path;
  struct linvodb3_copy copy;
  leveldb_options_t *options;
  leveldb_readoptions_t *read;
  leveldb_t *db;
};

/* LevelDB's own words are about the copy: "Corruption: /tmp/x/5.ldb: bad". */
static int
fail_leveldb (const struct linvodb3 *s, char *text, struct tally_error *err)
{
  const char *reason = strstr (text, ": ");
  bool damaged = strncmp (text, "Corruption: ", 12) == 0
                 || strncmp (text, "NotFound: ", 10) == 0
                 || strncmp (text, "Invalid argument: ", 18) == 0;
  int status;

  reason = reason ? reason + 2 : text;
  if (strncmp (reason, s->copy.path, strlen (s->copy.path)) == 0) {
    reason += strlen (s->copy.path);
    reason += strspn (reason, "/: ");
  }
  status =
      damaged ? linvo_fail (err, TALLY_CORRUPT, s->path, "damaged: %s", reason)
              : linvo_fail (err, TALLY_FAILED, s->path, "%s", reason);
  leveldb_free (text);
  return status;
}

static void
linvodb3_close (void *handle)
{
  struct linvodb3 *s = handle;

  if (s->db)
    leveldb_close (s->db);
  if (s->read)
    leveldb_readoptions_destroy (s->read);
  if (s->options)
    leveldb_options_destroy (s->options);
  linvodb3_copy_remove (&s->copy);
  free (s->path);
  free (s);
}

static int
open_copy (struct linvodb3 *s, struct tally_error *err)
{
  char *text = NULL;

  s->options = leveldb_options_create ();
  leveldb_options_set_paranoid_checks (s->options, 1);
  leveldb_options_set_max_open_files (s->options, OPEN_FILES);
  s->read = leveldb_readoptions_create ();
  leveldb_readoptions_set_verify_checksums (s->read, 1);
  leveldb_readoptions_set_fill_cache (s->read, 0);
  s->db = leveldb_open (s->options, s->copy.path, &text);
  return s->db ? TALLY_OK : fail_leveldb (s, text, err);
}

static int
linvodb3_open (void **handle, const struct tally_host *host,
               const struct tally_value *values, unsigned flags,
               struct tally_error *err)
{
  const char *path = values[OPTION_PATH].text;
  struct linvodb3 *s = calloc (1, sizeof *s);
  int status;

  (void) flags;
  if (!s)
    return linvo_fail_errno (err, path, ENOMEM);
  s->host = host;
  s->copy.lock = -1;
  s->path = strdup (path);
  status = s->path ? linvodb3_copy_make (&s->copy, path, err)
                   : linvo_fail_errno (err, path, ENOMEM);
  if (status == TALLY_OK)
    status = open_copy (s, err);
  if (status == TALLY_OK)
    *handle = s;
  else
    linvodb3_close (s);
  return status;
}

static bool
cancelled (const struct linvodb3 *s)
{
  return s->host && s->host->cancelled
         && s->host->cancelled (s->host->ctx) != 0;
}

static int
linvodb3_documents (void *handle, tally_emit_record *emit, void *ctx,
                    struct tally_error *err)
{
  struct linvodb3 *s = handle;
  leveldb_iterator_t *it = leveldb_create_iterator (s->db, s->read);
  char *text = NULL;
  int status = TALLY_OK;

  for (leveldb_iter_seek_to_first (it);
       status == TALLY_OK && leveldb_iter_valid (it); leveldb_iter_next (it)) {
    struct tally_record record = { 0 };

    record.id.data = leveldb_iter_key (it, &record.id.size);
    record.json.data = leveldb_iter_value (it, &record.json.size);
    if (cancelled (s))
      status = linvo_fail (err, TALLY_CANCELLED, s->path, "cancelled");
    else if (emit (ctx, &record))
      break;
  }
  /* It skips what it cannot read, and tells only here. */
  leveldb_iter_get_error (it, &text);
  leveldb_iter_destroy (it);
  if (text && status == TALLY_OK)
    return fail_leveldb (s, text, err);
  leveldb_free (text);
  return status;
}

static const struct tally_source linvodb3_source = {
  TALLY_SOURCE_INIT, .threads = TALLY_THREADS_HANDLE, .open = linvodb3_open,
  .close = linvodb3_close, .documents = linvodb3_documents
};

static const struct tally_driver linvodb3_driver = {
  TALLY_DRIVER_INIT,
  .name = "linvodb3",
  .version = "0.1.0",
  .summary = "the LevelDB folder of a LinvoDB3 model, for import",
  .options = linvodb3_options,
  .source = &linvodb3_source
};

TALLY_DRIVER (linvodb3_driver)
