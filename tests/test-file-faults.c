/* SPDX-License-Identifier: MIT */
/* The file transport when the folder goes away, the disk is full, a call is
 * cut short or another program changes a file: what is there stays whole. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mount, unshare */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file-kit.h"

#define BLOB_MAX ((size_t) 256 << 20)

static void
assert_gone (struct test *t)
{
  char text[256];

  snprintf (text, sizeof text, "%s: is gone", t->path);
  assert_int_equal (kit_list (t, ""), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
  assert_int_equal (kit_read (t, "a"), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
  assert_int_equal (kit_create (t, "b", "x"), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
  assert_int_equal (kit_remove (t, "a"), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
}

static void
folder_gone (void **state)
{
  struct test *t = *state;

  assert_int_equal (rmdir (t->path), 0);
  assert_gone (t);
  assert_int_equal (mkdir (t->path, 0700), 0);
  assert_gone (t);
  assert_int_equal (kit_open (t, t->path, 0), TALLY_OK);
  assert_int_equal (kit_list (t, ""), TALLY_OK);
}

/* The calls of a create that can fail, with what then comes of it. */
static void
create_fails (void **state)
{
  static const struct {
    int write_errno, fsync_errno, link_errno, status;
    const char *text;
  } rows[] = {
    { ENOSPC, 0, 0, TALLY_FAILED, "/shared: disk is full" },
    { EDQUOT, 0, 0, TALLY_FAILED, "/shared: disk is full" },
    { EIO, 0, 0, TALLY_FAILED, "/shared/a: input/output error" },
    { ESTALE, 0, 0, TALLY_AGAIN, "/shared: is gone" },
    { 0, ENOSPC, 0, TALLY_FAILED, "/shared: disk is full" },
    { 0, EIO, 0, TALLY_FAILED, "/shared/a: input/output error" },
    { 0, ESTALE, 0, TALLY_AGAIN, "/shared: is gone" },
    { 0, 0, ENOSPC, TALLY_FAILED, "/shared: disk is full" },
    { 0, 0, ESTALE, TALLY_AGAIN, "/shared: is gone" },
    { 0, 0, EROFS, TALLY_DENIED, "/shared: read-only file system" },
  };
  struct test *t = *state;
  char text[256];

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    kit_fault.write_errno = rows[i].write_errno;
    kit_fault.fsync_errno = rows[i].fsync_errno;
    kit_fault.link_errno = rows[i].link_errno;
    assert_int_equal (kit_create (t, "a", "text"), rows[i].status);
    snprintf (text, sizeof text, "%s%s", t->base, rows[i].text);
    assert_string_equal (t->err.text, text);
    assert_int_equal (kit_count (t->path), 0);
  }
  memset (&kit_fault, 0, sizeof kit_fault);
  assert_int_equal (kit_create (t, "a", "text"), TALLY_OK);
}

/* The file's fsync worked, the folder's did not: an error, but others may
 * have seen the blob, so it stays; a folder that cannot be synced is fine. */
static void
folder_sync_fails (void **state)
{
  struct test *t = *state;

  kit_fault.fsync_skip = 1;
  kit_fault.fsync_errno = EIO;
  assert_int_equal (kit_create (t, "a", "1"), TALLY_FAILED);
  kit_assert_blob (t, "a", "1");
  kit_fault.fsync_skip = 1;
  kit_fault.fsync_errno = EINVAL;
  assert_int_equal (kit_create (t, "b", "2"), TALLY_OK);
  assert_int_equal (kit_count (t->path), 2);
}

static void
without_hard_links (void **state)
{
  static const int codes[] = { EPERM, ENOTSUP, ENOSYS, EMLINK, EACCES };
  struct test *t = *state;
  char name[16];

  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    snprintf (name, sizeof name, "a%zu", i);
    kit_fault.link_errno = codes[i];
    assert_int_equal (kit_create (t, name, "1"), TALLY_OK);
    kit_assert_blob (t, name, "1");
    assert_int_equal (kit_create (t, name, "2"), TALLY_CONFLICT);
    kit_fault.rename_errno = EINVAL;
    assert_int_equal (kit_create (t, "b", "2"), TALLY_UNSUPPORTED);
    kit_fault.rename_errno = EEXIST;
    assert_int_equal (kit_create (t, "b", "2"), TALLY_CONFLICT);
    kit_fault.rename_errno = EPERM;
    assert_int_equal (kit_create (t, "b", "2"), TALLY_DENIED);
    kit_fault.rename_errno = 0;
    assert_int_equal (kit_count (t->path), i + 1);
  }
}

/* NFS: the link was made, the answer was lost, the second try said that the
 * name is taken: by us. */
static void
link_answer_lost (void **state)
{
  struct test *t = *state;

  kit_fault.link_errno = EEXIST;
  assert_int_equal (kit_create (t, "a", "1"), TALLY_CONFLICT);
  assert_int_equal (kit_count (t->path), 0);
  kit_fault.link_happens = true;
  assert_int_equal (kit_create (t, "a", "1"), TALLY_OK);
  kit_assert_blob (t, "a", "1");
  assert_int_equal (kit_count (t->path), 1);
}

static void
interrupted_and_short (void **state)
{
  struct test *t = *state;

  kit_fault.interrupts = true;
  kit_fault.write_short = true;
  assert_int_equal (kit_create (t, "a", "more than three bytes"), TALLY_OK);
  kit_fault.interrupts = false;
  kit_fault.write_short = false;
  kit_assert_blob (t, "a", "more than three bytes");
}

static void
cancelled_calls (void **state)
{
  struct test *t = *state;

  assert_int_equal (kit_create (t, "a", "1"), TALLY_OK);
  t->cancel_after = 1;
  assert_int_equal (kit_create (t, "b", "2"), TALLY_CANCELLED);
  assert_int_equal (kit_count (t->path), 1);
  t->cancel_after = 1;
  assert_int_equal (kit_read (t, "a"), TALLY_CANCELLED);
  t->cancel_after = 2;
  assert_int_equal (kit_list (t, ""), TALLY_CANCELLED);
}

static void
too_big (void **state)
{
  struct test *t = *state;
  char path[512];

  kit_put_file (kit_inside (t, "big", path), "x");
  assert_int_equal (truncate (path, (off_t) BLOB_MAX + 1), 0);
  assert_int_equal (kit_read (t, "big"), TALLY_UNSUPPORTED);
  assert_int_equal (t->ops->create (t->handle, "b", "", BLOB_MAX + 1, &t->err),
                    TALLY_INVALID);
}

/* Grows or shrinks the file while it is read: the driver asks `cancelled`
 * before each piece, that is, after it has seen the size. */
static int
change_file (void *ctx)
{
  struct test *t = ctx;
  char path[512];

  assert_int_equal (truncate (kit_inside (t, "a", path), t->cancel_after), 0);
  return 0;
}

static void
changed_while_read (void **state)
{
  struct test *t = *state;

  assert_int_equal (kit_create (t, "a", "text"), TALLY_OK);
  t->host.cancelled = change_file;
  t->cancel_after = 9;
  assert_int_equal (kit_read (t, "a"), TALLY_AGAIN);
  assert_non_null (strstr (t->err.text, "/a: changed while it was read"));
  t->cancel_after = 2;
  assert_int_equal (kit_read (t, "a"), TALLY_AGAIN);
  assert_int_equal (kit_read (t, "a"), TALLY_OK);
}

/* ---- disk full, for real ----------------------------------------------- */

/* Only in a child: mounts, and limits that stay. */
static int
fill_disk (struct test *t)
{
  size_t size = 256 << 10;
  char *data = calloc (1, size);
  bool mounted;
  int status;

  mounted = (unshare (CLONE_NEWNS) == 0
             || unshare (CLONE_NEWUSER | CLONE_NEWNS) == 0)
            && mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
            && mount ("tmpfs", t->path, "tmpfs", 0, "size=64k") == 0;
  if (!mounted) {
    struct rlimit limit = { 64 << 10, 64 << 10 };

    print_message ("no tmpfs to fill (%d): a file size limit instead\n",
                   errno);
    signal (SIGXFSZ, SIG_IGN);
    setrlimit (RLIMIT_FSIZE, &limit);
  }
  if (!data || kit_open (t, t->path, 0) != TALLY_OK)
    return 1;
  status = t->ops->create (t->handle, "a", data, size, &t->err);
  free (data);
  if (status != TALLY_FAILED)
    return 2;
  if (mounted && !strstr (t->err.text, ": disk is full"))
    return 2;
  if (kit_count (t->path) != 0)
    return 3;
  if (t->ops->create (t->handle, "a", "small", 5, &t->err) != TALLY_OK)
    return 4;
  return 0;
}

static void
disk_full (void **state)
{
  struct test *t = *state;
  int result;
  pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0)
    _exit (fill_disk (t));
  assert_int_equal (waitpid (pid, &result, 0), pid);
  assert_true (WIFEXITED (result));
  assert_int_equal (WEXITSTATUS (result), 0);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (folder_gone),        KIT_TEST (create_fails),
    KIT_TEST (folder_sync_fails),  KIT_TEST (without_hard_links),
    KIT_TEST (link_answer_lost),   KIT_TEST (interrupted_and_short),
    KIT_TEST (cancelled_calls),    KIT_TEST (too_big),
    KIT_TEST (changed_while_read), KIT_TEST (disk_full),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
