/* SPDX-License-Identifier: MIT */
/* The sqlite store against the contract, and its file: whose it is, what is
 * damaged in it, and that looking changes nothing. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sqlite-folder.h"
#include "store-kit.h"

static int
fresh (char *value, size_t size)
{
  return folder_fresh (value, size);
}

static int
count (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  ++*(size_t *) ctx;
  return 0;
}

static void
run_sql (const char *path, const char *sql)
{
  sqlite3 *db = NULL;

  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal (sqlite3_close (db), SQLITE_OK);
}

static void
write_file (const char *path, const char *bytes, size_t size)
{
  FILE *file = fopen (path, "wb");

  assert_non_null (file);
  assert_int_equal (fwrite (bytes, 1, size, file), size);
  assert_int_equal (fclose (file), 0);
}

/* All of the file; free it. */
static char *
read_file (const char *path, size_t *size)
{
  FILE *file = fopen (path, "rb");
  struct stat st;
  char *bytes;

  assert_non_null (file);
  assert_int_equal (fstat (fileno (file), &st), 0);
  *size = (size_t) st.st_size;
  bytes = malloc (*size + 1);
  assert_non_null (bytes);
  assert_int_equal (fread (bytes, 1, *size, file), *size);
  fclose (file);
  return bytes;
}

/* Opening fails so with any flags, and leaves the file as it is. */
static void
assert_refused (const char *path, int status, const char *reason)
{
  static const unsigned flags[] = { 0, TALLY_OPEN_READONLY,
                                    TALLY_OPEN_CREATE };
  size_t before_size, after_size;
  char *before = read_file (path, &before_size), *after;
  char text[4200];

  snprintf (text, sizeof text, "%s: %s", path, reason);
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    struct opened o = { 0 };

    assert_int_equal (folder_open (&o, path, flags[i]), status);
    assert_int_equal (o.err.status, status);
    assert_string_equal (o.err.text, text);
  }
  after = read_file (path, &after_size);
  assert_int_equal (before_size, after_size);
  assert_memory_equal (before, after, after_size);
  free (after);
  free (before);
}

static void
file_of_others (void **state)
{
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  run_sql (path, "CREATE TABLE document (seq INTEGER PRIMARY KEY)");
  assert_refused (path, TALLY_CORRUPT,
                  "is an SQLite database, but not a tally store");
}

static void
file_of_others_wal (void **state)
{
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  run_sql (path, "PRAGMA journal_mode = WAL; PRAGMA user_version = 1;"
                 "PRAGMA application_id = 7");
  assert_refused (path, TALLY_CORRUPT,
                  "is an SQLite database, but not a tally store");
}

static void
file_of_no_database (void **state)
{
  static const char *const reason =
      "not a tally store (file is not a database)";
  char path[4096], bytes[9000];

  (void) state;
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char) ((i * 2654435761u) >> 7);
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  write_file (path, bytes, sizeof bytes);
  assert_refused (path, TALLY_CORRUPT, reason);
  write_file (path, "{\"a\":1}\n", 8);
  assert_refused (path, TALLY_CORRUPT, reason);
}

static void
file_of_another_version (void **state)
{
  struct opened o;

  (void) state;
  folder_create (&o);
  folder_close (&o);
  run_sql (o.path, "PRAGMA user_version = 2");
  assert_refused (o.path, TALLY_UNSUPPORTED,
                  "was made by an older version of tally; export it with that "
                  "one");
  run_sql (o.path, "PRAGMA user_version = 4");
  assert_refused (o.path, TALLY_UNSUPPORTED,
                  "was made by a newer version of tally");
}

static void
file_without_a_table (void **state)
{
  struct opened o;

  (void) state;
  folder_create (&o);
  folder_close (&o);
  run_sql (o.path, "DROP TABLE note");
  assert_refused (o.path, TALLY_CORRUPT, "no such table: note");
}

static void
file_is_a_folder (void **state)
{
  struct opened o = { 0 };
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  assert_int_equal (mkdir (path, 0700), 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_CORRUPT);
  assert_int_equal (rmdir (path), 0);
}

static void
file_in_no_folder (void **state)
{
  struct opened o = { 0 };
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path - 2), 0);
  strncat (path, "/x", 3);
  assert_int_equal (folder_open (&o, path, 0), TALLY_NOTFOUND);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_NOTFOUND);
}

/* What another process has just begun to make, or `touch`. */
static void
file_is_empty (void **state)
{
  struct opened o = { 0 };
  char path[4096];
  struct stat st;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  write_file (path, "", 0);
  assert_int_equal (folder_open (&o, path, 0), TALLY_NOTFOUND);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_READONLY),
                    TALLY_NOTFOUND);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_size, 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_OK);
  folder_close (&o);
}

/* Somebody began to make it and was killed: what is written of it so far is
 * taken back, also by those that only read. */
