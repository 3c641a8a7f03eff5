/* SPDX-License-Identifier: MIT */
/* The linvo store against the contract, and what is its own: which folders
 * it takes, who else may hold it, reads beside writes. */

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <leveldb/c.h>

#include "linvo-kit.h"
#include "place.h"
#include "store-kit.h"

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, linvo_kit_setup, linvo_kit_teardown)

/* ---- folders ----------------------------------------------------------- */

/* Refused with this status and text, and nothing there has changed. */
static void
assert_refused (struct linvo_kit *k, unsigned flags, int status,
                const char *text)
{
  uint64_t sum = linvo_kit_sum (k->path);

  assert_int_equal (linvo_kit_open (k, flags), status);
  assert_int_equal (k->err.status, status);
  assert_non_null (strstr (k->err.text, text));
  assert_memory_equal (k->err.text, k->path, strlen (k->path));
  assert_true (linvo_kit_sum (k->path) == sum);
}

static void
open_refuses_foreign_leveldb (void **state)
{
  struct linvo_kit *k = *state;
  leveldb_options_t *options = leveldb_options_create ();
  leveldb_writeoptions_t *write = leveldb_writeoptions_create ();
  char *text = NULL;
  leveldb_t *db;

  leveldb_options_set_create_if_missing (options, 1);
  db = leveldb_open (options, k->path, &text);
  assert_non_null (db);
  leveldb_put (db, write, "_id", 3, "{}", 2, &text);
  leveldb_close (db);
  leveldb_writeoptions_destroy (write);
  leveldb_options_destroy (options);

  assert_refused (k, 0, TALLY_CORRUPT,
                  ": is a LevelDB folder, but not a tally store");
  assert_refused (k, TALLY_OPEN_CREATE, TALLY_CORRUPT,
                  "tally import linvodb3");
}

static void
open_refuses_foreign_folder (void **state)
{
  struct linvo_kit *k = *state;

  assert_int_equal (mkdir (k->path, 0777), 0);
  assert_refused (k, 0, TALLY_NOTFOUND, ": not there");
  assert_int_equal (linvo_kit_write (k->path, "letter.txt", "x", 1), 0);
  assert_refused (k, 0, TALLY_CORRUPT, "not a tally store");
  assert_refused (k, TALLY_OPEN_CREATE, TALLY_INVALID, "is not empty");
}

static void
open_refuses_file (void **state)
{
  struct linvo_kit *k = *state;

  assert_int_equal (linvo_kit_write (k->root, "store", "x", 1), 0);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_CORRUPT);
  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_CORRUPT);
  assert_non_null (strstr (k->err.text, "/store: is a file"));
}

static void
open_needs_the_folder_above (void **state)
{
  struct linvo_kit *k = *state;

  strcat (k->path, "/below");
  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_NOTFOUND);
  assert_non_null (strstr (k->err.text, ": the folder above it"));
}

static void
open_takes_empty_folder (void **state)
{
  struct linvo_kit *k = *state;

  assert_int_equal (mkdir (k->path, 0777), 0);
  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
}

/* A making that was cut short after its first file. */
static void
open_finishes_what_was_begun (void **state)
{
  struct linvo_kit *k = *state;

  assert_int_equal (mkdir (k->path, 0777), 0);
  assert_int_equal (linvo_kit_write (k->path, "TALLY", "", 0), 0);
  assert_refused (k, 0, TALLY_NOTFOUND, ": not there");
  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (linvo_kit_put (k, 1), TALLY_OK);
  assert_int_equal (linvo_kit_check (k, 1, 0), TALLY_OK);
}

