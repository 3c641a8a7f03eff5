/* SPDX-License-Identifier: MIT */
/* New places for writes of a clock that was wrong, over random histories: what
 * a repair makes, and what merges make of it, in whichever order they come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/edit.h"
#include "../core/repair.h"
#include "history.h"

#define RUNS 3000u
#define FRESH 64
#define CLIENT_A 100
#define CLIENT_B 200

/* A state that owns its body. */
struct made {
  struct state state;
  struct buf body;
};

static void
made_free (struct made *made)
{
  state_free (&made->state);
  buf_free (&made->body);
}

static void
repair (struct made *out, const struct state *state, uint64_t limit,
        uint64_t ms, uint32_t client)
{
  struct stamp fresh[FRESH];
  size_t n = repair_needs (state, limit);

  assert_true (n <= FRESH);
  for (size_t i = 0; i < n; i++)
    assert_true (stamp_make (&fresh[i], ms, (uint32_t) i, client));
  memset (out, 0, sizeof *out);
  assert_true (repair_state (&out->state, state, limit, fresh));
}

static int
count_loser (void *ctx, const struct loser *loser)
{
  (void) loser;
  ++*(unsigned *) ctx;
  return TALLY_OK;
}

static void
merge (struct made *out, const struct state *a, const struct state *b,
       unsigned *losers)
{
  struct merge_rules rules = { 0 };
  struct tally_error err;

  memset (out, 0, sizeof *out);
  rules.loser = losers ? count_loser : NULL;
  rules.ctx = losers;
  assert_int_equal (merge_states (&out->state, &out->body, a, b, &rules, &err),
                    TALLY_OK);
}

static void
assert_same (const struct state *a, const struct state *b)
{
  struct buf x = BUF_INIT, y = BUF_INIT;

  state_encode (a, &x);
  state_encode (b, &y);
  assert_int_equal (a->deleted, b->deleted);
  assert_true (slice_equal (buf_slice (&x), buf_slice (&y)));
  assert_true (slice_equal (a->body, b->body));
  buf_free (&y);
  buf_free (&x);
}

/* The same fields at the same stamps, whatever either has seen. */
static void
assert_same_rev (const struct state *a, const struct state *b)
{
  unsigned char x[TALLY_REV_SIZE], y[TALLY_REV_SIZE];

  state_rev (a, slice_text ("x"), x);
  state_rev (b, slice_text ("x"), y);
  assert_memory_equal (x, y, sizeof x);
}

static void
assert_well_formed (const struct state *state)
{
  struct buf meta = BUF_INIT;
  struct tally_error err;
  struct state again;

  state_encode (state, &meta);
  assert_int_equal (state_decode (&again, state->deleted, buf_slice (&meta),
                                  state->body, &err),
                    TALLY_OK);
  assert_int_equal (state_check (&again, slice_text ("x"), &err), TALLY_OK);
  state_free (&again);
  buf_free (&meta);
}

static const struct version *
pick (const struct history *history)
{
  return &history->versions[rng_below (history->rng,
                                       (uint32_t) history->n_versions)];
}

static void
run_history (struct history *history, struct rng *rng)
{
  do {
    history_free (history);
    history_run (history, rng, false, 2 + rng_below (rng, 4), 36);
  } while (history->n_versions == 0);
}

/* ---- what a repair makes ------------------------------------------------ */

static void
check_place (const struct stamp *old, const struct stamp *new,
             const struct stamp *first, uint64_t limit)
{
  if (stamp_ms (old) <= limit) {
    assert_int_equal (stamp_cmp (old, new), 0);
    assert_true (stamp_is_zero (first));
  } else {
    assert_int_equal (stamp_client (new), CLIENT_A);
    assert_true (stamp_ms (new) <= limit);
    assert_int_equal (stamp_cmp (old, first), 0);
  }
}

