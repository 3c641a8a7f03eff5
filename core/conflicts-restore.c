/* SPDX-License-Identifier: MIT */
/* What lost is written once more, as a new write that knows what it replaces.
 * A crash between the write and the end of the entry leaves an entry too many.
 */

#include <config.h>

#include <string.h>

#include "body.h"
#include "conflicts.h"
#include "context.h"
#include "json.h"
#include "public.h"
#include "rev.h"
#include "write.h"

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct restorer {
  struct replica *replica;
  tally_written_fn *emit;
  void *ctx;
};

/* The stored document with one field as it lost. */
static int
set_field (struct buf *out, struct tally_slice document,
           const struct journal_item *entry, struct tally_error *err)
{
  struct buf key = BUF_INIT;
  struct tally_slice raw, rest = document;
  struct body_writer body;
  struct json_member member;
  bool placed = !entry->lost_value.data;

  json_encode_string (&key, slice_text (entry->conflict.field));
  if (key.failed)
    return error_nomem (err);
  raw = slice_make (key.data + 1, key.size - 2);
  body_start (&body, out, slice_make (NULL, 0));
  while (json_next_member (&rest, &member)) {
    int order = json_key_cmp (member.key, raw);

    if (!placed && order >= 0) {
      body_add (&body, raw, entry->lost_value);
      placed = true;
    }
    if (order != 0)
      body_add (&body, member.key, member.value);
  }
  if (!placed)
    body_add (&body, raw, entry->lost_value);
  body_end (&body, false);
  buf_free (&key);
  return out->failed ? error_nomem (err) : TALLY_OK;
}

/* A document that was deleted since: its id, what lost, and the field writes
 * that are hidden in the tombstone, since nobody took them back. */
static int
revive (struct buf *out, const struct doclist *now,
        const struct journal_item *entry, struct tally_error *err)
{
  struct buf id = BUF_INIT, body = BUF_INIT;
  struct tally_slice hidden = { NULL, 0 };
  struct body_writer writer;
  struct json_member member;
  int status;

  if (now->count > 0)
    hidden = now->docs[0].body;
  json_encode_string (&id, slice_text (entry->conflict.document));
  body_start (&writer, &body, buf_slice (&id));
  while (hidden.size > 0 && json_next_member (&hidden, &member))
    body_add (&writer, member.key, member.value);
  body_end (&writer, false);
  status = id.failed || body.failed
               ? error_nomem (err)
               : set_field (out, buf_slice (&body), entry, err);
  buf_free (&body);
  buf_free (&id);
  return status;
}

/* What to write: the body that lost, nothing for a delete, or the document as
 * it is now with the field that lost.  Where the document is gone, a field
 * that was removed has nothing to come back to. */
static int
make_item (struct restorer *restorer, const struct journal_item *entry,
           struct write_item *item, struct buf *body, struct doclist *now,
           struct tally_error *err)
{
  int status;

  item->id = slice_text (entry->conflict.document);
  if (!entry->conflict.field[0]) {
    item->body = entry->lost_value;
    item->replace = true;
    return TALLY_OK;
  }
  status = replica_get (restorer->replica, entry->conflict.collection,
                        &item->id, 1, TALLY_GET_BODY, doclist_emit, now, err);
  if (status == TALLY_OK && now->failed)
    status = error_nomem (err);
  if (status != TALLY_OK)
    return status;
  /* Above what is there, and nobody else's. */
  item->expected = now->count > 0 ? now->docs[0].rev : absent_rev;
  if (now->count > 0 && !(now->docs[0].flags & TALLY_DOC_DELETED))
    status = set_field (body, now->docs[0].body, entry, err);
  else if (entry->lost_value.data)
    status = revive (body, now, entry, err);
  else
    return TALLY_OK;
  item->body = buf_slice (body);
  return status;
}

static void
tell_written (struct restorer *restorer, const struct journal_item *entry,
              const struct write_result *result)
{
  struct tally_written written = { .size = sizeof written };
  char rev[TALLY_REV_TEXT];

  if (!restorer->emit)
    return;
  rev_to_text (rev, result->rev);
  written.collection = entry->conflict.collection;
  written.id = entry->conflict.document;
  written.rev = result->outcome == TALLY_MISSING ? "" : rev;
  written.outcome = result->outcome;
  restorer->emit (restorer->ctx, &written);
}

static int
restore_entry (void *ctx, struct journal_item *entry, struct tally_error *err)
{
  struct restorer *restorer = ctx;
  struct write_result result = { 0 };
  int status;

  do {
    struct write_item item = { 0 };
    struct buf body = BUF_INIT;
    struct doclist now = DOCLIST_INIT;

    status = make_item (restorer, entry, &item, &body, &now, err);
    if (status == TALLY_OK)
      status = write_batch (restorer->replica, entry->conflict.collection,
                            &item, 1, &result, err);
    doclist_free (&now);
    buf_free (&body);
  } while (status == TALLY_OK && result.status == TALLY_CONFLICT);
  if (status != TALLY_OK)
    return status;
  tell_written (restorer, entry, &result);
  return conflicts_forget (restorer->replica, entry, err);
}

int
tally_conflict_restore (struct tally_replica *handle, const char *const *ids,
                        size_t n, tally_written_fn *emit, void *ctx,
                        struct tally_error *err)
{
  struct restorer restorer = { NULL, emit, ctx };
  int status;

  err = PUBLIC_ERROR (err);
  if (n == 0)
    return TALLY_OK;
  status = context_use (&restorer.replica, handle, err);
  if (status == TALLY_OK)
    status = conflicts_each (handle, restorer.replica, ids, n, restore_entry,
                             &restorer, err);
  return status == TALLY_OK ? conflicts_prune (handle, restorer.replica, err)
                            : status;
}
