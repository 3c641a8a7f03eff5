/* SPDX-License-Identifier: MIT */
/* The file transport: blobs are whole, durable and never replaced, and
 * nothing outside of the folder is ever touched.  The system calls below are
 * put in front of libc's, to fail or cut short as a disk or NFS would. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2, mount, unshare */
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/driver.h>

#define BLOB_MAX ((size_t) 256 << 20)

/* ---- system calls that fail -------------------------------------------- */

/* What the next call of a kind does; 0: what it always does. */
static struct
{
  int link_errno;
  bool link_happens; /* all the same, as when NFS loses an answer */
  int rename_errno;
  int fsync_errno;
  int fsync_skip; /* calls that work before */
  int write_errno;
  bool write_short;
  bool interrupts; /* every call is interrupted once before it works */
} fault;

static bool
interrupted (void)
{
  static bool last;

  last = fault.interrupts && !last;
  if (last)
    errno = EINTR;
  return last;
}

int
linkat (int from_dir, const char *from, int to_dir, const char *to, int flags)
{
  int r = 0;

  if (!fault.link_errno || fault.link_happens)
    r = (int) syscall (SYS_linkat, from_dir, from, to_dir, to, flags);
  if (!fault.link_errno)
    return r;
  errno = fault.link_errno;
  return -1;
}

int
renameat2 (int from_dir, const char *from, int to_dir, const char *to,
           unsigned flags)
{
  if (!fault.rename_errno)
    return (int) syscall (SYS_renameat2, from_dir, from, to_dir, to, flags);
  errno = fault.rename_errno;
  return -1;
}

int
fsync (int fd)
{
  if (interrupted ())
    return -1;
  if (!fault.fsync_errno || fault.fsync_skip-- > 0)
    return (int) syscall (SYS_fsync, fd);
  errno = fault.fsync_errno;
  return -1;
}

ssize_t
write (int fd, const void *data, size_t size)
{
  if (interrupted ())
    return -1;
  if (fault.write_short && size > 3)
    size = 3;
  if (!fault.write_errno || fd <= STDERR_FILENO)
    return syscall (SYS_write, fd, data, size);
  errno = fault.write_errno;
  return -1;
}

/* ---- a folder for each test -------------------------------------------- */

struct test
{
  const struct tally_transport *ops;
  struct tally_host host;
  void *handle;
  int cancel_after; /* looks at cancelled; 0: never */
  char base[64];    /* holds the folder, and what is outside of it */
  char path[96];
  struct tally_error err;
  unsigned names;
  char list[2048];
  unsigned blobs; /* emitted by read */
  char *data;
  size_t size;
};

static int
is_cancelled (void *ctx)
{
  struct test *t = ctx;

  return t->cancel_after > 0 && --t->cancel_after == 0;
}

static int
file_open (struct test *t, const char *path, unsigned flags)
{
  struct tally_value values[] = { { path, 0 } };
  int status;

  if (t->handle)
    t->ops->close (t->handle);
  t->handle = NULL;
  memset (&t->err, 0, sizeof t->err);
  status = t->ops->open (&t->handle, &t->host, values, flags, &t->err);
  assert_int_equal (t->err.status, status);
  return status;
}

static int
setup (void **state)
{
  struct test *t = calloc (1, sizeof *t);

  if (!t)
    return -1;
  memset (&fault, 0, sizeof fault);
  snprintf (t->base, sizeof t->base, "/tmp/tally-file-XXXXXX");
  if (!mkdtemp (t->base))
    return -1;
  snprintf (t->path, sizeof t->path, "%s/shared", t->base);
  t->ops = tally_driver_1 ()->transport;
  t->host.size = sizeof t->host;
  t->host.ctx = t;
  t->host.cancelled = is_cancelled;
  *state = t;
  return file_open (t, t->path, TALLY_OPEN_CREATE);
}

static void
remove_tree (const char *path)
{
  DIR *dir = opendir (path);
  char below[512];

  for (struct dirent *row = dir ? readdir (dir) : NULL; row;
       row = readdir (dir))
    if (strcmp (row->d_name, ".") != 0 && strcmp (row->d_name, "..") != 0)
      {
        snprintf (below, sizeof below, "%s/%s", path, row->d_name);
        if (row->d_type == DT_DIR)
          remove_tree (below);
        else
          unlink (below);
      }
  if (dir)
    closedir (dir);
  rmdir (path);
}

