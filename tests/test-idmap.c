/* SPDX-License-Identifier: MIT */
/* What holds a batch or window together: ids to indexes, sets of seqs, and
 * lists of documents. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/doclist.h"
#include "../core/idmap.h"
#include "../core/seqset.h"
#include "../core/slice.h"
#include "rng.h"

#define IDS 5000u

/* ---- idmap -------------------------------------------------------------- */

static char ids[IDS][8];

static void
make_ids (void)
{
  for (unsigned i = 0; i < IDS; i++)
    snprintf (ids[i], sizeof ids[i], "%u", i);
}

static void
test_idmap_finds_what_was_added (void **state)
{
  struct idmap map = IDMAP_INIT;

  (void) state;
  make_ids ();
  assert_int_equal (idmap_find (&map, slice_text ("0")), IDMAP_NONE);
  for (unsigned i = 0; i < IDS; i += 2) {
    size_t found = 99999;

    assert_true (idmap_add (&map, slice_text (ids[i]), i, &found));
    assert_int_equal (found, i);
    assert_true (map.count * 2 <= map.capacity);
  }
  assert_int_equal (map.count, IDS / 2);
  for (unsigned i = 0; i < IDS; i++)
    assert_int_equal (idmap_find (&map, slice_text (ids[i])),
                      i % 2 ? IDMAP_NONE : i);
  idmap_free (&map);
  assert_int_equal (idmap_find (&map, slice_text ("0")), IDMAP_NONE);
}

static void
test_idmap_keeps_the_first (void **state)
{
  struct idmap map = IDMAP_INIT;
  char copy[] = "one";
  size_t found;

  (void) state;
  assert_true (idmap_add (&map, slice_text ("one"), 1, NULL));
  assert_true (idmap_add (&map, slice_text (copy), 2, &found));
  assert_int_equal (found, 1);
  assert_int_equal (map.count, 1);
  assert_int_equal (idmap_find (&map, slice_text (copy)), 1);
  idmap_free (&map);
}

static void
test_idmap_cleared (void **state)
{
  struct idmap map = IDMAP_INIT;

  (void) state;
  make_ids ();
  idmap_clear (&map);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 500; i++)
      assert_true (idmap_add (&map, slice_text (ids[i]), i + round, NULL));
    assert_int_equal (idmap_find (&map, slice_text (ids[7])), 7 + round);
    idmap_clear (&map);
    assert_int_equal (idmap_find (&map, slice_text (ids[7])), IDMAP_NONE);
  }
  idmap_free (&map);
}

/* Bytes count, not where a NUL or a prefix ends. */
static void
test_idmap_takes_any_bytes (void **state)
{
  static const struct tally_slice odd[] = { { "a\0b", 3 }, { "a\0c", 3 },
                                            { "a", 1 },    { "a\0", 2 },
                                            { "", 0 },     { "\0", 1 } };
  struct idmap map = IDMAP_INIT;

  (void) state;
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    assert_true (idmap_add (&map, odd[i], i, NULL));
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    assert_int_equal (idmap_find (&map, odd[i]), i);
  idmap_free (&map);
}

/* ---- seqset ------------------------------------------------------------- */

static void
assert_seqset (const struct seqset *set, const bool *there, size_t n)
{
  size_t intervals = 0;

  for (size_t i = 0; i < n; i++) {
    size_t last = i;

    while (last + 1 < n && there[last + 1])
      last++;
    assert_int_equal (seqset_run (set, i), last);
    assert_int_equal (seqset_has (set, i), there[i]);
    intervals += there[i] && (i == 0 || !there[i - 1]);
  }
  assert_int_equal (seqset_run (set, UINT64_MAX), UINT64_MAX);
  /* In order, and no two that could be one. */
  assert_int_equal (set->count, intervals);
  for (size_t i = 1; i < set->count; i++)
    assert_true (set->intervals[i - 1].last + 1 < set->intervals[i].first);
}

static void
test_seqset_is_a_set (void **state)
{
  struct rng rng = rng_start ("seqset");

  (void) state;
  for (unsigned run = 0; run < 300; run++) {
    struct seqset set = SEQSET_INIT;
    uint32_t range = 1 + rng_below (&rng, 200);
    bool there[201] = { false };

    for (unsigned i = 0; i < range; i++) {
      uint32_t seq = rng_below (&rng, range);

      assert_true (seqset_add (&set, seq));
      there[seq] = true;
      if (i % 16 == 0)
        assert_seqset (&set, there, range + 1);
    }
    assert_seqset (&set, there, range + 1);
    seqset_free (&set);
  }
}

static void
test_seqset_at_the_ends (void **state)
{
  static const uint64_t seqs[] = { UINT64_MAX,     0,
                                   UINT64_MAX - 1, 1,
                                   UINT64_MAX - 3, UINT64_MAX };
  struct seqset set = SEQSET_INIT;

  (void) state;
  for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++)
    assert_true (seqset_add (&set, seqs[i]));
  for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++)
    assert_true (seqset_has (&set, seqs[i]));
  assert_false (seqset_has (&set, 2));
  assert_false (seqset_has (&set, UINT64_MAX - 2));
  assert_int_equal (set.count, 3);
  seqset_free (&set);
  assert_false (seqset_has (&set, 0));
}

