/* SPDX-License-Identifier: MIT */
/* The journal's bounds: what is old goes, and what is too much, with a word
 * and a count; a clock that jumps takes nothing along; and nothing is read
 * again that was counted.  And the names of devices: written when they are
 * new, and not more than fit. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/devices.h"
#include "../core/journal.h"
#include "shared-store.h"

#define HOUR UINT64_C (3600000)
#define DAY (24 * HOUR)

static struct shared_store shared;
static struct replica *replica;
static char logged[512];
static unsigned lines, headers;
static tally_emit_doc *count_to;
static void *count_ctx;

static void
keep_line (void *ctx, int level, const char *text)
{
  (void) ctx;
  assert_int_equal (level, 1);
  lines++;
  snprintf (logged, sizeof logged, "%s", text);
}

static int
count_header (void *ctx, const struct tally_doc *doc)
{
  (void) ctx;
  headers++;
  return count_to (count_ctx, doc);
}

static const struct tally_store *memory;

static int
counted_changes (void *handle, const char *collection, uint64_t since,
                 tally_emit_doc *emit, void *ctx, uint64_t *head,
                 struct tally_error *err)
{
  count_to = emit;
  count_ctx = ctx;
  return memory->changes (handle, collection, since, count_header, NULL, head,
                          err);
}

static int
start (void **state)
{
  (void) state;
  shared_start (&shared);
  memory = shared.driver.store;
  shared.host.log = keep_line;
  replica = shared_replica (&shared);
  lines = headers = 0;
  return 0;
}

static int
end (void **state)
{
  (void) state;
  replica_close (replica);
  shared_free (&shared);
  return 0;
}

/* ---- the journal -------------------------------------------------------- */

static unsigned made;

/* Entries of n merges, now. */
static void
lose (unsigned n, bool blind)
{
  struct journal journal = { .replica = replica, .collection = "notes" };
  struct tally_error err = { 0 };

  journal.blind = blind;
  for (unsigned i = 0; i < n; i++) {
    struct loser loser = { .field = slice_text ("v") };
    struct tally_entry entry;
    struct tally_outcome outcome;
    char id[32];

    loser.lost = slice_text ("1");
    loser.won = slice_text ("2");
    stamp_make (&loser.lost_stamp, 1, 0, 1);
    stamp_make (&loser.won_stamp, 2, 0, 2);
    snprintf (id, sizeof id, "d%u", made++);
    assert_int_equal (journal_add (&journal, slice_text (id), &loser, &err),
                      TALLY_OK);
    journal_entries (&journal, 0, 1, &entry);
    assert_int_equal (replica_put (replica, &entry, 1, 0, &outcome, &err),
                      TALLY_OK);
    journal_clear (&journal);
  }
  journal_free (&journal);
}

static int
count_entry (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  ++*(unsigned *) ctx;
  return 0;
}

static unsigned
kept (const char *collection)
{
  struct tally_error err = { 0 };
  unsigned n = 0;
  uint64_t head;

  assert_int_equal (
      replica_changes (replica, collection, 0, count_entry, &n, &head, &err),
      TALLY_OK);
  return n;
}

