/* SPDX-License-Identifier: MIT */
/* What dry runs did that they must not, or foresaw that did not happen.  An
 * OP_SYNC with seed 1 is looked ahead at. */

#include <config.h>

#include <tally/tally.h>

#include "histories.h"

/* It took another name, durably. */
static const struct op met_a_copy[] = {
  { OP_PUT, .site = 1, .fields = 1 },
  { OP_CLONE, .site = 1 },
  { OP_PUT, .site = 3, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 2, .seed = 1 },
};

/* A tombstone that is left where it is moves the clock, but not in a look. */
static const struct op met_a_tombstone[] = {
  { OP_PUT, .site = 0, .fields = 1 },
  { OP_DELETE, .site = 0 },
  { OP_SYNC, .site = 0, .seed = 1 },
};

/* It was foreseen once since it was held, and once since it had changed. */
static const struct op listed_and_held[] = {
  { OP_CLOCK, .stops = 1, .ms = -144258 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 4, .wait_ms = 2919967 },
  { OP_PUT, .doc = 1, .fields = 2 },
  { .kind = OP_SYNC },
  { OP_PUT, .doc = 1, .fields = 1 },
  { OP_SYNC, .direction = TALLY_PULL, .seed = 1 },
};

/* A tombstone that was held back after a broken pair is put as in that run,
 * and stored where there is nothing for it to delete. */
static const struct op strict_tombstone[] = {
  { OP_CLOCK, .ms = INT64_C (-14052365167) },
  { OP_PUT, .site = 2, .doc = 1, .fields = 2 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 1, .doc = 1 },
  { OP_CLONE, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 2 },
  { OP_CLOCK, .site = 0 },
  { OP_SYNC, .site = 2, .seed = 1 },
};

/* Below a floor what they have no more is to be deleted here: not what is a
 * tombstone here already. */
static const struct op gone_on_both_sides[] = {
  { OP_REPLACE, .site = 2, .doc = 5, .fields = 1 },
  { OP_CLONE, .site = 1 },
  { OP_SYNC, .site = 6 },
  { OP_SYNC, .site = 8 },
  { OP_SYNC, .site = 7 },
  { OP_DELETE, .site = 1, .doc = 5, .fields = 1 },
  { OP_PUT, .site = 3, .doc = 9, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 3 },
  { OP_SYNC, .site = 3 },
  { OP_BACKUP, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 7 },
  { OP_ROLLBACK, .site = 1 },
  { OP_SYNC, .direction = TALLY_PUSH },
  { OP_SYNC, .site = 7 },
  { OP_SYNC, .site = 0, .seed = 1 },
};

const struct history_case looked_histories[] = {
  { "a dry run over what is gone on both sides",
    { .features = FEATURE_COPIES,
      .sites = 4,
      .docs = 11,
      .two = true,
      .n_links = 9,
      .links = { { 1, 0, false },
                 { 1, 2, false },
                 { 3, 2, false },
                 { 3, 0, false },
                 { 2, 0, false },
                 { 1, 3, false },
                 { 1, 2, false },
                 { 4, 0, false },
                 { 4, 1, false } } },
    HISTORY_OPS (gone_on_both_sides),
    .conflicts = 0 },
  { "a dry run that meets a copy of its store",
    { .features = FEATURE_COPIES,
      .sites = 3,
      .docs = 6,
      .n_links = 3,
      .links = { { 1, 0, false }, { 2, 0, false }, { 3, 1, false } } },
    HISTORY_OPS (met_a_copy),
    .conflicts = 0 },
  { "a dry run that meets a tombstone of what it does not have",
    { HISTORY_HUB },
    HISTORY_OPS (met_a_tombstone),
    .conflicts = 0 },
  { "a dry run over what is held and has changed",
    { HISTORY_HUB },
    HISTORY_OPS (listed_and_held),
    .conflicts = -1 },
  { "a dry run that gives a tombstone held back after a broken pair",
    { .features = FEATURE_COPIES,
      .sites = 3,
      .docs = 6,
      .n_links = 4,
      .links = { { 1, 0, false },
                 { 2, 1, false },
                 { 3, 0, false },
                 { 3, 1, false } } },
    HISTORY_OPS (strict_tombstone),
    .conflicts = -1 },
  { .name = NULL },
};
