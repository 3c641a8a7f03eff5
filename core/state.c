/* SPDX-License-Identifier: MIT */
/* What a state holds and knows: revision, seen, and the walk over fields.
 * Its bytes are in meta.c. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "json.h"
#include "state.h"

void
state_free (struct state *state)
{
  free (state->overrides);
  free (state->seen);
  state->overrides = NULL;
  state->seen = NULL;
  state->n_overrides = 0;
  state->n_seen = 0;
}

struct stamp
state_newest (const struct state *state)
{
  struct stamp newest = state->whole;

  for (size_t i = 0; i < state->n_overrides; i++)
    if (stamp_cmp (&state->overrides[i].stamp, &newest) > 0)
      newest = state->overrides[i].stamp;
  return newest;
}

const struct stamp *
state_override (const struct state *state, struct tally_slice field)
{
  size_t low = 0, high = state->n_overrides;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = json_key_cmp (state->overrides[middle].field, field);

    if (order == 0)
      return &state->overrides[middle].stamp;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

/* ---- knowing ----------------------------------------------------------- */

static const struct stamp *
whole_name (const struct state *state)
{
  return stamp_name (&state->whole, &state->whole_first);
}

static const struct stamp *
override_name (const struct override *override)
{
  return stamp_name (&override->stamp, &override->first);
}

/* Where a write stands; NULL: it does not. */
static const struct stamp *
place_of (const struct state *state, const struct stamp *name)
{
  if (stamp_cmp (whole_name (state), name) == 0)
    return &state->whole;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (stamp_cmp (override_name (&state->overrides[i]), name) == 0)
      return &state->overrides[i].stamp;
  return NULL;
}

bool
state_holds (const struct state *state, const struct stamp *name)
{
  return place_of (state, name) != NULL;
}

static bool
covers (const struct stamp *mine, const struct stamp *theirs, uint32_t client)
{
  return stamp_client (mine) == client && stamp_cmp (mine, theirs) >= 0;
}

static bool
is_strict (const struct strict *strict, uint32_t client)
{
  if (strict)
    for (size_t i = 0; i < strict->n; i++)
      if (strict->clients[i] == client)
        return true;
  return false;
}

bool
state_knows (const struct state *state, const struct stamp *name,
             const struct strict *strict)
{
  uint32_t client = stamp_client (name);

  if (is_strict (strict, client))
    return state_holds (state, name);
  if (covers (whole_name (state), name, client))
    return true;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (covers (override_name (&state->overrides[i]), name, client))
      return true;
  for (size_t i = 0; i < state->n_seen; i++)
    if (covers (&state->seen[i], name, client))
      return true;
  return false;
}

bool
state_knows_all (const struct state *state, const struct state *other,
                 const struct strict *strict)
{
  if (!state_knows (state, whole_name (other), strict))
    return false;
  for (size_t i = 0; i < other->n_overrides; i++)
    if (!state_knows (state, override_name (&other->overrides[i]), strict))
      return false;
  return true;
}

bool
state_knows_any (const struct state *state, const struct state *other)
{
  if (state_knows (state, whole_name (other), NULL))
    return true;
  for (size_t i = 0; i < other->n_overrides; i++)
    if (state_knows (state, override_name (&other->overrides[i]), NULL))
      return true;
  return false;
}

bool
state_took_back (const struct state *state, const struct stamp *place,
                 const struct stamp *name)
{
  return stamp_cmp (place, &state->undone) <= 0
         && state_knows (state, name, NULL);
}

/* A merge would have what is in `other` in the place of this, or give it the
 * lower place that it has there: else two repairs of one write would follow
 * each other round a ring of stores. */
static bool
lost_there (const struct state *other, const struct stamp *place,
            const struct stamp *first)
{
  const struct stamp *name = stamp_name (place, first);
  const struct stamp *there = place_of (other, name);

  if (there)
    return stamp_cmp (there, place) < 0;
  return state_took_back (other, place, name);
}

bool
state_replaces (const struct state *state, const struct state *other)
{
  if (!state_knows_all (state, other, NULL)
      || lost_there (other, &state->whole, &state->whole_first))
    return false;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (lost_there (other, &state->overrides[i].stamp,
                    &state->overrides[i].first))
      return false;
  return true;
}

static bool
has_place (const struct state *state, const struct stamp *place)
{
  if (stamp_cmp (&state->whole, place) == 0)
    return true;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (stamp_cmp (&state->overrides[i].stamp, place) == 0)
      return true;
  return false;
}

static bool
brings (const struct state *state, const struct stamp *place,
        const struct stamp *first, uint64_t limit_ms, bool *known)
{
  if (stamp_ms (place) <= limit_ms || (state && has_place (state, place)))
    return false;
  if (!state || !state_knows (state, stamp_name (place, first), NULL))
    *known = false;
  return true;
}

