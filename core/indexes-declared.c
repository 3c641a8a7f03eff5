/* SPDX-License-Identifier: MIT */
/* Indexes that the ini declares, and a look at all that a store has. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "doclist.h"
#include "error.h"
#include "indexes.h"

/* Writers that stay ahead of the check so often leave it without an answer. */
#define CHECK_ROUNDS 5

static void
tell (const struct replica *replica, int level, const char *text)
{
  if (replica->host && replica->host->log)
    replica->host->log (replica->host->ctx, level, text);
}

static bool
is_other (const struct index_def *def, const struct config_index *index)
{
  return def && (def->unique != index->unique || def->sparse != index->sparse);
}

static int
make (struct replica *replica, const struct config_index *index,
      struct tally_error *err)
{
  struct tally_error line;
  int status;

  error_set (&line, TALLY_OK, "%s: making the index on %s of %s",
             replica->name, index->fields, index->collection);
  tell (replica, 2, line.text);
  status = indexes_ensure (replica, index->collection, index->fields,
                           index->unique, index->sparse, NULL, NULL, err);
  if (status != TALLY_INVALID && status != TALLY_UNSUPPORTED)
    return status;
  error_set (&line, status, "%s: %s", index->where, err->text);
  tell (replica, 1, line.text);
  return TALLY_OK;
}

static int
make_missing (void *ctx, const struct config_index *index,
              struct tally_error *err)
{
  struct replica *replica = ctx;
  const struct index_def *def;
  struct index_list list;
  int status = indexes_load (replica, index->collection, &list, err);

  if (status != TALLY_OK)
    return status;
  def = index_list_find (&list, index->fields);
  if (!def || !def->ready || is_other (def, index))
    status = make (replica, index, err);
  index_list_free (&list);
  return status;
}

static int
do_nothing (void *ctx, const struct config_index *index,
            struct tally_error *err)
{
  (void) ctx;
  (void) index;
  (void) err;
  return TALLY_OK;
}

int
indexes_try (const struct config_endpoint *section, struct tally_error *err)
{
  return config_each_index (section, do_nothing, NULL, err);
}

int
indexes_declare (struct replica *replica,
                 const struct config_endpoint *section,
                 struct tally_error *err)
{
  /* All that is wrong in the ini comes before anything is made. */
  int status = indexes_try (section, err);

  replica->section = section;
  if (status == TALLY_OK && !(replica->flags & TALLY_OPEN_READONLY))
    status = config_each_index (section, make_missing, replica, err);
  return status;
}

/* ---- checking ----------------------------------------------------------- */

static int
look_for_other (void *ctx, const struct config_index *index,
                struct tally_error *err)
{
  const struct index_def *def;
  struct index_list list;
  int status = indexes_load (ctx, index->collection, &list, err);

  if (status != TALLY_OK)
    return status;
  def = index_list_find (&list, index->fields);
  if (is_other (def, index))
    status = error_set (err, TALLY_INVALID,
                        "%s: an index on %s is there, which is%s unique and"
                        "%s sparse",
                        index->where, index->fields, def->unique ? "" : " not",
                        def->sparse ? "" : " not");
  index_list_free (&list);
  return status;
}

int
indexes_check_declared (struct replica *replica,
                        const struct config_endpoint *section,
                        struct tally_error *err)
{
  return config_each_index (section, look_for_other, replica, err);
}

static int
take_name (void *ctx, const char *name)
{
  struct tally_doc doc = { .id = slice_text (name) };

  return !doclist_add (ctx, &doc);
}

/* A walk over documents and one over rows are no snapshot together: what they
 * find counts when nothing was written meanwhile. */
static int
check_one (struct replica *replica, const char *collection,
           struct tally_error *err)
{
  struct replica_watch watch = { 0 };
  bool moved = true;
  int status = replica_wait (replica, &watch, 0, &moved, err);

  for (unsigned round = 0; status == TALLY_OK && round < CHECK_ROUNDS;
       round++) {
    struct tally_error why = { 0 };
    int found = indexes_check (replica, collection, &why);

    if (found == TALLY_OK)
      return TALLY_OK;
    if (found == TALLY_CORRUPT)
      status = replica_wait (replica, &watch, 0, &moved, err);
    if (found != TALLY_CORRUPT || (status == TALLY_OK && !moved)) {
      *err = why;
      return found;
    }
  }
  return status;
}

int
indexes_check_all (struct replica *replica, struct tally_error *err)
{
  static const char prefix[] = "index.";
  struct doclist names = DOCLIST_INIT;
  int status = TALLY_OK;

  if (!indexes_possible (replica))
    return TALLY_OK;
  status = replica_note_list (replica, prefix, take_name, &names, err);
  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < names.count && status == TALLY_OK; i++) {
    struct tally_slice name = names.docs[i].id;
    char *text = strndup (name.data + sizeof prefix - 1,
                          name.size - (sizeof prefix - 1));

    status = text ? check_one (replica, text, err) : error_nomem (err);
    free (text);
  }
  doclist_free (&names);
  return status;
}
