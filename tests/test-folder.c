/* SPDX-License-Identifier: MIT */
/* The segment log: several writers, the marker, what a copying program leaves
 * behind, segments that are hostile. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/segment.h"
#include "../core/state.h"
#include "folder-kit.h"

/* ---- several writers ---------------------------------------------------- */

static void
test_two_writers (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1], *c = &w->devices[2];
  const char *const *names;
  char cursor[sizeof c->view.cursor];
  bool more;

  kit_reopen (w, a);
  kit_reopen (w, b);
  assert_memory_equal (a->folder_id, b->folder_id, REPLICA_ID_SIZE);
  kit_publish (w, a, 1, 11);
  kit_publish (w, a, 2, 12);
  kit_publish (w, b, 3, 13);
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.segments, 3);
  assert_int_equal (c->view.value[1], 11);
  assert_int_equal (c->view.value[2], 12);
  assert_int_equal (c->view.value[3], 13);
  assert_int_equal (folder_collections (c->folder, &names), 1);
  assert_string_equal (names[0], "notes");
  assert_false (folder_is_ahead (c->folder));
  assert_false (folder_is_behind (c->folder, "notes"));

  /* Nothing is read twice, and our own not at all. */
  memcpy (cursor, c->view.cursor, sizeof cursor);
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.segments, 0);
  assert_string_equal (c->view.cursor, cursor);
  assert_int_equal (kit_read_all (w, a), TALLY_OK);
  assert_int_equal (a->view.segments, 1);
  assert_int_equal (a->view.value[1], 0);
  assert_int_equal (kit_read_one (w, a, &more), TALLY_OK);
  assert_false (more);
}

static void
test_more (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  bool more;

  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  kit_publish (w, a, 2, 1);
  kit_reopen (w, b);
  assert_int_equal (kit_read_one (w, b, &more), TALLY_OK);
  assert_int_equal (b->view.segments, 1);
  assert_true (more);
  assert_int_equal (kit_read_one (w, b, &more), TALLY_OK);
  assert_int_equal (b->view.segments, 2);
  assert_false (more);
}

static void
test_last_put_counts (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  kit_reopen (w, a);
  assert_int_equal (kit_put (w, a, 1, 1), TALLY_OK);
  assert_int_equal (kit_put (w, a, 2, 2), TALLY_OK);
  kit_publish (w, a, 1, 3);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 2);
  assert_int_equal (b->view.value[1], 3);
  assert_int_equal (b->view.value[2], 2);
}

static void
test_full_segments (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  kit_reopen (w, a);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal (kit_put_sized (w, a, i, i + 1, 1500000), TALLY_OK);
  assert_int_equal (kit_put_sized (w, a, 6, 7, 6000000), TALLY_OK);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 3);
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 1);
  for (unsigned i = 0; i < 7; i++)
    assert_int_equal (b->view.value[i], i + 1);
}

/* ---- the marker --------------------------------------------------------- */

static void
test_look (void **state)
{
  static const unsigned char zero[REPLICA_ID_SIZE];
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  const char *const *names;

  memset (a->folder_id, 1, sizeof a->folder_id);
  assert_int_equal (kit_open (w, a, true), TALLY_OK);
  assert_memory_equal (a->folder_id, zero, sizeof zero);
  assert_int_equal (folder_collections (a->folder, &names), 0);
  assert_int_equal (kit_put (w, a, 1, 1), TALLY_INVALID);
  assert_int_equal (kit_commit (w, a), TALLY_OK);
  assert_int_equal (kit_each_file (w, "", NULL, NULL), 0);
  kit_reopen (w, b);
  kit_publish (w, b, 1, 1);
  kit_fault.calls = 0;
  assert_int_equal (kit_open (w, a, true), TALLY_OK);
  assert_memory_equal (a->folder_id, b->folder_id, sizeof zero);
  assert_int_equal (folder_collections (a->folder, &names), 1);
  assert_int_equal (kit_fault.calls, 0);
}

