/* SPDX-License-Identifier: MIT */
/* One walk over the fields of both states in key order.
 *
 * Nothing is lost by it, whoever wins: what a state knows and does not hold
 * was replaced there by who knew it, or is in a journal; what loses to a state
 * that does not know it is told of here.  A repair changes places and no
 * names, so it changes nothing of that. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "error.h"
#include "json.h"
#include "merge.h"

struct merge {
  struct state *out;
  struct body_writer body;
  const struct state *a, *b;
  const struct merge_rules *rules;
  bool a_loses_unseen, b_loses_unseen;
};

/* Above 0 when x beats y. */
static int
value_cmp (struct tally_slice x, struct tally_slice y)
{
  if (!x.data || !y.data)
    return (x.data != NULL) - (y.data != NULL);
  return slice_cmp (x, y);
}

/* ---- who wins ----------------------------------------------------------- */

/* One side's assignment of something. */
struct claim {
  const struct stamp *place, *first;
};

static const struct stamp *
claim_name (const struct claim *claim)
{
  return stamp_name (claim->place, claim->first);
}

/* Above 0 when a's stands, below when b's does, 0: it is the same.  The later
 * place, unless a repair took it: then who knew what the other has comes after
 * it.  Where each knows the other's, one of the two places is from before a
 * repair: the lower is in order.  What is one write has the place that a
 * repair gave it, which is lower, too; and of one client the writes came as
 * they are named.  All that is no matter of what is lost: after a copy, when
 * not everything counts as known, it goes to the journal, whoever wins. */
static int
judge (const struct merge *merge, const struct claim *a, const struct claim *b)
{
  int order = stamp_cmp (a->place, b->place);
  bool a_back, b_back;

  if (stamp_cmp (claim_name (a), claim_name (b)) == 0)
    return -order;
  if (stamp_client (claim_name (a)) == stamp_client (claim_name (b)))
    return stamp_cmp (claim_name (a), claim_name (b));
  a_back = state_took_back (merge->b, a->place, claim_name (a));
  b_back = state_took_back (merge->a, b->place, claim_name (b));
  if (a_back != b_back)
    return a_back ? -1 : 1;
  return a_back ? -order : order;
}

static bool
is_known (const struct merge *merge, bool from_b, const struct stamp *name)
{
  const struct state *other = from_b ? merge->a : merge->b;

  if (!(from_b ? merge->b_loses_unseen : merge->a_loses_unseen))
    return true;
  return state_knows (other, name, merge->rules->strict);
}

/* ---- fields ------------------------------------------------------------ */

static int
tell_loser (const struct merge *merge, bool from_b, const struct field *lost,
            const struct field *won)
{
  const struct state *state = from_b ? merge->b : merge->a;
  const struct stamp *name = stamp_name (&lost->stamp, &lost->first);
  struct loser loser = { from_b,      lost->key,
                         lost->value, *name,
                         won->value,  *stamp_name (&won->stamp, &won->first) };

  if (value_cmp (lost->value, won->value) == 0
      || is_known (merge, from_b, name))
    return TALLY_OK;
  /* A whole write did not choose the fields that it does not have, and what
   * ends in a tombstone is told as a whole. */
  if (!lost->value.data && !state_override (state, lost->key))
    return TALLY_OK;
  if (merge->out->deleted)
    return TALLY_OK;
  return merge->rules->loser (merge->rules->ctx, &loser);
}

/* What is not the whole write's own is an override: above it, but for what
 * was repaired. */
static int
keep_field (struct merge *merge, const struct field *field)
{
  struct state *out = merge->out;
  const struct stamp *name = stamp_name (&field->stamp, &field->first);

  if (stamp_cmp (name, stamp_name (&out->whole, &out->whole_first)) != 0) {
    struct override *override = &out->overrides[out->n_overrides++];

    override->field = field->key;
    override->stamp = field->stamp;
    override->first = field->first;
  } else if (out->deleted)
    return TALLY_OK;
  if (field->value.data)
    body_add (&merge->body, field->key, field->value);
  return TALLY_OK;
}

static int
merge_field (struct merge *merge, const struct field *a, const struct field *b)
{
  struct claim mine = { &a->stamp, &a->first };
  struct claim theirs = { &b->stamp, &b->first };
  int order = judge (merge, &mine, &theirs);
  bool b_wins = order != 0 ? order < 0 : value_cmp (b->value, a->value) > 0;
  int status = TALLY_OK;

  if (merge->rules && merge->rules->loser)
    status = b_wins ? tell_loser (merge, false, a, b)
                    : tell_loser (merge, true, b, a);
  if (status != TALLY_OK)
    return status;
  return keep_field (merge, b_wins ? b : a);
}

