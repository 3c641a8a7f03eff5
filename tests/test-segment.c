/* SPDX-License-Identifier: MIT */
/* Segments, blob names, the marker and cursors: what is written is read
 * again, and nothing else is.  Mutated segments get a right checksum, so that
 * the decoder itself has to refuse them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "../core/segment.h"

#define WRITER "00112233445566778899aabbccddeeff"
#define MUTATIONS 200000u

static struct tally_doc docs[2];

static struct segment
sample (void)
{
  struct segment segment = { .number = 7, .begin = 3 };

  memset (segment.folder, 1, sizeof segment.folder);
  memset (segment.writer, 2, sizeof segment.writer);
  segment.collection = slice_text ("notes");
  segment.reads = slice_text (WRITER ":12");
  docs[0].id = slice_text ("one");
  docs[0].meta = slice_make ("\0\1\2", 3);
  docs[0].body = slice_text ("{\"_id\":\"one\"}");
  docs[1].id = slice_text ("two");
  docs[1].flags = TALLY_DOC_DELETED;
  docs[1].meta = slice_text ("m");
  docs[1].body = slice_make (NULL, 0);
  segment.docs = docs;
  segment.n_docs = 2;
  return segment;
}

static void
assert_same (const struct segment *a, const struct segment *b)
{
  assert_memory_equal (a->folder, b->folder, sizeof a->folder);
  assert_memory_equal (a->writer, b->writer, sizeof a->writer);
  assert_true (slice_equal (a->collection, b->collection));
  assert_true (slice_equal (a->reads, b->reads));
  assert_true (slice_equal (a->parts, b->parts));
  assert_int_equal (a->number, b->number);
  assert_int_equal (a->part, b->part);
  assert_int_equal (a->begin, b->begin);
  assert_int_equal (a->documents, b->documents);
  assert_int_equal (a->n_docs, b->n_docs);
  for (size_t i = 0; i < a->n_docs; i++) {
    assert_true (slice_equal (a->docs[i].id, b->docs[i].id));
    assert_true (slice_equal (a->docs[i].meta, b->docs[i].meta));
    assert_true (slice_equal (a->docs[i].body, b->docs[i].body));
    assert_int_equal (a->docs[i].flags, b->docs[i].flags);
  }
}

static int
recode (const struct segment *segment)
{
  struct buf bytes = BUF_INIT;
  struct segment out;
  int status;

  segment_encode (&bytes, segment);
  assert_false (bytes.failed);
  status = segment_decode (&out, buf_slice (&bytes));
  if (status == TALLY_OK)
    assert_same (segment, &out);
  else
    assert_null (out.docs);
  segment_free (&out);
  buf_free (&bytes);
  return status;
}

/* ---- names -------------------------------------------------------------- */

static void
test_names (void **state)
{
  static const char *const good[] = { WRITER ".notes.0000000001.tally",
                                      WRITER
                                      ".a.b-c_.0000000012.9.1234567890.tally",
                                      WRITER ".n.999999999999999999.tally",
                                      WRITER ".n.0000000002.b0001.tally",
                                      WRITER ".n.0000000002.b99999.tally",
                                      WRITER ".x.b0001.0000000002.tally" };
  struct segment_name name;
  char text[SEGMENT_NAME_SIZE];

  (void) state;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_true (segment_name_parse (&name, good[i]));
    segment_name_make (text, &name);
    assert_string_equal (text, good[i]);
  }
  assert_true (segment_name_parse (&name, good[1]));
  assert_string_equal (name.collection, "a.b-c_.0000000012.9");
  assert_int_equal (name.number, 1234567890);
  assert_true (segment_name_parse (&name, good[4]));
  assert_int_equal (name.part, 99999);
  memset (name.collection, 'c', COLLECTION_NAME_MAX);
  name.number = SEGMENT_NUMBER_MAX;
  segment_name_make (text, &name);
  assert_true (segment_name_parse (&name, text));
}

