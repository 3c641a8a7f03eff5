/* SPDX-License-Identifier: MIT */
/* The conflict journal: every assignment that lost a merge and that the winner
 * had not seen, as a document of a local collection that never syncs.  An
 * entry's id is a hash of what lost, so that losing twice is one entry; it is
 * written in the same transaction as the merge that it comes from. */

#ifndef TALLY_JOURNAL_H
#define TALLY_JOURNAL_H

#include "doclist.h"
#include "merge.h"
#include "replica.h"

#define JOURNAL_COLLECTION "_conflicts"
#define JOURNAL_ID_TEXT 33 /* 32 hex digits and a NUL */

/* The entries of one merge. */
struct journal {
  struct replica *replica;
  const char *link;       /* over which it came, or NULL */
  const char *collection; /* of the document */
  struct doclist entries;
};

/* Adds an entry for a document's assignment that lost. */
int journal_add (struct journal *journal, struct tally_slice id,
                 const struct loser *loser, struct tally_error *err);

/* The entries' ids depend on what lost only. */
void journal_id (char out[JOURNAL_ID_TEXT], const char *collection,
                 struct tally_slice id, const struct loser *loser);

/* Fills put entries from the n entries at `first`; the journal must live on.
 */
void journal_entries (const struct journal *journal, size_t first, size_t n,
                      struct tally_entry *out);

void journal_clear (struct journal *journal);
void journal_free (struct journal *journal);

#endif /* TALLY_JOURNAL_H */
