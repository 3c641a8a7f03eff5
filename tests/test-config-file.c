/* SPDX-License-Identifier: MIT */
/* Where the ini is looked for, and what one that merely lies there may not
 * do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/config.h"

static const char served[] = "[store notes]\n"
                             "driver = linvo\n"
                             "[transport hub]\n"
                             "driver = http\n"
                             "[serve hub]\n"
                             "transport = hub\n"
                             "store = notes\n"
                             "tokens = tokens.txt\n";

static char folder[] = "/tmp/tally-config-XXXXXX";

static void
write_file (const char *path, const char *text, mode_t mode)
{
  FILE *file = fopen (path, "wb");

  assert_non_null (file);
  assert_int_equal (fwrite (text, 1, strlen (text), file), strlen (text));
  assert_int_equal (fclose (file), 0);
  assert_int_equal (chmod (path, mode), 0);
}

static void
assert_found (const char *flag, char **env, const char *expected,
              unsigned expected_flags)
{
  struct tally_error err;
  unsigned flags;
  char *path;

  assert_int_equal (config_find (&path, &flags, flag, env, &err), TALLY_OK);
  if (expected)
    assert_string_equal (path, expected);
  else
    assert_null (path);
  assert_int_equal (flags, expected_flags);
  free (path);
}

static void
test_finding (void **state)
{
  char home[64], xdg[64], *env[4] = { home, NULL, NULL, NULL };
  char expected[100];

  (void) state;
  snprintf (home, sizeof home, "HOME=%s/home", folder);
  snprintf (xdg, sizeof xdg, "XDG_CONFIG_HOME=%s/xdg", folder);
  mkdir ("home", 0700);
  mkdir ("home/.config", 0700);
  mkdir ("home/.config/tally", 0700);
  mkdir ("xdg", 0700);
  mkdir ("xdg/tally", 0700);

  assert_found (NULL, env, NULL, 0);
  write_file ("home/.config/tally/tally.ini", "", 0600);
  snprintf (expected, sizeof expected, "%s/home/.config/tally/tally.ini",
            folder);
  assert_found (NULL, env, expected, 0);
  env[1] = xdg;
  assert_found (NULL, env, NULL, 0);
  write_file ("xdg/tally/tally.ini", "", 0600);
  snprintf (expected, sizeof expected, "%s/xdg/tally/tally.ini", folder);
  assert_found (NULL, env, expected, 0);
  env[1] = "XDG_CONFIG_HOME=xdg";
  snprintf (expected, sizeof expected, "%s/home/.config/tally/tally.ini",
            folder);
  assert_found (NULL, env, expected, 0);

  write_file ("tally.ini", "", 0600);
  assert_found (NULL, env, "tally.ini", CONFIG_IMPLICIT);
  env[2] = "TALLY_CONFIG=elsewhere.ini";
  assert_found (NULL, env, "elsewhere.ini", 0);
  assert_found ("flag.ini", env, "flag.ini", 0);
  env[2] = "TALLY_CONFIG=";
  assert_found (NULL, env, "tally.ini", CONFIG_IMPLICIT);
  unlink ("tally.ini");
}

/* As after su, or in a service. */
static void
test_a_home_that_is_closed_to_us (void **state)
{
  char home[64], *env[] = { home, NULL };
  uid_t user = geteuid ();

  (void) state;
  snprintf (home, sizeof home, "HOME=%s/closed", folder);
  mkdir ("closed", 0000);
  if (user == 0)
    assert_int_equal (seteuid (65534), 0);
  assert_found (NULL, env, NULL, 0);
  assert_int_equal (seteuid (user), 0);
  rmdir ("closed");
}

static void
test_reading_a_file (void **state)
{
  struct tally_error err;
  struct config *c;
  char expected[100];

  (void) state;
  mkdir ("sub", 0700);
  write_file ("sub/t.ini", served, 0600);
  assert_int_equal (config_load (&c, "./sub/t.ini", NULL, 0, NULL, &err),
                    TALLY_OK);
  snprintf (expected, sizeof expected, "%s/sub/t.ini", folder);
  assert_string_equal (c->path, expected);
  snprintf (expected, sizeof expected, "%s/sub", folder);
  assert_string_equal (c->base_dir, expected);
  snprintf (expected, sizeof expected, "%s/sub/tokens.txt", folder);
  assert_string_equal (c->servers[0].tokens, expected);
  config_free (c);

  assert_int_equal (config_load (&c, "none.ini", NULL, 0, NULL, &err),
                    TALLY_CONFIG);
  assert_string_equal (err.text, "none.ini: no such file or folder");
  assert_int_equal (config_load (&c, "sub", NULL, 0, NULL, &err),
                    TALLY_CONFIG);
  assert_string_equal (err.text, "sub: is a folder");
}