static void
file_is_half_made (void **state)
{
  static const char begun[] =
      "PRAGMA cache_size = 1; BEGIN; CREATE TABLE collection (a);"
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n"
      " LIMIT 200) INSERT INTO collection SELECT zeroblob (1000) FROM n";
  struct opened o = { 0 };
  char path[4096];
  struct stat st;
  int ended;
  pid_t child;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  child = fork ();
  if (child == 0) {
    sqlite3 *db = NULL;

    sqlite3_open (path, &db);
    sqlite3_exec (db, begun, NULL, NULL, NULL);
    raise (SIGKILL);
  }
  assert_int_equal (waitpid (child, &ended, 0), child);
  assert_int_equal (stat (path, &st), 0);
  assert_true (st.st_size > 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_READONLY),
                    TALLY_NOTFOUND);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_OK);
  folder_close (&o);
}

/* The folder is there, and nothing may be made in it. */
static void
file_in_a_closed_folder (void **state)
{
  struct opened o = { 0 };
  char path[4096], *slash;
  uid_t user = geteuid ();

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  slash = strrchr (path, '/');
  *slash = '\0';
  assert_int_equal (chmod (path, 0555), 0);
  *slash = '/';
  if (user == 0)
    assert_int_equal (seteuid (65534), 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_DENIED);
  assert_int_equal (seteuid (user), 0);
  *slash = '\0';
  assert_int_equal (chmod (path, 0700), 0);
}

static void
readonly_changes_nothing (void **state)
{
  size_t before_size, after_size;
  char *before, *after;
  struct opened o;

  (void) state;
  folder_create (&o);
  folder_put (&o, "a", NULL, 1, NULL);
  folder_close (&o);
  before = read_file (o.path, &before_size);
  assert_int_equal (folder_open (&o, o.path, TALLY_OPEN_READONLY), TALLY_OK);
  assert_int_equal (folder_number (&o, "a"), 1);
  folder_close (&o);
  after = read_file (o.path, &after_size);
  assert_int_equal (before_size, after_size);
  assert_memory_equal (before, after, after_size);
  free (after);
  free (before);
}

/* Each statement damages the one document there is. */
static void
damaged_rows (void **state)
{
  static const char *const damages[] = {
    "UPDATE document SET stamp = x'00'",
    "UPDATE document SET stamp = stamp || x'00'",
    "UPDATE document SET stamp = 12",
    "UPDATE document SET hash = ''",
    "UPDATE document SET flags = -1",
    "UPDATE document SET flags = 4294967296",
    "UPDATE document SET seq = -5",
  };

  (void) state;
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    struct opened o;
    struct tally_slice id = { "a", 1 };
    size_t n = 0;
    uint64_t head = 0;

    folder_create (&o);
    folder_put (&o, "a", NULL, 1, NULL);
    run_sql (o.path, damages[i]);
    assert_int_equal (
        o.store->get (o.handle, "things", &id, 1, 0, count, &n, &o.err),
        TALLY_CORRUPT);
    assert_int_equal (folder_put (&o, "a", NULL, 2, NULL), TALLY_CORRUPT);
    if (!strstr (damages[i], "-5"))
      assert_int_equal (
          o.store->changes (o.handle, "things", 0, count, &n, &head, &o.err),
          TALLY_CORRUPT);
    assert_int_equal (n, 0);
    folder_close (&o);
  }
}

static int64_t
ask_number (const char *path, const char *sql)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  int64_t number;

  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL),
                    SQLITE_OK);
  assert_int_equal (sqlite3_step (statement), SQLITE_ROW);
  number = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  assert_int_equal (sqlite3_close (db), SQLITE_OK);
  return number;
}

/* Nothing of a scan is looked up in the table, which would take it ten times
 * as long. */
