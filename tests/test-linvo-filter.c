/* SPDX-License-Identifier: MIT */
/* What says that a record is not there must never be wrong: the filter of ids
 * that were written, the filters of tables, and the list of ids that were just
 * looked for in vain. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../drivers/linvo-bloom.c"

#include "linvo-absent.h"
#include "linvo-filter.h"

/* More than the first two parts of a filter take. */
#define MANY 250000
#define OTHERS 20000

static struct tally_slice
make_id (char text[32], unsigned i)
{
  struct tally_slice id = { text, 0 };

  id.size = (size_t) snprintf (text, 32, "%x-%u", i * 2654435761u, i);
  return id;
}

static void
test_what_was_written (void **state)
{
  struct linvo_filter filter;
  unsigned wrong = 0;
  char text[32];

  (void) state;
  linvo_filter_start (&filter, true);
  for (unsigned i = 0; i < MANY; i++) {
    struct tally_slice id = make_id (text, i);

    assert_true (i % 1000 != 0 || linvo_filter_lacks (&filter, 9, &id));
    linvo_filter_add (&filter, 7, &id);
  }
  for (unsigned i = 0; i < MANY; i++) {
    struct tally_slice id = make_id (text, i);

    assert_false (linvo_filter_lacks (&filter, 7, &id));
  }
  for (unsigned i = MANY; i < MANY + OTHERS; i++) {
    struct tally_slice id = make_id (text, i);

    wrong += !linvo_filter_lacks (&filter, 7, &id);
  }
  assert_true (wrong < OTHERS / 50);
  linvo_filter_free (&filter);
}

/* Of a store that was not empty it knows nothing, and of one that has become
 * too large nothing any more. */
static void
test_when_it_does_not_know (void **state)
{
  struct tally_slice id = { "x", 1 };
  struct linvo_filter filter;
  char text[32];

  (void) state;
  linvo_filter_start (&filter, false);
  assert_false (linvo_filter_lacks (&filter, 1, &id));
  linvo_filter_free (&filter);
  linvo_filter_start (&filter, true);
  assert_true (linvo_filter_lacks (&filter, 1, &id));
  for (unsigned i = 0; i < 1000000; i++) {
    struct tally_slice one = make_id (text, i);

    linvo_filter_add (&filter, 1, &one);
  }
  assert_false (linvo_filter_lacks (&filter, 1, &id));
  linvo_filter_free (&filter);
}

/* ---- tables ------------------------------------------------------------- */

#define KEYS 60

static void
test_filters_of_tables (void **state)
{
  static const char kinds[] = "dst";
  char texts[KEYS][32];
  const char *keys[KEYS];
  size_t sizes[KEYS], size;
  unsigned wrong = 0;
  char *filter;

  (void) state;
  for (unsigned i = 0; i < KEYS; i++) {
    sizes[i] = (size_t) snprintf (texts[i], 32, "%c%u", kinds[i % 3], i);
    keys[i] = texts[i];
  }
  filter = create_filter (NULL, keys, sizes, KEYS, &size);
  assert_int_equal (size, KEYS / 3 * BITS / 8);
  for (unsigned i = 0; i < KEYS; i++)
    assert_true (key_may_match (NULL, keys[i], sizes[i], filter, size));
  for (unsigned i = 0; i < 1000; i++) {
    char text[32];
    size_t n = (size_t) snprintf (text, sizeof text, "dother%u", i);

    wrong += key_may_match (NULL, text, n, filter, size);
  }
  assert_true (wrong < 100);
  free (filter);
  /* Without any key that counts there is nothing to know. */
  filter = create_filter (NULL, &keys[1], &sizes[1], 2, &size);
  assert_int_equal (size, 0);
  assert_true (key_may_match (NULL, "d0", 2, filter, size));
  free (filter);
}

/* The bytes are read on other machines, by later versions. */
static void
test_filters_are_the_same_everywhere (void **state)
{
  const char *const keys[] = { "dabc", "cnotes" };
  const size_t sizes[] = { 4, 6 };
  char hex[17];
  size_t size;
  char *filter = create_filter (NULL, keys, sizes, 2, &size);

  (void) state;
  assert_int_equal (size, LEAST);
  for (size_t i = 0; i < size; i++)
    snprintf (hex + 2 * i, 3, "%02x", (unsigned char) filter[i]);
  assert_string_equal (hex, "41040a8a04220c04");
  free (filter);
}

/* ---- what was looked for ------------------------------------------------ */

static void
look_in_vain (struct linvo_absent *absent, unsigned from, unsigned to)
{
  struct linvo_absence absence;
  char text[32];

  linvo_absence_begin (&absence, absent);
  for (unsigned i = from; i < to; i++) {
    struct tally_slice id = make_id (text, i);

    linvo_absence_note (&absence, &id);
  }
  linvo_absence_end (&absence, absent, 5);
}

static void
test_what_was_looked_for (void **state)
{
  struct linvo_absent absent = { .as_of = 0 };
  struct linvo_absence list;
  uint32_t number;
  size_t at = 0;
  char text[32];

  (void) state;
  assert_true (linvo_absent_init (&absent));
  look_in_vain (&absent, 0, 1000);
  assert_true (linvo_absent_take (&absent, &number, &list));
  assert_int_equal (number, 5);
  for (unsigned i = 0; i < 1000; i += 3) {
    struct tally_slice id = make_id (text, i), other = make_id (text, i);

    assert_true (linvo_absence_next_is (&list, &at, &id));
    other.size--;
    assert_false (linvo_absence_next_is (&list, &at, &other));
  }
  free (list.ids);
  /* Once only. */
  assert_false (linvo_absent_take (&absent, &number, &list));
  free (list.ids);
  linvo_absent_free (&absent);
}

/* A write that ended, and one that was under way when the read began. */
static void
test_after_a_write (void **state)
{
  struct linvo_absent absent = { .as_of = 0 };
  struct linvo_absence list;
  uint32_t number;

  (void) state;
  assert_true (linvo_absent_init (&absent));
  look_in_vain (&absent, 0, 10);
  linvo_absent_moves (&absent);
  linvo_absent_moves (&absent);
  assert_false (linvo_absent_take (&absent, &number, &list));
  free (list.ids);
  linvo_absent_moves (&absent);
  look_in_vain (&absent, 0, 10);
  linvo_absent_moves (&absent);
  assert_false (linvo_absent_take (&absent, &number, &list));
  free (list.ids);
  linvo_absent_free (&absent);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_what_was_written),
    cmocka_unit_test (test_when_it_does_not_know),
    cmocka_unit_test (test_filters_of_tables),
    cmocka_unit_test (test_filters_are_the_same_everywhere),
    cmocka_unit_test (test_what_was_looked_for),
    cmocka_unit_test (test_after_a_write),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