static int
teardown (void **state)
{
  struct test *t = *state;

  memset (&fault, 0, sizeof fault);
  if (t->handle)
    t->ops->close (t->handle);
  remove_tree (t->base);
  free (t->data);
  free (t);
  return 0;
}

/* ---- calls ------------------------------------------------------------- */

/* An error is one line of the right status. */
static int
checked (struct test *t, int status)
{
  if (status != TALLY_OK)
    {
      assert_int_equal (t->err.status, status);
      assert_non_null (strstr (t->err.text, ": "));
      assert_null (strchr (t->err.text, '\n'));
    }
  return status;
}

static int
create (struct test *t, const char *name, const char *text)
{
  return checked (t, t->ops->create (t->handle, name, text, strlen (text),
                                     &t->err));
}

static int
keep_bytes (void *ctx, const void *data, size_t size)
{
  struct test *t = ctx;

  free (t->data);
  t->data = malloc (size + 1);
  assert_non_null (t->data);
  memcpy (t->data, data, size);
  t->data[size] = '\0';
  t->size = size;
  t->blobs++;
  return 1;
}

static int
read_blob (struct test *t, const char *name)
{
  int status;

  t->blobs = 0;
  status = t->ops->read (t->handle, name, keep_bytes, t, &t->err);
  assert_int_equal (t->blobs, status == TALLY_OK);
  return checked (t, status);
}

static void
assert_blob (struct test *t, const char *name, const char *text)
{
  assert_int_equal (read_blob (t, name), TALLY_OK);
  assert_int_equal (t->size, strlen (text));
  assert_string_equal (t->data, text);
}

static int
keep_name (void *ctx, const char *name)
{
  struct test *t = ctx;
  size_t used = strlen (t->list);

  snprintf (t->list + used, sizeof t->list - used, "%s ", name);
  t->names++;
  return 0;
}

static int
list (struct test *t, const char *prefix)
{
  t->names = 0;
  t->list[0] = '\0';
  return checked (t,
                  t->ops->list (t->handle, prefix, keep_name, t, &t->err));
}

static int
remove_blob (struct test *t, const char *name)
{
  return checked (t, t->ops->remove (t->handle, name, &t->err));
}

static char *
inside (const struct test *t, const char *name, char path[512])
{
  snprintf (path, 512, "%s/%s", t->path, name);
  return path;
}

static void
put_file (const char *path, const char *text)
{
  FILE *file = fopen (path, "w");

  assert_non_null (file);
  fputs (text, file);
  assert_int_equal (fclose (file), 0);
}

/* All files, also those that are no blobs. */
static unsigned
count_files (const char *path)
{
  DIR *dir = opendir (path);
  unsigned n = 0;

  assert_non_null (dir);
  for (struct dirent *row = readdir (dir); row; row = readdir (dir))
    n += strcmp (row->d_name, ".") != 0 && strcmp (row->d_name, "..") != 0;
  closedir (dir);
  return n;
}

/* ---- open -------------------------------------------------------------- */

