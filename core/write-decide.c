/* SPDX-License-Identifier: MIT */
/* What a local write makes of a document. */

#include <config.h>

#include <string.h>

#include <tally/tally.h>

#include "edit.h"
#include "error.h"
#include "graves.h"
#include "hooks.h"
#include "write-internal.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

static void
set_result (struct writer *writer, size_t item, int outcome,
            const unsigned char *rev)
{
  struct write_result *result = &writer->results[item];

  result->status = TALLY_OK;
  result->outcome = outcome;
  memcpy (result->rev, rev, TALLY_REV_SIZE);
}

/* What an item goes by. */
static const struct tally_doc *
target_now (const struct target *target)
{
  return target->entry ? &target->entry->doc : target->stored;
}

/* The same, but that a grave is nothing. */
static const struct tally_doc *
target_here (const struct target *target)
{
  if (target->entry || !target->stored)
    return target_now (target);
  return is_grave (target->stored) ? NULL : target->stored;
}

static int
write_state (struct writer *writer, size_t item, const struct state *state,
             struct tally_error *err)
{
  struct target *target = target_of (writer, item);
  const struct tally_doc *here = target_here (target);
  struct buf *meta = &writer->metas[item];
  struct tally_entry *entry = target->entry;

  buf_clear (meta);
  state_encode (state, meta);
  if (meta->failed)
    return error_nomem (err);
  if (!entry) {
    entry = target->entry = &writer->entries[writer->n_entries++];
    memset (entry, 0, sizeof *entry);
    entry->collection = writer->collection;
    entry->expected = here ? here->rev : absent_rev;
    entry->doc.id = writer->items[item].id;
  }
  entry->doc.flags = state->deleted ? TALLY_DOC_DELETED : 0;
  entry->doc.meta = buf_slice (meta);
  entry->doc.body = state->body;
  state_rev (state, entry->doc.id, entry->doc.rev);
  return TALLY_OK;
}

static bool
is_expected (const struct write_item *item, const struct tally_doc *stored)
{
  if (!item->expected)
    return true;
  return memcmp (item->expected, stored ? stored->rev : absent_rev,
                 TALLY_REV_SIZE)
         == 0;
}

/* After a repair, or where a copy of this store went on, a document may have
 * seen later stamps of our client than any that we give now: a write under it
 * would count as known there. */
int
write_stamp (struct replica *replica, const struct state *old,
             struct stamp *stamp, struct tally_error *err)
{
  struct stamp newest;
  int status;

  if (!old)
    return replica_stamp (replica, NULL, stamp, err);
  newest = state_newest (old);
  status = replica_stamp (replica, &newest, stamp, err);
  while (status == TALLY_OK && state_knows (old, stamp, NULL)) {
    status = identity_renew (replica, err);
    if (status == TALLY_OK)
      status = replica_stamp (replica, &newest, stamp, err);
  }
  return status;
}

int
write_decide (struct writer *writer, size_t at, struct tally_error *err)
{
  const struct write_item *item = &writer->items[at];
  const struct target *target = target_of (writer, at);
  const struct tally_doc *stored = target_now (target);
  const struct tally_doc *here = target_here (target);
  struct state old = { 0 }, new = { 0 };
  struct stamp stamp;
  struct tally_slice body = item->body;
  bool alive = stored && !(stored->flags & TALLY_DOC_DELETED);
  bool changed = true;
  int status = TALLY_OK;

  if (!is_expected (item, here)) {
    writer->results[at].status = TALLY_CONFLICT;
    memcpy (writer->results[at].rev, here ? here->rev : absent_rev,
            TALLY_REV_SIZE);
    return TALLY_OK;
  }
  if (!item->body.data && !alive) {
    set_result (writer, at, TALLY_MISSING, absent_rev);
    return TALLY_OK;
  }
  status =
      hooks_before (writer->replica->hooks, writer->collection, item->id,
                    alive ? stored : NULL, &body, &writer->stored.arena, err);
  if (status != TALLY_OK)
    return status;
  if (stored) {
    status = state_decode (&old, !alive, stored->meta, stored->body, err);
    if (status != TALLY_OK)
      return error_set (err, status, "%s: document \"%.*s\": %s",
                        writer->replica->name, (int) item->id.size,
                        item->id.data, err->text);
  }
  status = write_stamp (writer->replica, stored ? &old : NULL, &stamp, err);
  if (status == TALLY_OK && body.data)
    status = edit_put (&new, &changed, stored ? &old : NULL, body,
                       item->replace, &stamp, err);
  else if (status == TALLY_OK)
    status = edit_delete (&new, &old, &stamp, err);
  if (status == TALLY_OK && changed)
    status = write_state (writer, at, &new, err);
  if (status == TALLY_OK)
    set_result (writer, at,
                !changed           ? TALLY_UNCHANGED
                : !item->body.data ? TALLY_DELETED
                : alive            ? TALLY_UPDATED
                                   : TALLY_INSERTED,
                target_now (target)->rev);
  state_free (&new);
  state_free (&old);
  return status;
}
