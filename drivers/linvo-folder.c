/* SPDX-License-Identifier: MIT */
/* LevelDB changes a folder as soon as it is opened, so what kind of folder
 * it is must be known before: the file TALLY says so.  It is also the lock
 * that LevelDB's own cannot be (a second open in one process drops that one,
 * and another spelling of the path passes it), and the witness: it counts
 * the batches acknowledged, so that a log that lost its end is noticed.
 * Who wants to go on with what is left cuts TALLY down to its first line. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linvo-folder.h"
#include "linvo-keys.h"
#include "linvo-look.h"

/* Of one size always, so that it can be written over in one piece. */
#define MARKER "tally linvo %d\nwrites %020" PRIu64 "\nholder %010ld\n"
#define MARKER_START "tally linvo "
#define MARKER_SIZE 60

struct marker {
  uint64_t format;
  uint64_t writes;
  uint64_t holder;
};

/* ---- making ------------------------------------------------------------ */

static int
sync_folder (const char *path, struct tally_error *err)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int r = TALLY_OK;

  if (fd == -1)
    return linvo_fail_errno (err, path, errno);
  /* EINVAL: a file system that does not know this, and needs it not. */
  if (fsync (fd) == -1 && errno != EINVAL)
    r = linvo_fail_errno (err, path, errno);
  close (fd);
  return r;
}

static int
sync_parent (const char *path, struct tally_error *err)
{
  char *parent = strdup (path);
  size_t n;
  int r;

  if (!parent)
    return linvo_fail_errno (err, path, ENOMEM);
  n = strlen (parent);
  while (n > 1 && parent[n - 1] == '/')
    n--;
  while (n > 1 && parent[n - 1] != '/')
    n--;
  parent[n] = '\0';
  r = sync_folder (parent, err);
  free (parent);
  return r;
}

static int
make_folder (const char *path, struct tally_error *err)
{
  if (mkdir (path, 0777) == 0)
    return sync_parent (path, err);
  if (errno == EEXIST)
    return TALLY_OK;
  if (errno == ENOENT)
    return linvo_fail (err, TALLY_NOTFOUND, path,
                       "the folder above it is not there");
  return linvo_fail_errno (err, path, errno);
}

/* ---- the file TALLY ---------------------------------------------------- */

/* Returns NULL when out of memory. */
static char *
join (const char *path, const char *name)
{
  size_t a = strlen (path), b = strlen (name);
  char *whole = malloc (a + b + 2);

  if (!whole)
    return NULL;
  memcpy (whole, path, a);
  whole[a] = '/';
  memcpy (whole + a + 1, name, b + 1);
  return whole;
}

/* Takes "<name> <digits>\n" off the front of *in. */
static bool
take_line (const char **in, const char *name, uint64_t *n)
{
  size_t size = strlen (name);
  const char *p;

  if (strncmp (*in, name, size) != 0)
    return false;
  *n = 0;
  for (p = *in + size; *p >= '0' && *p <= '9'; p++) {
    unsigned digit = (unsigned) (*p - '0');

    if (*n > (UINT64_MAX - digit) / 10)
      return false;
    *n = *n * 10 + digit;
  }
  if (p == *in + size || *p != '\n')
    return false;
  *in = p + 1;
  return true;
}

/* Zeroes *marker for an empty file.  A first line alone is whole, see above,
 * and of another format only that line is known. */
static bool
read_marker (int fd, struct marker *marker)
{
  char text[128];
  const char *p = text;
  ssize_t n;

  memset (marker, 0, sizeof *marker);
  n = pread (fd, text, sizeof text - 1, 0);
  if (n <= 0)
    return n == 0;
  text[n] = '\0';
  if (!take_line (&p, MARKER_START, &marker->format))
    return false;
  if (marker->format != LINVO_FORMAT)
    return marker->format > 0;
  if (p == text + n)
    return true;
  return take_line (&p, "writes ", &marker->writes)
         && take_line (&p, "holder ", &marker->holder) && p == text + n;
}

/* Whether it is the first marker of a store whose making was cut short: a
 * part of one, or zeros where a part should be. */
static bool
is_cut_short (int fd)
{
  static const char start[] = MARKER_START;
  char text[MARKER_SIZE + 1];
  ssize_t n = pread (fd, text, sizeof text, 0);
  size_t zeros = 0, head = sizeof start - 1;

  if (n < 0 || n > MARKER_SIZE)
    return false;
  while (zeros < (size_t) n && text[zeros] == '\0')
    zeros++;
  if (zeros == (size_t) n)
    return true;
  return memcmp (text, start, (size_t) n < head ? (size_t) n : head) == 0;
}

bool
linvo_folder_mark (struct linvo_folder *folder, uint64_t writes)
{
  char text[128];
  int n;

  folder->writes = writes;
  n = snprintf (text, sizeof text, MARKER, LINVO_FORMAT, writes,
                (long) getpid ());
  return n > 0 && pwrite (folder->fd, text, (size_t) n, 0) == n;
}

int
linvo_folder_room (struct linvo_folder *folder, size_t size,
                   struct tally_error *err)
{
  char *name = join (folder->path, "TALLY.room");
  int fd, code;

