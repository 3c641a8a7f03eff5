/* SPDX-License-Identifier: MIT */
/* Values by rows: every type's good and bad texts, defaults, levels, secrets
 * and their files, and the messages that name the place and the remedy. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/options.h"

static const struct tally_option rows[] = {
  { "path", TALLY_OPTION_PATH, TALLY_OPTION_REQUIRED, NULL, "the file", NULL },
  { "token", TALLY_OPTION_STRING, TALLY_OPTION_SECRET, NULL, NULL, NULL },
  { "timeout", TALLY_OPTION_DURATION, 0, "30s", NULL, NULL },
  { "limit", TALLY_OPTION_SIZE, 0, NULL, NULL, NULL },
  { "pin", TALLY_OPTION_INTEGER, TALLY_OPTION_SECRET, NULL, NULL, NULL },
  { NULL, 0, 0, NULL, NULL, NULL },
};

static const char *const also[] = { "driver", NULL };
static const struct option_owner owner = { "x.ini:4", "[store notes]", "/base",
                                           also };

static char folder[] = "/tmp/tally-options-XXXXXX";

static int
parse (int type, const char *text, int64_t *number)
{
  struct tally_option row = { "x", 0, 0, NULL, NULL, NULL };
  struct option_value value;
  struct tally_error err;
  int status;

  row.type = type;
  status = option_parse (&value, &row, text, "/base", &err);
  *number = value.number;
  if (status != TALLY_OK) {
    assert_int_equal (status, TALLY_CONFIG);
    assert_null (value.text);
  }
  option_value_free (&value);
  return status;
}

static void
good (int type, const char *text, int64_t expected)
{
  int64_t number;

  assert_int_equal (parse (type, text, &number), TALLY_OK);
  assert_true (number == expected);
}

static void
bad (int type, const char *text)
{
  int64_t number;

  assert_int_equal (parse (type, text, &number), TALLY_CONFIG);
}

static void
test_integers (void **state)
{
  (void) state;
  good (TALLY_OPTION_INTEGER, "0", 0);
  good (TALLY_OPTION_INTEGER, "-12", -12);
  good (TALLY_OPTION_INTEGER, "9223372036854775807", INT64_MAX);
  bad (TALLY_OPTION_INTEGER, "9223372036854775808");
  bad (TALLY_OPTION_INTEGER, "99999999999999999999999");
  bad (TALLY_OPTION_INTEGER, "");
  bad (TALLY_OPTION_INTEGER, "-");
  bad (TALLY_OPTION_INTEGER, "+1");
  bad (TALLY_OPTION_INTEGER, "1.5");
  bad (TALLY_OPTION_INTEGER, "0x10");
  bad (TALLY_OPTION_INTEGER, " 1");
}

static void
test_booleans (void **state)
{
  static const char *const words[] = { "no", "yes", "false", "true", "off",
                                       "on", "0",   "1",     "NO",   "Yes" };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof words / sizeof words[0]; i++)
    good (TALLY_OPTION_BOOLEAN, words[i], i % 2);
  bad (TALLY_OPTION_BOOLEAN, "");
  bad (TALLY_OPTION_BOOLEAN, "2");
  bad (TALLY_OPTION_BOOLEAN, "yess");
  bad (TALLY_OPTION_BOOLEAN, "yesyesyesyes");
}

static void
test_sizes (void **state)
{
  (void) state;
  good (TALLY_OPTION_SIZE, "0", 0);
  good (TALLY_OPTION_SIZE, "4096", 4096);
  good (TALLY_OPTION_SIZE, "64k", 65536);
  good (TALLY_OPTION_SIZE, "4M", 4 << 20);
  good (TALLY_OPTION_SIZE, "8589934591G", (int64_t) 8589934591 << 30);
  bad (TALLY_OPTION_SIZE, "8589934592G");
  bad (TALLY_OPTION_SIZE, "4MB");
  bad (TALLY_OPTION_SIZE, "4 M");
  bad (TALLY_OPTION_SIZE, "M");
  bad (TALLY_OPTION_SIZE, "-1");
}

static void
test_durations (void **state)
{
  (void) state;
  good (TALLY_OPTION_DURATION, "0", 0);
  good (TALLY_OPTION_DURATION, "250ms", 250);
  good (TALLY_OPTION_DURATION, "30s", 30000);
  good (TALLY_OPTION_DURATION, "5m", 300000);
  good (TALLY_OPTION_DURATION, "2h", 7200000);
  good (TALLY_OPTION_DURATION, "90d", INT64_C (7776000000));
  bad (TALLY_OPTION_DURATION, "30");
  bad (TALLY_OPTION_DURATION, "30 s");
  bad (TALLY_OPTION_DURATION, "30sec");
  bad (TALLY_OPTION_DURATION, "s");
  bad (TALLY_OPTION_DURATION, "-5s");
  bad (TALLY_OPTION_DURATION, "9223372036854775807d");
}

static void
assert_path (const char *text, const char *expected)
{
  struct option_value value;
  struct tally_error err;

  assert_int_equal (option_parse (&value, &rows[0], text, "/base/./x/", &err),
                    TALLY_OK);
  assert_string_equal (value.text, expected);
  option_value_free (&value);
}

static void
test_paths (void **state)
{
  (void) state;
  assert_path ("a", "/base/x/a");
  assert_path ("./a//b/", "/base/x/a/b");
  assert_path ("../a", "/base/x/../a");
  assert_path ("/a/./b", "/a/b");
  assert_path ("/", "/");
  assert_path (".", "/base/x");
  assert_path ("a~", "/base/x/a~");
  bad (TALLY_OPTION_PATH, "");
  bad (TALLY_OPTION_PATH, "~/a");
  bad (TALLY_OPTION_PATH, "~");
  bad (TALLY_OPTION_PATH, "a\nb");
  bad (TALLY_OPTION_STRING, "a\x1b");
  bad (99, "a");
  bad (-1, "a");
}

/* ---- sets -------------------------------------------------------------- */

