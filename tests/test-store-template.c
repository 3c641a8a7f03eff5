/* SPDX-License-Identifier: MIT */
/* The template for store drivers does what every store must; and what is
 * special about plain files: damage is found, leftovers of a crash do no
 * harm, one process at a time. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "place.h"
#include "store-kit.h"

static char base[PLACE_SIZE];
static unsigned stores;

static const struct tally_host host = { .size = sizeof host };

/* A test's store, and what was last heard of it. */
struct test {
  const struct tally_store *ops;
  void *handle;
  char path[128];
  unsigned emitted;
  uint64_t seq;
  unsigned char rev[TALLY_REV_SIZE];
  char body[64];
  struct tally_error err;
};

static int
fresh (char *value, size_t size)
{
  int r = snprintf (value, size, "%s/store-%u", base, stores++);

  return r > 0 && (size_t) r < size ? 0 : -1;
}

static int
reopen (struct test *t, unsigned flags)
{
  struct tally_value values[] = { { t->path, 0 } };

  if (t->handle)
    t->ops->close (t->handle);
  t->handle = NULL;
  memset (&t->err, 0, sizeof t->err);
  return t->ops->open (&t->handle, &host, values, flags, &t->err);
}

static int
setup (void **state)
{
  struct test *t = calloc (1, sizeof *t);

  if (!t || fresh (t->path, sizeof t->path))
    return -1;
  t->ops = tally_driver_1 ()->store;
  *state = t;
  return reopen (t, TALLY_OPEN_CREATE);
}

static int
teardown (void **state)
{
  struct test *t = *state;

  if (t->handle)
    t->ops->close (t->handle);
  free (t);
  return 0;
}

static int
put (struct test *t, const char *id, const char *body)
{
  struct tally_entry entry = { .collection = "things" };
  struct tally_outcome outcome = { 0 };
  int status;

  entry.doc.id = (struct tally_slice){ id, strlen (id) };
  entry.doc.body = (struct tally_slice){ body, strlen (body) };
  memset (entry.doc.rev, 7, sizeof entry.doc.rev);
  status = t->ops->put (t->handle, &entry, 1, 0, &outcome, &t->err);
  if (status == TALLY_OK)
    assert_int_equal (outcome.status, TALLY_OK);
  t->seq = outcome.seq;
  return status;
}

static int
forget (struct test *t, const char *id)
{
  struct tally_entry entry = { .collection = "things",
                               .flags = TALLY_ENTRY_FORGET };
  struct tally_outcome outcome = { 0 };
  unsigned char rev[TALLY_REV_SIZE];

  memset (rev, 7, sizeof rev);
  entry.expected = rev;
  entry.doc.id = (struct tally_slice){ id, strlen (id) };
  assert_int_equal (t->ops->put (t->handle, &entry, 1, 0, &outcome, &t->err),
                    TALLY_OK);
  return outcome.status;
}

static int
keep (void *ctx, const struct tally_doc *doc)
{
  struct test *t = ctx;

  t->emitted++;
  t->seq = doc->seq;
  assert_true (doc->body.size < sizeof t->body);
  if (doc->body.size)
    memcpy (t->body, doc->body.data, doc->body.size);
  t->body[doc->body.size] = '\0';
  return 0;
}

static void
assert_body (struct test *t, const char *id, const char *body)
{
  struct tally_slice slice = { id, strlen (id) };

  t->emitted = 0;
  assert_int_equal (t->ops->get (t->handle, "things", &slice, 1,
                                 TALLY_GET_BODY, keep, t, &t->err),
                    TALLY_OK);
  assert_int_equal (t->emitted, body != NULL);
  if (body)
    assert_string_equal (t->body, body);
}

static unsigned
count_changes (struct test *t)
{
  uint64_t head;

  t->emitted = 0;
  assert_int_equal (
      t->ops->changes (t->handle, "things", 0, keep, t, &head, &t->err),
      TALLY_OK);
  assert_true (head >= t->seq);
  return t->emitted;
}

