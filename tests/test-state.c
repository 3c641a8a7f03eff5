/* SPDX-License-Identifier: MIT */
/* A state's bytes, its rules, its revision and what it knows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/json.h"
#include "../core/state.h"
#include "rng.h"

#define MUTATIONS 200000u

static const struct tally_slice none = { NULL, 0 };

/* In the order of json_key_cmp. */
static const char *const keys[] = {
  "", "\\u0001", " ", "\\\"", "a", "a\\\\", "aa", "b", "z", "\xc3\xa9"
};
#define N_KEYS (sizeof keys / sizeof *keys)

static struct stamp
at (uint64_t ms, uint32_t client)
{
  struct stamp stamp;

  assert_true (stamp_make (&stamp, ms, 0, client));
  return stamp;
}

/* A small domain, so that equal states come up. */
static void
draw (struct rng *rng, struct state *out, unsigned many)
{
  memset (out, 0, sizeof *out);
  out->whole = at (10 + rng_below (rng, 2), rng_below (rng, 2));
  out->deleted = rng_one_in (rng, 3);
  out->body = slice_text (rng_one_in (rng, 2) ? "{\"_id\":\"x\"}" : "");
  out->overrides = calloc (N_KEYS, sizeof *out->overrides);
  out->seen = calloc (N_KEYS, sizeof *out->seen);
  assert_non_null (out->overrides);
  assert_non_null (out->seen);
  for (size_t i = 0; i < N_KEYS; i++) {
    if (rng_below (rng, 10) < many) {
      struct override *o = &out->overrides[out->n_overrides++];

      o->field = slice_text (keys[i]);
      o->stamp = at (12 + rng_below (rng, 2), rng_below (rng, 2));
    }
    if (rng_below (rng, 10) < many)
      out->seen[out->n_seen++] = at (20 + rng_below (rng, 3), (uint32_t) i);
  }
}

static bool
same (const struct state *a, const struct state *b, bool with_seen)
{
  if (a->deleted != b->deleted || stamp_cmp (&a->whole, &b->whole) != 0
      || a->n_overrides != b->n_overrides || !slice_equal (a->body, b->body))
    return false;
  for (size_t i = 0; i < a->n_overrides; i++)
    if (!slice_equal (a->overrides[i].field, b->overrides[i].field)
        || stamp_cmp (&a->overrides[i].stamp, &b->overrides[i].stamp) != 0)
      return false;
  if (!with_seen)
    return true;
  return a->n_seen == b->n_seen
         && (a->n_seen == 0
             || memcmp (a->seen, b->seen, a->n_seen * sizeof *a->seen) == 0);
}

/* ---- bytes -------------------------------------------------------------- */

static void
test_round_trip (void **test)
{
  struct rng rng = rng_start ("round trip");
  struct tally_error err;

  (void) test;
  for (unsigned i = 0; i < 20000; i++) {
    struct state state, again;
    struct buf meta = BUF_INIT;

    draw (&rng, &state, i % 11);
    state_encode (&state, &meta);
    assert_false (meta.failed);
    assert_int_equal (state_decode (&again, state.deleted, buf_slice (&meta),
                                    state.body, &err),
                      TALLY_OK);
    assert_true (same (&state, &again, true));
    state_free (&again);
    state_free (&state);
    buf_free (&meta);
  }
}

/* Long names and many fields: counts of two and three bytes. */
static void
test_large_counts (void **test)
{
  static char name[20000];
  struct state state = { .whole = at (1, 1), .n_overrides = 300 }, again;
  struct buf meta = BUF_INIT;
  struct tally_error err;

  (void) test;
  memset (name, 'n', sizeof name);
  state.overrides = calloc (300, sizeof *state.overrides);
  assert_non_null (state.overrides);
  for (size_t i = 0; i < 300; i++) {
    state.overrides[i].field = slice_make (name, i < 299 ? i : 20000);
    state.overrides[i].stamp = at (2 + i, 2);
  }
  state_encode (&state, &meta);
  assert_int_equal (
      state_decode (&again, false, buf_slice (&meta), none, &err), TALLY_OK);
  assert_true (same (&state, &again, true));
  state_free (&again);
  state_free (&state);
  buf_free (&meta);
}