static void
fails (const struct option_pair *pairs, size_t n, const char *message)
{
  struct tally_error err = { TALLY_OK, "" };
  struct option_set set;

  assert_int_equal (option_set_build (&set, rows, pairs, n, &owner, &err),
                    TALLY_CONFIG);
  assert_string_equal (err.text, message);
  assert_int_equal (set.count, 0);
  assert_null (set.values);
}

static void
test_set_fills_the_table (void **state)
{
  const struct option_pair pairs[] = {
    { "limit", "1k", "x.ini:6", OPTION_FILE },
    { "path", "a", "x.ini:5", OPTION_FILE },
  };
  struct tally_error err;
  struct option_set set;

  (void) state;
  assert_int_equal (option_set_build (&set, rows, pairs, 2, &owner, &err),
                    TALLY_OK);
  assert_int_equal (set.count, 5);
  assert_string_equal (set.values[0].text, "/base/a");
  assert_true (set.given[0]);
  assert_null (set.values[1].text);
  assert_false (set.given[1]);
  assert_string_equal (set.values[2].text, "30s");
  assert_int_equal (set.values[2].number, 30000);
  assert_false (set.given[2]);
  assert_int_equal (set.values[3].number, 1024);
  option_set_free (&set);
  option_set_free (&set);
}

