/* SPDX-License-Identifier: MIT */
/* What a run does when all goes well: three replicas come to the same, in
 * every direction, whatever is written while it goes on, from several
 * threads, over a store that can do little; and what it tells meanwhile. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync-shim.h"

#define FIGURES(...) (struct kit_figures) { __VA_ARGS__ }

static int
set_up (void **state)
{
  struct world *world = calloc (1, sizeof *world);

  assert_non_null (world);
  world_make (world, NULL);
  world_open (world);
  *state = world;
  return 0;
}

static int
tear_down (void **state)
{
  world_remove (*state);
  free (*state);
  return 0;
}

static void
put_many (struct tally_replica *replica, char side, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    kit_put (replica, "notes", "{\"_id\":\"%c%03u\",\"v\":0}", side, i);
}

static void
expect_everywhere (struct world *w, const char *id, const char *part)
{
  kit_expect (w->d1, "notes", id, part);
  kit_expect (w->d2, "notes", id, part);
  kit_expect (w->hub, "notes", id, part);
}

/* Another round moves nothing, and all three are equal. */
static void
expect_settled (struct world *w, uint64_t documents)
{
  struct kit_run run;

  kit_sync (&run, w->tally, "l1");
  kit_expect_nothing (&run, 2);
  kit_sync (&run, w->tally, "l2");
  kit_expect_nothing (&run, 2);
  world_same (w);
  kit_verify (w->tally, "d1", "wire", documents);
  kit_verify (w->tally, "d2", "wire", documents);
  kit_verify (w->tally, "d1", "d2", documents);
}

/* ---- three replicas ----------------------------------------------------- */

static void
test_each_document_moves_once (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 100);
  put_many (w->hub, 'h', 50);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (50, 100, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", FIGURES (150, 0, 0, 0, 0));
  expect_settled (w, 150);
}

static void
test_different_fields_are_both_kept (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":0,\"c\":0}");
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":1,\"b\":0,\"c\":0}");
  kit_put (w->d2, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":1,\"c\":0}");
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 0, 0));
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (1, 0, 0, 0, 0));
  expect_everywhere (w, "x", "{\"_id\":\"x\",\"a\":1,\"b\":1,\"c\":0}");
  expect_settled (w, 1);
}

static void
test_greater_stamp_wins (void **state)
{
  struct world *w = *state;
  char one[TALLY_REV_TEXT], other[TALLY_REV_TEXT];
  struct kit_run run;

  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"v\":0}");
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"v\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"x\",\"v\":2}");
  free (kit_get (w->d1, "notes", "x", one));
  free (kit_get (w->d2, "notes", "x", other));
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 1, 0));
  kit_sync (&run, w->tally, "l1");
  expect_everywhere (w, "x",
                     strcmp (one, other) > 0 ? "\"v\":1" : "\"v\":2");
  expect_settled (w, 1);
}

static void
test_delete_of_untouched (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 10);
  world_sync (w);
  kit_remove (w->d2, "notes", "a003");
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", FIGURES (0, 1, 0, 0, 1));
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (1, 0, 0, 0, 1));
  expect_everywhere (w, "a003", NULL);
  expect_settled (w, 9);
}

/* An edit is of fields only: it does not bring back what was deleted, and
 * putting it again does. */
static void
test_delete_against_edit (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 2);
  world_sync (w);
  kit_remove (w->d1, "notes", "a000");
  kit_put (w->d2, "notes", "{\"_id\":\"a000\",\"v\":1}");
  kit_sync (&run, w->tally, "l1");
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 1, 0));
  kit_sync (&run, w->tally, "l1");
  expect_everywhere (w, "a000", NULL);
  expect_settled (w, 1);
  kit_put (w->d1, "notes", "{\"_id\":\"a000\",\"v\":2}");
  world_sync (w);
  expect_everywhere (w, "a000", "{\"_id\":\"a000\",\"v\":2}");
  expect_settled (w, 2);
}

/* ---- writes while a run goes on ----------------------------------------- */

struct edit
{
  struct tally_replica *replica;
  const char *json;
};

static void
make_edit (void *ctx)
{
  const struct edit *edit = ctx;

  kit_put (edit->replica, "notes", "%s", edit->json);
}

