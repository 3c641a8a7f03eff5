/* SPDX-License-Identifier: MIT */
/* What a document costs in a linvo folder beside its id and body, once LevelDB
 * has merged its tables and without its compression: keys, orders, revision,
 * filters and the blocks' own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <leveldb/c.h>
#include <sys/stat.h>

#include "linvo-bloom.h"
#include "linvo-kit.h"
#include "size-kit.h"

#define MOST 128 /* of a live document */

static size_t
tables (const char *folder)
{
  const struct dirent *entry;
  DIR *dir = opendir (folder);
  size_t all = 0;

  assert_non_null (dir);
  for (entry = readdir (dir); entry; entry = readdir (dir)) {
    char path[512];
    struct stat st;

    snprintf (path, sizeof path, "%s/%.200s", folder, entry->d_name);
    assert_int_equal (stat (path, &st), 0);
    if (strstr (entry->d_name, ".ldb"))
      all += (size_t) st.st_size;
  }
  closedir (dir);
  return all;
}

/* Writes all tables anew, with the driver's settings but for compression. */
static void
compact (const char *path)
{
  leveldb_options_t *options = leveldb_options_create ();
  leveldb_filterpolicy_t *filter = linvo_bloom_create ();
  char *text = NULL;
  leveldb_t *db;

  leveldb_options_set_filter_policy (options, filter);
  leveldb_options_set_max_file_size (options, 16u << 20);
  leveldb_options_set_block_size (options, 4096);
  leveldb_options_set_block_restart_interval (options, 64);
  leveldb_options_set_compression (options, leveldb_no_compression);
  db = leveldb_open (options, path, &text);
  assert_non_null (db);
  /* Once down, and once more for what was down already. */
  leveldb_compact_range (db, NULL, 0, NULL, 0);
  leveldb_compact_range (db, NULL, 0, NULL, 0);
  leveldb_close (db);
  leveldb_options_destroy (options);
  leveldb_filterpolicy_destroy (filter);
}

static double
each (struct linvo_kit *k, bool deleted)
{
  size_t content;

  (void) linvo_kit_remove (k->path); /* the one before */
  content = size_fill (k->path, NULL, deleted);
  compact (k->path);
  return size_each (tables (k->path), content);
}

static void
metadata_is_small (void **state)
{
  struct linvo_kit *k = *state;
  double live = each (k, false);

  assert_true (live > 28 + 8); /* else it is not all there */
  assert_true (live <= MOST);
  assert_true (each (k, true) <= live);
}

int
main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown (
      metadata_is_small, linvo_kit_setup, linvo_kit_teardown) };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