static void
test_set_messages (void **state)
{
  struct option_pair pair = { "paht", "a", "x.ini:5", OPTION_FILE };
  struct option_pair two[2];

  (void) state;
  fails (&pair, 1,
         "x.ini:5: unknown key \"paht\" in [store notes]; did you "
         "mean \"path\"?");
  pair.key = "drivr";
  fails (&pair, 1,
         "x.ini:5: unknown key \"drivr\" in [store notes]; did you "
         "mean \"driver\"?");
  pair.key = "xyzzy";
  fails (&pair, 1,
         "x.ini:5: unknown key \"xyzzy\" in [store notes]; there "
         "are: path, token, timeout, limit, pin, driver");
  pair.value = "";
  pair.key = "path";
  fails (&pair, 1, "x.ini:5: path: is empty; expected a path");
  pair.where = NULL;
  fails (&pair, 1, "[store notes]: path: is empty; expected a path");
  fails (NULL, 0, "x.ini:4: [store notes] needs \"path\" (the file)");

  two[0] = two[1] = pair;
  two[0].value = two[1].value = "a";
  fails (two, 2, "[store notes]: \"path\" is given already, as \"path\"");
  two[1].key = "timeout";
  two[1].where = "x.ini:6";
  fails (two, 2,
         "x.ini:6: timeout: \"a\" is not a duration (250ms, 30s, 5m, "
         "2h, 90d)");
}

static void
test_higher_level_wins (void **state)
{
  struct option_pair pairs[] = {
    { "path", "env", "TALLY_STORE_NOTES_PATH", OPTION_ENVIRONMENT },
    { "path", "file", "x.ini:5", OPTION_FILE },
    { "token_file", "/nowhere/at/all", "x.ini:6", OPTION_FILE },
    { "token", "t", "TALLY_STORE_NOTES_TOKEN", OPTION_ENVIRONMENT },
    { "path", "flag", NULL, OPTION_FLAG },
  };
  struct tally_error err;
  struct option_set set;

  (void) state;
  assert_int_equal (option_set_build (&set, rows, pairs, 4, &owner, &err),
                    TALLY_OK);
  assert_string_equal (set.values[0].text, "/base/env");
  assert_string_equal (set.values[1].text, "t");
  option_set_free (&set);
  assert_int_equal (option_set_build (&set, rows, pairs, 5, &owner, &err),
                    TALLY_OK);
  assert_string_equal (set.values[0].text, "/base/flag");
  option_set_free (&set);
}

static void
test_nothing_given (void **state)
{
  const struct option_owner here = { NULL, "driver sqlite", "/here", NULL };
  struct tally_error err;
  struct option_set set;

  (void) state;
  assert_int_equal (option_set_build (&set, rows, NULL, 0, &here, &err),
                    TALLY_CONFIG);
  assert_string_equal (err.text, "driver sqlite needs \"path\" (the file)");
  assert_int_equal (option_set_build (&set, NULL, NULL, 0, &here, &err),
                    TALLY_OK);
  assert_int_equal (set.count, 0);
  option_set_free (&set);
}

/* ---- secrets ----------------------------------------------------------- */

static void
write_file (const char *name, const void *data, size_t size)
{
  char path[64];
  FILE *file;

  snprintf (path, sizeof path, "%s/%s", folder, name);
  file = fopen (path, "wb");
  assert_non_null (file);
  assert_int_equal (fwrite (data, 1, size, file), size);
  assert_int_equal (fclose (file), 0);
}

/* Builds a set with token_file = secret; the token, or the error. */
static int
load (struct option_set *set, struct tally_error *err)
{
  const struct option_pair pairs[] = { { "path", "a", "x.ini:5", OPTION_FILE },
                                       { "token_file", "secret", "x.ini:6",
                                         OPTION_FILE } };
  struct option_owner here = owner;

  here.base_dir = folder;
  return option_set_build (set, rows, pairs, 2, &here, err);
}

static void
secret_fails (const void *data, size_t size, bool named, const char *why)
{
  struct tally_error err;
  struct option_set set;
  char message[200];

  if (data)
    write_file ("secret", data, size);
  assert_int_equal (load (&set, &err), TALLY_CONFIG);
  snprintf (message, sizeof message, "x.ini:6: token_file: %s%s%s",
            named ? folder : "", named ? "/secret: " : "", why);
  assert_string_equal (err.text, message);
}