/* The hub's document changes when its headers were read already: the push is
 * refused, the document fetched by id, merged and pushed again. */
static void
test_refused_push (void **state)
{
  struct world *w = *state;
  struct edit edit = { w->hub, "{\"_id\":\"x\",\"a\":0,\"b\":2}" };
  struct kit_run run;

  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":0}");
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":1,\"b\":0}");
  shim_fault_at (SHIM_NONE, 0, 0);
  /* Hello, meta, put. */
  shim_before_exchange (3, make_edit, &edit);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 0, 0));
  kit_expect (w->d1, "notes", "x", "\"a\":1,\"b\":2");
  kit_same (w->d1, w->hub);
  kit_sync (&run, w->tally, "l2");
  expect_settled (w, 1);
}

/* Documents that both have, that one has and that both changed; x is then
 * edited once more in another field. */
static void
prepare_meeting (struct world *w)
{
  put_many (w->d1, 'a', 5);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":0}");
  kit_put (w->d1, "tasks", "{\"_id\":\"t\"}");
  world_sync (w);
  put_many (w->d1, 'b', 5);
  put_many (w->hub, 'h', 5);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":1,\"b\":0}");
  kit_put (w->hub, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":1}");
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":1}");
  kit_put (w->hub, "notes", "{\"_id\":\"a002\",\"v\":1}");
}

static void
expect_meeting (struct world *w)
{
  /* The first run did all but what was written meanwhile. */
  kit_expect (w->d1, "notes", "x", "\"a\":1,\"b\":1");
  kit_expect (w->hub, "notes", "x", "\"a\":1,\"b\":1");
  world_sync (w);
  expect_everywhere (w, "x", "\"a\":1,\"b\":1,\"c\":9");
  expect_everywhere (w, "new", "\"v\":9");
  expect_everywhere (w, "a001", "{\"_id\":\"a001\",\"c\":9,\"v\":1}");
  expect_everywhere (w, "a002", "{\"_id\":\"a002\",\"c\":9,\"v\":1}");
  expect_everywhere (w, "a003", "{\"_id\":\"a003\",\"c\":9,\"v\":0}");
  expect_settled (w, 5 + 5 + 5 + 2 + 1);
}

/* Another field of what both changed, one of us, the other and nobody. */
static void
edit_all (void *ctx)
{
  static const char *const ids[] = { "x", "a001", "a002", "a003" };
  struct tally_replica *replica = ctx;

  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
    {
      char *json = kit_get (replica, "notes", ids[i], NULL);

      json[strlen (json) - 1] = '\0';
      kit_put (replica, "notes", "%s,\"c\":9}", json);
      free (json);
    }
  kit_put (replica, "notes", "{\"_id\":\"new\",\"v\":9}");
}

static void
test_hub_changes_at_every_exchange (void **state)
{
  struct world *w = *state;
  unsigned at, exchanges = 0;

  for (at = 1; at == 1 || at <= exchanges; at++)
    {
      struct kit_run run;

      prepare_meeting (w);
      shim_fault_at (SHIM_NONE, 0, 0);
      shim_before_exchange (at, edit_all, w->hub);
      kit_sync (&run, w->tally, "l1");
      exchanges = shim_exchanges ();
      expect_meeting (w);
      world_close (w);
      shim_reset ();
      world_open (w);
    }
  assert_true (at > 5);
}

/* Between the plan and its end, before every single call of the store. */
static void
test_device_changes_at_every_call (void **state)
{
  struct world *w = *state;
  unsigned at, calls = 0;

  for (at = 1; at == 1 || at <= calls; at++)
    {
      struct kit_run run;

      prepare_meeting (w);
      shim_before_call ("held/d1", at, edit_all, w->d1);
      kit_sync (&run, w->tally, "l1");
      calls = shim_calls ();
      expect_meeting (w);
      world_close (w);
      shim_reset ();
      world_open (w);
    }
  assert_true (at > 10);
}

/* The same on the side that answers. */
static void
test_hub_changes_at_every_call (void **state)
{
  struct world *w = *state;
  unsigned at, calls = 0;

  for (at = 1; at == 1 || at <= calls; at++)
    {
      struct kit_run run;

      prepare_meeting (w);
      shim_before_call ("held/hub", at, edit_all, w->hub);
      kit_sync (&run, w->tally, "l1");
      calls = shim_calls ();
      expect_meeting (w);
      world_close (w);
      shim_reset ();
      world_open (w);
    }
  assert_true (at > 8);
}