static void
test_foreign_names (void **state)
{
  static const char *const bad[] = {
    "",
    ".",
    ".tally",
    "x",
    "folder.tally-id",
    "notes.0000000001.tally",
    WRITER,
    WRITER ".tally",
    WRITER ".notes.tally",
    WRITER "..tally",
    WRITER ".0000000001.tally",
    WRITER "..0000000001.tally",
    WRITER ".notes.1.tally",
    WRITER ".notes.0000000000.tally",
    WRITER ".notes.00000000001.tally",
    WRITER ".notes.-000000001.tally",
    WRITER ".notes.0000000001",
    WRITER ".notes.0000000001.tally.tmp",
    WRITER ".notes.0000000001.TALLY",
    WRITER ".notes.0000000001 (conflicted copy).tally",
    WRITER ".notes.0000000001.sync-conflict-20240101-ABC.tally",
    WRITER ".notes.0000000001.b0000.tally",
    WRITER ".notes.0000000001.b1.tally",
    WRITER ".notes.0000000001.b100000.tally",
    WRITER ".notes.0000000001.b.tally",
    WRITER ".b0001.tally",
    WRITER ".notes.9999999999999999999.tally",
    WRITER "._local.0000000001.tally",
    WRITER ".-x.0000000001.tally",
    WRITER ".a b.0000000001.tally",
    "00112233445566778899AABBCCDDEEFF.notes.0000000001.tally",
    "00112233445566778899aabbccddeef.notes.0000000001.tally",
    "00112233445566778899aabbccddeefff.notes.0000000001.tally",
    "00112233445566778899aabbccddeegg.notes.0000000001.tally",
    "~" WRITER ".notes.0000000001.tally"
  };
  struct segment_name name;
  char text[400];

  (void) state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (segment_name_parse (&name, bad[i]))
      fail_msg ("taken for a segment: %s", bad[i]);
  snprintf (text, sizeof text, WRITER ".%0129d.0000000001.tally", 1);
  assert_false (segment_name_parse (&name, text));
  snprintf (text, sizeof text, WRITER ".%0300d.0000000001.tally", 1);
  assert_false (segment_name_parse (&name, text));
}

/* ---- segments ----------------------------------------------------------- */

static void
test_segments (void **state)
{
  struct segment segment = sample ();
  unsigned char sums[3 * SEGMENT_CHECKSUM_SIZE] = { 9 };

  (void) state;
  assert_int_equal (recode (&segment), TALLY_OK);
  segment.part = 2;
  segment.begin = segment.number;
  assert_int_equal (recode (&segment), TALLY_OK);
  segment.part = 0;
  segment.n_docs = 0;
  segment.documents = 40000;
  segment.parts = slice_make (sums, sizeof sums);
  assert_true (segment_is_base (&segment));
  assert_int_equal (recode (&segment), TALLY_OK);
}

/* Each of these has a right checksum and breaks one rule. */
static void
test_rules (void **state)
{
  static char reads[SEGMENT_READS_MAX + 1];
  unsigned char sums[SEGMENT_CHECKSUM_SIZE] = { 9 };
  struct segment bad[12];
  size_t n = sizeof bad / sizeof *bad;

  (void) state;
  memset (reads, 'r', sizeof reads);
  for (size_t i = 0; i < n; i++)
    bad[i] = sample ();
  bad[0].number = 0;
  bad[1].number = SEGMENT_NUMBER_MAX + 1;
  bad[2].begin = 0;
  bad[3].begin = 8;
  bad[4].part = 1; /* begin is another */
  bad[5].part = SEGMENT_PARTS_MAX + 1;
  bad[5].begin = bad[5].number;
  bad[6].n_docs = 0;
  bad[7].documents = 1;
  bad[8].parts = slice_make (sums, sizeof sums);
  bad[8].begin = bad[8].number;
  bad[8].documents = 1; /* and documents of its own */
  bad[9].parts = slice_make (sums, sizeof sums - 1);
  bad[9].n_docs = 0;
  bad[9].documents = 1;
  bad[9].begin = bad[9].number;
  bad[10].reads = slice_make (reads, sizeof reads);
  bad[11].collection = slice_make (reads, COLLECTION_NAME_MAX + 1);
  for (size_t i = 0; i < n; i++)
    if (recode (&bad[i]) != TALLY_CORRUPT)
      fail_msg ("segment %zu was taken", i);
}

