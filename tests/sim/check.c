/* SPDX-License-Identifier: MIT */
/* What must hold of every write when all is settled, and what is forgiven
 * because the only place that had it was destroyed. */

#include <config.h>

#include <string.h>

#include "oracle.h"

/* For each event: the fields that some journal has, and how many sites. */
struct journals {
  struct world *world;
  unsigned site;
  unsigned char fields[SIM_DOCS][SIM_EVENTS];
  unsigned char sites[SIM_DOCS][SIM_EVENTS][SIM_FIELDS + 1];
  unsigned char last[SIM_DOCS][SIM_EVENTS][SIM_FIELDS + 1];
};

/* Documents that are back and were told of, and how many of each collection.
 */
struct told {
  uint64_t docs, n[2];
};

static void
note_loser (struct journals *journals, unsigned doc, unsigned event,
            unsigned field)
{
  journals->fields[doc][event] |= (unsigned char) (1u << field);
  if (journals->last[doc][event][field] == journals->site + 1)
    return;
  journals->last[doc][event][field] = (unsigned char) (journals->site + 1);
  journals->sites[doc][event][field]++;
}

/* A field that was removed. */
static bool
takes_away (const struct event *event, unsigned field)
{
  return !event->whole && (event->assigned & 1u << field)
         && event->value[field] == 0;
}

/* A body that lost as a whole has its writes by their values, and those that
 * removed something by its not being there. */
static void
note_entry (void *ctx, struct tally_slice id, struct tally_slice body)
{
  struct journals *journals = ctx;
  struct world *world = journals->world;
  const struct doc_history *history;
  unsigned values[SIM_FIELDS], at;
  struct lost lost;

  (void) id;
  if (!oracle_lost (world, body, &lost))
    return;
  history = &world->docs[lost.doc];
  at = oracle_event (history, &lost.stamp);
  if (at > 0 && (lost.field < SIM_WHOLE || lost.absent))
    note_loser (journals, lost.doc, at - 1, lost.field);
  if (lost.field < SIM_WHOLE || lost.absent)
    return;
  oracle_lost_values (&lost, values);
  for (unsigned i = 0; i < history->n; i++)
    for (unsigned f = 0; f < SIM_FIELDS; f++)
      if (values[f] > 0 ? history->events[i].value[f] == values[f]
                        : takes_away (&history->events[i], f))
        note_loser (journals, lost.doc, i, f);
}

static void
read_journals (struct world *world, struct journals *journals)
{
  memset (journals, 0, sizeof *journals);
  journals->world = world;
  for (unsigned i = 0; i < SIM_SITES; i++) {
    journals->site = i;
    if (world->sites[i].active)
      oracle_journal (&world->sites[i], note_entry, journals);
  }
}

/* ---- one write ---------------------------------------------------------- */

static bool
assigns (const struct event *event, unsigned field)
{
  return event->whole || (field < SIM_FIELDS && event->assigned & 1u << field);
}

static bool
is_gone (const struct event *event, unsigned field)
{
  return event->gone >> field & 1;
}

/* Whether the write of a field is one that must not be lost: a value, or a
 * field taken away.  What a whole write does not have it did not choose, and
 * that a document is there shows in its fields.  Of a delete it matters that
 * what was deleted does not come back. */
static bool
matters (const struct event *event, unsigned field)
{
  return assigns (event, field) && (event->value[field] > 0 || !event->whole);
}

static unsigned
value_of (const struct event *event, unsigned field)
{
  return field == SIM_WHOLE ? event->deleted : event->value[field];
}

/* Which writes of a field some journal tells of. */
static uint64_t
told_of (const struct journals *journals, unsigned doc, unsigned field)
{
  uint64_t told = 0;

  for (unsigned i = 0; i < SIM_EVENTS; i++)
    told |= (uint64_t) (journals->fields[doc][i] >> field & 1) << i;
  return told;
}

/* Where a repair moved one of two writes their stamps do not say which of
 * them lost; but none loses to what its author had before him. */
static bool
may_beat (const struct doc_history *history, unsigned at, unsigned other)
{
  const struct event *event = &history->events[at];
  const struct event *loser = &history->events[other];

  return !(loser->past >> at & 1)
         && (event->n_also + loser->n_also > 0
             || stamp_cmp (&event->stamp, &loser->stamp) > 0);
}

