/* SPDX-License-Identifier: MIT */
/* Histories that broke earlier drafts of the design. */

#include <config.h>

#include <tally/tally.h>

#include "histories.h"

/* In HISTORY_HUB a link has the number of its client less one. */
#define HUB_LINK(client) ((client) -1)

/* The cursor must not go to the head that is there at the end of a run. */
static const struct op head_as_checkpoint[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1), .meddle = OP_PUT, .meddle_at = 9,
    .meddle_site = 1, .meddle_doc = 1, .meddle_fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1), .meddle = OP_PUT, .meddle_at = 5,
    .meddle_site = 1, .meddle_doc = 2, .meddle_fields = 3 },
};

/* The hub has a later write than the one that is pushed, and its feed has
 * shown it before: nobody waits for it to come once more. */
static const struct op refused_push[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 10 },
  { OP_SYNC, .site = HUB_LINK (1), .fault = NET_LOSE, .fault_at = 3,
    .meddle = OP_SYNC, .meddle_at = 4, .meddle_site = HUB_LINK (2) },
  { OP_PUT, .site = 2, .doc = 0, .fields = 1, .wait_ms = 10 },
  { OP_SYNC, .site = HUB_LINK (2), .direction = TALLY_PUSH },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_SYNC, .site = HUB_LINK (1), .direction = TALLY_PUSH },
};

/* s1 has forgotten the delete before s2 heard of it. */
static const struct op purged_before_next_hop[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 1 },
  { OP_DELETE, .site = 0, .doc = 0 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_SYNC, .site = 1 },
};

static const struct op restored_hub[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 3 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_BACKUP, .site = 0 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 1000 },
  { OP_PUT, .site = 2, .doc = 1, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_REVIVE, .site = 0, .wait_ms = 3600000 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 2 },
  { OP_PUT, .site = 2, .doc = 1, .fields = 2 },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_SYNC, .site = HUB_LINK (1) },
};

static const struct op rolled_back_in_place[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 3 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_BACKUP, .site = 1 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 1000 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_ROLLBACK, .site = 1, .wait_ms = 3600000 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 2 },
  { OP_SYNC, .site = HUB_LINK (1) },
};

static const struct op two_clones[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 3 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_CLONE, .site = 1 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 5 },
  { OP_PUT, .site = 3, .doc = 0, .fields = 1, .wait_ms = 5 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_PUT, .site = 3, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (3) },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2, .wait_ms = 5 },
  { OP_PUT, .site = 3, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = HUB_LINK (3) },
  { OP_SYNC, .site = HUB_LINK (1) },
};

#define YEAR_MS (365 * SIM_DAY_MS)

static const struct op a_year_ahead[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 3 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_CLOCK, .site = 1, .ms = YEAR_MS },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_PUT, .site = 2, .doc = 0, .fields = 1, .wait_ms = 3600000 },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_CLOCK, .site = 1, .wait_ms = 3600000 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2 },
  { OP_PUT, .site = 2, .doc = 0, .fields = 2, .wait_ms = 5 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
};

/* The hub forgets what its client keeps for another: it must not be offered
 * again and again. */
static const struct op purged_on_one_side[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_DELETE, .site = 0, .doc = 0 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 0 },
  { OP_SYNC, .site = 0, .wait_ms = UINT64_C (100) * SIM_DAY_MS },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 0 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = 0 },
};

/* Each day it wakes up elsewhere, and writes. */
#define DAY(field)                                                    \
  { OP_MOVE, .site = 1, .wait_ms = SIM_DAY_MS },                      \
  {                                                                   \
    OP_PUT, .site = 1, .doc = 0, .fields = 1u << (field) % SIM_FIELDS \
  }

static const struct op a_client_each_day[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 15 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
  DAY (0),
  DAY (1),
  DAY (2),
  DAY (3),
  DAY (0),
  DAY (1),
  DAY (2),
  DAY (3),
  DAY (0),
  DAY (1),
  DAY (2),
  DAY (3),
  DAY (0),
  DAY (1),
  DAY (2),
  DAY (3),
  DAY (0),
  DAY (1),
  DAY (2),
  DAY (3),
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
};

/* What a client of the dialect put is edited as any other document. */
static const struct op native_edit_of_dialect[] = {
  { OP_NATIVE, .site = 0, .doc = 0, .fields = 7, .ms = -1000 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 5 },
  { OP_PUT, .site = 2, .doc = 0, .fields = 2, .wait_ms = 5 },
  { OP_SYNC, .site = HUB_LINK (1) },
  { OP_SYNC, .site = HUB_LINK (2) },
};

static const struct op flipped_direction[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1), .direction = TALLY_PUSH },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1, .wait_ms = 5 },
  { OP_SYNC, .site = HUB_LINK (1), .direction = TALLY_PULL },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1, .wait_ms = 5 },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1, .wait_ms = 5 },
  { OP_SYNC, .site = HUB_LINK (1), .direction = TALLY_PUSH },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = HUB_LINK (1), .direction = TALLY_PULL },
  { OP_SYNC, .site = HUB_LINK (1) },
};

static const struct op first_sync_dies[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1), .fault = NET_LOSE, .fault_at = 1 },
  { OP_DELETE, .site = 0, .doc = 1 },
  { OP_SYNC, .site = HUB_LINK (1), .crash = CRASH_BEFORE, .crash_at = 3,
    .crash_server = true },
  { OP_SYNC, .site = HUB_LINK (1), .crash = CRASH_AFTER, .crash_at = 4 },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = HUB_LINK (1), .fault = NET_DROP, .fault_at = 3 },
  { OP_SYNC, .site = HUB_LINK (2) },
};

const struct history_case classic_histories[] = {
  { "a write at the end of a run, before its checkpoint",
    { HISTORY_HUB },
    HISTORY_OPS (head_as_checkpoint),
    .conflicts = 0 },
  { "a refused push whose document the feed shows no more",
    { HISTORY_HUB },
    HISTORY_OPS (refused_push),
    .conflicts = -1 },
  { "a tombstone that is purged before the next hop had it",
    { HISTORY_CHAIN },
    HISTORY_OPS (purged_before_next_hop),
    .conflicts = 0 },
  { "a hub that is restored from a backup",
    { HISTORY_HUB },
    HISTORY_OPS (restored_hub),
    .conflicts = -1 },
  { "a store that is rolled back in place",
    { HISTORY_HUB },
    HISTORY_OPS (rolled_back_in_place),
    .conflicts = -1 },
  { "two clones of one store",
    { HISTORY_HUB },
    HISTORY_OPS (two_clones),
    .conflicts = -1 },
  { "a day with the clock a year ahead",
    { HISTORY_HUB },
    HISTORY_OPS (a_year_ahead),
    .conflicts = -1 },
  { "a purge on one side, compared in each run",
    { HISTORY_CHAIN },
    HISTORY_OPS (purged_on_one_side),
    .conflicts = 0 },
  { "a laptop with a fresh client id each day, away for 20",
    { HISTORY_HUB },
    HISTORY_OPS (a_client_each_day),
    .conflicts = 0 },
  { "a whole write of the dialect that is edited natively",
    { HISTORY_HUB },
    HISTORY_OPS (native_edit_of_dialect),
    .conflicts = 0 },
  { "a direction that is flipped between runs",
    { HISTORY_HUB },
    HISTORY_OPS (flipped_direction),
    .conflicts = -1 },
  { "a first sync that dies before the peer is registered",
    { HISTORY_HUB },
    HISTORY_OPS (first_sync_dies),
    .conflicts = 0 },
  { .name = NULL },
};
