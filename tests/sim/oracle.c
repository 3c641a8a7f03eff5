/* SPDX-License-Identifier: MIT */
/* What the oracle is told while a schedule runs: writes, as what their authors
 * had before them and after; and by the gates, what runs read and wrote. */

#include <config.h>

#include <string.h>

#include "../../core/notejson.h"
#include "fate.h"

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

/* A write that has the name of one that went with the disk: nobody can tell
 * them apart, so what it replaced is replaced by something that is not here,
 * and what it wrote passes for the other's.  What it replaced had itself
 * replaced something, and that is not back. */
static void
note_namesake (struct doc_history *history, const struct event *event,
               const struct view *before)
{
  unsigned at = oracle_event (history, &event->stamp);

  history->events[at - 1].twice |= event->assigned;
  for (unsigned f = 0; f <= SIM_WHOLE; f++) {
    struct event *replaced;

    if (before->standing[f] == 0
        || !(f == SIM_WHOLE ? event->whole : is_assigned (event, f)))
      continue;
    replaced = &history->events[before->standing[f] - 1];
    replaced->gone |= (unsigned char) (1u << f);
    replaced->untold |= (unsigned char) (1u << f);
  }
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
  if (!is_fresh (world, site, doc, &event->stamp)) {
    note_namesake (history, event, before);
    return NULL;
  }
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

  if (oracle_state (&state, &entry->doc, &err) != TALLY_OK)
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
        && fate_was_deleted (history, before->standing[f] - 1u))
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

  if (doc < 0 || oracle_state (&state, &entry->doc, &err) != TALLY_OK)
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
