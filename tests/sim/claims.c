/* SPDX-License-Identifier: MIT */
/* What a checkpoint claims: that the other side has all that lies behind the
 * cursor.  Held against what is there whenever a pair's note is saved. */

#include <config.h>

#include <string.h>

#include "../../core/held.h"
#include "../../core/json.h"
#include "../../core/notejson.h"
#include "fate.h"

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