/* ---- a document that breaks a rule -------------------------------------- */

/* It holds nothing else back, and comes once it is well. */
static void
test_bad_document (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->hub, 'h', 5);
  put_many (w->d1, 'a', 5);
  shim_spoil ("held/hub", "h002");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_INVALID);
  assert_non_null (strstr (run.err.text, "h002"));
  kit_expect_figures (&run, "notes", FIGURES (4, 5, 0, 0, 0));
  kit_expect (w->d1, "notes", "h002", NULL);
  kit_expect (w->d1, "notes", "h004", "\"v\":0");
  shim_spoil ("held/hub", NULL);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (1, 0, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  expect_settled (w, 10);
}

/* Ours is refused, and offered again. */
static void
test_bad_document_of_ours (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 5);
  shim_spoil ("held/d1", "a002");
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_INVALID);
  assert_non_null (strstr (run.err.text, "a002"));
  kit_expect_figures (&run, "notes", FIGURES (0, 4, 0, 0, 0));
  shim_spoil ("held/d1", NULL);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  expect_settled (w, 5);
}

/* ---- directions --------------------------------------------------------- */

static void
sync_as (struct world *w, struct kit_run *run, int direction)
{
  kit_try_sync (run, w->tally, "l1", direction);
  assert_int_equal (run->status, TALLY_OK);
}

static void
test_push_only (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 10);
  put_many (w->hub, 'h', 5);
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", FIGURES (0, 10, 0, 0, 0));
  assert_int_equal (kit_count (w->d1, "notes"), 10);
  assert_int_equal (kit_count (w->hub, "notes"), 15);
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_nothing (&run, 2);
  /* What it meets is merged there, and nothing comes here. */
  kit_put (w->hub, "notes", "{\"_id\":\"a001\",\"v\":0,\"hub\":1}");
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":0,\"d1\":1}");
  kit_put (w->hub, "notes", "{\"_id\":\"a002\",\"v\":7}");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 0, 0));
  kit_expect (w->hub, "notes", "a001", "\"d1\":1,\"hub\":1,\"v\":0");
  kit_expect (w->d1, "notes", "a001", "{\"_id\":\"a001\",\"d1\":1,\"v\":0}");
  kit_expect (w->d1, "notes", "a002", "\"v\":0");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_nothing (&run, 2);
}

/* What is older here than there is offered, and nothing comes of it. */
static void
test_push_only_offers_older (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->hub, 'h', 3);
  sync_as (w, &run, TALLY_PULL);
  kit_put (w->hub, "notes", "{\"_id\":\"h001\",\"v\":2}");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 0, 0, 0));
  kit_expect (w->d1, "notes", "h001", "\"v\":0");
  kit_expect (w->hub, "notes", "h001", "\"v\":2");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_nothing (&run, 2);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (1, 0, 0, 0, 0));
  kit_same (w->d1, w->hub);
}

/* What loses there stays as it is here, until it is pulled. */
static void
test_push_only_loses (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 3);
  world_sync (w);
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":1}");
  kit_remove (w->hub, "notes", "a001");
  sync_as (w, &run, TALLY_PUSH);
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 1, 0));
  kit_expect (w->d1, "notes", "a001", "\"v\":1");
  kit_expect (w->hub, "notes", "a001", NULL);
  world_sync (w);
  expect_everywhere (w, "a001", NULL);
  expect_settled (w, 2);
}