static void
test_too_many_documents (void **state)
{
  struct segment segment = sample ();
  struct tally_doc *many = calloc (SEGMENT_DOCS_MAX + 1, sizeof *many);

  (void) state;
  assert_non_null (many);
  segment.docs = many;
  segment.n_docs = SEGMENT_DOCS_MAX;
  assert_int_equal (recode (&segment), TALLY_OK);
  segment.n_docs++;
  assert_int_equal (recode (&segment), TALLY_CORRUPT);
  free (many);
}

static void
seal (struct buf *bytes)
{
  size_t size = bytes->size - SEGMENT_CHECKSUM_SIZE;

  crypto_generichash ((unsigned char *) bytes->data + size,
                      SEGMENT_CHECKSUM_SIZE, (unsigned char *) bytes->data,
                      size, NULL, 0);
}

static void
test_damage (void **state)
{
  struct segment segment = sample (), out;
  struct buf bytes = BUF_INIT;

  (void) state;
  segment_encode (&bytes, &segment);
  for (size_t size = 0; size < bytes.size; size++) {
    /* A copy of just that size, so that reading on is seen. */
    char *copy = malloc (size + 1);

    assert_non_null (copy);
    memcpy (copy, bytes.data, size);
    assert_int_equal (segment_decode (&out, slice_make (copy, size)),
                      TALLY_CORRUPT);
    free (copy);
  }
  for (size_t i = 0; i < bytes.size * 8; i++) {
    bytes.data[i / 8] ^= (char) (1 << i % 8);
    assert_int_equal (segment_decode (&out, buf_slice (&bytes)),
                      TALLY_CORRUPT);
    bytes.data[i / 8] ^= (char) (1 << i % 8);
  }
  buf_add_byte (&bytes, 0);
  seal (&bytes);
  assert_int_equal (segment_decode (&out, buf_slice (&bytes)), TALLY_CORRUPT);
  buf_free (&bytes);
}

static void
test_later_version (void **state)
{
  struct segment segment = sample (), out;
  struct buf bytes = BUF_INIT;

  (void) state;
  segment_encode (&bytes, &segment);
  assert_int_equal (bytes.data[14], 1); /* behind the magic */
  bytes.data[14] = 2;
  seal (&bytes);
  assert_int_equal (segment_decode (&out, buf_slice (&bytes)),
                    TALLY_UNSUPPORTED);
  buf_free (&bytes);
}

static uint32_t
draw (uint64_t *seed)
{
  *seed = *seed * UINT64_C (6364136223846793005) + 1442695040888963407u;
  return (uint32_t) (*seed >> 33);
}

/* Changes, drops or repeats a few bytes of what is before the checksum. */
static void
mutate (struct buf *bytes, uint64_t *seed)
{
  for (unsigned n = 1 + draw (seed) % 3; n > 0; n--) {
    size_t size = bytes->size - SEGMENT_CHECKSUM_SIZE;
    size_t at = draw (seed) % size;
    size_t count = 1 + draw (seed) % (size - at);

    switch (draw (seed) % 4) {
    case 0:
      bytes->data[at] = (char) draw (seed);
      break;
    case 1:
      bytes->data[at] ^= (char) (1 << draw (seed) % 8);
      break;
    case 2:
      count = count == size ? size - 1 : count;
      memmove (bytes->data + at, bytes->data + at + count,
               bytes->size - at - count);
      bytes->size -= count;
      break;
    default:
      memmove (bytes->data + at,
               bytes->data + draw (seed) % (size - count + 1), count);
    }
  }
  seal (bytes);
}

/* Whatever comes out, it is what these bytes say and no other bytes. */
static void
test_mutations (void **state)
{
  struct segment segment = sample (), out;
  struct buf good = BUF_INIT, bad = BUF_INIT, again = BUF_INIT;
  uint64_t seed = 42;
  unsigned taken = 0;

  (void) state;
  segment_encode (&good, &segment);
  for (unsigned i = 0; i < MUTATIONS; i++) {
    buf_free (&bad);
    buf_add_slice (&bad, buf_slice (&good));
    mutate (&bad, &seed);
    if (segment_decode (&out, buf_slice (&bad)) != TALLY_OK)
      continue;
    taken++;
    buf_clear (&again);
    segment_encode (&again, &out);
    assert_true (slice_equal (buf_slice (&again), buf_slice (&bad)));
    segment_free (&out);
  }
  assert_true (taken > 0 && taken < MUTATIONS);
  buf_free (&good);
  buf_free (&bad);
  buf_free (&again);
}