static char *
file_path (const struct test *t, uint64_t seq, char path[256])
{
  snprintf (path, 256, "%s/%016llx", t->path, (unsigned long long) seq);
  return path;
}

static size_t
read_file (const char *path, char *data, size_t size)
{
  int fd = open (path, O_RDONLY);
  ssize_t got = read (fd, data, size);

  assert_true (fd >= 0 && got > 0 && (size_t) got < size);
  close (fd);
  return (size_t) got;
}

static void
write_file (const char *path, const char *data, size_t size)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  assert_true (fd >= 0);
  assert_int_equal (write (fd, data, size), size);
  close (fd);
}

static unsigned
count_files (const char *path)
{
  DIR *dir = opendir (path);
  unsigned n = 0;

  assert_non_null (dir);
  for (struct dirent *row = readdir (dir); row; row = readdir (dir))
    n += row->d_name[0] != '.';
  closedir (dir);
  return n;
}

/* Removes the stores; one that a test left something else in stays. */
static void
remove_all (void)
{
  char path[512];

  for (unsigned i = 0; i < stores; i++) {
    DIR *dir;

    snprintf (path, sizeof path, "%s/store-%u", base, i);
    dir = opendir (path);
    for (struct dirent *row = dir ? readdir (dir) : NULL; row;
         row = readdir (dir))
      unlinkat (dirfd (dir), row->d_name, 0);
    if (dir)
      closedir (dir);
    remove (path);
  }
  rmdir (base);
}

/* ---- tests ------------------------------------------------------------- */

/* Cut anywhere, or with anything behind it, a file is not believed. */
static void
truncated_is_corrupt (void **state)
{
  struct test *t = *state;
  char path[256], data[1024];
  size_t size;

  assert_int_equal (put (t, "a", "{\"a\":1}"), TALLY_OK);
  file_path (t, t->seq, path);
  size = read_file (path, data, sizeof data);
  for (size_t cut = 0; cut < size; cut++) {
    write_file (path, data, cut);
    assert_int_equal (reopen (t, 0), TALLY_CORRUPT);
    assert_int_equal (t->err.status, TALLY_CORRUPT);
    assert_non_null (strstr (t->err.text, ": damaged"));
    assert_non_null (strstr (t->err.text, t->path));
  }
  data[size] = 'x';
  write_file (path, data, size + 1);
  assert_int_equal (reopen (t, 0), TALLY_CORRUPT);
  write_file (path, data, size);
  assert_int_equal (reopen (t, 0), TALLY_OK);
  assert_body (t, "a", "{\"a\":1}");
}

/* With any one byte changed it opens or says corrupt, and never reads out of
 * bounds (the sanitizers watch). */
static void
changed_byte_is_survived (void **state)
{
  static const char marks[] = { 0, 1, 0x7f, (char) 0x80, (char) 0xff };
  struct test *t = *state;
  char path[256], data[1024];
  unsigned refused = 0;
  size_t size;

  assert_int_equal (put (t, "a", "{\"a\":1}"), TALLY_OK);
  file_path (t, t->seq, path);
  size = read_file (path, data, sizeof data);
  for (size_t i = 0; i < size; i++)
    for (size_t m = 0; m < sizeof marks; m++) {
      char was = data[i];
      int status;

      data[i] = marks[m];
      write_file (path, data, size);
      data[i] = was;
      status = reopen (t, 0);
      if (status == TALLY_OK)
        count_changes (t);
      else
        assert_int_equal (status, TALLY_CORRUPT);
      refused += status != TALLY_OK;
    }
  assert_true (refused > 100);
}

/* A file that was renamed or copied would bring back a seq or a version. */
static void
renamed_is_corrupt (void **state)
{
  struct test *t = *state;
  char from[256], to[256];

  assert_int_equal (put (t, "a", "{}"), TALLY_OK);
  file_path (t, t->seq, from);
  file_path (t, t->seq + 5, to);
  assert_int_equal (rename (from, to), 0);
  assert_int_equal (reopen (t, 0), TALLY_CORRUPT);
}

