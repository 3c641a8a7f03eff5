/* SPDX-License-Identifier: MIT */
/* Local writes: what a user of a site does to a document, through the same
 * calls as the public API, and what the oracle is told of it. */

#include <config.h>

#include <string.h>

#include "../../core/context.h"
#include "../../core/intake.h"
#include "../../core/journal.h"
#include "../../core/mtime.h"
#include "../../core/state.h"
#include "../../core/write.h"
#include "oracle.h"

static void
write_body (struct buf *out, unsigned doc, const unsigned values[SIM_FIELDS])
{
  buf_addf (out, "{\"_id\":\"%s\"", doc_id (doc));
  for (unsigned f = 0; f < SIM_FIELDS; f++)
    if (values[f] > 0)
      buf_addf (out, ",\"%c\":%u", 'a' + (int) f, values[f]);
  buf_add_byte (out, '}');
}

/* What the user wants: fields that he sets get values that no other write
 * has. */
static void
choose_values (struct world *world, const struct op *op,
               const struct view *before, struct event *event)
{
  bool alive = before->there && !before->deleted;

  event->whole = !alive || op->kind == OP_REPLACE;
  for (unsigned f = 0; f < SIM_FIELDS; f++) {
    unsigned was = alive ? before->value[f] : 0;
    bool sets = op->fields >> f & 1, removes = sets && (op->removed >> f & 1);

    event->value[f] = event->whole && op->kind == OP_REPLACE ? 0 : was;
    if (sets)
      event->value[f] = removes ? 0 : ++world->last_value;
    if (event->whole ? event->value[f] > 0 : event->value[f] != was)
      event->assigned |= (unsigned char) (1u << f);
  }
}

/* Makes known what a write did, or keeps it for after the crash. */
static void
finish (struct world *world, struct site *site, unsigned doc,
        const struct event *event, const struct view *before, int status,
        const struct tally_error *err)
{
  struct view after;

  if (site->crashed) {
    world->unsure = (struct unsure){ true, site->index, doc, *before, *event };
    return;
  }
  if (status != TALLY_OK) {
    violate (world, VIOLATION_FAILED, "%s cannot write %s: %s", site->name,
             doc_id (doc), err->text);
    return;
  }
  oracle_header (world, site, doc, &after);
  if (oracle_same (before, &after)) {
    if (event->assigned || event->whole)
      violate (world, VIOLATION_WRONG, "%s wrote %s, and nothing changed",
               site->name, doc_id (doc));
    return;
  }
  oracle_add (world, site, doc, event, before, &after);
}

void
writer_recover (struct world *world, struct site *site)
{
  struct unsure *unsure = &world->unsure;
  struct view after;

  if (!unsure->set || unsure->site != site->index)
    return;
  unsure->set = false;
  oracle_header (world, site, unsure->doc, &after);
  if (!oracle_same (&unsure->before, &after))
    oracle_add (world, site, unsure->doc, &unsure->event, &unsure->before,
                &after);
}

static void
do_write (struct world *world, struct site *site, const struct op *op)
{
  struct write_item item = { .id = slice_text (doc_id (op->doc)),
                             .replace = op->kind == OP_REPLACE };
  struct write_result result;
  struct tally_error err = { 0 };
  struct event event = { 0 };
  struct buf body = BUF_INIT;
  struct view before;
  int status;

  oracle_view (world, site, op->doc, &before);
  if (op->kind == OP_DELETE) {
    if (!before.there || before.deleted)
      return;
    event.whole = event.deleted = true;
  } else {
    choose_values (world, op, &before, &event);
    write_body (&body, op->doc, event.value);
    item.body = buf_slice (&body);
  }
  status = write_batch (site->replica, doc_collection (world, op->doc), &item,
                        1, &result, &err);
  finish (world, site, op->doc, &event, &before, status, &err);
  if (op->kind == OP_DELETE && status == TALLY_OK)
    world->happened |= FEATURE_DELETES;
  buf_free (&body);
}

/* ---- the journal -------------------------------------------------------- */

/* One of a site's entries. */
struct choice {
  struct world *world;
  uint64_t skip;
  size_t n;
  bool found;
  char id[JOURNAL_ID_TEXT];
  struct lost lost;
  unsigned values[SIM_FIELDS];
};

static void
count_entry (void *ctx, struct tally_slice id, struct tally_slice body)
{
  struct choice *choice = ctx;

  (void) id;
  (void) body;
  choice->n++;
}

static void
take_entry (void *ctx, struct tally_slice id, struct tally_slice body)
{
  struct choice *choice = ctx;

  if (choice->skip-- != 0)
    return;
  choice->found = oracle_lost (choice->world, body, &choice->lost);
  memcpy (choice->id, id.data, sizeof choice->id - 1);
  oracle_lost_values (&choice->lost, choice->values);
  choice->lost.value = slice_make (NULL, 0);
}

static bool
choose_entry (struct world *world, struct site *site, uint64_t seed,
              struct choice *choice)
{
  memset (choice, 0, sizeof *choice);
  choice->world = world;
  oracle_journal (site, count_entry, choice);
  if (choice->n == 0)
    return false;
  choice->skip = seed % choice->n;
  oracle_journal (site, take_entry, choice);
  return choice->found;
}

/* Somebody has seen what lost; what becomes of it is his affair. */
static void
settle_entry (struct world *world, const struct choice *choice)
{
  struct doc_history *history = &world->docs[choice->lost.doc];
  unsigned at = oracle_event (history, &choice->lost.stamp);

  if (at > 0)
    history->events[at - 1].read |= (unsigned char) (1u << choice->lost.field);
  if (choice->lost.field < SIM_WHOLE || choice->lost.absent)
    return;
  for (unsigned i = 0; i < history->n; i++)
    for (unsigned f = 0; f < SIM_FIELDS; f++)
      if ((history->events[i].assigned >> f & 1)
          && history->events[i].value[f] == choice->values[f])
        history->events[i].read |= (unsigned char) (1u << f);
}