static void
put_stamp (struct buf *out, uint64_t ms, uint32_t client)
{
  struct stamp stamp = at (ms, client);

  buf_add (out, stamp.bytes, STAMP_SIZE);
}

static void
put_override (struct buf *out, const char *field, uint64_t ms)
{
  buf_add_byte (out, (unsigned char) strlen (field));
  buf_add_text (out, field);
  put_stamp (out, ms, 1);
}

static void
start_meta (struct buf *out, unsigned char format)
{
  buf_clear (out);
  buf_add_byte (out, format);
  put_stamp (out, 10, 1);
}

static void
assert_meta (const struct buf *meta, int expected)
{
  struct state state;
  struct tally_error err = { 0, "" };
  int status = state_decode (&state, false, buf_slice (meta), none, &err);

  assert_int_equal (status, expected);
  if (status != TALLY_OK) {
    assert_int_equal (err.status, expected);
    assert_null (state.overrides);
    assert_null (state.seen);
  }
  state_free (&state);
}

static void
test_broken_beginnings (void **test)
{
  struct buf meta = BUF_INIT;

  (void) test;
  assert_meta (&meta, TALLY_CORRUPT);
  for (unsigned format = 0; format < 256; format++) {
    start_meta (&meta, (unsigned char) format);
    buf_add (&meta, "\0\0", 2);
    assert_meta (&meta, format == 1 ? TALLY_OK : TALLY_CORRUPT);
  }
  start_meta (&meta, 1);
  buf_add (&meta, "\0\0\0", 3);
  assert_meta (&meta, TALLY_CORRUPT); /* something behind it */
  buf_free (&meta);
}

static void
test_broken_overrides (void **test)
{
  static const struct {
    const char *first, *second;
    uint64_t ms;
    int expected;
  } rows[] = {
    { "a", "b", 11, TALLY_OK },       { "a", "b", 10, TALLY_CORRUPT },
    { "a", "b", 9, TALLY_CORRUPT },   { "b", "a", 11, TALLY_CORRUPT },
    { "a", "a", 11, TALLY_CORRUPT },  { "aa", "a", 11, TALLY_CORRUPT },
    { "", "a", 11, TALLY_OK },        { "z", "\xc3\xa9", 11, TALLY_OK },
    { "\\\"", "#", 11, TALLY_OK },    { "#", "\\\"", 11, TALLY_CORRUPT },
    { "\\u0001", "a", 11, TALLY_OK },
  };
  struct buf meta = BUF_INIT;

  (void) test;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    start_meta (&meta, 1);
    buf_add_byte (&meta, 2);
    put_override (&meta, rows[i].first, 11);
    put_override (&meta, rows[i].second, rows[i].ms);
    buf_add_byte (&meta, 0);
    assert_meta (&meta, rows[i].expected);
  }
  buf_free (&meta);
}

static void
test_broken_counts (void **test)
{
  static const struct {
    const char *bytes;
    size_t size;
  } rows[] = {
    { "\x80\0\0", 3 },             /* zero in two bytes */
    { "\x80\x80\0\0", 4 },         /* in three */
    { "\xff\xff\xff\x7f", 4 },     /* more than there is */
    { "\xff\xff\xff\xff\x7f", 5 }, /* five bytes long */
    { "\x80", 1 },                 /* cut */
    { "\1", 1 },                   /* an override that is not there */
    { "\0\x80\0", 3 },             /* likewise for seen */
    { "\0\1", 2 },
    { "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
  };
  struct buf meta = BUF_INIT;

  (void) test;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    start_meta (&meta, 1);
    buf_add (&meta, rows[i].bytes, rows[i].size);
    assert_meta (&meta, TALLY_CORRUPT);
  }
  /* A field's length in more bytes than it needs. */
  start_meta (&meta, 1);
  buf_add (&meta, "\1\x81\0a", 4);
  put_stamp (&meta, 11, 1);
  buf_add_byte (&meta, 0);
  assert_meta (&meta, TALLY_CORRUPT);
  buf_free (&meta);
}

