/* SPDX-License-Identifier: MIT */
/* What the journals and the writes that came after say of one write. */

#include <config.h>

#include <string.h>

#include "fate.h"

/* ---- journals ----------------------------------------------------------- */

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

void
fate_read_journal (struct site *site, struct journals *journals)
{
  oracle_journal (site, note_entry, journals);
}

void
fate_read_journals (struct world *world, struct journals *journals)
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

bool
fate_assigns (const struct event *event, unsigned field)
{
  return event->whole || (field < SIM_FIELDS && event->assigned & 1u << field);
}

bool
fate_is_gone (const struct event *event, unsigned field)
{
  return event->gone >> field & 1;
}

/* Whether the write of a field is one that must not be lost: a value, or a
 * field taken away.  What a whole write does not have it did not choose, and
 * that a document is there shows in its fields.  Of a delete it matters that
 * what was deleted does not come back. */
bool
fate_matters (const struct event *event, unsigned field)
{
  return fate_assigns (event, field)
         && (event->value[field] > 0 || !event->whole);
}

static unsigned
value_of (const struct event *event, unsigned field)
{
  return field == SIM_WHOLE ? event->deleted : event->value[field];
}

/* Which writes of a field some journal tells of. */
uint64_t
fate_told_of (const struct journals *journals, unsigned doc, unsigned field)
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

    if (fate_assigns (other, field) && other->prior[field] == at + 1
        && (!fate_is_gone (other, field) || other->untold >> field & 1
            || told >> i & 1 || was_written_over (history, told, i, field)))
      return true;
  }
  return false;
}

bool
fate_was_deleted (const struct doc_history *history, unsigned at)
{
  for (unsigned i = 0; i < history->n; i++)
    if (history->events[i].deleted && !history->events[i].by_core
        && (i == at || (history->events[i].past >> at & 1)))
      return true;
  return false;
}

bool
fate_says_the_same (const struct doc_history *history, unsigned at,
                    unsigned other, unsigned field)
{
  const struct event *event = &history->events[at];
  const struct event *loser = &history->events[other];

  return at != other && fate_assigns (event, field)
         && may_beat (history, at, other)
         && value_of (event, field) == value_of (loser, field);
}

/* Or it met, and lost against, a write that says the same: of that nobody
 * tells, and what became of it became of that one. */
bool
fate_was_replaced (const struct doc_history *history, uint64_t told,
                   unsigned at, unsigned field)
{
  if (was_written_over (history, told, at, field))
    return true;
  for (unsigned i = 0; i < history->n; i++)
    if (fate_says_the_same (history, i, at, field)
        && (!fate_is_gone (&history->events[i], field)
            || history->events[i].untold >> field & 1 || told >> i & 1
            || was_written_over (history, told, i, field)))
      return true;
  return false;
}

/* ---- places ------------------------------------------------------------- */

static const struct stamp *
place_at (const struct event *event, unsigned i)
{
  return i < event->n_also ? &event->also[i] : &event->stamp;
}

/* Whether one of a write's places is above one of another's.  Of more places
 * than were noted nobody knows. */
static bool
may_stand_above (const struct event *event, const struct event *other)
{
  if (event->n_also == SIM_PLACES || other->n_also == SIM_PLACES)
    return true;
  for (unsigned i = 0; i <= event->n_also; i++)
    for (unsigned j = 0; j <= other->n_also; j++)
      if (stamp_cmp (place_at (event, i), place_at (other, j)) > 0)
        return true;
  return false;
}

bool
fate_passes_for_knowing (const struct event *event, const struct event *other)
{
  return event->site == other->site && (event->rewound || other->rewound)
         && stamp_client (&event->stamp) == stamp_client (&other->stamp)
         && stamp_cmp (&event->stamp, &other->stamp) > 0;
}

static bool
may_be_over (const struct doc_history *history, unsigned at, unsigned other,
             unsigned field)
{
  const struct event *winner = &history->events[at];
  const struct event *loser = &history->events[other];

  if (!fate_assigns (winner, field))
    return false;
  for (unsigned i = 0; i < history->n; i++)
    if (!(history->events[i].past >> other & 1)
        && fate_passes_for_knowing (&history->events[i], loser)
        && (i == at || history->events[i].past >> at & 1))
      return true;
  return !(loser->past >> at & 1)
         && (winner->past >> other & 1 || may_stand_above (winner, loser));
}

/* A repair gives a write the place of when it was repaired, which is not what
 * its stamp says, and it is that place which competes with others.  So of two
 * writes the one may lose and the other stand because of a third: the one lost
 * to that in the place that it had then, and the third to what stands in
 * another, or its author had it.  Where nothing was repaired, and no name
 * given twice, every step leads to a greater stamp. */
bool
fate_may_lose_to (const struct doc_history *history, unsigned at, unsigned to,
                  unsigned field)
{
  uint64_t reached = UINT64_C (1) << at, before = 0;

  while (reached != before) {
    before = reached;
    for (unsigned x = 0; x < history->n; x++)
      for (unsigned y = 0; y < history->n && (before >> x & 1); y++)
        if (!(before >> y & 1) && may_be_over (history, y, x, field))
          reached |= UINT64_C (1) << y;
  }
  return reached >> to & 1;
}