/* And one that was cut short within it, at any byte. */
static void
open_finishes_half_a_marker (void **state)
{
  static const char whole[] =
      "tally linvo 4\nwrites 00000000000000000000\nholder 0000004711\n";
  static const char zeros[sizeof whole];
  struct linvo_kit *k = *state;
  size_t size;

  for (size = 1; size < sizeof whole; size++) {
    assert_int_equal (mkdir (k->path, 0777), 0);
    assert_int_equal (
        linvo_kit_write (k->path, "TALLY", size % 2 ? whole : zeros, size), 0);
    assert_refused (k, 0, TALLY_NOTFOUND, ": not there");
    assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
    assert_int_equal (linvo_kit_put (k, 1), TALLY_OK);
    linvo_kit_close (k);
    assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
    linvo_kit_close (k);
    assert_int_equal (linvo_kit_remove (k->path), 0);
  }
  assert_int_equal (mkdir (k->path, 0777), 0);
  assert_int_equal (linvo_kit_write (k->path, "TALLY", "a list\n", 7), 0);
  assert_refused (k, TALLY_OPEN_CREATE, TALLY_CORRUPT, "TALLY is damaged");
}

static void
open_refuses_other_formats (void **state)
{
  static const char newer[] = "tally linvo 5\nand who knows what\n";
  static const char older[] =
      "tally linvo 1\nwrites 00000000000000000001\nholder 0000004711\n";
  struct linvo_kit *k = *state;

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  linvo_kit_close (k);
  assert_int_equal (
      linvo_kit_write (k->path, "TALLY", newer, sizeof newer - 1), 0);
  assert_refused (k, 0, TALLY_UNSUPPORTED, ": has format 5, made by a newer");
  assert_int_equal (
      linvo_kit_write (k->path, "TALLY", older, sizeof older - 1), 0);
  assert_refused (k, 0, TALLY_UNSUPPORTED, ": has format 1, made by an older");
}

/* LevelDB would make a new database over the old one, and clear that away. */
static void
open_refuses_without_current (void **state)
{
  struct linvo_kit *k = *state;
  char path[256];

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (linvo_kit_put (k, 1), TALLY_OK);
  linvo_kit_close (k);
  snprintf (path, sizeof path, "%s/CURRENT", k->path);
  assert_int_equal (unlink (path), 0);
  assert_refused (k, TALLY_OPEN_CREATE, TALLY_CORRUPT, "CURRENT is missing");
}

/* ---- who holds it ------------------------------------------------------ */

/* Opens in a child and says how that went: its status, and the text. */
static int
open_elsewhere (struct linvo_kit *k, char *text, size_t size)
{
  int ends[2], status = 1;
  ssize_t n;
  pid_t pid;

  assert_int_equal (pipe (ends), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0) {
    int r = linvo_kit_open (k, 0);

    if (write (ends[1], k->err.text, strlen (k->err.text)) < 0)
      _exit (99);
    _exit (-r);
  }
  close (ends[1]);
  n = read (ends[0], text, size - 1);
  text[n > 0 ? n : 0] = '\0';
  close (ends[0]);
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFEXITED (status));
  return -WEXITSTATUS (status);
}

static void
held_names_the_process (void **state)
{
  struct linvo_kit *k = *state;
  char expected[256], text[256];

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  snprintf (expected, sizeof expected,
            "%s: in use by process %ld; reach it through its server, or "
            "stop it first",
            k->path, (long) getpid ());
  assert_int_equal (open_elsewhere (k, text, sizeof text), TALLY_AGAIN);
  assert_string_equal (text, expected);
}

/* Also by another spelling; and the first handle loses nothing by it. */
static void
held_by_this_process (void **state)
{
  struct linvo_kit *k = *state;
  struct linvo_kit second = *k;
  char text[256];

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (linvo_kit_open (&second, 0), TALLY_AGAIN);
  assert_non_null (strstr (second.err.text, ": in use by this process"));
  snprintf (second.path, sizeof second.path, "%s/./store", k->root);
  assert_int_equal (linvo_kit_open (&second, 0), TALLY_AGAIN);

  assert_int_equal (open_elsewhere (k, text, sizeof text), TALLY_AGAIN);
  assert_non_null (strstr (text, ": in use by process "));
  assert_int_equal (linvo_kit_put (k, 1), TALLY_OK);
  linvo_kit_close (k);
  assert_int_equal (linvo_kit_open (&second, 0), TALLY_OK);
  assert_int_equal (linvo_kit_check (&second, 1, 0), TALLY_OK);
  linvo_kit_close (&second);
}

