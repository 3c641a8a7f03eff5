/* SPDX-License-Identifier: MIT */
/* Stamps and the clock against vectors of TinyBase's own functions.  What
 * these wrap or read as zero without a word is an error here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../core/hlc.h"
#include "rng.h"

#define OWN_NAME "s1"

static json_t *vectors;
static uint64_t max_future_ms;

static int
load (void **state)
{
  json_error_t error;

  (void) state;
  vectors = json_load_file (TEST_DATA "/hlc-vectors.json", 0, &error);
  if (!vectors) {
    fprintf (stderr, "%s\n", error.text);
    return -1;
  }
  max_future_ms = (uint64_t) json_integer_value (
      json_object_get (vectors, "maxFutureOffsetMs"));
  return 0;
}

static int
unload (void **state)
{
  (void) state;
  json_decref (vectors);
  return 0;
}

static const json_t *
group (const char *name)
{
  const json_t *rows = json_object_get (vectors, name);

  assert_true (json_is_array (rows));
  assert_int_not_equal (json_array_size (rows), 0);
  return rows;
}

static const char *
text_of (const json_t *row, const char *key)
{
  const char *text = json_string_value (json_object_get (row, key));

  assert_non_null (text);
  return text;
}

static int64_t
number_of (const json_t *row, const char *key)
{
  const json_t *value = json_object_get (row, key);

  assert_true (json_is_integer (value));
  return json_integer_value (value);
}

/* The five characters of a client id. */
static void
assert_client (uint32_t client, const char *expected)
{
  char text[STAMP_TEXT + 1];
  struct stamp stamp;

  assert_true (stamp_make (&stamp, 0, 0, client));
  stamp_to_text (text, &stamp);
  assert_string_equal (text + 11, expected);
}

static struct stamp
stamp_of (const char *text)
{
  struct stamp stamp;

  assert_true (stamp_from_text (&stamp, text, strlen (text)));
  return stamp;
}

/* ---- names -------------------------------------------------------------- */

static void
test_client_ids (void **state)
{
  const json_t *rows = group ("client_ids");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    const json_t *row = json_array_get (rows, i);
    const char *name = text_of (row, "uniqueId");

    assert_client (hlc_client_of_name (name, strlen (name)),
                   text_of (row, "clientId"));
  }
}

static void
test_fnv1a (void **state)
{
  const json_t *rows = group ("fnv1a");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    const json_t *row = json_array_get (rows, i);
    const char *name = text_of (row, "string");

    assert_int_equal (hlc_client_of_name (name, strlen (name)),
                      number_of (row, "hash") & HLC_CLIENT_MAX);
  }
}

/* ---- bytes and text ----------------------------------------------------- */

static bool
make (struct stamp *out, const json_t *row)
{
  const char *name =
      json_string_value (json_object_get (row, "clientUniqueId"));

  if (!name)
    name = OWN_NAME;
  return number_of (row, "counter") <= UINT32_MAX
         && stamp_make (out, (uint64_t) number_of (row, "time"),
                        (uint32_t) number_of (row, "counter"),
                        hlc_client_of_name (name, strlen (name)));
}

static void
test_encode (void **state)
{
  const json_t *rows = group ("encode");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    const json_t *row = json_array_get (rows, i);
    char text[STAMP_TEXT + 1];
    struct stamp stamp;

    assert_true (make (&stamp, row));
    stamp_to_text (text, &stamp);
    assert_string_equal (text, text_of (row, "hlc"));
  }
}

static void
test_encode_wrap_is_refused (void **state)
{
  const json_t *rows = group ("encode_wrap");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    struct stamp stamp, before;

    memset (&stamp, 0xa5, sizeof stamp);
    before = stamp;
    assert_false (make (&stamp, json_array_get (rows, i)));
    assert_memory_equal (&stamp, &before, sizeof stamp);
  }
}

static void
test_client_out_of_range_is_refused (void **state)
{
  struct stamp stamp;

  (void) state;
  assert_true (stamp_make (&stamp, 0, 0, HLC_CLIENT_MAX));
  assert_false (stamp_make (&stamp, 0, 0, HLC_CLIENT_MAX + 1));
}