static void
test_pull_only (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  put_many (w->d1, 'a', 10);
  put_many (w->hub, 'h', 5);
  sync_as (w, &run, TALLY_PULL);
  kit_expect_figures (&run, "notes", FIGURES (5, 0, 0, 0, 0));
  assert_int_equal (kit_count (w->hub, "notes"), 5);
  sync_as (w, &run, TALLY_PULL);
  kit_expect_nothing (&run, 2);
  kit_put (w->hub, "notes", "{\"_id\":\"h001\",\"v\":0,\"hub\":1}");
  kit_put (w->d1, "notes", "{\"_id\":\"h001\",\"v\":0,\"d1\":1}");
  sync_as (w, &run, TALLY_PULL);
  kit_expect_figures (&run, "notes", FIGURES (0, 0, 1, 0, 0));
  kit_expect (w->d1, "notes", "h001", "\"d1\":1,\"hub\":1,\"v\":0");
  kit_expect (w->hub, "notes", "h001", "{\"_id\":\"h001\",\"hub\":1,\"v\":0}");
  sync_as (w, &run, TALLY_PULL);
  kit_expect_nothing (&run, 2);
}

/* Any order of directions, with edits between, and then both. */
static void
test_direction_flips (void **state)
{
  struct world *w = *state;

  for (unsigned order = 0; order < 27; order++)
    {
      unsigned rest = order;
      struct kit_run run;

      kit_put (w->d1, "notes", "{\"_id\":\"x\"}");
      for (unsigned step = 0; step < 3; step++, rest /= 3)
        {
          char *mine = kit_get (w->d1, "notes", "x", NULL);
          char *theirs = kit_get (w->hub, "notes", "x", NULL);

          mine[strlen (mine) - 1] = '\0';
          kit_put (w->d1, "notes", "%s,\"d%u\":1}", mine, step);
          if (theirs)
            {
              theirs[strlen (theirs) - 1] = '\0';
              kit_put (w->hub, "notes", "%s,\"h%u\":1}", theirs, step);
            }
          kit_put (w->d1, "notes", "{\"_id\":\"d%u\",\"v\":1}", step);
          kit_put (w->hub, "notes", "{\"_id\":\"h%u\",\"v\":1}", step);
          sync_as (w, &run, (int) (rest % 3));
          free (theirs);
          free (mine);
        }
      world_sync (w);
      expect_everywhere (w, "x", "\"d0\":1,\"d1\":1,\"d2\":1");
      expect_settled (w, 7);
      world_close (w);
      shim_reset ();
      world_open (w);
    }
}

/* ---- a store that can do little ----------------------------------------- */

static void
test_bare_store (void **state)
{
  struct world *w = *state;
  struct kit_run run;

  world_close (w);
  w->driver = "bare";
  world_open (w);
  put_many (w->d1, 'a', 60);
  put_many (w->hub, 'h', 40);
  kit_put (w->d2, "tasks", "{\"_id\":\"t\"}");
  kit_put (w->d1, "_x", "{\"_id\":\"t\"}");
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", FIGURES (40, 60, 0, 0, 0));
  kit_sync (&run, w->tally, "l2");
  kit_expect_figures (&run, "notes", FIGURES (100, 0, 0, 0, 0));
  kit_expect_figures (&run, "tasks", FIGURES (0, 1, 0, 0, 0));
  kit_sync (&run, w->tally, "l1");
  expect_settled (w, 101);
  kit_put (w->d1, "notes", "{\"_id\":\"a001\",\"v\":0,\"d1\":1}");
  kit_put (w->d2, "notes", "{\"_id\":\"a001\",\"v\":0,\"d2\":1}");
  kit_remove (w->d2, "notes", "a002");
  world_sync (w);
  expect_everywhere (w, "a001", "\"d1\":1,\"d2\":1");
  expect_everywhere (w, "a002", NULL);
  kit_expect (w->hub, "_x", "t", NULL);
  expect_settled (w, 100);
}

/* ---- threads ------------------------------------------------------------ */

struct runner
{
  pthread_t thread;
  struct tally *tally;
  unsigned worked, again, failed;
  struct tally_error err;
};

/* Two runs of one pair: whoever is late is told to come again. */
static void *
run_often (void *ctx)
{
  struct runner *runner = ctx;

  for (unsigned i = 0; i < 40; i++)
    {
      struct tally_error err = { 0 };
      int status = tally_sync (runner->tally, "l1", NULL, NULL, NULL, &err);

      runner->worked += status == TALLY_OK;
      runner->again += status == TALLY_AGAIN;
      if (status != TALLY_OK && status != TALLY_AGAIN
          && runner->failed++ == 0)
        runner->err = err;
    }
  return NULL;
}

