/* SPDX-License-Identifier: MIT */
/* Histories of stores and links that were away for longer than tombstones are
 * kept. */

#include <config.h>

#include <tally/tally.h>

#include "../../core/graves.h"
#include "histories.h"

/* What was deleted and forgotten came back, by a way that was new, from one
 * who had changed it meanwhile; nobody was told. */
static const struct op changed_while_away[] = {
  { OP_PUT, .site = 3, .doc = 3, .fields = 4 },
  { OP_SYNC, .site = 2 },
  { OP_SYNC, .site = 5 },
  { OP_PUT, .site = 2, .doc = 3, .fields = 2,
    .wait_ms = UINT64_C (128) * SIM_DAY_MS },
  { OP_DELETE, .site = 0, .doc = 3, .wait_ms = 10 },
  { OP_SYNC, .site = 0 },
};

/* The same of a client that had been away; who deleted it is told as well,
 * when it comes back there. */
static const struct op changed_and_rejoined[] = {
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 3, .doc = 2, .wait_ms = 10 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 2, .wait_ms = 10 },
  /* It is not run twice: the next one is what forgets. */
  { OP_SYNC, .site = 2, .seed = 2 },
  { OP_SYNC, .site = 2, .wait_ms = UINT64_C (125) * SIM_DAY_MS },
};

/* A client that had been away only pulled first: that went past the floor, and
 * what was deleted meanwhile stayed. */
static const struct op away_and_pulls[] = {
  { OP_PUT, .site = 3, .doc = 5, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_DELETE, .site = 0, .doc = 0 },
  { OP_SYNC, .site = 1, .seed = 2 },
  { OP_SYNC, .site = 1, .wait_ms = UINT64_C (140) * SIM_DAY_MS },
  { OP_SYNC, .site = 2, .direction = TALLY_PULL },
};

/* The same of a hub that had been away, and a client that only pushes. */
static const struct op away_and_is_pushed_to[] = {
  { OP_PUT, .site = 0, .doc = 5, .fields = 1 },
  { OP_PUT, .site = 3, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_SYNC, .site = 3 },
  { OP_DELETE, .site = 3, .doc = 0 },
  { OP_SYNC, .site = 3, .seed = 2 },
  { OP_SYNC, .site = 3, .wait_ms = UINT64_C (140) * SIM_DAY_MS },
  { OP_SYNC, .site = 2, .direction = TALLY_PUSH },
};

/* A run that only pushes did not get past the floor at all: what lost there
 * was merged, and told of, in each of them. */
static const struct op pushed_again_and_again[] = {
  { OP_PUT, .site = 1, .doc = 2, .fields = 1 },
  { OP_DELETE, .site = 1, .doc = 2 },
  { OP_REPLACE, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .direction = TALLY_PULL, .seed = 1 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_REPLACE, .site = 0, .doc = 0, .fields = 2, .wait_ms = 7 },
  { OP_SYNC, .direction = TALLY_PUSH },
};

/* The same with a folder, where nothing is looked for: each run put there what
 * it had put there before. */
static const struct op put_into_a_folder_again[] = {
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 2 },
  { OP_DELETE, .site = 1, .doc = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1, .direction = TALLY_PULL },
  { OP_PUT, .site = 1, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = 1, .direction = TALLY_PUSH },
};

/* It had nothing when the pair last met: what was written there since passed
 * for what was there then, and was deleted. */
static const struct op met_when_empty[] = {
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 1, .doc = 1 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 1, .doc = 2 },
  { OP_SYNC, .site = 1 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1,
    .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 1 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1,
    .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
};

/* A folder that had been given nothing for so long held no tombstone back, as
 * if it could compare later: what was deleted came out of it again. */
static const struct op deleted_beside_a_folder[] = {
  { OP_SYNC, .site = 3 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 1, .doc = 3, .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 3 },
  { OP_SYNC, .site = 3 },
};

/* The same of a tombstone that grew too old before the folder was given it. */
static const struct op grown_old_beside_a_folder[] = {
  { OP_SYNC, .site = 3 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 1, .doc = 3 },
  { OP_SYNC, .site = 3 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1,
    .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 3 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1,
    .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 3 },
};

/* A delete was held back for a clock that was behind, together with a change
 * by who had not heard of it; when both were forgotten, tombstone and grave,
 * the document came back and nobody was told.  It takes the small windows. */
