/* SPDX-License-Identifier: MIT */
/* The file transport: opening, blobs, and staying inside of the folder, of
 * which nothing outside is ever touched. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file-kit.h"

/* ---- open -------------------------------------------------------------- */

static void
open_missing (void **state)
{
  struct test *t = *state;
  char path[128];

  snprintf (path, sizeof path, "%s/other", t->base);
  assert_int_equal (kit_open (t, path, 0), TALLY_NOTFOUND);
  assert_int_equal (
      kit_open (t, path, TALLY_OPEN_CREATE | TALLY_OPEN_READONLY),
      TALLY_NOTFOUND);
  assert_int_equal (access (path, F_OK), -1);
  strncat (path, "//", 3);
  assert_int_equal (kit_open (t, path, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (kit_open (t, path, 0), TALLY_OK);
}

static void
open_missing_parent (void **state)
{
  struct test *t = *state;
  char path[128], text[192];

  snprintf (path, sizeof path, "%s/no/such/", t->base);
  assert_int_equal (kit_open (t, path, TALLY_OPEN_CREATE), TALLY_NOTFOUND);
  snprintf (text, sizeof text, "%s/no: no such folder", t->base);
  assert_string_equal (t->err.text, text);
}

static void
open_not_a_folder (void **state)
{
  struct test *t = *state;
  char path[128];

  snprintf (path, sizeof path, "%s/plain", t->base);
  kit_put_file (path, "x");
  assert_int_equal (kit_open (t, path, TALLY_OPEN_CREATE), TALLY_FAILED);
  assert_non_null (strstr (t->err.text, "/plain: not a folder"));
  assert_int_equal (kit_open (t, "", TALLY_OPEN_CREATE), TALLY_INVALID);
  assert_int_equal (kit_open (t, NULL, TALLY_OPEN_CREATE), TALLY_INVALID);
}

/* However long the path, the reason is there. */
static void
open_long_path (void **state)
{
  struct test *t = *state;
  char path[700];

  memset (path, 'x', sizeof path);
  for (size_t i = 0; i < sizeof path; i += 100)
    path[i] = '/';
  path[sizeof path - 1] = '\0';
  for (size_t cut = sizeof path - 1; cut > 200; cut--) {
    path[cut] = '\0';
    assert_int_equal (kit_open (t, path, 0), TALLY_NOTFOUND);
    assert_non_null (strstr (t->err.text, ": no such folder"));
  }
}

static void
open_removes_stale (void **state)
{
  static const char *const names[] = {
    ".tally-0123456789abcdef.tmp", /* ours, old: goes */
    ".tally-fedcba9876543210.tmp", /* ours, new */
    ".tally-0123456789abcdeX.tmp", /* not ours, all old */
    ".tally-0123456789abcdef.tmp2", ".syncthing.0123456789abc.tmp", "old.tmp",
  };
  struct test *t = *state;
  struct timespec old[2] = { { .tv_sec = time (NULL) - 3700 },
                             { .tv_sec = time (NULL) - 3700 } };
  char path[512];

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    kit_put_file (kit_inside (t, names[i], path), "x");
    if (i != 1)
      assert_int_equal (utimensat (AT_FDCWD, path, old, 0), 0);
  }
  assert_int_equal (kit_open (t, t->path, TALLY_OPEN_READONLY), TALLY_OK);
  assert_int_equal (kit_count (t->path), 6);
  assert_int_equal (kit_open (t, t->path, 0), TALLY_OK);
  assert_int_equal (access (kit_inside (t, names[0], path), F_OK), -1);
  assert_int_equal (kit_count (t->path), 5);
}

/* ---- blobs ------------------------------------------------------------- */

static void
blob_round_trip (void **state)
{
  struct test *t = *state;
  char name[252], data[5000];

  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char) (i * 31);
  assert_int_equal (kit_create (t, "empty", ""), TALLY_OK);
  assert_int_equal (
      t->ops->create (t->handle, "bytes", data, sizeof data, &t->err),
      TALLY_OK);
  memset (name, 'n', sizeof name);
  name[250] = '\0';
  assert_int_equal (kit_create (t, name, "long"), TALLY_OK);
  assert_int_equal (kit_open (t, t->path, 0), TALLY_OK);
  kit_assert_blob (t, "empty", "");
  kit_assert_blob (t, name, "long");
  assert_int_equal (kit_read (t, "bytes"), TALLY_OK);
  assert_int_equal (t->size, sizeof data);
  assert_memory_equal (t->data, data, sizeof data);
  assert_int_equal (kit_read (t, "nothing"), TALLY_NOTFOUND);
  name[249] = '\0';
  assert_int_equal (kit_read (t, name), TALLY_NOTFOUND);
  assert_non_null (strstr (t->err.text, "n: no such blob"));
  assert_int_equal (kit_count (t->path), 3);
}