static void
test_two_runs_at_once (void **state)
{
  struct world *w = *state;
  struct runner runners[2] = { { .tally = w->tally }, { .tally = w->tally } };
  unsigned worked = 0;

  put_many (w->d1, 'a', 20);
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal (pthread_create (&runners[i].thread, NULL, run_often,
                                      &runners[i]),
                      0);
  for (unsigned i = 0; i < 100; i++)
    {
      kit_put (w->d1, "notes", "{\"_id\":\"b%u\",\"v\":1}", i);
      kit_put (w->hub, "notes", "{\"_id\":\"h%u\",\"v\":1}", i);
    }
  for (unsigned i = 0; i < 2; i++)
    {
      pthread_join (runners[i].thread, NULL);
      worked += runners[i].worked;
      if (runners[i].failed)
        fail_msg ("status %d: %s", runners[i].err.status,
                  runners[i].err.text);
    }
  assert_true (worked > 0);
  world_sync (w);
  expect_settled (w, 220);
}

struct writer
{
  pthread_t thread;
  const char *path;
  char name;
  int status;
  struct tally_error err;
};

#define WRITES 150

/* A program of its own, as it were. */
static void *
write_often (void *ctx)
{
  struct writer *writer = ctx;
  struct tally_setup setup = { .size = sizeof setup };
  struct tally_replica *replica = NULL;
  struct tally *tally = NULL;
  char endpoint[3 * KIT_PATH], json[64];

  snprintf (endpoint, sizeof endpoint, "sqlite:%s", writer->path);
  writer->status = tally_new (&tally, &setup, &writer->err);
  if (writer->status == TALLY_OK)
    writer->status
      = tally_replica_open (&replica, tally, endpoint, 0, &writer->err);
  for (unsigned i = 0; i < WRITES && writer->status == TALLY_OK; i++)
    {
      snprintf (json, sizeof json, "{\"_id\":\"%c%u\",\"v\":%u}",
                writer->name, i, i);
      writer->status = tally_put (replica, "notes", json, strlen (json), NULL,
                                  NULL, NULL, &writer->err);
    }
  tally_replica_close (replica);
  tally_free (tally);
  return NULL;
}

static void
test_two_contexts_write_one_file (void **state)
{
  struct world *w = *state;
  struct writer writers[2] = { { .name = 'x' }, { .name = 'y' } };
  char path[2 * KIT_PATH];
  struct kit_run run;

  if (!kit_has_driver (w->tally, "sqlite", "store"))
    {
      print_message ("there is no driver sqlite\n");
      skip ();
    }
  world_close (w);
  w->driver = "sqlite";
  world_open (w);
  put_many (w->d1, 'a', 1);
  world_path (w, "d1", path);
  for (unsigned i = 0; i < 2; i++)
    {
      writers[i].path = path;
      assert_int_equal (pthread_create (&writers[i].thread, NULL, write_often,
                                        &writers[i]),
                        0);
    }
  for (unsigned i = 0; i < 30; i++)
    {
      kit_put (w->hub, "notes", "{\"_id\":\"h%u\"}", i);
      kit_sync (&run, w->tally, "l1");
    }
  for (unsigned i = 0; i < 2; i++)
    {
      pthread_join (writers[i].thread, NULL);
      if (writers[i].status != TALLY_OK)
        fail_msg ("%s", writers[i].err.text);
    }
  world_sync (w);
  expect_settled (w, 1 + 30 + 2 * WRITES);
}

/* ---- what is told ------------------------------------------------------- */

struct told
{
  struct tally *cancel; /* at the first progress */
  unsigned starts, ends, progress, conflicts;
  bool open;
  char collection[64], last[64];
  uint64_t done, total;
  char id[64], field[64];
  unsigned wrong;
};

static void
check_progress (struct told *told, const struct tally_event *event)
{
  told->progress++;
  told->wrong += !told->open || event->done < told->done
                 || event->done > event->total;
  told->done = event->done;
  told->total = event->total;
  if (told->cancel)
    tally_cancel (told->cancel);
}

