/* SPDX-License-Identifier: MIT */
/* Running the prepared statements, and reading rows back with distrust: the
 * file may have been through other hands. */

#include <string.h>

#include "sqlite-file.h"

int
sqlite_step (const struct sqlite_store *s, enum sqlite_statement which,
             struct tally_error *err)
{
  int code = sqlite3_step (s->statements[which]);

  if (code == SQLITE_ROW || code == SQLITE_DONE)
    return code;
  return sqlite_fail_code (s, err, code);
}

void
sqlite_reset (const struct sqlite_store *s, enum sqlite_statement which)
{
  sqlite3_reset (s->statements[which]);
  sqlite3_clear_bindings (s->statements[which]);
}

int
sqlite_run (const struct sqlite_store *s, enum sqlite_statement which,
            struct tally_error *err)
{
  int result = sqlite_step (s, which, err);

  sqlite_reset (s, which);
  return result < 0 ? result : TALLY_OK;
}

void
sqlite_rollback (const struct sqlite_store *s)
{
  if (sqlite3_get_autocommit (s->db))
    return;
  sqlite3_step (s->statements[SQL_ROLLBACK]);
  sqlite3_reset (s->statements[SQL_ROLLBACK]);
}

void
sqlite_bind_bytes (const struct sqlite_store *s, enum sqlite_statement which,
                   int index, const void *data, size_t size)
{
  /* A NULL pointer would bind NULL, not the empty blob. */
  sqlite3_bind_blob64 (s->statements[which], index, size ? data : "", size,
                       SQLITE_STATIC);
}

void
sqlite_bind_number (const struct sqlite_store *s, enum sqlite_statement which,
                    int index, int64_t number)
{
  sqlite3_bind_int64 (s->statements[which], index, number);
}

void
sqlite_bind_text (const struct sqlite_store *s, enum sqlite_statement which,
                  int index, const char *text)
{
  sqlite3_bind_text (s->statements[which], index, text, -1, SQLITE_STATIC);
}

/* Copies a column that must have this size. */
static bool
column_copy (sqlite3_stmt *statement, int column, unsigned char *to,
             size_t size)
{
  const void *data = sqlite3_column_blob (statement, column);

  if (!data || (size_t) sqlite3_column_bytes (statement, column) != size)
    return false;
  memcpy (to, data, size);
  return true;
}

int
sqlite_slice (const struct sqlite_store *s, enum sqlite_statement which,
              int column, struct tally_slice *slice, struct tally_error *err)
{
  sqlite3_stmt *statement = s->statements[which];

  slice->data = sqlite3_column_blob (statement, column);
  slice->size = (size_t) sqlite3_column_bytes (statement, column);
  if (!slice->data && sqlite3_errcode (s->db) == SQLITE_NOMEM)
    return sqlite_fail_code (s, err, SQLITE_NOMEM);
  if (!slice->data)
    slice->size = 0;
  return TALLY_OK;
}

int
sqlite_header (const struct sqlite_store *s, enum sqlite_statement which,
               struct tally_doc *doc, struct tally_error *err)
{
  sqlite3_stmt *statement = s->statements[which];
  int64_t seq = sqlite3_column_int64 (statement, 0);
  int64_t flags = sqlite3_column_int64 (statement, 1);

  memset (doc, 0, sizeof *doc);
  if (seq <= 0 || flags < 0 || flags > UINT32_MAX
      || !column_copy (statement, 2, doc->rev, TALLY_STAMP_SIZE)
      || !column_copy (statement, 3, doc->rev + TALLY_STAMP_SIZE, HASH_SIZE))
    return sqlite3_errcode (s->db) == SQLITE_NOMEM
               ? sqlite_fail_code (s, err, SQLITE_NOMEM)
               : sqlite_fail (s, err, TALLY_CORRUPT,
                              "a document's row is damaged");
  doc->seq = (uint64_t) seq;
  doc->flags = (uint32_t) flags;
  return TALLY_OK;
}

int
sqlite_emit_headers (const struct sqlite_store *s, enum sqlite_statement which,
                     tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  struct tally_doc doc;
  int status;

  for (;;) {
    status = sqlite_step (s, which, err);
    if (status != SQLITE_ROW)
      break;
    status = sqlite_header (s, which, &doc, err);
    if (!status)
      status = sqlite_slice (s, which, 4, &doc.id, err);
    if (!status && (!doc.id.size || doc.id.size > TALLY_ID_MAX))
      status =
          sqlite_fail (s, err, TALLY_CORRUPT, "a document's id is damaged");
    if (status || emit (ctx, &doc))
      break;
  }
  sqlite_reset (s, which);
  return status < 0 ? status : TALLY_OK;
}

int
sqlite_collection (const struct sqlite_store *s, const char *name,
                   int64_t *key, struct tally_error *err)
{
  int result;

  *key = 0;
  sqlite_bind_text (s, SQL_COLLECTION_FIND, 1, name);
  result = sqlite_step (s, SQL_COLLECTION_FIND, err);
  if (result == SQLITE_ROW)
    *key = sqlite3_column_int64 (s->statements[SQL_COLLECTION_FIND], 0);
  sqlite_reset (s, SQL_COLLECTION_FIND);
  return result < 0 ? result : TALLY_OK;
}

int
sqlite_read_begin (struct sqlite_store *s, const char *collection,
                   int64_t *key, struct tally_error *err)
{
  int status = s->held ? TALLY_OK : sqlite_run (s, SQL_READ, err);

  *key = 0;
  return status ? status : sqlite_collection_read (s, collection, key, err);
}

void
sqlite_read_end (const struct sqlite_store *s)
{
  if (!s->held)
    sqlite_rollback (s);
}

int
sqlite_hold (void *handle, int on, struct tally_error *err)
{
  struct sqlite_store *s = handle;
  int status = TALLY_OK;

  if (on)
    status = sqlite_run (s, SQL_READ, err);
  s->held = on && !status;
  if (!on)
    sqlite_rollback (s);
  return status;
}

/* Not those of a collection and of the rows of its indexes, "_i:" and the same
 * name: a search reads both. */
static struct sqlite_named *
named_slot (struct sqlite_store *s, const char *name)
{
  size_t hash = strlen (name);

  for (; *name; name++)
    hash = 33 * hash + (unsigned char) *name;
  return &s->named[hash % SQLITE_NAMED];
}

int64_t
sqlite_collection_known (struct sqlite_store *s, const char *name)
{
  const struct sqlite_named *slot = named_slot (s, name);

  return slot->key && strcmp (slot->name, name) == 0 ? slot->key : 0;
}

int
sqlite_collection_read (struct sqlite_store *s, const char *name, int64_t *key,
                        struct tally_error *err)
{
  struct sqlite_named *slot = named_slot (s, name);
  size_t size = strlen (name);
  int status;

  *key = sqlite_collection_known (s, name);
  if (*key)
    return TALLY_OK;
  status = sqlite_collection (s, name, key, err);
  if (!status && *key && size <= SQLITE_NAME_MAX) {
    slot->key = *key;
    memcpy (slot->name, name, size + 1);
  }
  return status;
}

int
sqlite_head (const struct sqlite_store *s, int64_t *head,
             struct tally_error *err)
{
  int result = sqlite_step (s, SQL_HEAD, err);

  *head = 0;
  if (result == SQLITE_ROW)
    *head = sqlite3_column_int64 (s->statements[SQL_HEAD], 0);
  sqlite_reset (s, SQL_HEAD);
  if (result >= 0 && *head < 0)
    return sqlite_fail (s, err, TALLY_CORRUPT, "a seq is below zero");
  return result < 0 ? result : TALLY_OK;
}
