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

bool
state_holds (const struct state *state, const struct stamp *stamp)
{
  if (stamp_cmp (&state->whole, stamp) == 0)
    return true;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (stamp_cmp (&state->overrides[i].stamp, stamp) == 0)
      return true;
  return false;
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
state_knows (const struct state *state, const struct stamp *stamp,
             const struct strict *strict)
{
  uint32_t client = stamp_client (stamp);

  if (is_strict (strict, client))
    return state_holds (state, stamp);
  if (covers (&state->whole, stamp, client))
    return true;
  for (size_t i = 0; i < state->n_overrides; i++)
    if (covers (&state->overrides[i].stamp, stamp, client))
      return true;
  for (size_t i = 0; i < state->n_seen; i++)
    if (covers (&state->seen[i], stamp, client))
      return true;
  return false;
}

bool
state_knows_all (const struct state *state, const struct state *other,
                 const struct strict *strict)
{
  if (!state_knows (state, &other->whole, strict))
    return false;
  for (size_t i = 0; i < other->n_overrides; i++)
    if (!state_knows (state, &other->overrides[i].stamp, strict))
      return false;
  return true;
}

static bool
brings (const struct state *state, const struct stamp *stamp,
        uint64_t limit_ms, bool *known)
{
  if (stamp_ms (stamp) <= limit_ms || (state && state_holds (state, stamp)))
    return false;
  if (!state || !state_knows (state, stamp, NULL))
    *known = false;
  return true;
}

bool
state_brings_ahead (const struct state *state, const struct state *other,
                    uint64_t limit_ms, bool *known)
{
  bool any;

  *known = true;
  any = brings (state, &other->whole, limit_ms, known);
  for (size_t i = 0; i < other->n_overrides; i++)
    any |= brings (state, &other->overrides[i].stamp, limit_ms, known);
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

  out[n++] = state->whole;
  for (size_t i = 0; i < state->n_overrides; i++)
    out[n++] = state->overrides[i].stamp;
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
  for (size_t i = 0; i < n_from; i++)
    n += collect (known + n, from[i], true);
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
  field->stamp = order < 0 ? state->whole : override->stamp;
  if (order >= 0)
    cursor->next_override++;
  if (order <= 0)
    advance_member (cursor);
  return true;
}
