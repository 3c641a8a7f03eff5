/* SPDX-License-Identifier: MIT */
/* The journals of conflicts: what an entry says lost, and whether there was
 * anything to tell. */

#include <config.h>

#include <string.h>

#include "../../core/journal.h"
#include "../../core/json.h"
#include "oracle.h"

static const char *const field_names[SIM_FIELDS] = { "a", "b", "c", "d" };

static bool
take_stamp (struct tally_slice side, struct stamp *out)
{
  struct tally_slice text;

  return json_find_member (side, slice_text ("stamp"), &text) && text.size > 2
         && stamp_from_text (out, text.data + 1, text.size - 2);
}

bool
oracle_lost (struct world *world, struct tally_slice body, struct lost *lost)
{
  struct tally_slice document, field, side, won, absent;
  int doc;

  memset (lost, 0, sizeof *lost);
  if (!json_find_member (body, slice_text ("document"), &document)
      || !json_find_member (body, slice_text ("field"), &field)
      || !json_find_member (body, slice_text ("lost"), &side)
      || !json_find_member (body, slice_text ("won"), &won)
      || !json_find_member (side, slice_text ("value"), &lost->value)
      || !take_stamp (side, &lost->stamp) || !take_stamp (won, &lost->won)) {
    violate (world, VIOLATION_WRONG, "an entry of a journal is damaged");
    return false;
  }
  doc = doc_of (slice_make (document.data + 1, document.size - 2));
  if (doc < 0)
    return false;
  lost->doc = (unsigned) doc;
  lost->absent = json_find_member (side, slice_text ("absent"), &absent);
  lost->field = field.size == 2 ? SIM_WHOLE : (unsigned) (field.data[1] - 'a');
  if (lost->field < SIM_WHOLE && !lost->absent)
    lost->only = oracle_number (lost->value);
  return true;
}

bool
oracle_lost_values (const struct lost *lost, unsigned values[SIM_FIELDS])
{
  bool any = false;

  memset (values, 0, SIM_FIELDS * sizeof *values);
  if (lost->field != SIM_WHOLE || lost->absent)
    return false;
  for (unsigned f = 0; f < SIM_FIELDS; f++) {
    struct tally_slice value;

    if (json_find_member (lost->value, slice_text (field_names[f]), &value))
      values[f] = oracle_number (value);
    any |= values[f] > 0;
  }
  return any;
}

/* Whether the author of what won had what lost before him.  A body that lost
 * as a whole may stand for any write that either side had taken in. */
static bool
winner_knew (const struct world *world, const struct lost *lost)
{
  const struct run_context *run = world->run;
  const struct doc_history *history = &world->docs[lost->doc];
  unsigned at = oracle_event (history, &lost->stamp);
  unsigned won = oracle_event (history, &lost->won);
  uint64_t past, lost_ones;

  if (at == 0 || won == 0)
    return false;
  past = history->events[won - 1].past | UINT64_C (1) << (won - 1);
  lost_ones = UINT64_C (1) << (at - 1);
  if (lost->field == SIM_WHOLE && !lost->absent)
    lost_ones |= run->client_read[lost->doc] | run->server_read[lost->doc]
                 | (run->folder ? run->folder->knows[lost->doc] : 0);
  return !(lost_ones & ~past);
}

void
oracle_journaled (struct site *site, struct tally_slice body)
{
  struct world *world = site->world;
  struct run_context *run = world->run;
  struct lost lost;

  if (!run || !oracle_lost (world, body, &lost))
    return;
  run->journaled++;
  trace (world, "      %s journals field %u of %s, event %d", site->name,
         lost.field, doc_id (lost.doc),
         (int) oracle_event (&world->docs[lost.doc], &lost.stamp) - 1);
  if (!world->broke && winner_knew (world, &lost))
    violate (world, VIOLATION_CONFLICT,
             "%s journals field %u of %s, which the winner's author knew",
             site->name, lost.field, doc_id (lost.doc));
}

static int
collect_key (void *ctx, const struct tally_doc *doc)
{
  struct buf *names = ctx;

  buf_add_slice (names, doc->id);
  return 0;
}

struct emitting {
  oracle_entry_fn *fn;
  void *ctx;
};

static int
emit_entry (void *ctx, const struct tally_doc *doc)
{
  const struct emitting *emitting = ctx;

  emitting->fn (emitting->ctx, doc->id, doc->body);
  return 0;
}

void
oracle_journal (struct site *site, oracle_entry_fn *fn, void *ctx)
{
  struct emitting emitting = { fn, ctx };
  struct buf names = BUF_INIT;
  struct tally_error err;
  uint64_t head;

  if (!site->inner)
    return;
  site->inner_ops->changes (site->inner, JOURNAL_COLLECTION, 0, collect_key,
                            &names, &head, &err);
  for (size_t at = 0; at < names.size; at += JOURNAL_ID_TEXT - 1) {
    struct tally_slice id = slice_make (names.data + at, JOURNAL_ID_TEXT - 1);

    site->inner_ops->get (site->inner, JOURNAL_COLLECTION, &id, 1,
                          TALLY_GET_BODY, emit_entry, &emitting, &err);
  }
  buf_free (&names);
}
