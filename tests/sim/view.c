/* SPDX-License-Identifier: MIT */
/* A stored document as the oracle reads it: past the gate, and with the writes
 * that stand in it in place of their stamps. */

#include <config.h>

#include <string.h>

#include "../../core/notejson.h"
#include "oracle.h"

struct viewing {
  struct world *world;
  const struct doc_history *history;
  struct view *view;
};

unsigned
oracle_number (struct tally_slice value)
{
  uint64_t number = 0;

  if (!value.data || !note_number (value, &number))
    return 0;
  return (unsigned) number;
}

static void
view_field (struct viewing *viewing, const struct field *field)
{
  struct view *view = viewing->view;
  unsigned f;

  if (field->key.size != 1 || field->key.data[0] < 'a'
      || field->key.data[0] >= 'a' + SIM_FIELDS)
    return;
  f = (unsigned) (field->key.data[0] - 'a');
  view->value[f] = oracle_number (field->value);
  view->standing[f] = (unsigned char) oracle_event (
      viewing->history, stamp_name (&field->stamp, &field->first));
}

int
oracle_state (struct state *state, const struct tally_doc *doc,
              struct tally_error *err)
{
  unsigned char plain[STATE_PLAIN_META];
  struct tally_slice meta = doc->meta;

  state_plain_meta (plain, doc->rev);
  if (meta.size == 0)
    meta = slice_make (plain, sizeof plain);
  return state_decode (state, doc->flags & TALLY_DOC_DELETED, meta, doc->body,
                       err);
}

static int
header_doc (void *ctx, const struct tally_doc *doc)
{
  struct view *view = ctx;

  view->there = true;
  view->deleted = doc->flags & TALLY_DOC_DELETED;
  view->seq = doc->seq;
  memcpy (view->rev, doc->rev, TALLY_REV_SIZE);
  return 1;
}

static int
view_doc (void *ctx, const struct tally_doc *doc)
{
  struct viewing *viewing = ctx;
  struct view *view = viewing->view;
  struct tally_error err;
  struct field_cursor cursor;
  struct field field;
  struct state state;
  unsigned char whole;

  header_doc (view, doc);
  if (oracle_state (&state, doc, &err) != TALLY_OK) {
    violate (viewing->world, VIOLATION_WRONG, "a stored document: %s",
             err.text);
    return 1;
  }
  whole = (unsigned char) oracle_event (
      viewing->history, stamp_name (&state.whole, &state.whole_first));
  memset (view->standing, whole, sizeof view->standing);
  field_cursor_start (&cursor, &state);
  while (field_cursor_next (&cursor, &field))
    view_field (viewing, &field);
  for (unsigned f = 0; f <= SIM_WHOLE; f++)
    if (view->standing[f] > 0)
      view->events |= UINT64_C (1) << (view->standing[f] - 1);
  state_free (&state);
  return 1;
}

void
oracle_view (struct world *world, struct site *site, unsigned doc,
             struct view *view)
{
  struct viewing viewing = { world, &world->docs[doc], view };
  struct tally_slice id = slice_text (doc_id (doc));
  struct tally_error err;

  memset (view, 0, sizeof *view);
  if (site->inner)
    site->inner_ops->get (site->inner, doc_collection (world, doc), &id, 1,
                          TALLY_GET_BODY, view_doc, &viewing, &err);
}

void
oracle_header (struct world *world, struct site *site, unsigned doc,
               struct view *view)
{
  struct tally_slice id = slice_text (doc_id (doc));
  struct tally_error err;

  memset (view, 0, sizeof *view);
  if (site->inner)
    site->inner_ops->get (site->inner, doc_collection (world, doc), &id, 1, 0,
                          header_doc, view, &err);
}

bool
oracle_same (const struct view *a, const struct view *b)
{
  return a->there == b->there && memcmp (a->rev, b->rev, TALLY_REV_SIZE) == 0;
}

bool
oracle_equal (const struct view *a, const struct view *b)
{
  bool a_alive = a->there && !a->deleted, b_alive = b->there && !b->deleted;

  return a_alive == b_alive && (!a_alive || oracle_same (a, b));
}

unsigned
oracle_event (const struct doc_history *history, const struct stamp *stamp)
{
  for (unsigned i = history->n; i > 0; i--)
    if (stamp_cmp (&history->events[i - 1].stamp, stamp) == 0)
      return i;
  return 0;
}
