/* SPDX-License-Identifier: MIT */
/* import of tally.h: two formats of our own, and whatever a source driver
 * reads. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "indexes.h"
#include "module.h"
#include "nearest.h"
#include "public.h"
#include "source.h"
#include "write.h"

#define BAD_TOLD 20

/* ---- what is bad -------------------------------------------------------- */

void
import_bad (struct importing *importing, const char *where,
            const struct tally_error *why)
{
  if (importing->bad++ == 0)
    error_set (&importing->first_bad, TALLY_INVALID, "%s: %s", where,
               why->text);
  else {
    /* That there is more than one is known now. */
    if (importing->bad == 2)
      context_log (importing->tally, 0, "%s", importing->first_bad.text);
    if (importing->bad <= BAD_TOLD)
      context_log (importing->tally, 0, "%s: %s", where, why->text);
  }
}

int
import_bad_line (struct importing *importing, const struct lines *lines,
                 struct tally_error *err)
{
  struct buf where = BUF_INIT;

  buf_addf (&where, "%s:%zu", lines->path, lines->number);
  buf_add_byte (&where, '\0');
  if (where.failed)
    return error_nomem (err);
  import_bad (importing, where.data, err);
  buf_free (&where);
  /* In the second pass all was good a moment ago. */
  if (!importing->replica)
    return TALLY_OK;
  *err = importing->first_bad;
  return err->status;
}

static int
all_good (const struct importing *importing, struct tally_error *err)
{
  if (importing->bad == 0)
    return TALLY_OK;
  if (importing->bad == 1) {
    *err = importing->first_bad;
    return err->status;
  }
  return error_set (err, TALLY_INVALID,
                    "%s: %zu documents are bad; nothing was imported",
                    importing->shown, importing->bad);
}

/* ---- indexes ------------------------------------------------------------ */

void
import_remove_index (struct importing *importing, struct tally_slice field)
{
  for (size_t i = 0; i < importing->n_indexes; i++) {
    struct import_index *index = &importing->indexes[i];

    if (!slice_equal (slice_text (index->field), field))
      continue;
    free (index->field);
    *index = importing->indexes[--importing->n_indexes];
    return;
  }
}

int
import_add_index (struct importing *importing, struct tally_slice field,
                  bool unique, bool sparse, struct tally_error *err)
{
  struct import_index *grown, made = { NULL, unique, sparse };

  if (field.size == 0 || memchr (field.data, '\0', field.size))
    return error_set (err, TALLY_INVALID, "the index is on no field");
  import_remove_index (importing, field);
  grown =
      realloc (importing->indexes, (importing->n_indexes + 1) * sizeof *grown);
  if (!grown)
    return error_nomem (err);
  importing->indexes = grown;
  made.field = strndup (field.data, field.size);
  if (!made.field)
    return error_nomem (err);
  grown[importing->n_indexes++] = made;
  return TALLY_OK;
}

/* A minus is part of a name there, and of none here. */
static bool
falls (const char *field)
{
  return field[0] == '-' || strstr (field, ",-");
}

static int
make_index (struct importing *importing, const struct import_index *index,
            struct tally_error *err)
{
  const char *collection =
      importing->collection ? importing->collection : importing->by_default;
  int status;

  if (!collection[0])
    status = error_set (err, TALLY_INVALID, "of which collection?");
  else if (falls (index->field))
    status = error_set (err, TALLY_INVALID, "a name begins with \"-\"");
  else
    status = indexes_ensure (importing->replica, collection, index->field,
                             index->unique, index->sparse, NULL, NULL, err);
  if (status != TALLY_INVALID && status != TALLY_UNSUPPORTED)
    return status;
  context_log (importing->tally, 1, "%s: its index on %s was left out: %s",
               importing->shown, index->field, err->text);
  return TALLY_OK;
}

/* After the documents: what is there already may have the same as one of
 * them, and that must not keep the rest out. */
static int
make_indexes (struct importing *importing, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < importing->n_indexes && status == TALLY_OK; i++)
    status = make_index (importing, &importing->indexes[i], err);
  return status;
}

static void
free_indexes (struct importing *importing)
{
  for (size_t i = 0; i < importing->n_indexes; i++)
    free (importing->indexes[i].field);
  free (importing->indexes);
}

