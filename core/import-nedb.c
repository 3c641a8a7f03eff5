/* SPDX-License-Identifier: MIT */
/* NeDB's file is a log: the last line of an id counts, a line may say that
 * the document is gone, or that an index was made or removed.  A program that
 * was killed leaves a last line that is torn. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "json.h"

struct nedb {
  struct arena arena; /* of ids */
  struct idmap ids;
  size_t *last; /* by the index in ids: the line that counts; 0: none does */
  size_t room;
};

int
nedb_new (struct nedb **out, struct tally_error *err)
{
  *out = calloc (1, sizeof **out);
  return *out ? TALLY_OK : error_nomem (err);
}

void
nedb_free (struct nedb *nedb)
{
  if (!nedb)
    return;
  arena_free (&nedb->arena);
  idmap_free (&nedb->ids);
  free (nedb->last);
  free (nedb);
}

static int
set_last (struct nedb *nedb, struct tally_slice id, size_t line,
          struct tally_error *err)
{
  size_t at = idmap_find (&nedb->ids, id);
  struct tally_slice copy = id;

  if (at == IDMAP_NONE) {
    at = nedb->ids.count;
    if (at == nedb->room) {
      size_t room = nedb->room ? 2 * nedb->room : 256;
      size_t *last = realloc (nedb->last, room * sizeof *last);

      if (!last)
        return error_nomem (err);
      nedb->last = last;
      nedb->room = room;
    }
    copy.data = arena_add (&nedb->arena, id.data, id.size);
    if (!copy.data || !idmap_add (&nedb->ids, copy, at, NULL))
      return error_nomem (err);
  }
  nedb->last[at] = line;
  return TALLY_OK;
}

static bool
is_true (struct tally_slice value)
{
  return slice_equal (value, slice_text ("true"));
}

/* {"fieldName","unique","sparse"}; what else may stand in it is NeDB's. */
static int
take_index (struct importing *importing, struct tally_slice made,
            struct tally_error *err)
{
  struct tally_slice value;
  struct buf field = BUF_INIT;
  bool unique, sparse;
  int status;

  if (json_type (made) != JSON_OBJECT
      || !json_find_member (made, slice_text ("fieldName"), &value)
      || !json_decode_string (&field, value))
    return error_set (err, TALLY_INVALID, "$$indexCreated: has no fieldName");
  unique = json_find_member (made, slice_text ("unique"), &value)
           && is_true (value);
  sparse = json_find_member (made, slice_text ("sparse"), &value)
           && is_true (value);
  status =
      import_add_index (importing, buf_slice (&field), unique, sparse, err);
  buf_free (&field);
  return status;
}

/* A line without an _id. */
static int
take_other (struct importing *importing, struct tally_slice line,
            struct tally_error *err)
{
  struct tally_slice value;
  struct buf field = BUF_INIT;

  if (json_find_member (line, slice_text ("$$indexCreated"), &value))
    return take_index (importing, value, err);
  if (!json_find_member (line, slice_text ("$$indexRemoved"), &value))
    return error_set (err, TALLY_INVALID, "has no _id");
  if (json_decode_string (&field, value))
    import_remove_index (importing, buf_slice (&field));
  buf_free (&field);
  return TALLY_OK;
}

static int
take_document (struct importing *importing, struct nedb *nedb, size_t number,
               struct tally_slice line, struct tally_slice id_value,
               struct tally_error *err)
{
  struct tally_slice value;
  struct buf id = BUF_INIT;
  bool deleted = json_find_member (line, slice_text ("$$deleted"), &value)
                 && is_true (value);
  int status = TALLY_OK;

  if (!json_decode_string (&id, id_value))
    return error_set (err, TALLY_INVALID, "_id: is not a string");
  if (importing->replica) {
    size_t at = idmap_find (&nedb->ids, buf_slice (&id));

    if (at != IDMAP_NONE && nedb->last[at] == number)
      status = import_document (importing, NULL, line,
                                IMPORT_NEEDS_ID | IMPORT_HAS_UPDATED_AT, err);
  } else {
    if (!deleted)
      status = import_document (importing, NULL, line,
                                IMPORT_NEEDS_ID | IMPORT_HAS_UPDATED_AT, err);
    if (status == TALLY_OK)
      status = set_last (nedb, buf_slice (&id), deleted ? 0 : number, err);
  }
  buf_free (&id);
  return status;
}

/* A line that cannot be read: what a program left that was killed, or `why` is
 * passed on. */
static int
take_torn (const struct importing *importing, struct lines *lines,
           const struct tally_error *why, struct tally_error *err)
{
  bool last = false;
  int status = TALLY_OK;

  if (why->status == TALLY_INVALID)
    status = lines_is_last (lines, &last, err);
  if (status != TALLY_OK)
    return status;
  if (!last) {
    *err = *why;
    return why->status;
  }
  if (!importing->replica)
    context_log (importing->tally, 1,
                 "%s:%zu: the last line is torn and was left out", lines->path,
                 lines->number);
  return TALLY_OK;
}

static int
take_line (struct importing *importing, struct nedb *nedb, struct lines *lines,
           struct tally_slice line, struct tally_error *err)
{
  struct buf canonical = BUF_INIT;
  struct tally_error why = { 0 };
  struct tally_slice id;
  int status = json_canonical (&canonical, line.data, line.size, &why);

  if (status != TALLY_OK) {
    buf_free (&canonical);
    return take_torn (importing, lines, &why, err);
  }
  if (status == TALLY_OK && json_type (buf_slice (&canonical)) != JSON_OBJECT)
    status = error_set (err, TALLY_INVALID, "is not an object");
  if (status == TALLY_OK
      && json_find_member (buf_slice (&canonical), slice_text ("_id"), &id))
    status = take_document (importing, nedb, lines->number,
                            buf_slice (&canonical), id, err);
  else if (status == TALLY_OK && !importing->replica)
    status = take_other (importing, buf_slice (&canonical), err);
  buf_free (&canonical);
  return status;
}

int
import_nedb (struct importing *importing, struct nedb *nedb,
             struct lines *lines, struct tally_error *err)
{
  struct tally_slice line;
  int status = TALLY_OK;

  while (status == TALLY_OK && !importing->stop) {
    status = lines_next (lines, &line, err);
    if (status == TALLY_OK && line.size > 0)
      status = take_line (importing, nedb, lines, line, err);
    if (status == TALLY_INVALID)
      status = import_bad_line (importing, lines, err);
  }
  return status == TALLY_NOTFOUND ? TALLY_OK : status;
}
