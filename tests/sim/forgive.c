/* SPDX-License-Identifier: MIT */
/* What is forgiven because the only place that had it was destroyed. */

#include <config.h>

#include <string.h>

#include "fate.h"

void
oracle_forgive_journal (struct site *site)
{
  struct world *world = site->world;
  struct journals journals;

  memset (&journals, 0, sizeof journals);
  journals.world = world;
  fate_read_journal (site, &journals);
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
        && fate_says_the_same (history, i, at, field))
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
         && !fate_was_replaced (history, fate_told_of (journals, doc, field),
                                at, field);
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
      if (fate_assigns (&history->events[i - 1], f)
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

  fate_read_journals (world, &journals);
  for (unsigned doc = 0; doc < world->setup->docs; doc++)
    forgive_doc (world, doc, &journals);
  for (unsigned doc = 0; doc < world->setup->docs; doc++)
    note_untold (world, doc);
  memset (world->was_journaled, 0, sizeof world->was_journaled);
}
