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
/* Those of writers that never know what they replace, apart so that they push
 * no others out. */
#define JOURNAL_BLIND_COLLECTION "_conflicts_blind"
#define JOURNAL_ID_TEXT 33 /* 32 hex digits and a NUL */

/* The entries of one merge. */
struct journal {
  struct replica *replica;
  const char *link;       /* over which it came, or NULL */
  const char *collection; /* of the document */
  bool blind; /* the winner cannot know what it replaces: no conflict */
  bool there; /* what the merge makes is stored there only */
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

/* ---- bounds (journal-bounds.c) ------------------------------------------ */

/* 0: no limit. */
struct journal_limits {
  uint64_t keep_ms;
  uint64_t most; /* entries */
};

/* Entries of a blind writer stay no longer than this. */
#define JOURNAL_BLIND_MS (UINT64_C (7) * 24 * 60 * 60 * 1000)

/* Drops the oldest entries, as far as the limits ask, counts them in a note
 * and says so in the log.  What it costs depends on what was journaled or
 * dropped since the last time, not on what is kept; only a journal that is
 * full is counted once.  sure: somebody else's clock agrees with ours. */
int journal_prune (struct replica *replica,
                   const struct journal_limits *limits, bool sure,
                   struct tally_error *err);

/* How many were dropped in the life of this store; recent: of them, those that
 * had to make room when they were young. */
int journal_dropped (struct replica *replica, uint64_t *dropped,
                     uint64_t *recent, struct tally_error *err);

#endif /* TALLY_JOURNAL_H */
