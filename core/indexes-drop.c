/* SPDX-License-Identifier: MIT */
/* Dropping an index.  First it is used no more; cut short then, it is as one
 * whose making was cut short.  Then its rows go, then the word of it, and what
 * writes put in between, which still knew it. */

#include <config.h>

#include <string.h>

#include "config.h"
#include "error.h"
#include "indexes-internal.h"

struct dropping {
  const char *collection, *fields;
  uint32_t number; /* of the index */
  uint32_t next; /* the one that no other index gets, see indexes_tell_made */
};

/* "a", "b,-c" into a message. */
static void
name_all (const struct index_list *list, struct buf *out)
{
  for (size_t i = 0; i < list->n; i++) {
    buf_add_text (out, i > 0 ? ", " : "");
    buf_add_slice (out, buf_slice (&list->defs[i].name));
  }
}

static int
say_none (const struct dropping *dropping, const struct index_list *list,
          struct tally_error *err)
{
  struct buf names = BUF_INIT;

  name_all (list, &names);
  error_set (err, TALLY_NOTFOUND, "%s: there is no index on %.80s%s%.*s",
             dropping->collection, dropping->fields,
             names.size > 0 ? "; there is " : "",
             (int) (names.size < 100 ? names.size : 100),
             names.size > 0 ? names.data : "");
  buf_free (&names);
  return TALLY_NOTFOUND;
}

static int
edit_unused (void *ctx, struct index_list *list, bool *changes,
             struct tally_error *err)
{
  struct dropping *dropping = ctx;
  struct index_def *def = index_list_find (list, dropping->fields);

  if (!def)
    return say_none (dropping, list, err);
  dropping->number = def->number;
  *changes = def->ready;
  def->ready = false;
  return TALLY_OK;
}

/* A number goes with it: a put that knew the list as it was looks whether
 * there is an index of that number by now. */
static int
edit_gone (void *ctx, struct index_list *list, bool *changes,
           struct tally_error *err)
{
  struct dropping *dropping = ctx;
  const struct index_def *def = index_list_find (list, dropping->fields);

  (void) err;
  *changes = def && def->number == dropping->number && !def->ready;
  if (*changes) {
    index_list_remove (list, (size_t) (def - list->defs));
    dropping->next = list->next++;
  }
  return TALLY_OK;
}

static int
look_declared (void *ctx, const struct config_index *index,
               struct tally_error *err)
{
  const struct dropping *dropping = ctx;

  if (strcmp (index->collection, dropping->collection) != 0
      || strcmp (index->fields, dropping->fields) != 0)
    return TALLY_OK;
  return error_set (err, TALLY_INVALID,
                    "%s: the index on %s is declared there, and would be made "
                    "again; take it out of the ini first",
                    index->where, index->fields);
}

int
indexes_drop (struct replica *replica, const char *collection,
              const char *fields, struct tally_error *err)
{
  struct dropping dropping = { collection, fields, 0, 0 };
  struct index_list list = { 0 };
  int status = TALLY_OK;

  if (!indexes_possible (replica))
    return say_none (&dropping, &list, err);
  if (replica->section)
    status =
        config_each_index (replica->section, look_declared, &dropping, err);
  if (status == TALLY_OK)
    status =
        indexes_edit (replica, collection, &list, edit_unused, &dropping, err);
  if (status == TALLY_OK)
    status = indexes_forget_rows (replica, collection, dropping.number, err);
  if (status == TALLY_OK)
    status =
        indexes_edit (replica, collection, &list, edit_gone, &dropping, err);
  if (status == TALLY_OK && dropping.next)
    status = indexes_tell_made (replica, collection, dropping.next, err);
  if (status == TALLY_OK)
    status = indexes_forget_rows (replica, collection, dropping.number, err);
  index_list_free (&list);
  return status;
}
