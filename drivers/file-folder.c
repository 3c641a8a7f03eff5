/* SPDX-License-Identifier: MIT */
/* The folder itself: opening it, making it durably, walks through it, and
 * what writers that were killed have left there. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"

#define TEMP_STALE_S 3600

int
file_open_at (int dir, const char *name, int flags, mode_t mode)
{
  int fd;

  do
    fd = openat (dir, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/* A folder of a file system that cannot sync folders (EINVAL) is as durable
 * as it gets. */
int
file_sync (int fd, bool folder)
{
  int r;

  do
    r = fsync (fd);
  while (r < 0 && errno == EINTR);
  if (r < 0 && folder && (errno == EINVAL || errno == ENOTSUP))
    r = 0;
  return r;
}

/* Each walk of the folder has a descriptor of its own, since descriptors that
 * are dup'ed share a position. */
DIR *
file_walk (const struct file *file)
{
  int fd = file_open_at (file->dir, ".", O_RDONLY | O_DIRECTORY, 0);
  DIR *walk;
  int code;

  if (fd < 0)
    return NULL;
  walk = fdopendir (fd);
  if (!walk) {
    code = errno;
    close (fd);
    errno = code;
  }
  return walk;
}

/* Clears away what writers that were killed have left.  Best effort: what
 * stays is ignored by everybody. */
void
file_folder_clear (const struct file *file)
{
  DIR *walk = file_walk (file);
  time_t now = time (NULL);
  const struct dirent *row;
  struct stat st;

  if (!walk)
    return;
  for (row = readdir (walk); row; row = readdir (walk))
    if (file_is_temp (row->d_name)
        && fstatat (file->dir, row->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
        && S_ISREG (st.st_mode) && now - st.st_mtime > TEMP_STALE_S)
      unlinkat (file->dir, row->d_name, 0);
  closedir (walk);
}

/* Makes the last level of the path, durably. */
static int
make_folder (const char *path, struct tally_error *err)
{
  char *parent = strdup (path);
  int status = TALLY_OK;
  char *slash;
  int fd;

  if (!parent)
    return file_fail (err, TALLY_FAILED, path, NULL, "out of memory");
  slash = strrchr (parent, '/');
  while (slash && slash > parent && !slash[1]) {
    *slash = '\0';
    slash = strrchr (parent, '/');
  }
  if (slash)
    slash[slash == parent] = '\0';

  if (mkdir (path, 0700) < 0 && errno != EEXIST) {
    if (errno == ENOENT)
      status = file_fail (err, TALLY_NOTFOUND, parent, NULL, "no such folder");
    else
      status = file_fail_errno (err, errno, path, NULL);
    goto out;
  }
  fd = open (slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    /* Not being allowed to sync somebody else's folder is no reason to
     * stop: nothing is in ours yet. */
    file_sync (fd, true);
    close (fd);
  }
out:
  free (parent);
  return status;
}

int
file_folder_open (const char *path, unsigned flags, int *dir,
                  struct tally_error *err)
{
  int status;

  *dir = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*dir < 0 && errno == ENOENT && (flags & TALLY_OPEN_CREATE)
      && !(flags & TALLY_OPEN_READONLY)) {
    status = make_folder (path, err);
    if (status != TALLY_OK)
      return status;
    *dir = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  if (*dir >= 0)
    return TALLY_OK;
  if (errno == ENOENT)
    return file_fail (err, TALLY_NOTFOUND, path, NULL, "no such folder");
  return file_fail_errno (err, errno, path, NULL);
}