static void
scan_reads_one_index (void **state)
{
  static const char *const sql =
      "SELECT seq, flags, stamp, hash, id FROM document"
      " INDEXED BY document_stamp WHERE collection = 1 AND flags & 1 = 0"
      " AND (stamp, id) >= (x'', x'') AND (stamp, id) < (x'ff', x'')"
      " ORDER BY stamp, id";
  sqlite3_stmt *statement;
  struct opened o;
  char plan[512];
  sqlite3 *db;

  (void) state;
  folder_create (&o);
  folder_put (&o, "a", NULL, 1, NULL);
  snprintf (plan, sizeof plan, "EXPLAIN QUERY PLAN %s", sql);
  assert_int_equal (sqlite3_open (o.path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_prepare_v2 (db, plan, -1, &statement, NULL),
                    SQLITE_OK);
  assert_int_equal (sqlite3_step (statement), SQLITE_ROW);
  assert_non_null (
      strstr ((const char *) sqlite3_column_text (statement, 3),
              "SEARCH document USING COVERING INDEX document_stamp"));
  assert_int_equal (sqlite3_step (statement), SQLITE_DONE);
  sqlite3_finalize (statement);
  assert_int_equal (sqlite3_close (db), SQLITE_OK);
  folder_close (&o);
}

/* Where the index has it, "needle" becomes another id. */
static void
damage_index (const char *path)
{
  static const char id[] = "needle", other[] = "noodle";
  int64_t size = ask_number (path, "PRAGMA page_size");
  int64_t page = ask_number (path, "SELECT rootpage FROM sqlite_master WHERE"
                                   " name = 'document_id'");
  char bytes[65536];
  size_t at = 0;
  FILE *file = fopen (path, "r+b");

  assert_non_null (file);
  assert_true (size <= (int64_t) sizeof bytes);
  assert_int_equal (fseek (file, (long) ((page - 1) * size), SEEK_SET), 0);
  assert_int_equal (fread (bytes, 1, (size_t) size, file), size);
  while (memcmp (bytes + at, id, strlen (id)) != 0)
    assert_true (++at + strlen (id) <= (size_t) size);
  memcpy (bytes + at, other, strlen (other));
  assert_int_equal (fseek (file, (long) ((page - 1) * size), SEEK_SET), 0);
  assert_int_equal (fwrite (bytes, 1, (size_t) size, file), size);
  assert_int_equal (fclose (file), 0);
}

/* Every call goes well, and the document is not there. */
static void
damaged_index (void **state)
{
  struct tally_error err = { 0 };
  struct opened o;
  char path[4096];

  (void) state;
  folder_create (&o);
  folder_put (&o, "needle", NULL, 1, NULL);
  folder_put (&o, "z", NULL, 2, NULL);
  assert_int_equal (o.store->check (o.handle, &err), TALLY_OK);
  snprintf (path, sizeof path, "%s", o.path);
  folder_close (&o);
  run_sql (path, "PRAGMA wal_checkpoint (TRUNCATE)");
  damage_index (path);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_READONLY), TALLY_OK);
  assert_int_equal (folder_number (&o, "needle"), 0);
  assert_int_equal (o.store->check (o.handle, &err), TALLY_CORRUPT);
  assert_non_null (strstr (err.text, ": is damaged: "));
  assert_null (strchr (err.text, '\n'));
  folder_close (&o);
}

/* A seq lowered by other hands must not make one be given twice. */
static void
head_is_above_all (void **state)
{
  struct tally_outcome first, second;
  struct opened o;

  (void) state;
  folder_create (&o);
  folder_put (&o, "a", NULL, 1, &first);
  run_sql (o.path, "UPDATE sqlite_sequence SET seq = 0");
  assert_int_equal (folder_put (&o, "b", NULL, 1, &second), TALLY_OK);
  assert_true (second.seq > first.seq);
  run_sql (o.path, "DELETE FROM sqlite_sequence");
  assert_int_equal (folder_put (&o, "a", NULL, 2, NULL), TALLY_CORRUPT);
  assert_int_equal (folder_number (&o, "a"), 1);
  run_sql (o.path, "INSERT INTO sqlite_sequence VALUES"
                   " ('document', 9223372036854775807)");
  assert_int_equal (folder_put (&o, "a", NULL, 2, NULL), TALLY_FAILED);
  folder_close (&o);
}

/* What a file brings along does not run. */
static void
triggers_stay_silent (void **state)
{
  struct opened o;

  (void) state;
  folder_create (&o);
  run_sql (o.path, "CREATE TRIGGER t AFTER INSERT ON document BEGIN"
                   " DELETE FROM document; END");
  assert_int_equal (folder_put (&o, "a", NULL, 1, NULL), TALLY_OK);
  assert_int_equal (folder_number (&o, "a"), 1);
  folder_close (&o);
}

/* Reads that are held together see nothing that is written meanwhile. */
static void
what_is_held_is_one_snapshot (void **state)
{
  struct opened o, other = { 0 };

  (void) state;
  folder_create (&o);
  folder_put (&o, "a", NULL, 1, NULL);
  assert_int_equal (folder_open (&other, o.path, 0), TALLY_OK);
  assert_int_equal (o.store->hold (o.handle, 1, &o.err), TALLY_OK);
  assert_int_equal (folder_number (&o, "a"), 1);
  assert_int_equal (folder_put (&other, "a", NULL, 2, NULL), TALLY_OK);
  assert_int_equal (folder_number (&o, "a"), 1);
  assert_int_equal (o.store->hold (o.handle, 0, &o.err), TALLY_OK);
  assert_int_equal (folder_number (&o, "a"), 2);
  folder_close (&other);
  folder_close (&o);
}

