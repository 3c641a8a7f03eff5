/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/edit.h"
#include "history.h"

const char *const history_keys[HISTORY_KEYS] = { "\\\"", "A",     "Z",
                                                 "a",    "b\\\\", "\xc3\xa9" };
const char *const history_values[HISTORY_VALUES] = { "1", "1.0", "\"a\"",
                                                     "[true,{}]" };

/* ---- versions ----------------------------------------------------------- */

void
version_free (struct version *version)
{
  state_free (&version->state);
  buf_free (&version->meta);
  buf_free (&version->body);
}

/* Takes the state through its bytes, which must pass every check. */
static void
version_store (struct version *out, const struct state *state)
{
  struct tally_error err = { 0, "" };

  state_encode (state, &out->meta);
  buf_add_slice (&out->body, state->body);
  assert_false (out->meta.failed || out->body.failed);
  assert_int_equal (state_decode (&out->state, state->deleted,
                                  buf_slice (&out->meta),
                                  buf_slice (&out->body), &err),
                    TALLY_OK);
  if (state_check (&out->state, slice_text ("x"), &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

void
version_merge (struct version *out, const struct version *a,
               const struct version *b, const struct merge_rules *rules)
{
  struct state merged;
  struct buf body = BUF_INIT;
  struct tally_error err;

  memset (out, 0, sizeof *out);
  assert_int_equal (
      merge_states (&merged, &body, &a->state, &b->state, rules, &err),
      TALLY_OK);
  version_store (out, &merged);
  oracle_merge (&out->oracle, &a->oracle, &b->oracle);
  state_free (&merged);
  buf_free (&body);
}

/* ---- the oracle --------------------------------------------------------- */

int
assignment_cmp (const struct assignment *x, const struct assignment *y)
{
  int order = stamp_cmp (&x->stamp, &y->stamp);

  if (order != 0)
    return order;
  if (!x->value || !y->value)
    return (x->value != NULL) - (y->value != NULL);
  return strcmp (x->value, y->value);
}

void
oracle_merge (struct oracle *out, const struct oracle *a,
              const struct oracle *b)
{
  int order = stamp_cmp (&a->whole, &b->whole);
  struct oracle result = order > 0 || (order == 0 && a->deleted) ? *a : *b;

  for (size_t i = 0; i < HISTORY_KEYS; i++)
    result.fields[i] = assignment_cmp (&a->fields[i], &b->fields[i]) > 0
                           ? a->fields[i]
                           : b->fields[i];
  result.known = a->known | b->known;
  *out = result;
}

/* In the body: what is present, but in a tombstone only what was written
 * after the delete. */
static bool
shows (const struct oracle *oracle, size_t i)
{
  const struct assignment *field = &oracle->fields[i];

  return field->value
         && (!oracle->deleted
             || stamp_cmp (&field->stamp, &oracle->whole) > 0);
}

static void
oracle_body (const struct oracle *oracle, struct buf *out)
{
  size_t members = 0;

  for (size_t i = 0; i < HISTORY_KEYS; i++) {
    if (i == 3 && !oracle->deleted)
      buf_addf (out, "%s\"_id\":\"x\"", members++ ? "," : "{");
    if (shows (oracle, i))
      buf_addf (out, "%s\"%s\":%s", members++ ? "," : "{", history_keys[i],
                oracle->fields[i].value);
  }
  if (members > 0)
    buf_add_byte (out, '}');
  assert_false (out->failed);
}

bool
oracle_is (const struct oracle *oracle, const struct state *state)
{
  struct buf body = BUF_INIT;
  size_t n = 0;
  bool good = stamp_cmp (&oracle->whole, &state->whole) == 0
              && oracle->deleted == state->deleted;

  for (size_t i = 0; i < HISTORY_KEYS && good; i++) {
    const struct stamp *stamp = &oracle->fields[i].stamp;

    if (stamp_cmp (stamp, &oracle->whole) <= 0)
      continue;
    good = n < state->n_overrides
           && slice_equal (state->overrides[n].field,
                           slice_text (history_keys[i]))
           && stamp_cmp (&state->overrides[n].stamp, stamp) == 0;
    n++;
  }
  oracle_body (oracle, &body);
  good = good && n == state->n_overrides
         && slice_equal (buf_slice (&body), state->body);
  buf_free (&body);
  return good;
}

bool
oracle_equal (const struct oracle *a, const struct oracle *b)
{
  if (stamp_cmp (&a->whole, &b->whole) != 0 || a->deleted != b->deleted)
    return false;
  for (size_t i = 0; i < HISTORY_KEYS; i++) {
    const struct assignment *x = &a->fields[i], *y = &b->fields[i];

    if (stamp_cmp (&x->stamp, &a->whole) <= 0
        && stamp_cmp (&y->stamp, &b->whole) <= 0 && !shows (a, i)
        && !shows (b, i))
      continue;
    if (assignment_cmp (x, y) != 0)
      return false;
  }
  return true;
}

/* ---- writing ------------------------------------------------------------ */

static struct version *
add_version (struct history *history)
{
  struct version *version;

  assert_true (history->n_versions < HISTORY_STATES);
  version = &history->versions[history->n_versions++];
  memset (version, 0, sizeof *version);
  return version;
}

/* Above all that stands in the document, as replica_stamp sees to it. */
static struct stamp
next_stamp (struct history *history, size_t replica, const struct version *old)
{
  uint64_t ms = history->ms[replica];
  struct stamp stamp;

  if (old) {
    struct stamp newest = state_newest (&old->state);

    if (ms <= stamp_ms (&newest))
      ms = stamp_ms (&newest) + 1;
  }
  if (!history->clash)
    ms += rng_below (history->rng, 4);
  history->ms[replica] = ms;
  /* Who clashes has one name and one slow clock. */
  if (!history->clash)
    history->ms[replica]++;
  assert_true (
      stamp_make (&stamp, ms, 0, history->clash ? 7 : (uint32_t) replica + 1));
  return stamp;
}

static void
assign (struct oracle *oracle, const char *const values[HISTORY_KEYS],
        bool all, const struct stamp *stamp, unsigned event)
{
  for (size_t i = 0; i < HISTORY_KEYS; i++) {
    struct assignment *field = &oracle->fields[i];
    bool differs = !field->value || !values[i]
                       ? field->value != values[i]
                       : strcmp (field->value, values[i]) != 0;

    if (all || differs) {
      field->stamp = *stamp;
      field->value = values[i];
      field->event = event;
    }
  }
  if (all) {
    oracle->whole = *stamp;
    oracle->whole_event = event;
  }
  oracle->known |= UINT64_C (1) << event;
}

/* Few fields differ from what is there. */
static void
choose_values (struct history *history, const struct version *old,
               const char *values[HISTORY_KEYS])
{
  for (size_t i = 0; i < HISTORY_KEYS; i++) {
    bool live = old && !old->oracle.deleted;

    values[i] = live ? old->oracle.fields[i].value : NULL;
    if (!rng_one_in (history->rng, 3))
      continue;
    values[i] = rng_one_in (history->rng, 3)
                    ? NULL
                    : history_values[rng_below (history->rng, HISTORY_VALUES)];
  }
}

static void
put (struct history *history, size_t replica, const struct version *old)
{
  struct oracle next = { .deleted = false };
  struct buf body = BUF_INIT;
  const char *values[HISTORY_KEYS];
  struct stamp stamp = next_stamp (history, replica, old);
  bool replace = rng_one_in (history->rng, 6), changed;
  bool whole = !old || old->oracle.deleted || replace;
  struct tally_error err;
  struct state state;

  choose_values (history, old, values);
  if (old)
    next = old->oracle;
  next.deleted = false;
  assign (&next, values, whole, &stamp, history->n_events);
  oracle_body (&next, &body);
  assert_int_equal (edit_put (&state, &changed, old ? &old->state : NULL,
                              buf_slice (&body), replace, &stamp, &err),
                    TALLY_OK);
  if (changed) {
    struct version *version = add_version (history);

    version_store (version, &state);
    version->oracle = next;
    history->stamps[history->n_events++] = stamp;
    history->heads[replica] = history->n_versions;
    state_free (&state);
  } else
    assert_true (oracle_equal (&next, &old->oracle));
  buf_free (&body);
}

static void delete (struct history *history, size_t replica,
                    const struct version *old)
{
  static const char *const nothing[HISTORY_KEYS];
  struct stamp stamp = next_stamp (history, replica, old);
  struct version *version = add_version (history);
  struct tally_error err;
  struct state state;

  assert_int_equal (edit_delete (&state, &old->state, &stamp, &err), TALLY_OK);
  version_store (version, &state);
  version->oracle = old->oracle;
  assign (&version->oracle, nothing, true, &stamp, history->n_events);
  version->oracle.deleted = true;
  history->stamps[history->n_events++] = stamp;
  history->heads[replica] = history->n_versions;
  state_free (&state);
}

static void
write (struct history *history, size_t replica)
{
  size_t head = history->heads[replica];
  const struct version *old = head > 0 ? &history->versions[head - 1] : NULL;

  if (old && !old->oracle.deleted && rng_one_in (history->rng, 5))
    delete (history, replica, old);
  else
    put (history, replica, old);
}

/* The replica takes in what another has. */
static void
take (struct history *history, size_t replica, size_t from)
{
  size_t mine = history->heads[replica], theirs = history->heads[from];

  if (theirs == 0 || mine == theirs)
    return;
  if (mine > 0) {
    version_merge (add_version (history), &history->versions[mine - 1],
                   &history->versions[theirs - 1], NULL);
    theirs = history->n_versions;
  }
  history->heads[replica] = theirs;
}

static void
history_start (struct history *history, struct rng *rng, bool clash)
{
  memset (history, 0, sizeof *history);
  history->rng = rng;
  history->clash = clash;
  for (size_t i = 0; i < HISTORY_REPLICAS; i++)
    history->ms[i] = clash ? 10 : 10 + rng_below (rng, 10);
}

void
history_run (struct history *history, struct rng *rng, bool clash,
             size_t replicas, unsigned steps)
{
  history_start (history, rng, clash);
  for (unsigned i = 0; i < steps; i++) {
    size_t replica = rng_below (rng, (uint32_t) replicas);
    size_t from = rng_below (rng, (uint32_t) replicas);

    if (rng_one_in (rng, 2))
      write (history, replica);
    else if (from != replica)
      take (history, replica, from);
  }
}

void
history_run_sequential (struct history *history, struct rng *rng,
                        size_t replicas, unsigned steps)
{
  history_start (history, rng, false);
  for (unsigned i = 0; i < steps; i++) {
    size_t replica = rng_below (rng, (uint32_t) replicas);

    history->heads[replica] = history->n_versions;
    write (history, replica);
  }
}

/* ---- states from nothing ------------------------------------------------ */

static struct stamp
draw_stamp (struct rng *rng, uint64_t from)
{
  struct stamp stamp;

  assert_true (
      stamp_make (&stamp, from + rng_below (rng, 3), 0, rng_below (rng, 2)));
  return stamp;
}

/* One seen stamp of each client at most, above what stands. */
static size_t
draw_seen (struct rng *rng, struct stamp seen[3])
{
  size_t n = 0;

  for (uint32_t client = 0; client < 3; client++)
    if (rng_one_in (rng, 3))
      assert_true (stamp_make (
          &seen[n++], (client < 2 ? 20 : 1) + rng_below (rng, 2), 0, client));
  return n;
}

void
history_draw_states (struct history *history, struct rng *rng, size_t n)
{
  history_start (history, rng, true);
  while (history->n_versions < n) {
    struct version *version = add_version (history);
    struct oracle *oracle = &version->oracle;
    struct override overrides[HISTORY_KEYS];
    struct stamp seen[3];
    struct state state = { .overrides = overrides, .seen = seen };
    struct buf body = BUF_INIT;

    oracle->whole = state.whole = draw_stamp (rng, 10);
    oracle->deleted = state.deleted = rng_one_in (rng, 3);
    for (size_t i = 0; i < HISTORY_KEYS; i++) {
      struct assignment *field = &oracle->fields[i];

      field->stamp =
          rng_one_in (rng, 2) ? draw_stamp (rng, 11) : oracle->whole;
      if (stamp_cmp (&field->stamp, &oracle->whole) < 0)
        field->stamp = oracle->whole;
      if (rng_one_in (rng, 2)
          && !(oracle->deleted
               && stamp_cmp (&field->stamp, &oracle->whole) == 0))
        field->value = history_values[rng_below (rng, 2)];
      if (stamp_cmp (&field->stamp, &oracle->whole) > 0) {
        overrides[state.n_overrides++] =
            (struct override){ .field = slice_text (history_keys[i]),
                               .stamp = field->stamp };
      }
    }
    state.n_seen = draw_seen (rng, seen);
    oracle_body (oracle, &body);
    state.body = buf_slice (&body);
    version_store (version, &state);
    buf_free (&body);
  }
}

void
history_free (struct history *history)
{
  for (size_t i = 0; i < history->n_versions; i++)
    version_free (&history->versions[i]);
}
