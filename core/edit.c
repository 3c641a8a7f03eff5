/* SPDX-License-Identifier: MIT */
/* The difference between what is stored and what is put becomes overrides. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "error.h"
#include "json.h"

static int
whole_write (struct state *out, const struct state *old, bool deleted,
             struct tally_slice body, const struct stamp *stamp,
             struct tally_error *err)
{
  memset (out, 0, sizeof *out);
  out->whole = *stamp;
  out->deleted = deleted;
  out->body = body;
  if (old && !state_build_seen (out, &old, 1))
    return error_nomem (err);
  return TALLY_OK;
}

/* Walks both bodies; with out NULL only counts what differs. */
struct difference {
  size_t fields; /* live ones after the write */
  size_t changed;
  size_t kept; /* overrides that stay */
};

static void
add_override (struct state *out, struct tally_slice key,
              const struct stamp *stamp, const struct stamp *first)
{
  struct override *override;

  if (!out)
    return;
  override = &out->overrides[out->n_overrides++];
  memset (override, 0, sizeof *override);
  override->field = key;
  override->stamp = *stamp;
  if (first)
    override->first = *first;
}

static struct difference
compare (struct state *out, const struct state *old, const struct state *new,
         const struct stamp *stamp)
{
  struct difference result = { 0, 0, 0 };
  struct field_cursor co, cn;
  struct field o, n;
  bool has_o, has_n;

  field_cursor_start (&co, old);
  field_cursor_start (&cn, new);
  has_o = field_cursor_next (&co, &o);
  has_n = field_cursor_next (&cn, &n);
  while (has_o || has_n) {
    int order = !has_o ? 1 : !has_n ? -1 : json_key_cmp (o.key, n.key);
    struct tally_slice was = { NULL, 0 }, is = { NULL, 0 };

    if (order <= 0)
      was = o.value;
    if (order >= 0)
      is = n.value;
    result.fields += is.data != NULL;
    if ((was.data != NULL) != (is.data != NULL) || !slice_equal (was, is)) {
      result.changed++;
      add_override (out, order <= 0 ? o.key : n.key, stamp, NULL);
    } else if (o.is_override) {
      result.kept++;
      add_override (out, o.key, &o.stamp, &o.first);
    }
    if (order <= 0)
      has_o = field_cursor_next (&co, &o);
    if (order >= 0)
      has_n = field_cursor_next (&cn, &n);
  }
  return result;
}

int
edit_put (struct state *out, bool *changed, const struct state *old,
          struct tally_slice body, bool replace, const struct stamp *stamp,
          struct tally_error *err)
{
  struct state new = { .body = body };
  struct difference difference;
  size_t overrides;

  *changed = true;
  if (!old || old->deleted || replace)
    return whole_write (out, old, false, body, stamp, err);
  difference = compare (NULL, old, &new, stamp);
  if (difference.changed == 0) {
    *changed = false;
    return TALLY_OK;
  }
  overrides = difference.changed + difference.kept;
  if (overrides > EDIT_OVERRIDES_MAX && overrides > 2 * difference.fields)
    return whole_write (out, old, false, body, stamp, err);

  memset (out, 0, sizeof *out);
  out->whole = old->whole;
  out->whole_first = old->whole_first;
  out->body = body;
  out->overrides = malloc (overrides * sizeof *out->overrides);
  if (!out->overrides)
    return error_nomem (err);
  compare (out, old, &new, stamp);
  if (state_build_seen (out, &old, 1))
    return TALLY_OK;
  state_free (out);
  return error_nomem (err);
}

int
edit_delete (struct state *out, const struct state *old,
             const struct stamp *stamp, struct tally_error *err)
{
  return whole_write (out, old, true, slice_make (NULL, 0), stamp, err);
}
