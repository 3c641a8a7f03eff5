/* SPDX-License-Identifier: MIT */
/* Hooks, schemas and live queries, through tally.h as an application would. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <tally/tally.h>

#include "place.h"

struct fixture {
  struct tally *tally;
  struct tally_replica *a, *b;
  struct tally_error err;
};

static int
setup (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);

  *state = f;
  return !f || tally_new (&f->tally, NULL, &f->err) != TALLY_OK
         || tally_registry_add (f->tally, tally_driver_1 (), &f->err)
         || tally_replica_open (&f->a, f->tally, "memory:a", TALLY_OPEN_CREATE,
                                &f->err)
         || tally_replica_open (&f->b, f->tally, "memory:b", TALLY_OPEN_CREATE,
                                &f->err);
}

static int
teardown (void **state)
{
  struct fixture *f = *state;

  tally_replica_close (f->b);
  tally_replica_close (f->a);
  tally_free (f->tally);
  free (f);
  return 0;
}

static int
put (struct fixture *f, struct tally_replica *replica, const char *json)
{
  return tally_put (replica, "things", json, strlen (json), NULL, NULL, NULL,
                    &f->err);
}

static void
put_well (struct fixture *f, struct tally_replica *replica, const char *json)
{
  if (put (f, replica, json) != TALLY_OK)
    fail_msg ("%s: %s", json, f->err.text);
}

static void
remove_one (struct fixture *f, struct tally_replica *replica, const char *id)
{
  assert_int_equal (
      tally_remove (replica, "things", &id, 1, NULL, NULL, &f->err), TALLY_OK);
}

static int
keep_json (void *ctx, const struct tally_document *document)
{
  snprintf (ctx, 256, "%.*s", (int) document->json_size, document->json);
  return 0;
}

/* want NULL: it is not there. */
static void
assert_json (struct fixture *f, struct tally_replica *replica, const char *id,
             const char *want)
{
  char json[256] = "";

  assert_int_equal (
      tally_get (replica, "things", &id, 1, keep_json, json, &f->err),
      TALLY_OK);
  assert_string_equal (json, want ? want : "");
}

/* ---- before ------------------------------------------------------------- */

struct guard {
  char calls[1024]; /* "2 a {...} over {...}; " */
  const char *replace;
  int veto;
  const char *reason;
};

static int
on_before (void *ctx, struct tally_write *write, struct tally_error *err)
{
  struct guard *guard = ctx;
  size_t used = strlen (guard->calls);

  snprintf (guard->calls + used, sizeof guard->calls - used,
            "%d %s %.*s over %.*s; ", write->type, write->id,
            (int) write->json_size, write->json ? write->json : "",
            (int) write->stored_size, write->stored ? write->stored : "");
  if (guard->reason) {
    err->status = guard->veto;
    snprintf (err->text, sizeof err->text, "%s", guard->reason);
  }
  if (guard->veto)
    return guard->veto;
  if (guard->replace && write->json)
    return tally_write_replace (write, guard->replace, strlen (guard->replace),
                                err);
  return TALLY_OK;
}

static void
before_sees_writes (void **state)
{
  struct fixture *f = *state;
  struct guard guard = { "", NULL, 0, NULL };
  struct tally_hook *hook;

  assert_int_equal (tally_hook_before (&hook, f->a, "things",
                                       TALLY_BEFORE_INSERT | TALLY_BEFORE_SAVE
                                           | TALLY_BEFORE_REMOVE,
                                       on_before, &guard, &f->err),
                    TALLY_OK);
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":2}");
  remove_one (f, f->a, "x");
  remove_one (f, f->a, "x");
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":3}");
  put_well (f, f->b, "{\"_id\":\"y\"}");
  assert_string_equal (guard.calls, "1 x {\"_id\":\"x\",\"n\":1} over ; "
                                    "2 x {\"_id\":\"x\",\"n\":1} over ; "
                                    "2 x {\"_id\":\"x\",\"n\":2} over "
                                    "{\"_id\":\"x\",\"n\":1}; "
                                    "4 x  over {\"_id\":\"x\",\"n\":2}; "
                                    "1 x {\"_id\":\"x\",\"n\":3} over ; "
                                    "2 x {\"_id\":\"x\",\"n\":3} over ; ");
  tally_hook_remove (hook);
  guard.calls[0] = '\0';
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":4}");
  assert_string_equal (guard.calls, "");
}

