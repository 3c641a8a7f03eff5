/* SPDX-License-Identifier: MIT */
/* Damage to the linvo store's files: all that was acknowledged is there, or
 * the store says that it is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "linvo-kit.h"

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, linvo_kit_setup, linvo_kit_teardown)
#define TABLED 12 /* batches that reached a table */
#define LOGGED 18 /* and those of the log */

static void
make_store (struct linvo_kit *k)
{
  unsigned n;

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  for (n = 1; n <= LOGGED; n++) {
    if (n == TABLED + 1) {
      /* Reopening moves the log into a table. */
      linvo_kit_close (k);
      assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
    }
    assert_int_equal (linvo_kit_put (k, n), TALLY_OK);
  }
  linvo_kit_close (k);
}

/* Opens a copy with a file exchanged: all is there, or the store says that
 * something is wrong.  Returns which. */
static int
try_damaged (struct linvo_kit *k, const char *name, const void *data,
             size_t size)
{
  struct linvo_kit copy = *k;
  int r;

  snprintf (copy.path, sizeof copy.path, "%s/copy", k->root);
  assert_int_equal (linvo_kit_copy (k->path, copy.path), 0);
  if (data)
    assert_int_equal (linvo_kit_write (copy.path, name, data, size), 0);
  else {
    char path[256];

    snprintf (path, sizeof path, "%s/%s", copy.path, name);
    assert_int_equal (unlink (path), 0);
  }
  r = linvo_kit_open (&copy, 0);
  if (r == TALLY_OK) {
    int whole = copy.ops->check (copy.handle, &copy.err);

    r = linvo_kit_check (&copy, LOGGED, 0);
    assert_true (r != TALLY_CORRUPT || whole == TALLY_CORRUPT);
  }
  linvo_kit_close (&copy);
  if (r != TALLY_OK && r != TALLY_CORRUPT)
    print_error ("%s: %d %s\n", name, r, copy.err.text);
  assert_int_equal (linvo_kit_remove (copy.path), 0);
  return r;
}

/* Flips bits of every so many-th byte, and of all in the last few. */
static void
flip_file (struct linvo_kit *k, const char *part, size_t tries)
{
  static const char masks[] = { 0x01, (char) 0x80, (char) 0xff };
  char name[256], *data;
  size_t size = 0, i, step, corrupt = 0;

  assert_int_equal (linvo_kit_name (k->path, part, name, sizeof name), 0);
  data = linvo_kit_read (k->path, name, &size);
  assert_non_null (data);
  assert_true (size > 0);
  step = size / tries + 1;
  for (i = 0; i < size; i += size - i <= 16 ? 1 : step) {
    char old = data[i];
    int r;

    data[i] = (char) (old ^ masks[i % sizeof masks]);
    r = try_damaged (k, name, data, size);
    data[i] = old;
    corrupt += r == TALLY_CORRUPT;
    /* One digit makes another format of it. */
    if (strcmp (part, "TALLY") == 0 && r == TALLY_UNSUPPORTED)
      r = TALLY_CORRUPT;
    if (r != TALLY_OK && r != TALLY_CORRUPT)
      print_error ("byte %zu of %zu\n", i, size);
    assert_true (r == TALLY_OK || r == TALLY_CORRUPT);
  }
  assert_true (corrupt > 0);
  free (data);
}

static void
flipped_bytes_are_noticed (void **state)
{
  struct linvo_kit *k = *state;

  make_store (k);
  assert_int_equal (try_damaged (k, "LOG", "", 0), TALLY_OK);
  flip_file (k, ".ldb", 60);
  flip_file (k, ".log", 60);
  flip_file (k, "MANIFEST", 60);
  flip_file (k, "TALLY", 60);
}

/* LevelDB takes this for a writer that died, and would say nothing. */
static void
cut_log_is_noticed (void **state)
{
  struct linvo_kit *k = *state;
  char name[256], *data;
  size_t size = 0;

  make_store (k);
  assert_int_equal (linvo_kit_name (k->path, ".log", name, sizeof name), 0);
  data = linvo_kit_read (k->path, name, &size);
  assert_non_null (data);
  assert_int_equal (try_damaged (k, name, data, size - 1), TALLY_CORRUPT);
  assert_int_equal (try_damaged (k, name, data, size / 2), TALLY_CORRUPT);
  assert_int_equal (try_damaged (k, name, data, 0), TALLY_CORRUPT);
  assert_int_equal (try_damaged (k, name, NULL, 0), TALLY_CORRUPT);
  free (data);
}

static void
missing_table_is_noticed (void **state)
{
  struct linvo_kit *k = *state;
  char name[256];

  make_store (k);
  assert_int_equal (linvo_kit_name (k->path, ".ldb", name, sizeof name), 0);
  assert_int_equal (try_damaged (k, name, NULL, 0), TALLY_CORRUPT);
}

/* The way out after a loss: TALLY, cut to its first line. */
static void
what_is_left_can_be_kept (void **state)
{
  static const char line[] = "tally linvo 4\n";
  struct linvo_kit *k = *state;
  char name[256], *data;
  size_t size = 0;

  make_store (k);
  assert_int_equal (linvo_kit_name (k->path, ".log", name, sizeof name), 0);
  data = linvo_kit_read (k->path, name, &size);
  assert_non_null (data);
  assert_int_equal (linvo_kit_write (k->path, name, data, size - 1), 0);
  free (data);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_CORRUPT);
  assert_non_null (strstr (k->err.text, "its newest 1 writes are missing"));
  assert_int_equal (linvo_kit_write (k->path, "TALLY", line, sizeof line - 1),
                    0);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
  assert_int_equal (linvo_kit_check (k, LOGGED - 1, 0), TALLY_OK);
  assert_int_equal (linvo_kit_put (k, LOGGED), TALLY_OK);
  linvo_kit_close (k);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
  assert_int_equal (linvo_kit_check (k, LOGGED, 0), TALLY_OK);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (flipped_bytes_are_noticed),
    TEST (cut_log_is_noticed),
    TEST (missing_table_is_noticed),
    TEST (what_is_left_can_be_kept),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
