/* SPDX-License-Identifier: MIT */
/* What is remembered of a journal, to keep it within its bounds. */

#ifndef TALLY_JOURNAL_LEDGER_H
#define TALLY_JOURNAL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* How many parts a life is cut into. */
#define LEDGER_MARKS 64
#define LEDGER_MARKS_MAX (LEDGER_MARKS + 8)

/* Every entry up to seq was there at this age. */
struct ledger_mark {
  uint64_t age_ms, seq;
};

struct ledger {
  uint64_t age_ms;  /* of the journal */
  uint64_t wall_ms; /* when it was that old */
  bool sure;        /* that wall_ms was right */
  uint64_t count;   /* of entries up to seq, at most */
  uint64_t seq;
  uint64_t dropped, recent;
  struct ledger_mark marks[LEDGER_MARKS_MAX];
  size_t n_marks;
};

/* A note that is damaged is begun anew: nothing but ages is lost with it. */
void ledger_read (struct ledger *ledger, struct tally_slice note);
void ledger_write (const struct ledger *ledger, struct buf *out);

/* Grows older by the time that has passed, as far as it is believed. */
void ledger_grow (struct ledger *ledger, uint64_t wall_ms, bool sure);

/* Marks the last entry, unless the last mark will do for a life of so long. */
bool ledger_mark (struct ledger *ledger, uint64_t life_ms);

/* The seq up to which every entry is at least so old. */
uint64_t ledger_older (const struct ledger *ledger, uint64_t ms);

/* Drops the marks up to a seq. */
void ledger_forget (struct ledger *ledger, uint64_t seq);

#endif /* TALLY_JOURNAL_LEDGER_H */
