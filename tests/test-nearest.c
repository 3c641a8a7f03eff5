/* SPDX-License-Identifier: MIT */
/* Suggestions: near ones are found, far ones are not made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../core/nearest.h"

static const char *const keys[] = { "driver",    "path",        "store",
                                    "transport", "collections", "on_write",
                                    NULL };

static void
test_distance (void **state)
{
  (void) state;
  assert_int_equal (nearest_distance ("", "", 3), 0);
  assert_int_equal (nearest_distance ("abc", "abc", 3), 0);
  assert_int_equal (nearest_distance ("abc", "ABC", 3), 0);
  assert_int_equal (nearest_distance ("abc", "abxc", 3), 1);
  assert_int_equal (nearest_distance ("abc", "ac", 3), 1);
  assert_int_equal (nearest_distance ("abc", "axc", 3), 1);
  assert_int_equal (nearest_distance ("abc", "acb", 3), 1);
  assert_int_equal (nearest_distance ("abcd", "badc", 3), 2);
  assert_int_equal (nearest_distance ("ca", "abc", 3), 3);
  assert_int_equal (nearest_distance ("kitten", "sitting", 5), 3);
}

static void
test_distance_is_bounded (void **state)
{
  char word[200];

  (void) state;
  memset (word, 'a', sizeof word - 1);
  word[sizeof word - 1] = 0;
  assert_int_equal (nearest_distance ("abc", "xyz", 1), 2);
  assert_int_equal (nearest_distance ("a", "abcdef", 2), 3);
  assert_int_equal (nearest_distance (word, word, 2), 3);
}

static void
test_typos_are_found (void **state)
{
  (void) state;
  assert_string_equal (nearest ("drivr", keys), "driver");
  assert_string_equal (nearest ("dirver", keys), "driver");
  assert_string_equal (nearest ("Driver", keys), "driver");
  assert_string_equal (nearest ("paht", keys), "path");
  assert_string_equal (nearest ("onwrite", keys), "on_write");
  assert_string_equal (nearest ("colections", keys), "collections");
}

static void
test_far_words_are_not (void **state)
{
  char word[200];

  (void) state;
  memset (word, 'a', sizeof word - 1);
  word[sizeof word - 1] = 0;
  assert_null (nearest ("banana", keys));
  assert_null (nearest ("", keys));
  assert_null (nearest ("p", keys));
  assert_null (nearest (word, keys));
  assert_null (nearest ("path", NULL));
  assert_null (nearest ("path", keys + 6));
}

static void
test_nearest_wins_and_first_of_equals (void **state)
{
  static const char *const words[] = { "notes-b", "notes-a", "notes", NULL };

  (void) state;
  assert_string_equal (nearest ("notess", words), "notes");
  assert_string_equal (nearest ("notes-c", words), "notes-b");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_distance),
    cmocka_unit_test (test_distance_is_bounded),
    cmocka_unit_test (test_typos_are_found),
    cmocka_unit_test (test_far_words_are_not),
    cmocka_unit_test (test_nearest_wins_and_first_of_equals),
  };

  return cmocka_run_group_tests_name ("nearest", tests, NULL, NULL);
}