static void
test_decode (void **state)
{
  const json_t *rows = group ("decode");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    const json_t *row = json_array_get (rows, i);
    struct stamp stamp = stamp_of (text_of (row, "hlc"));
    char text[STAMP_TEXT + 1];

    assert_int_equal (stamp_ms (&stamp), number_of (row, "time"));
    assert_int_equal (stamp_counter (&stamp), number_of (row, "counter"));
    assert_client (stamp_client (&stamp), text_of (row, "client"));
    stamp_to_text (text, &stamp);
    assert_string_equal (text, text_of (row, "hlc"));
  }
}

static void
test_decode_invalid_is_refused (void **state)
{
  const json_t *rows = group ("decode_invalid");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    const char *text = text_of (json_array_get (rows, i), "hlc");
    struct stamp stamp;

    assert_false (stamp_from_text (&stamp, text, strlen (text)));
  }
}

/* Every byte in every place. */
static void
test_unknown_characters_are_refused (void **state)
{
  const char *alphabet = text_of (vectors, "alphabet");
  struct stamp stamp;

  (void) state;
  for (size_t at = 0; at < STAMP_TEXT; at++)
    for (int c = 0; c < 256; c++) {
      char text[] = "NnLbBO-----00000";

      text[at] = (char) c;
      assert_int_equal (stamp_from_text (&stamp, text, STAMP_TEXT),
                        c != 0 && strchr (alphabet, c) != NULL);
    }
}

static void
test_other_lengths_are_refused (void **state)
{
  static const char text[] = "NnLbBO-----00000-";
  struct stamp stamp;

  (void) state;
  for (size_t size = 0; size < sizeof text; size++)
    assert_int_equal (stamp_from_text (&stamp, text, size),
                      size == STAMP_TEXT);
}

static int
sign (int order)
{
  return (order > 0) - (order < 0);
}

static void
test_ordering (void **state)
{
  const json_t *rows = group ("ordering");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++) {
    const json_t *row = json_array_get (rows, i);
    struct stamp a = stamp_of (text_of (row, "a"));
    struct stamp b = stamp_of (text_of (row, "b"));

    assert_int_equal (sign (stamp_cmp (&a, &b)), number_of (row, "cmp"));
    assert_int_equal (sign (stamp_cmp (&b, &a)), -number_of (row, "cmp"));
  }
}

/* memcmp of bytes, strcmp of text and the order of the parts are one, and
 * text and bytes go both ways. */
static void
test_one_order (void **state)
{
  struct rng rng = rng_start ("stamps");

  (void) state;
  for (unsigned i = 0; i < 100000; i++) {
    struct stamp stamps[2], again;
    char text[2][STAMP_TEXT + 1];
    int order = 0;
    uint64_t part[2][3];

    for (int k = 0; k < 2; k++) {
      bool near = rng_one_in (&rng, 2);

      part[k][0] = rng_next (&rng) & (near ? 1 : HLC_MS_MAX);
      part[k][1] = rng_next (&rng) & (near ? 1 : HLC_COUNTER_MAX);
      part[k][2] = rng_next (&rng) & HLC_CLIENT_MAX;
      assert_true (stamp_make (&stamps[k], part[k][0], (uint32_t) part[k][1],
                               (uint32_t) part[k][2]));
      stamp_to_text (text[k], &stamps[k]);
      again = stamp_of (text[k]);
      assert_memory_equal (&again, &stamps[k], sizeof again);
      assert_int_equal (stamp_ms (&again), part[k][0]);
      assert_int_equal (stamp_counter (&again), part[k][1]);
      assert_int_equal (stamp_client (&again), part[k][2]);
    }
    for (int k = 0; k < 3 && order == 0; k++)
      order = (part[0][k] > part[1][k]) - (part[0][k] < part[1][k]);
    assert_int_equal (sign (stamp_cmp (&stamps[0], &stamps[1])), order);
    assert_int_equal (sign (strcmp (text[0], text[1])), order);
  }
}

/* ---- the clock ---------------------------------------------------------- */