/* Somebody who had it replaced it.  What went with a disk may itself have been
 * replaced before that, or is told of; where only the journal went, it did
 * replace. */
static bool
was_written_over (const struct doc_history *history, uint64_t told,
                  unsigned at, unsigned field)
{
  for (unsigned i = at + 1; i < history->n; i++) {
    const struct event *other = &history->events[i];

    if (assigns (other, field) && other->prior[field] == at + 1
        && (!is_gone (other, field) || other->untold >> field & 1
            || told >> i & 1 || was_written_over (history, told, i, field)))
      return true;
  }
  return false;
}

static bool
says_the_same (const struct doc_history *history, unsigned at, unsigned other,
               unsigned field)
{
  const struct event *event = &history->events[at];
  const struct event *loser = &history->events[other];

  return at != other && assigns (event, field) && may_beat (history, at, other)
         && value_of (event, field) == value_of (loser, field);
}

/* Or it met, and lost against, a write that says the same: of that nobody
 * tells, and what became of it became of that one. */
static bool
was_replaced (const struct doc_history *history, uint64_t told, unsigned at,
              unsigned field)
{
  if (was_written_over (history, told, at, field))
    return true;
  for (unsigned i = 0; i < history->n; i++)
    if (says_the_same (history, i, at, field)
        && (!is_gone (&history->events[i], field)
            || history->events[i].untold >> field & 1 || told >> i & 1
            || was_written_over (history, told, i, field)))
      return true;
  return false;
}

/* A store that was put back in its own place goes on under its name until it
 * meets somebody who knows better.  Nothing that it has says so, and who gets
 * what it writes meanwhile cannot tell either: it passes for knowing all that
 * was written to the document under that name before, as a later write of one
 * store does. */
static bool
has_namesake (const struct doc_history *history, unsigned at)
{
  const struct event *event = &history->events[at];

  for (unsigned i = at + 1; i < history->n && event->rewound; i++) {
    const struct event *other = &history->events[i];

    if (other->site == event->site && !(other->past >> at & 1)
        && stamp_client (&other->stamp) == stamp_client (&event->stamp)
        && stamp_cmp (&other->stamp, &event->stamp) > 0)
      return true;
  }
  return false;
}

static bool
stands (const struct view *view, const struct event *event, unsigned at,
        unsigned field)
{
  if (!view->there || view->deleted)
    return event->value[field] == 0;
  return view->standing[field] == at + 1
         || view->value[field] == event->value[field];
}

/* ---- when all is settled ------------------------------------------------ */

static bool
is_known_anywhere (const struct world *world, unsigned doc, unsigned at)
{
  for (unsigned i = 0; i < SIM_SITES; i++)
    if (world->sites[i].active && world->knows[i][doc] >> at & 1)
      return true;
  return false;
}

/* It went with a disk before anybody had it, whatever else says the same. */
static bool
has_vanished (const struct world *world, unsigned doc, unsigned at)
{
  return world->docs[doc].events[at].rewound
         && !is_known_anywhere (world, doc, at);
}

static void
check_kept (struct world *world, unsigned doc, const struct view *view,
            const struct journals *journals)
{
  const struct doc_history *history = &world->docs[doc];

  for (unsigned i = 0; i < history->n; i++)
    for (unsigned f = 0; f < SIM_FIELDS; f++) {
      const struct event *event = &history->events[i];

      if (matters (event, f) && !is_gone (event, f)
          && !stands (view, event, i, f) && !(event->read >> f & 1)
          && !(journals->fields[doc][i] >> f & 1) && !has_namesake (history, i)
          && !was_replaced (history, told_of (journals, doc, f), i, f))
        violate (world, VIOLATION_LOST,
                 "field %u of event %u of %s, written by s%u, is lost", f, i,
                 doc_id (doc), event->site);
    }
}

/* A repair gave it another place, or what somebody wrote over it, or what it
 * met: then it may have lost before that was moved, or after. */
