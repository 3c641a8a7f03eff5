/* SPDX-License-Identifier: MIT */
/* Histories of which one run is cut at every call of a store, on either side
 * and in every way. */

#include <config.h>

#include <tally/tally.h>

#include "histories.h"

/* s1 is a client of s0 and of s2. */
#define TWO_HUBS                       \
  .sites = 3, .docs = 6, .n_links = 3, \
  .links = { { 1, 0, false }, { 1, 2, false }, { 2, 0, false } }
#define TO_S0 0
#define TO_S2 1
#define FROM_S2 2

/* The floor must be durable before what it tells of is forgotten: s2 has been
 * away for so long that nobody waits for it. */
static const struct op forgotten_by_age[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S0, .wait_ms = UINT64_C (20) * SIM_DAY_MS },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  /* It is not run twice: the next one is what forgets. */
  { OP_SYNC, .site = TO_S0, .wait_ms = UINT64_C (120) * SIM_DAY_MS,
    .seed = 2 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = FROM_S2 },
};

/* Who has what we deleted is known here before it has it. */
static const struct op first_run[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = TO_S2 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S2 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_DELETE, .site = 1, .doc = 1 },
  { OP_SYNC, .site = TO_S2 },
  { OP_SYNC, .site = TO_S2 },
  { OP_SYNC, .site = TO_S2 },
  { OP_SYNC, .site = TO_S0 },
};

/* What s1 wrote before it was rolled back is at s2, and the name that s1
 * had then must not claim to know it.  Its file tells it nothing: it learns of
 * that from s0. */
static const struct op rolled_back_and_mended[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 3 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S2 },
  { OP_BACKUP, .site = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = TO_S0 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_SYNC, .site = TO_S2 },
  { OP_ROLLBACK, .site = 1, .wait_ms = 3600000 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S0 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = FROM_S2 },
};

/* The same, but it wrote before it knew: its file has told it. */
static const struct op rolled_back_and_written[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 3 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S2 },
  { OP_BACKUP, .site = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = TO_S0 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_SYNC, .site = TO_S2 },
  { OP_ROLLBACK, .site = 1, .wait_ms = 3600000 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = FROM_S2 },
};

/* s1 has forgotten what it deleted, since all whom it knew have that, when it
 * first meets s2, who had it from s0. */
static const struct op met_what_was_forgotten[] = {
  { OP_PUT, .site = 1, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_DELETE, .site = 1, .doc = 0 },
  { OP_SYNC, .site = TO_S0 },
  { OP_PUT, .site = 1, .doc = 1, .fields = 2 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = TO_S2 },
};

/* What differs is known, and before it is fetched it is written to there. */
static const struct op written_while_compared[] = {
  { OP_PUT, .site = 2, .doc = 2, .fields = 1 },
  { OP_PUT, .site = 2, .doc = 3, .fields = 1 },
  { OP_PUT, .site = 2, .doc = 4, .fields = 1 },
  { OP_PUT, .site = 2, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_SYNC, .site = TO_S2 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 1, .wait_ms = 10 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_SYNC, .site = TO_S0, .meddle = OP_PUT, .meddle_site = 0,
    .meddle_doc = 0, .meddle_fields = 15, .seed = 2 },
};

/* Likewise here, and before it is given in place of what is there. */
static const struct op written_before_given[] = {
  { OP_PUT, .site = 2, .doc = 2, .fields = 1 },
  { OP_PUT, .site = 2, .doc = 3, .fields = 1 },
  { OP_PUT, .site = 2, .doc = 4, .fields = 1 },
  { OP_PUT, .site = 2, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_SYNC, .site = TO_S2 },
  { OP_PUT, .site = 0, .doc = 0, .fields = 1, .wait_ms = 10 },
  { OP_PUT, .site = 1, .doc = 0, .fields = 2, .wait_ms = 10 },
  { OP_SYNC, .site = TO_S0, .meddle = OP_PUT, .meddle_site = 1,
    .meddle_doc = 0, .meddle_fields = 15, .seed = 2 },
};

/* Everything is listed, first what was known when the pair last met; what is
 * deleted once its window is done must still be given to them. */
