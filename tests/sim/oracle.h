/* SPDX-License-Identifier: MIT */
/* What is promised, whatever happened:
 *
 * - An acknowledged write is present, or was replaced by an author who had it
 *   before him, or is in a journal.
 * - What somebody replaced does not come back.
 * - Of writes that did not know each other the greatest stamp stands.
 * - No stamp is given twice, and a store's clock never goes back.
 * - A checkpoint claims only what is durable on both sides.
 * - Without faults no conflict is told of between writes of which one knew the
 *   other; in a star no loser is in two journals.
 * - Once faults end all replicas become equal within a few rounds, and a run
 *   after that moves and writes nothing. */

#ifndef TALLY_SIM_ORACLE_H
#define TALLY_SIM_ORACLE_H

#include "../../core/state.h"
#include "sim.h"

/* ---- reading a document (view.c) ---------------------------------------- */

/* Reads a document past the gate. */
void oracle_view (struct world *world, struct site *site, unsigned doc,
                  struct view *view);
/* The same without what stands: there, deleted, seq and rev. */
void oracle_header (struct world *world, struct site *site, unsigned doc,
                    struct view *view);
bool oracle_same (const struct view *a, const struct view *b);
/* A tombstone counts as absent. */
bool oracle_equal (const struct view *a, const struct view *b);

/* The event of a stamp + 1; 0: there is none. */
unsigned oracle_event (const struct doc_history *history,
                       const struct stamp *stamp);
/* Of a document as a store has it. */
int oracle_state (struct state *state, const struct tally_doc *doc,
                  struct tally_error *err);
/* A field's; 0: absent. */
unsigned oracle_number (struct tally_slice value);

/* ---- what it is told (oracle.c) ----------------------------------------- */

/* Takes a write in: `event` has all but stamp, prior and past, which come from
 * what was before and what is there after it.  NULL: a violation, or it has
 * the name of one that went with a disk. */
struct event *oracle_add (struct world *world, struct site *site, unsigned doc,
                          const struct event *event, const struct view *before,
                          const struct view *after);

/* The gate tells: a document was read for a run, written by it, a journal
 * entry made, a pair's note or the clock's saved. */
void oracle_read (struct site *site, unsigned doc);
void oracle_wrote (struct site *site, struct tally_slice id);
/* Around a put of a run that writes or forgets a tombstone. */
void oracle_buries (struct site *site, const struct tally_entry *entry,
                    struct view *before);
void oracle_buried (struct site *site, const struct tally_entry *entry,
                    const struct view *before);
/* A document may have got other places for the same writes. */
void oracle_places (struct site *site, const struct tally_entry *entry);
void oracle_clock (struct site *site, struct tally_slice note);
/* claims.c */
void oracle_checkpoint (struct site *site, struct tally_slice far,
                        struct tally_slice note);

/* ---- journals (journals.c) ---------------------------------------------- */

void oracle_journaled (struct site *site, struct tally_slice body);

/* Calls fn for each entry of a site's journal. */
typedef void oracle_entry_fn (void *ctx, struct tally_slice id,
                              struct tally_slice body);
void oracle_journal (struct site *site, oracle_entry_fn *fn, void *ctx);

/* A journal's entry taken apart; false: it is damaged. */
struct lost {
  unsigned doc;
  unsigned field; /* SIM_WHOLE: the document as a whole */
  bool absent;
  struct stamp stamp, won;
  struct tally_slice value;
  unsigned only; /* of a field */
};
bool oracle_lost (struct world *world, struct tally_slice body,
                  struct lost *lost);
/* Of a body that lost as a whole; false: there are none. */
bool oracle_lost_values (const struct lost *lost, unsigned values[SIM_FIELDS]);

/* ---- what becomes of writes --------------------------------------------- */

/* A disk was put back or lost: what is nowhere any more is gone (forgive.c).
 */
void oracle_forgive (struct world *world);
/* Before that: what stands in this site's journal may go with it. */
void oracle_forgive_journal (struct site *site);

/* When all is settled (check.c). */
void check_settled (struct world *world);
/* All active sites have the same; false: they do not, and why not is told of
 * in text. */
bool check_equal (struct world *world, char *text, size_t size);

#endif /* TALLY_SIM_ORACLE_H */