static void
seen_meta (struct buf *meta, unsigned n, uint32_t first, int step)
{
  start_meta (meta, 1);
  buf_add_byte (meta, 0);
  buf_add_byte (meta, (unsigned char) n);
  for (unsigned i = 0; i < n; i++)
    put_stamp (meta, 20 + i, (uint32_t) ((int) first + (int) i * step));
}

static void
test_broken_seen (void **test)
{
  struct buf meta = BUF_INIT;

  (void) test;
  seen_meta (&meta, STATE_SEEN_MAX, 5, 1);
  assert_meta (&meta, TALLY_OK);
  seen_meta (&meta, STATE_SEEN_MAX + 1, 5, 1);
  assert_meta (&meta, TALLY_CORRUPT);
  seen_meta (&meta, 3, 5, -1);
  assert_meta (&meta, TALLY_CORRUPT);
  seen_meta (&meta, 2, 5, 0); /* a client twice */
  assert_meta (&meta, TALLY_CORRUPT);
  seen_meta (&meta, 2, 5, 1);
  meta.size--;
  assert_meta (&meta, TALLY_CORRUPT);
  buf_free (&meta);
}

/* What is taken is what state_encode writes, whatever came in. */
static bool
accept (struct tally_slice meta)
{
  struct state state;
  struct buf again = BUF_INIT;
  struct tally_error err;
  int status = state_decode (&state, false, meta, none, &err);

  if (status != TALLY_OK) {
    assert_int_equal (status, TALLY_CORRUPT);
    return false;
  }
  state_encode (&state, &again);
  assert_true (slice_equal (buf_slice (&again), meta));
  state_newest (&state);
  state_knows_all (&state, &state, NULL);
  buf_free (&again);
  state_free (&state);
  return true;
}

static void
test_truncated (void **test)
{
  struct rng rng = rng_start ("truncated");
  struct state state;
  struct buf meta = BUF_INIT;

  (void) test;
  draw (&rng, &state, 10);
  state_encode (&state, &meta);
  for (size_t size = 0; size <= meta.size; size++) {
    /* An allocation of its own, so that a byte too far is seen. */
    char *copy = malloc (size + 1);

    assert_non_null (copy);
    memcpy (copy, meta.data, size);
    copy = realloc (copy, size > 0 ? size : 1);
    assert_non_null (copy);
    assert_int_equal (accept (slice_make (copy, size)), size == meta.size);
    free (copy);
  }
  state_free (&state);
  buf_free (&meta);
}

static void
test_mutated (void **test)
{
  struct rng rng = rng_start ("mutated");
  struct buf meta = BUF_INIT;
  unsigned taken = 0;

  (void) test;
  for (unsigned i = 0; i < MUTATIONS; i++) {
    struct state state;
    unsigned n = 1 + rng_below (&rng, 3);

    draw (&rng, &state, rng_below (&rng, 6));
    buf_clear (&meta);
    state_encode (&state, &meta);
    while (n-- > 0)
      meta.data[rng_below (&rng, (uint32_t) meta.size)] ^=
          (char) (rng_one_in (&rng, 2) ? 1u << rng_below (&rng, 8)
                                       : rng_below (&rng, 256));
    taken += accept (buf_slice (&meta));
    state_free (&state);
  }
  assert_int_not_equal (taken, 0);
  assert_int_not_equal (taken, MUTATIONS);
  buf_free (&meta);
}

/* ---- check -------------------------------------------------------------- */

struct check {
  const char *body;
  const char *id;
  const char *field; /* of an override; NULL: none */
  bool deleted;
  bool good;
};

