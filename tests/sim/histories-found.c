/* SPDX-License-Identifier: MIT */
/* Histories that the simulator found, shrunk: each was a defect once. */

#include <config.h>

#include <tally/tally.h>

#include "histories.h"

/* A client of two servers was cloned; each pair that was mended broke the
 * other, and so on at every run. */
static const struct op clone_with_two_servers[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_CLONE, .site = 2 },
  { OP_SYNC, .site = 3 },
};

/* The same of two stores that are each other's clients. */
static const struct op clone_of_mutual_client[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 2 },
  { OP_CLONE, .site = 1 },
};

/* An old hello came late and undid the pair. */
static const struct op late_hello[] = {
  { OP_PUT, .site = 2, .doc = 5, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 1, .fault = NET_HOLD, .fault_at = 1 },
  { OP_SYNC, .site = 0 },
  { OP_REPLACE, .site = 1, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { .kind = OP_LATE },
};

/* A run within a run of the same pair passed for a copy. */
static const struct op overtaken_run[] = {
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 1 },
  { OP_SYNC, .site = 0, .meddle = OP_SYNC, .meddle_at = 1 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 1 },
};

/* A store from before its pair, rolled back after a clone had used its name:
 * it passed for somebody new, and what it had lost for known. */
static const struct op forgotten_name[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_BACKUP, .site = 1 },
  { OP_CLONE, .site = 1 },
  { OP_SYNC, .site = 2 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 4 },
  { OP_SYNC, .site = 0 },
  { OP_ROLLBACK, .site = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 2 },
};

/* A write between two reads of a run: the checkpoint went past it. */
static const struct op write_between_reads[] = {
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 2 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .meddle = OP_PUT, .meddle_at = 4, .meddle_site = 1,
    .meddle_doc = 2, .meddle_fields = 4 },
  { OP_SYNC, .site = 0, .meddle = OP_PUT, .meddle_at = 5, .meddle_site = 1,
    .meddle_doc = 2, .meddle_fields = 4 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 2 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .meddle = OP_DELETE, .meddle_at = 7, .meddle_site = 1,
    .meddle_doc = 2 },
};

/* Forgotten by each in turn, and taken in again from the next. */
static const struct op tombstone_in_a_ring[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 3, .fields = 2 },
  { OP_SYNC, .site = 4 },
  { OP_SYNC, .site = 3 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 0, .doc = 3 },
};

/* The delete was told to nobody, since nothing was listed. */
static const struct op pushed_tombstone[] = {
  { OP_REPLACE, .site = 2, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = 3 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .direction = TALLY_PUSH },
};

/* Made anew within the milliseconds that the tombstone was ahead: it lost, and
 * passed for known. */
static const struct op anew_below_its_tombstone[] = {
  { OP_PUT, .site = 1, .doc = 2, .fields = 1 }, { OP_SYNC, .site = 1 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 }, { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 0, .doc = 0 },           { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
};

/* A run that only pulls met a document with a tombstone that its side had not
 * been given: it kept the tombstone, and both sides went past it. */
static const struct op tombstone_in_a_pull[] = {
  { OP_REPLACE, .site = 2, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = 2 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0, .direction = TALLY_PULL },
};

/* Held back for a clock that was behind, and let go by a run that only
 * pushes: nobody asked for it again. */
static const struct op let_go_by_a_push[] = {
  { OP_CLOCK, .site = 2, .stops = 1 },
  { OP_PUT, .site = 2, .doc = 2, .fields = 1, .wait_ms = 2369792 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_CLOCK, .site = 2 },
  { OP_SYNC, .site = 1, .direction = TALLY_PUSH },
};

/* A token that was held up on its way came when another one had taken its
 * place here: the pair broke. */
static const struct op token_held_up[] = {
  { OP_PUT, .site = 1, .doc = 4, .fields = 8 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 1, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = 0, .fault = NET_HOLD, .fault_at = 3 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 0, .fault = NET_DROP, .fault_at = 3 },
  { .kind = OP_LATE },
};

/* Two bodies that lost had the same newest write: the second took the first
 * one's place in the journal. */
static const struct op two_bodies_one_stamp[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 1, .wait_ms = 10 },
  { OP_PUT, .site = 3, .doc = 1, .fields = 8 },
  { OP_SYNC, .site = 6 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 10 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_PUT, .site = 3, .doc = 0, .fields = 8, .wait_ms = 10 },
  { OP_SYNC, .site = 3 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 3, .doc = 0, .wait_ms = 10 },
  { OP_SYNC, .site = 2, .direction = TALLY_PUSH },
};