static const struct op held_and_forgotten[] = {
  { OP_PUT, .site = 3, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 2 },
  { OP_CLOCK, .site = 3, .ms = -SIM_DAY_MS },
  { OP_PUT, .site = 3, .doc = 2, .fields = 8 },
  { OP_DELETE, .site = 0, .doc = 2 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 3, .doc = 5, .fields = 8 },
  { OP_SYNC, .site = 2 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 2, .doc = 5 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (129) * SIM_DAY_MS },
};

/* The same, with the change made only then: it was pushed as if it were new.
 * This one, too, takes the small windows, as the next does. */
static const struct op held_and_changed_later[] = {
  { OP_CLOCK, .site = 3, .stops = true },
  { OP_PUT, .site = 2, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 1, .seed = 2 },
  { OP_SYNC, .site = 2, .seed = 2, .wait_ms = SIM_DAY_MS / 24 },
  { OP_PUT, .site = 2, .doc = 5, .fields = 1 },
  { OP_DELETE, .site = 0, .doc = 2 },
  { OP_SYNC, .site = 1, .seed = 2 },
  { OP_SYNC, .site = 0, .seed = 2 },
  { OP_DELETE, .site = 0, .doc = 5 },
  { OP_SYNC, .site = 1, .seed = 2 },
  { OP_SYNC, .site = 2, .seed = 2 },
  { OP_SYNC, .site = 0, .seed = 2 },
  { OP_SYNC, .site = 0, .seed = 2, .wait_ms = UINT64_C (139) * SIM_DAY_MS },
  { OP_PUT, .site = 3, .doc = 2, .fields = 4 },
  { OP_SYNC, .site = 2, .seed = 2 },
};

/* The same of a delete that the hub refused: the change was pulled. */
static const struct op held_there_and_changed_later[] = {
  { OP_PUT, .site = 0, .doc = 3, .fields = 2 },
  { OP_SYNC, .site = 0, .seed = 2 },
  { OP_SYNC, .site = 1, .seed = 2 },
  { OP_REPLACE, .site = 0, .doc = 2, .fields = 8 },
  { OP_CLOCK, .site = 2, .ms = -240 * SIM_DAY_MS },
  { OP_PUT, .site = 1, .doc = 2, .fields = 4 },
  { OP_DELETE, .site = 0, .doc = 3 },
  { OP_DELETE, .site = 0, .doc = 2 },
  { OP_SYNC, .site = 0, .seed = 2 },
  { OP_SYNC, .site = 1, .seed = 2 },
  { OP_PUT, .site = 1, .doc = 4, .fields = 2 },
  { OP_SYNC, .site = 0, .seed = 2 },
  { OP_SYNC, .site = 0, .seed = 2, .wait_ms = UINT64_C (109) * SIM_DAY_MS },
  { OP_PUT, .site = 2, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 1, .seed = 2 },
};

/* What was held back was never here; but when a pair had been away for longer
 * than tombstones are kept it passed for deleted here, and was deleted
 * there. */
static const struct op held_is_not_gone[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1 },
  { OP_CLOCK, .site = 1, .ms = -SIM_DAY_MS },
  { OP_PUT, .site = 2, .doc = 1, .fields = 4 },
  { OP_SYNC, .site = 1 },
  { OP_CLOCK, .site = 1 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 1 },
};

/* What was deleted and forgotten met the document made anew by somebody who
 * had heard of neither, with a clock that is behind, and beat it: it was back,
 * and nobody was told.  It takes a client that has not noted what it gave. */
static const struct op beat_what_was_made_anew[] = {
  { OP_PUT, .site = 3, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 2, .crash = CRASH_LOST, .crash_at = 25 },
  { OP_DELETE, .site = 0, .doc = 0, .wait_ms = UINT64_C (110) * SIM_DAY_MS },
  { OP_SYNC, .site = 0 },
  { OP_CLOCK, .site = 2, .ms = -200 * SIM_DAY_MS },
  { OP_PUT, .site = 2, .doc = 0, .fields = 4 },
  { OP_SYNC, .site = 1 },
};

/* A third store that has a grave tells of it as well. */
#define TOLD_TWICE (GRAVES_MAX > 1 ? 2 : 1)
#define TWO_HUBS                       \
  .sites = 3, .docs = 6, .n_links = 2, \
  .links = { { 1, 0, false }, { 1, 2, false } }