/* Somebody who knows LevelDB's lock and nothing of ours. */
static void
held_by_a_stranger (void **state)
{
  struct linvo_kit *k = *state;
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  char path[256], expected[64], c;
  int there[2], back[2];
  pid_t pid;

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  linvo_kit_close (k);
  assert_int_equal (pipe (there), 0);
  assert_int_equal (pipe (back), 0);
  snprintf (path, sizeof path, "%s/LOCK", k->path);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0) {
    int fd = open (path, O_RDWR);

    close (back[1]);
    if (fd == -1 || fcntl (fd, F_SETLK, &lock) == -1
        || write (there[1], "x", 1) != 1)
      _exit (1);
    _exit (read (back[0], &c, 1) == 0 ? 0 : 1);
  }
  assert_int_equal (read (there[0], &c, 1), 1);
  snprintf (expected, sizeof expected, ": in use by process %ld; ",
            (long) pid);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_AGAIN);
  assert_non_null (strstr (k->err.text, expected));
  close (back[1]);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
  close (there[0]);
  close (there[1]);
  close (back[0]);
}

/* ---- reads beside writes ----------------------------------------------- */

struct reader {
  struct linvo_kit k; /* its own error, the same handle */
  atomic_uint *written;
  atomic_bool *done;
  int wrong;
};

/* What was acknowledged before a read began is in it. */
static void *
read_along (void *ctx)
{
  struct reader *reader = ctx;

  while (!atomic_load (reader->done) && !reader->wrong) {
    struct tally_slice id = { "same-0", 6 };
    unsigned n = atomic_load (reader->written);
    uint64_t head = 0;

    reader->wrong = linvo_kit_read_one (&reader->k, &id, n, &head);
    if (head < (uint64_t) n * LINVO_KIT_BATCH)
      reader->wrong = 1;
  }
  return NULL;
}

static void
reads_run_beside_writes (void **state)
{
  struct linvo_kit *k = *state;
  atomic_uint written = 0;
  atomic_bool done = false;
  struct reader readers[2];
  pthread_t threads[2];
  unsigned i;

  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  for (i = 0; i < 2; i++) {
    readers[i].k = *k;
    readers[i].written = &written;
    readers[i].done = &done;
    readers[i].wrong = 0;
    assert_int_equal (
        pthread_create (&threads[i], NULL, read_along, &readers[i]), 0);
  }
  for (i = 1; i <= 300; i++) {
    assert_int_equal (linvo_kit_put (k, i), TALLY_OK);
    atomic_store (&written, i);
  }
  atomic_store (&done, true);
  for (i = 0; i < 2; i++) {
    assert_int_equal (pthread_join (threads[i], NULL), 0);
    assert_int_equal (readers[i].wrong, 0);
  }
  assert_int_equal (linvo_kit_check (k, 300, 0), TALLY_OK);
}

/* ---- all --------------------------------------------------------------- */

static char kit_root[PLACE_SIZE];

static int
fresh (char *value, size_t size)
{
  static unsigned n;
  int length = snprintf (value, size, "%s/%u", kit_root, n++);

  return length > 0 && (size_t) length < size ? 0 : -1;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (open_refuses_foreign_leveldb),
    TEST (open_refuses_foreign_folder),
    TEST (open_refuses_file),
    TEST (open_needs_the_folder_above),
    TEST (open_takes_empty_folder),
    TEST (open_finishes_what_was_begun),
    TEST (open_finishes_half_a_marker),
    TEST (open_refuses_other_formats),
    TEST (open_refuses_without_current),
    TEST (held_names_the_process),
    TEST (held_by_this_process),
    TEST (held_by_a_stranger),
    TEST (reads_run_beside_writes),
  };
  const struct store_kit kit = { .driver = tally_driver_1 (),
                                 .persistent = true,
                                 .fresh = fresh };
  int failed;

  if (!place_make (kit_root, "linvo"))
    return 1;
  failed = store_kit_run (&kit);
  failed += linvo_kit_remove (kit_root) != 0;
  failed += cmocka_run_group_tests (tests, NULL, NULL);
  return failed != 0;
}
