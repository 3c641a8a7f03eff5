/* SPDX-License-Identifier: MIT */
/* Local writes: which fields a put assigns, and when it is a whole write. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/edit.h"
#include "../core/json.h"

static struct stamp
at (uint64_t ms, uint32_t client)
{
  struct stamp stamp;

  assert_true (stamp_make (&stamp, ms, 0, client));
  return stamp;
}

/* "W" and the whole stamp's ms, "D" for a delete, "field@ms" for overrides,
 * "client!ms" for seen. */
static void
assert_state (const struct state *state, const char *expected)
{
  struct buf text = BUF_INIT;

  buf_addf (&text, "%c%llu", state->deleted ? 'D' : 'W',
            (unsigned long long) stamp_ms (&state->whole));
  for (size_t i = 0; i < state->n_overrides; i++)
    buf_addf (&text, " %.*s@%llu", (int) state->overrides[i].field.size,
              state->overrides[i].field.data,
              (unsigned long long) stamp_ms (&state->overrides[i].stamp));
  for (size_t i = 0; i < state->n_seen; i++)
    buf_addf (&text, " %lu!%llu",
              (unsigned long) stamp_client (&state->seen[i]),
              (unsigned long long) stamp_ms (&state->seen[i]));
  buf_add_byte (&text, '\0');
  assert_false (text.failed);
  assert_string_equal (text.data, expected);
  buf_free (&text);
}

/* Puts the body over *state at this time; false: nothing changed. */
static bool
put (struct state *state, const char *body, bool replace, uint64_t ms,
     uint32_t client)
{
  struct stamp stamp = at (ms, client);
  struct state next;
  struct tally_error err;
  bool changed, first = stamp_ms (&state->whole) == 0;

  assert_int_equal (edit_put (&next, &changed, first ? NULL : state,
                              slice_text (body), replace, &stamp, &err),
                    TALLY_OK);
  if (!changed)
    return false;
  assert_true (slice_equal (next.body, slice_text (body)));
  assert_int_equal (state_check (&next, slice_text ("x"), &err), TALLY_OK);
  state_free (state);
  *state = next;
  return true;
}

static void
remove_it (struct state *state, uint64_t ms, uint32_t client)
{
  struct stamp stamp = at (ms, client);
  struct state next;
  struct tally_error err;

  assert_int_equal (edit_delete (&next, state, &stamp, &err), TALLY_OK);
  assert_int_equal (next.body.size, 0);
  state_free (state);
  *state = next;
}

static void
test_insert_is_a_whole_write (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  assert_true (put (&state, "{\"_id\":\"x\",\"a\":1}", false, 10, 1));
  assert_state (&state, "W10");
  state_free (&state);
}

static void
test_a_put_assigns_what_differs (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\",\"a\":1,\"b\":2,\"c\":3}", false, 10, 1);
  assert_true (
      put (&state, "{\"_id\":\"x\",\"a\":1,\"b\":5,\"d\":4}", false, 20, 2));
  assert_state (&state, "W10 b@20 c@20 d@20");
  /* c stays removed, d goes, b comes back to an old value. */
  assert_true (put (&state, "{\"_id\":\"x\",\"a\":1,\"b\":2}", false, 30, 1));
  assert_state (&state, "W10 b@30 c@20 d@30");
  assert_true (
      put (&state, "{\"_id\":\"x\",\"a\":1,\"b\":2,\"c\":3}", false, 40, 1));
  assert_state (&state, "W10 b@30 c@40 d@30 2!20");
  state_free (&state);
}

static void
test_a_put_of_the_same_changes_nothing (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\",\"a\":1}", false, 10, 1);
  assert_false (put (&state, "{\"_id\":\"x\",\"a\":1}", false, 20, 1));
  put (&state, "{\"_id\":\"x\"}", false, 20, 1);
  assert_false (put (&state, "{\"_id\":\"x\"}", false, 30, 1));
  assert_state (&state, "W10 a@20");
  state_free (&state);
}

/* Numbers keep their digits, so other digits are another value. */
static void
test_digits_count (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\",\"a\":1}", false, 10, 1);
  assert_true (put (&state, "{\"_id\":\"x\",\"a\":1.0}", false, 20, 1));
  assert_state (&state, "W10 a@20");
  state_free (&state);
}

static void
test_null_is_not_absent (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\"}", false, 10, 1);
  assert_true (put (&state, "{\"_id\":\"x\",\"a\":null}", false, 20, 1));
  assert_true (put (&state, "{\"_id\":\"x\"}", false, 30, 1));
  assert_state (&state, "W10 a@30");
  state_free (&state);
}

