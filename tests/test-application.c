/* SPDX-License-Identifier: MIT */
/* What an application may rely on, through tally.h: what its callbacks may do,
 * and what it is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <tally/tally.h>

#include "../core/write.h"
#include "place.h"

struct fixture {
  struct tally *tally;
  struct tally_replica *store;
  struct tally_error err;
};

static int
setup (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);

  *state = f;
  return !f || tally_new (&f->tally, NULL, &f->err) != TALLY_OK
         || tally_registry_add (f->tally, tally_driver_1 (), &f->err)
         || tally_replica_open (&f->store, f->tally, "memory:a",
                                TALLY_OPEN_CREATE, &f->err);
}

static int
teardown (void **state)
{
  struct fixture *f = *state;

  tally_replica_close (f->store);
  tally_free (f->tally);
  free (f);
  return 0;
}

static uint64_t
count (struct fixture *f)
{
  uint64_t n = 0;

  assert_int_equal (tally_count (f->store, "c", NULL, NULL, &n, &f->err),
                    TALLY_OK);
  return n;
}

/* ---- stop --------------------------------------------------------------- */

/* More than are written at a time. */
#define MANY 2500

static char lines[MANY * 32];
static char texts[MANY][8];
static const char *ids[MANY];

static void
make_lines (void)
{
  size_t used = 0;

  for (size_t i = 0; i < MANY; i++) {
    snprintf (texts[i], sizeof texts[i], "d%zu", i);
    ids[i] = texts[i];
    used += (size_t) snprintf (lines + used, sizeof lines - used,
                               "{\"_id\":\"%s\"}\n", ids[i]);
  }
}

static int
stop_at_once (void *ctx, const struct tally_written *written)
{
  (void) written;
  ++*(unsigned *) ctx;
  return 1;
}

/* What was written together with the document that was told of is there;
 * nothing is written after it. */
static void
put_stops (void **state)
{
  struct fixture *f = *state;
  unsigned told = 0;

  make_lines ();
  assert_int_equal (tally_put (f->store, "c", lines, strlen (lines), NULL,
                               stop_at_once, &told, &f->err),
                    TALLY_OK);
  assert_int_equal (told, 1);
  assert_int_equal (count (f), WRITE_BATCH);
}

static void
remove_stops (void **state)
{
  struct fixture *f = *state;
  unsigned told = 0;

  make_lines ();
  assert_int_equal (tally_put (f->store, "c", lines, strlen (lines), NULL,
                               NULL, NULL, &f->err),
                    TALLY_OK);
  assert_int_equal (
      tally_remove (f->store, "c", ids, MANY, stop_at_once, &told, &f->err),
      TALLY_OK);
  assert_int_equal (told, 1);
  assert_int_equal (count (f), MANY - WRITE_BATCH);
}

static void
import_stops (void **state)
{
  struct fixture *f = *state;
  char folder[PLACE_SIZE], path[PLACE_SIZE + 8];
  unsigned told = 0;
  FILE *file;

  make_lines ();
  assert_true (place_make (folder, "application"));
  snprintf (path, sizeof path, "%s/lines", folder);
  file = fopen (path, "w");
  assert_non_null (file);
  fputs (lines, file);
  assert_int_equal (fclose (file), 0);
  assert_int_equal (tally_import (f->store, "ndjson", path, "c", stop_at_once,
                                  &told, &f->err),
                    TALLY_OK);
  unlink (path);
  rmdir (folder);
  assert_int_equal (told, 1);
  assert_int_equal (count (f), WRITE_BATCH);
}

/* ---- the API, from a callback --------------------------------------------
 */

struct asking {
  struct fixture *f;
  unsigned told;
};

static int
ask_for_an_endpoint (void *ctx, const struct tally_driver_info *info)
{
  struct asking *asking = ctx;
  enum tally_endpoint_kind kind;

  (void) info;
  asking->told++;
  assert_int_equal (
      tally_endpoint (asking->f->tally, "memory:b", &kind, &asking->f->err),
      TALLY_OK);
  assert_int_equal (kind, TALLY_ENDPOINT_STORE);
  return 0;
}

static void
who_is_told_of_drivers_may_use_them (void **state)
{
  struct asking asking = { *state, 0 };

  assert_int_equal (tally_drivers (asking.f->tally, NULL, ask_for_an_endpoint,
                                   &asking, &asking.f->err),
                    TALLY_OK);
  assert_true (asking.told > 0);
}

/* ---- cancelling ----------------------------------------------------------
 */

static int
no_document (void *ctx, const struct tally_document *document)
{
  (void) ctx;
  (void) document;
  fail_msg ("told of a document");
  return 1;
}

