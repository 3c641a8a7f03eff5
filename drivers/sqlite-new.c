/* SPDX-License-Identifier: MIT */
/* The rows of a put that are to be new, as a table that SQLite reads: one
 * statement inserts them all, where one for each would open every index anew.
 */

#include <stdlib.h>
#include <string.h>

#include "sqlite-file.h"

enum { SEQ, COLLECTION, FLAGS, STAMP, HASH, ID, META, BODY };

static const char declaration[] =
    "CREATE TABLE fresh (seq, collection, flags, stamp, hash, id, meta, body)";

struct table {
  sqlite3_vtab base; /* first, as SQLite sees it */
  const struct sqlite_store *s;
};

struct cursor {
  sqlite3_vtab_cursor base; /* likewise */
  const struct sqlite_new *rows;
  size_t at;
};

static int
new_connect (sqlite3 *db, void *s, int argc, const char *const *argv,
             sqlite3_vtab **out, char **text)
{
  struct table *table;
  int code = sqlite3_declare_vtab (db, declaration);

  (void) argc;
  (void) argv;
  (void) text;
  if (code != SQLITE_OK)
    return code;
  table = sqlite3_malloc (sizeof *table);
  if (!table)
    return SQLITE_NOMEM;
  memset (table, 0, sizeof *table);
  table->s = s;
  *out = &table->base;
  return SQLITE_OK;
}

static int
new_disconnect (sqlite3_vtab *table)
{
  sqlite3_free (table);
  return SQLITE_OK;
}

static int
new_best_index (sqlite3_vtab *table, sqlite3_index_info *info)
{
  (void) table;
  info->estimatedCost = 1;
  return SQLITE_OK;
}

static int
new_open (sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
  struct cursor *cursor = sqlite3_malloc (sizeof *cursor);

  if (!cursor)
    return SQLITE_NOMEM;
  memset (cursor, 0, sizeof *cursor);
  cursor->rows = &((struct table *) table)->s->fresh;
  *out = &cursor->base;
  return SQLITE_OK;
}

static int
new_close (sqlite3_vtab_cursor *cursor)
{
  sqlite3_free (cursor);
  return SQLITE_OK;
}

static int
new_filter (sqlite3_vtab_cursor *cursor, int number, const char *text,
            int argc, sqlite3_value **argv)
{
  (void) number;
  (void) text;
  (void) argc;
  (void) argv;
  ((struct cursor *) cursor)->at = 0;
  return SQLITE_OK;
}

static int
new_next (sqlite3_vtab_cursor *cursor)
{
  ((struct cursor *) cursor)->at++;
  return SQLITE_OK;
}

static int
new_eof (sqlite3_vtab_cursor *base)
{
  const struct cursor *cursor = (struct cursor *) base;

  return cursor->at >= cursor->rows->n;
}

/* The put's own bytes, which stay for as long as the statement runs. */
static void
give (sqlite3_context *context, const void *data, size_t size)
{
  sqlite3_result_blob64 (context, size > 0 ? data : "", size, SQLITE_STATIC);
}

static int
new_column (sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
  const struct cursor *cursor = (struct cursor *) base;
  const struct sqlite_place *place = &cursor->rows->places[cursor->at];
  const struct tally_doc *doc = &place->entry->doc;

  switch (column) {
  case SEQ:
    sqlite3_result_int64 (context, cursor->rows->head + place->number);
    break;
  case COLLECTION:
    sqlite3_result_int64 (context, cursor->rows->key);
    break;
  case FLAGS:
    sqlite3_result_int64 (context, doc->flags);
    break;
  case STAMP:
    give (context, doc->rev, TALLY_STAMP_SIZE);
    break;
  case HASH:
    give (context, doc->rev + TALLY_STAMP_SIZE, HASH_SIZE);
    break;
  case ID:
    give (context, doc->id.data, doc->id.size);
    break;
  case META:
    give (context, doc->meta.data, doc->meta.size);
    break;
  case BODY:
    give (context, doc->body.data, doc->body.size);
    break;
  }
  return SQLITE_OK;
}

static int
new_rowid (sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
  *rowid = (sqlite3_int64) ((struct cursor *) cursor)->at;
  return SQLITE_OK;
}

/* Without xCreate there is one, by the name of the module, unless the file has
 * another of that name, which sqlite-file.c refuses. */
static const sqlite3_module module = {
  .xConnect = new_connect,
  .xDisconnect = new_disconnect,
  .xBestIndex = new_best_index,
  .xOpen = new_open,
  .xClose = new_close,
  .xFilter = new_filter,
  .xNext = new_next,
  .xEof = new_eof,
  .xColumn = new_column,
  .xRowid = new_rowid,
};

int
sqlite_new_register (struct sqlite_store *s)
{
  return sqlite3_create_module (s->db, "fresh", &module, s);
}
