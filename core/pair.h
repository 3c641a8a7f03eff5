/* SPDX-License-Identifier: MIT */
/* What a store remembers of another one, as a note.  The side that starts
 * runs keeps "pair/ID": tokens and, for each collection, up to where either
 * side is known to the other.  The side that answers keeps "peer/ID": the
 * token, and what of ours the other has acknowledged.  The token changes
 * before anything moves, so that a side that was rolled back, or copied, no
 * longer has the right one. */

#ifndef TALLY_PAIR_H
#define TALLY_PAIR_H

#include "held.h"
#include "replica.h"
#include "wire.h"

enum pair_role { PAIR_CLIENT, PAIR_SERVER };

struct pair_token {
  bool set;
  unsigned char bytes[WIRE_TOKEN_SIZE];
};

/* far is opaque text of the far side; empty: from the start. */
struct pair_cursor {
  char *collection;
  uint64_t local;
  char *far;
  /* Runs that only push went past our floor: what is gone here is still to be
   * looked for, from what `local` was before them. */
  bool behind;
  uint64_t met;
};

struct pair {
  enum pair_role role;
  unsigned char far[REPLICA_ID_SIZE];
  /* Who we are to the far side: after a broken pair another than to all
   * others, with whom nothing is broken. */
  bool renamed;
  unsigned char alias[REPLICA_ID_SIZE];
  struct pair_token current, pending;
  uint64_t contact_ms; /* of the last run, or hello */
  bool unsure; /* by a clock that nobody agreed with: no measure of age */
  /* Deletes travel from here to there: tombstones wait for it. */
  bool counts;
  struct pair_cursor *cursors;
  size_t n_cursors;
  /* After a broken pair: every client id of either side, whose stamps count
   * as known only where they stand, wherever there is no cursor yet. */
  uint32_t *own;
  size_t n_own;
  struct held_list held; /* what the cursors went past */
  bool exists;           /* there is a note */
  struct buf saved;      /* its bytes, for compare-and-set */
};

/* What the keys of these notes begin with; the far id follows. */
const char *pair_prefix (enum pair_role role);

/* Reads the note; without one the pair is empty. */
int pair_load (struct pair *pair, struct replica *replica, enum pair_role role,
               const unsigned char far[REPLICA_ID_SIZE],
               struct tally_error *err);

/* Writes it, durably.  TALLY_AGAIN: another run of this pair came between. */
int pair_save (struct pair *pair, struct replica *replica,
               struct tally_error *err);

/* Notes in memory that there is contact now. */
void pair_meet (struct pair *pair, struct replica *replica);

/* Forgets tokens, and what either side has in each collection, draws an
 * alias, takes these ids for its own and writes that, durably.  TALLY_AGAIN:
 * as pair_save. */
int pair_restart (struct pair *pair, struct replica *replica,
                  const uint32_t *own, size_t n, struct tally_error *err);

/* The same in memory only.  False: out of memory. */
bool pair_forget (struct pair *pair, const uint32_t *own, size_t n);

void pair_free (struct pair *pair);

/* NULL when there is none for the collection. */
struct pair_cursor *pair_cursor (struct pair *pair, const char *collection);

/* There is a cursor as soon as documents may move, before it says anything. */
static inline bool
pair_cursor_is_set (const struct pair_cursor *cursor)
{
  return cursor && (cursor->local > 0 || cursor->far[0] != '\0');
}

/* Sets a cursor in memory; far is copied.  False: out of memory. */
bool pair_set_cursor (struct pair *pair, const char *collection,
                      uint64_t local, const char *far);

void pair_draw_token (struct pair_token *token);
struct tally_slice pair_token_slice (const struct pair_token *token);
bool pair_token_is (const struct pair_token *token, struct tally_slice bytes);

#endif /* TALLY_PAIR_H */
