/* SPDX-License-Identifier: MIT */
/* The ini is read as written or refused with its line, never misread; and
 * whatever the bytes, nothing but an error comes of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/ini.h"

static const char sample[] = "# a comment\n"
                             "\n"
                             "[tally]   ; the whole\n"
                             "[store   notes]\r\n"
                             "driver = linvo ; or sqlite\r\n"
                             "path=a b.linvo\n"
                             "   ; an indented comment\n"
                             "empty =\n"
                             "odd = a;b=[c]:d#e\n"
                             "[sync x] \n"
                             "store = n\xc3\xb6tig";

static void
assert_refused (const char *text, size_t size, const char *message)
{
  struct tally_error err = { TALLY_OK, "" };
  struct ini ini;

  assert_int_equal (ini_read (&ini, "x.ini", text, size, &err), TALLY_CONFIG);
  assert_string_equal (err.text, message);
  assert_int_equal (ini.n_sections, 0);
  assert_null (ini.sections);
  assert_null (ini.entries);
}

static void
refused (const char *text, const char *message)
{
  assert_refused (text, strlen (text), message);
}

static void
assert_entry (const struct ini *ini, size_t i, size_t section, const char *key,
              const char *value, unsigned line)
{
  assert_in_range (i, 0, ini->n_entries - 1);
  assert_int_equal (ini->entries[i].section, section);
  assert_string_equal (ini->entries[i].key, key);
  assert_string_equal (ini->entries[i].value, value);
  assert_int_equal (ini->entries[i].line, line);
}

static void
test_reads_what_is_written (void **state)
{
  struct tally_error err;
  struct ini ini;

  (void) state;
  assert_int_equal (ini_read (&ini, "x.ini", sample, sizeof sample - 1, &err),
                    TALLY_OK);
  assert_int_equal (ini.n_sections, 3);
  assert_string_equal (ini.sections[0].name, "tally");
  assert_int_equal (ini.sections[0].line, 3);
  assert_string_equal (ini.sections[1].name, "store notes");
  assert_int_equal (ini.sections[1].line, 4);
  assert_string_equal (ini.sections[2].name, "sync x");
  assert_int_equal (ini.n_entries, 5);
  assert_entry (&ini, 0, 1, "driver", "linvo", 5);
  assert_entry (&ini, 1, 1, "path", "a b.linvo", 6);
  assert_entry (&ini, 2, 1, "empty", "", 8);
  assert_entry (&ini, 3, 1, "odd", "a;b=[c]:d#e", 9);
  assert_entry (&ini, 4, 2, "store", "n\xc3\xb6tig", 11);
  ini_free (&ini);
  ini_free (&ini);
}

static void
test_empty_texts (void **state)
{
  static const char *const texts[] = { "",    "\n",      "\r\n\r\n",
                                       "# x", "  \t \n", "\xef\xbb\xbf" };
  struct tally_error err;
  struct ini ini;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_int_equal (ini_read (&ini, "x", texts[i], strlen (texts[i]), &err),
                      TALLY_OK);
    assert_int_equal (ini.n_sections, 0);
    ini_free (&ini);
  }
  assert_int_equal (ini_read (&ini, "x", NULL, 0, &err), TALLY_OK);
}

static void
test_byte_order_mark_is_skipped (void **state)
{
  static const char text[] = "\xef\xbb\xbf[a]\nb=c\n";
  struct tally_error err;
  struct ini ini;

  (void) state;
  assert_int_equal (ini_read (&ini, "x", text, sizeof text - 1, &err),
                    TALLY_OK);
  assert_string_equal (ini.sections[0].name, "a");
  assert_entry (&ini, 0, 0, "b", "c", 2);
  ini_free (&ini);
}

static void
test_what_inih_would_garble_is_refused (void **state)
{
  (void) state;
  refused ("[a]\nb = c\n  d = e\n",
           "x.ini:3: begins with a blank; lines are not continued");
  refused (" [a]\n", "x.ini:1: begins with a blank; lines are not continued");
  refused ("[a]\nb = c\n[d]\n[a]\n",
           "x.ini:4: [a] is there already, on line 1");
  refused ("[a]\nb = c\nd = 1\nb = 2\n",
           "x.ini:4: \"b\" is there already, on line 2");
  refused ("[a]\nb: c\n",
           "x.ini:2: expected \"key = value\" or \"[section]\"");
  refused ("[a]\nb:c = d\n",
           "x.ini:2: \"b:c\" is not a key; expected \"key = value\"");
  refused ("[a]\nb = c # d\n",
           "x.ini:2: \" #\" in a value; a comment after a value begins with "
           "\" ;\"");
  refused ("a = b\n", "x.ini:1: \"a\" stands before the first [section]");
}

static void
test_what_is_no_ini_is_refused (void **state)
{
  (void) state;
  refused ("[a\n", "x.ini:1: no ] after the section's name");
  refused ("\n[]\n", "x.ini:2: a section without a name");
  refused ("[ \t]\n", "x.ini:1: a section without a name");
  refused ("[a] b\n", "x.ini:1: more after the section's ]; a comment begins "
                      "with \" ;\"");
  refused ("[a];b\n", "x.ini:1: more after the section's ]; a comment begins "
                      "with \" ;\"");
  refused ("[a]\nb\n", "x.ini:2: expected \"key = value\" or \"[section]\"");
  refused ("[a]\n= b\n", "x.ini:2: no key before the =");
  refused ("[a]\nb c = d\n",
           "x.ini:2: \"b c\" is not a key; expected \"key = value\"");
}

static void
test_bad_bytes_are_refused (void **state)
{
  (void) state;
  assert_refused ("[a]\nb = c\0d\n", 12,
                  "x.ini:2: byte 6 is a control character");
  refused ("[a]\nb = c\rd\n", "x.ini:2: byte 6 is a control character");
  refused ("# \x1b[2J\n", "x.ini:1: byte 3 is a control character");
  refused ("[a]\nb = \xff\n", "x.ini:2: byte 5 is not valid UTF-8");
  refused ("[a]\nb = \xc3", "x.ini:2: byte 5 is not valid UTF-8");
  refused ("[a]\nb = \xc0\xaf\n", "x.ini:2: byte 5 is not valid UTF-8");
}

/* inih's own limits are 200 bytes a line and 49 a section's name. */
static void
test_long_lines (void **state)
{
  char text[1024], value[300], name[129];
  struct tally_error err;
  struct ini ini;

  (void) state;
  memset (value, 'v', sizeof value);
  memset (name, 'n', sizeof name);
  snprintf (text, sizeof text, "[%.128s]\nk = %.196s %200s; %.200s\n", name,
            value, "", value);
  assert_int_equal (ini_read (&ini, "x.ini", text, strlen (text), &err),
                    TALLY_OK);
  assert_int_equal (strlen (ini.sections[0].name), 128);
  assert_int_equal (strlen (ini.entries[0].value), 196);
  ini_free (&ini);

  snprintf (text, sizeof text, "[a]\n# %.300s\nk = %.197s\n", value, value);
  refused (text, "x.ini:3: too long: a key and its value have at most 197 "
                 "bytes");
  snprintf (text, sizeof text, "[%.129s]\n", name);
  refused (text, "x.ini:1: the section's name is longer than 128 bytes");
}

