/* SPDX-License-Identifier: MIT */
/* The layout.  A document's rowid is its seq, so that a write lands at the
 * end of the table; ids and stamps are found through indexes.  The file is
 * marked as ours in its header, and is made in one transaction before it is
 * switched to WAL, so that there is never half a store. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sqlite-file.h"

#define APPLICATION_ID 0x74616c79 /* "taly" */
/* 1 had tombstones in document_stamp, and no digests; 2 other fingerprints. */
#define FORMAT 3

/* Of a file that is yet to be made.  At the end of each page there is half a
 * document's room: with SQLite's 4096 a document takes 20 bytes more, and with
 * 16384 one that is read alone takes a quarter longer. */
#define PAGE_SIZE "8192"

/* AUTOINCREMENT keeps the greatest seq in sqlite_sequence, so that it stays
 * known when its document is forgotten; its row is made here because an
 * update must find it.
 *
 * document_arrival holds (collection, rowid).  Without it a small
 * collection's changes are looked for among those of all others: 71 ms
 * instead of 13 us beside 300,000 documents.  It is 2 % of the file, new
 * entries go to the end of their collection, and a whole feed takes no longer
 * than a scan of the table.
 *
 * document_stamp has the live documents alone, which are what is compared, and
 * carries hash and flags so that doing so never touches the table.
 *
 * A digest is a record of tally/digest.h, or NULL: not known. */
static const char layout[] =
    "CREATE TABLE collection (key INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE, digest BLOB);"
    "CREATE TABLE document (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " collection INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " stamp BLOB NOT NULL, hash BLOB NOT NULL, id BLOB NOT NULL,"
    " meta BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX document_id ON document (collection, id);"
    "CREATE INDEX document_stamp"
    " ON document (collection, stamp, id, hash, flags) WHERE flags & 1 = 0;"
    "CREATE INDEX document_arrival ON document (collection);"
    "INSERT INTO sqlite_sequence (name, seq) VALUES ('document', 0);"
    "CREATE TABLE note (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL);";

static const char *const statement_texts[SQL_STATEMENTS] = {
  [SQL_READ] = "BEGIN",
  [SQL_WRITE] = "BEGIN IMMEDIATE",
  [SQL_COMMIT] = "COMMIT",
  [SQL_ROLLBACK] = "ROLLBACK",
  [SQL_COLLECTION_FIND] = "SELECT key FROM collection WHERE name = ?1",
  [SQL_COLLECTION_ADD] = "INSERT INTO collection (name) VALUES (?1)",
  [SQL_COLLECTION_LIST] =
      "SELECT name FROM collection WHERE EXISTS"
      " (SELECT 1 FROM document WHERE collection = key) ORDER BY name",
  [SQL_DIGEST_FIND] = "SELECT digest FROM collection WHERE key = ?1",
  [SQL_DIGEST_SET] = "UPDATE collection SET digest = ?2 WHERE key = ?1",
  [SQL_HEAD] = SQL_HEAD_TEXT,
  [SQL_HEAD_SET] =
      "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'document'",
  /* The CASEs keep a large body unread when it is not asked for. */
  [SQL_FIND] =
      "SELECT seq, flags, stamp, hash, CASE WHEN ?3 & 3 THEN meta END,"
      " CASE WHEN ?3 & 2 THEN body END"
      " FROM document WHERE collection = ?1 AND id = ?2",
  [SQL_CHANGES] = "SELECT seq, flags, stamp, hash, id"
                  " FROM document INDEXED BY document_arrival"
                  " WHERE collection = ?1 AND seq > ?2 ORDER BY seq",
  [SQL_STAMPS] = "SELECT seq, flags, stamp, hash, id"
                 " FROM document INDEXED BY document_stamp"
                 " WHERE collection = ?1 AND flags & 1 = 0"
                 " AND (stamp, id) >= (?2, ?3) AND (stamp, id) < (?4, ?5)"
                 " ORDER BY stamp, id",
  [SQL_WALK] =
      "SELECT seq, flags, stamp, hash, CASE WHEN ?3 & 3 THEN meta END,"
      " CASE WHEN ?3 & 2 THEN body END, id"
      " FROM document INDEXED BY document_id"
      " WHERE collection = ?1 AND id >= ?2 ORDER BY id",
  [SQL_WALK_IDS] = "SELECT id FROM document INDEXED BY document_id"
                   " WHERE collection = ?1 AND id >= ?2 ORDER BY id",
  [SQL_LAST_ID] = "SELECT id FROM document INDEXED BY document_id"
                  " WHERE collection = ?1 AND id >= ?2 AND id < ?3"
                  " ORDER BY id DESC LIMIT 1",
  [SQL_SEARCH] =
      "SELECT seq, flags, stamp, hash, meta, body, id"
      " FROM document INDEXED BY document_arrival"
      " WHERE collection = ?1 AND seq > ?2"
      " AND CASE WHEN flags & 1 THEN 0 ELSE tally_wants (seq, body) END"
      " ORDER BY seq",
  [SQL_INSERT] = "INSERT INTO document"
                 " (seq, collection, flags, stamp, hash, id, meta, body)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                 " ON CONFLICT (collection, id) DO NOTHING",
  [SQL_INSERT_NEW] =
      "INSERT INTO document"
      " (seq, collection, flags, stamp, hash, id, meta, body)"
      " SELECT seq, collection, flags, stamp, hash, id, meta, body FROM fresh"
      " WHERE true ON CONFLICT (collection, id) DO NOTHING",
  [SQL_UPDATE] =
      "UPDATE document SET seq = ?1, flags = ?3, stamp = ?4, hash = ?5,"
      " meta = ?7, body = ?8 WHERE seq = ?9",
  [SQL_DELETE] = "DELETE FROM document WHERE seq = ?1",
  [SQL_NOTE_FIND] = "SELECT value FROM note WHERE key = ?1",
  [SQL_NOTE_SET] = "INSERT INTO note (key, value) VALUES (?1, ?2)"
                   " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  [SQL_NOTE_REMOVE] = "DELETE FROM note WHERE key = ?1",
  [SQL_NOTE_LIST] = "SELECT key FROM note WHERE key >= ?1 ORDER BY key",
};