static void
before_changes (void **state)
{
  struct fixture *f = *state;
  struct guard guard = { "", "{\"_id\":\"x\",\"by\":\"hook\"}", 0, NULL };
  struct tally_hook *hook;

  assert_int_equal (tally_hook_before (&hook, f->a, NULL, TALLY_BEFORE_SAVE,
                                       on_before, &guard, &f->err),
                    TALLY_OK);
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  assert_json (f, f->a, "x", "{\"_id\":\"x\",\"by\":\"hook\"}");
  guard.replace = "{\"_id\":\"other\"}";
  assert_int_equal (put (f, f->a, "{\"_id\":\"x\",\"n\":2}"), TALLY_INVALID);
  guard.replace = "[";
  assert_int_equal (put (f, f->a, "{\"_id\":\"x\",\"n\":2}"), TALLY_INVALID);
  assert_json (f, f->a, "x", "{\"_id\":\"x\",\"by\":\"hook\"}");
  tally_hook_remove (hook);
}

static void
before_vetoes (void **state)
{
  struct fixture *f = *state;
  struct guard guard = { "", NULL, TALLY_INVALID, "x: not today" };
  struct tally_hook *hook;

  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  assert_int_equal (tally_hook_before (&hook, f->a, "things",
                                       TALLY_BEFORE_SAVE | TALLY_BEFORE_REMOVE,
                                       on_before, &guard, &f->err),
                    TALLY_OK);
  assert_int_equal (put (f, f->a, "{\"_id\":\"x\",\"n\":2}"), TALLY_INVALID);
  assert_string_equal (f->err.text, "x: not today");
  guard.reason = NULL;
  guard.veto = 1;
  assert_int_equal (put (f, f->a, "{\"_id\":\"x\",\"n\":2}"), TALLY_DENIED);
  assert_string_equal (f->err.text, "things/x: refused by the application");
  /* The reason counts, also beside a status that is none. */
  guard.reason = "x: never";
  assert_int_equal (put (f, f->a, "{\"_id\":\"x\",\"n\":2}"), TALLY_DENIED);
  assert_string_equal (f->err.text, "x: never");
  assert_int_equal (f->err.status, TALLY_DENIED);
  {
    const char *id = "x";

    assert_int_equal (
        tally_remove (f->a, "things", &id, 1, NULL, NULL, &f->err),
        TALLY_DENIED);
  }
  assert_json (f, f->a, "x", "{\"_id\":\"x\",\"n\":1}");
  tally_hook_remove (hook);
}

/* ---- after -------------------------------------------------------------- */

static void
on_change (void *ctx, const struct tally_change *change)
{
  char *told = ctx;
  size_t used = strlen (told);

  snprintf (told + used, 1024 - used, "%d %s %.*s from %d %s; ", change->type,
            change->id, (int) change->json_size,
            change->json ? change->json : "", change->origin,
            change->link ? change->link : "-");
}

static void
after_tells (void **state)
{
  struct fixture *f = *state;
  char told[1024] = "";
  struct tally_hook *hook;

  assert_int_equal (
      tally_hook_after (&hook, f->a, "things", on_change, told, &f->err),
      TALLY_OK);
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":2}");
  remove_one (f, f->a, "x");
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":3}");
  assert_string_equal (told, "1 x {\"_id\":\"x\",\"n\":1} from 1 -; "
                             "2 x {\"_id\":\"x\",\"n\":2} from 1 -; "
                             "3 x  from 1 -; "
                             "1 x {\"_id\":\"x\",\"n\":3} from 1 -; ");
  tally_hook_remove (hook);
}

/* The record of a unique index, say. */
static void
after_tells_nothing_of_what_the_store_keeps (void **state)
{
  struct fixture *f = *state;
  struct tally_index_options unique = { .size = sizeof unique, .unique = 1 };
  char told[1024] = "";
  struct tally_hook *hook;

  assert_int_equal (tally_index (f->a, "things", "n", &unique, &f->err),
                    TALLY_OK);
  assert_int_equal (
      tally_hook_after (&hook, f->a, NULL, on_change, told, &f->err),
      TALLY_OK);
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  assert_string_equal (told, "1 x {\"_id\":\"x\",\"n\":1} from 1 -; ");
  tally_hook_remove (hook);
}

static void
nobody_writes_what_the_store_keeps (void **state)
{
  static const char *const own[] = { "_notes", "_conflicts",
                                     "_conflicts_blind", "_graves" };
  struct fixture *f = *state;

  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    assert_int_equal (
        tally_put (f->a, own[i], "{}", 2, NULL, NULL, NULL, &f->err),
        TALLY_INVALID);
}

