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

static bool
is_known (const struct merge *merge, bool from_b, const struct stamp *stamp)
{
  const struct state *other = from_b ? merge->a : merge->b;

  if (!(from_b ? merge->b_loses_unseen : merge->a_loses_unseen))
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
  bool b_wins = field_cmp (b, a) > 0;
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
knows_whole (const struct merge *merge, const struct state *won,
             const struct state *lost)
{
  if (lost->deleted)
    return state_knows (won, &lost->whole, merge->rules->strict);
  return state_knows_all (won, lost, merge->rules->strict);
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
  if (!(a_wins ? merge->b_loses_unseen : merge->a_loses_unseen)
      || knows_whole (merge, won, lost))
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
merge_whole (struct state *out, const struct state *a, const struct state *b)
{
  int order = stamp_cmp (&a->whole, &b->whole);

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
  merge_whole (out, a, b);
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