static void
test_sizes_are_bounded (void **state)
{
  struct tally_error err;
  size_t size = INI_SIZE_MAX + 1, i, n = 0;
  char *text = malloc (size);
  struct ini ini;

  (void) state;
  assert_non_null (text);
  memset (text, '\n', size);
  assert_refused (text, size, "x.ini: larger than 1048576 bytes");
  assert_int_equal (ini_read (&ini, "x.ini", text, size - 1, &err), TALLY_OK);

  for (i = 0; i <= 1024; i++)
    n += (size_t) snprintf (text + n, size - n, "[s%zu]\n", i);
  assert_refused (text, n, "x.ini:1025: more than 1024 sections");
  n = (size_t) snprintf (text, size, "[a]\n");
  for (i = 0; i <= 4096; i++)
    n += (size_t) snprintf (text + n, size - n, "k%zu=\n", i);
  assert_refused (text, n, "x.ini:4098: more than 4096 entries");
  free (text);
}

/* ---- any bytes --------------------------------------------------------- */

static void
try_bytes (const char *text, size_t size)
{
  struct tally_error err = { TALLY_OK, "" };
  /* A copy of the exact size, so that a read past it is seen. */
  char *copy = malloc (size > 0 ? size : 1);
  struct ini ini;
  size_t i;
  int status;

  assert_non_null (copy);
  memcpy (copy, text, size);
  status = ini_read (&ini, "x.ini", copy, size, &err);
  if (status != TALLY_OK) {
    assert_int_equal (status, TALLY_CONFIG);
    assert_int_equal (err.status, TALLY_CONFIG);
    assert_int_equal (strncmp (err.text, "x.ini:", 6), 0);
    assert_null (strchr (err.text, '\n'));
    assert_int_equal (ini.n_entries, 0);
  }
  for (i = 0; i < ini.n_entries; i++)
    assert_in_range (ini.entries[i].section, 0, ini.n_sections - 1);
  ini_free (&ini);
  free (copy);
}

static void
test_truncated_anywhere (void **state)
{
  size_t size;

  (void) state;
  for (size = 0; size < sizeof sample; size++)
    try_bytes (sample, size);
}

static uint32_t
next_random (uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

static void
test_mutated_anyhow (void **state)
{
  static const char bytes[] = "[]=;#: \t\r\n\0\x80\xff\xc3\xef\xbb\xbf_ab";
  char text[sizeof sample];
  uint32_t seed = 20240229;
  int round, i;

  (void) state;
  for (round = 0; round < 50000; round++) {
    int edits = 1 + (int) (next_random (&seed) % 6);

    memcpy (text, sample, sizeof sample);
    for (i = 0; i < edits; i++)
      text[next_random (&seed) % (sizeof sample - 1)] =
          bytes[next_random (&seed) % (sizeof bytes - 1)];
    try_bytes (text, next_random (&seed) % sizeof sample);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_reads_what_is_written),
    cmocka_unit_test (test_empty_texts),
    cmocka_unit_test (test_byte_order_mark_is_skipped),
    cmocka_unit_test (test_what_inih_would_garble_is_refused),
    cmocka_unit_test (test_what_is_no_ini_is_refused),
    cmocka_unit_test (test_bad_bytes_are_refused),
    cmocka_unit_test (test_long_lines),
    cmocka_unit_test (test_sizes_are_bounded),
    cmocka_unit_test (test_truncated_anywhere),
    cmocka_unit_test (test_mutated_anyhow),
  };

  return cmocka_run_group_tests_name ("ini", tests, NULL, NULL);
}