static void
nothing_goes_on_after_a_cancel (void **state)
{
  struct fixture *f = *state;
  struct tally_error *err = &f->err;
  const char *id = "d0";
  uint64_t n;

  assert_int_equal (
      tally_put (f->store, "c", "{\"_id\":\"d0\"}", 12, NULL, NULL, NULL, err),
      TALLY_OK);
  tally_cancel (f->tally);
  assert_int_equal (tally_put (f->store, "c", "{}", 2, NULL, NULL, NULL, err),
                    TALLY_CANCELLED);
  assert_int_equal (err->status, TALLY_CANCELLED);
  assert_int_equal (tally_remove (f->store, "c", &id, 1, NULL, NULL, err),
                    TALLY_CANCELLED);
  assert_int_equal (tally_get (f->store, "c", &id, 1, no_document, NULL, err),
                    TALLY_CANCELLED);
  assert_int_equal (
      tally_find (f->store, "c", NULL, NULL, no_document, NULL, err),
      TALLY_CANCELLED);
  assert_int_equal (tally_count (f->store, "c", NULL, NULL, &n, err),
                    TALLY_CANCELLED);
  assert_int_equal (
      tally_pair (f->tally, "memory:a", "memory:b", NULL, NULL, NULL, err),
      TALLY_CANCELLED);
}

/* ---- errors --------------------------------------------------------------
 */

static int
full_put (void *handle, const struct tally_entry *entries, size_t n,
          unsigned flags, struct tally_outcome *outcomes,
          struct tally_error *err)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (entries[i].collection, "c") == 0) {
      snprintf (err->text, sizeof err->text, "b: disk is full");
      return err->status = TALLY_FAILED;
    }
  return tally_driver_1 ()->store->put (handle, entries, n, flags, outcomes,
                                        err);
}

static void
add_full_driver (struct fixture *f)
{
  static struct tally_store ops;
  static struct tally_driver driver;

  ops = *tally_driver_1 ()->store;
  driver = *tally_driver_1 ();
  ops.put = full_put;
  driver.name = "full";
  driver.store = &ops;
  assert_int_equal (tally_registry_add (f->tally, &driver, &f->err), TALLY_OK);
}

/* A far side on this machine says which it is, as it does when it is the
 * application that writes there. */
static void
a_store_is_named_once (void **state)
{
  struct fixture *f = *state;

  add_full_driver (f);
  make_lines ();
  assert_int_equal (tally_put (f->store, "c", lines, strlen (lines), NULL,
                               NULL, NULL, &f->err),
                    TALLY_OK);
  assert_int_equal (
      tally_pair (f->tally, "memory:a", "full:b", NULL, NULL, NULL, &f->err),
      TALLY_FAILED);
  assert_string_equal (f->err.text, "b: disk is full");
}

/* Its driver, whose disk is full, is not asked. */
static void
a_store_that_is_read_is_not_written (void **state)
{
  struct fixture *f = *state;
  struct tally_replica *replica;

  add_full_driver (f);
  assert_int_equal (tally_replica_open (&replica, f->tally, "full:b",
                                        TALLY_OPEN_READONLY, &f->err),
                    TALLY_OK);
  assert_int_equal (
      tally_put (replica, "c", "{}", 2, NULL, NULL, NULL, &f->err),
      TALLY_DENIED);
  assert_string_equal (f->err.text, "full:b: is open for reading only");
  tally_replica_close (replica);
}

struct logging {
  struct tally *tally;
  unsigned lines;
};

static void
keep_line (void *ctx, int level, const char *line)
{
  static const char json[] = "{\"_id\":\"line\"}";
  struct logging *logging = ctx;
  struct tally_replica *log;

  (void) level;
  (void) line;
  assert_int_equal (tally_replica_open (&log, logging->tally, "memory:log",
                                        TALLY_OPEN_CREATE, NULL),
                    TALLY_OK);
  assert_int_equal (
      tally_put (log, "c", json, strlen (json), NULL, NULL, NULL, NULL),
      TALLY_OK);
  tally_replica_close (log);
  logging->lines++;
}

static void
the_log_may_be_kept_in_a_store (void **state)
{
  struct logging logging = { NULL, 0 };
  struct tally_setup options = { .size = sizeof options,
                                 .config_text = "[store s]\ndriver = memory\n"
                                                "index.c = n\n",
                                 .log = keep_line,
                                 .ctx = &logging };
  struct fixture *f = *state;
  struct tally_replica *s;

  /* It would wait for itself for good. */
  alarm (60);
  assert_int_equal (tally_new (&logging.tally, &options, &f->err), TALLY_OK);
  assert_int_equal (
      tally_registry_add (logging.tally, tally_driver_1 (), &f->err),
      TALLY_OK);
  assert_int_equal (
      tally_replica_open (&s, logging.tally, "s", TALLY_OPEN_CREATE, &f->err),
      TALLY_OK);
  assert_true (logging.lines > 0);
  tally_replica_close (s);
  tally_free (logging.tally);
  alarm (0);
}

/* ---- options that are not set ---------------------------------------------
 */

static void
an_address_is_needed_to_serve (void **state)
{
  struct fixture *f = *state;
  struct tally_serve_options options = { .size = sizeof options,
                                         .store = "memory:a" };

  assert_int_equal (tally_serve (f->tally, NULL, 0, &options, &f->err),
                    TALLY_USAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    TEST (put_stops),
    TEST (remove_stops),
    TEST (import_stops),
    TEST (who_is_told_of_drivers_may_use_them),
    TEST (the_log_may_be_kept_in_a_store),
    TEST (nothing_goes_on_after_a_cancel),
    TEST (an_address_is_needed_to_serve),
    TEST (a_store_is_named_once),
    TEST (a_store_that_is_read_is_not_written),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