static bool
was_moved (const struct doc_history *history, unsigned at, unsigned field)
{
  const struct event *event = &history->events[at];

  if (event->n_also > 0)
    return true;
  for (unsigned i = 0; i < history->n; i++)
    if (history->events[i].n_also > 0 && assigns (&history->events[i], field)
        && !(event->past >> i & 1))
      return true;
  return false;
}

/* Of two writes that did not know each other the one with the greater stamp
 * stands.  A repair gives a write the place of when it was repaired, which is
 * not what its stamp says, and it is that place which competes with others:
 * of what was repaired, and of what it met or had replaced, nothing is
 * promised here but what is promised of every write: that it does not come
 * back, and is not lost.  The same of a stamp that is beyond every clock even
 * now: it lost before it could be repaired. */
static bool
comes_after (const struct world *world, unsigned doc, unsigned at,
             unsigned standing, unsigned field)
{
  const struct doc_history *history = &world->docs[doc];
  const struct event *event = &history->events[at];
  const struct event *other = &history->events[standing];

  return !(other->past >> at & 1) && !event->forgotten
         && stamp_cmp (&event->stamp, &other->stamp) > 0
         && stamp_ms (&event->stamp) <= world->now_ms + SIM_SKEW_MS
         && !was_moved (history, at, field) && other->n_also == 0;
}

/* Who replaced what stands lost to a third, that neither knew, and is told of;
 * where that was not heard of, what stands was then repaired.  What only two
 * are about keeps its order, however often it is repaired; but where a store
 * was rolled back it may give a name anew, which then passes for known. */
static bool
stood_aside (const struct doc_history *history,
             const struct journals *journals, unsigned doc, unsigned at,
             unsigned standing, unsigned field)
{
  if (history->events[standing].n_also == 0
      || !(journals->fields[doc][at] | history->events[at].read))
    return false;
  if (journals->world->broke)
    return true;
  for (unsigned i = 0; i < history->n; i++)
    if (i != at && assigns (&history->events[i], field)
        && !(history->events[at].past >> i & 1)
        && !(history->events[i].past >> at & 1))
      return true;
  return false;
}

/* A run tells of how many documents of a collection it kept that may have been
 * deleted, not of which.  What it tells of excuses no more than what can come
 * of that: a delete that some store has forgotten, of a document that then
 * came back to who had forgotten it.  For each such document some run stored
 * it where it was not there, and counted it, so no more documents are back
 * than were told of.  A delete that every store still has, and anything else
 * that somebody replaced, must stand whatever is told. */
static bool
was_told (struct world *world, unsigned doc, struct told *told)
{
  unsigned collection = strcmp (doc_collection (world, doc), "tasks") == 0;

  if (told->docs & UINT64_C (1) << doc)
    return true;
  if (told->n[collection] == world->returned[collection])
    return false;
  told->n[collection]++;
  told->docs |= UINT64_C (1) << doc;
  return true;
}

/* Of all writes of a field the one with the greatest stamp stands; once a
 * tombstone is forgotten a new document need not know of it, but nothing that
 * was replaced comes back.  What a tombstone hides is no more there than where
 * it is forgotten. */
static void
check_standing (struct world *world, unsigned doc, const struct view *view,
                const struct journals *journals, struct told *told)
{
  const struct doc_history *history = &world->docs[doc];

  for (unsigned f = view->deleted ? SIM_WHOLE : 0;
       f <= SIM_WHOLE && view->there; f++) {
    unsigned at = view->standing[f] - 1u;
    const struct event *standing;

    if (view->standing[f] == 0) {
      violate (world, VIOLATION_WRONG, "field %u of %s: nobody wrote that", f,
               doc_id (doc));
      return;
    }
    standing = &history->events[at];
    for (unsigned i = 0; i < history->n; i++) {
      const struct event *other = &history->events[i];

      if (i == at || !assigns (other, f) || is_gone (other, f)
          || is_gone (standing, f) || has_namesake (history, i)
          || has_vanished (world, doc, i))
        continue;
      if (((other->past >> at & 1)
           && !stood_aside (history, journals, doc, i, at, f))
          || comes_after (world, doc, i, at, f)) {
        if (other->forgotten && was_told (world, doc, told))
          continue;
        violate (world, VIOLATION_RETURNED,
                 "field %u of %s has event %u, where event %u should stand", f,
                 doc_id (doc), at, i);
      }
    }
  }
}

