/* SPDX-License-Identifier: MIT */
/* compile_changes: from headers of both sides to what must move.  Pure. */

#ifndef TALLY_PLAN_H
#define TALLY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "doclist.h"

enum plan_action {
  PLAN_EQUAL, /* both have the same */
  PLAN_PULL,  /* take theirs over what is here */
  PLAN_MERGE, /* both may have changed */
  PLAN_PUSH,  /* offer ours */
  /* Deleted on one side, which has forgotten that: delete on the other. */
  PLAN_DELETE_HERE,
  PLAN_DELETE_THERE
};

struct plan_item {
  enum plan_action action;
  struct tally_slice id;                   /* lives as long as the headers */
  bool deleted;                            /* what moves is a tombstone */
  uint64_t local_seq;                      /* 0: not here */
  unsigned char local_rev[TALLY_REV_SIZE]; /* zero: not here */
  bool local_alive;                        /* and no tombstone */
  /* Zero: not there, as far as is known. */
  unsigned char remote_rev[TALLY_REV_SIZE];
};

/* What a run does to a document, as the counters of its report see it; with
 * STEP_NONE it was looked at, and stays as it is. */
enum plan_step { STEP_NONE, STEP_PULL, STEP_PUSH, STEP_MERGE };

struct plan_move {
  const char *collection;
  struct tally_slice id;
  enum plan_step step;
  bool deleted; /* what comes of it is a tombstone */
  /* A folder has it in several segments: it was told of before. */
  bool again;
  unsigned char local_rev[TALLY_REV_SIZE];  /* zero: not here */
  unsigned char remote_rev[TALLY_REV_SIZE]; /* zero: not there, or not asked */
};

struct plan {
  struct plan_item *items;
  size_t count, capacity;
};

#define PLAN_INIT \
  {               \
    0             \
  }

struct plan_rules {
  /* Local changes up to here are known over there, and theirs went into what
   * is here: with an unbroken pair's cursor.  0: nothing is known. */
  uint64_t local_cursor;
  /* Nobody there merges: what is there may not know what is here, however
   * old that is. */
  bool passive;
  /* One side may have forgotten a tombstone that the other still has, so it
   * is as good as nothing: it would go round a ring of stores for ever. */
  bool forgetful;
  /* Everything there is listed, from when the greatest local seq was this: a
   * tombstone up to it met what there is, or there was nothing.  0: not
   * everything is. */
  uint64_t listed;
  /* What is there and not here was here before, and what is here up to the
   * local cursor and not there was there before. */
  bool gone_here, gone_there;
};

/* remote: headers that changed there; local: of those, the ones that are
 * here, in the same order, with meta where a repair was at work and only
 * there, and with seq 0 tombstones that were forgotten here;
 * changed: headers that changed here.  False: out of
 * memory. */
bool plan_compile (struct plan *plan, const struct doclist *remote,
                   const struct doclist *local, const struct doclist *changed,
                   const struct plan_rules *rules);

size_t plan_count (const struct plan *plan, enum plan_action action);
void plan_free (struct plan *plan);

#endif /* TALLY_PLAN_H */