/* ---- statements ---- */

static int
prepare_all (struct sqlite_store *s, struct tally_error *err)
{
  int registered = sqlite_new_register (s);

  if (registered != SQLITE_OK)
    return sqlite_fail_code (s, err, registered);
  for (int i = 0; i < SQL_STATEMENTS; i++) {
    int code = sqlite3_prepare_v3 (s->db, statement_texts[i], -1,
                                   SQLITE_PREPARE_PERSISTENT,
                                   &s->statements[i], NULL);

    /* A table or column is missing. */
    if (code == SQLITE_ERROR)
      return sqlite_fail (s, err, TALLY_CORRUPT, sqlite3_errmsg (s->db));
    if (code != SQLITE_OK)
      return sqlite_fail_code (s, err, code);
  }
  return TALLY_OK;
}

/* ---- waiting ---- */

static int64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SQLite's busy handler: count is how often it was called for this lock.
 * Nonzero to try again. */
static int
wait_for_lock (void *ctx, int count)
{
  struct sqlite_store *s = ctx;
  int64_t now = now_ms ();
  struct timespec pause = { 0, count < 4 ? 1000000 << count : 20000000 };

  if (count == 0)
    s->locked_since_ms = now;
  if (sqlite_is_cancelled (s)
      || now - s->locked_since_ms >= s->lock_timeout_ms)
    return 0;
  nanosleep (&pause, NULL);
  return 1;
}

static int
stop_when_cancelled (void *ctx)
{
  return sqlite_is_cancelled (ctx);
}

/* ---- opening ---- */

static int
run_text (const struct sqlite_store *s, const char *sql,
          struct tally_error *err)
{
  int code = sqlite3_exec (s->db, sql, NULL, NULL, NULL);

  return code ? sqlite_fail_code (s, err, code) : TALLY_OK;
}

static int
read_number (const struct sqlite_store *s, const char *sql, int64_t *number,
             struct tally_error *err)
{
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2 (s->db, sql, -1, &statement, NULL);

  if (code == SQLITE_OK)
    code = sqlite3_step (statement);
  if (code == SQLITE_ROW)
    *number = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  return code == SQLITE_ROW ? TALLY_OK : sqlite_fail_code (s, err, code);
}

/* Looks at the file within a transaction.  *empty: there is nothing in it
 * yet, not even of others. */
static int
check_format (const struct sqlite_store *s, bool *empty,
              struct tally_error *err)
{
  int64_t id = 0, format = 0, objects = 0, hides = 0;
  int status;

  status = read_number (s, "PRAGMA application_id", &id, err);
  if (!status)
    status = read_number (s, "PRAGMA user_version", &format, err);
  if (!status)
    status =
        read_number (s, "SELECT count (*) FROM sqlite_master", &objects, err);
  if (!status)
    status = read_number (
        s, "SELECT count (*) FROM sqlite_master WHERE name LIKE 'fresh'",
        &hides, err);
  if (status)
    return status;
  *empty = !id && !format && !objects;
  if (*empty)
    return TALLY_OK;
  if (id != APPLICATION_ID)
    return sqlite_fail (s, err, TALLY_CORRUPT,
                        "is an SQLite database, but not a tally store");
  if (format > FORMAT)
    return sqlite_fail (s, err, TALLY_UNSUPPORTED,
                        "was made by a newer version of tally");
  if (format < 1)
    return sqlite_fail (s, err, TALLY_CORRUPT, "has no format number");
  /* It would be read in the place of what is put. */
  if (hides)
    return sqlite_fail (s, err, TALLY_CORRUPT,
                        "has a table that no tally store has");
  if (format < FORMAT)
    return sqlite_fail (s, err, TALLY_UNSUPPORTED,
                        "was made by an older version of tally; export it "
                        "with that one");
  return TALLY_OK;
}