static void
run_check (const struct check *check)
{
  struct override override = { .field = check->field
                                            ? slice_text (check->field)
                                            : none,
                               .stamp = at (11, 1) };
  struct state state = { .whole = at (10, 1),
                         .deleted = check->deleted,
                         .overrides = &override,
                         .n_overrides = check->field != NULL,
                         .body = slice_text (check->body) };
  struct tally_error err = { 0, "" };
  int status = state_check (&state, slice_text (check->id), &err);

  if (status != (check->good ? TALLY_OK : TALLY_INVALID))
    fail_msg ("%s (%s): %d %s", check->body, check->field ? check->field : "",
              status, err.text);
}

static void
test_check (void **test)
{
  static const struct check rows[] = {
    { "{\"_id\":\"x\"}", "x", NULL, false, true },
    { "{\"_id\":\"x\",\"a\":1.50}", "x", "a", false, true },
    { "{\"_id\":\"x\"}", "x", "a", false, true }, /* a was removed */
    { "{\"_id\":\"\\\\\"}", "\\", NULL, false, true },
    { "{\"_id\":\"\\\"\"}", "\"", NULL, false, true },
    { "{\"_id\":\"x\"}", "y", NULL, false, false },
    { "{\"_id\":\"xy\"}", "x", NULL, false, false },
    { "{\"_id\":7}", "7", NULL, false, false },
    { "{\"_id\":\"\\\\\"}", "\\\\", NULL, false, false },
    { "{\"a\":1}", "x", NULL, false, false },
    { "{}", "x", NULL, false, false },
    { "", "x", NULL, false, false },
    { "[]", "x", NULL, false, false },
    { "\"_id\"", "x", NULL, false, false },
    { "{\"_id\":\"x\" }", "x", NULL, false, false },
    { "{\"b\":1,\"_id\":\"x\"}", "x", NULL, false, false },
    { "{\"_id\":\"x\",\"_id\":\"x\"}", "x", NULL, false, false },
    { "{\"_id\":\"x\",\"a\":\"\\u0041\"}", "x", NULL, false, false },
    { "{\"_id\":\"x\"", "x", NULL, false, false },
    { "{\"_id\":\"x\"}}", "x", NULL, false, false },
    { "{\"_id\":\"x\",\"a\":\"\xff\"}", "x", NULL, false, false },
    { "{\"_id\":\"x\"}", "x", "_id", false, false },
    { "", "x", NULL, true, true },
    { "", "x", "a", true, true },
    { "{\"a\":1}", "x", "a", true, true },
    { "{}", "x", NULL, true, false },
    { "{}", "x", "a", true, false },
    { "{\"a\":1}", "x", NULL, true, false },
    { "{\"a\":1,\"b\":2}", "x", "a", true, false },
    { "{\"_id\":\"x\"}", "x", NULL, true, false },
    { "{\"_id\":\"x\",\"a\":1}", "x", "a", true, false },
    { " ", "x", NULL, true, false },
    { "", "x", "_id", true, false },
  };

  (void) test;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    run_check (&rows[i]);
}

/* Two names for one field would be two states with one meaning. */
static void
test_check_field_names (void **test)
{
  static const struct check rows[] = {
    { "{\"_id\":\"x\"}", "x", "\xc3\xa9", false, true },
    { "{\"_id\":\"x\"}", "x", "\\\"", false, true },
    { "{\"_id\":\"x\"}", "x", "\\u0001", false, true },
    { "{\"_id\":\"x\"}", "x", "", false, true },
    { "{\"_id\":\"x\"}", "x", "\\u0041", false, false },
    { "{\"_id\":\"x\",\"A\":1}", "x", "\\u0041", false, false },
    { "{\"A\":1}", "x", "\\u0041", true, false },
    { "{\"_id\":\"x\"}", "x", "\\/", false, false },
    { "{\"_id\":\"x\"}", "x", "\\", false, false },
    { "{\"_id\":\"x\"}", "x", "a\"", false, false },
    { "{\"_id\":\"x\"}", "x", "\",\"", false, false },
    { "{\"_id\":\"x\"}", "x", "\x01", false, false },
    { "{\"_id\":\"x\"}", "x", "\xff", false, false },
    { "{\"_id\":\"x\"}", "x", "\xed\xa0\x80", false, false },
    { "{\"_id\":\"x\"}", "x", "\\u005fid", false, false },
  };

  (void) test;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    run_check (&rows[i]);
}

