/* SPDX-License-Identifier: MIT */
/* Documents that a damaged file hides are missed, and those that somebody
 * else writes meanwhile are not; and what a handle wrote itself is known. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "../core/replica.h"
#include "../core/walk.h"
#include "../core/write.h"
#include "sqlite-folder.h"
#include "sqlite-replica.h"

#define DOCUMENTS 40

static int
make (void **state)
{
  (void) state;
  return folder_make ();
}

static int
remove_all (void **state)
{
  (void) state;
  folder_remove ();
  return 0;
}

static void
put (struct replica *replica, const char *id)
{
  char body[64];
  struct write_item item = { .id = slice_text (id) };
  struct write_result result;
  struct tally_error err;

  snprintf (body, sizeof body, "{\"_id\":\"%s\"}", id);
  item.body = slice_text (body);
  assert_int_equal (write_batch (replica, "c", &item, 1, &result, &err),
                    TALLY_OK);
}

static void
fill (struct replica *replica)
{
  char id[16];

  for (int i = 0; i < DOCUMENTS; i++) {
    snprintf (id, sizeof id, "k%02d", i);
    put (replica, id);
  }
}

/* As a spoilt page does: the rows are gone, and nothing else tells. */
static void
hide_some (const char *path)
{
  sqlite3 *db;

  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_exec (db,
                                  "DELETE FROM document"
                                  " WHERE id >= x'6b3130' AND id < x'6b3230'",
                                  NULL, NULL, NULL),
                    SQLITE_OK);
  assert_int_equal (sqlite3_changes (db), 10);
  sqlite3_close (db);
}

/* ---- the three walks ---------------------------------------------------- */

/* What is looked on by, and in the midst of it by whom else. */
struct looking {
  struct replica *other; /* puts a document when the first one is seen */
  unsigned seen;
  unsigned most; /* stops behind so many; 0: never */
};

static int
look (void *ctx, const struct tally_doc *doc)
{
  struct looking *looking = ctx;

  (void) doc;
  if (looking->seen++ == 0 && looking->other)
    put (looking->other, "other");
  return looking->seen == looking->most;
}

static int
by_id (struct replica *replica, struct looking *looking,
       struct tally_error *err)
{
  struct walk walk;
  int status = TALLY_OK;

  walk_start (&walk, replica, "c");
  while (status == TALLY_OK && !walk.done)
    status = walk_on (&walk, look, looking, err);
  walk_end (&walk);
  return status;
}

static int
by_arrival (struct replica *replica, struct looking *looking,
            struct tally_error *err)
{
  uint64_t head;

  return replica_changes (replica, "c", 0, look, looking, &head, err);
}

static int
by_stamp (struct replica *replica, struct looking *looking,
          struct tally_error *err)
{
  uint64_t seq;

  return replica_scan (replica, "c", NULL, NULL, look, looking, &seq, err);
}

typedef int walk_fn (struct replica *, struct looking *, struct tally_error *);
static struct replica *
open_filled (char *path, size_t size)
{
  struct replica *replica;

  assert_int_equal (folder_fresh (path, size), 0);
  replica = open_replica (path);
  fill (replica);
  return replica;
}

static walk_fn *const walks[] = { by_id, by_arrival, by_stamp };

#define WALKS (sizeof walks / sizeof walks[0])

static void
test_what_is_hidden_is_missed (void **state)
{
  char path[4096];
  struct replica *replica;

  (void) state;
  replica = open_filled (path, sizeof path);
  hide_some (path);
  for (size_t i = 0; i < WALKS; i++) {
    struct looking looking = { NULL, 0, 0 };
    struct tally_error err = { 0 };

    assert_int_equal (walks[i](replica, &looking, &err), TALLY_CORRUPT);
    assert_non_null (strstr (err.text,
                             "is damaged: of the 40 documents of \"c\" 30 are "
                             "found"));
    assert_int_equal (looking.seen, DOCUMENTS - 10);
  }
  replica_close (replica);
}