static void
check_repair (const struct state *old, const struct state *new, uint64_t limit)
{
  struct stamp newest = state_newest (old);

  assert_well_formed (new);
  assert_true (state_knows_all (new, old, NULL));
  assert_true (state_knows_all (old, new, NULL));
  for (size_t i = 0; i < old->n_seen; i++)
    assert_true (state_knows (new, &old->seen[i], NULL));
  if (stamp_ms (&newest) > limit)
    assert_int_equal (stamp_cmp (&new->undone, &newest), 0);
  else
    assert_true (stamp_is_zero (&new->undone));
  assert_int_equal (new->n_overrides, old->n_overrides);
  check_place (&old->whole, &new->whole, &new->whole_first, limit);
  for (size_t i = 0; i < old->n_overrides; i++) {
    const struct stamp *was = &old->overrides[i].stamp;
    const struct stamp *is = &new->overrides[i].stamp;

    check_place (was, is, &new->overrides[i].first, limit);
    /* In their order. */
    for (size_t j = 0; j < i; j++)
      assert_int_equal ((stamp_cmp (&old->overrides[j].stamp, was) > 0),
                        (stamp_cmp (&new->overrides[j].stamp, is) > 0));
    /* Above what stays, and what was seen. */
    for (size_t j = 0; j < old->n_seen; j++)
      if (stamp_ms (was) > limit && stamp_ms (&old->seen[j]) <= limit)
        assert_true (stamp_cmp (is, &old->seen[j]) > 0);
  }
}

static void
test_stamps (void **state)
{
  struct rng rng = rng_start ("stamps");
  static struct history history;

  (void) state;
  for (unsigned run = 0; run < rng_tries (RUNS); run++) {
    run_history (&history, &rng);
    for (unsigned i = 0; i < 10; i++) {
      const struct state *old = &pick (&history)->state;
      uint64_t limit = 8 + rng_below (&rng, 40);
      struct made new;

      repair (&new, old, limit, rng_below (&rng, (uint32_t) limit + 1),
              CLIENT_A);
      check_repair (old, &new.state, limit);
      made_free (&new);
    }
  }
  history_free (&history);
}

/* ---- laws --------------------------------------------------------------- */

static void
check_laws (const struct state *a, const struct state *b)
{
  struct made ab, ba, again;

  merge (&ab, a, b, NULL);
  merge (&ba, b, a, NULL);
  assert_well_formed (&ab.state);
  assert_same (&ab.state, &ba.state);
  merge (&again, &ab.state, a, NULL);
  assert_same (&again.state, &ab.state);
  made_free (&again);
  merge (&again, b, &ab.state, NULL);
  assert_same (&again.state, &ab.state);
  made_free (&again);
  merge (&again, &ab.state, &ab.state, NULL);
  assert_same (&again.state, &ab.state);
  made_free (&again);
  made_free (&ba);
  made_free (&ab);
}

static void
test_laws (void **state)
{
  struct rng rng = rng_start ("laws");
  static struct history history;

  (void) state;
  for (unsigned run = 0; run < rng_tries (RUNS); run++) {
    run_history (&history, &rng);
    for (unsigned i = 0; i < 10; i++) {
      const struct state *a = &pick (&history)->state;
      const struct state *b = &pick (&history)->state;
      uint64_t limit = 8 + rng_below (&rng, 40);
      struct made ra, rb, mixed;

      repair (&ra, a, limit, limit, CLIENT_A);
      repair (&rb, b, limit, limit, CLIENT_B);
      merge (&mixed, &ra.state, b, NULL);
      check_laws (a, b);
      check_laws (a, &ra.state);
      check_laws (a, &rb.state);
      check_laws (&ra.state, &rb.state);
      check_laws (&mixed.state, a);
      check_laws (&mixed.state, &rb.state);
      made_free (&mixed);
      made_free (&rb);
      made_free (&ra);
    }
  }
  history_free (&history);
}

/* A repaired state and what it was replace each other, or one of them only the
 * other: a push of what a merge would not make is refused. */