/* A store forgot a tombstone that all its neighbours had, and took the
 * document from one that it met only then; so both went round, each forgotten
 * ahead of the other. */
static const struct op chase_in_a_ring[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = 2 },
};

/* A push of long ago arrived when the tombstone was forgotten. */
static const struct op push_held_up[] = {
  { OP_PUT, .site = 1, .doc = 1, .fields = 8 },
  { OP_PUT, .site = 0, .doc = 5, .fields = 2 },
  { OP_SYNC, .fault = NET_HOLD, .fault_at = 1 },
  { OP_PUT, .site = 1, .doc = 5, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 5, .fields = 8 },
  { OP_SYNC, .crash = CRASH_AFTER, .crash_at = 20, .crash_server = 1 },
  { OP_SYNC, .fault = NET_HOLD, .fault_at = 4 },
  { OP_LATE, .seed = 2 },
  { OP_DELETE, .site = 0, .doc = 5 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 0 },
  { OP_LATE, .seed = 2 },
};

/* What a store had forgotten its clone brought back, as somebody new. */
static const struct op clone_brings_back[] = {
  { OP_PUT, .site = 0, .doc = 4, .fields = 8 },
  { OP_SYNC, .site = 0 },
  { OP_CLONE, .site = 1 },
  { OP_DELETE, .site = 0, .doc = 4 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 2 },
};

/* The run that only pulled had not compared what is here, and the next one
 * took it for compared. */
static const struct op half_a_comparison[] = {
  { OP_PUT, .site = 2, .doc = 5, .fields = 8 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 2, .doc = 0 },
  { OP_BACKUP, .site = 1 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 1 },
  { OP_ROLLBACK, .site = 1 },
  { OP_SYNC, .site = 1, .direction = TALLY_PULL },
};

/* What they had refused for its clock was not there when their tombstones
 * were forgotten: so it was deleted here. */
static const struct op refused_and_deleted[] = {
  { OP_CLOCK, .site = 2, .stops = 1, .ms = -102052 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1, .wait_ms = 454125 },
  { OP_PUT, .site = 2, .doc = 5, .fields = 2 },
  { OP_DELETE, .site = 2, .doc = 5 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 2, .direction = TALLY_PUSH },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 2 },
};

/* The one journal that told of it went with its store; the tombstone hides
 * it. */
static const struct op journal_restored[] = {
  { OP_PUT, .site = 0, .doc = 3, .fields = 4 },
  { OP_SYNC, .site = 1 },
  { OP_REPLACE, .site = 1, .doc = 3, .fields = 1, .wait_ms = 21 },
  { OP_DELETE, .site = 2, .doc = 3 },
  { OP_BACKUP, .site = 2 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 0, .doc = 3, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_REVIVE, .site = 2 },
};

/* Put back in its place it went on under its name, and what it wrote passed
 * for knowing what it had written before. */
static const struct op under_its_own_name[] = {
  { OP_BACKUP, .site = 2 },
  { OP_PUT, .site = 2, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = 1 },
  { OP_ROLLBACK, .site = 2 },
  { OP_PUT, .site = 2, .doc = 5, .fields = 1, .wait_ms = 19 },
  { OP_SYNC, .site = 2 },
};

/* Both restored the same value: of that no merge tells, and where it is pushed
 * only nothing moves.  Then one of the two was replaced there, by somebody who
 * did not have the other. */
static const struct op restored_twice[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 2 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1, .wait_ms = 3 },
  { OP_SYNC, .site = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 2 },
  { OP_RESTORE, .site = 1 },
  { OP_RESTORE, .site = 0, .wait_ms = 15 },
  { OP_SYNC, .site = 0, .direction = TALLY_PUSH },
  { OP_PUT, .site = 0, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = 0 },
};

#define TWO_SERVERS                    \
  .sites = 3, .docs = 6, .n_links = 5, \
  .links = { { 1, 0, false },          \
             { 2, 0, false },          \
             { 2, 1, false },          \
             { 3, 1, false },          \
             { 3, 0, false } }
#define MUTUAL                                                         \
  .sites = 2, .docs = 6, .n_links = 4,                                 \
  .links = {                                                           \
    { 1, 0, false }, { 0, 1, false }, { 2, 0, false }, { 2, 1, false } \
  }
#define RING                           \
  .sites = 4, .docs = 6, .n_links = 5, \
  .links = { { 1, 0, false },          \
             { 2, 0, false },          \
             { 3, 0, false },          \
             { 1, 2, false },          \
             { 1, 3, false } }
#define HUB_AND_FOLDER                                                        \
  .sites = 4, .docs = 6,                                                      \
  .n_links = 7, .links = { { 1, 0, false }, { 2, 0, false }, { 3, 0, false }, \
                           { 0, 0, true },  { 1, 0, true },  { 2, 0, true },  \
                           { 3, 0, true } }
