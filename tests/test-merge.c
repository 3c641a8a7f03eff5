/* SPDX-License-Identifier: MIT */
/* Merging over random histories: the laws of a semilattice, the pointwise
 * definition, what is known afterwards, and which losers are told of. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/merge.h"
#include "history.h"

#define TRIPLES 80000u /* of each kind */
#define TRIPLES_EACH 40u

static const struct version *
pick (const struct history *history)
{
  return &history->versions[rng_below (history->rng,
                                       (uint32_t) history->n_versions)];
}

static void
rev_of (const struct version *version, unsigned char rev[TALLY_REV_SIZE])
{
  state_rev (&version->state, slice_text ("x"), rev);
}

/* Meta holds seen, too. */
static void
assert_same (const struct version *a, const struct version *b)
{
  assert_int_equal (a->state.deleted, b->state.deleted);
  assert_true (slice_equal (buf_slice (&a->meta), buf_slice (&b->meta)));
  assert_true (slice_equal (buf_slice (&a->body), buf_slice (&b->body)));
}

/* ---- laws --------------------------------------------------------------- */

static void
check_rev (const struct version *a, const struct version *b)
{
  unsigned char ra[TALLY_REV_SIZE], rb[TALLY_REV_SIZE];

  rev_of (a, ra);
  rev_of (b, rb);
  assert_int_equal (memcmp (ra, rb, sizeof ra) == 0,
                    oracle_equal (&a->oracle, &b->oracle));
}

static void
check_triple (const struct version *a, const struct version *b,
              const struct version *c)
{
  struct version ab, ba, bc, left, right, again;

  version_merge (&ab, a, b, NULL);
  version_merge (&ba, b, a, NULL);
  version_merge (&bc, b, c, NULL);
  version_merge (&left, &ab, c, NULL);
  version_merge (&right, a, &bc, NULL);
  assert_true (oracle_is (&ab.oracle, &ab.state));
  assert_true (oracle_is (&left.oracle, &left.state));
  assert_same (&ab, &ba);
  assert_same (&left, &right);
  check_rev (a, b);
  check_rev (&ab, c);

  version_merge (&again, a, a, NULL);
  assert_same (&again, a);
  version_free (&again);
  version_merge (&again, &ab, b, NULL);
  assert_same (&again, &ab);
  version_free (&again);

  version_free (&right);
  version_free (&left);
  version_free (&bc);
  version_free (&ba);
  version_free (&ab);
}

static void
check_history (const struct history *history)
{
  for (size_t i = 0; i < history->n_versions; i++)
    assert_true (
        oracle_is (&history->versions[i].oracle, &history->versions[i].state));
  for (unsigned i = 0; i < TRIPLES_EACH && history->n_versions > 0; i++)
    check_triple (pick (history), pick (history), pick (history));
}

static void
run_triples (const char *name, bool clash)
{
  struct rng rng = rng_start (name);
  static struct history history;

  for (unsigned done = 0; done < rng_tries (TRIPLES); done += TRIPLES_EACH) {
    history_run (&history, &rng, clash, 2 + rng_below (&rng, 4),
                 2 + rng_below (&rng, HISTORY_STATES - 2));
    check_history (&history);
    history_free (&history);
  }
}

static void
test_laws (void **state)
{
  (void) state;
  run_triples ("laws", false);
}

/* Two stores under one name give one stamp to different writes. */
static void
test_laws_with_equal_stamps (void **state)
{
  (void) state;
  run_triples ("laws with equal stamps", true);
}

static void
test_laws_of_any_states (void **state)
{
  struct rng rng = rng_start ("laws of any states");
  static struct history history;

  (void) state;
  for (unsigned done = 0; done < rng_tries (TRIPLES); done += TRIPLES_EACH) {
    history_draw_states (&history, &rng, 12);
    check_history (&history);
    history_free (&history);
  }
}

/* ---- ties --------------------------------------------------------------- */

struct tie {
  bool deleted;
  const char *body;
};