static void
test_also_by_a_walk_with_pauses (void **state)
{
  struct looking looking = { NULL, 0, 7 };
  struct tally_error err;
  struct replica *replica;
  char path[4096];

  (void) state;
  replica = open_filled (path, sizeof path);
  assert_int_equal (by_id (replica, &looking, &err), TALLY_OK);
  assert_int_equal (looking.seen, DOCUMENTS);
  hide_some (path);
  looking.seen = 0;
  assert_int_equal (by_id (replica, &looking, &err), TALLY_CORRUPT);
  replica_close (replica);
}

static void
test_who_stops_early_is_told_nothing (void **state)
{
  struct looking looking = { NULL, 0, 3 };
  struct tally_error err;
  struct replica *replica;
  char path[4096];

  (void) state;
  replica = open_filled (path, sizeof path);
  hide_some (path);
  assert_int_equal (by_arrival (replica, &looking, &err), TALLY_OK);
  assert_int_equal (looking.seen, 3);
  replica_close (replica);
}

static void
test_what_is_written_meanwhile_is_no_damage (void **state)
{
  (void) state;
  for (size_t i = 0; i < WALKS; i++) {
    struct looking looking = { NULL, 0, 0 };
    struct tally_error err;
    struct replica *replica;
    char path[4096];

    assert_int_equal (folder_fresh (path, sizeof path), 0);
    replica = open_replica (path);
    looking.other = open_replica (path);
    fill (replica);
    assert_int_equal (walks[i](replica, &looking, &err), TALLY_OK);
    assert_int_equal (looking.seen, DOCUMENTS);
    replica_close (looking.other);
    replica_close (replica);
  }
}

static uint64_t
head_of (struct replica *replica)
{
  struct looking looking = { NULL, 0, 1 };
  struct tally_error err;
  uint64_t head;

  assert_int_equal (
      replica_changes (replica, "c", 0, look, &looking, &head, &err),
      TALLY_OK);
  return head;
}

static int
note_listed (void *ctx, const struct tally_doc *doc)
{
  replica_note_listed (ctx, doc, 1);
  return 0;
}

/* Up to what another handle wrote, and up to a tombstone; and what the other
 * one wrote, once it was listed. */
static void
test_what_is_alive_for_certain (void **state)
{
  struct write_item item = { .id = slice_text ("k01") };
  struct write_result result;
  struct replica *replica, *other;
  struct tally_error err;
  char path[4096];
  uint64_t head, listed;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  replica = open_replica (path);
  other = open_replica (path);
  assert_int_equal (replica_live_up_to (replica, 0), 0);
  fill (replica);
  head = head_of (replica);
  assert_int_equal (replica_live_up_to (replica, 0), head);
  assert_int_equal (replica_live_up_to (replica, 7), head);
  assert_int_equal (replica_live_up_to (replica, head), head);
  assert_int_equal (replica_live_up_to (other, 0), 0);
  put (other, "another");
  put (replica, "one more");
  assert_int_equal (replica_live_up_to (replica, 0), head);
  assert_int_equal (replica_live_up_to (replica, head + 1), head + 2);
  assert_int_equal (write_batch (replica, "c", &item, 1, &result, &err),
                    TALLY_OK);
  assert_int_equal (head_of (replica), head + 3);
  assert_int_equal (replica_live_up_to (replica, head + 1), head + 2);
  assert_int_equal (replica_live_up_to (replica, head + 2), head + 2);
  assert_int_equal (replica_live_up_to (other, head), head + 1);
  assert_int_equal (
      replica_changes (other, "c", head, note_listed, other, &listed, &err),
      TALLY_OK);
  assert_int_equal (listed, head + 3);
  assert_int_equal (replica_live_up_to (other, head), head + 2);
  assert_int_equal (replica_live_up_to (other, head + 2), head + 2);
  replica_close (other);
  replica_close (replica);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_what_is_hidden_is_missed),
    cmocka_unit_test (test_also_by_a_walk_with_pauses),
    cmocka_unit_test (test_who_stops_early_is_told_nothing),
    cmocka_unit_test (test_what_is_written_meanwhile_is_no_damage),
    cmocka_unit_test (test_what_is_alive_for_certain),
  };

  return cmocka_run_group_tests (tests, make, remove_all);
}