static void
test_replacing (void **state)
{
  struct rng rng = rng_start ("replacing");
  static struct history history;
  unsigned replaced = 0;

  (void) state;
  for (unsigned run = 0; run < rng_tries (RUNS); run++) {
    run_history (&history, &rng);
    for (unsigned i = 0; i < 20; i++) {
      const struct state *a = &pick (&history)->state;
      const struct state *b = &pick (&history)->state;
      uint64_t limit = 8 + rng_below (&rng, 40);
      struct made ra, rb, merged;

      repair (&ra, a, limit, limit, CLIENT_A);
      repair (&rb, b, limit, limit / 2, CLIENT_B);
      if (state_replaces (&ra.state, &rb.state)) {
        merge (&merged, &ra.state, &rb.state, NULL);
        assert_same_rev (&merged.state, &ra.state);
        made_free (&merged);
        replaced++;
      }
      made_free (&rb);
      made_free (&ra);
    }
  }
  assert_true (replaced > rng_tries (RUNS) / 4);
  history_free (&history);
}

/* ---- nothing is lost ---------------------------------------------------- */

/* Which of one side's fields were told of. */
struct told {
  bool from_b;
  const struct state *state;
  char fields[1024];
  bool all;
};

static int
note_loser (void *ctx, const struct loser *loser)
{
  struct told *told = ctx;

  if (loser->from_b != told->from_b)
    return TALLY_OK;
  if (loser->field.size == 0)
    told->all = true;
  else {
    size_t used = strlen (told->fields);

    assert_true (used + loser->field.size + 3 < sizeof told->fields);
    snprintf (told->fields + used, sizeof told->fields - used, "/%.*s/",
              (int) loser->field.size, loser->field.data);
  }
  return TALLY_OK;
}

static bool
was_told (const struct told *told, struct tally_slice key)
{
  char text[64];

  snprintf (text, sizeof text, "/%.*s/", (int) key.size, key.data);
  return told->all || strstr (told->fields, text);
}

static bool
stands (const struct state *state, const struct field *field)
{
  struct field_cursor cursor;
  struct field other;

  field_cursor_start (&cursor, state);
  while (field_cursor_next (&cursor, &other))
    if (slice_equal (other.key, field->key)
        && (slice_equal (other.value, field->value)
            || stamp_cmp (stamp_name (&other.stamp, &other.first),
                          stamp_name (&field->stamp, &field->first))
                   == 0))
      return true;
  return false;
}

/* Each value of `lost` stands in the merge, is known to the other side, or is
 * told of.  What a tombstone hides was told of when it was deleted. */
static void
check_kept (const struct state *a, const struct state *b, bool from_b)
{
  const struct state *lost = from_b ? b : a, *other = from_b ? a : b;
  struct told told = { .from_b = from_b };
  struct merge_rules rules = { .loser = note_loser, .ctx = &told };
  struct made merged = { 0 };
  struct field_cursor cursor;
  struct tally_error err;
  struct field field;

  assert_int_equal (
      merge_states (&merged.state, &merged.body, a, b, &rules, &err),
      TALLY_OK);
  field_cursor_start (&cursor, lost);
  while (field_cursor_next (&cursor, &field))
    if (!lost->deleted && field.value.data && !stands (&merged.state, &field)
        && !state_knows (other, stamp_name (&field.stamp, &field.first), NULL))
      assert_true (was_told (&told, field.key));
  made_free (&merged);
}

