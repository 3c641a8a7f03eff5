/* SPDX-License-Identifier: MIT */
/* Replicas on one SQLite file: several processes give no stamp twice and
 * lose no write, and a copy of the file is somebody else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/doclist.h"
#include "../core/replica.h"
#include "../core/write.h"
#include "quiet-host.h"
#include "sqlite-folder.h"

#define PROCESSES 4
#define STAMPS 400

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

/* Nothing here asserts: it also runs in child processes. */
static struct replica *
open_replica (const char *path)
{
  static const struct tally_host host = QUIET_HOST;
  struct tally_value values[] = { { path, 0 }, { NULL, 30000 } };
  struct driver driver = { .name = "sqlite",
                           .store = tally_driver_1 ()->store };
  struct replica_setup setup = { .driver = &driver,
                                 .values = values,
                                 .flags = TALLY_OPEN_CREATE,
                                 .name = path,
                                 .path = path,
                                 .host = &host,
                                 .max_skew_ms = 300000 };
  struct tally_error err;
  struct replica *replica;

  if (replica_open (&replica, &setup, &err) != TALLY_OK)
    fprintf (stderr, "%s\n", err.text);
  return replica;
}

static int
by_stamp (const void *a, const void *b)
{
  return stamp_cmp (a, b);
}

static void
assert_all_differ (struct stamp *stamps, size_t n)
{
  qsort (stamps, n, sizeof *stamps, by_stamp);
  for (size_t i = 1; i < n; i++)
    assert_int_not_equal (stamp_cmp (&stamps[i - 1], &stamps[i]), 0);
}

static void
test_two_handles (void **state)
{
  struct stamp stamps[2 * STAMPS];
  struct replica *replicas[2];
  struct tally_error err;
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  replicas[0] = open_replica (path);
  replicas[1] = open_replica (path);
  assert_non_null (replicas[0]);
  assert_non_null (replicas[1]);
  assert_int_equal (replicas[0]->clock.client, replicas[1]->clock.client);
  for (size_t i = 0; i < 2 * STAMPS; i++)
    assert_int_equal (
        replica_stamp (replicas[i / 3 % 2], NULL, &stamps[i], &err), TALLY_OK);
  assert_all_differ (stamps, 2 * STAMPS);
  replica_close (replicas[0]);
  replica_close (replicas[1]);
}

/* ---- processes ---------------------------------------------------------- */

static bool
write_all (int fd, const void *data, size_t size)
{
  const char *p = data;

  while (size > 0) {
    ssize_t n = write (fd, p, size);

    if (n <= 0)
      return false;
    p += n;
    size -= (size_t) n;
  }
  return true;
}

/* Opens the store a few times over and sends the stamps that it got. */
static int
child (const char *path, int fd)
{
  for (unsigned round = 0; round < 4; round++) {
    struct replica *replica = open_replica (path);

    if (!replica)
      return 1;
    for (unsigned i = 0; i < STAMPS / 4; i++) {
      struct tally_error err;
      struct stamp stamp;

      if (replica_stamp (replica, NULL, &stamp, &err) != TALLY_OK
          || !write_all (fd, &stamp, sizeof stamp))
        return 1;
    }
    replica_close (replica);
  }
  return 0;
}

static void
test_processes (void **state)
{
  static struct stamp stamps[PROCESSES * STAMPS];
  pid_t pids[PROCESSES];
  char path[4096];
  size_t size = 0;
  int fds[2];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  assert_int_equal (pipe (fds), 0);
  for (int i = 0; i < PROCESSES; i++) {
    pids[i] = fork ();
    assert_int_not_equal (pids[i], -1);
    if (pids[i] == 0)
      _exit (child (path, fds[1]));
  }
  close (fds[1]);
  for (;;) {
    ssize_t n = read (fds[0], (char *) stamps + size, sizeof stamps - size);

    if (n <= 0)
      break;
    size += (size_t) n;
  }
  close (fds[0]);
  for (int i = 0; i < PROCESSES; i++) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_int_equal (status, 0);
  }
  assert_int_equal (size, sizeof stamps);
  assert_all_differ (stamps, PROCESSES * STAMPS);
}

/* Each process adds a field of its own to one document, over and over, from
 * what it read: the expected rev keeps any from being lost. */
