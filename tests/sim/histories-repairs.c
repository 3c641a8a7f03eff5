/* SPDX-License-Identifier: MIT */
/* Histories of what repairs moved, shrunk from schedules that failed. */

#include <config.h>

#include <tally/tally.h>

#include "histories.h"

/* A store came back from a backup, and what it had from its wrong clock was
 * repaired once more: in the comparison, where nothing of its client counts as
 * known, the later place won over what the same client had written later. */
static const struct op repaired_again_from_a_backup[] = {
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_CLOCK, .site = 0, .ms = 24564162000 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 2 },
  { OP_BACKUP, .site = 0 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 7 },
  { OP_CLOCK, .site = 0 },
  { OP_SYNC, .site = 1 },
  { OP_REVIVE, .site = 0 },
  { OP_SYNC, .site = 0 },
};

/* A document that a run held back was let go when the same run had repaired
 * its own: as if it were still to be listed. */
static const struct op let_go_by_a_repair[] = {
  { OP_PUT, .site = 2, .doc = 1, .fields = 1 }, { OP_SYNC, .site = 1 },
  { OP_CLOCK, .site = 1, .ms = -13584011000 },  { OP_CLONE, .site = 1 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 }, { OP_SYNC, .site = 3 },
};

/* Written to in the middle of the run that repaired it, under the client that
 * was drawn for that, with a name that was still ahead.  The tombstone knew
 * that; once it was forgotten here the document was made anew under a name
 * below, and passed for deleted there. */
static const struct op anew_after_a_repair[] = {
  { OP_CLOCK, .ms = 11918411783 },
  { OP_REPLACE, .doc = 5, .fields = 1 },
  { .kind = OP_CLOCK },
  { OP_SYNC, .direction = TALLY_PUSH, .meddle = OP_REPLACE, .meddle_at = 4,
    .meddle_doc = 5, .meddle_fields = 10 },
  { OP_DELETE, .site = 1, .doc = 5, .fields = 1 },
  { .kind = OP_SYNC },
  { OP_PUT, .doc = 5, .fields = 1 },
};

/* A tombstone that a repair had moved was beaten by a document of those who
 * had not been given it, for having none then.  It passed for known to them,
 * and when that document was beaten by what had been deleted nobody was told.
 */
static const struct op beaten_for_what_it_deleted[] = {
  { OP_CLOCK, .site = 3, .ms = 25028969334 },
  { OP_CLOCK, .site = 2, .ms = 21657753422 },
  { OP_CLOCK, .site = 1, .ms = 5737529893 },
  { OP_PUT, .site = 2, .doc = 4, .fields = 1 },
  { OP_SYNC, .site = 3 },
  { OP_PUT, .site = 1, .doc = 4, .fields = 1 },
  { OP_DELETE, .site = 2, .doc = 4 },
  { OP_CLOCK, .site = 2 },
  { OP_SYNC, .site = 1 },
};

/* Two writes, one of them in two places: whoever had seen both knew which
 * stands, but took the other one from those who had only what stood before,
 * as if that had come of it.  They chased each other round the ring. */
static const struct op two_writes_in_a_ring[] = {
  { OP_CLOCK, .site = 4, .ms = 56625345 },
  { OP_CLOCK, .site = 3, .ms = 18897507803 },
  { OP_REPLACE, .site = 4, .doc = 2, .fields = 2 },
  { OP_CLOCK, .site = 2, .ms = 70666809 },
  { OP_PUT, .site = 3, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 7 },
};

/* A replacement lost to a third, that a repair moved, in what had been written
 * on it: that is told of, and the replacement has nothing else to tell.  The
 * third lost to what had been replaced, where nobody knew of that. */
static const struct op replaced_and_written_on[] = {
  { OP_CLOCK, .site = 0, .ms = 19394141655 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 2 },
  { OP_CLOCK, .site = 1, .ms = 21943233266 },
  { OP_SYNC, .site = 0, .seed = 2 },
  { OP_REPLACE, .site = 0, .doc = 4, .fields = 1 },
  { OP_CLOCK, .site = 3, .ms = 40413269 },
  { OP_PUT, .site = 3, .doc = 4, .fields = 1 },
  { OP_SYNC, .site = 4, .direction = TALLY_PULL, .seed = 2 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 1 },
};

const struct history_case repair_histories[] = {
  { "a backup of what a wrong clock wrote, repaired twice",
    { .sites = 4,
      .docs = 6,
      .n_links = 4,
      .links = { { 1, 0, false },
                 { 2, 0, false },
                 { 3, 0, false },
                 { 0, 1, false } } },
    HISTORY_OPS (repaired_again_from_a_backup),
    .conflicts = -1 },
  { "a document held back in a run that repairs",
    { .sites = 3,
      .docs = 6,
      .n_links = 4,
      .links = { { 1, 0, false },
                 { 1, 2, false },
                 { 3, 0, false },
                 { 3, 1, false } } },
    HISTORY_OPS (let_go_by_a_repair),
    .conflicts = -1 },
  { "a document made anew after a repair",
    { .sites = 2,
      .docs = 6,
      .n_links = 2,
      .links = { { 0, 1, false }, { 1, 0, false } } },
    HISTORY_OPS (anew_after_a_repair),
    .conflicts = -1,
    .cut = 4 },
  { "a tombstone that a repair moved, and those who were not given it",
    { .sites = 4,
      .docs = 6,
      .n_links = 4,
      .links = { { 1, 0, false },
                 { 2, 0, false },
                 { 3, 0, false },
                 { 3, 2, false } } },
    HISTORY_OPS (beaten_for_what_it_deleted),
    .conflicts = 2 },
  { "two writes, one of them in two places, in a ring",
    { .sites = 5,
      .docs = 6,
      .n_links = 8,
      .links = { { 0, 1, false },
                 { 1, 2, false },
                 { 2, 3, false },
                 { 3, 4, false },
                 { 4, 2, false },
                 { 0, 2, false },
                 { 1, 0, false },
                 { 4, 2, false } } },
    HISTORY_OPS (two_writes_in_a_ring),
    .conflicts = -1 },
  { "a replacement that was written on, and a third that a repair moved",
    { .features = FEATURE_AWAY,
      .sites = 4,
      .docs = 6,
      .n_links = 5,
      .links = { { 1, 0, false },
                 { 2, 0, false },
                 { 3, 0, false },
                 { 0, 2, false },
                 { 1, 3, false } } },
    HISTORY_OPS (replaced_and_written_on),
    .conflicts = -1 },
  { .name = NULL },
};