/* A field comes back to the document as it is, or with what is hidden in its
 * tombstone; one that was removed has no document to be removed from. */
static void
expect_restored (const struct choice *choice, const struct view *before,
                 struct event *event)
{
  const struct lost *lost = &choice->lost;
  bool alive = before->there && !before->deleted;
  unsigned f = lost->field;

  if (f == SIM_WHOLE) {
    event->whole = event->deleted = lost->absent;
    event->whole |= !lost->absent || alive;
    memcpy (event->value, choice->values, sizeof event->value);
  } else {
    event->whole = !alive && !lost->absent;
    memcpy (event->value, before->value, sizeof event->value);
    event->value[f] = lost->only;
  }
  if (!alive && lost->absent)
    memset (event, 0, sizeof *event);
  for (unsigned i = 0; i < SIM_FIELDS; i++)
    if (event->whole ? event->value[i] > 0
                     : alive && event->value[i] != before->value[i])
      event->assigned |= (unsigned char) (1u << i);
}

static void
do_restore (struct world *world, struct site *site, const struct op *op)
{
  struct config config = { .device = site->name };
  struct tally tally = { .config = &config };
  struct tally_replica handle = { .tally = &tally, .replica = site->replica };
  struct tally_error err = { 0 };
  struct event event = { 0 };
  struct choice choice;
  struct view before;
  const char *id;
  int status;

  if (!choose_entry (world, site, op->seed, &choice))
    return;
  id = choice.id;
  oracle_view (world, site, choice.lost.doc, &before);
  if (world->docs[choice.lost.doc].n == SIM_EVENTS)
    return;
  pthread_mutex_init (&tally.lock, NULL);
  status = op->kind == OP_DROP
               ? tally_conflict_drop (&handle, &id, 1, &err)
               : tally_conflict_restore (&handle, &id, 1, NULL, NULL, &err);
  pthread_mutex_destroy (&tally.lock);
  /* Ahead of its merge an entry is not shown. */
  if (status == TALLY_NOTFOUND && site->ops.max_entries == 1)
    return;
  settle_entry (world, &choice);
  if (op->kind == OP_DROP)
    return;
  expect_restored (&choice, &before, &event);
  finish (world, site, choice.lost.doc, &event, &before, status, &err);
}

/* ---- past core ---------------------------------------------------------- */

/* A document that an unmodified client of the dialect put: a whole state at
 * its own time, by a client of its own, that has seen nothing.  From then on
 * the store sees to it that the times it shows rise. */
static int
take_in (struct site *site, const char *collection, struct tally_slice text,
         struct tally_error *err)
{
  struct intake intake = { .replica = site->replica,
                           .collection = collection };
  int status = mtime_show (site->replica, err);

  if (status == TALLY_OK)
    status = identity_dialect (site->replica, NULL, &intake.client, err);
  if (status == TALLY_OK)
    status = intake_add (&intake, text, err);
  if (status == TALLY_OK)
    status = intake_end (&intake, err);
  if (status == TALLY_OK && intake.complaint.status != TALLY_OK) {
    *err = intake.complaint;
    status = err->status;
  }
  intake_free (&intake);
  return status;
}

static void
do_native (struct world *world, struct site *site, const struct op *op)
{
  struct tally_error err = { 0 };
  struct event event = { .whole = true };
  struct buf body = BUF_INIT;
  struct view before;
  int status;

  oracle_view (world, site, op->doc, &before);
  if (before.there)
    return;
  choose_values (world, op, &before, &event);
  write_body (&body, op->doc, event.value);
  body.size--;
  buf_addf (&body, ",\"_mtime\":%llu}",
            (unsigned long long) (site_wall_ms (site) + (uint64_t) op->ms));
  status =
      take_in (site, doc_collection (world, op->doc), buf_slice (&body), &err);
  finish (world, site, op->doc, &event, &before, status, &err);
  buf_free (&body);
}

/* It was deleted here later than that, and would lose. */
static bool
lies_below_a_grave (struct world *world, struct site *site,
                    const struct op *op)
{
  const struct tally_slice id = slice_text (doc_id (op->doc));
  struct doclist graves = DOCLIST_INIT;
  struct stamp newest = { { 0 } };
  struct tally_error err;

  graves_fill_all (&graves, site->replica, doc_collection (world, op->doc),
                   &id, 1, 0, &err);
  if (graves.count > 0)
    memcpy (newest.bytes, graves.docs[0].rev, STAMP_SIZE);
  doclist_free (&graves);
  return stamp_ms (&newest) >= site_wall_ms (site) + (uint64_t) op->ms;
}

void
writer_do (struct world *world, const struct op *op)
{
  struct site *site = &world->sites[op->site];

  if (op->doc >= world->setup->docs || world->docs[op->doc].n == SIM_EVENTS)
    return;
  /* In the middle of a run the crash is the run's. */
  if (!world->run && op->crash) {
    site->crash = op->crash;
    site->crash_at = op->crash_at;
    site->calls = 0;
  }
  world->writing = true;
  switch (op->kind) {
  case OP_PUT:
  case OP_REPLACE:
  case OP_DELETE:
    do_write (world, site, op);
    break;
  case OP_RESTORE:
  case OP_DROP:
    do_restore (world, site, op);
    break;
  case OP_NATIVE:
    if (!lies_below_a_grave (world, site, op))
      do_native (world, site, op);
    break;
  default:
    break;
  }
  world->writing = false;
}