static void
test_seqset_of_a_run_is_small (void **state)
{
  struct seqset set = SEQSET_INIT;

  (void) state;
  for (uint64_t seq = 1; seq <= 1000000; seq++)
    assert_true (seqset_add (&set, seq + seq / 250000));
  assert_int_equal (set.count, 5);
  seqset_free (&set);
}

/* ---- doclist ------------------------------------------------------------ */

/* Sizes around the arena's blocks, in buffers that are overwritten. */
static void
test_doclist_copies (void **state)
{
  struct doclist list = DOCLIST_INIT;
  char id[16];
  char *body = malloc (200000);

  (void) state;
  assert_non_null (body);
  for (unsigned i = 0; i < 300; i++) {
    struct tally_doc doc = { .seq = i, .flags = i % 2 };

    snprintf (id, sizeof id, "id-%u", i);
    memset (body, (char) i, 200000);
    doc.id = slice_text (id);
    doc.meta = slice_make (body, i % 7);
    doc.body = slice_make (i % 5 ? body : NULL, i % 5 ? i * 331 % 140000 : 0);
    memset (doc.rev, (int) i, sizeof doc.rev);
    assert_non_null (doclist_add (&list, &doc));
  }
  memset (body, 0, 200000);
  assert_int_equal (list.count, 300);
  for (unsigned i = 0; i < 300; i++) {
    const struct tally_doc *doc = &list.docs[i];

    snprintf (id, sizeof id, "id-%u", i);
    assert_true (slice_equal (doc->id, slice_text (id)));
    assert_int_equal (doc->seq, i);
    assert_int_equal (doc->flags, i % 2);
    assert_int_equal (doc->rev[TALLY_REV_SIZE - 1], i % 256);
    assert_int_equal (doc->meta.size, i % 7);
    assert_int_equal (doc->body.size, i % 5 ? i * 331 % 140000 : 0);
    for (size_t k = 0; k < doc->body.size; k++)
      if (doc->body.data[k] != (char) i)
        fail_msg ("document %u, byte %zu", i, k);
  }
  doclist_free (&list);
  free (body);
}

static void
test_doclist_counts_bytes (void **state)
{
  struct doclist list = DOCLIST_INIT;
  struct tally_doc doc = { .id = { "abc", 3 },
                           .meta = { "mm", 2 },
                           .body = { "b", 1 } };

  (void) state;
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned i = 0; i < 100; i++)
      assert_int_equal (doclist_emit (&list, &doc), 0);
    assert_int_equal (list.bytes, 600);
    doclist_clear (&list);
    assert_int_equal (list.count, 0);
    assert_int_equal (list.bytes, 0);
  }
  doclist_free (&list);
}

/* Slices stay good while the list grows. */
static void
test_doclist_does_not_move_bytes (void **state)
{
  struct doclist list = DOCLIST_INIT;
  struct tally_doc doc = { .id = { "first", 5 } };
  struct tally_slice first;

  (void) state;
  first = doclist_add (&list, &doc)->id;
  doc.id = slice_text ("another");
  for (unsigned i = 0; i < 50000; i++)
    assert_non_null (doclist_add (&list, &doc));
  assert_ptr_equal (list.docs[0].id.data, first.data);
  assert_true (slice_equal (first, slice_text ("first")));
  doclist_free (&list);
}

static void
test_doclist_next_if (void **state)
{
  static const char *const asked[] = { "a", "b", "b", "c", "d" };
  static const char *const there[] = { "b", "b", "d" };
  struct doclist list = DOCLIST_INIT;
  size_t at = 0;

  (void) state;
  for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
    struct tally_doc doc = { .id = slice_text (there[i]) };

    assert_non_null (doclist_add (&list, &doc));
  }
  for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
    const struct tally_doc *doc =
        doclist_next_if (&list, &at, slice_text (asked[i]));

    assert_int_equal (doc != NULL, *asked[i] == 'b' || *asked[i] == 'd');
  }
  assert_int_equal (at, 3);
  assert_null (doclist_next_if (&list, &at, slice_text ("d")));
  doclist_free (&list);
}

static void
test_arena (void **state)
{
  struct arena arena = { NULL };
  char *empty = arena_add (&arena, NULL, 0);
  char *large = arena_add (&arena, "x", 1);

  (void) state;
  assert_non_null (empty);
  assert_non_null (large);
  assert_int_equal (*large, 'x');
  arena_free (&arena);
  assert_null (arena.blocks);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_idmap_finds_what_was_added),
    cmocka_unit_test (test_idmap_keeps_the_first),
    cmocka_unit_test (test_idmap_cleared),
    cmocka_unit_test (test_idmap_takes_any_bytes),
    cmocka_unit_test (test_seqset_is_a_set),
    cmocka_unit_test (test_seqset_at_the_ends),
    cmocka_unit_test (test_seqset_of_a_run_is_small),
    cmocka_unit_test (test_doclist_copies),
    cmocka_unit_test (test_doclist_counts_bytes),
    cmocka_unit_test (test_doclist_does_not_move_bytes),
    cmocka_unit_test (test_doclist_next_if),
    cmocka_unit_test (test_arena),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