static void
not_a_folder_is_corrupt (void **state)
{
  struct test *t = *state;

  assert_int_equal (fresh (t->path, sizeof t->path), 0);
  write_file (t->path, "x", 1);
  assert_int_equal (reopen (t, 0), TALLY_CORRUPT);
  assert_int_equal (reopen (t, TALLY_OPEN_CREATE), TALLY_CORRUPT);
}

static void
missing_parent_is_not_found (void **state)
{
  struct test *t = *state;

  assert_int_equal (fresh (t->path, sizeof t->path - 2), 0);
  memcpy (t->path + strlen (t->path), "/x", 3);
  assert_int_equal (reopen (t, TALLY_OPEN_CREATE), TALLY_NOTFOUND);
}

static void
read_only_makes_nothing (void **state)
{
  struct test *t = *state;

  assert_int_equal (fresh (t->path, sizeof t->path), 0);
  assert_int_equal (reopen (t, TALLY_OPEN_CREATE | TALLY_OPEN_READONLY),
                    TALLY_NOTFOUND);
  assert_int_equal (access (t->path, F_OK), -1);
}

/* A put that cannot be finished leaves what was there, here and on disk. */
static void
failed_put_changes_nothing (void **state)
{
  struct test *t = *state;
  char path[256];
  uint64_t seq;

  assert_int_equal (put (t, "a", "old"), TALLY_OK);
  seq = t->seq;
  snprintf (path, sizeof path, "%s/tmp", t->path);
  assert_int_equal (mkdir (path, 0700), 0);
  assert_int_equal (put (t, "a", "new"), TALLY_FAILED);
  assert_int_equal (t->err.status, TALLY_FAILED);
  assert_non_null (strstr (t->err.text, ": cannot be written"));
  assert_body (t, "a", "old");
  rmdir (path);
  /* The name that the next one needs is taken by a folder. */
  assert_int_equal (mkdir (file_path (t, seq + 1, path), 0700), 0);
  assert_int_equal (put (t, "a", "new"), TALLY_FAILED);
  assert_body (t, "a", "old");
  rmdir (path);
  assert_int_equal (put (t, "a", "new"), TALLY_OK);
  assert_int_equal (reopen (t, 0), TALLY_OK);
  assert_body (t, "a", "new");
  assert_int_equal (count_changes (t), 1);
}

/* What a crash between the new file and the end of the old one leaves. */
static void
older_version_goes (void **state)
{
  struct test *t = *state;
  char path[256], data[1024];
  size_t size;

  assert_int_equal (put (t, "a", "old"), TALLY_OK);
  file_path (t, t->seq, path);
  size = read_file (path, data, sizeof data);
  assert_int_equal (put (t, "a", "new"), TALLY_OK);
  assert_int_equal (access (path, F_OK), -1);
  write_file (path, data, size);
  assert_int_equal (reopen (t, 0), TALLY_OK);
  assert_body (t, "a", "new");
  assert_int_equal (count_changes (t), 1);
  assert_int_equal (access (path, F_OK), -1);
}

/* Half a file under the temporary name, and what is not ours. */
static void
leftovers_are_ignored (void **state)
{
  struct test *t = *state;
  char path[256];

  assert_int_equal (put (t, "a", "1"), TALLY_OK);
  snprintf (path, sizeof path, "%s/tmp", t->path);
  write_file (path, "tally", 5);
  snprintf (path, sizeof path, "%s/notes.txt", t->path);
  write_file (path, "mine", 4);
  assert_int_equal (reopen (t, 0), TALLY_OK);
  assert_int_equal (put (t, "b", "2"), TALLY_OK);
  assert_int_equal (reopen (t, 0), TALLY_OK);
  assert_int_equal (count_changes (t), 2);
  assert_int_equal (access (path, F_OK), 0);
}

