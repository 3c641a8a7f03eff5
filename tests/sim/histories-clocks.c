/* SPDX-License-Identifier: MIT */
/* Histories with clocks that are off by days, shrunk from schedules that
 * failed: each was a defect once. */

#include <config.h>

#include <tally/tally.h>

#include "histories.h"

#define TEN_DAYS INT64_C (880680858)
#define TWO_MONTHS INT64_C (6544874152)

/* Both stores repaired the same writes on their own: one's whole write took
 * away what the other had written on it, and was told of as a conflict.  A
 * repair gave writes new names then. */
static const struct op repaired_twice[] = {
  { OP_CLOCK, .site = 0, .ms = TEN_DAYS },
  { OP_PUT, .site = 0, .doc = 0, .fields = 2 },
  { OP_CLOCK, .site = 1, .ms = TWO_MONTHS },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 4 },
};

/* The same writes in the places that two repairs gave them went round a ring:
 * each store took for newer what the other had. */
static const struct op two_places_in_a_ring[] = {
  { OP_REPLACE, .site = 3, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_CLOCK, .site = 3, .ms = 17334000 },
  { OP_CLOCK, .site = 1, .ms = 75740000 },
  { OP_CLONE, .site = 1 },
  { OP_SYNC, .site = 3 },
  { OP_REPLACE, .site = 4, .doc = 2, .fields = 2 },
  { OP_SYNC, .site = 4 },
  { OP_PUT, .site = 3, .doc = 2, .fields = 2 },
};

/* A tombstone that they had no document for was ahead of their clock when
 * they made one: it beat theirs here, was not given to them, and the cursors
 * went past both. */
static const struct op ahead_over_theirs[] = {
  { OP_CLOCK, .site = 1, .ms = TEN_DAYS },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 2 },
  { OP_DELETE, .site = 1, .doc = 2 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 0 },
};

/* The last contact was noted by a clock that was months behind.  Once that
 * was right the peer seemed long gone, and the tombstone that it was to get
 * was forgotten. */
static const struct op contact_by_a_wrong_clock[] = {
  { OP_PUT, .site = 2, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_CLOCK, .site = 0, .ms = -28596150000 },
  { OP_PUT, .site = 2, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 0, .doc = 0 },
  { OP_SYNC, .site = 0 },
};

/* Written by a clock a year ahead between the header and the document: it was
 * taken, where the clock was right, and nothing there was ever repaired. */
static const struct op ahead_behind_its_header[] = {
  { OP_PUT, .site = 2, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_CLOCK, .site = 0, .ms = 28760166000 },
  { OP_PUT, .site = 2, .doc = 1, .fields = 2 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .meddle = OP_PUT, .meddle_at = 6, .meddle_site = 0,
    .meddle_doc = 1, .meddle_fields = 2 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
};

/* A clone came back with what its original had written before they parted.
 * Where nothing of their clients counts as known that stood, beyond the clock,
 * over what the original had written on it. */
static const struct op old_write_of_a_clone[] = {
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_CLOCK, .site = 3, .ms = 5706908955 },
  { OP_PUT, .site = 3, .doc = 2, .fields = 4 },
  { OP_PUT, .site = 3, .doc = 2, .fields = 2 },
  { OP_MOVE, .site = 3 },
  { OP_CLONE, .site = 3 },
  { OP_PUT, .site = 3, .doc = 2, .fields = 4 },
};

/* Written after a roll-back under a name below one of the time that was lost,
 * it passes for known: but it goes to the journal. */
static const struct op below_a_lost_name[] = {
  { OP_PUT, .site = 1, .doc = 4, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 2 },
  { OP_CLOCK, .site = 1, .ms = 8733014708 },
  { OP_SYNC, .site = 0, .meddle = OP_PUT, .meddle_at = 13, .meddle_site = 1,
    .meddle_doc = 2, .meddle_fields = 13 },
  { OP_MOVE, .site = 1 },
  { OP_BACKUP, .site = 1, .wait_ms = 2 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 2, .wait_ms = 3 },
  { OP_CLOCK, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_ROLLBACK, .site = 1 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1 },
};

