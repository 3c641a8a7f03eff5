/* SPDX-License-Identifier: MIT */
/* What became of one write of a field, as far as the oracle can tell: check.c
 * holds that against what is promised, forgive.c says what went with a disk.
 */

#ifndef TALLY_SIM_FATE_H
#define TALLY_SIM_FATE_H

#include "oracle.h"

/* For each event: the fields that some journal has, and how many sites. */
struct journals {
  struct world *world;
  unsigned site;
  unsigned char fields[SIM_DOCS][SIM_EVENTS];
  unsigned char sites[SIM_DOCS][SIM_EVENTS][SIM_FIELDS + 1];
  unsigned char last[SIM_DOCS][SIM_EVENTS][SIM_FIELDS + 1];
};

/* The entries of all active sites, or one more site's. */
void fate_read_journals (struct world *world, struct journals *journals);
void fate_read_journal (struct site *site, struct journals *journals);

bool fate_assigns (const struct event *event, unsigned field);
bool fate_is_gone (const struct event *event, unsigned field);

/* Whether it must not be lost. */
bool fate_matters (const struct event *event, unsigned field);

/* Which writes of a field some journal tells of. */
uint64_t fate_told_of (const struct journals *journals, unsigned doc,
                       unsigned field);

/* A store that was put back and does not know it gives names that it had given
 * before, or some in between.  What is written under a later one of them
 * passes for knowing what was written under an earlier one, and for coming
 * after it, with all that its author had. */
bool fate_passes_for_knowing (const struct event *event,
                              const struct event *other);

/* Whether it is a delete, or somebody who had it deleted the document. */
bool fate_was_deleted (const struct doc_history *history, unsigned at);

/* Whether a write may have beaten another that says the same. */
bool fate_says_the_same (const struct doc_history *history, unsigned at,
                         unsigned other, unsigned field);

/* Whether nobody need tell of it, as something stood in its place. */
bool fate_was_replaced (const struct doc_history *history, uint64_t told,
                        unsigned at, unsigned field);

/* Whether a write may lose to another, by whatever repairs did. */
bool fate_may_lose_to (const struct doc_history *history, unsigned at,
                       unsigned to, unsigned field);

#endif /* TALLY_SIM_FATE_H */
