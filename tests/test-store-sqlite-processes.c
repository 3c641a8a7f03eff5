/* SPDX-License-Identifier: MIT */
/* One sqlite store, several processes: no update is lost, nothing that was
 * acknowledged is lost to a kill, and waiting ends. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "fake-print.h"
#include "sqlite-folder.h"

#define WRITERS 3
#define INCREMENTS 100
#define KILLS 8

/* Runs in a child; what it returns is the child's exit code. */
typedef int child_main (const char *path, int pipe_end);

static pid_t
start (child_main *run, const char *path, int pipe_end)
{
  pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0)
    _exit (run (path, pipe_end));
  return pid;
}

static void
assert_exit_zero (pid_t pid)
{
  int status = 0;

  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 0);
}

/* Waits until the other end of the pipe is closed everywhere. */
static void
wait_for_start (int pipe_end)
{
  char byte;

  while (read (pipe_end, &byte, 1) < 0 && errno == EINTR)
    ;
}

/* Starts all at one moment. */
static void
run_together (child_main *run, const char *path)
{
  pid_t pids[WRITERS];
  int gate[2];

  assert_int_equal (pipe (gate), 0);
  for (size_t i = 0; i < WRITERS; i++) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] == 0) {
      close (gate[1]);
      wait_for_start (gate[0]);
      _exit (run (path, (int) i));
    }
  }
  close (gate[0]);
  close (gate[1]);
  for (size_t i = 0; i < WRITERS; i++)
    assert_exit_zero (pids[i]);
}

/* Adds one INCREMENTS times, each on the number that it read. */
static int
child_increment (const char *path, int unused)
{
  struct opened o = { 0 };
  unsigned char rev[TALLY_REV_SIZE];
  int64_t number;
  int status;

  (void) unused;
  if (folder_open (&o, path, 0))
    return 1;
  for (int i = 0; i < INCREMENTS; i++)
    do {
      number = folder_number (&o, "counter");
      if (number < 0)
        return 2;
      folder_rev (rev, (uint32_t) number);
      status = folder_put (&o, "counter", rev, (uint32_t) number + 1, NULL);
      if (status && status != TALLY_CONFLICT)
        return 3;
    } while (status);
  folder_close (&o);
  return 0;
}

static void
no_update_is_lost (void **state)
{
  struct opened o;

  (void) state;
  assert_int_equal (folder_create (&o), 0);
  folder_close (&o);
  run_together (child_increment, o.path);
  assert_int_equal (folder_open (&o, o.path, 0), TALLY_OK);
  assert_int_equal (folder_number (&o, "counter"), WRITERS * INCREMENTS);
  assert_int_equal (fake_digest_fits (o.store, o.handle, "things", &o.err),
                    TALLY_OK);
  folder_close (&o);
}

static int
keep_note (void *ctx, const void *data, size_t size)
{
  char *text = ctx;

  if (size < 16) {
    memcpy (text, data, size);
    text[size] = 0;
  }
  return 0;
}

/* The same with a note. */
static int
child_note (const char *path, int unused)
{
  struct opened o = { 0 };
  char before[16], after[16];
  struct tally_slice was, is;
  int status;

  (void) unused;
  if (folder_open (&o, path, 0))
    return 1;
  for (int i = 0; i < INCREMENTS; i++)
    do {
      before[0] = 0;
      if (o.store->note_get (o.handle, "n", keep_note, before, &o.err))
        return 2;
      was.data = before[0] ? before : NULL;
      was.size = strlen (before);
      is.data = after;
      is.size =
          (size_t) snprintf (after, sizeof after, "%d", atoi (before) + 1);
      status = o.store->note_put (o.handle, "n", &was, &is, &o.err);
      if (status && status != TALLY_CONFLICT)
        return 3;
    } while (status);
  folder_close (&o);
  return 0;
}

static void
no_note_is_lost (void **state)
{
  struct opened o;
  char text[16] = "";

  (void) state;
  assert_int_equal (folder_create (&o), 0);
  run_together (child_note, o.path);
  assert_int_equal (o.store->note_get (o.handle, "n", keep_note, text, &o.err),
                    TALLY_OK);
  assert_int_equal (atoi (text), WRITERS * INCREMENTS);
  folder_close (&o);
}

static int
child_create (const char *path, int i)
{
  struct opened o = { 0 };
  char id[16];

  snprintf (id, sizeof id, "d%d", i);
  if (folder_open (&o, path, TALLY_OPEN_CREATE))
    return 1;
  if (folder_put (&o, id, NULL, 7, NULL))
    return 2;
  folder_close (&o);
  return 0;
}

