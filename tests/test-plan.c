/* SPDX-License-Identifier: MIT */
/* compile_changes: what each pair of headers becomes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/plan.h"
#include "../core/slice.h"
#include "rng.h"

static void
add (struct doclist *list, const char *id, unsigned char rev, uint64_t seq,
     uint32_t flags)
{
  struct tally_doc doc = { .id = slice_text (id), .seq = seq, .flags = flags };

  memset (doc.rev, rev, sizeof doc.rev);
  assert_non_null (doclist_add (list, &doc));
}

struct sides {
  struct doclist remote, local, changed;
};

static void
sides_free (struct sides *sides)
{
  doclist_free (&sides->remote);
  doclist_free (&sides->local);
  doclist_free (&sides->changed);
}

/* One document on both sides, or on one (seq or rev 0). */
static void
assert_one (unsigned char theirs, unsigned char ours, uint64_t seq,
            const struct plan_rules *rules, enum plan_action expected)
{
  struct sides sides = { DOCLIST_INIT, DOCLIST_INIT, DOCLIST_INIT };
  struct plan plan = PLAN_INIT;

  if (theirs)
    add (&sides.remote, "x", theirs, 50, TALLY_DOC_DELETED);
  if (theirs && ours)
    add (&sides.local, "x", ours, seq, 0);
  if (ours && seq > rules->local_cursor)
    add (&sides.changed, "x", ours, seq, 0);
  assert_true (plan_compile (&plan, &sides.remote, &sides.local,
                             &sides.changed, rules));
  assert_int_equal (plan.count, 1);
  assert_int_equal (plan.items[0].action, expected);
  assert_int_equal (plan.items[0].local_seq, ours ? seq : 0);
  assert_int_equal (plan.items[0].local_rev[0], ours);
  assert_int_equal (plan.items[0].local_rev[TALLY_REV_SIZE - 1], ours);
  /* What moves is theirs, if they have it. */
  assert_int_equal (plan.items[0].deleted, theirs != 0);
  assert_true (slice_equal (plan.items[0].id, slice_text ("x")));
  plan_free (&plan);
  sides_free (&sides);
}

static void
test_each_action (void **state)
{
  static const struct plan_rules first = { .forgetful = true };
  static const struct plan_rules later = { .local_cursor = 10,
                                           .forgetful = true };
  static const struct plan_rules passive = { .local_cursor = 10,
                                             .passive = true };

  (void) state;
  /* A tombstone is not for who has nothing. */
  assert_one (1, 0, 0, &first, PLAN_EQUAL);
  assert_one (1, 1, 5, &first, PLAN_EQUAL);
  assert_one (1, 2, 5, &first, PLAN_MERGE);
  assert_one (0, 2, 5, &first, PLAN_PUSH);
  /* Unchanged here since the cursor: theirs was built on it. */
  assert_one (1, 2, 10, &later, PLAN_PULL);
  assert_one (1, 2, 11, &later, PLAN_MERGE);
  assert_one (1, 1, 11, &later, PLAN_EQUAL);
  assert_one (0, 2, 11, &later, PLAN_PUSH);
  assert_one (1, 0, 0, &later, PLAN_EQUAL);
  /* A folder's writer may not have seen what is here. */
  assert_one (1, 2, 10, &passive, PLAN_MERGE);
  assert_one (1, 2, 11, &passive, PLAN_MERGE);
  assert_one (1, 1, 10, &passive, PLAN_EQUAL);
  assert_one (1, 0, 0, &passive, PLAN_PULL);
}

/* Of a plan of one item. */
static enum plan_action
action_of (const struct sides *sides, const struct plan_rules *rules)
{
  struct plan plan = PLAN_INIT;
  enum plan_action action;

  assert_true (plan_compile (&plan, &sides->remote, &sides->local,
                             &sides->changed, rules));
  assert_int_equal (plan.count, 1);
  action = plan.items[0].action;
  plan_free (&plan);
  return action;
}

/* They may never have been given it: it must meet what they have. */
static void
test_a_tombstone_here_is_merged (void **state)
{
  struct sides sides = { DOCLIST_INIT, DOCLIST_INIT, DOCLIST_INIT };
  struct plan_rules later = { .local_cursor = 10 };

  (void) state;
  add (&sides.remote, "x", 1, 50, 0);
  add (&sides.local, "x", 2, 10, TALLY_DOC_DELETED);
  assert_int_equal (action_of (&sides, &later), PLAN_MERGE);
  sides_free (&sides);
}

/* Between reading the header that was judged and reading what changed. */
static void
test_a_write_meanwhile_is_merged (void **state)
{
  struct sides sides = { DOCLIST_INIT, DOCLIST_INIT, DOCLIST_INIT };
  struct plan_rules later = { .local_cursor = 10 };

  (void) state;
  add (&sides.remote, "x", 1, 50, 0);
  add (&sides.local, "x", 1, 9, 0);
  assert_int_equal (action_of (&sides, &later), PLAN_EQUAL);
  add (&sides.changed, "x", 3, 12, 0);
  assert_int_equal (action_of (&sides, &later), PLAN_MERGE);
  sides_free (&sides);
}