static void
open_missing (void **state)
{
  struct test *t = *state;
  char path[128];

  snprintf (path, sizeof path, "%s/other", t->base);
  assert_int_equal (file_open (t, path, 0), TALLY_NOTFOUND);
  assert_int_equal (
      file_open (t, path, TALLY_OPEN_CREATE | TALLY_OPEN_READONLY),
      TALLY_NOTFOUND);
  assert_int_equal (access (path, F_OK), -1);
  strncat (path, "//", 3);
  assert_int_equal (file_open (t, path, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (file_open (t, path, 0), TALLY_OK);
}

static void
open_missing_parent (void **state)
{
  struct test *t = *state;
  char path[128], text[192];

  snprintf (path, sizeof path, "%s/no/such/", t->base);
  assert_int_equal (file_open (t, path, TALLY_OPEN_CREATE), TALLY_NOTFOUND);
  snprintf (text, sizeof text, "%s/no: no such folder", t->base);
  assert_string_equal (t->err.text, text);
}

static void
open_not_a_folder (void **state)
{
  struct test *t = *state;
  char path[128];

  snprintf (path, sizeof path, "%s/plain", t->base);
  put_file (path, "x");
  assert_int_equal (file_open (t, path, TALLY_OPEN_CREATE), TALLY_FAILED);
  assert_non_null (strstr (t->err.text, "/plain: not a folder"));
  assert_int_equal (file_open (t, "", TALLY_OPEN_CREATE), TALLY_INVALID);
  assert_int_equal (file_open (t, NULL, TALLY_OPEN_CREATE), TALLY_INVALID);
}

/* However long the path, the reason is there. */
static void
open_long_path (void **state)
{
  struct test *t = *state;
  char path[700];

  memset (path, 'x', sizeof path);
  for (size_t i = 0; i < sizeof path; i += 100)
    path[i] = '/';
  path[sizeof path - 1] = '\0';
  for (size_t cut = sizeof path - 1; cut > 200; cut--)
    {
      path[cut] = '\0';
      assert_int_equal (file_open (t, path, 0), TALLY_NOTFOUND);
      assert_non_null (strstr (t->err.text, ": no such folder"));
    }
}

static void
open_removes_stale (void **state)
{
  static const char *const names[] = {
    ".tally-0123456789abcdef.tmp",  /* ours, old: goes */
    ".tally-fedcba9876543210.tmp",  /* ours, new */
    ".tally-0123456789abcdeX.tmp",  /* not ours, all old */
    ".tally-0123456789abcdef.tmp2",
    ".syncthing.0123456789abc.tmp", "old.tmp",
  };
  struct test *t = *state;
  struct timespec old[2] = { { .tv_sec = time (NULL) - 3700 },
                             { .tv_sec = time (NULL) - 3700 } };
  char path[512];

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      put_file (inside (t, names[i], path), "x");
      if (i != 1)
        assert_int_equal (utimensat (AT_FDCWD, path, old, 0), 0);
    }
  assert_int_equal (file_open (t, t->path, TALLY_OPEN_READONLY), TALLY_OK);
  assert_int_equal (count_files (t->path), 6);
  assert_int_equal (file_open (t, t->path, 0), TALLY_OK);
  assert_int_equal (access (inside (t, names[0], path), F_OK), -1);
  assert_int_equal (count_files (t->path), 5);
}

/* ---- blobs ------------------------------------------------------------- */

static void
blob_round_trip (void **state)
{
  struct test *t = *state;
  char name[252], data[5000];

  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char) (i * 31);
  assert_int_equal (create (t, "empty", ""), TALLY_OK);
  assert_int_equal (t->ops->create (t->handle, "bytes", data, sizeof data,
                                    &t->err),
                    TALLY_OK);
  memset (name, 'n', sizeof name);
  name[250] = '\0';
  assert_int_equal (create (t, name, "long"), TALLY_OK);
  assert_int_equal (file_open (t, t->path, 0), TALLY_OK);
  assert_blob (t, "empty", "");
  assert_blob (t, name, "long");
  assert_int_equal (read_blob (t, "bytes"), TALLY_OK);
  assert_int_equal (t->size, sizeof data);
  assert_memory_equal (t->data, data, sizeof data);
  assert_int_equal (read_blob (t, "nothing"), TALLY_NOTFOUND);
  name[249] = '\0';
  assert_int_equal (read_blob (t, name), TALLY_NOTFOUND);
  assert_non_null (strstr (t->err.text, "n: no such blob"));
  assert_int_equal (count_files (t->path), 3);
}

static void
create_conflict (void **state)
{
  struct test *t = *state;
  char path[512];

  assert_int_equal (create (t, "a", "first"), TALLY_OK);
  assert_int_equal (create (t, "a", "second"), TALLY_CONFLICT);
  assert_blob (t, "a", "first");
  assert_int_equal (mkdir (inside (t, "folder", path), 0700), 0);
  assert_int_equal (create (t, "folder", "x"), TALLY_CONFLICT);
  assert_int_equal (symlink ("nowhere", inside (t, "link", path)), 0);
  assert_int_equal (create (t, "link", "x"), TALLY_CONFLICT);
  assert_int_equal (count_files (t->path), 3);
}

static void
remove_twice (void **state)
{
  struct test *t = *state;

  assert_int_equal (create (t, "a", "1"), TALLY_OK);
  assert_int_equal (remove_blob (t, "a"), TALLY_OK);
  assert_int_equal (read_blob (t, "a"), TALLY_NOTFOUND);
  assert_int_equal (remove_blob (t, "a"), TALLY_OK);
  assert_int_equal (create (t, "a", "2"), TALLY_OK);
  assert_blob (t, "a", "2");
}