static void
after_tells_of_a_sync (void **state)
{
  struct fixture *f = *state;
  char a[1024] = "", b[1024] = "";
  struct tally_hook *hook_a, *hook_b;
  struct guard guard = { "", NULL, 0, NULL };
  struct tally_hook *hook;

  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1}");
  put_well (f, f->b, "{\"_id\":\"y\",\"n\":2}");
  assert_int_equal (tally_hook_after (&hook_a, f->a, NULL, on_change, a, NULL),
                    TALLY_OK);
  assert_int_equal (tally_hook_after (&hook_b, f->b, NULL, on_change, b, NULL),
                    TALLY_OK);
  assert_int_equal (
      tally_hook_before (&hook, f->b, NULL, 7, on_before, &guard, NULL),
      TALLY_OK);
  assert_int_equal (
      tally_pair (f->tally, "memory:a", "memory:b", NULL, NULL, NULL, &f->err),
      TALLY_OK);
  assert_string_equal (
      a, "1 y {\"_id\":\"y\",\"n\":2} from 2 memory:a memory:b; ");
  assert_string_equal (b, "1 x {\"_id\":\"x\",\"n\":1} from 2 -; ");
  a[0] = b[0] = '\0';
  /* A merge, and a delete. */
  put_well (f, f->a, "{\"_id\":\"x\",\"n\":1,\"a\":1}");
  put_well (f, f->b, "{\"_id\":\"x\",\"n\":1,\"b\":1}");
  guard.calls[0] = '\0';
  remove_one (f, f->a, "y");
  a[0] = b[0] = '\0';
  assert_int_equal (
      tally_pair (f->tally, "memory:a", "memory:b", NULL, NULL, NULL, &f->err),
      TALLY_OK);
  assert_string_equal (
      a, "2 x {\"_id\":\"x\",\"a\":1,\"b\":1,\"n\":1} from 2 memory:a "
         "memory:b; ");
  assert_non_null (strstr (b, "2 x {\"_id\":\"x\",\"a\":1,\"b\":1,\"n\":1} "
                              "from 2 -; "));
  assert_non_null (strstr (b, "3 y  from 2 -; "));
  /* Nobody asks about what comes by a sync. */
  assert_string_equal (guard.calls, "");
  tally_hook_remove (hook);
  tally_hook_remove (hook_b);
  tally_hook_remove (hook_a);
}

/* ---- schemas ------------------------------------------------------------ */

static void
refuses (struct fixture *f, const char *json, const char *reason)
{
  assert_int_equal (put (f, f->a, json), TALLY_INVALID);
  assert_string_equal (f->err.text, reason);
}

static void
schema_binds (void **state)
{
  struct fixture *f = *state;

  assert_int_equal (
      tally_schema (f->a, "things",
                    "{\"title\":{\"type\":\"string\",\"required\":true},"
                    "\"age\":{\"type\":[\"integer\",\"null\"],\"default\":0},"
                    "\"tags\":{\"items\":\"string\"},\"due\":\"date\","
                    "\"address\":{\"fields\":{\"zip\":{\"type\":\"string\","
                    "\"required\":true},\"city\":{\"default\":\"?\"}}}}",
                    &f->err),
      TALLY_OK);
  put_well (f, f->a, "{\"_id\":\"x\",\"title\":\"t\",\"zz\":[1]}");
  assert_json (f, f->a, "x",
               "{\"_id\":\"x\",\"age\":0,\"title\":\"t\",\"zz\":[1]}");
  put_well (f, f->a,
            "{\"_id\":\"y\",\"title\":\"t\",\"age\":null,\"tags\":[\"a\"],"
            "\"address\":{\"zip\":\"1\"},\"due\":{\"$$date\":5}}");
  assert_json (f, f->a, "y",
               "{\"_id\":\"y\",\"address\":{\"city\":\"?\",\"zip\":\"1\"},"
               "\"age\":null,\"due\":{\"$$date\":5},\"tags\":[\"a\"],"
               "\"title\":\"t\"}");
  refuses (f, "{\"_id\":\"z\"}", "document 1: title: is missing");
  refuses (f, "[{\"_id\":\"p\",\"title\":\"t\"},{\"_id\":\"q\",\"title\":1}]",
           "document 2: title: is number, not \"string\"");
  assert_json (f, f->a, "p", NULL);
  refuses (f, "{\"_id\":\"z\",\"title\":\"t\",\"age\":1.5}",
           "document 1: age: is number, not [\"integer\",\"null\"]");
  refuses (f, "{\"_id\":\"z\",\"title\":\"t\",\"tags\":[\"a\",2]}",
           "document 1: tags.1: is number, not \"string\"");
  refuses (f, "{\"_id\":\"z\",\"title\":\"t\",\"address\":{}}",
           "document 1: address.zip: is missing");
  refuses (f, "{\"_id\":\"z\",\"title\":\"t\",\"address\":[]}",
           "document 1: address: is array, not \"object\"");
  refuses (f, "{\"_id\":\"z\",\"title\":\"t\",\"due\":{\"$$date\":\"x\"}}",
           "document 1: due: is object, not \"date\"");
  assert_int_equal (tally_schema (f->a, "things", NULL, &f->err), TALLY_OK);
  put_well (f, f->a, "{\"_id\":\"z\"}");
}