/* ---- passes ------------------------------------------------------------- */

/* From here on documents are written. */
static int
begin_writing (struct importing *importing, struct tally_error *err)
{
  int status = all_good (importing, err);

  if (status == TALLY_OK)
    status = context_use (&importing->replica, importing->handle, err);
  if (status == TALLY_OK)
    importing->newest_ms =
        replica_wall_ms (importing->replica) + importing->replica->max_skew_ms;
  return status;
}

static int
import_lines (struct importing *importing, struct tally_error *err)
{
  struct nedb *nedb = NULL;
  struct lines lines;
  bool is_nedb = strcmp (importing->format, "nedb") == 0;
  int status = lines_open (&lines, importing->path,
                           importing->tally->cancel_pipe[0], err);

  if (status != TALLY_OK)
    return status;
  if (is_nedb)
    status = nedb_new (&nedb, err);
  for (int pass = 0; pass < 2 && status == TALLY_OK; pass++) {
    if (pass > 0)
      status = lines_rewind (&lines, err);
    if (pass > 0 && status == TALLY_OK)
      status = begin_writing (importing, err);
    if (status == TALLY_OK)
      status = is_nedb ? import_nedb (importing, nedb, &lines, err)
                       : import_ndjson (importing, &lines, err);
  }
  nedb_free (nedb);
  lines_close (&lines);
  return status;
}

struct reading {
  struct importing *importing;
  struct tally_error *err;
  int status;
};

static int
take_record (void *ctx, const struct tally_record *record)
{
  struct reading *reading = ctx;
  struct importing *importing = reading->importing;
  struct tally_error why = { 0 };
  char where[TALLY_ID_MAX + 16];
  int status;

  importing->key = record->id;
  status =
      import_document (importing, NULL, record->json, IMPORT_NEEDS_ID, &why);

  if (status == TALLY_INVALID) {
    struct tally_slice id = record->id;

    snprintf (where, sizeof where, "\"%.*s\"",
              id.size < TALLY_ID_MAX ? (int) id.size : TALLY_ID_MAX,
              id.data ? id.data : "");
    import_bad (importing, where, &why);
    if (!importing->replica)
      status = TALLY_OK;
  }
  if (status != TALLY_OK)
    *reading->err = why;
  reading->status = status;
  return status != TALLY_OK || importing->stop;
}

/* Formats by name: ours, and the sources that there are. */
struct formats {
  const char *asked;
  struct buf names;
  char near[MODULE_NAME_SIZE];
  size_t distance;
  bool is_driver; /* the one that was asked for is, but not a source */
};

static void
offer (struct formats *formats, const char *name)
{
  size_t distance = nearest_distance (formats->asked, name, 2);

  buf_addf (&formats->names, "%s%s", formats->names.size > 0 ? ", " : "",
            name);
  if (distance < formats->distance) {
    formats->distance = distance;
    snprintf (formats->near, sizeof formats->near, "%s", name);
  }
}

static int
offer_driver (void *ctx, const struct registry_item *item)
{
  struct formats *formats = ctx;

  if (strcmp (item->name, formats->asked) == 0)
    formats->is_driver = true;
  if (item->driver && item->driver->source && !item->instead)
    offer (formats, item->name);
  return 0;
}

/* *err says why it is no driver. */
static int
fail_format (struct importing *importing, struct tally_error *err)
{
  struct tally_error why = *err;
  struct formats formats = { .asked = importing->format, .distance = 3 };
  int status;

  offer (&formats, "ndjson");
  offer (&formats, "nedb");
  status =
      registry_each (importing->tally->registry, offer_driver, &formats, err);
  buf_add_byte (&formats.names, '\0');
  if (status == TALLY_OK && formats.names.failed)
    status = error_nomem (err);
  else if (status == TALLY_OK && formats.is_driver)
    status = error_set (err, why.status, "%s", why.text);
  else if (status == TALLY_OK && formats.near[0])
    status = error_set (err, TALLY_USAGE,
                        "%.60s: no such format; did you mean \"%s\"?",
                        importing->format, formats.near);
  else if (status == TALLY_OK)
    status =
        error_set (err, TALLY_USAGE, "%.60s: no such format; there are %s",
                   importing->format, formats.names.data);
  buf_free (&formats.names);
  return status;
}