static void
on_event (void *ctx, const struct tally_event *event)
{
  struct told *told = ctx;

  told->wrong += event->size != sizeof *event || strcmp (event->link, "l1");
  if (event->type == TALLY_EVENT_SYNC_START)
    {
      told->wrong += told->open
                     || strcmp (told->collection, event->collection) >= 0;
      snprintf (told->collection, sizeof told->collection, "%s",
                event->collection);
      told->open = true;
      told->starts++;
      told->done = told->total = 0;
    }
  told->wrong += strcmp (told->collection, event->collection) != 0;
  if (event->type == TALLY_EVENT_PROGRESS)
    check_progress (told, event);
  if (event->type == TALLY_EVENT_CONFLICT)
    {
      told->conflicts++;
      snprintf (told->id, sizeof told->id, "%s", event->id);
      snprintf (told->field, sizeof told->field, "%s", event->field);
    }
  if (event->type == TALLY_EVENT_SYNC_END)
    {
      told->wrong += !told->open || !event->report
                     || told->done != told->total;
      told->open = false;
      told->ends++;
    }
}

static void
listen (struct world *w, struct tally_setup *setup, struct told *told)
{
  world_close (w);
  setup->size = sizeof *setup;
  setup->event = on_event;
  setup->ctx = told;
  w->setup = setup;
  world_open (w);
}

static void
test_events (void **state)
{
  struct world *w = *state;
  struct told told = { .starts = 0 };
  struct tally_setup setup = { 0 };
  struct kit_run run;

  put_many (w->d1, 'a', 30);
  put_many (w->hub, 'h', 20);
  put_many (w->hub, 'a', 3);
  kit_put (w->d1, "b", "{\"_id\":\"x\",\"the \\\"field\\\"\":1}");
  kit_put (w->hub, "b", "{\"_id\":\"x\",\"the \\\"field\\\"\":2}");
  kit_put (w->d1, "tasks", "{\"_id\":\"x\"}");
  listen (w, &setup, &told);
  kit_sync (&run, w->tally, "l1");
  assert_int_equal (told.wrong, 0);
  assert_int_equal (told.starts, 3);
  assert_int_equal (told.ends, 3);
  assert_true (told.progress >= 3);
  assert_int_equal (told.conflicts, kit_report (&run, "b")->conflicts);
  assert_int_equal (told.conflicts, 1);
  assert_string_equal (told.id, "x");
  assert_string_equal (told.field, "the \"field\"");
  memset (&told, 0, sizeof told);
  kit_sync (&run, w->tally, "l1");
  assert_int_equal (told.wrong, 0);
  assert_int_equal (told.starts, 3);
  assert_int_equal (told.progress + told.conflicts, 0);
}

static void
test_cancel (void **state)
{
  struct world *w = *state;
  struct told told = { .starts = 0 };
  struct tally_setup setup = { 0 };
  struct kit_run run;

  put_many (w->d1, 'a', 30);
  put_many (w->hub, 'h', 20);
  kit_put (w->d1, "tasks", "{\"_id\":\"x\"}");
  listen (w, &setup, &told);
  told.cancel = w->tally;
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_CANCELLED);
  assert_int_equal (run.err.status, TALLY_CANCELLED);
  assert_true (run.err.text[0]);
  assert_int_equal (told.starts, told.ends);
  /* And every later call. */
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_CANCELLED);
  memset (&told, 0, sizeof told);
  w->setup = NULL;
  world_close (w);
  world_open (w);
  world_sync (w);
  expect_settled (w, 51);
}

/* ------------------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_each_document_moves_once),
    TEST (test_different_fields_are_both_kept),
    TEST (test_greater_stamp_wins),
    TEST (test_delete_of_untouched),
    TEST (test_delete_against_edit),
    TEST (test_refused_push),
    TEST (test_hub_changes_at_every_exchange),
    TEST (test_device_changes_at_every_call),
    TEST (test_hub_changes_at_every_call),
    TEST (test_bad_document),
    TEST (test_bad_document_of_ours),
    TEST (test_push_only),
    TEST (test_push_only_offers_older),
    TEST (test_push_only_loses),
    TEST (test_pull_only),
    TEST (test_direction_flips),
    TEST (test_bare_store),
    TEST (test_two_runs_at_once),
    TEST (test_two_contexts_write_one_file),
    TEST (test_events),
    TEST (test_cancel),
  };

  return cmocka_run_group_tests_name ("engine", tests, NULL, NULL);
}