/* Two processes may come here at once: the second finds it made. */
static int
make_layout (const struct sqlite_store *s, struct tally_error *err)
{
  char marks[96];
  bool empty = false;
  int status = run_text (s, "BEGIN IMMEDIATE", err);

  if (status)
    return status;
  status = check_format (s, &empty, err);
  if (!status && empty) {
    snprintf (marks, sizeof marks,
              "PRAGMA application_id = %d; PRAGMA user_version = %d",
              APPLICATION_ID, FORMAT);
    status = run_text (s, layout, err);
    if (!status)
      status = run_text (s, marks, err);
  }
  if (!status)
    status = run_text (s, "COMMIT", err);
  if (status)
    sqlite3_exec (s->db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

/* SQLite does not call the busy handler for this one. */
static int
switch_to_wal (struct sqlite_store *s, struct tally_error *err)
{
  int code, count = 0;

  do
    code = sqlite3_exec (s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
  while ((code & 0xff) == SQLITE_BUSY && wait_for_lock (s, count++));
  return code ? sqlite_fail_code (s, err, code) : TALLY_OK;
}

/* Runs nothing that a file could bring along. */
static int
configure (struct sqlite_store *s, struct tally_error *err)
{
  sqlite3_extended_result_codes (s->db, 1);
  sqlite3_busy_handler (s->db, wait_for_lock, s);
  sqlite3_progress_handler (s->db, 100000, stop_when_cancelled, s);
  sqlite3_db_config (s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config (s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
  sqlite3_db_config (s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  return run_text (s,
                   "PRAGMA page_size = " PAGE_SIZE ";"
                   "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;"
                   "PRAGMA wal_autocheckpoint = 10000;"
                   "PRAGMA cache_size = -16384",
                   err);
}

/* SQLite would take a device or a missing file for an empty database. */
static int
check_path (const struct sqlite_store *s, unsigned flags,
            struct tally_error *err)
{
  struct stat st;

  if (stat (s->path, &st) == 0)
    return S_ISREG (st.st_mode)
               ? TALLY_OK
               : sqlite_fail (s, err, TALLY_CORRUPT,
                              "not a tally store (not a file)");
  if (errno == EACCES)
    return sqlite_fail (s, err, TALLY_DENIED, "no permission to reach it");
  if (errno != ENOENT && errno != ENOTDIR)
    return sqlite_fail (s, err, TALLY_FAILED, "cannot be reached");
  if (!(flags & TALLY_OPEN_CREATE) || (flags & TALLY_OPEN_READONLY))
    return sqlite_fail (s, err, TALLY_NOTFOUND, "no such store");
  return TALLY_OK;
}

static int
open_writing (struct sqlite_store *s, bool create, struct tally_error *err)
{
  int code = sqlite3_open_v2 (s->path, &s->db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
                                  | (create ? SQLITE_OPEN_CREATE : 0),
                              NULL);

  if (code)
    return sqlite_fail_code (s, err, code);
  if (sqlite3_db_readonly (s->db, "main"))
    return sqlite_fail (s, err, TALLY_DENIED, "no permission to write");
  return TALLY_OK;
}

int
sqlite_file_open (struct sqlite_store *s, unsigned flags,
                  struct tally_error *err)
{
  bool readonly = flags & TALLY_OPEN_READONLY, empty = false;
  bool create = (flags & TALLY_OPEN_CREATE) && !readonly;
  int status;

  status = check_path (s, flags, err);
  if (!status)
    status = readonly ? sqlite_open_reading (s, err)
                      : open_writing (s, create, err);
  if (!status)
    status = configure (s, err);
  if (!status)
    status = run_text (s, "BEGIN", err);
  if (!status)
    status = check_format (s, &empty, err);
  if (!status)
    status = run_text (s, "COMMIT", err);
  if (!status && empty && !create)
    status = sqlite_fail (s, err, TALLY_NOTFOUND, "no store in it yet");
  if (!status && empty)
    status = make_layout (s, err);
  if (!status && !readonly)
    status = switch_to_wal (s, err);
  if (!status)
    status = sqlite_add_search (s, err);
  return status ? status : prepare_all (s, err);
}

void
sqlite_file_close (struct sqlite_store *s)
{
  for (int i = 0; i < SQL_STATEMENTS; i++)
    sqlite3_finalize (s->statements[i]);
  sqlite3_close (s->db);
}