static void
test_a_pushed_tombstone_says_so (void **state)
{
  struct sides sides = { DOCLIST_INIT, DOCLIST_INIT, DOCLIST_INIT };
  struct plan_rules rules = { .forgetful = true };
  struct plan plan = PLAN_INIT;

  (void) state;
  add (&sides.changed, "a", 1, 1, TALLY_DOC_DELETED);
  add (&sides.changed, "b", 1, 2, 0);
  assert_true (plan_compile (&plan, &sides.remote, &sides.local,
                             &sides.changed, &rules));
  assert_int_equal (plan.count, 2);
  assert_true (plan.items[0].deleted);
  assert_false (plan.items[1].deleted);
  plan_free (&plan);
  sides_free (&sides);
}

static void
test_nothing_to_do (void **state)
{
  struct sides sides = { DOCLIST_INIT, DOCLIST_INIT, DOCLIST_INIT };
  struct plan_rules rules = { .forgetful = true };
  struct plan plan = PLAN_INIT;

  (void) state;
  assert_true (plan_compile (&plan, &sides.remote, &sides.local,
                             &sides.changed, &rules));
  assert_int_equal (plan.count, 0);
  plan_free (&plan);
}

/* ---- any headers -------------------------------------------------------- */

#define DOCS 60

struct random_doc {
  char id[4];
  unsigned char theirs, ours; /* revs; 0: not there, or unchanged there */
  uint64_t seq;
};

static enum plan_action
expected_action (const struct random_doc *doc, const struct plan_rules *rules)
{
  if (!doc->theirs)
    return PLAN_PUSH;
  if (!doc->ours)
    return PLAN_PULL;
  if (doc->ours == doc->theirs)
    return PLAN_EQUAL;
  return rules->passive || doc->seq > rules->local_cursor ? PLAN_MERGE
                                                          : PLAN_PULL;
}

static void
fill (struct rng *rng, struct random_doc docs[DOCS], struct sides *sides,
      const struct plan_rules *rules)
{
  for (unsigned i = 0; i < DOCS; i++) {
    struct random_doc *doc = &docs[i];

    snprintf (doc->id, sizeof doc->id, "%u", i);
    doc->theirs = (unsigned char) rng_below (rng, 4);
    doc->ours = (unsigned char) rng_below (rng, 4);
    doc->seq = 1 + i;
    if (doc->theirs)
      add (&sides->remote, doc->id, doc->theirs, 100 + i, 0);
    if (doc->theirs && doc->ours)
      add (&sides->local, doc->id, doc->ours, doc->seq, 0);
    if (doc->ours && doc->seq > rules->local_cursor)
      add (&sides->changed, doc->id, doc->ours, doc->seq, 0);
  }
}

/* Every document that changed anywhere is in the plan once. */
static void
check_plan (const struct plan *plan, const struct random_doc docs[DOCS],
            const struct plan_rules *rules)
{
  unsigned times[DOCS] = { 0 };
  size_t counts[4] = { 0 };

  for (size_t i = 0; i < plan->count; i++) {
    char text[4] = "";
    unsigned at;

    memcpy (text, plan->items[i].id.data, plan->items[i].id.size);
    at = (unsigned) strtoul (text, NULL, 10);
    times[at]++;
    assert_int_equal (plan->items[i].action,
                      expected_action (&docs[at], rules));
    counts[plan->items[i].action]++;
  }
  for (unsigned i = 0; i < DOCS; i++)
    assert_int_equal (
        times[i],
        docs[i].theirs || (docs[i].ours && docs[i].seq > rules->local_cursor));
  for (int action = 0; action < 4; action++)
    assert_int_equal (plan_count (plan, (enum plan_action) action),
                      counts[action]);
}

static void
test_any_headers (void **state)
{
  struct rng rng = rng_start ("plan");
  struct plan plan = PLAN_INIT;

  (void) state;
  /* The plan is used again, as an engine does for each window. */
  for (unsigned run = 0; run < 2000; run++) {
    struct sides sides = { DOCLIST_INIT, DOCLIST_INIT, DOCLIST_INIT };
    bool passive = rng_one_in (&rng, 4);
    struct plan_rules rules = { .local_cursor = rng_below (&rng, DOCS + 1),
                                .passive = passive,
                                .forgetful = !passive };
    struct random_doc docs[DOCS];

    fill (&rng, docs, &sides, &rules);
    assert_true (plan_compile (&plan, &sides.remote, &sides.local,
                               &sides.changed, &rules));
    check_plan (&plan, docs, &rules);
    sides_free (&sides);
  }
  plan_free (&plan);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_each_action),
    cmocka_unit_test (test_a_tombstone_here_is_merged),
    cmocka_unit_test (test_a_write_meanwhile_is_merged),
    cmocka_unit_test (test_a_pushed_tombstone_says_so),
    cmocka_unit_test (test_nothing_to_do),
    cmocka_unit_test (test_any_headers),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