static void
created_by_all_at_once (void **state)
{
  (void) state;
  for (int round = 0; round < 10; round++) {
    struct opened o = { 0 };
    char path[4096], id[16];

    assert_int_equal (folder_fresh (path, sizeof path), 0);
    run_together (child_create, path);
    assert_int_equal (folder_open (&o, path, 0), TALLY_OK);
    for (int i = 0; i < WRITERS; i++) {
      snprintf (id, sizeof id, "d%d", i);
      assert_int_equal (folder_number (&o, id), 7);
    }
    folder_close (&o);
  }
}

/* Puts document after document and tells each number that is acknowledged,
 * until it is killed. */
static int
child_put (const char *path, int pipe_end)
{
  struct opened o = { 0 };
  char id[16];

  if (folder_open (&o, path, TALLY_OPEN_CREATE))
    return 1;
  for (uint32_t n = 1;; n++) {
    snprintf (id, sizeof id, "d%u", (unsigned) n);
    if (folder_put (&o, id, NULL, n, NULL)
        || folder_put (&o, "last", NULL, n, NULL))
      return 2;
    if (write (pipe_end, &n, sizeof n) != (ssize_t) sizeof n)
      return 3;
  }
}

static void
check_after_kill (const char *path, uint32_t acknowledged)
{
  struct opened o = { 0 };
  char id[16];
  int64_t last;

  assert_int_equal (folder_open (&o, path, 0), TALLY_OK);
  for (uint32_t n = 1; n <= acknowledged; n++) {
    snprintf (id, sizeof id, "d%u", (unsigned) n);
    assert_int_equal (folder_number (&o, id), n);
  }
  last = folder_number (&o, "last");
  assert_true (last >= acknowledged);
  assert_true (last <= (int64_t) acknowledged + 1);
  assert_int_equal (folder_put (&o, "after", NULL, 1, NULL), TALLY_OK);
  assert_int_equal (fake_digest_fits (o.store, o.handle, "things", &o.err),
                    TALLY_OK);
  folder_close (&o);
}

static void
acknowledged_survives_kill (void **state)
{
  (void) state;
  for (uint32_t round = 0; round < KILLS; round++) {
    char path[4096];
    uint32_t n = 0, enough = 1 + round * 37;
    int ends[2], status;
    pid_t pid;

    assert_int_equal (folder_fresh (path, sizeof path), 0);
    assert_int_equal (pipe (ends), 0);
    pid = start (child_put, path, ends[1]);
    close (ends[1]);
    while (n < enough)
      assert_int_equal (read (ends[0], &n, sizeof n), sizeof n);
    assert_int_equal (kill (pid, SIGKILL), 0);
    assert_int_equal (waitpid (pid, &status, 0), pid);
    assert_true (WIFSIGNALED (status));
    /* What it told between our last read and the kill. */
    while (read (ends[0], &n, sizeof n) == (ssize_t) sizeof n)
      ;
    close (ends[0]);
    check_after_kill (path, n);
  }
}

/* Another connection that has begun to write. */
static sqlite3 *
lock_file (const char *path)
{
  sqlite3 *db = NULL;

  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                    SQLITE_OK);
  return db;
}