static int
load_implicit (const char *text, mode_t mode, struct tally_error *err)
{
  char *env[] = { "TALLY_STORE_S_DRIVER=/env/x.so", NULL };
  struct config *c;
  int status;

  write_file ("tally.ini", text, mode);
  status = config_load (&c, "tally.ini", NULL, CONFIG_IMPLICIT, env, err);
  config_free (c);
  if (status == TALLY_OK)
    return status;
  /* What is named may do what it likes. */
  assert_int_equal (config_load (&c, "./tally.ini", NULL, 0, NULL, err + 1),
                    TALLY_OK);
  config_free (c);
  return status;
}

static void
test_a_file_that_lies_there (void **state)
{
  struct tally_error err[2];

  (void) state;
  assert_int_equal (load_implicit ("[store s]\ndriver=m\n", 0644, err),
                    TALLY_OK);
  assert_int_equal (load_implicit ("[store s]\ndriver=m\n", 0664, err),
                    TALLY_CONFIG);
  assert_string_equal (err[0].text,
                       "tally.ini: can be written by others; chmod go-w "
                       "tally.ini, or pass --config ./tally.ini");
  assert_int_equal (load_implicit ("[store s]\ndriver=m\n", 0602, err),
                    TALLY_CONFIG);
  assert_int_equal (load_implicit ("[store s]\ndriver=/a/x.so\n", 0600, err),
                    TALLY_CONFIG);
  assert_string_equal (err[0].text,
                       "tally.ini:2: the path of a driver in a tally.ini "
                       "that was not named; to run code from there, pass "
                       "--config ./tally.ini");
  assert_int_equal (load_implicit ("[tally]\ndriver_path=/a\n", 0600, err),
                    TALLY_CONFIG);
  assert_string_equal (err[0].text,
                       "tally.ini:2: driver_path in a tally.ini that was not "
                       "named; to run code from there, pass --config "
                       "./tally.ini");
  unlink ("tally.ini");
}

static void
test_a_strangers_file (void **state)
{
  struct tally_error err;
  struct config *c;

  (void) state;
  if (geteuid () != 0)
    skip ();
  write_file ("tally.ini", "", 0600);
  assert_int_equal (chown ("tally.ini", 4711, (gid_t) -1), 0);
  assert_int_equal (
      config_load (&c, "tally.ini", NULL, CONFIG_IMPLICIT, NULL, &err),
      TALLY_CONFIG);
  assert_string_equal (err.text, "tally.ini: belongs to another user; to use "
                                 "it, pass --config ./tally.ini");
  unlink ("tally.ini");

  write_file ("good.ini", "", 0600);
  assert_int_equal (symlink ("good.ini", "tally.ini"), 0);
  assert_int_equal (
      config_load (&c, "tally.ini", NULL, CONFIG_IMPLICIT, NULL, &err),
      TALLY_OK);
  config_free (c);
  assert_int_equal (lchown ("tally.ini", 4711, (gid_t) -1), 0);
  assert_int_equal (
      config_load (&c, "tally.ini", NULL, CONFIG_IMPLICIT, NULL, &err),
      TALLY_CONFIG);
  unlink ("tally.ini");
  unlink ("good.ini");
}

static void
test_a_pipe_that_lies_there (void **state)
{
  struct tally_error err;
  struct config *c;

  (void) state;
  assert_int_equal (mkfifo ("tally.ini", 0600), 0);
  assert_int_equal (
      config_load (&c, "tally.ini", NULL, CONFIG_IMPLICIT, NULL, &err),
      TALLY_CONFIG);
  assert_string_equal (err.text, "tally.ini: is not a regular file");
  unlink ("tally.ini");
}

static int
make_folder (void **state)
{
  (void) state;
  return mkdtemp (folder) ? chdir (folder) : -1;
}

static int
remove_folder (void **state)
{
  static const char *const left[] = { "home/.config/tally/tally.ini",
                                      "home/.config/tally",
                                      "home/.config",
                                      "home",
                                      "xdg/tally/tally.ini",
                                      "xdg/tally",
                                      "xdg",
                                      "sub/t.ini",
                                      "sub",
                                      folder };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof left / sizeof left[0]; i++)
    if (remove (left[i]) != 0)
      return -1;
  return 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_finding),
    cmocka_unit_test (test_a_home_that_is_closed_to_us),
    cmocka_unit_test (test_reading_a_file),
    cmocka_unit_test (test_a_file_that_lies_there),
    cmocka_unit_test (test_a_strangers_file),
    cmocka_unit_test (test_a_pipe_that_lies_there),
  };

  return cmocka_run_group_tests (tests, make_folder, remove_folder);
}
