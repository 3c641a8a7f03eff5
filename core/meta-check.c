/* SPDX-License-Identifier: MIT */
/* What a state must hold to be taken, wherever it comes from: equal documents
 * have one spelling. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "json.h"
#include "state.h"

static bool
is_at_least (const struct stamp *place, const struct stamp *first,
             const struct stamp *seen)
{
  const struct stamp *name = stamp_name (place, first);

  return stamp_client (name) == stamp_client (seen)
         && stamp_cmp (name, seen) >= 0;
}

static bool
seen_is_needed (const struct state *state)
{
  for (size_t i = 0; i < state->n_seen; i++) {
    if (is_at_least (&state->whole, &state->whole_first, &state->seen[i]))
      return false;
    for (size_t j = 0; j < state->n_overrides; j++)
      if (is_at_least (&state->overrides[j].stamp, &state->overrides[j].first,
                       &state->seen[i]))
        return false;
  }
  return true;
}

static bool
has_id (struct tally_slice body, struct tally_slice id)
{
  struct tally_slice value;
  struct buf decoded = BUF_INIT;
  bool same;

  if (!json_find_member (body, slice_text ("_id"), &value))
    return false;
  /* Most ids need no escape, and then the text is the id in quotes. */
  if (value.size == id.size + 2 && value.data[0] == '"'
      && memcmp (value.data + 1, id.data, id.size) == 0
      && !memchr (id.data, '\\', id.size))
    return true;
  same = json_decode_string (&decoded, value)
         && slice_equal (buf_slice (&decoded), id);
  buf_free (&decoded);
  return same;
}

/* Every member of a tombstone's body is an override. */
static bool
only_hidden (const struct state *state)
{
  struct tally_slice rest = state->body, id;
  struct json_member member;
  size_t members = 0;

  if (json_find_member (rest, slice_text ("_id"), &id))
    return false;
  while (json_next_member (&rest, &member)) {
    if (!state_override (state, member.key))
      return false;
    members++;
  }
  return members > 0;
}

static bool
is_canonical_key (struct tally_slice key)
{
  struct buf quoted = BUF_INIT;
  bool good;

  buf_add_byte (&quoted, '"');
  buf_add_slice (&quoted, key);
  buf_add_byte (&quoted, '"');
  good = !quoted.failed && json_is_canonical (quoted.data, quoted.size);
  buf_free (&quoted);
  return good;
}

/* The body's own keys are canonical, so only those of removed fields need a
 * look.  Two spellings of one name would be two states with one meaning. */
static bool
fields_are_canonical (const struct state *state)
{
  struct field_cursor cursor;
  struct field field;
  size_t i = 0;

  field_cursor_start (&cursor, state);
  while (i < state->n_overrides && field_cursor_next (&cursor, &field)) {
    struct tally_slice key = state->overrides[i].field;

    if (json_key_cmp (field.key, key) != 0)
      continue;
    i++;
    if (field.value.data ? !slice_equal (field.key, key)
                         : !is_canonical_key (key))
      return false;
  }
  return true;
}

int
state_check (const struct state *state, struct tally_slice id,
             struct tally_error *err)
{
  struct tally_slice body = state->body;
  const char *wrong = NULL;

  if (body.size > TALLY_DOCUMENT_MAX)
    wrong = "is larger than 16 MiB";
  else if (!(state->deleted && body.size == 0)
           && (body.size < 2 || body.data[0] != '{'
               || !json_is_canonical (body.data, body.size)))
    wrong = "is not a canonical JSON object";
  else if (!state->deleted && !has_id (body, id))
    wrong = "has another _id in it";
  else if (state->deleted && body.size > 0 && !only_hidden (state))
    wrong = "is deleted, but has a body";
  else if (state_override (state, slice_text ("_id")))
    wrong = "has a field write to its _id";
  else if (!fields_are_canonical (state))
    wrong = "has a field write to a name that is not canonical";
  else if (!seen_is_needed (state))
    wrong = "names stamps as seen that stand in it";
  if (!wrong)
    return TALLY_OK;
  return error_set (err, TALLY_INVALID, "document \"%.*s\": %s", (int) id.size,
                    id.data, wrong);
}