static void
test_nothing_is_lost (void **state)
{
  struct rng rng = rng_start ("nothing is lost");
  static struct history history;

  (void) state;
  for (unsigned run = 0; run < rng_tries (RUNS); run++) {
    run_history (&history, &rng);
    for (unsigned i = 0; i < 10; i++) {
      const struct state *a = &pick (&history)->state;
      const struct state *b = &pick (&history)->state;
      uint64_t limit = 8 + rng_below (&rng, 40);
      struct made ra, rb, mixed;

      repair (&ra, a, limit, limit, CLIENT_A);
      repair (&rb, b, limit, limit / 2, CLIENT_B);
      merge (&mixed, &ra.state, b, NULL);
      check_kept (a, &rb.state, false);
      check_kept (a, &rb.state, true);
      check_kept (&ra.state, &rb.state, false);
      check_kept (&ra.state, &rb.state, true);
      check_kept (&mixed.state, &rb.state, false);
      check_kept (&mixed.state, a, true);
      made_free (&mixed);
      made_free (&rb);
      made_free (&ra);
    }
  }
  history_free (&history);
}

/* ---- who wins ----------------------------------------------------------- */

/* A repaired document, and what was written on it, wins over every copy of
 * what it was. */
static void
test_a_repair_wins (void **state)
{
  struct rng rng = rng_start ("a repair wins");
  static struct history history;

  (void) state;
  for (unsigned run = 0; run < rng_tries (RUNS); run++) {
    run_history (&history, &rng);
    for (unsigned i = 0; i < 10; i++) {
      const struct state *old = &pick (&history)->state;
      uint64_t limit = 8 + rng_below (&rng, 40);
      struct made new, merged;
      struct state edited;
      struct stamp stamp, newest;
      struct tally_error err;
      unsigned losers = 0;
      bool changed;

      repair (&new, old, limit, limit - 1, CLIENT_A);
      merge (&merged, old, &new.state, &losers);
      assert_same_rev (&merged.state, &new.state);
      made_free (&merged);
      assert_true (stamp_make (&stamp, limit, 0, CLIENT_A));
      newest = state_newest (&new.state);
      if (stamp_cmp (&newest, &stamp) >= 0) {
        made_free (&new);
        continue;
      }
      assert_int_equal (edit_put (&edited, &changed, &new.state,
                                  slice_text ("{\"_id\":\"x\",\"a\":\"new\"}"),
                                  rng_one_in (&rng, 3), &stamp, &err),
                        TALLY_OK);
      if (changed) {
        merge (&merged, &edited, old, &losers);
        assert_same_rev (&merged.state, &edited);
        made_free (&merged);
        state_free (&edited);
      }
      assert_int_equal (losers, 0);
      made_free (&new);
    }
  }
  history_free (&history);
}

/* Two repair the same document on their own, the one that had less of it
 * later: what the other knew beyond that is not lost, and nobody is told of a
 * conflict. */
static void
test_two_repairs (void **state)
{
  struct rng rng = rng_start ("two repairs");
  static struct history history;
  unsigned met = 0;

  (void) state;
  for (unsigned run = 0; run < rng_tries (RUNS); run++) {
    run_history (&history, &rng);
    for (unsigned i = 0; i < 20; i++) {
      const struct version *less = pick (&history), *more = pick (&history);
      uint64_t limit = 8 + rng_below (&rng, 40);
      struct made a, b, merged;
      unsigned losers = 0;

      if (less->oracle.known & ~more->oracle.known)
        continue;
      repair (&a, &less->state, limit, limit, CLIENT_A);
      repair (&b, &more->state, limit, limit / 2, CLIENT_B);
      merge (&merged, &a.state, &b.state, &losers);
      assert_int_equal (merged.state.deleted, more->state.deleted);
      if (!more->state.deleted)
        assert_true (slice_equal (merged.state.body, more->state.body));
      assert_int_equal (losers, 0);
      met += repair_needs (&less->state, limit) > 0;
      made_free (&merged);
      made_free (&b);
      made_free (&a);
    }
  }
  assert_true (met > rng_tries (RUNS) / 4);
  history_free (&history);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_stamps),
    cmocka_unit_test (test_laws),
    cmocka_unit_test (test_replacing),
    cmocka_unit_test (test_nothing_is_lost),
    cmocka_unit_test (test_a_repair_wins),
    cmocka_unit_test (test_two_repairs),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