static void
prune (uint64_t keep_ms, uint64_t most, bool sure)
{
  struct journal_limits limits = { keep_ms, most };
  struct tally_error err = { 0 };

  if (journal_prune (replica, &limits, sure, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
expect_dropped (uint64_t dropped, uint64_t recent)
{
  struct tally_error err = { 0 };
  uint64_t d, r;

  assert_int_equal (journal_dropped (replica, &d, &r, &err), TALLY_OK);
  assert_int_equal (d, dropped);
  assert_int_equal (r, recent);
}

static void
test_age (void **state)
{
  (void) state;
  prune (90 * DAY, 0, true);
  lose (5, false);
  prune (90 * DAY, 0, true);
  shared.wall_ms += 60 * DAY;
  lose (3, false);
  prune (90 * DAY, 0, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 8);
  assert_int_equal (lines, 0);
  shared.wall_ms += 31 * DAY;
  prune (90 * DAY, 0, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 3);
  assert_int_equal (lines, 1);
  assert_non_null (strstr (logged, ": 5 conflicts were dropped"));
  expect_dropped (5, 0);
  shared.wall_ms += 90 * DAY;
  prune (90 * DAY, 0, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 0);
  expect_dropped (8, 0);
  prune (90 * DAY, 0, true);
  assert_int_equal (lines, 2);
}

/* Every hour for a year: the newest 90 days are there, give or take the
 * part that a life is cut into. */
static void
test_age_with_many_runs (void **state)
{
  (void) state;
  for (unsigned hour = 0; hour < 8760; hour++) {
    unsigned n;

    if (hour % 24 == 0)
      lose (1, false);
    prune (90 * DAY, 0, true);
    shared.wall_ms += HOUR;
    n = kept (JOURNAL_COLLECTION);
    assert_true (n <= 93);
    if (hour > 92 * 24)
      assert_true (n >= 90);
  }
}

/* A year ahead for a while, a year behind for a while, with and without
 * runs; nobody confirms that. */
static void
test_jumps_of_the_clock (void **state)
{
  (void) state;
  lose (3, false);
  prune (90 * DAY, 0, true);
  shared.wall_ms += 365 * DAY;
  for (unsigned i = 0; i < 20; i++)
    prune (90 * DAY, 0, false);
  assert_int_equal (kept (JOURNAL_COLLECTION), 3);
  shared.wall_ms -= 365 * DAY;
  prune (90 * DAY, 0, true);
  shared.wall_ms -= 365 * DAY;
  prune (90 * DAY, 0, false);
  lose (2, false);
  prune (90 * DAY, 0, false);
  shared.wall_ms += 365 * DAY;
  prune (90 * DAY, 0, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 5);
  /* From here on all is well. */
  shared.wall_ms += 91 * DAY;
  prune (90 * DAY, 0, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 0);
}

/* Where nobody ever confirms the clock, days count as they come. */
static void
test_age_without_another_clock (void **state)
{
  (void) state;
  lose (3, false);
  for (unsigned day = 0; day < 89; day++) {
    prune (90 * DAY, 0, false);
    assert_int_equal (kept (JOURNAL_COLLECTION), 3);
    shared.wall_ms += DAY;
  }
  shared.wall_ms += 4 * DAY;
  prune (90 * DAY, 0, false);
  assert_int_equal (kept (JOURNAL_COLLECTION), 0);
}

static void
test_room (void **state)
{
  (void) state;
  lose (10, false);
  prune (0, 10, true);
  assert_int_equal (lines, 0);
  shared.wall_ms += 8 * DAY;
  prune (0, 10, true);
  lose (4, false);
  prune (0, 10, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 10);
  assert_non_null (strstr (logged, ": 4 conflicts were dropped"));
  assert_null (strstr (logged, "less than a week"));
  expect_dropped (4, 0);
  /* Six old ones make room, and then young ones. */
  lose (8, false);
  prune (0, 10, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 10);
  assert_non_null (strstr (logged, ": 8 conflicts were dropped, 2 of them"));
  assert_non_null (strstr (logged, "less than a week"));
  expect_dropped (12, 2);
}

/* What was restored or dropped by hand makes room, too. */
static void
test_room_is_counted (void **state)
{
  struct tally_error err = { 0 };
  struct tally_slice id;
  char text[JOURNAL_ID_TEXT];

  (void) state;
  for (unsigned i = 0; i < 40; i++) {
    struct loser loser = { .field = slice_text ("v") };
    struct tally_entry forget = { .collection = JOURNAL_COLLECTION };
    struct tally_outcome outcome;
    unsigned char rev[TALLY_REV_SIZE];
    char document[32];

    lose (1, false);
    prune (0, 10, true);
    snprintf (document, sizeof document, "d%u", made - 1);
    stamp_make (&loser.lost_stamp, 1, 0, 1);
    journal_id (text, "notes", slice_text (document), &loser);
    id = slice_text (text);
    memset (rev, 1, sizeof rev);
    forget.flags = TALLY_ENTRY_FORGET;
    forget.expected = rev;
    forget.doc.id = id;
    assert_int_equal (replica_put (replica, &forget, 1, 0, &outcome, &err),
                      TALLY_OK);
    memcpy (rev, outcome.rev, sizeof rev);
    assert_int_equal (replica_put (replica, &forget, 1, 0, &outcome, &err),
                      TALLY_OK);
  }
  assert_int_equal (kept (JOURNAL_COLLECTION), 0);
  expect_dropped (0, 0);
}

/* Blind ones go after a week, and push no others out. */
static void
test_blind (void **state)
{
  (void) state;
  lose (3, false);
  lose (50, true);
  prune (90 * DAY, 20, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 3);
  assert_int_equal (kept (JOURNAL_BLIND_COLLECTION), 20);
  expect_dropped (0, 0);
  shared.wall_ms += 7 * DAY + HOUR;
  prune (90 * DAY, 20, true);
  assert_int_equal (kept (JOURNAL_COLLECTION), 3);
  assert_int_equal (kept (JOURNAL_BLIND_COLLECTION), 0);
}

/* Below its limit the journal is not read again, and a run that adds nothing
 * writes nothing. */
static void
test_cost (void **state)
{
  unsigned note_puts;

  (void) state;
  replica_close (replica);
  shared.ops.changes = counted_changes;
  memory = tally_driver_1 ()->store;
  replica = shared_replica (&shared);
  lose (2000, false);
  prune (90 * DAY, 10000, true);
  headers = 0;
  note_puts = shared.note_puts;
  for (unsigned i = 0; i < 100; i++)
    prune (90 * DAY, 10000, true);
  assert_int_equal (headers, 0);
  assert_int_equal (shared.note_puts, note_puts);
  lose (7, false);
  prune (90 * DAY, 10000, true);
  assert_int_equal (headers, 7);
}

/* ---- names -------------------------------------------------------------- */

static void
learn (const char *account, uint32_t client, const char *name)
{
  struct tally_error err = { 0 };

  assert_int_equal (
      device_learn (replica, account, client, slice_text (name), &err),
      TALLY_OK);
}

static void
expect_name (const char *account, uint32_t client, const char *name)
{
  struct tally_error err = { 0 };
  struct buf got = BUF_INIT;

  assert_int_equal (device_name (replica, account, client, &got, NULL, &err),
                    TALLY_OK);
  assert_true (slice_equal (buf_slice (&got), slice_text (name)));
  buf_free (&got);
}

static void
test_names_are_written_once (void **state)
{
  unsigned before;

  (void) state;
  learn ("", 7, "laptop");
  expect_name ("", 7, "laptop");
  before = shared.note_puts;
  learn ("", 7, "laptop");
  assert_int_equal (shared.note_puts, before);
  learn ("", 7, "old laptop");
  expect_name ("", 7, "old laptop");
  /* To hear of nothing takes nothing away, nor does what is no name. */
  learn ("", 7, "");
  learn ("", 7, "esc\033[2J");
  expect_name ("", 7, "old laptop");
  expect_name ("", HLC_CLIENT_MAX, "");
  learn ("", HLC_CLIENT_MAX, "last");
  expect_name ("", HLC_CLIENT_MAX, "last");
  expect_name ("", 0, "");
}

static void
test_names_of_accounts (void **state)
{
  (void) state;
  learn ("ann", 7, "of ann");
  learn ("bob", 7, "of bob");
  expect_name ("", 7, "");
  expect_name ("ann", 7, "of ann");
  expect_name ("bob", 7, "of bob");
  expect_name ("an", 7, "");
}

static int
count_key (void *ctx, const char *key)
{
  (void) key;
  ++*(unsigned *) ctx;
  return 0;
}

static void
test_names_are_bounded (void **state)
{
  struct tally_error err = { 0 };
  unsigned n = 0;

  (void) state;
  learn ("other", 1, "kept");
  for (uint32_t client = 0; client < 3 * DEVICES_MAX; client++) {
    shared.wall_ms++;
    learn ("", client, "some");
  }
  assert_int_equal (
      replica_note_list (replica, "device/:", count_key, &n, &err), TALLY_OK);
  assert_true (n <= DEVICES_MAX && n > DEVICES_MAX / 2);
  expect_name ("", 0, "");
  expect_name ("", 3 * DEVICES_MAX - 1, "some");
  expect_name ("other", 1, "kept");
}

/* A day after it was asked for in vain, a name is asked for again. */
static void
test_asked_in_vain (void **state)
{
  struct tally_error err = { 0 };
  struct buf name = BUF_INIT;
  uint64_t asked;

  (void) state;
  learn ("", 9, "");
  assert_int_equal (device_name (replica, "", 9, &name, &asked, &err),
                    TALLY_OK);
  assert_true (asked == shared.wall_ms && name.size == 0);
  shared.wall_ms += DAY;
  learn ("", 9, "");
  assert_int_equal (device_name (replica, "", 9, &name, &asked, &err),
                    TALLY_OK);
  assert_true (asked == shared.wall_ms);
  learn ("", 9, "phone");
  assert_int_equal (device_name (replica, "", 9, &name, &asked, &err),
                    TALLY_OK);
  assert_true (asked == 0 && name.size == 5);
  buf_free (&name);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, end)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_age),
    TEST (test_age_with_many_runs),
    TEST (test_jumps_of_the_clock),
    TEST (test_age_without_another_clock),
    TEST (test_room),
    TEST (test_room_is_counted),
    TEST (test_blind),
    TEST (test_cost),
    TEST (test_names_are_written_once),
    TEST (test_names_of_accounts),
    TEST (test_names_are_bounded),
    TEST (test_asked_in_vain),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
