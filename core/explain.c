/* SPDX-License-Identifier: MIT */
/* explain of tally.h: what stands in a document, who wrote it and when, and
 * what lost to it here.  Other machines may have merged what this journal does
 * not know of. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "conflicts.h"
#include "context.h"
#include "document.h"
#include "json.h"
#include "public.h"
#include "rev.h"
#include "state.h"

struct explainer {
  struct replica *replica;
  struct device_book book;
  const char *collection, *id;
  tally_explain_fn *emit;
  void *ctx;
  bool stop;

  struct state state;
  /* What lost in this document, and whether a row told of it. */
  struct losing {
    struct journal_item item;
    bool told;
  } * losing;
  size_t n_losing;
};

/* A stamp as the rows have it. */
struct stamped {
  char stamp[STAMP_TEXT + 1];
  char client[CLIENT_TEXT];
  const char *device;
};

static int
take_stamp (struct explainer *explainer, struct stamped *out,
            const struct stamp *stamp, struct tally_error *err)
{
  stamp_to_text (out->stamp, stamp);
  device_client_text (out->client, stamp_client (stamp));
  return device_book_find (&explainer->book, stamp_client (stamp),
                           &out->device, err);
}

/* ---- the journal -------------------------------------------------------- */

static int
keep_item (void *ctx, struct journal_item *item, struct tally_error *err)
{
  struct explainer *explainer = ctx;
  struct losing *losing;

  if (strcmp (item->conflict.collection, explainer->collection) != 0
      || strcmp (item->conflict.document, explainer->id) != 0)
    return TALLY_OK;
  losing =
      realloc (explainer->losing, (explainer->n_losing + 1) * sizeof *losing);
  if (!losing)
    return error_nomem (err);
  explainer->losing = losing;
  losing[explainer->n_losing].item = *item;
  losing[explainer->n_losing++].told = false;
  memset (&item->texts, 0, sizeof item->texts);
  return TALLY_OK;
}

/* Why one lost, as seen from what stands now. */
static const char *
why_lost (const struct journal_item *item, const struct stamp *now)
{
  int order = stamp_cmp (&item->won_stamp, &item->lost_stamp);

  if (stamp_cmp (&item->won_stamp, now) != 0)
    return "lost to an earlier value";
  return order > 0    ? "later stamp"
         : order == 0 ? "equal stamp, greater bytes"
                      : "later whole write";
}

/* Fills the row's losers; *lost is for the caller to free. */
static int
add_losers (struct explainer *explainer, struct tally_explanation *row,
            const struct stamp *stamp, struct tally_lost **lost,
            struct tally_error *err)
{
  bool beaten = false;

  row->why = "only assignment known";
  *lost = calloc (explainer->n_losing + 1, sizeof **lost);
  if (!*lost)
    return error_nomem (err);
  row->lost = *lost;
  for (size_t i = 0; i < explainer->n_losing; i++) {
    struct losing *losing = &explainer->losing[i];
    const struct tally_conflict *conflict = &losing->item.conflict;
    struct tally_lost *out = &(*lost)[row->n_lost];

    if (strcmp (conflict->field, row->field) != 0)
      continue;
    losing->told = true;
    row->n_lost++;
    out->id = conflict->id;
    out->value = conflict->lost.value;
    out->stamp = conflict->lost.stamp;
    out->stamp_ms = stamp_ms (&losing->item.lost_stamp);
    out->client = conflict->lost.client;
    out->device = conflict->lost.device;
    out->why = why_lost (&losing->item, stamp);
    if (stamp_cmp (&losing->item.won_stamp, stamp) == 0) {
      row->why = out->why;
      beaten = true;
    } else if (!beaten)
      row->why = "written after what won";
  }
  return TALLY_OK;
}

/* ---- rows --------------------------------------------------------------- */

/* Fills what all rows have, and emits.  A write is known by its name, and was
 * made at its place: a repair has put that right. */
static int
tell (struct explainer *explainer, struct tally_explanation *row,
      const struct stamp *place, const struct stamp *first,
      struct tally_error *err)
{
  const struct stamp *stamp = stamp_name (place, first);
  struct stamped by;
  struct tally_lost *lost = NULL;
  int status = take_stamp (explainer, &by, stamp, err);

  row->size = sizeof *row;
  row->collection = explainer->collection;
  row->document = explainer->id;
  row->stamp = by.stamp;
  row->stamp_ms = stamp_ms (place);
  row->client = by.client;
  row->device = by.device;
  row->deleted = explainer->state.deleted;
  row->whole = stamp_cmp (stamp, stamp_name (&explainer->state.whole,
                                             &explainer->state.whole_first))
               == 0;
  if (status == TALLY_OK)
    status = add_losers (explainer, row, stamp, &lost, err);
  if (status == TALLY_OK && !explainer->stop)
    explainer->stop = explainer->emit (explainer->ctx, row);
  free (lost);
  return status;
}

