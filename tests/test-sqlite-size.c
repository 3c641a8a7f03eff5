/* SPDX-License-Identifier: MIT */
/* What a document costs in an SQLite file beside its id and body, after a
 * VACUUM: keys, indexes, revision, stamps and the pages' own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "size-kit.h"
#include "sqlite-folder.h"

#define MOST 160 /* of a live document */

static double
each (bool deleted)
{
  char path[4096];
  size_t content;
  struct stat st;
  sqlite3 *db;

  assert_int_equal (folder_fresh (path, sizeof path), 0);
  content = size_fill (path, "30s", deleted);
  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_exec (db, "VACUUM", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal (sqlite3_close (db), SQLITE_OK);
  assert_int_equal (stat (path, &st), 0);
  return size_each ((size_t) st.st_size, content);
}

static void
metadata_is_small (void **state)
{
  double live = each (false);

  (void) state;
  assert_true (live > 28 + 8); /* else it is not all there */
  assert_true (live <= MOST);
  assert_true (each (true) <= live);
}

static int
make (void **state)
{
  (void) state;
  return folder_make ();
}

static int
unmake (void **state)
{
  (void) state;
  folder_remove ();
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test (metadata_is_small) };

  return cmocka_run_group_tests (tests, make, unmake);
}
