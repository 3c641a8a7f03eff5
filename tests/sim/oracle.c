/* SPDX-License-Identifier: MIT */
/* What the oracle is told while a schedule runs: writes, as what their authors
 * had before them and after; and by the gates, what runs read and wrote. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "../../core/held.h"
#include "../../core/journal.h"
#include "../../core/json.h"
#include "../../core/notejson.h"
#include "../../core/state.h"
#include "fate.h"

static const char *const field_names[SIM_FIELDS] = { "a", "b", "c", "d" };

/* ---- reading a document ------------------------------------------------- */

struct viewing {
  struct world *world;
  const struct doc_history *history;
  struct view *view;
};

static unsigned
number_of (struct tally_slice value)
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
  view->value[f] = number_of (field->value);
  view->standing[f] = (unsigned char) oracle_event (
      viewing->history, stamp_name (&field->stamp, &field->first));
}

/* Of a document as a store has it. */
static int
decode_stored (struct state *state, const struct tally_doc *doc,
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
  if (decode_stored (&state, doc, &err) != TALLY_OK) {
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

/* ---- writes ------------------------------------------------------------- */

static bool
is_assigned (const struct event *event, unsigned field)
{
  return event->whole || (event->assigned & 1u << field);
}

/* No clock gave it to this document before.  Two documents of one store may
 * have the same: a write is above the document's newest stamp, and that does
 * not move the clock.  A disk that was put back, its clock with it, can give
 * any again. */
static bool
is_fresh (struct world *world, struct site *site, unsigned doc,
          const struct stamp *stamp)
{
  const struct doc_history *history = &world->docs[doc];
  unsigned at = oracle_event (history, stamp);

  /* Of a life that nobody remembers: the clock must have stood still. */
  if (at > 0 && history->events[at - 1].forgotten)
    return true;
  if (at > 0 && !(world->happened & FEATURE_COPIES))
    violate (world, VIOLATION_STAMP, "%s gives %s the stamp of event %u",
             site->name, doc_id (doc), at - 1);
  return at == 0;
}

/* Above what stands, and for those who see milliseconds, too, unless that is
 * beyond max_skew. */
static void
check_stamp (struct world *world, struct site *site, unsigned doc,
             const struct stamp *stamp, const struct view *before)
{
  struct stamp newest;
  uint64_t ms;

  if (!before->there)
    return;
  memcpy (newest.bytes, before->rev, STAMP_SIZE);
  ms = stamp_ms (&newest);
  if (stamp_cmp (stamp, &newest) <= 0
      || (ms <= site_wall_ms (site) + SIM_SKEW_MS && stamp_ms (stamp) <= ms))
    violate (world, VIOLATION_STAMP, "%s wrote %s at or below its stamp",
             site->name, doc_id (doc));
}

static void
check_written (struct world *world, struct site *site, unsigned doc,
               unsigned at, const struct view *before)
{
  const struct event *event = &world->docs[doc].events[at];
  struct view after;

  oracle_view (world, site, doc, &after);
  for (unsigned f = 0; f <= SIM_WHOLE; f++) {
    bool ours = f == SIM_WHOLE ? event->whole : is_assigned (event, f);
    unsigned standing = ours ? at + 1 : before->standing[f];
    unsigned value = 0;

    if (f < SIM_FIELDS)
      value = ours ? event->value[f] : before->value[f];
    if (after.standing[f] != standing
        || (f < SIM_FIELDS && after.value[f] != value))
      violate (world, VIOLATION_WRONG,
               "%s wrote %s: field %u has event %d value %u, not %d value %u",
               site->name, doc_id (doc), f, after.standing[f] - 1,
               f < SIM_FIELDS ? after.value[f] : 0, (int) standing - 1, value);
  }
  if (after.deleted != (event->whole ? event->deleted : before->deleted))
    violate (world, VIOLATION_WRONG, "%s wrote %s: alive or not is wrong",
             site->name, doc_id (doc));
}

struct event *
oracle_add (struct world *world, struct site *site, unsigned doc,
            const struct event *template, const struct view *before,
            const struct view *after)
{
  struct doc_history *history = &world->docs[doc];
  struct event *event = &history->events[history->n];
  unsigned at = history->n;

  *event = *template;
  memcpy (event->stamp.bytes, after->rev, STAMP_SIZE);
  event->site = (unsigned char) site->index;
  if (!is_fresh (world, site, doc, &event->stamp))
    return NULL;
  check_stamp (world, site, doc, &event->stamp, before);
  for (unsigned f = 0; f <= SIM_WHOLE; f++)
    if (f == SIM_WHOLE ? event->whole : is_assigned (event, f))
      event->prior[f] = before->standing[f];
  for (unsigned i = 0; i < history->n; i++)
    if (before->events >> i & 1)
      event->past |= UINT64_C (1) << i | history->events[i].past;
  history->n++;
  world->knows[site->index][doc] |= UINT64_C (1) << at | event->past;
  check_written (world, site, doc, at, before);
  trace (world, "    event %u of %s, value %u", at, doc_id (doc),
         world->last_value);
  return event;
}

/* ---- tombstones --------------------------------------------------------- */

/* It was deleted before by somebody who had it. */
static bool
was_deleted (const struct doc_history *history, unsigned at)
{
  for (unsigned i = 0; i < history->n; i++)
    if (history->events[i].deleted && !history->events[i].by_core
        && (i == at || (history->events[i].past >> at & 1)))
      return true;
  return false;
}

void
oracle_buries (struct site *site, const struct tally_entry *entry,
               struct view *before)
{
  int doc = doc_of (entry->doc.id);

  memset (before, 0, sizeof *before);
  if (doc >= 0)
    oracle_view (site->world, site, (unsigned) doc, before);
}

static void
forgot (struct doc_history *history, uint64_t events)
{
  for (unsigned i = 0; i < history->n; i++)
    history->events[i].forgotten |= events >> i & 1;
}

static bool
name_of_delete (const struct tally_entry *entry, struct stamp *name)
{
  struct tally_error err;
  struct state state;

  if (decode_stored (&state, &entry->doc, &err) != TALLY_OK)
    return false;
  *name = *stamp_name (&state.whole, &state.whole_first);
  state_free (&state);
  return true;
}

/* Where a tombstone was forgotten a run may make another one, over what the
 * first was over. */
void
oracle_buried (struct site *site, const struct tally_entry *entry,
               const struct view *before)
{
  struct world *world = site->world;
  int doc = doc_of (entry->doc.id);
  struct doc_history *history;
  struct event *event;
  struct stamp stamp;
  unsigned at;

  if (doc < 0)
    return;
  history = &world->docs[doc];
  if (entry->flags & TALLY_ENTRY_FORGET) {
    if (before->there && !before->deleted)
      violate (world, VIOLATION_LOST, "%s forgets %s, which is alive",
               site->name, doc_id ((unsigned) doc));
    trace (world, "      %s forgets %s", site->name, doc_id ((unsigned) doc));
    forgot (history, world->knows[site->index][doc]);
    return;
  }
  if (!name_of_delete (entry, &stamp))
    return;
  at = oracle_event (history, &stamp);
  if (at == 0 && history->n < SIM_EVENTS) {
    trace (world, "      %s deletes %s anew, event %u", site->name,
           doc_id ((unsigned) doc), history->n);
    history->events[history->n] =
        (struct event){ .stamp = stamp,
                        .site = (unsigned char) site->index,
                        .whole = true,
                        .deleted = true,
                        .by_core = true,
                        .run = world->run->number };
    at = ++history->n;
  }
  if (at == 0 || !history->events[at - 1].by_core)
    return;
  event = &history->events[at - 1];
  world->knows[site->index][doc] |= UINT64_C (1) << (at - 1);
  /* What nobody deleted must be in a journal now. */
  for (unsigned f = 0; f <= SIM_WHOLE; f++)
    if (event->prior[f] == 0 && before->standing[f] > 0
        && was_deleted (history, before->standing[f] - 1u))
      event->prior[f] = before->standing[f];
  /* It is made here, and then put over theirs; who merges with it later is not
   * its author. */
  for (unsigned i = 0; i < history->n && event->run == world->run->number; i++)
    if (before->events >> i & 1 && i != at - 1)
      event->past |= UINT64_C (1) << i | history->events[i].past;
}

/* ---- repairs ------------------------------------------------------------ */

/* One more place for a write; it is the same write. */
static bool
add_place (struct doc_history *history, const struct stamp *place,
           const struct stamp *first)
{
  unsigned at = oracle_event (history, first);
  struct event *event;

  if (stamp_is_zero (first) || at == 0)
    return false;
  event = &history->events[at - 1];
  for (unsigned i = 0; i < event->n_also; i++)
    if (stamp_cmp (&event->also[i], place) == 0)
      return false;
  if (event->n_also < SIM_PLACES)
    event->also[event->n_also++] = *place;
  return true;
}

void
oracle_places (struct site *site, const struct tally_entry *entry)
{
  struct world *world = site->world;
  int doc = doc_of (entry->doc.id);
  struct tally_error err;
  struct state state;
  bool any;

  if (doc < 0 || decode_stored (&state, &entry->doc, &err) != TALLY_OK)
    return;
  any = add_place (&world->docs[doc], &state.whole, &state.whole_first);
  for (size_t i = 0; i < state.n_overrides; i++)
    any |= add_place (&world->docs[doc], &state.overrides[i].stamp,
                      &state.overrides[i].first);
  if (any) {
    world->repairs++;
    trace (world, "      %s repairs %s", site->name, doc_id ((unsigned) doc));
  }
  state_free (&state);
}

/* ---- what runs do ------------------------------------------------------- */

void
oracle_read (struct site *site, unsigned doc)
{
  struct run_context *run = site->world->run;

  if (!run || site->world->writing)
    return;
  if (site == run->client)
    run->client_read[doc] = site->world->knows[site->index][doc];
  else if (site == run->server)
    run->server_read[doc] = site->world->knows[site->index][doc];
}

void
oracle_wrote (struct site *site, struct tally_slice id)
{
  struct world *world = site->world;
  const struct run_context *run = world->run;
  int doc = doc_of (id);

  if (!run || world->writing || doc < 0)
    return;
  if (site == run->server)
    world->knows[site->index][doc] |= run->client_read[doc];
  else if (site == run->client)
    world->knows[site->index][doc] |=
        run->folder ? run->folder->knows[doc] : run->server_read[doc];
}

/* Only a repair turns it back, and then it is another client's. */
void
oracle_clock (struct site *site, struct tally_slice note)
{
  const char *space = memchr (note.data, ' ', note.size);
  size_t size = space ? (size_t) (space - note.data) : note.size;
  uint64_t ms = 0, client = 0;

  note_number (slice_make (note.data, size), &ms);
  if (space)
    note_number (slice_make (space + 1, note.size - size - 1), &client);
  if (ms == 0
      || (ms < site->clock_note_ms && client == site->clock_note_client))
    violate (site->world, VIOLATION_CLOCK, "%s saves a clock that went back",
             site->name);
  site->clock_note_ms = ms;
  site->clock_note_client = client;
}

/* ---- checkpoints -------------------------------------------------------- */

/* What lost was told of, and so the other side need not have it. */
struct told {
  struct world *world;
  unsigned doc;
  uint64_t events;
};

static void
collect_told (void *ctx, struct tally_slice id, struct tally_slice body)
{
  struct told *told = ctx;
  const struct doc_history *history;
  unsigned values[SIM_FIELDS], at;
  struct lost lost;

  (void) id;
  if (!oracle_lost (told->world, body, &lost) || lost.doc != told->doc)
    return;
  history = &told->world->docs[lost.doc];
  at = oracle_event (history, &lost.stamp);
  if (at > 0)
    told->events |= UINT64_C (1) << (at - 1);
  if (lost.field < SIM_WHOLE || lost.absent)
    return;
  oracle_lost_values (&lost, values);
  for (unsigned i = 0; i < history->n; i++)
    for (unsigned f = 0; f < SIM_FIELDS; f++)
      if ((history->events[i].assigned >> f & 1)
          && history->events[i].value[f] == values[f])
        told->events |= UINT64_C (1) << i;
}

/* It met, and lost against, a write that says the same: of that nobody tells,
 * and where the run only pushed the loser is not even seen there.  What became
 * of it is what became of that one, which may have been replaced since. */
static bool
was_said_there (const struct doc_history *history, uint64_t known, unsigned at,
                unsigned field)
{
  for (unsigned i = 0; i < history->n; i++)
    if (known >> i & 1 && fate_says_the_same (history, i, at, field))
      return true;
  return false;
}

/* The events that have something to lose in what stands, against another view
 * that says something else, of a side that has known these. */
static uint64_t
weighty (const struct doc_history *history, const struct view *view,
         const struct view *other, uint64_t known)
{
  uint64_t result = 0;

  for (unsigned f = 0; f <= SIM_WHOLE; f++) {
    const struct event *event;

    if (view->standing[f] == 0
        || (f < SIM_FIELDS && other->there && !view->deleted && !other->deleted
            && view->value[f] == other->value[f]))
      continue;
    event = &history->events[view->standing[f] - 1];
    if (!(event->read >> f & 1)
        && (f == SIM_WHOLE
                ? event->deleted
                : event->value[f] > 0
                      && !was_said_there (history, known,
                                          view->standing[f] - 1u, f)))
      result |= UINT64_C (1) << (view->standing[f] - 1);
  }
  return result;
}

/* Those of these events that no name of what a side has known speaks for. */
static uint64_t
unspoken (const struct doc_history *history, uint64_t events, uint64_t known)
{
  for (unsigned at = 0; at < history->n; at++)
    for (unsigned i = 0; i < history->n && (events >> at & 1); i++)
      if ((known >> i & 1)
          && fate_passes_for_knowing (&history->events[i],
                                      &history->events[at]))
        events &= ~(UINT64_C (1) << at);
  return events;
}

/* Whether a side has what stands in a document of the other.  A tombstone is
 * not given to who has no such document: it meets one that comes later. */
static bool
has_all (struct site *site, struct site *journal, unsigned doc,
         const struct view *view, const struct view *other, bool meets)
{
  const struct doc_history *history = &site->world->docs[doc];
  struct told told = { site->world, doc, 0 };
  uint64_t known = site->world->knows[site->index][doc];
  uint64_t missing = unspoken (
      history, weighty (history, view, other, known) & ~known, known);

  if (!missing || (view->deleted && meets))
    return true;
  oracle_journal (journal, collect_told, &told);
  return !(missing & ~told.events);
}

static void
check_claim (struct site *client, struct site *server, unsigned doc,
             uint64_t local, uint64_t far)
{
  struct world *world = client->world;
  struct view ours, theirs;

  oracle_header (world, client, doc, &ours);
  oracle_header (world, server, doc, &theirs);
  if (oracle_equal (&ours, &theirs))
    return;
  oracle_view (world, client, doc, &ours);
  oracle_view (world, server, doc, &theirs);
  if (ours.there && ours.seq <= local
      && !has_all (server, client, doc, &ours, &theirs,
                   !theirs.there || theirs.seq > far))
    violate (world, VIOLATION_CHECKPOINT,
             "%s claims that %s has its %s, and it has not", client->name,
             server->name, doc_id (doc));
  if (theirs.there && theirs.seq <= far
      && !has_all (client, client, doc, &theirs, &ours,
                   !ours.there || ours.seq > local))
    violate (world, VIOLATION_CHECKPOINT,
             "%s claims to have %s of %s, and it has not", client->name,
             doc_id (doc), server->name);
}

/* No cursor claims what is held back. */
static bool
is_held (const struct held_list *held, const char *collection, unsigned doc)
{
  struct tally_slice id = slice_text (doc_id (doc));

  return held_find (held, HELD_OURS, collection, id)
         || held_find (held, HELD_THEIRS, collection, id);
}

/* The note may be about another store than the one that the run is with. */
static bool
is_about (const struct run_context *run, struct tally_slice far)
{
  unsigned char id[REPLICA_ID_SIZE];

  return run->server && run->server->replica && replica_id_from_text (id, far)
         && memcmp (id, run->server->replica->id, sizeof id) == 0;
}

void
oracle_checkpoint (struct site *site, struct tally_slice far_id,
                   struct tally_slice note)
{
  struct world *world = site->world;
  const struct run_context *run = world->run;
  struct held_list held = { 0 };
  struct tally_slice cursors, list;
  struct json_member member;

  if (!run || run->client != site || !is_about (run, far_id) || world->writing
      || !json_find_member (note, slice_text ("cursors"), &cursors))
    return;
  if (json_find_member (note, slice_text ("held"), &list)
      && !held_read (&held, list))
    violate (world, VIOLATION_WRONG, "%s: its list of held documents is bad",
             site->name);
  while (json_next_member (&cursors, &member)) {
    struct tally_slice rest = member.value, local, far;
    uint64_t ours = 0, theirs = 0;

    if (!json_next_element (&rest, &local) || !json_next_element (&rest, &far)
        || far.size < 2)
      continue;
    note_number (local, &ours);
    note_number (slice_make (far.data + 1, far.size - 2), &theirs);
    for (unsigned doc = 0; doc < world->setup->docs; doc++)
      if (slice_equal (member.key, slice_text (doc_collection (world, doc)))
          && !is_held (&held, doc_collection (world, doc), doc))
        check_claim (site, run->server, doc, ours, theirs);
  }
  held_clear (&held);
}

/* ---- journals ----------------------------------------------------------- */

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
    lost->only = number_of (lost->value);
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
      values[f] = number_of (value);
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
