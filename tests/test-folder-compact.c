/* SPDX-License-Identifier: MIT */
/* The segment log's compaction: a base takes the place of what it holds, and
 * whoever was reading goes on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include <string.h>
#include <unistd.h>

#include "folder-kit.h"

static void
test_compaction (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1], *c = &w->devices[2];

  kit_reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    kit_publish (w, a, i % 4, i + 1);
  assert_int_equal (kit_count (w, a), 16);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  kit_publish (w, a, 4, 99);
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err), TALLY_OK);
  assert_int_equal (kit_count (w, a), 2); /* the base and its part */

  /* b lacks the last segment: it reads the base. */
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 5);
  assert_int_equal (b->view.value[4], 99);
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.documents, 5);
  for (unsigned i = 0; i < 4; i++)
    assert_int_equal (c->view.value[i], 13 + i);

  /* The log goes on; who saw all of it reads no base. */
  for (unsigned i = 0; i < 11; i++)
    kit_publish (w, a, i % 4, 100 + i);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 11);
  kit_reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_false (folder_is_behind (a->folder, "notes"));
  for (unsigned i = 0; i < 3; i++)
    kit_publish (w, a, 5, 200 + i);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 3);
  kit_publish (w, a, 5, 300);
  assert_int_equal (kit_count (w, a), 2);
  memset (&c->view, 0, sizeof c->view);
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.documents, 6);
  assert_int_equal (c->view.value[0], 108);
  assert_int_equal (c->view.value[5], 300);
}

/* Who is just before the base moves over it without a document. */
static void
test_base_is_skipped (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char cursor[sizeof b->view.cursor];

  kit_reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    kit_publish (w, a, 1, i + 1);
  assert_int_equal (kit_put (w, a, 1, 17), TALLY_OK);
  kit_fault.calls = 0;
  kit_fault.dies_at = 4; /* after the segment, when the part is made */
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                    TALLY_FAILED);
  memset (&kit_fault, 0, sizeof kit_fault);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[1], 17);
  memcpy (cursor, b->view.cursor, sizeof cursor);
  kit_reopen (w, a);
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (kit_count (w, a), 2);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 0);
  assert_string_not_equal (b->view.cursor, cursor);
}

/* The base is there, and what it replaces is still there, too. */
static void
test_base_is_preferred (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  kit_reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    kit_publish (w, a, 1, i + 1);
  assert_int_equal (kit_put (w, a, 1, 17), TALLY_OK);
  /* Three for the segment, the part, and three for the base. */
  kit_fault = (struct kit_fault){ 0, 8, false };
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  memset (&kit_fault, 0, sizeof kit_fault);
  assert_int_equal (kit_count (w, a), 19);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 1);
  assert_int_equal (b->view.value[1], 17);
  kit_reopen (w, a);
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (kit_count (w, a), 2);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 0);

  /* A part is as much needed as a segment. */
  kit_hide (w, a, 18, 1, false);
  kit_reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
}

static void
test_distinct_documents_stay (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];

  kit_reopen (w, a);
  for (unsigned i = 0; i < 30; i++)
    kit_publish (w, a, i, 1);
  assert_int_equal (kit_count (w, a), 30);
}

/* A base of several parts is read part by part, over runs, and waits for
 * each. */
static void
test_parts (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  bool more;

  kit_reopen (w, a);
  for (unsigned i = 0; i < 12; i++)
    kit_publish (w, a, 6, i);
  for (unsigned i = 0; i < 6; i++) {
    assert_int_equal (kit_put_sized (w, a, i, i + 1, 1500000), TALLY_OK);
    assert_int_equal (kit_commit (w, a), TALLY_OK);
  }
  assert_int_equal (kit_count (w, a), 5); /* base, three parts, and one */
  kit_hide (w, a, 18, 2, false);
  assert_int_equal (kit_read_all (w, b), TALLY_AGAIN);
  assert_int_equal (b->view.segments, 0);
  kit_hide (w, a, 18, 2, true);
  kit_reopen (w, b);
  assert_int_equal (kit_read_one (w, b, &more), TALLY_OK);
  assert_true (more);
  assert_non_null (strstr (b->view.cursor, ":18.1"));
  kit_hide (w, a, 18, 2, false);
  assert_int_equal (kit_read_all (w, b), TALLY_AGAIN);
  kit_hide (w, a, 18, 2, true);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal (b->view.value[i], i + 1);
  assert_int_equal (b->view.value[6], 11);
}

/* The base that somebody was reading is replaced by another one. */
static void
test_base_goes_away (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  bool more;

  kit_reopen (w, a);
  for (unsigned i = 0; i < 18; i++) {
    assert_int_equal (kit_put_sized (w, a, i % 6, i, 1500000), TALLY_OK);
    assert_int_equal (kit_commit (w, a), TALLY_OK);
  }
  kit_reopen (w, b);
  assert_int_equal (kit_read_one (w, b, &more), TALLY_OK);
  assert_non_null (strchr (b->view.cursor, '.'));
  for (unsigned i = 0; i < 24; i++) {
    assert_int_equal (kit_put_sized (w, a, i % 6, 100 + i, 1500000), TALLY_OK);
    assert_int_equal (kit_commit (w, a), TALLY_OK);
  }
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal (b->view.value[i], 118 + i);
}

/* Seen when the log is compacted, healed by the next run. */
static void
test_own_damage (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512];

  kit_reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    kit_publish (w, a, i % 2, i);
  kit_blob_path (w, a, 5, 0, path);
  assert_int_equal (truncate (path, 100), 0);
  assert_int_equal (kit_read_all (w, b), TALLY_AGAIN);
  kit_reopen (w, a);
  /* Each run reads some of its own segments again, and may have met it. */
  if (!folder_is_behind (a->folder, "notes")) {
    kit_publish (w, a, 0, 50);
    assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                      TALLY_AGAIN);
    kit_publish (w, a, 0, 51); /* in the same run: no new beginning */
    kit_reopen (w, a);
    assert_true (folder_is_behind (a->folder, "notes"));
  }
  assert_int_equal (kit_put (w, a, 0, 51), TALLY_OK);
  kit_publish (w, a, 1, 15);
  assert_int_equal (kit_count (w, a), 1);
  kit_reopen (w, a);
  assert_false (folder_is_behind (a->folder, "notes"));
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[0], 51);
  assert_int_equal (b->view.value[1], 15);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (test_compaction),
    KIT_TEST (test_base_is_skipped),
    KIT_TEST (test_base_is_preferred),
    KIT_TEST (test_distinct_documents_stay),
    KIT_TEST (test_parts),
    KIT_TEST (test_base_goes_away),
    KIT_TEST (test_own_damage),
  };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
