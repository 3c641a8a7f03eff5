/* SPDX-License-Identifier: MIT */
/* Identity and notes of a replica, with a store that has every slot
 * and with one that has only those it must have. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/doclist.h"
#include "../core/replica.h"
#include "../core/state.h"
#include "one-store.h"

static struct stamp
at (uint64_t ms, uint32_t counter, uint32_t client)
{
  struct stamp stamp;

  assert_true (stamp_make (&stamp, ms, counter, client));
  return stamp;
}

static void
set_note (struct replica *replica, const char *key, const char *text)
{
  struct tally_slice value = slice_text (text);
  struct tally_error err;

  assert_int_equal (replica_note_put (replica, key, NULL, &value, &err),
                    TALLY_OK);
}

/* ---- documents ---------------------------------------------------------- */

/* Puts a state, and expects it back; returns the size of the meta stored. */
static size_t
stored_meta (struct replica *replica, const struct state *made)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  struct tally_entry entry = { .collection = "things", .expected = absent };
  struct doclist stored = DOCLIST_INIT, given = DOCLIST_INIT;
  struct tally_slice id = slice_text ("plain");
  struct tally_outcome outcome;
  struct buf meta = BUF_INIT;
  struct tally_error err;
  size_t size;

  state_encode (made, &meta);
  entry.doc.id = id;
  entry.doc.meta = buf_slice (&meta);
  entry.doc.body = made->body;
  state_rev (made, id, entry.doc.rev);
  assert_int_equal (replica_put (replica, &entry, 1, 0, &outcome, &err),
                    TALLY_OK);
  assert_int_equal (replica_get (replica, "things", &id, 1, TALLY_GET_META,
                                 doclist_emit, &given, &err),
                    TALLY_OK);
  assert_int_equal (given.count, 1);
  assert_true (slice_equal (given.docs[0].meta, buf_slice (&meta)));
  assert_int_equal (shared.ops.get (replica->handle, "things", &id, 1,
                                    TALLY_GET_BODY, doclist_emit, &stored,
                                    &err),
                    TALLY_OK);
  assert_int_equal (stored.count, 1);
  size = stored.docs[0].meta.size;
  entry.flags = TALLY_ENTRY_FORGET;
  entry.expected = entry.doc.rev;
  assert_int_equal (replica_put (replica, &entry, 1, 0, &outcome, &err),
                    TALLY_OK);
  doclist_free (&given);
  doclist_free (&stored);
  buf_free (&meta);
  return size;
}

/* It says nothing that the revision does not; any other meta is stored. */
static void
test_plain_meta_is_not_stored (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct override override = { .field = slice_text ("a") };
  struct stamp seen = at (5, 0, 8);
  struct state made = { .whole = at (5, 1, 7),
                        .body = slice_text ("{\"_id\":\"plain\"}") };

  (void) state;
  assert_int_equal (stored_meta (replica, &made), 0);
  made.seen = &seen;
  made.n_seen = 1;
  assert_true (stored_meta (replica, &made) > STATE_PLAIN_META);
  made.n_seen = 0;
  override.stamp = at (6, 0, 7);
  made.overrides = &override;
  made.n_overrides = 1;
  assert_true (stored_meta (replica, &made) > STATE_PLAIN_META);
  made.n_overrides = 0;
  made.whole_first = made.undone = at (4, 0, 7); /* repaired */
  assert_true (stored_meta (replica, &made) > STATE_PLAIN_META);
  replica_close (replica);
}

/* ---- identity ----------------------------------------------------------- */

