/* SPDX-License-Identifier: MIT */
/* One walk over the fields of both states in key order. */

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

static int
field_cmp (const struct field *x, const struct field *y)
{
  int order = stamp_cmp (&x->stamp, &y->stamp);

  return order != 0 ? order : value_cmp (x->value, y->value);
}

/* ---- what a repair took back ---------------------------------------------
 */

struct beyond {
  const struct merge *merge;
  const struct state *other;
  bool any, all_known;
};

static void
look_beyond (struct beyond *beyond, const struct stamp *stamp)
{
  const struct merge_rules *rules = beyond->merge->rules;

  if (stamp_ms (stamp) <= rules->limit_ms)
    return;
  beyond->any = true;
  beyond->all_known &= state_knows (beyond->other, stamp, rules->strict);
}

/* True when `other` knows everything beyond the limit that went into `state`:
 * so it knows what a repair gave new stamps to there. */
static bool
knows_repaired (const struct merge *merge, const struct state *state,
                const struct state *other)
{
  struct beyond beyond = { merge, other, false, true };

  look_beyond (&beyond, &state->whole);
  for (size_t i = 0; i < state->n_overrides; i++)
    look_beyond (&beyond, &state->overrides[i].stamp);
  for (size_t i = 0; i < state->n_seen; i++)
    look_beyond (&beyond, &state->seen[i]);
  return beyond.any && beyond.all_known;
}

static bool
is_known_repair (const struct merge *merge, bool from_b,
                 const struct stamp *stamp)
{
  return merge->rules->limit_ms > 0 && stamp_is_repaired (stamp)
         && knows_repaired (merge, from_b ? merge->b : merge->a,
                            from_b ? merge->a : merge->b);
}

/* An assignment that a repair took back, or wrote over, is older than what
 * the other state has; and one that a repair gave a new stamp to is older
 * than what was written by somebody who knew it. */
enum rank { RANK_TAKEN_BACK, RANK_KNOWN_REPAIR, RANK_ORDINARY };

static enum rank
rank_of (const struct merge *merge, bool from_b, const struct stamp *stamp,
         const struct stamp *against)
{
  const struct state *other = from_b ? merge->a : merge->b;

  if (!merge->rules || merge->rules->limit_ms == 0
      || state_holds (other, stamp))
    return RANK_ORDINARY;
  if ((stamp_ms (stamp) > merge->rules->limit_ms
       || stamp_is_repaired (against))
      && state_knows (other, stamp, merge->rules->strict))
    return RANK_TAKEN_BACK;
  return is_known_repair (merge, from_b, stamp) ? RANK_KNOWN_REPAIR
                                                : RANK_ORDINARY;
}

/* Above 0 when a's stands before b's, below when b's does; 0: their stamps
 * decide, as ever. */
static int
judge_ranks (const struct merge *merge, const struct stamp *a,
             const struct stamp *b)
{
  return (int) rank_of (merge, false, a, b)
         - (int) rank_of (merge, true, b, a);
}

static bool
is_known (const struct merge *merge, bool from_b, const struct stamp *stamp)
{
  const struct state *other = from_b ? merge->a : merge->b;

  if (!(from_b ? merge->b_loses_unseen : merge->a_loses_unseen))
    return true;
  if (is_known_repair (merge, from_b, stamp))
    return true;
  return state_knows (other, stamp, merge->rules->strict);
}

/* ---- fields ------------------------------------------------------------ */

static int
tell_loser (const struct merge *merge, bool from_b, const struct field *lost,
            const struct field *won)
{
  const struct state *state = from_b ? merge->b : merge->a;
  struct loser loser = { from_b,      lost->key,  lost->value,
                         lost->stamp, won->value, won->stamp };

  if (value_cmp (lost->value, won->value) == 0
      || is_known (merge, from_b, &lost->stamp))
    return TALLY_OK;
  /* A whole write did not choose the fields that it does not have, and what
   * ends in a tombstone is told as a whole. */
  if (!lost->value.data && !state_override (state, lost->key))
    return TALLY_OK;
  if (merge->out->deleted)
    return TALLY_OK;
  return merge->rules->loser (merge->rules->ctx, &loser);
}

static int
keep_field (struct merge *merge, const struct field *field)
{
  struct state *out = merge->out;
  int order = stamp_cmp (&field->stamp, &out->whole);

  if (order > 0) {
    out->overrides[out->n_overrides].field = field->key;
    out->overrides[out->n_overrides].stamp = field->stamp;
    out->n_overrides++;
  } else if (out->deleted)
    return TALLY_OK;
  if (field->value.data)
    body_add (&merge->body, field->key, field->value);
  return TALLY_OK;
}

static int
merge_field (struct merge *merge, const struct field *a, const struct field *b)
{
  int order = judge_ranks (merge, &a->stamp, &b->stamp);
  bool b_wins = order != 0 ? order < 0 : field_cmp (b, a) > 0;
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
    struct field absent = { order < 0 ? a.key : b.key,
                            { NULL, 0 },
                            order < 0 ? merge->b->whole : merge->a->whole };

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

  if (!is_known (merge, from_b, &lost->whole))
    return false;
  for (size_t i = 0; i < lost->n_overrides && !lost->deleted; i++)
    if (!is_known (merge, from_b, &lost->overrides[i].stamp))
      return false;
  return true;
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
  loser.lost_stamp = lost->deleted ? lost->whole : state_newest (lost);
  loser.won = won->deleted ? slice_make (NULL, 0) : won->body;
  loser.won_stamp = won->whole;
  return merge->rules->loser (merge->rules->ctx, &loser);
}

static void
merge_whole (struct merge *merge)
{
  struct state *out = merge->out;
  const struct state *a = merge->a, *b = merge->b;
  int order = judge_ranks (merge, &a->whole, &b->whole);

  if (order == 0)
    order = stamp_cmp (&a->whole, &b->whole);
  out->whole = order >= 0 ? a->whole : b->whole;
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