static void
schema_is_checked (void **state)
{
  static const char *const bad[] = {
    "[]",
    "1",
    "{",
    "{\"a\":1}",
    "{\"a\":\"text\"}",
    "{\"a\":[]}",
    "{\"a\":{\"type\":[1]}}",
    "{\"a\":{\"typ\":\"string\"}}",
    "{\"a\":{\"fields\":\"string\"}}",
    "{\"a\":{\"required\":1}}",
    "{\"a\":{\"type\":\"string\",\"default\":1}}",
    "{\"a\":{\"fields\":{\"b\":{\"items\":\"x\"}}}}",
  };
  struct fixture *f = *state;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal (tally_schema (f->a, "things", bad[i], &f->err),
                      TALLY_INVALID);
  assert_string_equal (
      f->err.text,
      "a.fields.b.items: no such type; there are any, null, boolean, number, "
      "integer, string, array, object and date");
  put_well (f, f->a, "{\"_id\":\"z\"}");
}

/* Else replicas would differ. */
static void
schema_lets_syncs_in (void **state)
{
  struct fixture *f = *state;

  assert_int_equal (tally_schema (f->a, "things",
                                  "{\"n\":{\"type\":\"number\","
                                  "\"required\":true}}",
                                  &f->err),
                    TALLY_OK);
  put_well (f, f->b, "{\"_id\":\"x\",\"n\":\"text\"}");
  assert_int_equal (
      tally_pair (f->tally, "memory:a", "memory:b", NULL, NULL, NULL, &f->err),
      TALLY_OK);
  assert_json (f, f->a, "x", "{\"_id\":\"x\",\"n\":\"text\"}");
}

/* ---- live queries ------------------------------------------------------- */

struct heard {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  char told[2048];
  unsigned ready;
};

static int
on_live (void *ctx, const struct tally_live_event *event)
{
  struct heard *heard = ctx;
  size_t used;

  pthread_mutex_lock (&heard->lock);
  used = strlen (heard->told);
  if (event->type == TALLY_LIVE_READY) {
    heard->ready++;
    pthread_cond_broadcast (&heard->changed);
  } else
    snprintf (heard->told + used, sizeof heard->told - used, "%d %s %d %d; ",
              event->type, event->id ? event->id : event->error,
              (int) event->index, (int) event->old_index);
  pthread_mutex_unlock (&heard->lock);
  return 0;
}

/* Waits for the next round, and takes what it told. */
static void
expect_live (struct heard *heard, const char *want)
{
  struct timespec until;

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_sec += 30;
  pthread_mutex_lock (&heard->lock);
  while (heard->ready == 0
         && pthread_cond_timedwait (&heard->changed, &heard->lock, &until)
                == 0)
    ;
  assert_true (heard->ready > 0);
  heard->ready = 0;
  assert_string_equal (heard->told, want);
  heard->told[0] = '\0';
  pthread_mutex_unlock (&heard->lock);
}