static struct replica *
open_at (const char *place, unsigned flags)
{
  struct tally_error err = { 0, "" };
  struct replica *replica;

  if (shared_open (&shared, &replica, flags, place, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return replica;
}

static void
test_a_fresh_client_in_another_place (void **state)
{
  static const char *const places[] = { "a", "a", "b", "b", "a", "a\"\\" };
  static const size_t clients[] = { 1, 1, 2, 2, 3, 4 };
  unsigned char first[REPLICA_ID_SIZE], id[REPLICA_ID_SIZE];
  uint32_t last = 0;

  (void) state;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    struct replica *replica = open_at (places[i], TALLY_OPEN_CREATE);
    struct tally_error err;
    uint32_t *all;
    size_t n;

    replica_id (replica, id);
    if (i == 0)
      memcpy (first, id, sizeof first);
    assert_memory_equal (id, first, sizeof id);
    assert_int_equal (replica_clients (replica, &all, &n, &err), TALLY_OK);
    assert_int_equal (n, clients[i]);
    assert_int_equal (all[n - 1], replica->clock.client);
    if (i > 0)
      assert_int_equal (replica->clock.client == last,
                        clients[i] == clients[i - 1]);
    last = replica->clock.client;
    free (all);
    replica_close (replica);
  }
}

static void
test_looking_writes_nothing (void **state)
{
  static const unsigned char nobody[REPLICA_ID_SIZE];
  struct replica *replica = open_at ("a", TALLY_OPEN_READONLY);
  unsigned char id[REPLICA_ID_SIZE];
  uint32_t client;

  (void) state;
  replica_id (replica, id);
  assert_memory_equal (id, nobody, sizeof id);
  replica_close (replica);
  assert_int_equal (shared.puts + shared.note_puts, 0);

  replica = open_at ("a", TALLY_OPEN_CREATE);
  client = replica->clock.client;
  replica_close (replica);
  shared.puts = shared.note_puts = 0;
  replica = open_at ("b", TALLY_OPEN_READONLY);
  assert_int_equal (replica->clock.client, client);
  replica_close (replica);
  assert_int_equal (shared.puts + shared.note_puts, 0);
}

static void
test_renewing (void **state)
{
  struct replica *replica = shared_replica (&shared);
  unsigned char before[REPLICA_ID_SIZE], id[REPLICA_ID_SIZE];
  uint32_t client = replica->clock.client;
  struct tally_error err;

  (void) state;
  replica_id (replica, before);
  assert_int_equal (identity_renew (replica, &err), TALLY_OK);
  replica_id (replica, id);
  assert_memory_equal (id, before, sizeof id);
  assert_int_not_equal (replica->clock.client, client);
  client = replica->clock.client;
  replica_close (replica);

  replica = shared_replica (&shared);
  replica_id (replica, before);
  assert_memory_equal (id, before, sizeof id);
  assert_int_equal (replica->clock.client, client);
  assert_int_equal (replica->n_clients, 2);
  replica_close (replica);
}

static void
test_damaged_identity (void **state)
{
  static const char *const notes[] = {
    "",
    "{}",
    "[]",
    "x",
    "{\"clients\":[],\"place\":\"here\","
    "\"replica\":\"00112233445566778899aabbccddeeff\"}",
    "{\"clients\":[1],\"place\":\"here\",\"replica\":\"0011\"}",
    "{\"clients\":[1073741824],\"place\":\"here\","
    "\"replica\":\"00112233445566778899aabbccddeeff\"}",
    "{\"clients\":[\"1\"],\"place\":\"here\","
    "\"replica\":\"00112233445566778899aabbccddeeff\"}",
    "{\"clients\":[1],"
    "\"replica\":\"00112233445566778899aabbccddeeff\"}",
    "{\"clients\":[1],\"place\":\"here\","
    "\"replica\":\"0011223344556677 899aabbccddeeff\"}"
  };
  struct replica *replica = shared_replica (&shared), *again;

  (void) state;
  for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
    struct tally_error err = { 0, "" };

    set_note (replica, "identity", notes[i]);
    assert_int_equal (
        shared_open (&shared, &again, TALLY_OPEN_CREATE, "here", &err),
        TALLY_CORRUPT);
    assert_null (again);
    assert_int_equal (err.status, TALLY_CORRUPT);
  }
  /* These values may be read: anything is a place. */
  set_note (replica, "identity",
            "{\"clients\":[7],\"place\":7,"
            "\"replica\":\"00112233445566778899aabbccddeeff\"}");
  again = shared_replica (&shared);
  assert_int_equal (again->n_clients, 2);
  replica_close (again);
  replica_close (replica);
}

static void
test_damaged_clock (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct tally_error err = { 0, "" };
  struct stamp stamp;

  (void) state;
  set_note (replica, "clock", "soon");
  assert_int_equal (replica_stamp (replica, NULL, &stamp, &err),
                    TALLY_CORRUPT);
  assert_int_equal (err.status, TALLY_CORRUPT);
  replica_close (replica);
}

static void
test_id_text (void **state)
{
  static const unsigned char id[REPLICA_ID_SIZE] = "\0\1\xfe\xff";
  unsigned char again[REPLICA_ID_SIZE];
  char text[REPLICA_ID_TEXT];

  (void) state;
  replica_id_text (id, text);
  assert_string_equal (text, "0001feff000000000000000000000000");
  assert_true (replica_id_from_text (again, slice_text (text)));
  assert_memory_equal (id, again, sizeof id);
  assert_false (replica_id_from_text (again, slice_make (text, 31)));
  assert_false (replica_id_from_text (again, slice_make (text, 30)));
  text[31] = 'g';
  assert_false (replica_id_from_text (again, slice_text (text)));
}

/* ---- notes -------------------------------------------------------------- */

static void
assert_note (struct replica *replica, const char *key, const char *expected)
{
  struct buf value = BUF_INIT;
  struct tally_error err;
  bool found;

  buf_add_text (&value, "old");
  assert_int_equal (replica_note_get (replica, key, &value, &found, &err),
                    TALLY_OK);
  assert_int_equal (found, expected != NULL);
  assert_true (slice_equal (buf_slice (&value), slice_text (expected)));
  buf_free (&value);
}