static void
test_replace_is_a_whole_write (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\",\"a\":1}", false, 10, 1);
  put (&state, "{\"_id\":\"x\",\"a\":2}", false, 20, 2);
  assert_true (put (&state, "{\"_id\":\"x\",\"a\":2}", true, 30, 3));
  assert_state (&state, "W30 1!10 2!20");
  state_free (&state);
}

static void
test_delete_and_write_again (void **test)
{
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\",\"a\":1}", false, 10, 1);
  put (&state, "{\"_id\":\"x\",\"a\":2}", false, 20, 2);
  remove_it (&state, 30, 3);
  assert_state (&state, "D30 1!10 2!20");
  assert_true (put (&state, "{\"_id\":\"x\",\"a\":2}", false, 40, 1));
  assert_state (&state, "W40 2!20 3!30");
  state_free (&state);
}

/* A hidden field write is neither in the new body nor an override of it. */
static void
test_a_put_over_hidden_fields (void **test)
{
  struct override hidden = { .field = { "k", 1 }, .stamp = at (20, 2) };
  struct state state = { .whole = at (10, 1),
                         .deleted = true,
                         .overrides = &hidden,
                         .n_overrides = 1,
                         .body = slice_text ("{\"k\":1}") };
  struct stamp stamp = at (30, 3);
  struct tally_error err;
  struct state out;
  bool changed;

  (void) test;
  assert_int_equal (edit_put (&out, &changed, &state,
                              slice_text ("{\"_id\":\"x\"}"), false, &stamp,
                              &err),
                    TALLY_OK);
  assert_true (changed);
  assert_state (&out, "W30 1!10 2!20");
  state_free (&out);
}

/* ---- the bound on overrides --------------------------------------------- */

static void
fields (struct buf *body, unsigned n, unsigned value)
{
  buf_clear (body);
  buf_add_text (body, "{\"_id\":\"x\"");
  for (unsigned i = 0; i < n; i++)
    buf_addf (body, ",\"f%03u\":%u", i, value);
  buf_add (body, "}", 2); /* with its NUL */
}

/* Many fields that all changed are still fields. */
static void
test_many_live_overrides_stay (void **test)
{
  struct state state = { .deleted = false };
  struct buf first = BUF_INIT, second = BUF_INIT;

  (void) test;
  fields (&first, 200, 1);
  fields (&second, 200, 2);
  put (&state, first.data, false, 10, 1);
  assert_true (put (&state, second.data, false, 20, 1));
  assert_int_equal (state.n_overrides, 200);
  state_free (&state);
  buf_free (&first);
  buf_free (&second);
}

static void
test_removed_fields_end_in_a_whole_write (void **test)
{
  struct state state = { .deleted = false };
  struct buf body = BUF_INIT;

  (void) test;
  fields (&body, EDIT_OVERRIDES_MAX + 1, 1);
  put (&state, body.data, false, 10, 1);
  /* 64 removed, one left: not over 64. */
  assert_true (put (&state, "{\"_id\":\"x\",\"f000\":1}", false, 20, 1));
  assert_int_equal (state.n_overrides, EDIT_OVERRIDES_MAX);
  assert_true (
      put (&state, "{\"_id\":\"x\",\"f000\":1,\"z\":1}", false, 30, 1));
  assert_state (&state, "W30");
  state_free (&state);
  buf_free (&body);
}

/* A field that comes and goes under ever new names. */
static void
test_overrides_stay_bounded (void **test)
{
  static char bodies[1000][40];
  struct state state = { .deleted = false };

  (void) test;
  put (&state, "{\"_id\":\"x\"}", false, 10, 1);
  for (unsigned i = 0; i < 1000; i++) {
    snprintf (bodies[i], sizeof bodies[i], "{\"_id\":\"x\",\"n%04u\":1}", i);
    assert_true (put (&state, bodies[i], false, 20 + i, 1));
    assert_true (state.n_overrides <= EDIT_OVERRIDES_MAX);
  }
  state_free (&state);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_insert_is_a_whole_write),
    cmocka_unit_test (test_a_put_assigns_what_differs),
    cmocka_unit_test (test_a_put_of_the_same_changes_nothing),
    cmocka_unit_test (test_digits_count),
    cmocka_unit_test (test_null_is_not_absent),
    cmocka_unit_test (test_replace_is_a_whole_write),
    cmocka_unit_test (test_delete_and_write_again),
    cmocka_unit_test (test_a_put_over_hidden_fields),
    cmocka_unit_test (test_many_live_overrides_stay),
    cmocka_unit_test (test_removed_fields_end_in_a_whole_write),
    cmocka_unit_test (test_overrides_stay_bounded),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