static void
test_check_seen (void **test)
{
  struct override override = { .field = { "a", 1 }, .stamp = at (20, 2) };
  struct stamp seen = at (30, 3);
  struct state state = { .whole = at (10, 1),
                         .overrides = &override,
                         .n_overrides = 1,
                         .seen = &seen,
                         .n_seen = 1,
                         .body = slice_text ("{\"_id\":\"x\",\"a\":1}") };
  struct tally_slice id = { "x", 1 };
  struct tally_error err;

  (void) test;
  assert_int_equal (state_check (&state, id, &err), TALLY_OK);
  seen = at (10, 1);
  assert_int_equal (state_check (&state, id, &err), TALLY_INVALID);
  seen = at (11, 1);
  assert_int_equal (state_check (&state, id, &err), TALLY_OK);
  seen = at (20, 2);
  assert_int_equal (state_check (&state, id, &err), TALLY_INVALID);
  seen = at (21, 2);
  assert_int_equal (state_check (&state, id, &err), TALLY_OK);
  seen = at (9, 3);
  assert_int_equal (state_check (&state, id, &err), TALLY_OK);
}

static void
test_check_size (void **test)
{
  size_t size = TALLY_DOCUMENT_MAX;
  struct state state = { .whole = at (10, 1) };
  struct tally_error err;
  char *body = malloc (size + 1);

  (void) test;
  assert_non_null (body);
  memcpy (body, "{\"_id\":\"", 8);
  for (int more = 0; more < 2; more++) {
    struct tally_slice id = { "x", 1 };

    memset (body + 8, 'x', size - 8 + 1);
    memcpy (body + 8, "x\",\"a\":\"", 8);
    memcpy (body + size + more - 2, "\"}", 2);
    state.body = slice_make (body, size + (size_t) more);
    assert_int_equal (state_check (&state, id, &err),
                      more ? TALLY_INVALID : TALLY_OK);
  }
  free (body);
}

/* ---- revision ----------------------------------------------------------- */

static void
test_rev_is_the_state (void **test)
{
  struct rng rng = rng_start ("rev");
  struct tally_slice id = { "x", 1 };
  unsigned equal = 0;

  (void) test;
  for (unsigned i = 0; i < 50000; i++) {
    struct state a, b;
    unsigned char ra[TALLY_REV_SIZE], rb[TALLY_REV_SIZE];
    struct stamp newest;
    bool is_same;

    draw (&rng, &a, 1);
    draw (&rng, &b, 1);
    state_rev (&a, id, ra);
    state_rev (&b, id, rb);
    is_same = same (&a, &b, false);
    equal += is_same;
    assert_int_equal (memcmp (ra, rb, sizeof ra) == 0, is_same);
    newest = state_newest (&a);
    assert_memory_equal (ra, newest.bytes, STAMP_SIZE);
    state_rev (&a, slice_text ("y"), rb);
    assert_memory_not_equal (ra, rb, sizeof ra);
    state_free (&a);
    state_free (&b);
  }
  assert_int_not_equal (equal, 0);
}

/* What moves from one part to the next must change the hash. */
static void
test_rev_separates_parts (void **test)
{
  struct override one[] = { { .field = { "ab", 2 }, .stamp = at (11, 1) } };
  struct override two[] = { { .field = { "a", 1 }, .stamp = at (11, 1) } };
  struct state a = { .whole = at (10, 1),
                     .overrides = one,
                     .n_overrides = 1,
                     .body = slice_text ("c") };
  struct state b = { .whole = at (10, 1),
                     .overrides = two,
                     .n_overrides = 1,
                     .body = slice_text ("bc") };
  unsigned char ra[TALLY_REV_SIZE], rb[TALLY_REV_SIZE];

  (void) test;
  state_rev (&a, slice_text ("x"), ra);
  state_rev (&b, slice_text ("x"), rb);
  assert_memory_not_equal (ra, rb, sizeof ra);
}