#define MANY_WAYS                                                \
  .features = FEATURE_AWAY, .sites = 4, .docs = 6, .n_links = 7, \
  .links = { { 1, 0, false }, { 1, 2, false }, { 3, 2, false },  \
             { 2, 0, false }, { 1, 0, false }, { 3, 0, false },  \
             { 0, 1, false } }
#define HUB_OF_THREE                                             \
  .features = FEATURE_AWAY, .sites = 4, .docs = 6, .n_links = 3, \
  .links = { { 1, 0, false }, { 2, 0, false }, { 3, 0, false } }
#define HUB_OF_THREE_AND_A_NEXT                                        \
  .features = FEATURE_AWAY, .sites = 4, .docs = 6, .n_links = 4,       \
  .links = {                                                           \
    { 1, 0, false }, { 2, 0, false }, { 3, 0, false }, { 1, 3, false } \
  }
#define FOLDER_AND_LINK                                             \
  .sites = 3, .docs = 6, .n_links = 4,                              \
  .links = {                                                        \
    { 0, 0, true }, { 1, 0, true }, { 2, 0, true }, { 0, 1, false } \
  }

const struct history_case away_histories[] = {
  { "a document that was changed while its delete was forgotten, by a new way",
    { MANY_WAYS },
    HISTORY_OPS (changed_while_away),
    .conflicts = -1,
    .returned = 1 },
  { "a document that was changed while its delete was forgotten, by a client",
    { HUB_OF_THREE },
    HISTORY_OPS (changed_and_rejoined),
    .conflicts = -1,
    .returned = 2 },
  { "a client that was away, and first only pulls",
    { HUB_OF_THREE },
    HISTORY_OPS (away_and_pulls),
    .conflicts = 0 },
  { "a hub that was away, and is first only pushed to",
    { HUB_OF_THREE_AND_A_NEXT },
    HISTORY_OPS (away_and_is_pushed_to),
    .conflicts = 0 },
  { "a store that forgot, and only pushes after that",
    { .sites = 2, .docs = 6, .n_links = 1, .links = { { 1, 0, false } } },
    HISTORY_OPS (pushed_again_and_again),
    .conflicts = -1 },
  { "a store that forgot, and only puts into a folder after that",
    { .sites = 2,
      .docs = 6,
      .n_links = 3,
      .links = { { 1, 0, false }, { 1, 0, true }, { 0, 0, true } } },
    HISTORY_OPS (put_into_a_folder_again),
    .conflicts = 0 },
  { "a server that was empty when it was last met, and a client that forgot",
    { .features = FEATURE_AWAY,
      .sites = 3,
      .docs = 6,
      .n_links = 2,
      .links = { { 1, 0, false }, { 1, 2, false } } },
    HISTORY_OPS (met_when_empty),
    .conflicts = 0 },
  { "a delete beside a folder that was given nothing for long",
    { FOLDER_AND_LINK },
    HISTORY_OPS (deleted_beside_a_folder),
    .conflicts = 0 },
  { "a tombstone that grows old before a folder is given it",
    { FOLDER_AND_LINK },
    HISTORY_OPS (grown_old_beside_a_folder),
    .conflicts = 0 },
  { "a delete that is held back until nobody remembers it",
    { HUB_OF_THREE },
    HISTORY_OPS (held_and_forgotten),
    .conflicts = -1,
    .returned = 1 },
  { "a delete that is held back until nobody remembers it, and a later change",
    { HUB_OF_THREE },
    HISTORY_OPS (held_and_changed_later),
    .conflicts = -1,
    .returned = TOLD_TWICE },
  { "a delete that is held back there until nobody remembers it",
    { .features = FEATURE_AWAY,
      .sites = 3,
      .docs = 6,
      .n_links = 2,
      .links = { { 0, 1, false }, { 1, 2, false } } },
    HISTORY_OPS (held_there_and_changed_later),
    .conflicts = -1,
    .returned = TOLD_TWICE },
  { "a document made anew by a clock behind, and an old copy that comes back",
    { HUB_OF_THREE },
    HISTORY_OPS (beat_what_was_made_anew),
    .conflicts = 1 },
  { "a document held back, and a comparison without tombstones",
    { TWO_HUBS },
    HISTORY_OPS (held_is_not_gone),
    .conflicts = -1 },
  { .name = NULL },
};