static int
merge_fields (struct merge *merge)
{
  struct field_cursor ca, cb;
  struct field a, b;
  bool has_a, has_b;
  int status = TALLY_OK;

  field_cursor_start (&ca, merge->a);
  field_cursor_start (&cb, merge->b);
  has_a = field_cursor_next (&ca, &a);
  has_b = field_cursor_next (&cb, &b);
  while ((has_a || has_b) && status == TALLY_OK) {
    int order = !has_a ? 1 : !has_b ? -1 : json_key_cmp (a.key, b.key);
    const struct state *without = order < 0 ? merge->b : merge->a;
    struct field absent = { order < 0 ? a.key : b.key,
                            { NULL, 0 },
                            without->whole,
                            without->whole_first,
                            false };

    status = merge_field (merge, order <= 0 ? &a : &absent,
                          order >= 0 ? &b : &absent);
    if (order <= 0)
      has_a = field_cursor_next (&ca, &a);
    if (order >= 0)
      has_b = field_cursor_next (&cb, &b);
  }
  return status;
}

/* ---- the document as a whole ------------------------------------------- */

/* Of a delete only its own stamp is lost: the field writes hidden in the
 * tombstone come back, or are told of as fields. */
static bool
knows_whole (const struct merge *merge, bool from_b)
{
  const struct state *lost = from_b ? merge->b : merge->a;

  if (!is_known (merge, from_b, stamp_name (&lost->whole, &lost->whole_first)))
    return false;
  for (size_t i = 0; i < lost->n_overrides && !lost->deleted; i++)
    if (!is_known (
            merge, from_b,
            stamp_name (&lost->overrides[i].stamp, &lost->overrides[i].first)))
      return false;
  return true;
}

static struct stamp
newest_name (const struct state *state)
{
  const struct stamp *place = &state->whole, *first = &state->whole_first;

  for (size_t i = 0; i < state->n_overrides; i++)
    if (stamp_cmp (&state->overrides[i].stamp, place) > 0) {
      place = &state->overrides[i].stamp;
      first = &state->overrides[i].first;
    }
  return *stamp_name (place, first);
}

/* A delete that meets writes it does not know loses them, or is lost. */
static int
tell_whole (const struct merge *merge)
{
  bool a_wins = merge->out->deleted == merge->a->deleted;
  const struct state *lost = a_wins ? merge->b : merge->a;
  const struct state *won = a_wins ? merge->a : merge->b;
  struct loser loser;

  if (merge->a->deleted == merge->b->deleted)
    return TALLY_OK;
  if (knows_whole (merge, a_wins))
    return TALLY_OK;
  memset (&loser, 0, sizeof loser);
  loser.from_b = a_wins;
  loser.field = slice_make ("", 0);
  loser.lost = lost->deleted ? slice_make (NULL, 0) : lost->body;
  loser.lost_stamp = lost->deleted
                         ? *stamp_name (&lost->whole, &lost->whole_first)
                         : newest_name (lost);
  loser.won = won->deleted ? slice_make (NULL, 0) : won->body;
  loser.won_stamp = *stamp_name (&won->whole, &won->whole_first);
  return merge->rules->loser (merge->rules->ctx, &loser);
}

static void
merge_whole (struct merge *merge)
{
  struct state *out = merge->out;
  const struct state *a = merge->a, *b = merge->b;
  struct claim mine = { &a->whole, &a->whole_first };
  struct claim theirs = { &b->whole, &b->whole_first };
  int order = judge (merge, &mine, &theirs);

  out->whole = order >= 0 ? a->whole : b->whole;
  out->whole_first = order >= 0 ? a->whole_first : b->whole_first;
  if (order == 0)
    out->deleted = a->deleted || b->deleted;
  else
    out->deleted = order > 0 ? a->deleted : b->deleted;
}

static void
start_body (struct merge *merge, struct buf *body)
{
  struct tally_slice id = { NULL, 0 };

  if (!merge->out->deleted
      && !json_find_member (merge->a->body, slice_text ("_id"), &id))
    json_find_member (merge->b->body, slice_text ("_id"), &id);
  body_start (&merge->body, body, id);
}

int
merge_states (struct state *out, struct buf *body, const struct state *a,
              const struct state *b, const struct merge_rules *rules,
              struct tally_error *err)
{
  const struct state *both[] = { a, b };
  struct merge merge = { .out = out, .a = a, .b = b, .rules = rules };
  int status = TALLY_OK;

  memset (out, 0, sizeof *out);
  if (rules && rules->loser) {
    merge.a_loses_unseen = !rules->a_known;
    merge.b_loses_unseen = !rules->b_known;
  }
  merge_whole (&merge);
  out->overrides =
      malloc ((a->n_overrides + b->n_overrides + 1) * sizeof *out->overrides);
  if (!out->overrides)
    return error_nomem (err);
  buf_clear (body);
  start_body (&merge, body);
  if (rules && rules->loser)
    status = tell_whole (&merge);
  if (status == TALLY_OK)
    status = merge_fields (&merge);
  body_end (&merge.body, out->deleted);
  out->body = buf_slice (body);
  if (status == TALLY_OK && (body->failed || !state_build_seen (out, both, 2)))
    status = error_nomem (err);
  else if (status != TALLY_OK)
    error_set (err, status, "the merge was stopped");
  if (status != TALLY_OK)
    state_free (out);
  return status;
}