static void
assert_after (const struct hlc *clock, const json_t *step)
{
  const json_t *after = json_object_get (step, "after");

  assert_int_equal (clock->ms, number_of (after, "time"));
  assert_int_equal (clock->counter, number_of (after, "counter"));
}

static void
run_sequence (const json_t *sequence)
{
  const json_t *steps = json_object_get (sequence, "steps");
  const char *name = text_of (sequence, "uniqueId");
  struct hlc clock = { 0, -1, hlc_client_of_name (name, strlen (name)) };
  uint64_t now = 0;

  assert_client (clock.client, text_of (sequence, "clientId"));
  for (size_t i = 0; i < json_array_size (steps); i++) {
    const json_t *step = json_array_get (steps, i);
    const char *op = text_of (step, "op");
    struct stamp stamp;

    if (strcmp (op, "now") == 0) {
      now = (uint64_t) number_of (step, "value");
      continue;
    }
    stamp = stamp_of (text_of (step, "hlc"));
    if (strcmp (op, "next") == 0) {
      struct stamp next;

      assert_true (hlc_next (&clock, now, &next));
      assert_memory_equal (&next, &stamp, sizeof next);
    }
    /* The bound is the caller's, here as in a replica. */
    else if (stamp_ms (&stamp) <= now + max_future_ms)
      hlc_seen (&clock, now, &stamp);
    assert_after (&clock, step);
  }
}

static void
test_sequences (void **state)
{
  const json_t *rows = group ("sequences");

  (void) state;
  for (size_t i = 0; i < json_array_size (rows); i++)
    run_sequence (json_array_get (rows, i));
}

static void
test_end_of_time (void **state)
{
  struct hlc clock = { HLC_MS_MAX, (int32_t) HLC_COUNTER_MAX - 1, 7 };
  struct stamp stamp;

  (void) state;
  assert_true (hlc_next (&clock, 0, &stamp));
  assert_false (hlc_next (&clock, 0, &stamp));
  assert_false (hlc_next (&clock, HLC_MS_MAX + 1, &stamp));
  assert_int_equal (clock.ms, HLC_MS_MAX);
  assert_int_equal (clock.counter, HLC_COUNTER_MAX);
}

static void
test_clock_rises_whatever_comes (void **state)
{
  struct rng rng = rng_start ("clock");
  struct hlc clock = { 0, -1, 5 };
  struct stamp last, stamp;

  (void) state;
  memset (&last, 0, sizeof last);
  for (unsigned i = 0; i < 100000; i++) {
    uint64_t wall = 1000 + rng_below (&rng, 50 + i / 100);

    if (rng_one_in (&rng, 3)) {
      uint32_t counter = rng_one_in (&rng, 9)
                             ? HLC_COUNTER_MAX - rng_below (&rng, 2)
                             : rng_below (&rng, 4);

      assert_true (stamp_make (&stamp, 1000 + rng_below (&rng, 2000), counter,
                               rng_below (&rng, 9)));
      hlc_seen (&clock, wall, &stamp);
      if (stamp_cmp (&stamp, &last) > 0)
        last = stamp;
    } else {
      assert_true (hlc_next (&clock, wall, &stamp));
      assert_true (stamp_cmp (&stamp, &last) > 0);
      assert_true (stamp_ms (&stamp) >= wall);
      last = stamp;
    }
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_client_ids),
    cmocka_unit_test (test_fnv1a),
    cmocka_unit_test (test_encode),
    cmocka_unit_test (test_encode_wrap_is_refused),
    cmocka_unit_test (test_client_out_of_range_is_refused),
    cmocka_unit_test (test_decode),
    cmocka_unit_test (test_decode_invalid_is_refused),
    cmocka_unit_test (test_unknown_characters_are_refused),
    cmocka_unit_test (test_other_lengths_are_refused),
    cmocka_unit_test (test_ordering),
    cmocka_unit_test (test_one_order),
    cmocka_unit_test (test_sequences),
    cmocka_unit_test (test_end_of_time),
    cmocka_unit_test (test_clock_rises_whatever_comes),
  };

  return cmocka_run_group_tests (tests, load, unload);
}