static int
tell_document (struct explainer *explainer, const struct tally_doc *doc,
               struct tally_error *err)
{
  struct tally_explanation row = { .field = "" };
  const struct state *state = &explainer->state;
  struct tally_seen *seen = calloc (state->n_seen + 1, sizeof *seen);
  struct stamped *by = calloc (state->n_seen + 1, sizeof *by);
  char rev[TALLY_REV_TEXT];
  int status = seen && by ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < state->n_seen && status == TALLY_OK; i++) {
    status = take_stamp (explainer, &by[i], &state->seen[i], err);
    seen[i].client = by[i].client;
    seen[i].device = by[i].device;
    seen[i].stamp = by[i].stamp;
    seen[i].stamp_ms = stamp_ms (&state->seen[i]);
  }
  rev_to_text (rev, doc->rev);
  row.rev = doc->seq > 0 ? rev : "";
  row.seq = doc->seq;
  row.seen = seen;
  row.n_seen = state->n_seen;
  if (status == TALLY_OK)
    status = tell (explainer, &row, &state->whole, &state->whole_first, err);
  free (by);
  free (seen);
  return status;
}

static int
tell_field (struct explainer *explainer, const struct field *field,
            struct tally_error *err)
{
  struct tally_explanation row = { .hidden = explainer->state.deleted };
  struct buf name = BUF_INIT, value = BUF_INIT, quoted = BUF_INIT;
  int status;

  buf_addf (&quoted, "\"%.*s\"", (int) field->key.size, field->key.data);
  json_decode_string (&name, buf_slice (&quoted));
  buf_add_byte (&name, '\0');
  buf_add_slice (&value, field->value);
  buf_add_byte (&value, '\0');
  if (quoted.failed || name.failed || value.failed)
    status = error_nomem (err);
  else {
    row.field = name.data;
    row.value = field->value.data ? value.data : NULL;
    status = tell (explainer, &row, &field->stamp, &field->first, err);
  }
  buf_free (&quoted);
  buf_free (&value);
  buf_free (&name);
  return status;
}

/* Fields that are not there, and of which only what lost is known. */
static int
tell_others (struct explainer *explainer, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < explainer->n_losing && status == TALLY_OK; i++) {
    struct tally_explanation row = { 0 };

    if (explainer->losing[i].told)
      continue;
    row.field = explainer->losing[i].item.conflict.field;
    status = tell (explainer, &row, &explainer->state.whole,
                   &explainer->state.whole_first, err);
  }
  return status;
}

static int
tell_all (struct explainer *explainer, const struct tally_doc *doc,
          struct tally_error *err)
{
  struct field_cursor cursor;
  struct field field;
  int status = tell_document (explainer, doc, err);

  field_cursor_start (&cursor, &explainer->state);
  while (status == TALLY_OK && field_cursor_next (&cursor, &field))
    status = tell_field (explainer, &field, err);
  return status == TALLY_OK ? tell_others (explainer, err) : status;
}

/* ---- the call ----------------------------------------------------------- */

/* A deletion that is forgotten is known from what lost to it. */
static int
recall (struct explainer *explainer, struct tally_doc *doc,
        struct tally_error *err)
{
  struct state *state = &explainer->state;

  for (size_t i = 0; i < explainer->n_losing; i++) {
    const struct journal_item *item = &explainer->losing[i].item;

    if (item->conflict.field[0] || item->conflict.won.value
        || (state->deleted
            && stamp_cmp (&item->won_stamp, &state->whole) <= 0))
      continue;
    state->deleted = true;
    state->whole = item->won_stamp;
  }
  memset (doc, 0, sizeof *doc);
  if (state->deleted)
    return TALLY_OK;
  return error_set (err, TALLY_NOTFOUND, "%s: not found in %s of %s",
                    explainer->id, explainer->collection,
                    explainer->replica->name);
}

static int
read_state (struct explainer *explainer, const struct tally_doc *doc,
            struct tally_error *err)
{
  int status = state_verify (doc, explainer->replica->name, err);

  if (status != TALLY_OK)
    return status;
  return state_decode (&explainer->state, doc->flags & TALLY_DOC_DELETED,
                       doc->meta, doc->body, err);
}

static int
explain (struct explainer *explainer, struct tally_error *err)
{
  struct doclist docs = DOCLIST_INIT;
  struct tally_slice id = slice_text (explainer->id);
  struct tally_doc gone;
  int status = replica_get (explainer->replica, explainer->collection, &id, 1,
                            TALLY_GET_BODY, doclist_emit, &docs, err);

  if (status == TALLY_OK && docs.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = journal_each (explainer->replica, &explainer->book, NULL, 0,
                           keep_item, explainer, err);
  if (status == TALLY_OK)
    status = docs.count > 0 ? read_state (explainer, &docs.docs[0], err)
                            : recall (explainer, &gone, err);
  if (status == TALLY_OK)
    status = tell_all (explainer, docs.count > 0 ? &docs.docs[0] : &gone, err);
  state_free (&explainer->state);
  doclist_free (&docs);
  return status;
}

int
tally_explain (struct tally_replica *handle, const char *collection,
               const char *id, tally_explain_fn *emit, void *ctx,
               struct tally_error *err)
{
  struct explainer explainer = { .collection = collection, .id = id };
  int status;

  err = PUBLIC_ERROR (err);
  explainer.emit = emit;
  explainer.ctx = ctx;
  status = collection_check_any (collection, err);
  if (status == TALLY_OK)
    status = document_check_id (slice_text (id), err);
  if (status == TALLY_OK)
    status = context_use (&explainer.replica, handle, err);
  if (status != TALLY_OK)
    return status;
  explainer.book.replica = explainer.replica;
  explainer.book.own = handle->tally->config->device;
  status = explain (&explainer, err);
  for (size_t i = 0; i < explainer.n_losing; i++)
    arena_free (&explainer.losing[i].item.texts);
  free (explainer.losing);
  device_book_free (&explainer.book);
  return status;
}