static int
keep_one (void *ctx, const char *name)
{
  keep_name (ctx, name);
  return 1;
}

static void
list_prefix (void **state)
{
  struct test *t = *state;
  char path[512];

  assert_int_equal (list (t, ""), TALLY_OK);
  assert_int_equal (t->names, 0);
  assert_int_equal (create (t, "ab-1", "1"), TALLY_OK);
  assert_int_equal (create (t, "ab-2", "2"), TALLY_OK);
  assert_int_equal (create (t, "a", "3"), TALLY_OK);
  put_file (inside (t, "ab-1 (copy)", path), "x");
  put_file (inside (t, ".ab-3", path), "x");
  put_file (inside (t, "ab~", path), "x");
  put_file (inside (t, "ab\xc3\xa4", path), "x");
  assert_int_equal (list (t, "ab"), TALLY_OK);
  assert_int_equal (t->names, 2);
  assert_non_null (strstr (t->list, "ab-1 "));
  assert_non_null (strstr (t->list, "ab-2 "));
  assert_int_equal (list (t, ""), TALLY_OK);
  assert_int_equal (t->names, 3);
  assert_int_equal (list (t, "../"), TALLY_OK);
  assert_int_equal (t->names, 0);
  t->list[0] = '\0';
  assert_int_equal (t->ops->list (t->handle, "", keep_one, t, &t->err),
                    TALLY_OK);
  assert_int_equal (t->names, 1);
}

/* ---- staying inside ---------------------------------------------------- */

static void
bad_names (void **state)
{
  static const char *const names[]
      = { "",       ".",      "..",   "../secret", "/etc/passwd", "a/b",
          "./a",    "a/../b", ".a",   "a b",       "a\nb",        "a\\b",
          "\xc3\xa4", "a:b",  "a/",   "~",         "a*" };
  struct test *t = *state;
  char path[512], name[300];

  snprintf (path, sizeof path, "%s/secret", t->base);
  put_file (path, "secret");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      assert_int_equal (create (t, names[i], "x"), TALLY_INVALID);
      assert_int_equal (read_blob (t, names[i]), TALLY_INVALID);
      assert_int_equal (remove_blob (t, names[i]), TALLY_INVALID);
    }
  memset (name, 'n', sizeof name);
  name[251] = '\0';
  assert_int_equal (create (t, name, "x"), TALLY_INVALID);
  assert_int_equal (access (path, F_OK), 0);
  assert_int_equal (count_files (t->path), 0);
}

static void
not_regular (void **state)
{
  static const char *const names[] = { "out", "in", "fifo", "folder", "loop" };
  struct test *t = *state;
  char secret[128], path[512];

  snprintf (secret, sizeof secret, "%s/secret", t->base);
  put_file (secret, "secret");
  assert_int_equal (create (t, "a", "1"), TALLY_OK);
  assert_int_equal (symlink (secret, inside (t, "out", path)), 0);
  assert_int_equal (symlink ("a", inside (t, "in", path)), 0);
  assert_int_equal (symlink ("loop", inside (t, "loop", path)), 0);
  assert_int_equal (mkfifo (inside (t, "fifo", path), 0600), 0);
  assert_int_equal (mkdir (inside (t, "folder", path), 0700), 0);
  assert_int_equal (list (t, ""), TALLY_OK);
  assert_string_equal (t->list, "a ");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      assert_int_equal (read_blob (t, names[i]), TALLY_FAILED);
      assert_non_null (strstr (t->err.text, ": not a regular file"));
      assert_int_equal (create (t, names[i], "x"), TALLY_CONFLICT);
      assert_int_equal (remove_blob (t, names[i]), TALLY_FAILED);
    }
  assert_int_equal (count_files (t->path), 6);
}

/* A name of the folder that is swapped for a link out of it changes nothing
 * of where the handle reads. */