/* A tombstone was held back for a clock that was behind until the other side
 * had forgotten it for its age: the document stayed on one side. */
static const struct op held_until_forgotten[] = {
  { OP_CLOCK, .site = 2, .stops = 1 },
  { OP_PUT, .site = 2, .doc = 4, .fields = 1, .wait_ms = 3060000 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 0, .doc = 4 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1 },
  { OP_PUT, .site = 0, .doc = 3, .fields = 1,
    .wait_ms = UINT64_C (91) * SIM_DAY_MS },
};

/* The same the other way round: the one who asks had forgotten it. */
#define FORGOTTEN_BY_WHO_ASKS                                               \
  { OP_CLOCK, .site = 2, .ms = -56058280 },                                 \
      { OP_PUT, .site = 2, .doc = 4, .fields = 4 }, { OP_SYNC, .site = 1 }, \
      { OP_SYNC, .site = 0 }, { OP_DELETE, .site = 1, .doc = 4 },           \
      { OP_SYNC, .site = 0 }, { OP_SYNC, .site = 1 },                       \
  {                                                                         \
    OP_PUT, .site = 0, .doc = 5, .fields = 2,                               \
            .wait_ms = UINT64_C (131) * SIM_DAY_MS                          \
  }

static const struct op kept_until_too_old[] = { FORGOTTEN_BY_WHO_ASKS };

/* The same, and the first run after that only pulls. */
static const struct op too_old_and_pulled[] = {
  FORGOTTEN_BY_WHO_ASKS,
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1, .direction = TALLY_PULL },
};

/* What was deleted here and forgotten was to be deleted there, by a tombstone
 * that was beyond their clock: nobody gave it to them again. */
static const struct op refused_burial[] = {
  { OP_PUT, .site = 1, .doc = 4, .fields = 2 },
  { OP_REPLACE, .site = 0, .doc = 4, .fields = 1 },
  { OP_CLOCK, .site = 0, .stops = 1 },
  { OP_DELETE, .site = 1, .doc = 4 },
  { OP_SYNC, .site = 0, .direction = TALLY_PULL, .wait_ms = 3600000 },
  { OP_SYNC, .site = 0 },
};

/* Put back without knowing it, s0 wrote under a name below one that s1 knew.
 * The run that mended the pair held the document back, for a clock that was
 * behind, and the next one took it for known. */
static const struct op held_while_mended[] = {
  { OP_BACKUP, .site = 0 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_CLOCK, .site = 0, .stops = 1, .ms = 73466719 },
  { OP_REPLACE, .site = 1, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (3296756975) },
  { OP_PUT, .site = 2, .doc = 5, .fields = 2 },
  { OP_PUT, .site = 0, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1 },
  { OP_ROLLBACK, .site = 0 },
  { OP_PUT, .site = 0, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = 0 },
};

/* Held back for a clock that was behind, and then met in a run that only pulls
 * by a tombstone that had not been given to those who had forgotten the
 * document: neither was asked for again. */
static const struct op met_by_a_tombstone[] = {
  { OP_PUT, .site = 1, .doc = 4, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 0, .doc = 4 },
  { OP_SYNC, .site = 1 },
  { OP_CLOCK, .site = 1, .ms = 2711457728 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .direction = TALLY_PUSH },
  { OP_SYNC, .site = 0 },
  { OP_CLOCK, .site = 1, .ms = -19156611908 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 4 },
  { OP_SYNC, .site = 0 },
  { OP_CLOCK, .site = 1, .ms = 28782030673 },
  { OP_SYNC, .site = 0, .direction = TALLY_PULL },
};

/* They refuse for its clock what was to stand in place of theirs, so theirs
 * was not looked at, and the cursor went past it.  Written to again it was
 * held no more, and who only pulled did not ask for theirs. */