static void
create_conflict (void **state)
{
  struct test *t = *state;
  char path[512];

  assert_int_equal (kit_create (t, "a", "first"), TALLY_OK);
  assert_int_equal (kit_create (t, "a", "second"), TALLY_CONFLICT);
  kit_assert_blob (t, "a", "first");
  assert_int_equal (mkdir (kit_inside (t, "folder", path), 0700), 0);
  assert_int_equal (kit_create (t, "folder", "x"), TALLY_CONFLICT);
  assert_int_equal (symlink ("nowhere", kit_inside (t, "link", path)), 0);
  assert_int_equal (kit_create (t, "link", "x"), TALLY_CONFLICT);
  assert_int_equal (kit_count (t->path), 3);
}

static void
remove_twice (void **state)
{
  struct test *t = *state;

  assert_int_equal (kit_create (t, "a", "1"), TALLY_OK);
  assert_int_equal (kit_remove (t, "a"), TALLY_OK);
  assert_int_equal (kit_read (t, "a"), TALLY_NOTFOUND);
  assert_int_equal (kit_remove (t, "a"), TALLY_OK);
  assert_int_equal (kit_create (t, "a", "2"), TALLY_OK);
  kit_assert_blob (t, "a", "2");
}

static int
keep_one (void *ctx, const char *name)
{
  kit_keep_name (ctx, name);
  return 1;
}

static void
list_prefix (void **state)
{
  struct test *t = *state;
  char path[512];

  assert_int_equal (kit_list (t, ""), TALLY_OK);
  assert_int_equal (t->names, 0);
  assert_int_equal (kit_create (t, "ab-1", "1"), TALLY_OK);
  assert_int_equal (kit_create (t, "ab-2", "2"), TALLY_OK);
  assert_int_equal (kit_create (t, "a", "3"), TALLY_OK);
  kit_put_file (kit_inside (t, "ab-1 (copy)", path), "x");
  kit_put_file (kit_inside (t, ".ab-3", path), "x");
  kit_put_file (kit_inside (t, "ab~", path), "x");
  kit_put_file (kit_inside (t, "ab\xc3\xa4", path), "x");
  assert_int_equal (kit_list (t, "ab"), TALLY_OK);
  assert_int_equal (t->names, 2);
  assert_non_null (strstr (t->list, "ab-1 "));
  assert_non_null (strstr (t->list, "ab-2 "));
  assert_int_equal (kit_list (t, ""), TALLY_OK);
  assert_int_equal (t->names, 3);
  assert_int_equal (kit_list (t, "../"), TALLY_OK);
  assert_int_equal (t->names, 0);
  t->list[0] = '\0';
  assert_int_equal (t->ops->list (t->handle, "", keep_one, t, &t->err),
                    TALLY_OK);
  assert_int_equal (t->names, 1);
}

/* ---- staying inside ---------------------------------------------------- */