static void
check_tie (const struct tie *low, const struct tie *high)
{
  struct state a = { .deleted = low->deleted, .body = slice_text (low->body) };
  struct state b = { .deleted = high->deleted,
                     .body = slice_text (high->body) };
  struct buf body = BUF_INIT;
  struct tally_error err;
  struct state out;

  assert_true (stamp_make (&a.whole, 10, 0, 1));
  b.whole = a.whole;
  for (int turn = 0; turn < 2; turn++) {
    assert_int_equal (
        merge_states (&out, &body, turn ? &b : &a, turn ? &a : &b, NULL, &err),
        TALLY_OK);
    assert_int_equal (out.deleted, high->deleted);
    assert_true (slice_equal (out.body, slice_text (high->body)));
    assert_int_equal (out.n_overrides, 0);
    assert_int_equal (out.n_seen, 0);
    state_free (&out);
  }
  buf_free (&body);
}

static void
test_ties (void **state)
{
  static const struct {
    struct tie low, high;
  } rows[] = {
    { { false, "{\"_id\":\"x\"}" }, { true, "" } },
    { { false, "{\"_id\":\"x\"}" }, { false, "{\"_id\":\"x\",\"a\":null}" } },
    { { false, "{\"_id\":\"x\",\"a\":1}" },
      { false, "{\"_id\":\"x\",\"a\":2}" } },
    { { false, "{\"_id\":\"x\",\"a\":1}" },
      { false, "{\"_id\":\"x\",\"a\":1.0}" } },
    { { false, "{\"_id\":\"x\",\"a\":9}" },
      { false, "{\"_id\":\"x\",\"a\":{}}" } },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_tie (&rows[i].low, &rows[i].high);
}

/* ---- knowing ------------------------------------------------------------ */

/* What a state says that it knows is what went into it: never less, and as
 * long as every client is one writer, never more. */
static void
assert_knows (const struct history *history, const struct version *version)
{
  for (unsigned i = 0; i < history->n_events; i++)
    assert_int_equal (state_knows (&version->state, &history->stamps[i], NULL),
                      version->oracle.known >> i & 1);
}

static void
test_knowledge (void **state)
{
  struct rng rng = rng_start ("knowledge");
  static struct history history;

  (void) state;
  for (unsigned run = 0; run < rng_tries (4000); run++) {
    history_run (&history, &rng, false, 2 + rng_below (&rng, 4), 36);
    for (size_t i = 0; i < history.n_versions; i++)
      assert_knows (&history, &history.versions[i]);
    for (unsigned i = 0; i < 10 && history.n_versions > 0; i++) {
      struct version merged;

      version_merge (&merged, pick (&history), pick (&history), NULL);
      assert_knows (&history, &merged);
      version_free (&merged);
    }
    history_free (&history);
  }
}

/* ---- losers ------------------------------------------------------------- */

/* What was told of and what should be: one bit a field, one more for the
 * document, for each of the two sides. */
struct told {
  unsigned bits[2];
  const struct version *a, *b;
};

#define WHOLE_BIT (1u << HISTORY_KEYS)

static void
assert_value (struct tally_slice value, const char *expected)
{
  assert_int_equal (value.data != NULL, expected != NULL);
  assert_true (slice_equal (value, slice_text (expected)));
}

static void
take_whole (const struct loser *loser, const struct version *lost,
            const struct version *won)
{
  struct stamp stamp =
      lost->oracle.deleted ? lost->state.whole : state_newest (&lost->state);

  assert_int_equal (loser->lost.data == NULL, lost->oracle.deleted);
  if (!lost->oracle.deleted)
    assert_true (slice_equal (loser->lost, lost->state.body));
  assert_int_equal (stamp_cmp (&loser->lost_stamp, &stamp), 0);
  assert_int_equal (loser->won.data == NULL, won->oracle.deleted);
  assert_int_equal (stamp_cmp (&loser->won_stamp, &won->state.whole), 0);
}

static int
take_loser (void *ctx, const struct loser *loser)
{
  struct told *told = ctx;
  const struct version *lost = loser->from_b ? told->b : told->a;
  const struct version *won = loser->from_b ? told->a : told->b;
  unsigned bit = WHOLE_BIT;

  if (loser->field.size == 0)
    take_whole (loser, lost, won);
  else
    for (size_t i = 0; i < HISTORY_KEYS; i++)
      if (slice_equal (loser->field, slice_text (history_keys[i]))) {
        const struct assignment *l = &lost->oracle.fields[i];
        const struct assignment *w = &won->oracle.fields[i];

        bit = 1u << i;
        assert_value (loser->lost, l->value);
        assert_value (loser->won, w->value);
        assert_int_equal (stamp_cmp (&loser->lost_stamp, &l->stamp), 0);
        assert_int_equal (stamp_cmp (&loser->won_stamp, &w->stamp), 0);
      }
  assert_false (told->bits[loser->from_b] & bit);
  told->bits[loser->from_b] |= bit;
  return TALLY_OK;
}

static bool
knew (const struct version *version, unsigned event)
{
  return version->oracle.known >> event & 1;
}

/* A field's value is lost when the other side's stands and its writer had
 * not seen it.  A whole write did not choose the fields it has not. */
static bool
loses_field (const struct version *lost, const struct version *won, size_t i)
{
  const struct assignment *l = &lost->oracle.fields[i];
  const struct assignment *w = &won->oracle.fields[i];
  bool chosen = l->value || stamp_cmp (&l->stamp, &lost->oracle.whole) > 0;

  return assignment_cmp (l, w) < 0 && chosen && !knew (won, l->event)
         && (!l->value || !w->value ? l->value != w->value
                                    : strcmp (l->value, w->value) != 0);
}

static bool
loses_whole (const struct version *lost, const struct version *won)
{
  if (lost->oracle.deleted == won->oracle.deleted
      || stamp_cmp (&lost->oracle.whole, &won->oracle.whole) > 0)
    return false;
  if (!knew (won, lost->oracle.whole_event))
    return true;
  /* A delete takes every field with it. */
  for (size_t i = 0; i < HISTORY_KEYS && won->oracle.deleted; i++)
    if (!knew (won, lost->oracle.fields[i].event))
      return true;
  return false;
}

static unsigned
expected_losers (const struct version *lost, const struct version *won,
                 const struct oracle *merged)
{
  unsigned bits = loses_whole (lost, won) ? WHOLE_BIT : 0;

  for (size_t i = 0; i < HISTORY_KEYS && !merged->deleted; i++)
    if (loses_field (lost, won, i))
      bits |= 1u << i;
  return bits;
}

static unsigned
check_losers (const struct version *a, const struct version *b)
{
  struct told told = { { 0, 0 }, a, b };
  struct merge_rules rules = { .loser = take_loser, .ctx = &told };
  struct version merged;

  version_merge (&merged, a, b, &rules);
  assert_int_equal (told.bits[0], expected_losers (a, b, &merged.oracle));
  assert_int_equal (told.bits[1], expected_losers (b, a, &merged.oracle));
  version_free (&merged);
  return told.bits[0] | told.bits[1];
}

/* What the other side is known to have already is no loss. */
static void
check_known_sides (const struct version *a, const struct version *b)
{
  for (int known = 0; known < 2; known++) {
    struct told told = { { 0, 0 }, a, b };
    struct merge_rules rules = {
      .a_known = !known, .b_known = known, .loser = take_loser, .ctx = &told
    };
    struct version merged;

    version_merge (&merged, a, b, &rules);
    assert_int_equal (told.bits[known], 0);
    assert_int_equal (told.bits[!known],
                      !known ? expected_losers (b, a, &merged.oracle)
                             : expected_losers (a, b, &merged.oracle));
    version_free (&merged);
  }
}

static void
test_losers (void **state)
{
  struct rng rng = rng_start ("losers");
  static struct history history;
  unsigned seen = 0;

  (void) state;
  for (unsigned run = 0; run < rng_tries (8000); run++) {
    history_run (&history, &rng, false, 2 + rng_below (&rng, 4), 30);
    for (unsigned i = 0; i < 25 && history.n_versions > 0; i++) {
      const struct version *a = pick (&history), *b = pick (&history);

      seen |= check_losers (a, b);
      if (i < 5)
        check_known_sides (a, b);
    }
    history_free (&history);
  }
  assert_int_equal (seen, 2 * WHOLE_BIT - 1);
}

static void
test_no_losers_in_sequence (void **state)
{
  struct rng rng = rng_start ("sequence");
  static struct history history;

  (void) state;
  for (unsigned run = 0; run < rng_tries (3000); run++) {
    history_run_sequential (&history, &rng, 2 + rng_below (&rng, 4), 30);
    for (unsigned i = 0; i < 25 && history.n_versions > 0; i++)
      assert_int_equal (check_losers (pick (&history), pick (&history)), 0);
    history_free (&history);
  }
}

/* ---- losers, by hand ---------------------------------------------------- */

static struct stamp
at (uint64_t ms, uint32_t client)
{
  struct stamp stamp;

  assert_true (stamp_make (&stamp, ms, 0, client));
  return stamp;
}

struct listed {
  char text[256];
};

static int
list_loser (void *ctx, const struct loser *loser)
{
  struct listed *listed = ctx;
  size_t used = strlen (listed->text);

  snprintf (listed->text + used, sizeof listed->text - used,
            "%s:%.*s:%.*s@%llu ", loser->from_b ? "b" : "a",
            (int) loser->field.size, loser->field.data,
            loser->lost.data ? (int) loser->lost.size : 1,
            loser->lost.data ? loser->lost.data : "-",
            (unsigned long long) stamp_ms (&loser->lost_stamp));
  return TALLY_OK;
}

static void
assert_losers (const struct state *a, const struct state *b,
               const char *expected)
{
  struct listed listed = { "" };
  struct merge_rules rules = { .loser = list_loser, .ctx = &listed };
  struct buf body = BUF_INIT;
  struct tally_error err;
  struct state out;

  assert_int_equal (merge_states (&out, &body, a, b, &rules, &err), TALLY_OK);
  assert_string_equal (listed.text, expected);
  state_free (&out);
  buf_free (&body);
}

/* A field write that a tombstone hides comes back with a later whole write,
 * and then beats what that one chose. */
static void
test_hidden_field_beats_a_value (void **state)
{
  struct override hidden = { .field = { "k", 1 }, .stamp = at (7, 3) };
  struct state a = { .whole = at (5, 1),
                     .deleted = true,
                     .overrides = &hidden,
                     .n_overrides = 1,
                     .body = slice_text ("{\"k\":1}") };
  struct state b = { .whole = at (6, 2),
                     .body = slice_text ("{\"_id\":\"x\",\"k\":2}") };
  struct stamp seen = at (5, 1);

  (void) state;
  assert_losers (&a, &b, "a::-@5 b:k:2@6 ");
  /* b was written over that delete: only its k is lost. */
  b.seen = &seen;
  b.n_seen = 1;
  assert_losers (&a, &b, "b:k:2@6 ");
}

/* Only what the rolled-back client's stamps stand for is known. */
static void
test_strict_clients (void **state)
{
  uint32_t clients[] = { 1 };
  struct strict strict = { clients, 1 };
  struct stamp seen = at (9, 1);
  struct state a = { .whole = at (5, 1),
                     .body = slice_text ("{\"_id\":\"x\",\"k\":1}") };
  struct state b = { .whole = at (6, 2),
                     .seen = &seen,
                     .n_seen = 1,
                     .body = slice_text ("{\"_id\":\"x\",\"k\":2}") };
  struct listed listed = { "" };
  struct merge_rules rules = { .strict = &strict,
                               .loser = list_loser,
                               .ctx = &listed };
  struct buf body = BUF_INIT;
  struct tally_error err;
  struct state out;

  (void) state;
  assert_losers (&a, &b, "");
  assert_int_equal (merge_states (&out, &body, &a, &b, &rules, &err),
                    TALLY_OK);
  assert_string_equal (listed.text, "a:k:1@5 ");
  state_free (&out);
  buf_free (&body);
}

static int
refuse (void *ctx, const struct loser *loser)
{
  (void) ctx;
  (void) loser;
  return TALLY_CANCELLED;
}

static void
test_a_refusal_stops_the_merge (void **state)
{
  struct merge_rules rules = { .loser = refuse };
  struct state a = { .whole = at (5, 1),
                     .body = slice_text ("{\"_id\":\"x\",\"k\":1}") };
  struct state b = { .whole = at (6, 2),
                     .body = slice_text ("{\"_id\":\"x\",\"k\":2}") };
  struct buf body = BUF_INIT;
  struct tally_error err = { 0, "" };
  struct state out;

  (void) state;
  assert_int_equal (merge_states (&out, &body, &a, &b, &rules, &err),
                    TALLY_CANCELLED);
  assert_int_equal (err.status, TALLY_CANCELLED);
  assert_null (out.overrides);
  assert_null (out.seen);
  buf_free (&body);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_laws),
    cmocka_unit_test (test_laws_with_equal_stamps),
    cmocka_unit_test (test_laws_of_any_states),
    cmocka_unit_test (test_ties),
    cmocka_unit_test (test_knowledge),
    cmocka_unit_test (test_losers),
    cmocka_unit_test (test_no_losers_in_sequence),
    cmocka_unit_test (test_hidden_field_beats_a_value),
    cmocka_unit_test (test_strict_clients),
    cmocka_unit_test (test_a_refusal_stops_the_merge),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