/* What a store gave of a revision must be right, be it a part or all. */
static void
test_part_of_a_rev_is_checked (void **state)
{
  struct state made = { .whole = at (5, 1),
                        .body = slice_text ("{\"_id\":\"x\",\"a\":1}") };
  struct tally_doc doc = { .id = slice_text ("x") }, part, got;
  struct buf meta = BUF_INIT;
  struct tally_error err;

  (void) state;
  state_encode (&made, &meta);
  doc.meta = buf_slice (&meta);
  doc.body = made.body;
  state_rev (&made, doc.id, doc.rev);
  part = doc;
  memset (part.rev + TALLY_REV_PART, 0, TALLY_REV_SIZE - TALLY_REV_PART);
  got = part;
  assert_int_equal (state_complete (&got, "s", &err), TALLY_OK);
  assert_memory_equal (got.rev, doc.rev, TALLY_REV_SIZE);
  got = doc;
  assert_int_equal (state_complete (&got, "s", &err), TALLY_OK);
  for (size_t i = 0; i < TALLY_REV_SIZE; i++) {
    got = i < TALLY_REV_PART ? part : doc;
    got.rev[i] ^= 1;
    assert_int_equal (state_complete (&got, "s", &err), TALLY_CORRUPT);
  }
  got = part;
  got.body = slice_text ("{\"_id\":\"x\",\"a\":2}");
  assert_int_equal (state_complete (&got, "s", &err), TALLY_CORRUPT);
  buf_free (&meta);
}

/* ---- knowing ------------------------------------------------------------ */

static bool
knows (const struct state *state, uint64_t ms, uint32_t client,
       const struct strict *strict)
{
  struct stamp stamp = at (ms, client);

  return state_knows (state, &stamp, strict);
}

static void
test_knows (void **test)
{
  struct override overrides[] = { { .field = { "a", 1 }, .stamp = at (20, 2) },
                                  { .field = { "b", 1 },
                                    .stamp = at (25, 1) } };
  struct stamp seen[] = { at (30, 2), at (15, 3) };
  struct state state = { .whole = at (10, 1),
                         .overrides = overrides,
                         .n_overrides = 2,
                         .seen = seen,
                         .n_seen = 2 };
  uint32_t clients[] = { 2, 3 };
  struct strict strict = { clients, 2 };

  (void) test;
  assert_true (knows (&state, 10, 1, NULL));
  assert_true (knows (&state, 25, 1, NULL));
  assert_false (knows (&state, 26, 1, NULL));
  assert_true (knows (&state, 30, 2, NULL));
  assert_false (knows (&state, 31, 2, NULL));
  assert_true (knows (&state, 15, 3, NULL));
  assert_false (knows (&state, 16, 3, NULL));
  assert_false (knows (&state, 1, 4, NULL));
  /* Of these clients only what stands counts. */
  assert_true (knows (&state, 20, 2, &strict));
  assert_false (knows (&state, 19, 2, &strict));
  assert_false (knows (&state, 30, 2, &strict));
  assert_false (knows (&state, 15, 3, &strict));
  assert_true (knows (&state, 11, 1, &strict));
}

static void
test_knows_all (void **test)
{
  struct override override = { .field = { "a", 1 }, .stamp = at (20, 2) };
  struct state old = { .whole = at (10, 1) };
  struct state new = { .whole = at (10, 1),
                       .overrides = &override,
                       .n_overrides = 1 };

  (void) test;
  assert_true (state_knows_all (&new, &old, NULL));
  assert_true (state_knows_all (&new, &new, NULL));
  assert_false (state_knows_all (&old, &new, NULL));
  old.whole = at (11, 3);
  assert_false (state_knows_all (&new, &old, NULL));
}