static bool
add_field (struct replica *replica, int process, unsigned value)
{
  struct tally_slice id = { "x", 1 };

  for (;;) {
    struct write_item item = { .id = id };
    struct doclist list = DOCLIST_INIT;
    struct write_result result;
    struct tally_error err;
    unsigned values[PROCESSES] = { 0 };
    char body[128];
    int status = replica_get (replica, "notes", &id, 1, TALLY_GET_BODY,
                              doclist_emit, &list, &err);

    if (status != TALLY_OK || list.count != 1
        || list.docs[0].body.size >= sizeof body)
      return false;
    memcpy (body, list.docs[0].body.data, list.docs[0].body.size);
    body[list.docs[0].body.size] = '\0';
    if (sscanf (body, "{\"_id\":\"x\",\"a\":%u,\"b\":%u,\"c\":%u,\"d\":%u}",
                &values[0], &values[1], &values[2], &values[3])
            != 4
        || values[process] != value - 1)
      return false;
    values[process] = value;
    snprintf (body, sizeof body,
              "{\"_id\":\"x\",\"a\":%u,\"b\":%u,\"c\":%u,\"d\":%u}", values[0],
              values[1], values[2], values[3]);
    item.body = slice_text (body);
    item.expected = list.docs[0].rev;
    status = write_batch (replica, "notes", &item, 1, &result, &err);
    doclist_free (&list);
    if (status != TALLY_OK)
      return false;
    if (result.status == TALLY_OK)
      return true;
  }
}

static int
adder (const char *path, int process)
{
  struct replica *replica = open_replica (path);
  bool good = replica != NULL;

  for (unsigned value = 1; good && value <= 40; value++)
    good = add_field (replica, process, value);
  replica_close (replica);
  return !good;
}

static void
test_no_write_is_lost (void **state)
{
  static const char first[] =
      "{\"_id\":\"x\",\"a\":0,\"b\":0,\"c\":0,\"d\":0}";
  static const char last[] =
      "{\"_id\":\"x\",\"a\":40,\"b\":40,\"c\":40,\"d\":40}";
  struct write_item item = { .id = { "x", 1 }, .body = slice_text (first) };
  struct doclist list = DOCLIST_INIT;
  struct replica *replica;
  struct write_result result;
  struct tally_error err;
  pid_t pids[PROCESSES];
  char path[4096];

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  replica = open_replica (path);
  assert_non_null (replica);
  assert_int_equal (write_batch (replica, "notes", &item, 1, &result, &err),
                    TALLY_OK);
  replica_close (replica);
  for (int i = 0; i < PROCESSES; i++) {
    pids[i] = fork ();
    assert_int_not_equal (pids[i], -1);
    if (pids[i] == 0)
      _exit (adder (path, i));
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_int_equal (status, 0);
  }
  replica = open_replica (path);
  assert_non_null (replica);
  assert_int_equal (replica_get (replica, "notes", &item.id, 1, TALLY_GET_BODY,
                                 doclist_emit, &list, &err),
                    TALLY_OK);
  assert_int_equal (list.count, 1);
  assert_true (slice_equal (list.docs[0].body, slice_text (last)));
  doclist_free (&list);
  replica_close (replica);
}

/* ---- copies ------------------------------------------------------------- */

static void
copy_file (const char *from, const char *to)
{
  FILE *in = fopen (from, "rb"), *out = fopen (to, "wb");
  int c;

  assert_non_null (in);
  assert_non_null (out);
  for (c = getc (in); c != EOF; c = getc (in))
    putc (c, out);
  assert_int_equal (fclose (in), 0);
  assert_int_equal (fclose (out), 0);
}

/* Opens and closes it, as another process would; the client it goes by. */
static uint32_t
wake (const char *path)
{
  struct replica *replica = open_replica (path);
  uint32_t client;

  assert_non_null (replica);
  client = replica->clock.client;
  replica_close (replica);
  return client;
}

static void
test_a_copy_is_somebody_else (void **state)
{
  char path[4096], copy[4096];
  struct replica *replica;
  uint32_t client;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  assert_int_equal (folder_fresh (copy, sizeof copy), 0);
  client = wake (path);
  copy_file (path, copy);
  replica = open_replica (copy);
  assert_non_null (replica);
  assert_int_not_equal (replica->clock.client, client);
  assert_int_equal (replica->n_clients, 2);
  replica_close (replica);
  assert_int_equal (wake (path), client);
  /* Moved, it may be a copy as well. */
  assert_int_equal (rename (path, copy), 0);
  assert_int_not_equal (wake (copy), client);
}