static void
waiting_ends (void **state)
{
  struct opened o = { .lock_timeout_ms = 60 };
  char path[4096], text[4200];
  sqlite3 *db;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  assert_int_equal (folder_open (&o, path, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (folder_put (&o, "a", NULL, 1, NULL), TALLY_OK);
  db = lock_file (path);
  snprintf (text, sizeof text, "%s: locked by another process", path);
  assert_int_equal (folder_put (&o, "a", NULL, 2, NULL), TALLY_AGAIN);
  assert_string_equal (o.err.text, text);
  assert_int_equal (o.store->note_put (o.handle, "n", NULL, NULL, &o.err),
                    TALLY_AGAIN);
  assert_int_equal (folder_number (&o, "a"), 1);
  sqlite3_close (db);
  assert_int_equal (folder_put (&o, "a", NULL, 3, NULL), TALLY_OK);
  folder_close (&o);
}

static void
waiting_is_cancelled (void **state)
{
  struct opened o;
  sqlite3 *db;

  (void) state;
  assert_int_equal (folder_create (&o), 0);
  db = lock_file (o.path);
  o.cancel = 1;
  assert_int_equal (folder_put (&o, "a", NULL, 1, NULL), TALLY_CANCELLED);
  o.cancel = 0;
  sqlite3_close (db);
  assert_int_equal (folder_number (&o, "a"), 0);
  folder_close (&o);
}

/* A feed of one handle, while another one writes. */
struct feed {
  struct opened *other;
  size_t n;
  int status;
  unsigned stamp;
};

static int
write_meanwhile (void *ctx, const struct tally_doc *doc)
{
  struct feed *feed = ctx;
  char id[16];

  (void) doc;
  snprintf (id, sizeof id, "new%u", (unsigned) feed->n++);
  feed->status |= folder_put (feed->other, id, NULL, 1, NULL);
  feed->status |= folder_put (feed->other, "b", NULL, 9, NULL);
  return 0;
}

static void
changes_are_a_snapshot (void **state)
{
  struct opened one, two = { 0 };
  struct feed feed = { .other = &two };
  struct tally_outcome outcome;
  uint64_t head = 0, next = 0;

  (void) state;
  assert_int_equal (folder_create (&one), 0);
  folder_put (&one, "a", NULL, 1, NULL);
  folder_put (&one, "b", NULL, 2, &outcome);
  assert_int_equal (folder_open (&two, one.path, 0), TALLY_OK);
  assert_int_equal (one.store->changes (one.handle, "things", 0,
                                        write_meanwhile, &feed, &head,
                                        &one.err),
                    TALLY_OK);
  assert_int_equal (feed.n, 2);
  assert_int_equal (feed.status, 0);
  assert_int_equal (head, outcome.seq);
  feed.n = 0;
  folder_close (&two);
  assert_int_equal (folder_open (&two, one.path, 0), TALLY_OK);
  assert_int_equal (one.store->changes (one.handle, "things", head,
                                        write_meanwhile, &feed, &next,
                                        &one.err),
                    TALLY_OK);
  assert_int_equal (feed.n, 3);
  assert_true (next > head);
  folder_close (&two);
  folder_close (&one);
}

/* Keeps the rev's stamp of the last one, and changes all when it sees the
 * first. */
static int
change_meanwhile (void *ctx, const struct tally_doc *doc)
{
  struct feed *feed = ctx;

  feed->stamp = doc->rev[11];
  if (feed->n++ == 0)
    feed->status = folder_put (feed->other, "b", NULL, 9, NULL);
  return 0;
}

static void
get_is_a_snapshot (void **state)
{
  static const struct tally_slice ids[] = { { "a", 1 }, { "b", 1 } };
  struct opened one, two = { 0 };
  struct feed feed = { .other = &two };

  (void) state;
  assert_int_equal (folder_create (&one), 0);
  folder_put (&one, "a", NULL, 1, NULL);
  folder_put (&one, "b", NULL, 2, NULL);
  assert_int_equal (folder_open (&two, one.path, 0), TALLY_OK);
  assert_int_equal (one.store->get (one.handle, "things", ids, 2, 0,
                                    change_meanwhile, &feed, &one.err),
                    TALLY_OK);
  assert_int_equal (feed.n, 2);
  assert_int_equal (feed.status, TALLY_OK);
  assert_int_equal (feed.stamp, 2);
  assert_int_equal (folder_number (&one, "b"), 9);
  folder_close (&two);
  folder_close (&one);
}

/* No file may grow any more: as when the disk is full. */
static int
child_without_space (const char *path, int unused)
{
  static char body[200000];
  const struct rlimit limit = { 100000, 100000 };
  struct tally_entry entry = { .collection = "things" };
  struct tally_outcome outcome;
  struct opened o = { 0 };

  (void) unused;
  signal (SIGXFSZ, SIG_IGN);
  if (folder_open (&o, path, 0) || setrlimit (RLIMIT_FSIZE, &limit))
    return 1;
  entry.doc.id.data = "big";
  entry.doc.id.size = 3;
  entry.doc.body.data = body;
  entry.doc.body.size = sizeof body;
  if (o.store->put (o.handle, &entry, 1, 0, &outcome, &o.err) != TALLY_FAILED)
    return 2;
  if (folder_number (&o, "a") != 1 || folder_number (&o, "big") != 0)
    return 3;
  if (folder_put (&o, "small", NULL, 4, NULL))
    return 4;
  folder_close (&o);
  return 0;
}

static void
nothing_of_a_failed_put_stays (void **state)
{
  struct opened o;

  (void) state;
  assert_int_equal (folder_create (&o), 0);
  folder_put (&o, "a", NULL, 1, NULL);
  folder_close (&o);
  assert_exit_zero (start (child_without_space, o.path, 0));
  assert_int_equal (folder_open (&o, o.path, 0), TALLY_OK);
  assert_int_equal (folder_number (&o, "a"), 1);
  assert_int_equal (folder_number (&o, "big"), 0);
  assert_int_equal (folder_number (&o, "small"), 4);
  folder_close (&o);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (no_update_is_lost),
    cmocka_unit_test (no_note_is_lost),
    cmocka_unit_test (created_by_all_at_once),
    cmocka_unit_test (acknowledged_survives_kill),
    cmocka_unit_test (waiting_ends),
    cmocka_unit_test (waiting_is_cancelled),
    cmocka_unit_test (changes_are_a_snapshot),
    cmocka_unit_test (get_is_a_snapshot),
    cmocka_unit_test (nothing_of_a_failed_put_stays),
  };
  int failed;

  if (folder_make ())
    return 99;
  failed = cmocka_run_group_tests_name ("sqlite processes", tests, NULL, NULL);
  folder_remove ();
  return failed != 0;
}