static void
folder_swapped (void **state)
{
  struct test *t = *state;
  char moved[128], other[128], path[512];

  assert_int_equal (create (t, "a", "mine"), TALLY_OK);
  snprintf (moved, sizeof moved, "%s/moved", t->base);
  snprintf (other, sizeof other, "%s/other", t->base);
  assert_int_equal (mkdir (other, 0700), 0);
  assert_int_equal (rename (t->path, moved), 0);
  assert_int_equal (symlink (other, t->path), 0);
  put_file (inside (t, "a", path), "theirs");
  assert_int_equal (create (t, "b", "x"), TALLY_AGAIN);
  assert_int_equal (remove_blob (t, "a"), TALLY_AGAIN);
  assert_int_equal (list (t, ""), TALLY_AGAIN);
  assert_blob (t, "a", "mine");
  assert_int_equal (count_files (other), 1);
  assert_int_equal (count_files (moved), 1);
  assert_int_equal (unlink (t->path), 0);
}

/* ---- what goes wrong --------------------------------------------------- */

static void
assert_gone (struct test *t)
{
  char text[256];

  snprintf (text, sizeof text, "%s: is gone", t->path);
  assert_int_equal (list (t, ""), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
  assert_int_equal (read_blob (t, "a"), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
  assert_int_equal (create (t, "b", "x"), TALLY_AGAIN);
  assert_string_equal (t->err.text, text);
  assert_int_equal (remove_blob (t, "a"), TALLY_AGAIN);
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
  assert_int_equal (file_open (t, t->path, 0), TALLY_OK);
  assert_int_equal (list (t, ""), TALLY_OK);
}

/* The calls of a create that can fail, with what then comes of it. */
static void
create_fails (void **state)
{
  static const struct
  {
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

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      fault.write_errno = rows[i].write_errno;
      fault.fsync_errno = rows[i].fsync_errno;
      fault.link_errno = rows[i].link_errno;
      assert_int_equal (create (t, "a", "text"), rows[i].status);
      snprintf (text, sizeof text, "%s%s", t->base, rows[i].text);
      assert_string_equal (t->err.text, text);
      assert_int_equal (count_files (t->path), 0);
    }
  memset (&fault, 0, sizeof fault);
  assert_int_equal (create (t, "a", "text"), TALLY_OK);
}

/* The file's fsync worked, the folder's did not: an error, but others may
 * have seen the blob, so it stays; a folder that cannot be synced is fine. */
static void
folder_sync_fails (void **state)
{
  struct test *t = *state;

  fault.fsync_skip = 1;
  fault.fsync_errno = EIO;
  assert_int_equal (create (t, "a", "1"), TALLY_FAILED);
  assert_blob (t, "a", "1");
  fault.fsync_skip = 1;
  fault.fsync_errno = EINVAL;
  assert_int_equal (create (t, "b", "2"), TALLY_OK);
  assert_int_equal (count_files (t->path), 2);
}

static void
without_hard_links (void **state)
{
  static const int codes[] = { EPERM, ENOTSUP, ENOSYS, EMLINK, EACCES };
  struct test *t = *state;
  char name[16];

  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    {
      snprintf (name, sizeof name, "a%zu", i);
      fault.link_errno = codes[i];
      assert_int_equal (create (t, name, "1"), TALLY_OK);
      assert_blob (t, name, "1");
      assert_int_equal (create (t, name, "2"), TALLY_CONFLICT);
      fault.rename_errno = EINVAL;
      assert_int_equal (create (t, "b", "2"), TALLY_UNSUPPORTED);
      fault.rename_errno = EEXIST;
      assert_int_equal (create (t, "b", "2"), TALLY_CONFLICT);
      fault.rename_errno = EPERM;
      assert_int_equal (create (t, "b", "2"), TALLY_DENIED);
      fault.rename_errno = 0;
      assert_int_equal (count_files (t->path), i + 1);
    }
}

/* NFS: the link was made, the answer was lost, the second try said that the
 * name is taken: by us. */
static void
link_answer_lost (void **state)
{
  struct test *t = *state;

  fault.link_errno = EEXIST;
  assert_int_equal (create (t, "a", "1"), TALLY_CONFLICT);
  assert_int_equal (count_files (t->path), 0);
  fault.link_happens = true;
  assert_int_equal (create (t, "a", "1"), TALLY_OK);
  assert_blob (t, "a", "1");
  assert_int_equal (count_files (t->path), 1);
}

static void
interrupted_and_short (void **state)
{
  struct test *t = *state;

  fault.interrupts = true;
  fault.write_short = true;
  assert_int_equal (create (t, "a", "more than three bytes"), TALLY_OK);
  fault.interrupts = false;
  fault.write_short = false;
  assert_blob (t, "a", "more than three bytes");
}

static void
cancelled_calls (void **state)
{
  struct test *t = *state;

  assert_int_equal (create (t, "a", "1"), TALLY_OK);
  t->cancel_after = 1;
  assert_int_equal (create (t, "b", "2"), TALLY_CANCELLED);
  assert_int_equal (count_files (t->path), 1);
  t->cancel_after = 1;
  assert_int_equal (read_blob (t, "a"), TALLY_CANCELLED);
  t->cancel_after = 2;
  assert_int_equal (list (t, ""), TALLY_CANCELLED);
}

static void
too_big (void **state)
{
  struct test *t = *state;
  char path[512];

  put_file (inside (t, "big", path), "x");
  assert_int_equal (truncate (path, (off_t) BLOB_MAX + 1), 0);
  assert_int_equal (read_blob (t, "big"), TALLY_UNSUPPORTED);
  assert_int_equal (t->ops->create (t->handle, "b", "", BLOB_MAX + 1,
                                    &t->err),
                    TALLY_INVALID);
}

/* Grows or shrinks the file while it is read: the driver asks `cancelled`
 * before each piece, that is, after it has seen the size. */
static int
change_file (void *ctx)
{
  struct test *t = ctx;
  char path[512];

  assert_int_equal (truncate (inside (t, "a", path), t->cancel_after), 0);
  return 0;
}

static void
changed_while_read (void **state)
{
  struct test *t = *state;

  assert_int_equal (create (t, "a", "text"), TALLY_OK);
  t->host.cancelled = change_file;
  t->cancel_after = 9;
  assert_int_equal (read_blob (t, "a"), TALLY_AGAIN);
  assert_non_null (strstr (t->err.text, "/a: changed while it was read"));
  t->cancel_after = 2;
  assert_int_equal (read_blob (t, "a"), TALLY_AGAIN);
  assert_int_equal (read_blob (t, "a"), TALLY_OK);
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
  if (!mounted)
    {
      struct rlimit limit = { 64 << 10, 64 << 10 };

      print_message ("no tmpfs to fill (%d): a file size limit instead\n",
                     errno);
      signal (SIGXFSZ, SIG_IGN);
      setrlimit (RLIMIT_FSIZE, &limit);
    }
  if (!data || file_open (t, t->path, 0) != TALLY_OK)
    return 1;
  status = t->ops->create (t->handle, "a", data, size, &t->err);
  free (data);
  if (status != TALLY_FAILED)
    return 2;
  if (mounted && !strstr (t->err.text, ": disk is full"))
    return 2;
  if (count_files (t->path) != 0)
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

/* ---- several processes ------------------------------------------------- */

#define RACES 60
#define RACERS 3

/* Waits at the pipe, so that all start at once; then says for each name
 * whether it made it. */
static int
race (struct test *t, int start, int racer)
{
  char go, name[16], text[32];
  unsigned won = 0;

  if (file_open (t, t->path, 0) != TALLY_OK || read (start, &go, 1) != 0)
    return 255;
  snprintf (text, sizeof text, "racer %d", racer);
  for (int i = 0; i < RACES; i++)
    {
      int status;

      snprintf (name, sizeof name, "n%d", i);
      status = t->ops->create (t->handle, name, text, strlen (text), &t->err);
      if (status != TALLY_OK && status != TALLY_CONFLICT)
        return 254;
      won += status == TALLY_OK;
    }
  return (int) won;
}

static void
race_for_names (struct test *t)
{
  pid_t pids[RACERS];
  int fds[2], result, won = 0;
  int blobs[RACERS]; /* what each says it made, less what is there */
  char name[16];

  assert_int_equal (pipe (fds), 0);
  for (int i = 0; i < RACERS; i++)
    {
      pids[i] = fork ();
      assert_true (pids[i] >= 0);
      if (pids[i] == 0)
        {
          close (fds[1]);
          _exit (race (t, fds[0], i));
        }
    }
  close (fds[0]);
  close (fds[1]);
  for (int i = 0; i < RACERS; i++)
    {
      assert_int_equal (waitpid (pids[i], &result, 0), pids[i]);
      assert_true (WIFEXITED (result));
      assert_true (WEXITSTATUS (result) <= RACES);
      blobs[i] = WEXITSTATUS (result);
      won += blobs[i];
    }
  assert_int_equal (won, RACES);
  for (int i = 0; i < RACES; i++)
    {
      snprintf (name, sizeof name, "n%d", i);
      assert_int_equal (read_blob (t, name), TALLY_OK);
      assert_int_equal (t->size, strlen ("racer 0"));
      assert_in_range (t->data[6], '0', '0' + RACERS - 1);
      blobs[t->data[6] - '0']--;
    }
  for (int i = 0; i < RACERS; i++)
    assert_int_equal (blobs[i], 0);
  assert_int_equal (count_files (t->path), RACES);
}

static void
one_winner (void **state)
{
  race_for_names (*state);
}

static void
one_winner_without_links (void **state)
{
  fault.link_errno = EPERM;
  race_for_names (*state);
}

/* A blob tells its own size and holds nothing but its number. */
static void
create_for_ever (struct test *t, int out, unsigned round)
{
  static char data[40000];
  char name[32];

  for (unsigned i = 0;; i++)
    {
      size_t size = 1 + (i * 7919u) % sizeof data;

      memset (data, 'a' + i % 26, size);
      snprintf (name, sizeof name, "k%u-%u-%zu-%u", round, i, size, i % 26);
      if (t->ops->create (t->handle, name, data, size, &t->err) != TALLY_OK
          || write (out, &i, sizeof i) != (ssize_t) sizeof i)
        _exit (1);
    }
}

static void
assert_whole (struct test *t, const char *name)
{
  unsigned round, i, letter;
  size_t size;

  assert_int_equal (
      sscanf (name, "k%u-%u-%zu-%u", &round, &i, &size, &letter), 4);
  assert_int_equal (read_blob (t, name), TALLY_OK);
  assert_int_equal (t->size, size);
  for (size_t n = 0; n < size; n++)
    assert_int_equal (t->data[n], 'a' + letter);
}

/* Kills a writer; all that it was told of is there, all that is there is
 * whole, and at most its one temporary file is left. */
static void
kill_one (struct test *t, unsigned round)
{
  char prefix[16];
  unsigned told = 0, i;
  int fds[2];
  DIR *dir;
  pid_t pid;

  assert_int_equal (pipe (fds), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    create_for_ever (t, fds[1], round);
  close (fds[1]);
  while (told < 1 + 3 * round)
    {
      assert_int_equal (read (fds[0], &i, sizeof i), sizeof i);
      told++;
    }
  assert_int_equal (kill (pid, SIGKILL), 0);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
  while (read (fds[0], &i, sizeof i) == (ssize_t) sizeof i)
    told++;
  close (fds[0]);

  snprintf (prefix, sizeof prefix, "k%u-", round);
  assert_int_equal (list (t, prefix), TALLY_OK);
  assert_in_range (t->names, told, told + 1);
  dir = opendir (t->path);
  assert_non_null (dir);
  for (struct dirent *row = readdir (dir); row; row = readdir (dir))
    if (strncmp (row->d_name, prefix, strlen (prefix)) == 0)
      assert_whole (t, row->d_name);
  closedir (dir);
  assert_int_equal (list (t, ""), TALLY_OK);
  assert_in_range (count_files (t->path), t->names, t->names + round + 1);
}

static void
killed_writer_leaves_whole_blobs (void **state)
{
  struct test *t = *state;
  unsigned left;

  for (unsigned round = 0; round < 20; round++)
    kill_one (t, round);
  assert_int_equal (list (t, ""), TALLY_OK);
  left = t->names;
  assert_int_equal (create (t, "after", "1"), TALLY_OK);
  assert_int_equal (list (t, ""), TALLY_OK);
  assert_int_equal (t->names, left + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    TEST (open_missing),
    TEST (open_missing_parent),
    TEST (open_not_a_folder),
    TEST (open_long_path),
    TEST (open_removes_stale),
    TEST (blob_round_trip),
    TEST (create_conflict),
    TEST (remove_twice),
    TEST (list_prefix),
    TEST (bad_names),
    TEST (not_regular),
    TEST (folder_swapped),
    TEST (folder_gone),
    TEST (create_fails),
    TEST (folder_sync_fails),
    TEST (without_hard_links),
    TEST (link_answer_lost),
    TEST (interrupted_and_short),
    TEST (cancelled_calls),
    TEST (too_big),
    TEST (changed_while_read),
    TEST (disk_full),
    TEST (one_winner),
    TEST (one_winner_without_links),
    TEST (killed_writer_leaves_whole_blobs),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