#define TRIANGLE                                                       \
  .sites = 3, .docs = 6, .n_links = 4,                                 \
  .links = {                                                           \
    { 1, 0, false }, { 2, 0, false }, { 1, 2, false }, { 1, 2, false } \
  }

#define CIRCLE                                                         \
  .sites = 3, .docs = 6, .n_links = 4,                                 \
  .links = {                                                           \
    { 1, 0, false }, { 2, 1, false }, { 0, 2, false }, { 0, 2, false } \
  }
#define ONE_LINK \
  .sites = 2, .docs = 6, .n_links = 1, .links = { { 1, 0, false } }
#define CLONE_OF_A_CLIENT              \
  .sites = 2, .docs = 6, .n_links = 3, \
  .links = { { 1, 0, false }, { 2, 0, false }, { 2, 1, false } }
#define HUB_OF_TWO                     \
  .sites = 3, .docs = 6, .n_links = 2, \
  .links = { { 1, 0, false }, { 1, 2, false } }

const struct history_case found_histories[] = {
  { "a cloned client of two servers",
    { TWO_SERVERS },
    HISTORY_OPS (clone_with_two_servers),
    .conflicts = 0 },
  { "a clone of one of two stores that are each other's clients",
    { MUTUAL },
    HISTORY_OPS (clone_of_mutual_client),
    .conflicts = 0 },
  { "a hello that comes late",
    { HISTORY_HUB },
    HISTORY_OPS (late_hello),
    .conflicts = 0 },
  { "a run that another one overtakes",
    { HISTORY_HUB },
    HISTORY_OPS (overtaken_run),
    .conflicts = 0 },
  { "a name that a clone had used up",
    { HISTORY_HUB },
    HISTORY_OPS (forgotten_name),
    .conflicts = -1 },
  { "a write between two reads of a run",
    { MUTUAL },
    HISTORY_OPS (write_between_reads),
    .conflicts = -1 },
  { "a tombstone in a ring",
    { RING },
    HISTORY_OPS (tombstone_in_a_ring),
    .conflicts = 0 },
  { "a tombstone over a link that only pushes",
    { TRIANGLE },
    HISTORY_OPS (pushed_tombstone),
    .conflicts = 0 },
  { "a document made anew just after its tombstone was forgotten",
    { HISTORY_CHAIN },
    HISTORY_OPS (anew_below_its_tombstone),
    .conflicts = 0 },
  { "a tombstone that a run keeps which only pulls",
    { TRIANGLE },
    HISTORY_OPS (tombstone_in_a_pull),
    .conflicts = 0 },
  { "a document held back, and a run that only pushes",
    { HISTORY_HUB },
    HISTORY_OPS (let_go_by_a_push),
    .conflicts = 1 },
  { "a token that is held up on its way",
    { HISTORY_HUB },
    HISTORY_OPS (token_held_up),
    .conflicts = 0 },
  { "two bodies that lost, with the same newest stamp",
    { HUB_AND_FOLDER },
    HISTORY_OPS (two_bodies_one_stamp),
    .conflicts = -1 },
  { "a document and its tombstone, one after the other round a ring",
    { CIRCLE },
    HISTORY_OPS (chase_in_a_ring),
    .conflicts = 0 },
  { "a push that is held up until all is forgotten",
    { ONE_LINK },
    HISTORY_OPS (push_held_up),
    .conflicts = -1 },
  { "a clone that brings back what was forgotten",
    { CLONE_OF_A_CLIENT },
    HISTORY_OPS (clone_brings_back),
    .conflicts = 0 },
  { "a broken pair compared in one direction only",
    { HUB_OF_TWO },
    HISTORY_OPS (half_a_comparison),
    .conflicts = -1 },
  { "a document that was refused, and a pair below the floor",
    { TRIANGLE },
    HISTORY_OPS (refused_and_deleted),
    .conflicts = 1 },
  { "a journal that goes with its store",
    { HISTORY_HUB },
    HISTORY_OPS (journal_restored),
    .conflicts = -1 },
  { "a store that is put back in its place",
    { TRIANGLE },
    HISTORY_OPS (under_its_own_name),
    .conflicts = -1 },
  { "a value that two stores restored, pushed where it then was replaced",
    { .sites = 3,
      .docs = 6,
      .n_links = 3,
      .links = { { 1, 0, false }, { 1, 2, false }, { 0, 2, false } } },
    HISTORY_OPS (restored_twice),
    .conflicts = 0 },
  { .name = NULL },
};