static void
live_follows (void **state)
{
  struct fixture *f = *state;
  struct heard heard = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                         "", 0 };
  struct tally_live_options options = { .size = sizeof options };
  struct tally_live *live;

  put_well (f, f->a,
            "[{\"_id\":\"a\",\"n\":1},{\"_id\":\"b\",\"n\":2},"
            "{\"_id\":\"c\",\"n\":3},{\"_id\":\"no\",\"n\":-1}]");
  options.sort = "n";
  options.debounce_ms = 30;
  assert_int_equal (tally_live_start (&live, f->a, "things",
                                      "{\"n\":{\"$gt\":0}}", &options, on_live,
                                      &heard, &f->err),
                    TALLY_OK);
  expect_live (&heard, "1 a 0 0; 1 b 1 0; 1 c 2 0; ");
  put_well (f, f->a, "{\"_id\":\"b\",\"n\":2,\"x\":1}");
  expect_live (&heard, "2 b 1 1; ");
  put_well (f, f->a, "{\"_id\":\"a\",\"n\":9}");
  expect_live (&heard, "3 a 2 0; ");
  remove_one (f, f->a, "c");
  expect_live (&heard, "4 c 0 1; ");
  put_well (f, f->a, "{\"_id\":\"d\",\"n\":5}");
  expect_live (&heard, "1 d 1 0; ");
  /* Out of the query; what does not concern it is not told of. */
  put_well (f, f->a, "{\"_id\":\"no\",\"n\":-2}");
  put_well (f, f->a, "{\"_id\":\"d\",\"n\":-5}");
  expect_live (&heard, "4 d 0 1; ");
  /* By a sync. */
  put_well (f, f->b, "{\"_id\":\"e\",\"n\":1}");
  assert_int_equal (
      tally_pair (f->tally, "memory:a", "memory:b", NULL, NULL, NULL, &f->err),
      TALLY_OK);
  expect_live (&heard, "1 e 0 0; ");
  tally_live_stop (live);
  assert_string_equal (heard.told, "");
}

static bool
has_heard (struct heard *heard)
{
  bool has;

  pthread_mutex_lock (&heard->lock);
  has = heard->told[0] != '\0';
  pthread_mutex_unlock (&heard->lock);
  return has;
}

static void
live_fails (void **state)
{
  struct fixture *f = *state;
  struct heard heard = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                         "", 0 };
  struct tally_live *live;
  struct timespec tick = { 0, 10000000 };

  assert_int_equal (tally_live_start (&live, f->a, "a b", NULL, NULL, on_live,
                                      &heard, &f->err),
                    TALLY_INVALID);
  assert_null (live);
  assert_int_equal (tally_live_start (&live, f->a, "things", "{", NULL,
                                      on_live, &heard, &f->err),
                    TALLY_OK);
  for (unsigned i = 0; i < 1000 && !has_heard (&heard); i++)
    nanosleep (&tick, NULL);
  tally_live_stop (live);
  assert_int_equal (heard.told[0], '6');
}

/* Another context on the same file is what another process is. */
static void
live_hears_of_others (void **state)
{
  struct fixture *f = *state;
  struct heard heard = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                         "", 0 };
  char folder[PLACE_SIZE], store[96], path[96];
  static const char *const names[] = { "db", "db-wal", "db-shm" };
  struct tally_replica *here, *there;
  struct tally_live *live;
  struct tally *other;

  assert_true (place_make (folder, "hooks"));
  snprintf (store, sizeof store, "sqlite:%s/db", folder);
  if (tally_replica_open (&here, f->tally, store, TALLY_OPEN_CREATE, &f->err)
      != TALLY_OK) {
    rmdir (folder);
    skip ();
  }
  put_well (f, here, "{\"_id\":\"a\"}");
  assert_int_equal (tally_live_start (&live, here, "things", NULL, NULL,
                                      on_live, &heard, &f->err),
                    TALLY_OK);
  expect_live (&heard, "1 a 0 0; ");
  assert_int_equal (tally_new (&other, NULL, &f->err), TALLY_OK);
  assert_int_equal (tally_replica_open (&there, other, store, 0, &f->err),
                    TALLY_OK);
  put_well (f, there, "{\"_id\":\"b\"}");
  expect_live (&heard, "1 b 1 0; ");
  tally_replica_close (there);
  tally_free (other);
  tally_live_stop (live);
  tally_replica_close (here);
  for (size_t i = 0; i < 3; i++) {
    snprintf (path, sizeof path, "%s/%s", folder, names[i]);
    unlink (path);
  }
  rmdir (folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    TEST (before_sees_writes),
    TEST (before_changes),
    TEST (before_vetoes),
    TEST (after_tells),
    TEST (after_tells_nothing_of_what_the_store_keeps),
    TEST (nobody_writes_what_the_store_keeps),
    TEST (after_tells_of_a_sync),
    TEST (schema_binds),
    TEST (schema_is_checked),
    TEST (schema_lets_syncs_in),
    TEST (live_follows),
    TEST (live_fails),
    TEST (live_hears_of_others),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