/* The reason is in the message however long the path is. */
static void
message_of_long_path (void **state)
{
  struct opened o = { 0 };
  char path[1000] = "/";

  (void) state;
  memset (path + 1, 'x', sizeof path - 2);
  path[sizeof path - 1] = 0;
  for (size_t i = 100; i < sizeof path - 1; i += 100)
    path[i] = '/';
  assert_int_equal (folder_open (&o, path, 0), TALLY_NOTFOUND);
  assert_non_null (strstr (o.err.text, ": no such store"));
}

/* Puts n documents, id by id, that are to be new. */
static int
put_new (struct opened *o, unsigned from, unsigned n, unsigned flags,
         struct tally_outcome *outcomes)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  static char ids[100][8];
  struct tally_entry entries[100];

  assert_true (n <= 100);
  memset (entries, 0, sizeof entries);
  for (unsigned i = 0; i < n; i++) {
    struct tally_doc *doc = &entries[i].doc;

    /* In no order. */
    snprintf (ids[i], sizeof ids[i], "%05u", from + i * 37 % n);
    entries[i].collection = "c";
    entries[i].expected = absent;
    doc->id = (struct tally_slice){ ids[i], 5 };
    doc->body = (struct tally_slice){ ids[i], i % 3 };
    doc->rev[0] = (unsigned char) (from + 1);
    doc->rev[1] = (unsigned char) i;
  }
  return o->store->put (o->handle, entries, n, flags, outcomes, &o->err);
}

/* Of many that are to be new some are not: these are refused, each with what
 * is there, and the others come in; or none does. */
static void
new_among_others (void **state)
{
  struct tally_outcome first[20], outcomes[100], none = { 0 };
  struct opened o = { 0 };
  char path[4096];
  size_t n = 0;
  uint64_t head;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (put_new (&o, 40, 20, 0, first), TALLY_OK);
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal (first[i].seq, i + 1);
  assert_int_equal (put_new (&o, 0, 100, TALLY_PUT_ALL, outcomes), TALLY_OK);
  for (unsigned i = 0; i < 100; i++)
    if (outcomes[i].status == TALLY_OK)
      assert_memory_equal (&outcomes[i], &none, sizeof none);
  assert_int_equal (
      o.store->changes (o.handle, "c", 0, count, &n, &head, &o.err), TALLY_OK);
  assert_int_equal (n, 20);
  assert_int_equal (put_new (&o, 0, 100, 0, outcomes), TALLY_OK);
  for (unsigned i = 0; i < 100; i++) {
    unsigned id = i * 37 % 100;
    bool there = id >= 40 && id < 60;

    assert_int_equal (outcomes[i].status, there ? TALLY_CONFLICT : TALLY_OK);
    assert_int_equal (outcomes[i].rev[0], there ? 41 : 1);
    if (there)
      assert_in_range (outcomes[i].seq, 1, 20);
    else
      assert_int_equal (outcomes[i].seq, 21 + i);
  }
  n = 0;
  assert_int_equal (
      o.store->changes (o.handle, "c", 0, count, &n, &head, &o.err), TALLY_OK);
  assert_int_equal (n, 100);
  assert_int_equal (head, 120);
  folder_close (&o);
}

/* Its rows would be taken for those that are put. */
static void
file_with_a_table_too_many (void **state)
{
  struct opened o = { 0 };
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_OK);
  folder_close (&o);
  run_sql (path, "CREATE TABLE Fresh (seq)");
  assert_refused (path, TALLY_CORRUPT, "has a table that no tally store has");
}

int
main (void)
{
  const struct store_kit kit = { .driver = tally_driver_1 (),
                                 .persistent = true,
                                 .fresh = fresh };
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (file_of_others),
    cmocka_unit_test (file_of_others_wal),
    cmocka_unit_test (file_of_no_database),
    cmocka_unit_test (file_of_another_version),
    cmocka_unit_test (file_without_a_table),
    cmocka_unit_test (file_with_a_table_too_many),
    cmocka_unit_test (new_among_others),
    cmocka_unit_test (file_is_a_folder),
    cmocka_unit_test (file_in_no_folder),
    cmocka_unit_test (file_is_empty),
    cmocka_unit_test (file_is_half_made),
    cmocka_unit_test (file_in_a_closed_folder),
    cmocka_unit_test (readonly_changes_nothing),
    cmocka_unit_test (what_is_held_is_one_snapshot),
    cmocka_unit_test (damaged_rows),
    cmocka_unit_test (scan_reads_one_index),
    cmocka_unit_test (damaged_index),
    cmocka_unit_test (head_is_above_all),
    cmocka_unit_test (triggers_stay_silent),
    cmocka_unit_test (message_of_long_path),
  };
  int failed;

  if (folder_make ())
    return 99;
  failed = store_kit_run (&kit);
  failed += cmocka_run_group_tests_name ("sqlite's own", tests, NULL, NULL);
  folder_remove ();
  return failed != 0;
}