static void
check_values (struct world *world, unsigned doc, const struct view *view)
{
  for (unsigned f = 0; f < SIM_FIELDS; f++) {
    const struct event *event = world->docs[doc].events;

    if (view->standing[f] > 0)
      event += view->standing[f] - 1;
    if (view->standing[f] > 0 && view->value[f] != event->value[f]
        && !(view->deleted && event->deleted))
      violate (world, VIOLATION_WRONG,
               "field %u of %s has event %u, and another's value", f,
               doc_id (doc), view->standing[f] - 1);
  }
}

static bool
is_star (const struct setup *setup)
{
  for (unsigned i = 0; i < setup->n_links; i++)
    if (setup->links[i].folder || setup->links[i].server != 0)
      return false;
  return true;
}

static void
check_journals (struct world *world, const struct journals *journals)
{
  unsigned spoilt = FEATURE_CRASHES | FEATURE_COPIES | FEATURE_DELETES
                    | FEATURE_DIRECTIONS | FEATURE_NETWORK | FEATURE_MEDDLING
                    | FEATURE_CLOCKS;

  if (!is_star (world->setup) || (world->happened & spoilt))
    return;
  for (unsigned doc = 0; doc < world->setup->docs; doc++)
    for (unsigned i = 0; i < world->docs[doc].n; i++)
      for (unsigned f = 0; f <= SIM_WHOLE; f++)
        if (journals->sites[doc][i][f] > 1)
          violate (world, VIOLATION_JOURNALS,
                   "field %u of event %u of %s is in %u journals", f, i,
                   doc_id (doc), journals->sites[doc][i][f]);
}

bool
check_equal (struct world *world, char *text, size_t size)
{
  for (unsigned doc = 0; doc < world->setup->docs; doc++) {
    struct view first, other;

    oracle_header (world, &world->sites[0], doc, &first);
    for (unsigned i = 1; i < SIM_SITES; i++) {
      if (!world->sites[i].active)
        continue;
      oracle_header (world, &world->sites[i], doc, &other);
      if (oracle_equal (&first, &other))
        continue;
      snprintf (text, size, "s0 and s%u differ in %s", i, doc_id (doc));
      return false;
    }
  }
  return true;
}

/* What stands was not gone after all: it was on its way, or in a folder.  What
 * a tombstone hides of later writes does not stand: that it lost is told by
 * the journal of the one store that merged, and when that goes with its disk
 * nobody is told any more, here as little as where the loser left no trace.
 * All stores' keeping all journals would be needed to promise more. */
static void
take_back (struct doc_history *history, const struct view *view)
{
  for (unsigned f = 0; f <= SIM_WHOLE; f++)
    if (view->standing[f] > 0
        && (!view->deleted || view->standing[f] == view->standing[SIM_WHOLE]))
      history->events[view->standing[f] - 1].gone &=
          (unsigned char) ~(1u << f);
}

void
check_settled (struct world *world)
{
  struct told told = { 0, { 0, 0 } };
  struct journals journals;

  read_journals (world, &journals);
  for (unsigned doc = 0; doc < world->setup->docs; doc++) {
    struct view view;

    oracle_view (world, &world->sites[0], doc, &view);
    take_back (&world->docs[doc], &view);
    check_kept (world, doc, &view, &journals);
    check_standing (world, doc, &view, &journals, &told);
    check_values (world, doc, &view);
  }
  check_journals (world, &journals);
}

/* ---- what is forgiven --------------------------------------------------- */

void
oracle_forgive_journal (struct site *site)
{
  struct world *world = site->world;
  struct journals journals;

  memset (&journals, 0, sizeof journals);
  journals.world = world;
  oracle_journal (site, note_entry, &journals);
  memcpy (world->was_journaled, journals.fields, sizeof journals.fields);
}

/* Whether some site still shows it. */
static bool
stands_anywhere (struct world *world, struct view views[SIM_SITES],
                 const struct event *event, unsigned at, unsigned field)
{
  for (unsigned i = 0; i < SIM_SITES; i++) {
    if (!world->sites[i].active || !views[i].there)
      continue;
    if (field == SIM_WHOLE
            ? views[i].standing[field] == at + 1
            : views[i].standing[field] == at + 1
                  && views[i].value[field] == event->value[field])
      return true;
  }
  return false;
}