static const struct op refused_over_theirs[] = {
  { OP_PUT, .doc = 5, .fields = 2 },
  { OP_SYNC, .wait_ms = 22 },
  { OP_CLOCK, .stops = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 2 },
  { OP_PUT, .site = 2, .doc = 4, .fields = 1, .wait_ms = 297431 },
  { OP_CLONE, .site = 3 },
  { OP_PUT, .doc = 3, .fields = 2 },
  { OP_CLONE, .site = 4, .wait_ms = 499 },
  { OP_DELETE, .site = 5, .doc = 2, .fields = 1, .wait_ms = 1283 },
  { OP_SYNC, .site = 1, .wait_ms = 810 },
  { .kind = OP_SYNC },
  { OP_REPLACE, .site = 5, .doc = 3, .fields = 4 },
  { OP_PUT, .doc = 3, .fields = 2 },
  { OP_SYNC, .site = 4 },
  { OP_SYNC, .site = 5 },
  { OP_SYNC, .site = 4, .direction = TALLY_PULL },
};

#define RING_OF_A_CLONE                \
  .sites = 4, .docs = 6, .n_links = 5, \
  .links = { { 1, 0, false },          \
             { 2, 0, false },          \
             { 3, 0, false },          \
             { 4, 0, false },          \
             { 4, 1, false } }

const struct history_case clock_histories[] = {
  { "two stores that repair the same writes, each on its own",
    { HISTORY_HUB },
    HISTORY_OPS (repaired_twice),
    .conflicts = 0 },
  { "two places of one write in a ring",
    { RING_OF_A_CLONE },
    HISTORY_OPS (two_places_in_a_ring),
    .conflicts = -1 },
  { "a tombstone that is too far ahead for those it beats",
    { HISTORY_HUB },
    HISTORY_OPS (ahead_over_theirs),
    .conflicts = -1 },
  { "a contact noted by a clock that was behind",
    { HISTORY_HUB },
    HISTORY_OPS (contact_by_a_wrong_clock),
    .conflicts = -1 },
  { "a write that is too far ahead, and came after its header",
    { HISTORY_HUB },
    HISTORY_OPS (ahead_behind_its_header),
    .conflicts = -1 },
  { "a clone's write from before it was made, beyond the clock",
    { RING_OF_A_CLONE },
    HISTORY_OPS (old_write_of_a_clone),
    .conflicts = -1 },
  { "a write after a roll-back, named below one that was lost",
    { .sites = 2,
      .docs = 6,
      .n_links = 3,
      .links = { { 1, 0, false }, { 2, 0, false }, { 2, 1, false } } },
    HISTORY_OPS (below_a_lost_name),
    .conflicts = -1 },
  { "a tombstone held back until it is forgotten there",
    { HISTORY_HUB },
    HISTORY_OPS (held_until_forgotten),
    .conflicts = 0 },
  { "a tombstone held back until it is forgotten here",
    { HISTORY_CHAIN },
    HISTORY_OPS (kept_until_too_old),
    .conflicts = 0 },
  { "a tombstone held back until it is forgotten here, and then a pull",
    { HISTORY_CHAIN },
    HISTORY_OPS (too_old_and_pulled),
    .conflicts = 0 },
  { "a tombstone for them that is too far ahead of their clock",
    { HISTORY_HUB },
    HISTORY_OPS (refused_burial),
    .conflicts = -1 },
  { "a document held back in the run that mends a pair",
    { .sites = 3,
      .docs = 6,
      .n_links = 2,
      .links = { { 0, 1, false }, { 2, 1, false } },
      .site[0].lacks = LACKS_WITNESS },
    HISTORY_OPS (held_while_mended),
    .conflicts = -1 },
  { "a document held back, and a tombstone that meets it in a pull",
    { .sites = 3,
      .docs = 6,
      .n_links = 3,
      .links = { { 1, 0, false }, { 2, 0, false }, { 2, 1, false } } },
    HISTORY_OPS (met_by_a_tombstone),
    .conflicts = -1 },
  { "a document refused in place of theirs, and a run that only pulls",
    { .features = FEATURE_COPIES,
      .sites = 5,
      .docs = 6,
      .n_links = 6,
      .links = { { 0, 1, false },
                 { 1, 2, false },
                 { 3, 2, false },
                 { 3, 4, false },
                 { 5, 0, false },
                 { 5, 1, false } } },
    HISTORY_OPS (refused_over_theirs),
    .conflicts = -1 },
  { .name = NULL },
};