static void
bad_names (void **state)
{
  static const char *const names[] = {
    "",         ".",      "..", "../secret", "/etc/passwd", "a/b",
    "./a",      "a/../b", ".a", "a b",       "a\nb",        "a\\b",
    "\xc3\xa4", "a:b",    "a/", "~",         "a*"
  };
  struct test *t = *state;
  char path[512], name[300];

  snprintf (path, sizeof path, "%s/secret", t->base);
  kit_put_file (path, "secret");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    assert_int_equal (kit_create (t, names[i], "x"), TALLY_INVALID);
    assert_int_equal (kit_read (t, names[i]), TALLY_INVALID);
    assert_int_equal (kit_remove (t, names[i]), TALLY_INVALID);
  }
  memset (name, 'n', sizeof name);
  name[251] = '\0';
  assert_int_equal (kit_create (t, name, "x"), TALLY_INVALID);
  assert_int_equal (access (path, F_OK), 0);
  assert_int_equal (kit_count (t->path), 0);
}

static void
not_regular (void **state)
{
  static const char *const names[] = { "out", "in", "fifo", "folder", "loop" };
  struct test *t = *state;
  char secret[128], path[512];

  snprintf (secret, sizeof secret, "%s/secret", t->base);
  kit_put_file (secret, "secret");
  assert_int_equal (kit_create (t, "a", "1"), TALLY_OK);
  assert_int_equal (symlink (secret, kit_inside (t, "out", path)), 0);
  assert_int_equal (symlink ("a", kit_inside (t, "in", path)), 0);
  assert_int_equal (symlink ("loop", kit_inside (t, "loop", path)), 0);
  assert_int_equal (mkfifo (kit_inside (t, "fifo", path), 0600), 0);
  assert_int_equal (mkdir (kit_inside (t, "folder", path), 0700), 0);
  assert_int_equal (kit_list (t, ""), TALLY_OK);
  assert_string_equal (t->list, "a ");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    assert_int_equal (kit_read (t, names[i]), TALLY_FAILED);
    assert_non_null (strstr (t->err.text, ": not a regular file"));
    assert_int_equal (kit_create (t, names[i], "x"), TALLY_CONFLICT);
    assert_int_equal (kit_remove (t, names[i]), TALLY_FAILED);
  }
  assert_int_equal (kit_count (t->path), 6);
}

/* A name of the folder that is swapped for a link out of it changes nothing
 * of where the handle reads. */
static void
folder_swapped (void **state)
{
  struct test *t = *state;
  char moved[128], other[128], path[512];

  assert_int_equal (kit_create (t, "a", "mine"), TALLY_OK);
  snprintf (moved, sizeof moved, "%s/moved", t->base);
  snprintf (other, sizeof other, "%s/other", t->base);
  assert_int_equal (mkdir (other, 0700), 0);
  assert_int_equal (rename (t->path, moved), 0);
  assert_int_equal (symlink (other, t->path), 0);
  kit_put_file (kit_inside (t, "a", path), "theirs");
  assert_int_equal (kit_create (t, "b", "x"), TALLY_AGAIN);
  assert_int_equal (kit_remove (t, "a"), TALLY_AGAIN);
  assert_int_equal (kit_list (t, ""), TALLY_AGAIN);
  kit_assert_blob (t, "a", "mine");
  assert_int_equal (kit_count (other), 1);
  assert_int_equal (kit_count (moved), 1);
  assert_int_equal (unlink (t->path), 0);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (open_missing),       KIT_TEST (open_missing_parent),
    KIT_TEST (open_not_a_folder),  KIT_TEST (open_long_path),
    KIT_TEST (open_removes_stale), KIT_TEST (blob_round_trip),
    KIT_TEST (create_conflict),    KIT_TEST (remove_twice),
    KIT_TEST (list_prefix),        KIT_TEST (bad_names),
    KIT_TEST (not_regular),        KIT_TEST (folder_swapped),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
