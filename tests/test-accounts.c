/* SPDX-License-Identifier: MIT */
/* Tokens files: what they may hold, and who comes in with them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <tally/tally.h>

#include "../core/accounts.h"
#include "../core/answer.h"

static char folder[] = "/tmp/tally-accounts-XXXXXX";
static char path[64];

static int
make_folder (void **state)
{
  (void) state;
  if (!mkdtemp (folder))
    return -1;
  snprintf (path, sizeof path, "%s/tokens", folder);
  return 0;
}

static int
remove_folder (void **state)
{
  (void) state;
  unlink (path);
  return rmdir (folder);
}

static void
write_tokens (const char *text, size_t size)
{
  FILE *file = fopen (path, "wb");

  assert_non_null (file);
  assert_int_equal (fwrite (text, 1, size, file), size);
  assert_int_equal (fclose (file), 0);
}

static struct accounts *
load (const char *text, bool open)
{
  struct tally_error err = { 0, "" };
  struct accounts *accounts;

  write_tokens (text, strlen (text));
  if (accounts_load (&accounts, path, open, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return accounts;
}

/* NULL: denied. */
static void
assert_account (struct accounts *accounts, const char *token,
                const char *expected)
{
  char account[ACCOUNT_NAME_MAX + 1];

  assert_int_equal (accounts_find (accounts, token, account),
                    expected != NULL);
  if (expected)
    assert_string_equal (account, expected);
}

static void
test_lines (void **state)
{
  struct accounts *accounts = load ("# who may come in\n"
                                    "\n"
                                    "first-token\n"
                                    "  second-token\tann  # on her phone\r\n"
                                    "third.token:/+= bob-2\n"
                                    "   \t \n"
                                    "k7\n"
                                    "with#hash eve\t#a comment\n"
                                    "last-token-without-newline ann",
                                    false);

  (void) state;
  assert_account (accounts, "first-token", ACCOUNT_DEFAULT);
  assert_account (accounts, "second-token", "ann");
  assert_account (accounts, "third.token:/+=", "bob-2");
  assert_account (accounts, "k7", ACCOUNT_DEFAULT);
  assert_account (accounts, "with#hash", "eve");
  assert_account (accounts, "with", NULL);
  assert_account (accounts, "last-token-without-newline", "ann");
  accounts_free (accounts);
}

static void
test_others_are_denied (void **state)
{
  static const char *const others[] = { "",
                                        "first-toke",
                                        "first-token ",
                                        "first-tokenn",
                                        "irst-token",
                                        "FIRST-TOKEN",
                                        "#",
                                        "default",
                                        "ann",
                                        "first-token\n" };
  struct accounts *accounts = load ("first-token ann\n", false);

  (void) state;
  assert_account (accounts, NULL, NULL);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_account (accounts, others[i], NULL);
  accounts_free (accounts);
}

static void
test_without_a_file (void **state)
{
  struct accounts *accounts;
  struct tally_error err;

  (void) state;
  assert_int_equal (accounts_load (&accounts, NULL, false, &err), TALLY_OK);
  assert_account (accounts, NULL, ACCOUNT_DEFAULT);
  assert_account (accounts, "anything", ACCOUNT_DEFAULT);
  accounts_free (accounts);
  accounts_free (NULL);
}

/* Any token is an account of its own, the same one each time. */
static void
test_open (void **state)
{
  struct accounts *accounts;
  struct tally_error err;
  char one[ACCOUNT_NAME_MAX + 1], two[ACCOUNT_NAME_MAX + 1];

  (void) state;
  assert_int_equal (accounts_load (&accounts, NULL, true, &err), TALLY_OK);
  assert_account (accounts, NULL, NULL);
  assert_true (accounts_find (accounts, "one", one));
  assert_true (accounts_find (accounts, "two", two));
  assert_string_not_equal (one, two);
  assert_string_not_equal (one, ACCOUNT_DEFAULT);
  assert_null (strstr (one, "one"));
  assert_account (accounts, "one", one);
  accounts_free (accounts);

  accounts = load ("first-token ann\n", true);
  assert_account (accounts, "first-token", "ann");
  assert_account (accounts, "one", one);
  assert_account (accounts, NULL, NULL);
  accounts_free (accounts);
}

static void
assert_refused (const char *text, size_t size, const char *where)
{
  struct tally_error err = { 0, "" };
  struct accounts *accounts;
  char expected[128];

  write_tokens (text, size);
  assert_int_equal (accounts_load (&accounts, path, false, &err),
                    TALLY_CONFIG);
  assert_null (accounts);
  snprintf (expected, sizeof expected, "%s:%s", path, where);
  if (strncmp (err.text, expected, strlen (expected)) != 0)
    fail_msg ("%s is not at %s", err.text, expected);
  /* A token never shows up in a message. */
  assert_null (strstr (err.text, "secret"));
}

static void
test_bad_files (void **state)
{
  static const struct {
    const char *text;
    const char *where;
  } rows[] = {
    { "", " " },
    { "# nothing\n\n", " " },
    { "\n\nsecret-token ann bob\n", "3:" },
    { "secret-token a/b\n", "1:" },
    { "secret-token .ann\n", "1:" },
    { "good-token\nsecret-token a:b\n", "2:" },
  };
  char line[2000];

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_refused (rows[i].text, strlen (rows[i].text), rows[i].where);
  memset (line, 's', sizeof line);
  assert_refused (line, sizeof line, "1:");
  memset (line, 'a', sizeof line);
  memcpy (line, "secret-token ", 13);
  line[13 + ACCOUNT_NAME_MAX + 1] = '\n';
  assert_refused (line, 13 + ACCOUNT_NAME_MAX + 2, "1:");
}

/* A NUL ends what is seen of a line: the rest may not pass unseen. */
static void
test_nul_in_a_line (void **state)
{
  static const char text[] = "good-token\0secret-token ann\n";

  (void) state;
  assert_refused (text, sizeof text - 1, "1:");
  assert_refused (text, 11, "1:");
}

static void
test_missing_file (void **state)
{
  struct tally_error err = { 0, "" };
  struct accounts *accounts;

  (void) state;
  unlink (path);
  assert_int_equal (accounts_load (&accounts, path, false, &err),
                    TALLY_CONFIG);
  assert_non_null (strstr (err.text, path));
  assert_int_equal (accounts_load (&accounts, folder, false, &err),
                    TALLY_CONFIG);
  assert_non_null (strstr (err.text, folder));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_lines),
    cmocka_unit_test (test_others_are_denied),
    cmocka_unit_test (test_without_a_file),
    cmocka_unit_test (test_open),
    cmocka_unit_test (test_bad_files),
    cmocka_unit_test (test_nul_in_a_line),
    cmocka_unit_test (test_missing_file),
  };

  return cmocka_run_group_tests (tests, make_folder, remove_folder);
}