/* Segments know whose folder it is. */
static void
test_lost_marker (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512];
  FILE *file;

  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  assert_int_equal (kit_each_file (w, SEGMENT_MARKER, kit_remove_file, NULL),
                    1);
  kit_reopen (w, b);
  assert_memory_equal (a->folder_id, b->folder_id, REPLICA_ID_SIZE);
  assert_int_equal (kit_each_file (w, SEGMENT_MARKER, NULL, NULL), 1);
  kit_reopen (w, a);
  assert_false (folder_is_ahead (a->folder));

  snprintf (path, sizeof path, "%s/" SEGMENT_MARKER, w->path);
  assert_int_equal (truncate (path, 20), 0);
  assert_int_equal (kit_open (w, b, false), TALLY_AGAIN);
  assert_int_equal (remove (path), 0);
  kit_blob_path (w, a, 1, 0, path);
  assert_int_equal (truncate (path, 20), 0);
  assert_int_equal (kit_open (w, b, false), TALLY_AGAIN);
  file = fopen (path, "w");
  assert_non_null (file);
  fclose (file);
}

/* ---- what copying programs do ------------------------------------------- */

static void
test_foreign_files (void **state)
{
  static const char *const names[] = {
    "readme.txt",
    "00112233445566778899aabbccddeeff.notes.1.tally",
    "00112233445566778899aabbccddeeff.notes.0000000001 (copy).tally",
    "00112233445566778899aabbccddeeff.notes.0000000001.tally.tmp",
    "x.tally",
    "..tally",
    "folder (conflicted copy).tally-id"
  };
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512];

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    FILE *file;

    snprintf (path, sizeof path, "%s/%s", w->path, names[i]);
    file = fopen (path, "w");
    assert_non_null (file);
    fclose (file);
  }
  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 1);
  snprintf (path, sizeof path, "%s/..tally", w->path);
  assert_int_equal (remove (path), 0);
}

static void
copy_file (const char *from, const char *to, size_t most)
{
  FILE *in = fopen (from, "rb"), *out = fopen (to, "wb");
  int c;

  assert_non_null (in);
  assert_non_null (out);
  for (c = getc (in); c != EOF && most > 0; c = getc (in), most--)
    putc (c, out);
  fclose (in);
  assert_int_equal (fclose (out), 0);
}

/* Half of it is there: it waits, the others do not. */
static void
test_half_a_segment (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1], *c = &w->devices[2];
  char path[512], whole[520];
  struct stat st;

  kit_reopen (w, a);
  kit_reopen (w, b);
  kit_publish (w, a, 1, 1);
  kit_publish (w, a, 2, 2);
  kit_publish (w, b, 3, 3);
  kit_blob_path (w, a, 1, 0, path);
  assert_int_equal (stat (path, &st), 0);
  for (size_t size = 0; size < (size_t) st.st_size; size += 7) {
    memset (&c->view, 0, sizeof c->view);
    snprintf (whole, sizeof whole, "%s.whole", path);
    assert_int_equal (rename (path, whole), 0);
    copy_file (whole, path, size);
    assert_int_equal (kit_read_all (w, c), TALLY_AGAIN);
    assert_non_null (strstr (w->err.text, "incomplete or damaged"));
    assert_int_equal (c->view.segments, 1);
    assert_int_equal (c->view.value[3], 3);
    assert_int_equal (rename (whole, path), 0);
    assert_int_equal (kit_read_all (w, c), TALLY_OK);
    assert_int_equal (c->view.segments, 2);
    assert_int_equal (c->view.value[1], 1);
    assert_int_equal (c->view.value[2], 2);
  }
}

static void
test_wrong_name (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1], *c = &w->devices[2];
  char from[512], to[512];

  kit_reopen (w, a);
  kit_reopen (w, b);
  kit_publish (w, a, 1, 1);
  kit_publish (w, b, 2, 2);
  kit_blob_path (w, a, 1, 0, from);
  kit_blob_path (w, a, 2, 0, to);
  copy_file (from, to, SIZE_MAX);
  kit_blob_path (w, b, 2, 0, to);
  copy_file (from, to, SIZE_MAX);
  assert_int_equal (kit_read_all (w, c), TALLY_AGAIN);
  assert_int_equal (c->view.segments, 2);
  assert_int_equal (c->view.documents, 2);
}