/* ---- marker and cursors ------------------------------------------------- */

static void
test_marker (void **state)
{
  unsigned char id[REPLICA_ID_SIZE] = { 1, 2, 3 }, out[REPLICA_ID_SIZE];
  struct buf text = BUF_INIT;

  (void) state;
  segment_marker_make (&text, id);
  assert_true (segment_marker_parse (out, buf_slice (&text)));
  assert_memory_equal (out, id, sizeof id);
  for (size_t size = 0; size < text.size; size++)
    assert_false (segment_marker_parse (out, slice_make (text.data, size)));
  for (size_t i = 0; i < text.size; i++) {
    text.data[i] ^= 1;
    assert_false (segment_marker_parse (out, buf_slice (&text)));
    text.data[i] ^= 1;
  }
  buf_add_byte (&text, '\n');
  assert_false (segment_marker_parse (out, buf_slice (&text)));
  buf_free (&text);
}

static void
test_cursor (void **state)
{
  static const char text[] =
      "00000000000000000000000000000001:17," WRITER ":999999999999999999.3";
  struct segment_cursor cursor;
  struct segment_position position = { .number = 5 };
  struct buf out = BUF_INIT;

  (void) state;
  assert_int_equal (segment_cursor_parse (&cursor, slice_text ("")), TALLY_OK);
  assert_int_equal (cursor.count, 0);
  segment_cursor_free (&cursor);
  assert_int_equal (segment_cursor_parse (&cursor, slice_text (text)),
                    TALLY_OK);
  assert_int_equal (cursor.count, 2);
  assert_int_equal (cursor.items[1].part, 3);
  segment_cursor_write (&out, &cursor);
  assert_true (slice_equal (buf_slice (&out), slice_text (text)));
  assert_null (segment_cursor_find (&cursor, position.writer));
  assert_true (segment_cursor_set (&cursor, &position));
  assert_int_equal (segment_cursor_find (&cursor, position.writer)->number, 5);
  assert_memory_equal (&cursor.items[0], &position, sizeof position);
  position.number = 6;
  assert_true (segment_cursor_set (&cursor, &position));
  assert_int_equal (cursor.count, 3);
  buf_free (&out);
  segment_cursor_free (&cursor);
}

static void
test_bad_cursors (void **state)
{
  static const char *const bad[] = { "x",
                                     ",",
                                     "0",
                                     WRITER,
                                     WRITER ":",
                                     WRITER ":0",
                                     WRITER ":01",
                                     WRITER ":1.",
                                     WRITER ":1.0",
                                     WRITER ":1.01",
                                     WRITER ":1.100000",
                                     WRITER ":1,",
                                     WRITER ":1 ",
                                     " " WRITER ":1",
                                     WRITER ":-1",
                                     WRITER ":1000000000000000000",
                                     WRITER ".1",
                                     WRITER ":1," WRITER ":1",
                                     WRITER ":1;" WRITER ":2",
                                     WRITER
                                     ":1,00000000000000000000000000000001:1",
                                     "00112233445566778899AABBCCDDEEFF:1" };
  struct segment_cursor cursor;

  (void) state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (segment_cursor_parse (&cursor, slice_text (bad[i])) != TALLY_CORRUPT)
      fail_msg ("taken for a cursor: %s", bad[i]);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_names),
    cmocka_unit_test (test_foreign_names),
    cmocka_unit_test (test_segments),
    cmocka_unit_test (test_rules),
    cmocka_unit_test (test_too_many_documents),
    cmocka_unit_test (test_damage),
    cmocka_unit_test (test_later_version),
    cmocka_unit_test (test_mutations),
    cmocka_unit_test (test_marker),
    cmocka_unit_test (test_cursor),
    cmocka_unit_test (test_bad_cursors),
  };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
