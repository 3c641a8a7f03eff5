/* SPDX-License-Identifier: MIT */
/* Random histories of one document on a few replicas, and beside each state
 * what it must be: a plain map from field to assignment, and the set of all
 * writes that went into it.  Nothing of core/merge.c is used for that. */

#ifndef TALLY_TESTS_HISTORY_H
#define TALLY_TESTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "../../core/merge.h"
#include "rng.h"

#define HISTORY_KEYS 6
#define HISTORY_VALUES 4
#define HISTORY_STATES 40
#define HISTORY_REPLICAS 5

/* Raw keys in their order; "_id" belongs after the third. */
extern const char *const history_keys[HISTORY_KEYS];
extern const char *const history_values[HISTORY_VALUES];

/* What a field was last assigned. */
struct assignment {
  struct stamp stamp;
  const char *value; /* NULL: absent */
  unsigned event;    /* the write, an index into history.stamps */
};

struct oracle {
  struct stamp whole;
  bool deleted;
  unsigned whole_event;
  struct assignment fields[HISTORY_KEYS];
  uint64_t known; /* bit set of events */
};

/* A state that owns its bytes, as if read from a store. */
struct version {
  struct state state;
  struct buf meta, body;
  struct oracle oracle;
};

struct history {
  struct rng *rng;
  bool clash; /* clients are shared, so that stamps come twice */
  struct version versions[HISTORY_STATES];
  size_t n_versions;
  struct stamp stamps[64];
  unsigned n_events;
  size_t heads[HISTORY_REPLICAS]; /* version + 1; 0: not there yet */
  uint64_t ms[HISTORY_REPLICAS];
};

/* Runs `steps` random writes and merges on `replicas` replicas. */
void history_run (struct history *history, struct rng *rng, bool clash,
                  size_t replicas, unsigned steps);

/* One writer at a time, who has seen all that was written. */
void history_run_sequential (struct history *history, struct rng *rng,
                             size_t replicas, unsigned steps);

/* States made from nothing in a tiny domain, with any stamps. */
void history_draw_states (struct history *history, struct rng *rng, size_t n);
void history_free (struct history *history);

/* The pointwise greatest of two. */
void oracle_merge (struct oracle *out, const struct oracle *a,
                   const struct oracle *b);

/* Whether a state is what the oracle says. */
bool oracle_is (const struct oracle *oracle, const struct state *state);

/* Whether two are the same state: what they hold, not what they know. */
bool oracle_equal (const struct oracle *a, const struct oracle *b);

/* Above 0 when x beats y. */
int assignment_cmp (const struct assignment *x, const struct assignment *y);

/* The merge, or a failed test. */
void version_merge (struct version *out, const struct version *a,
                    const struct version *b, const struct merge_rules *rules);
void version_free (struct version *version);

#endif /* TALLY_TESTS_HISTORY_H */