bool
state_brings_ahead (const struct state *state, const struct state *other,
                    uint64_t limit_ms, bool *known)
{
  bool any;

  *known = true;
  any = brings (state, &other->whole, &other->whole_first, limit_ms, known);
  for (size_t i = 0; i < other->n_overrides; i++)
    any |= brings (state, &other->overrides[i].stamp,
                   &other->overrides[i].first, limit_ms, known);
  return any;
}

/* ---- seen -------------------------------------------------------------- */

static int
by_client_newest_first (const void *a, const void *b)
{
  uint32_t ca = stamp_client (a), cb = stamp_client (b);

  if (ca != cb)
    return ca < cb ? -1 : 1;
  return stamp_cmp (b, a);
}

static int
newest_first (const void *a, const void *b)
{
  return stamp_cmp (b, a);
}

static size_t
collect (struct stamp *out, const struct state *state, bool with_seen)
{
  size_t n = 0;

  out[n++] = *whole_name (state);
  for (size_t i = 0; i < state->n_overrides; i++)
    out[n++] = *override_name (&state->overrides[i]);
  for (size_t i = 0; with_seen && i < state->n_seen; i++)
    out[n++] = state->seen[i];
  return n;
}

/* Sorts by client and keeps the newest of each. */
static size_t
newest_of_each (struct stamp *stamps, size_t n)
{
  size_t kept = 0;

  qsort (stamps, n, sizeof *stamps, by_client_newest_first);
  for (size_t i = 0; i < n; i++)
    if (kept == 0
        || stamp_client (&stamps[kept - 1]) != stamp_client (&stamps[i]))
      stamps[kept++] = stamps[i];
  return kept;
}

/* Drops what is not above the client's newest standing stamp. */
static size_t
drop_standing (struct stamp *known, size_t n, const struct stamp *standing,
               size_t n_standing)
{
  size_t kept = 0, j = 0;

  for (size_t i = 0; i < n; i++) {
    uint32_t client = stamp_client (&known[i]);

    while (j < n_standing && stamp_client (&standing[j]) < client)
      j++;
    if (j == n_standing || stamp_client (&standing[j]) != client
        || stamp_cmp (&known[i], &standing[j]) > 0)
      known[kept++] = known[i];
  }
  return kept;
}

bool
state_build_seen (struct state *out, const struct state *const *from,
                  size_t n_from)
{
  size_t room = 0, n = 0, n_standing;
  struct stamp *known, *standing;

  for (size_t i = 0; i < n_from; i++)
    room += 1 + from[i]->n_overrides + from[i]->n_seen;
  known = malloc ((room + 1) * sizeof *known);
  standing = malloc ((1 + out->n_overrides) * sizeof *standing);
  if (!known || !standing) {
    free (known);
    free (standing);
    return false;
  }
  for (size_t i = 0; i < n_from; i++) {
    n += collect (known + n, from[i], true);
    if (stamp_cmp (&from[i]->undone, &out->undone) > 0)
      out->undone = from[i]->undone;
  }
  n = newest_of_each (known, n);
  n_standing = newest_of_each (standing, collect (standing, out, false));
  n = drop_standing (known, n, standing, n_standing);
  if (n > STATE_SEEN_MAX) {
    qsort (known, n, sizeof *known, newest_first);
    n = STATE_SEEN_MAX;
    qsort (known, n, sizeof *known, by_client_newest_first);
  }
  free (standing);
  free (out->seen);
  out->seen = known;
  out->n_seen = n;
  return true;
}

/* ---- walking ----------------------------------------------------------- */

static bool
is_id (struct tally_slice key)
{
  return key.size == 3 && memcmp (key.data, "_id", 3) == 0;
}

static void
advance_member (struct field_cursor *cursor)
{
  struct json_member member;

  do {
    cursor->has_member = json_next_member (&cursor->rest, &member);
    if (!cursor->has_member)
      return;
    cursor->key = member.key;
    cursor->value = member.value;
  } while (is_id (cursor->key));
}

void
field_cursor_start (struct field_cursor *cursor, const struct state *state)
{
  memset (cursor, 0, sizeof *cursor);
  cursor->state = state;
  cursor->rest = state->body;
  if (cursor->rest.size > 0)
    advance_member (cursor);
}

bool
field_cursor_next (struct field_cursor *cursor, struct field *field)
{
  const struct state *state = cursor->state;
  const struct override *override = NULL;
  int order = 0;

  if (cursor->next_override < state->n_overrides)
    override = &state->overrides[cursor->next_override];
  if (!override && !cursor->has_member)
    return false;
  if (!override)
    order = -1;
  else if (!cursor->has_member)
    order = 1;
  else
    order = json_key_cmp (cursor->key, override->field);

  field->key = order <= 0 ? cursor->key : override->field;
  field->value = order <= 0 ? cursor->value : slice_make (NULL, 0);
  field->is_override = order >= 0;
  field->stamp = order < 0 ? state->whole : override->stamp;
  field->first = order < 0 ? state->whole_first : override->first;
  if (order >= 0)
    cursor->next_override++;
  if (order <= 0)
    advance_member (cursor);
  return true;
}