static uint64_t
known_in_folders (const struct world *world, unsigned doc)
{
  uint64_t known = 0;

  for (unsigned i = 0; i < SIM_FOLDERS; i++)
    known |= world->folders[i].knows[doc];
  return known;
}

/* On any disk, in a folder or on its way. */
static uint64_t
known_anywhere (const struct world *world, unsigned doc)
{
  uint64_t known = known_in_folders (world, doc);

  for (unsigned i = 0; i < SIM_SITES; i++)
    if (world->sites[i].active)
      known |= world->knows[i][doc];
  for (size_t i = 0; i < world->n_late; i++)
    known |= world->late[i].knows[doc];
  return known;
}

/* It lost against one that says the same, and that lost, and only this disk's
 * journal told of it. */
static bool
was_told_as_another (const struct world *world, unsigned doc, unsigned at,
                     unsigned field)
{
  const struct doc_history *history = &world->docs[doc];

  for (unsigned i = 0; i < history->n; i++)
    if (world->was_journaled[doc][i] >> field & 1
        && says_the_same (history, i, at, field))
      return true;
  return false;
}

/* Of a write of a field that no journal tells of any more, these go with a
 * disk that is put back, and nothing else does:
 *
 * - What nobody has taken in, no store, no folder and no request on its way:
 *   only that disk had it, also where something replaced it there before, or
 *   it went into a tombstone that was forgotten there.
 * - What stood in that disk's journal: it lost, and the store that merged is
 *   the only one that tells.  It may still stand somewhere, and be lost there
 *   to what has seen it.
 * - What stands nowhere, is in no folder and was not replaced, if the store
 *   had written it since its backup: somebody read it for a run, which is what
 *   `known` goes by, and has not kept it, or it is in a request that may never
 *   arrive; where it does, it stands (take_back).  Or if it had lost against
 * one that says the same, of which that journal told.  Once a tombstone that
 * it went into is forgotten standing nowhere says nothing. */
static bool
went (struct world *world, unsigned doc, const struct journals *journals,
      struct view views[SIM_SITES], unsigned at, unsigned field)
{
  const struct doc_history *history = &world->docs[doc];
  const struct event *event = &history->events[at];

  if (journals->fields[doc][at] >> field & 1)
    return false;
  if (world->was_journaled[doc][at] >> field & 1
      || !(known_anywhere (world, doc) >> at & 1))
    return true;
  return (event->rewound || was_told_as_another (world, doc, at, field))
         && !event->forgotten && !(known_in_folders (world, doc) >> at & 1)
         && !stands_anywhere (world, views, event, at, field)
         && !was_replaced (history, told_of (journals, doc, field), at, field);
}

static void
forgive_doc (struct world *world, unsigned doc,
             const struct journals *journals)
{
  struct doc_history *history = &world->docs[doc];
  struct view views[SIM_SITES];

  for (unsigned i = 0; i < SIM_SITES; i++)
    if (world->sites[i].active)
      oracle_view (world, &world->sites[i], doc, &views[i]);
  /* Who replaced it comes later. */
  for (unsigned i = history->n; i > 0; i--)
    for (unsigned f = 0; f <= SIM_WHOLE; f++)
      if (assigns (&history->events[i - 1], f)
          && went (world, doc, journals, views, i - 1, f))
        history->events[i - 1].gone |= (unsigned char) (1u << f);
}

/* What is gone, and somebody has taken in all the same. */
static void
note_untold (struct world *world, unsigned doc)
{
  struct doc_history *history = &world->docs[doc];
  uint64_t known = known_anywhere (world, doc);

  for (unsigned i = 0; i < history->n; i++)
    if (known >> i & 1)
      history->events[i].untold |= history->events[i].gone;
}

void
oracle_forgive (struct world *world)
{
  struct journals journals;

  read_journals (world, &journals);
  for (unsigned doc = 0; doc < world->setup->docs; doc++)
    forgive_doc (world, doc, &journals);
  for (unsigned doc = 0; doc < world->setup->docs; doc++)
    note_untold (world, doc);
  memset (world->was_journaled, 0, sizeof world->was_journaled);
}
