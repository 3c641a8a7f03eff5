/* SPDX-License-Identifier: MIT */
/* What must hold of every write when all is settled. */

#include <config.h>

#include <string.h>

#include "fate.h"

/* Documents that are back and were told of, and how many of each collection.
 */
struct told {
  uint64_t docs, n[2];
};

/* Somebody else was put back, too, so perhaps nobody knows better any more. */
static bool
may_all_have_forgotten (const struct world *world)
{
  return (world->put_back & (world->put_back - 1)) != 0;
}

/* A store that was put back in its own place goes on under its name until it
 * meets somebody who knows better.  Nothing that it has says so, and who gets
 * what it writes meanwhile cannot tell either: of what that name wrote to the
 * document before and after, the later by the clock passes for knowing the
 * other, as with any store.  If its clock is behind now, and it meets none but
 * those who were put back as well, that may be what it wrote before. */
static bool
has_namesake (const struct world *world, const struct doc_history *history,
              unsigned at)
{
  const struct event *event = &history->events[at];

  for (unsigned i = 0; i < history->n; i++)
    if (!(history->events[i].past >> at & 1)
        && (event->rewound ? i > at : may_all_have_forgotten (world))
        && fate_passes_for_knowing (&history->events[i], event))
      return true;
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

      if (fate_matters (event, f) && !fate_is_gone (event, f)
          && !stands (view, event, i, f) && !(event->read >> f & 1)
          && !(journals->fields[doc][i] >> f & 1)
          && !has_namesake (world, history, i)
          && !fate_was_replaced (history, fate_told_of (journals, doc, f), i,
                                 f))
        violate (world, VIOLATION_LOST,
                 "field %u of event %u of %s, written by s%u, is lost", f, i,
                 doc_id (doc), event->site);
    }
}

/* Of two writes that did not know each other the one with the greater stamp
 * stands, but for what repairs did. */
static bool
comes_after (const struct world *world, unsigned doc, unsigned at,
             unsigned standing, unsigned field)
{
  const struct doc_history *history = &world->docs[doc];
  const struct event *event = &history->events[at];
  const struct event *other = &history->events[standing];

  return !(other->past >> at & 1) && !(event->past >> standing & 1)
         && !event->forgotten && stamp_cmp (&event->stamp, &other->stamp) > 0
         && !fate_may_lose_to (history, at, standing, field);
}

/* That a field of it lost, or what replaced that. */
static bool
is_field_told (const struct journals *journals, unsigned doc, unsigned at,
               unsigned field)
{
  const struct doc_history *history = &journals->world->docs[doc];
  unsigned told = journals->fields[doc][at] | history->events[at].read;

  if (told >> field & 1)
    return true;
  for (unsigned i = at + 1; i < history->n; i++)
    if (fate_assigns (&history->events[i], field)
        && history->events[i].prior[field] == at + 1
        && is_field_told (journals, doc, i, field))
      return true;
  return false;
}

/* That it lost is told of, or there is nothing to tell; of a whole write, by
 * any of its fields. */
static bool
is_told (const struct journals *journals, unsigned doc, unsigned at,
         unsigned field)
{
  const struct event *event = &journals->world->docs[doc].events[at];
  unsigned told = journals->fields[doc][at] | event->read;
  bool matters = false;

  if (event->deleted)
    return told;
  if (field < SIM_WHOLE)
    return told >> field & 1 || !fate_matters (event, field);
  for (unsigned f = 0; f < SIM_FIELDS; f++) {
    if (fate_matters (event, f) && is_field_told (journals, doc, at, f))
      return true;
    matters |= fate_matters (event, f);
  }
  return told || !matters;
}

/* Who replaced what stands lost to a third, that neither knew and that a
 * repair moved, and is told of; where that was not heard of the third then
 * lost to what stands.  Who stood aside did so for all that he had replaced:
 * of that nobody tells, and nothing can stand of it.  What only two are about
 * keeps its order, however often it is repaired, but for names that were given
 * twice. */
static bool
stood_aside (const struct journals *journals, unsigned doc, unsigned at,
             unsigned standing, unsigned field)
{
  const struct doc_history *history = &journals->world->docs[doc];

  if (is_told (journals, doc, at, field)
      && fate_may_lose_to (history, at, standing, field))
    return true;
  for (unsigned i = at + 1; i < history->n; i++)
    if (fate_assigns (&history->events[i], field)
        && history->events[i].prior[field] == at + 1
        && stood_aside (journals, doc, i, standing, field))
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

/* What every store had forgotten that anybody knew of, a copy of a store or a
 * request that was long on its way brings back as new, once its grave is
 * dropped, too. */
static bool
was_past_knowing (const struct world *world)
{
  return world->graves_dropped
         && (world->happened & (FEATURE_COPIES | FEATURE_NETWORK));
}

/* Of all writes of a field the one with the greatest stamp stands; once a
 * tombstone is forgotten a new document need not know of it, but nothing that
 * was replaced comes back.  What a tombstone hides is no more there than where
 * it is forgotten; and what was made anew and deleted again leaves the first
 * tombstone where it never was, once those on the way have forgotten theirs:
 * one delete is as good as another. */
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

      if (i == at || !fate_assigns (other, f) || fate_is_gone (other, f)
          || fate_is_gone (standing, f) || has_namesake (world, history, i)
          || has_vanished (world, doc, i)
          || (standing->deleted && fate_was_deleted (history, i)))
        continue;
      if (((other->past >> at & 1) && !stood_aside (journals, doc, i, at, f))
          || comes_after (world, doc, i, at, f)) {
        if (other->forgotten
            && (was_told (world, doc, told) || was_past_knowing (world)))
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
        && !(event->twice >> f & 1) && !(view->deleted && event->deleted))
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

  fate_read_journals (world, &journals);
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