/* Writes over the file, so that it stays what it is to the system. */
static void
put_back (const char *copy, const char *path)
{
  char log[4200];

  snprintf (log, sizeof log, "%s-wal", path);
  unlink (log);
  copy_file (copy, path);
}

/* The same, and it gives a stamp. */
static uint32_t
wake_and_stamp (const char *path)
{
  struct replica *replica = open_replica (path);
  struct tally_error err;
  struct stamp stamp;
  uint32_t client;

  assert_non_null (replica);
  assert_int_equal (replica_stamp (replica, NULL, &stamp, &err), TALLY_OK);
  client = replica->clock.client;
  replica_close (replica);
  return client;
}

static void
test_one_that_is_put_back_is_somebody_else (void **state)
{
  struct replica *replica;
  struct witness witness;
  char path[4096], copy[4200];
  uint32_t client, fresh;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  client = wake_and_stamp (path);
  witness_read (&witness, path);
  if (!witness.set)
    skip ();
  assert_int_equal (witness.client, client);
  snprintf (copy, sizeof copy, "%s.copy", path);
  copy_file (path, copy);
  /* As it is, it is still the same. */
  put_back (copy, path);
  assert_int_equal (wake_and_stamp (path), client);
  put_back (copy, path);
  fresh = wake_and_stamp (path);
  assert_int_not_equal (fresh, client);
  /* Not twice, and again when even the fresh name is not known any more. */
  assert_int_equal (wake_and_stamp (path), fresh);
  put_back (copy, path);
  replica = open_replica (path);
  assert_non_null (replica);
  assert_int_equal (replica->n_clients, 2);
  assert_int_not_equal (replica->clock.client, fresh);
  replica_close (replica);
}

/* A file system may give a file that is made anew the number of the one that
 * was there. */
static void
test_one_that_is_unpacked_anew_is_somebody_else (void **state)
{
  struct witness witness;
  char path[4096], copy[4200];
  uint32_t client, fresh;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  client = wake_and_stamp (path);
  witness_read (&witness, path);
  snprintf (copy, sizeof copy, "%s.copy", path);
  copy_file (path, copy);
  unlink (path);
  put_back (copy, path);
  /* As it is with `cp -a`. */
  if (witness.set)
    assert_true (witness_write (&witness, path));
  fresh = wake (path);
  assert_int_not_equal (fresh, client);
  if (!witness.set)
    return;
  /* Put back by what keeps no attributes. */
  assert_int_equal (removexattr (path, "user.tally"), 0);
  client = wake (path);
  assert_int_not_equal (client, fresh);
  assert_int_equal (wake (path), client);
}

static void
test_a_damaged_witness_says_nothing (void **state)
{
  static const char *const texts[] = { "",
                                       " ",
                                       "1",
                                       "1 ",
                                       " 1",
                                       "1 2 3",
                                       "-1 5",
                                       "99999999999999999999 1",
                                       "1 4294967295" };
  const struct witness good = { true, 1795894376234, 580744800 };
  struct witness witness;
  char path[4096];
  FILE *file;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  witness_read (&witness, path);
  assert_false (witness.set);
  file = fopen (path, "w");
  assert_non_null (file);
  fclose (file);
  witness_write (&good, path);
  witness_read (&witness, path);
  if (!witness.set)
    skip ();
  assert_int_equal (witness.until_ms, good.until_ms);
  assert_int_equal (witness.client, good.client);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_int_equal (
        setxattr (path, "user.tally", texts[i], strlen (texts[i]), 0), 0);
    witness_read (&witness, path);
    assert_false (witness.set);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_two_handles),
    cmocka_unit_test (test_processes),
    cmocka_unit_test (test_no_write_is_lost),
    cmocka_unit_test (test_a_copy_is_somebody_else),
    cmocka_unit_test (test_one_that_is_put_back_is_somebody_else),
    cmocka_unit_test (test_one_that_is_unpacked_anew_is_somebody_else),
    cmocka_unit_test (test_a_damaged_witness_says_nothing),
  };

  return cmocka_run_group_tests (tests, make, remove_all);
}
