/* SPDX-License-Identifier: MIT */
/* A sqlite store's rows through SQLite alone: the same tables and indexes,
 * filled from another file by INSERT ... SELECT in the order of arrival. */

#include <stdlib.h>
#include <string.h>
#include <string.h>

#include <sqlite3.h>

#include "bench.h"
#include "limit.h"

static void
check (sqlite3 *db, int code)
{
  if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
    die ("sqlite: %s", sqlite3_errmsg (db));
}

static void
run (sqlite3 *db, const char *sql)
{
  check (db, sqlite3_exec (db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *
prepare (sqlite3 *db, const char *sql)
{
  sqlite3_stmt *statement = NULL;

  check (db, sqlite3_prepare_v2 (db, sql, -1, &statement, NULL));
  return statement;
}

static sqlite3 *
open_db (const char *path)
{
  sqlite3 *db = NULL;

  check (db, sqlite3_open (path, &db));
  run (db, "PRAGMA page_size = 8192;"
           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
           "PRAGMA wal_autocheckpoint = 10000; PRAGMA cache_size = -16384");
  return db;
}

/* The tables and indexes of the file that is attached as `from`. */
static void
copy_layout (sqlite3 *db)
{
  sqlite3_stmt *layout =
      prepare (db, "SELECT sql FROM from_.sqlite_master WHERE sql NOT NULL"
                   " AND name NOT LIKE 'sqlite_%' ORDER BY type DESC");

  while (sqlite3_step (layout) == SQLITE_ROW)
    run (db, (const char *) sqlite3_column_text (layout, 0));
  sqlite3_finalize (layout);
}

static void
attach (sqlite3 *db, const char *path)
{
  char *sql = sqlite3_mprintf ("ATTACH %Q AS from_", path);

  run (db, sql);
  sqlite3_free (sql);
}

static double
sqlite_write (const char *path, const char *scratch, uint64_t n,
              uint64_t batch)
{
  sqlite3 *db = open_db (scratch);
  sqlite3_stmt *insert;
  double began;

  attach (db, path);
  copy_layout (db);
  insert = prepare (db, "INSERT INTO main.document SELECT * FROM"
                        " from_.document WHERE seq > ?1 AND seq <= ?2"
                        " ORDER BY seq");
  began = now_seconds ();
  for (uint64_t from = 0; from < n; from += batch) {
    sqlite3_bind_int64 (insert, 1, (sqlite3_int64) from);
    sqlite3_bind_int64 (insert, 2, (sqlite3_int64) (from + batch));
    check (db, sqlite3_step (insert));
    check (db, sqlite3_reset (insert));
  }
  began = now_seconds () - began;
  sqlite3_finalize (insert);
  sqlite3_close (db);
  return began;
}

/* A key and an id of each document, in random order; rows of indexes have no
 * body. */
struct wanted {
  sqlite3_int64 collection;
  char id[64];
  int size;
};

static struct wanted *
collect_keys (sqlite3 *db, uint64_t *n)
{
  sqlite3_stmt *all = prepare (db, "SELECT collection, id FROM document"
                                   " WHERE length (body) > 0"
                                   " ORDER BY random()");
  struct wanted *wanted = calloc (*n, sizeof *wanted);
  uint64_t i;

  if (!wanted)
    die ("out of memory");
  for (i = 0; i < *n && sqlite3_step (all) == SQLITE_ROW; i++) {
    wanted[i].collection = sqlite3_column_int64 (all, 0);
    wanted[i].size = sqlite3_column_bytes (all, 1);
    if (wanted[i].size > (int) sizeof wanted[i].id)
      die ("an id is too long");
    memcpy (wanted[i].id, sqlite3_column_blob (all, 1),
            (size_t) wanted[i].size);
  }
  *n = i;
  sqlite3_finalize (all);
  return wanted;
}

/* Each by itself, as a get is: no transaction round all of them. */
static double
sqlite_read (const char *path, uint64_t n)
{
  sqlite3 *db = open_db (path);
  struct wanted *wanted = collect_keys (db, &n);
  sqlite3_stmt *find;
  double began;

  find = prepare (db, "SELECT seq, flags, stamp, hash, meta, body FROM"
                      " document WHERE collection = ?1 AND id = ?2");
  began = now_seconds ();
  for (uint64_t i = 0; i < n; i++) {
    sqlite3_bind_int64 (find, 1, wanted[i].collection);
    sqlite3_bind_blob (find, 2, wanted[i].id, wanted[i].size, SQLITE_STATIC);
    check (db, sqlite3_step (find));
    if (!sqlite3_column_blob (find, 5))
      die ("%s: a row is gone", path);
    sqlite3_reset (find);
  }
  began = now_seconds () - began;
  sqlite3_finalize (find);
  sqlite3_close (db);
  free (wanted);
  return began;
}

static void
sqlite_pack (const char *path, const char *scratch)
{
  sqlite3 *db = open_db (path);
  char *sql = sqlite3_mprintf ("VACUUM INTO %Q", scratch);

  run (db, sql);
  sqlite3_free (sql);
  sqlite3_close (db);
}

const struct engine engine_sqlite = {
  .driver = "sqlite",
  .write = sqlite_write,
  .read = sqlite_read,
  .pack = sqlite_pack,
};