static int
put_note (struct replica *replica, const char *key, const char *expected,
          const char *text)
{
  struct tally_slice before = slice_text (expected);
  struct tally_slice value = slice_text (text);
  struct tally_error err = { 0, "" };
  int status =
      replica_note_put (replica, key, &before, text ? &value : NULL, &err);

  assert_int_equal (err.status, status);
  return status;
}

static void
test_notes (void **state)
{
  struct replica *replica = shared_replica (&shared);

  (void) state;
  assert_note (replica, "k", NULL);
  assert_int_equal (put_note (replica, "k", "x", "one"), TALLY_CONFLICT);
  assert_int_equal (put_note (replica, "k", "", "one"), TALLY_CONFLICT);
  assert_int_equal (put_note (replica, "k", NULL, "one"), TALLY_OK);
  assert_note (replica, "k", "one");
  assert_int_equal (put_note (replica, "k", NULL, "two"), TALLY_CONFLICT);
  assert_int_equal (put_note (replica, "k", "on", "two"), TALLY_CONFLICT);
  assert_int_equal (put_note (replica, "k", "one", "two"), TALLY_OK);
  assert_int_equal (put_note (replica, "k", "two", "two"), TALLY_OK);
  assert_int_equal (put_note (replica, "k", "one", NULL), TALLY_CONFLICT);
  assert_note (replica, "k", "two");
  assert_int_equal (put_note (replica, "k", "two", NULL), TALLY_OK);
  assert_note (replica, "k", NULL);
  assert_int_equal (put_note (replica, "k", NULL, NULL), TALLY_OK);
  set_note (replica, "k", "");
  assert_note (replica, "k", "");
  assert_int_equal (put_note (replica, "k", "", "three"), TALLY_OK);
  assert_note (replica, "k", "three");
  replica_close (replica);
}

static int
add_name (void *ctx, const char *name)
{
  struct buf *names = ctx;

  buf_addf (names, "%s ", name);
  return 0;
}

static int
add_one_name (void *ctx, const char *name)
{
  add_name (ctx, name);
  return 1;
}

static void
assert_names (struct buf *names, const char *expected)
{
  assert_false (names->failed);
  assert_int_equal (names->size, strlen (expected));
  assert_memory_equal (names->data, expected, names->size);
  buf_free (names);
}

static void
test_note_lists (void **state)
{
  struct replica *replica = shared_replica (&shared);
  struct buf names = BUF_INIT;
  struct tally_error err;

  (void) state;
  set_note (replica, "pair/b", "1");
  set_note (replica, "pair/a", "1");
  set_note (replica, "pairs", "1");
  set_note (replica, "pair/", "1");
  set_note (replica, "pair/B", "1");
  set_note (replica, "pair/gone", "1");
  assert_int_equal (put_note (replica, "pair/gone", "1", NULL), TALLY_OK);
  assert_int_equal (
      replica_note_list (replica, "pair/", add_name, &names, &err), TALLY_OK);
  assert_names (&names, "pair/ pair/B pair/a pair/b ");
  assert_int_equal (
      replica_note_list (replica, "pair/a", add_one_name, &names, &err),
      TALLY_OK);
  assert_names (&names, "pair/a ");
  replica_close (replica);
}

static void
test_collections (void **state)
{
  static const char *const put[] = { "b", "a", "_local", "b", "B" };
  struct replica *replica = shared_replica (&shared);
  struct buf names = BUF_INIT;
  struct tally_error err;

  (void) state;
  for (size_t i = 0; i < sizeof put / sizeof *put; i++) {
    struct tally_entry entry = { .collection = put[i] };
    struct tally_outcome outcome;

    entry.doc.id = slice_text ("x");
    entry.doc.rev[0] = 1;
    assert_int_equal (replica_put (replica, &entry, 1, 0, &outcome, &err),
                      TALLY_OK);
  }
  assert_int_equal (replica_collections (replica, add_name, &names, &err),
                    TALLY_OK);
  assert_names (&names, "B _local a b ");
  replica_close (replica);
  replica = shared_replica (&shared);
  assert_int_equal (replica_collections (replica, add_one_name, &names, &err),
                    TALLY_OK);
  assert_names (&names, "B ");
  replica_close (replica);
}

/* ---- all ---------------------------------------------------------------- */

int
main (void)
{
  const struct CMUnitTest tests[] = {
    ON_BOTH (test_plain_meta_is_not_stored),
    ON_BOTH (test_a_fresh_client_in_another_place),
    ON_BOTH (test_looking_writes_nothing),
    ON_BOTH (test_renewing),
    ON_BOTH (test_damaged_identity),
    ON_BOTH (test_damaged_clock),
    ON_BOTH (test_notes),
    ON_BOTH (test_note_lists),
    ON_BOTH (test_collections),
    cmocka_unit_test (test_id_text),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
