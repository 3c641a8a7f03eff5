/* SPDX-License-Identifier: MIT */
/* Documents by id, from one to another, and those that a search wants in the
 * order of arrival, which is that of the table.  SQLite asks the host of each
 * body where it lies, and reads and copies the rest of what is wanted only. */

#include <string.h>

#include "sqlite-file.h"

/* ---- find ---- */

static bool
is_before (struct tally_slice id, const struct tally_slice *to)
{
  size_t size = id.size < to->size ? id.size : to->size;
  int order = size ? memcmp (id.data, to->data, size) : 0;

  return order ? order < 0 : id.size < to->size;
}

/* The row that the walk stands on. */
static int
walk_row (const struct sqlite_store *s, enum sqlite_statement which,
          struct tally_doc *doc, struct tally_error *err)
{
  int status;

  memset (doc, 0, sizeof *doc);
  if (which != SQL_WALK && which != SQL_SEARCH)
    return sqlite_slice (s, which, 0, &doc->id, err);
  status = sqlite_header (s, which, doc, err);
  if (!status)
    status = sqlite_slice (s, which, 4, &doc->meta, err);
  if (!status)
    status = sqlite_slice (s, which, 5, &doc->body, err);
  if (!status)
    status = sqlite_slice (s, which, 6, &doc->id, err);
  return status;
}

static enum sqlite_statement
statement_for (unsigned flags)
{
  if (!(flags & TALLY_FIND_IDS))
    return SQL_WALK;
  return flags & TALLY_FIND_LAST ? SQL_LAST_ID : SQL_WALK_IDS;
}

int
sqlite_find (void *handle, const char *collection,
             const struct tally_slice *from, const struct tally_slice *to,
             unsigned flags, tally_emit_doc *emit, void *ctx,
             struct tally_error *err)
{
  struct sqlite_store *s = handle;
  enum sqlite_statement which = statement_for (flags);
  struct tally_doc doc;
  int64_t key = sqlite_collection_known (s, collection);
  int status = TALLY_OK;

  /* One statement is a transaction of its own. */
  if (!key)
    status = sqlite_read_begin (s, collection, &key, err);
  if (status || !key)
    goto out;
  sqlite_bind_number (s, which, 1, key);
  sqlite_bind_bytes (s, which, 2, from ? from->data : NULL,
                     from ? from->size : 0);
  if (which == SQL_WALK)
    sqlite_bind_number (s, which, 3, flags);
  if (which == SQL_LAST_ID)
    sqlite_bind_bytes (s, which, 3, to->data, to->size);
  for (;;) {
    status = sqlite_step (s, which, err);
    if (status != SQLITE_ROW)
      break;
    status = walk_row (s, which, &doc, err);
    if (status || (to && !is_before (doc.id, to)))
      break;
    if (!(doc.flags & TALLY_DOC_DELETED) && emit (ctx, &doc))
      break;
  }
  sqlite_reset (s, which);

out:
  sqlite_read_end (s);
  return status < 0 ? status : TALLY_OK;
}

/* ---- search ---- */

/* A search under way. */
struct sqlite_search {
  tally_wants *wants;
  void *ctx;
  bool ended; /* by what it said */
};

/* tally_wants (seq, body).  Where it is to end there a row comes up, so that
 * the statement stops. */
static void
ask (sqlite3_context *call, int n, sqlite3_value **values)
{
  const struct sqlite_store *s = sqlite3_user_data (call);
  struct sqlite_search *search = s->search;
  struct tally_slice body;
  int wanted = TALLY_WANTED_NO;

  (void) n;
  body.data = sqlite3_value_blob (values[1]);
  body.size = (size_t) sqlite3_value_bytes (values[1]);
  if (!body.data && body.size > 0) {
    sqlite3_result_error_nomem (call);
    return;
  }
  if (search)
    wanted = search->wants (search->ctx,
                            (uint64_t) sqlite3_value_int64 (values[0]), &body);
  if (wanted == TALLY_WANTED_END)
    search->ended = true;
  sqlite3_result_int (call, wanted != TALLY_WANTED_NO);
}

int
sqlite_add_search (struct sqlite_store *s, struct tally_error *err)
{
  int code = sqlite3_create_function_v2 (s->db, "tally_wants", 2,
                                         SQLITE_UTF8 | SQLITE_DIRECTONLY, s,
                                         ask, NULL, NULL, NULL);

  return code == SQLITE_OK ? TALLY_OK : sqlite_fail_code (s, err, code);
}

static int
emit_wanted (const struct sqlite_store *s, tally_emit_doc *emit, void *ctx,
             struct tally_error *err)
{
  struct tally_doc doc;
  int status;

  for (;;) {
    status = sqlite_step (s, SQL_SEARCH, err);
    if (status != SQLITE_ROW || s->search->ended)
      break;
    status = walk_row (s, SQL_SEARCH, &doc, err);
    if (status || emit (ctx, &doc))
      break;
  }
  sqlite_reset (s, SQL_SEARCH);
  return status < 0 ? status : TALLY_OK;
}

int
sqlite_search (void *handle, const char *collection, uint64_t since,
               tally_wants *wants, tally_emit_doc *emit, void *ctx,
               struct tally_error *err)
{
  struct sqlite_search search = { wants, ctx, false };
  struct sqlite_store *s = handle;
  int64_t key = 0;
  int status = sqlite_read_begin (s, collection, &key, err);

  if (!status && key && since < INT64_MAX) {
    s->search = &search;
    sqlite_bind_number (s, SQL_SEARCH, 1, key);
    sqlite_bind_number (s, SQL_SEARCH, 2, (int64_t) since);
    status = emit_wanted (s, emit, ctx, err);
    s->search = NULL;
  }
  sqlite_read_end (s);
  return status;
}