static void
test_seen_keeps_the_newest (void **test)
{
  struct stamp seen[2][STATE_SEEN_MAX];
  struct state a = { .whole = at (1, 9000),
                     .seen = seen[0],
                     .n_seen = STATE_SEEN_MAX };
  struct state b = { .whole = at (2, 9001),
                     .seen = seen[1],
                     .n_seen = STATE_SEEN_MAX };
  const struct state *const from[] = { &a, &b };
  struct state out = { .whole = at (99999, 9002) };

  (void) test;
  for (uint32_t i = 0; i < STATE_SEEN_MAX; i++) {
    /* Odd clients are newer. */
    seen[0][i] = at (100 + i, 2 * i);
    seen[1][i] = at (1000 + i, 2 * i + 1);
  }
  assert_true (state_build_seen (&out, from, 2));
  assert_int_equal (out.n_seen, STATE_SEEN_MAX);
  for (size_t i = 0; i < STATE_SEEN_MAX; i++)
    assert_memory_equal (&out.seen[i], &seen[1][i], STAMP_SIZE);
  state_free (&out);
}

static void
test_seen_leaves_out_what_stands (void **test)
{
  struct override overrides[] = { { .field = { "a", 1 },
                                    .stamp = at (50, 1) } };
  struct stamp seen[] = { at (40, 1), at (60, 2), at (70, 3) };
  struct state from = { .whole = at (5, 4), .seen = seen, .n_seen = 3 };
  const struct state *const list[] = { &from };
  struct state out = { .whole = at (60, 2),
                       .overrides = overrides,
                       .n_overrides = 1 };

  (void) test;
  assert_true (state_build_seen (&out, list, 1));
  assert_int_equal (out.n_seen, 2);
  assert_memory_equal (&out.seen[0], &seen[2], STAMP_SIZE);
  assert_memory_equal (&out.seen[1], &from.whole, STAMP_SIZE);
  free (out.seen);
}

/* ---- walking ------------------------------------------------------------ */

static void
test_cursor (void **test)
{
  static const struct {
    const char *key, *value;
    uint64_t ms;
  } rows[] = { { "A", "1", 10 },
               { "B", NULL, 11 },
               { "a", "2", 12 },
               { "c", "3", 10 },
               { "d", NULL, 13 } };
  struct override overrides[] = { { .field = { "B", 1 }, .stamp = at (11, 1) },
                                  { .field = { "a", 1 }, .stamp = at (12, 1) },
                                  { .field = { "d", 1 },
                                    .stamp = at (13, 1) } };
  struct state state = { .whole = at (10, 1),
                         .overrides = overrides,
                         .n_overrides = 3,
                         .body = slice_text (
                             "{\"A\":1,\"_id\":\"x\",\"a\":2,\"c\":3}") };
  struct field_cursor cursor;
  struct field field;

  (void) test;
  field_cursor_start (&cursor, &state);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct stamp stamp = at (rows[i].ms, 1);

    assert_true (field_cursor_next (&cursor, &field));
    assert_true (slice_equal (field.key, slice_text (rows[i].key)));
    assert_int_equal (field.value.data != NULL, rows[i].value != NULL);
    assert_true (slice_equal (field.value, slice_text (rows[i].value)));
    assert_memory_equal (&field.stamp, &stamp, STAMP_SIZE);
  }
  assert_false (field_cursor_next (&cursor, &field));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_round_trip),
    cmocka_unit_test (test_large_counts),
    cmocka_unit_test (test_broken_beginnings),
    cmocka_unit_test (test_broken_overrides),
    cmocka_unit_test (test_broken_counts),
    cmocka_unit_test (test_broken_seen),
    cmocka_unit_test (test_truncated),
    cmocka_unit_test (test_mutated),
    cmocka_unit_test (test_check),
    cmocka_unit_test (test_check_field_names),
    cmocka_unit_test (test_check_seen),
    cmocka_unit_test (test_check_size),
    cmocka_unit_test (test_rev_is_the_state),
    cmocka_unit_test (test_rev_separates_parts),
    cmocka_unit_test (test_part_of_a_rev_is_checked),
    cmocka_unit_test (test_knows),
    cmocka_unit_test (test_knows_all),
    cmocka_unit_test (test_seen_keeps_the_newest),
    cmocka_unit_test (test_seen_leaves_out_what_stands),
    cmocka_unit_test (test_cursor),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
