/* SPDX-License-Identifier: MIT */
/* Documents that a pair holds back: one side refuses them, for a stamp that is
 * beyond its clock or a rule that they break.  The cursors go past them, so
 * that they keep nothing else back, and every run tries them again. */

#ifndef TALLY_HELD_H
#define TALLY_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#include "buf.h"

/* For one pair; with more, the cursors stop. */
#define HELD_MAX 256

enum held_side {
  HELD_OURS,  /* refused there */
  HELD_THEIRS /* refused here */
};

struct held {
  enum held_side side;
  char *collection;
  char *id;
  size_t id_size;
  unsigned char rev[TALLY_REV_SIZE]; /* zero: not known */
  uint64_t seq;                      /* ours */
  uint64_t since_ms;
  bool deleted;
  /* Of a run after a broken pair: what is known counts as little when it is
   * tried again. */
  bool strict;
  /* But not with this revision of theirs, which ours was merged with so in
   * this run; zero: none. */
  unsigned char merged[TALLY_REV_SIZE];
  int status; /* TALLY_AGAIN: a clock is off; else it breaks a rule */
  char *reason;
  bool tried; /* in this run, and not refused so far */
};

struct held_list {
  struct held *items;
  size_t n;
  bool changed; /* since it was read */
};

struct held *held_find (const struct held_list *list, enum held_side side,
                        const char *collection, struct tally_slice id);

/* Adds or renews an entry.  TALLY_AGAIN: there is no room; TALLY_FAILED: out
 * of memory. */
int held_put (struct held_list *list, enum held_side side,
              const char *collection, const struct tally_doc *doc, int status,
              const char *reason, uint64_t now_ms);

/* Drops what was tried and not refused. */
void held_settle (struct held_list *list, const char *collection);

/* A document of ours with this seq is not there, whatever the cursor says. */
bool held_has_seq (const struct held_list *list, const char *collection,
                   uint64_t seq);

/* The least of them; UINT64_MAX: none.  What is here only as a grave has no
 * seq. */
uint64_t held_least_seq (const struct held_list *list, const char *collection);

/* A tombstone of theirs that we do not have. */
bool held_has_tombstone (const struct held_list *list, const char *collection);

/* Of either side's, when it meets this revision of theirs (NULL: any). */
bool held_is_strict (const struct held_list *list, const char *collection,
                     struct tally_slice id, const unsigned char *rev);
void held_set_merged (struct held_list *list, const char *collection,
                      struct tally_slice id, const unsigned char *rev);
void held_set_strict (struct held_list *list, enum held_side side,
                      const char *collection, struct tally_slice id);

/* As JSON; false: it is damaged, or out of memory. */
void held_write (const struct held_list *list, struct buf *out);
bool held_read (struct held_list *list, struct tally_slice json);

void held_clear (struct held_list *list);

#endif /* TALLY_HELD_H */