static const struct op deleted_while_listed[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = TO_S0 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_DELETE, .site = 0, .doc = 5 },
  { OP_SYNC, .site = FROM_S2, .wait_ms = UINT64_C (91) * SIM_DAY_MS },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_SYNC, .site = FROM_S2 },
  { OP_SYNC, .site = TO_S0, .meddle = OP_DELETE, .meddle_site = 1,
    .meddle_doc = 0 },
};

/* Who has nothing takes all as it comes, in windows. */
static const struct op deleted_while_taken[] = {
  { OP_PUT, .site = 0, .doc = 0, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 3, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 1 },
  { OP_SYNC, .site = TO_S0, .meddle = OP_DELETE, .meddle_site = 1,
    .meddle_doc = 0 },
};

/* The same in the order of ids, as between two stores that keep documents so:
 * what is written meanwhile, here or there, is behind the head of before. */
static const struct op written_while_taken_by_id[] = {
  { OP_PUT, .site = 0, .doc = 1, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 2, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 3, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 4, .fields = 1 },
  { OP_PUT, .site = 0, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = TO_S0, .meddle = OP_PUT, .meddle_site = 0,
    .meddle_doc = 0, .meddle_fields = 1 },
};

static const struct op written_while_given_by_id[] = {
  { OP_PUT, .site = 1, .doc = 1, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 2, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 3, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 4, .fields = 1 },
  { OP_PUT, .site = 1, .doc = 5, .fields = 1 },
  { OP_SYNC, .site = TO_S0, .meddle = OP_PUT, .meddle_site = 1,
    .meddle_doc = 0, .meddle_fields = 1 },
};

const struct history_case cut_histories[] = {
  { "tombstones that are forgotten since they are old, cut anywhere",
    { .features = FEATURE_AWAY, TWO_HUBS },
    HISTORY_OPS (forgotten_by_age),
    .conflicts = -1,
    .cut = 11 },
  { "a first run, cut anywhere",
    { TWO_HUBS },
    HISTORY_OPS (first_run),
    .conflicts = -1,
    .cut = 4 },
  { "a roll-back, cut anywhere while it is mended",
    { .features = FEATURE_COPIES, TWO_HUBS, .site[1].lacks = LACKS_WITNESS },
    HISTORY_OPS (rolled_back_and_mended),
    .conflicts = -1,
    .cut = 10 },
  { "a roll-back, and a write before it is mended, cut anywhere",
    { .features = FEATURE_COPIES, TWO_HUBS },
    HISTORY_OPS (rolled_back_and_written),
    .conflicts = -1,
    .cut = 11,
    .witness = true },
  { "what was deleted and forgotten comes back by a new way, cut anywhere",
    { .features = FEATURE_DELETES, TWO_HUBS },
    HISTORY_OPS (met_what_was_forgotten),
    .conflicts = 0,
    .cut = 10 },
  { "a comparison, and what differs is written to anywhere in it",
    { TWO_HUBS },
    HISTORY_OPS (written_while_compared),
    .conflicts = -1,
    .cut = 9 },
  { "a comparison, and what is to be given is written to anywhere in it",
    { TWO_HUBS },
    HISTORY_OPS (written_before_given),
    .conflicts = -1,
    .cut = 9 },
  { "a list of everything, and what was listed is deleted anywhere in it",
    { .features = FEATURE_AWAY, TWO_HUBS },
    HISTORY_OPS (deleted_while_listed),
    .conflicts = -1,
    .cut = 10 },
  { "a first run, and what it brought is deleted anywhere in it",
    { TWO_HUBS },
    HISTORY_OPS (deleted_while_taken),
    .conflicts = -1,
    .cut = 6 },
  { "a first run that takes by id, and what is written anywhere in it",
    { TWO_HUBS, .site[0].memory = true, .site[1].memory = true },
    HISTORY_OPS (written_while_taken_by_id),
    .conflicts = 0,
    .cut = 6 },
  { "a first run that gives by id, and what is written anywhere in it",
    { TWO_HUBS, .site[0].memory = true, .site[1].memory = true },
    HISTORY_OPS (written_while_given_by_id),
    .conflicts = 0,
    .cut = 6 },
  { .name = NULL },
};
