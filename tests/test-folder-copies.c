/* SPDX-License-Identifier: MIT */
/* The segment log when a store is copied, a note is damaged, or the folder
 * loses what was in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "folder-kit.h"

/* ---- copies of a store -------------------------------------------------- */

/* As a copied store: the same id, and the notes as they were. */
static void
copy_store (struct device *to, const struct device *from)
{
  memcpy (to->replica->id, from->replica->id, REPLICA_ID_SIZE);
}

static void
test_ahead (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  kit_reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  copy_store (b, a);
  kit_reopen (w, b);
  assert_true (folder_is_ahead (b->folder));
  assert_int_equal (kit_put (w, b, 2, 2), TALLY_AGAIN);

  /* As another it sees what the first wrote. */
  kit_rename (b);
  kit_reopen (w, b);
  assert_false (folder_is_ahead (b->folder));
  kit_publish (w, b, 2, 2);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[1], 1);
  assert_int_equal (kit_read_all (w, a), TALLY_OK);
  assert_int_equal (a->view.value[2], 2);
}

/* Both have looked, then both write. */
static void
test_clones_meet (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  copy_store (b, a);
  kit_reopen (w, a);
  kit_reopen (w, b);
  kit_publish (w, a, 1, 1);
  assert_int_equal (kit_put (w, b, 2, 2), TALLY_OK);
  assert_int_equal (kit_commit (w, b), TALLY_AGAIN);
  assert_non_null (strstr (w->err.text, "another copy of this store"));
  assert_int_equal (kit_commit (w, b), TALLY_AGAIN);
  kit_reopen (w, b);
  assert_true (folder_is_ahead (b->folder));
  kit_reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_int_equal (kit_count (w, a), 1);
}

static void
test_damaged_note (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];
  struct tally_slice garbage = slice_text ("{\"begin\":1}");
  char key[256], id[REPLICA_ID_TEXT];

  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  replica_id_text (a->folder_id, id);
  snprintf (key, sizeof key, "folder/%s/notes", id);
  assert_int_equal (
      replica_note_put (a->replica, key, NULL, &garbage, &w->err), TALLY_OK);
  assert_int_equal (kit_open (w, a, false), TALLY_CORRUPT);
}

/* ---- lost segments ------------------------------------------------------ */

static void
test_behind (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1], *c = &w->devices[2];

  kit_reopen (w, a);
  for (unsigned i = 1; i <= 3; i++)
    kit_publish (w, a, i, i);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  kit_hide (w, a, 2, 0, false);
  kit_reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_true (folder_is_behind (a->folder, "notes"));
  assert_false (folder_is_behind (a->folder, "others"));

  /* Everything is put again; a cut leaves it to be done. */
  assert_int_equal (kit_put_sized (w, a, 1, 1, 4000000), TALLY_OK);
  assert_int_equal (kit_put_sized (w, a, 2, 2, 4000000), TALLY_OK);
  kit_reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
  for (unsigned i = 1; i <= 4; i++)
    assert_int_equal (kit_put_sized (w, a, i, i, 2000000), TALLY_OK);
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_false (folder_is_behind (a->folder, "notes"));
  assert_int_equal (kit_count (w, a), 3); /* one is hidden */
  kit_reopen (w, a);
  assert_false (folder_is_behind (a->folder, "notes"));
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err), TALLY_OK);

  /* Who read it all before, and who never did. */
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[4], 4);
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  for (unsigned i = 1; i <= 4; i++)
    assert_int_equal (c->view.value[i], i);
}

static void
test_emptied_folder (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512], before[sizeof b->view.cursor];

  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  kit_publish (w, a, 2, 2);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  memcpy (before, b->view.cursor, sizeof before);
  kit_each_file (w, "notes", kit_remove_file, NULL);
  kit_reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
  kit_publish (w, a, 5, 5);

  /* No number is used twice. */
  kit_blob_path (w, a, 3, 0, path);
  assert_int_equal (access (path, F_OK), 0);
  assert_int_equal (kit_count (w, a), 1);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[5], 5);
}

/* ---- damaged segments --------------------------------------------------- */

static void
cut_segment (struct world *w, struct device *device, uint64_t number)
{
  char path[512];

  kit_blob_path (w, device, number, 0, path);
  assert_int_equal (truncate (path, 60), 0);
}

static uint64_t
a_day_later (void *ctx)
{
  (void) ctx;
  return system_time.wall_ms (NULL) + 86400000;
}

static void
log_of_nine (struct world *w, struct device *device)
{
  kit_reopen (w, device);
  for (unsigned i = 1; i <= 9; i++)
    kit_publish (w, device, i, i);
}

/* A run reads two of nine. */
static void
test_damage_is_found (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *c = &w->devices[2];
  unsigned runs = 0;

  log_of_nine (w, a);
  cut_segment (w, a, 4);
  do {
    assert_true (++runs < 1000);
    kit_reopen (w, a);
  } while (!folder_is_behind (a->folder, "notes"));
  for (unsigned i = 1; i <= 9; i++)
    assert_int_equal (kit_put (w, a, i, i + 10), TALLY_OK);
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (kit_count (w, a), 1);
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  for (unsigned i = 1; i <= 9; i++)
    assert_int_equal (c->view.value[i], i + 10);
}

static void
test_all_is_read_once_a_day (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];
  long calls;

  log_of_nine (w, a);
  kit_reopen (w, a);
  calls = kit_fault.calls;
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (kit_fault.calls, calls);

  /* A check that finds nothing is one note, once. */
  a->replica->time.wall_ms = a_day_later;
  for (unsigned i = 0; i < 2; i++) {
    kit_reopen (w, a);
    assert_false (folder_is_behind (a->folder, "notes"));
    assert_int_equal (kit_commit (w, a), TALLY_OK);
    assert_int_equal (kit_fault.calls, calls + 1);
  }

  /* As after a day once more. */
  a->replica->time.wall_ms = system_time.wall_ms;
  cut_segment (w, a, 7);
  kit_reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
}

/* Who only looks repairs nothing, and need not read. */
static void
test_a_look_reads_nothing_back (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];

  log_of_nine (w, a);
  for (unsigned i = 1; i <= 9; i++)
    cut_segment (w, a, i);
  assert_int_equal (kit_open (w, a, true), TALLY_OK);
  assert_false (folder_is_behind (a->folder, "notes"));
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (test_ahead),
    KIT_TEST (test_clones_meet),
    KIT_TEST (test_damaged_note),
    KIT_TEST (test_behind),
    KIT_TEST (test_emptied_folder),
    KIT_TEST (test_damage_is_found),
    KIT_TEST (test_all_is_read_once_a_day),
    KIT_TEST (test_a_look_reads_nothing_back),
  };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