static int
find_source (struct importing *importing, struct driver **driver,
             struct option_set *options, struct tally_error *err)
{
  struct option_owner owner = { NULL, importing->format, NULL, NULL };
  struct option_pair pair = { NULL, importing->path, NULL, OPTION_FLAG };
  char *here = NULL;
  int status = registry_find (importing->tally->registry, DRIVER_SOURCE,
                              importing->format, NULL, driver, err);

  if (status != TALLY_OK)
    return fail_format (importing, err);
  if (!(*driver)->options || !(*driver)->options->name)
    return error_set (err, TALLY_CONFIG, "driver %s takes no path",
                      (*driver)->name);
  status = context_here (&here, err);
  owner.base_dir = here;
  pair.key = (*driver)->options->name;
  if (status == TALLY_OK)
    status =
        option_set_build (options, (*driver)->options, &pair, 1, &owner, err);
  free (here);
  return status;
}

static int
import_source (struct importing *importing, struct tally_error *err)
{
  struct option_set options = { 0 };
  struct source *source = NULL;
  struct driver *driver;
  int status = find_source (importing, &driver, &options, err);

  if (status == TALLY_OK)
    status = source_open (&source, driver, options.values, importing->path,
                          &importing->tally->host, err);
  for (int pass = 0; pass < 2 && status == TALLY_OK; pass++) {
    struct reading reading = { importing, err, TALLY_OK };

    if (pass > 0)
      status = begin_writing (importing, err);
    if (status == TALLY_OK)
      status = source_documents (source, take_record, &reading, err);
    if (status == TALLY_OK)
      status = reading.status;
  }
  source_close (source);
  option_set_free (&options);
  return status;
}

/* ---- names -------------------------------------------------------------- */

/* "/home/me/notes.db/" -> "notes" */
static void
name_after (struct importing *importing)
{
  const char *path = importing->path, *end = path + strlen (path);
  const char *start, *dot;
  struct tally_error ignored;
  size_t size;

  if (strcmp (path, "-") == 0)
    return;
  while (end > path && end[-1] == '/')
    end--;
  for (start = end; start > path && start[-1] != '/'; start--)
    ;
  for (dot = end; dot > start && *dot != '.'; dot--)
    ;
  size = (size_t) ((dot > start ? dot : end) - start);
  if (size == 0 || size >= sizeof importing->by_default)
    return;
  memcpy (importing->by_default, start, size);
  importing->by_default[size] = '\0';
  if (collection_check (importing->by_default, &ignored) != TALLY_OK
      || collection_is_local (importing->by_default))
    importing->by_default[0] = '\0';
}

int
tally_import (struct tally_replica *replica, const char *format,
              const char *path, const char *collection, tally_written_fn *emit,
              void *ctx, struct tally_error *err)
{
  struct importing *importing = calloc (1, sizeof *importing);
  int status = TALLY_OK;

  err = PUBLIC_ERROR (err);
  if (!importing)
    return error_nomem (err);
  importing->tally = replica->tally;
  importing->handle = replica;
  importing->format = format;
  importing->path = path;
  importing->shown = strcmp (path, "-") == 0 ? "standard input" : path;
  importing->collection = collection;
  importing->emit = emit;
  importing->ctx = ctx;
  name_after (importing);
  if (collection)
    status = write_check_any (collection, err);
  if (status == TALLY_OK)
    status = context_rules (&importing->rules, replica, err);
  if (status == TALLY_OK)
    status = strcmp (format, "ndjson") == 0 || strcmp (format, "nedb") == 0
                 ? import_lines (importing, err)
                 : import_source (importing, err);
  if (status == TALLY_OK)
    status = import_flush (importing, err);
  if (importing->ahead > 0)
    context_log (importing->tally, 1,
                 importing->ahead == 1
                     ? "%s: %zu document says that it will be changed in the "
                       "future; it was stamped now"
                     : "%s: %zu documents say that they will be changed in "
                       "the future; they were stamped now",
                 importing->shown, importing->ahead);
  if (status == TALLY_OK && !importing->stop)
    status = make_indexes (importing, err);
  free_indexes (importing);
  idmap_free (&importing->ids);
  doclist_free (&importing->docs);
  free (importing);
  return status;
}