  if (!name)
    return linvo_fail_errno (err, folder->path, ENOMEM);
  fd = open (name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  code = fd == -1 ? errno : 0;
  if (fd != -1) {
    (void) unlink (name);
    code = posix_fallocate (fd, 0, (off_t) size);
    close (fd);
    /* Anything else means that this file system cannot tell. */
    if (code != ENOSPC && code != EDQUOT && code != EFBIG)
      code = 0;
  }
  free (name);
  return code ? linvo_fail_errno (err, folder->path, code) : TALLY_OK;
}

int
linvo_folder_held (const char *path, pid_t holder, struct tally_error *err)
{
  struct flock lock;
  char *name = join (path, "LOCK");
  int fd = name ? open (name, O_RDWR | O_CLOEXEC) : -1;

  memset (&lock, 0, sizeof lock);
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fd != -1) {
    if (fcntl (fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK
        && lock.l_pid > 0)
      holder = lock.l_pid;
    close (fd);
  }
  free (name);

  if (holder <= 0)
    return linvo_fail (err, TALLY_AGAIN, path,
                       "in use by another process; reach it through its "
                       "server, or stop it first");
  return linvo_fail (err, TALLY_AGAIN, path,
                     "in use by process %ld; reach it through its server, "
                     "or stop it first",
                     (long) holder);
}

/* The lock is flock's: it belongs to the descriptor, so it also keeps out a
 * second handle of this process, and closing another one does not drop it. */
static int
lock_marker (struct linvo_folder *folder, struct tally_error *err)
{
  struct marker marker;

  if (flock (folder->fd, LOCK_EX | LOCK_NB) == 0)
    return TALLY_OK;
  if (errno != EWOULDBLOCK)
    return linvo_fail_errno (err, folder->path, errno);
  if (!read_marker (folder->fd, &marker) || marker.holder > INT32_MAX)
    marker.holder = 0;
  if (marker.holder == (uint64_t) getpid ())
    return linvo_fail (err, TALLY_AGAIN, folder->path,
                       "in use by this process already");
  return linvo_folder_held (folder->path, (pid_t) marker.holder, err);
}

static int
open_marker (struct linvo_folder *folder, bool create, struct tally_error *err)
{
  char *name = join (folder->path, "TALLY");

  if (!name)
    return linvo_fail_errno (err, folder->path, ENOMEM);
  folder->fd = open (name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0666);
  free (name);
  if (folder->fd == -1)
    return linvo_fail_errno (err, folder->path, errno);
  return lock_marker (folder, err);
}

/* With the lock held: reads TALLY, or writes the first one. */
static int
settle (struct linvo_folder *folder, unsigned flags, struct tally_error *err)
{
  const char *path = folder->path;
  enum linvo_standing standing;
  struct marker marker;
  bool whole;
  int r;

  /* Another process may have finished one since the first look. */
  r = linvo_look (path, &standing, err);
  if (r == TALLY_OK)
    r = linvo_accept (path, standing, flags, err);
  if (r != TALLY_OK)
    return r;
  folder->fresh = standing != LINVO_STORE;

  whole = read_marker (folder->fd, &marker);
  if (!whole && folder->fresh && is_cut_short (folder->fd)) {
    memset (&marker, 0, sizeof marker);
    whole = true;
  }
  if (!whole || (marker.format == 0 && !folder->fresh))
    return linvo_fail (err, TALLY_CORRUPT, path, "its file TALLY is damaged");
  if (marker.format > LINVO_FORMAT)
    return linvo_fail (err, TALLY_UNSUPPORTED, path,
                       "has format %" PRIu64 ", made by a newer tally",
                       marker.format);
  if (marker.format > 0 && marker.format < LINVO_FORMAT)
    return linvo_fail (err, TALLY_UNSUPPORTED, path,
                       "has format %" PRIu64 ", made by an older tally; "
                       "export it with that one",
                       marker.format);
  if (!linvo_folder_mark (folder, marker.writes))
    return linvo_fail_errno (err, path, errno);
  if (!folder->fresh)
    return TALLY_OK;
  if (fsync (folder->fd) == -1)
    return linvo_fail_errno (err, path, errno);
  return sync_folder (path, err);
}

int
linvo_folder_open (struct linvo_folder *folder, const char *path,
                   unsigned flags, struct tally_error *err)
{
  enum linvo_standing standing;
  int r;

  folder->fd = -1;
  folder->fresh = false;
  folder->writes = 0;
  folder->path = strdup (path);
  if (!folder->path)
    return linvo_fail_errno (err, path, ENOMEM);

  r = linvo_look (path, &standing, err);
  if (r == TALLY_OK)
    r = linvo_accept (path, standing, flags, err);
  if (r == TALLY_OK && standing == LINVO_ABSENT)
    r = make_folder (path, err);
  if (r == TALLY_OK)
    r = open_marker (folder, standing != LINVO_STORE, err);
  if (r == TALLY_OK)
    r = settle (folder, flags, err);
  if (r != TALLY_OK)
    linvo_folder_close (folder);
  return r;
}

/* Unlocks by hand: a child that was forked meanwhile shares the lock. */
void
linvo_folder_close (struct linvo_folder *folder)
{
  if (folder->fd != -1) {
    (void) fsync (folder->fd);
    (void) flock (folder->fd, LOCK_UN);
    close (folder->fd);
  }
  free (folder->path);
  folder->fd = -1;
  folder->path = NULL;
}