static void
test_secret_from_a_file (void **state)
{
  static const char *const texts[] = { "s3cret",     "s3cret\n",
                                       "s3cret\r\n", "s3cret \t\n",
                                       "s3cret\n\n", "s3cret\r\nthe hub's",
                                       "s3cret\n\0x" };
  struct tally_error err;
  struct option_set set;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof texts / sizeof *texts; i++) {
    write_file ("secret", texts[i], strlen (texts[i]));
    assert_int_equal (load (&set, &err), TALLY_OK);
    assert_string_equal (set.values[1].text, "s3cret");
    assert_true (set.given[1]);
    option_set_free (&set);
  }
}

static void
test_secret_file_sizes (void **state)
{
  char *data = malloc (OPTION_SECRET_FILE_MAX + 1);
  struct tally_error err;
  struct option_set set;

  (void) state;
  assert_non_null (data);
  memset (data, 'x', OPTION_SECRET_FILE_MAX + 1);
  write_file ("secret", data, OPTION_SECRET_FILE_MAX);
  assert_int_equal (load (&set, &err), TALLY_OK);
  assert_int_equal (strlen (set.values[1].text), OPTION_SECRET_FILE_MAX);
  option_set_free (&set);
  secret_fails (data, OPTION_SECRET_FILE_MAX + 1, true,
                "larger than 65536 bytes");
  free (data);
}

static void
test_secret_file_errors (void **state)
{
  char path[64];

  (void) state;
  secret_fails ("", 0, true, "is empty");
  secret_fails ("\n", 1, true, "is empty");
  secret_fails (" \r\nb\n", 5, true, "is empty");
  secret_fails ("a\0b", 3, true, "is not a line of text");
  secret_fails ("a\tb", 3, false, "holds a control character");
  snprintf (path, sizeof path, "%s/secret", folder);
  unlink (path);
  secret_fails (NULL, 0, true, "no such file or folder");
}

static void
test_secrets_are_not_shown (void **state)
{
  const struct option_pair pairs[] = { { "path", "a", "x.ini:5", OPTION_FILE },
                                       { "pin", "hunter2", "x.ini:6",
                                         OPTION_FILE } };

  (void) state;
  fails (pairs, 2, "x.ini:6: pin: the value is not a whole number");
}

static void
test_only_secrets_come_from_files (void **state)
{
  const struct option_pair limit = { "limit_file", "a", "x.ini:5",
                                     OPTION_FILE };
  const struct option_pair both[] = { { "token", "a", "x.ini:5", OPTION_FILE },
                                      { "token_file", "a", "x.ini:6",
                                        OPTION_FILE } };

  (void) state;
  fails (&limit, 1,
         "x.ini:5: unknown key \"limit_file\" in [store notes]; "
         "there are: path, token, timeout, limit, pin, driver");
  fails (both, 2, "x.ini:6: \"token_file\" is given already, as \"token\"");
}

static int
make_folder (void **state)
{
  (void) state;
  return mkdtemp (folder) ? 0 : -1;
}

static int
remove_folder (void **state)
{
  (void) state;
  return rmdir (folder);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_integers),
    cmocka_unit_test (test_booleans),
    cmocka_unit_test (test_sizes),
    cmocka_unit_test (test_durations),
    cmocka_unit_test (test_paths),
    cmocka_unit_test (test_set_fills_the_table),
    cmocka_unit_test (test_set_messages),
    cmocka_unit_test (test_higher_level_wins),
    cmocka_unit_test (test_nothing_given),
    cmocka_unit_test (test_secret_from_a_file),
    cmocka_unit_test (test_secret_file_sizes),
    cmocka_unit_test (test_secret_file_errors),
    cmocka_unit_test (test_secrets_are_not_shown),
    cmocka_unit_test (test_only_secrets_come_from_files),
  };

  return cmocka_run_group_tests_name ("options", tests, make_folder,
                                      remove_folder);
}
