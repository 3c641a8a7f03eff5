/* SPDX-License-Identifier: MIT */
/* A repaired state: places beyond the limit become others in the same order,
 * above all that is right, and the names stay. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "repair.h"

static int
by_stamp (const void *a, const void *b)
{
  return stamp_cmp (a, b);
}

/* The different stamps beyond the limit, sorted; room for all that stand. */
static size_t
collect_ahead (struct stamp *out, const struct state *state, uint64_t limit_ms)
{
  size_t n = 0, kept = 0;

  if (stamp_ms (&state->whole) > limit_ms)
    out[n++] = state->whole;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (stamp_ms (&state->overrides[i].stamp) > limit_ms)
      out[n++] = state->overrides[i].stamp;
  qsort (out, n, sizeof *out, by_stamp);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || stamp_cmp (&out[kept - 1], &out[i]) != 0)
      out[kept++] = out[i];
  return kept;
}

size_t
repair_needs (const struct state *state, uint64_t limit_ms)
{
  size_t n = stamp_ms (&state->whole) > limit_ms;

  for (size_t i = 0; i < state->n_overrides; i++)
    n += stamp_ms (&state->overrides[i].stamp) > limit_ms;
  return n;
}

static void
raise_to (struct stamp *greatest, const struct stamp *stamp, uint64_t limit_ms)
{
  if (stamp_ms (stamp) <= limit_ms && stamp_cmp (stamp, greatest) > 0)
    *greatest = *stamp;
}

/* The greatest stamp that is in order. */
static struct stamp
greatest_before (const struct state *state, uint64_t limit_ms)
{
  struct stamp greatest;

  memset (&greatest, 0, sizeof greatest);
  raise_to (&greatest, &state->whole, limit_ms);
  for (size_t i = 0; i < state->n_overrides; i++)
    raise_to (&greatest, &state->overrides[i].stamp, limit_ms);
  for (size_t i = 0; i < state->n_seen; i++)
    raise_to (&greatest, &state->seen[i], limit_ms);
  return greatest;
}

/* By the counter, if need be: the next millisecond may be beyond the limit. */
static struct stamp
above (const struct stamp *fresh, const struct stamp *last)
{
  struct stamp stamp = *fresh;

  if (stamp_cmp (fresh, last) > 0)
    return stamp;
  if (!stamp_make (&stamp, stamp_ms (last), stamp_counter (last) + 1,
                   stamp_client (fresh)))
    stamp_make (&stamp, stamp_ms (last) + 1, 0, stamp_client (fresh));
  return stamp;
}

/* The places beyond the limit, and what each becomes. */
struct places {
  struct stamp *from, *to;
  size_t n;
};

static void
move (const struct places *places, const struct stamp *place,
      const struct stamp *first, struct stamp *new_place,
      struct stamp *new_first)
{
  const struct stamp *found =
      bsearch (place, places->from, places->n, sizeof *place, by_stamp);

  *new_place = found ? places->to[found - places->from] : *place;
  *new_first = found ? *stamp_name (place, first) : *first;
}

static void
move_all (struct state *out, const struct state *old,
          const struct places *places)
{
  out->deleted = old->deleted;
  out->body = old->body;
  move (places, &old->whole, &old->whole_first, &out->whole,
        &out->whole_first);
  out->n_overrides = old->n_overrides;
  for (size_t i = 0; i < old->n_overrides; i++) {
    out->overrides[i].field = old->overrides[i].field;
    move (places, &old->overrides[i].stamp, &old->overrides[i].first,
          &out->overrides[i].stamp, &out->overrides[i].first);
  }
  if (places->n > 0)
    out->undone = places->from[places->n - 1];
}

bool
repair_state (struct state *out, const struct state *old, uint64_t limit_ms,
              const struct stamp *fresh)
{
  size_t room = old->n_overrides + 1;
  struct places places = { .from = malloc (room * sizeof *places.from),
                           .to = malloc (room * sizeof *places.to) };
  struct stamp last = greatest_before (old, limit_ms);
  bool good;

  memset (out, 0, sizeof *out);
  out->overrides = malloc (room * sizeof *out->overrides);
  good = places.from && places.to && out->overrides;
  if (good) {
    places.n = collect_ahead (places.from, old, limit_ms);
    for (size_t i = 0; i < places.n; i++)
      last = places.to[i] = above (&fresh[i], &last);
    move_all (out, old, &places);
    good = state_build_seen (out, &old, 1);
  }
  free (places.to);
  free (places.from);
  if (!good)
    state_free (out);
  return good;
}