/* Forgetting leaves one file behind, however much is forgotten. */
static void
forgotten_leave_no_files (void **state)
{
  struct test *t = *state;
  char id[16];

  for (unsigned i = 0; i < 20; i++) {
    snprintf (id, sizeof id, "d%u", i);
    assert_int_equal (put (t, id, "{}"), TALLY_OK);
  }
  assert_int_equal (count_files (t->path), 20);
  for (unsigned i = 0; i < 20; i++) {
    snprintf (id, sizeof id, "d%u", i);
    assert_int_equal (forget (t, id), TALLY_OK);
  }
  assert_int_equal (count_changes (t), 0);
  assert_int_equal (count_files (t->path), 1);
}

static void
held_by_another (void **state)
{
  struct test *t = *state;
  struct tally_value values[] = { { t->path, 0 } };
  void *other = NULL;

  assert_int_equal (t->ops->open (&other, &host, values, 0, &t->err),
                    TALLY_AGAIN);
  assert_null (other);
  assert_non_null (strstr (t->err.text, ": in use already"));
  assert_int_equal (put (t, "a", "1"), TALLY_OK);
}

/* Puts i to document i modulo 7, for ever, and tells of each that is
 * acknowledged. */
static void
put_for_ever (struct test *t, int out)
{
  char id[16], body[16];

  for (unsigned i = 0;; i++) {
    if (i % 50 == 0 && reopen (t, 0) != TALLY_OK)
      _exit (1);
    snprintf (id, sizeof id, "d%u", i % 7);
    snprintf (body, sizeof body, "%u", i);
    if (put (t, id, body) != TALLY_OK
        || write (out, &i, sizeof i) != (ssize_t) sizeof i)
      _exit (1);
  }
}

/* Kills a writer after so many documents; returns the last that it was told
 * is durable. */
static unsigned
kill_writer (struct test *t, unsigned after)
{
  unsigned last = 0;
  int fds[2], result;
  pid_t pid;

  assert_int_equal (pipe (fds), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    put_for_ever (t, fds[1]);
  close (fds[1]);
  for (unsigned n = 0; n < after; n++)
    assert_int_equal (read (fds[0], &last, sizeof last), sizeof last);
  assert_int_equal (kill (pid, SIGKILL), 0);
  assert_int_equal (waitpid (pid, &result, 0), pid);
  assert_true (WIFSIGNALED (result));
  while (read (fds[0], &last, sizeof last) == (ssize_t) sizeof last)
    ;
  close (fds[0]);
  return last;
}

static void
killed_writer_loses_nothing (void **state)
{
  struct test *t = *state;

  for (unsigned round = 1; round <= 20; round++) {
    unsigned last;
    char id[16], body[16];

    t->ops->close (t->handle);
    t->handle = NULL;
    last = kill_writer (t, 11 * round);
    assert_int_equal (reopen (t, 0), TALLY_OK);
    snprintf (id, sizeof id, "d%u", last % 7);
    snprintf (body, sizeof body, "%u", last);
    assert_body (t, id, body);
    assert_int_equal (count_changes (t), 7);
    assert_in_range (count_files (t->path), 7, 8);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    TEST (truncated_is_corrupt),
    TEST (changed_byte_is_survived),
    TEST (renamed_is_corrupt),
    TEST (not_a_folder_is_corrupt),
    TEST (missing_parent_is_not_found),
    TEST (read_only_makes_nothing),
    TEST (failed_put_changes_nothing),
    TEST (older_version_goes),
    TEST (leftovers_are_ignored),
    TEST (forgotten_leave_no_files),
    TEST (held_by_another),
    TEST (killed_writer_loses_nothing),
  };
  struct store_kit kit = { .driver = tally_driver_1 (),
                           .persistent = true,
                           .fresh = fresh };
  int failed;

  if (!place_make (base, "template"))
    return 99;
  failed = store_kit_run (&kit);
  failed += cmocka_run_group_tests (tests, NULL, NULL);
  if (failed == 0)
    remove_all ();
  return failed != 0;
}