static void
test_gap (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  kit_reopen (w, a);
  for (unsigned i = 1; i <= 4; i++)
    kit_publish (w, a, i, i);
  kit_hide (w, a, 2, 0, false);
  assert_int_equal (kit_read_all (w, b), TALLY_AGAIN);
  assert_non_null (strstr (w->err.text, "is not there yet"));
  assert_int_equal (b->view.segments, 1);
  assert_int_equal (b->view.value[3], 0);
  kit_hide (w, a, 2, 0, true);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 3);
  assert_int_equal (b->view.value[4], 4);
}

static void
test_cursors (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  struct view before;
  bool more;

  kit_reopen (w, a);
  kit_publish (w, a, 1, 1);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  before = b->view;
  kit_each_file (w, "notes", kit_remove_file, NULL);
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  assert_string_equal (b->view.cursor, before.cursor);
  snprintf (b->view.cursor, sizeof b->view.cursor, "garbage");
  assert_int_equal (kit_read_one (w, b, &more), TALLY_CORRUPT);
}

/* ---- hostile segments --------------------------------------------------- */

/* A segment whose checksum is right, by a writer that has no store. */
static void
forge (struct world *w, const struct device *in, uint64_t number,
       struct tally_doc *docs, size_t n)
{
  struct segment segment = { .number = number, .begin = 1 };
  struct segment_name name = { .number = number };
  char text[SEGMENT_NAME_SIZE];
  struct buf bytes = BUF_INIT;

  memset (segment.writer, 7, sizeof segment.writer);
  memset (name.writer, 7, sizeof name.writer);
  memcpy (segment.folder, in->folder_id, sizeof segment.folder);
  snprintf (name.collection, sizeof name.collection, "notes");
  segment.collection = slice_text ("notes");
  segment.docs = docs;
  segment.n_docs = n;
  segment_encode (&bytes, &segment);
  segment_name_make (text, &name);
  assert_int_equal (
      channel_create (in->channel, text, buf_slice (&bytes), &w->err),
      TALLY_OK);
  buf_free (&bytes);
}

static void
test_bad_documents (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];
  struct state made = { .deleted = false };
  struct buf meta = BUF_INIT;
  struct tally_doc docs[6];

  kit_reopen (w, a);
  assert_true (stamp_make (&made.whole, 5, 0, 1));
  state_encode (&made, &meta);
  memset (docs, 0, sizeof docs);
  for (size_t i = 0; i < 6; i++)
    docs[i].meta = buf_slice (&meta);
  docs[0].id = slice_text ("d001");
  docs[0].body = slice_text ("{\"_id\":\"d001\",\"n\":1}");
  docs[1].id = slice_text (""); /* no id */
  docs[1].body = slice_text ("{\"_id\":\"\",\"n\":1}");
  docs[2].id = slice_text ("d002"); /* the body has another */
  docs[2].body = slice_text ("{\"_id\":\"d003\",\"n\":1}");
  docs[3].id = slice_text ("d004"); /* not canonical */
  docs[3].body = slice_text ("{\"n\":1, \"_id\":\"d004\"}");
  docs[4].id = slice_text ("d005"); /* no meta */
  docs[4].meta = slice_make (NULL, 0);
  docs[4].body = slice_text ("{\"_id\":\"d005\",\"n\":1}");
  docs[5].id = slice_text ("d001"); /* worse than the first */
  docs[5].body = slice_text ("[]");
  forge (w, a, 1, docs, 6);
  forge (w, a, 2, docs, 1);
  assert_int_equal (kit_read_all (w, a), TALLY_INVALID);
  assert_int_equal (a->view.segments, 2);
  assert_int_equal (a->view.documents, 2);
  assert_int_equal (a->view.value[1], 1);
  assert_int_equal (kit_read_all (w, a), TALLY_OK);
  buf_free (&meta);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (test_two_writers),
    KIT_TEST (test_more),
    KIT_TEST (test_last_put_counts),
    KIT_TEST (test_full_segments),
    KIT_TEST (test_look),
    KIT_TEST (test_lost_marker),
    KIT_TEST (test_foreign_files),
    KIT_TEST (test_half_a_segment),
    KIT_TEST (test_wrong_name),
    KIT_TEST (test_gap),
    KIT_TEST (test_cursors),
    KIT_TEST (test_bad_documents),
  };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
