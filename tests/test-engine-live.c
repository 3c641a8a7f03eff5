/* SPDX-License-Identifier: MIT */
/* Runs that are not alone: documents that are written while it goes on, on
 * either side, other runs of the same pair, other programs with the same
 * file; and what a run tells meanwhile, and that it can be stopped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync-world.h"

/* ---- writes while a run goes on ----------------------------------------- */

struct edit {
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
  /* Hello with meta, put. */
  shim_before_exchange (2, make_edit, &edit);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 0, 1, 0, 0));
  kit_expect (w->d1, "notes", "x", "\"a\":1,\"b\":2");
  kit_same (w->d1, w->hub);
  kit_sync (&run, w->tally, "l2");
  world_settled (w, 1);
}

/* One that is new on both sides, of which the push learns from the store: all
 * others of its batch are taken. */
static void
test_new_on_both_sides (void **state)
{
  struct world *w = *state;
  struct edit edit = { w->hub, "{\"_id\":\"a003\",\"hub\":1}" };
  struct kit_run run;

  world_fill (w->d1, 'h', 1);
  world_sync (w);
  world_fill (w->d1, 'a', 10);
  shim_fault_at (SHIM_NONE, 0, 0);
  shim_before_exchange (2, make_edit, &edit);
  kit_sync (&run, w->tally, "l1");
  kit_expect_figures (&run, "notes", KIT_FIGURES (0, 9, 1, 1, 0));
  kit_same (w->d1, w->hub);
  kit_sync (&run, w->tally, "l2");
  world_settled (w, 11);
}

/* Documents that both have, that one has, that one changed, and x, that both
 * changed. */
static void
prepare_meeting (struct world *w)
{
  world_fill (w->d1, 'a', 5);
  kit_put (w->d1, "notes", "{\"_id\":\"x\",\"a\":0,\"b\":0}");
  kit_put (w->d1, "tasks", "{\"_id\":\"t\"}");
  world_sync (w);
  world_fill (w->d1, 'b', 5);
  world_fill (w->hub, 'h', 5);
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
  world_expect (w, "notes", "x", "\"a\":1,\"b\":1,\"c\":9");
  world_expect (w, "notes", "new", "\"v\":9");
  world_expect (w, "notes", "a001", "{\"_id\":\"a001\",\"c\":9,\"v\":1}");
  world_expect (w, "notes", "a002", "{\"_id\":\"a002\",\"c\":9,\"v\":1}");
  world_expect (w, "notes", "a003", "{\"_id\":\"a003\",\"c\":9,\"v\":0}");
  world_settled (w, 5 + 5 + 5 + 2 + 1);
}

/* Another field of what both changed, one of us, the other and nobody. */
static void
edit_all (void *ctx)
{
  static const char *const ids[] = { "x", "a001", "a002", "a003" };
  struct tally_replica *replica = ctx;

  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
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

  for (at = 1; at == 1 || at <= exchanges; at++) {
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

  for (at = 1; at == 1 || at <= calls; at++) {
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

  for (at = 1; at == 1 || at <= calls; at++) {
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

/* ---- threads ------------------------------------------------------------ */

struct runner {
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

  for (unsigned i = 0; i < 40; i++) {
    struct tally_error err = { 0 };
    int status = tally_sync (runner->tally, "l1", NULL, NULL, NULL, &err);

    runner->worked += status == TALLY_OK;
    runner->again += status == TALLY_AGAIN;
    if (status != TALLY_OK && status != TALLY_AGAIN && runner->failed++ == 0)
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

  world_fill (w->d1, 'a', 20);
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal (
        pthread_create (&runners[i].thread, NULL, run_often, &runners[i]), 0);
  for (unsigned i = 0; i < 100; i++) {
    kit_put (w->d1, "notes", "{\"_id\":\"b%u\",\"v\":1}", i);
    kit_put (w->hub, "notes", "{\"_id\":\"h%u\",\"v\":1}", i);
  }
  for (unsigned i = 0; i < 2; i++) {
    pthread_join (runners[i].thread, NULL);
    worked += runners[i].worked;
    if (runners[i].failed)
      fail_msg ("status %d: %s", runners[i].err.status, runners[i].err.text);
  }
  assert_true (worked > 0);
  world_sync (w);
  world_settled (w, 220);
}

struct writer {
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
    writer->status =
        tally_replica_open (&replica, tally, endpoint, 0, &writer->err);
  for (unsigned i = 0; i < WRITES && writer->status == TALLY_OK; i++) {
    snprintf (json, sizeof json, "{\"_id\":\"%c%u\",\"v\":%u}", writer->name,
              i, i);
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

  if (!kit_has_driver (w->tally, "sqlite", "store")) {
    print_message ("there is no driver sqlite\n");
    skip ();
  }
  world_close (w);
  w->driver = "sqlite";
  world_open (w);
  world_fill (w->d1, 'a', 1);
  world_path (w, "d1", path);
  for (unsigned i = 0; i < 2; i++) {
    writers[i].path = path;
    assert_int_equal (
        pthread_create (&writers[i].thread, NULL, write_often, &writers[i]),
        0);
  }
  for (unsigned i = 0; i < 30; i++) {
    kit_put (w->hub, "notes", "{\"_id\":\"h%u\"}", i);
    kit_sync (&run, w->tally, "l1");
  }
  for (unsigned i = 0; i < 2; i++) {
    pthread_join (writers[i].thread, NULL);
    if (writers[i].status != TALLY_OK)
      fail_msg ("%s", writers[i].err.text);
  }
  world_sync (w);
  world_settled (w, 1 + 30 + 2 * WRITES);
}

/* ---- what is told ------------------------------------------------------- */

struct told {
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
  told->wrong +=
      !told->open || event->done < told->done || event->done > event->total;
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
  if (event->type == TALLY_EVENT_SYNC_START) {
    told->wrong +=
        told->open || strcmp (told->collection, event->collection) >= 0;
    snprintf (told->collection, sizeof told->collection, "%s",
              event->collection);
    told->open = true;
    told->starts++;
    told->done = told->total = 0;
  }
  told->wrong += strcmp (told->collection, event->collection) != 0;
  if (event->type == TALLY_EVENT_PROGRESS)
    check_progress (told, event);
  if (event->type == TALLY_EVENT_CONFLICT) {
    told->conflicts++;
    snprintf (told->id, sizeof told->id, "%s", event->id);
    snprintf (told->field, sizeof told->field, "%s", event->field);
  }
  if (event->type == TALLY_EVENT_SYNC_END) {
    told->wrong += !told->open || !event->report || told->done != told->total;
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

  world_fill (w->d1, 'a', 30);
  world_fill (w->hub, 'h', 20);
  world_fill (w->hub, 'a', 3);
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

  world_fill (w->d1, 'a', 30);
  world_fill (w->hub, 'h', 20);
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
  world_settled (w, 51);
}

/* ------------------------------------------------------------------------- */

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, world_set_up, world_tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_refused_push),
    TEST (test_new_on_both_sides),
    TEST (test_hub_changes_at_every_exchange),
    TEST (test_device_changes_at_every_call),
    TEST (test_hub_changes_at_every_call),
    TEST (test_two_runs_at_once),
    TEST (test_two_contexts_write_one_file),
    TEST (test_events),
    TEST (test_cancel),
  };

  return cmocka_run_group_tests_name ("engine, live", tests, NULL, NULL);
}
