/* SPDX-License-Identifier: MIT */
/* A blob comes into being whole or not at all, and never in the place of
 * another: it is written under a name that nobody reads, synced, and then
 * given its own. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2 */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

/* Opens a file of a name that nobody else has. */
static int
open_temp (const struct file *file, char temp[FILE_TEMP_SIZE], int *fd,
           struct tally_error *err)
{
  do {
    if (file_temp_name (temp) < 0)
      return file_fail_errno (err, errno, file->path, NULL);
    *fd = file_open_at (file->dir, temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
  } while (*fd < 0 && errno == EEXIST);
  return *fd < 0 ? file_fail_call (file, errno, NULL, err) : TALLY_OK;
}

static int
write_blob (const struct file *file, const char *name, int fd,
            const char *data, size_t size, struct tally_error *err)
{
  ssize_t put;

  while (size > 0) {
    if (file_cancelled (file))
      return file_fail_cancelled (file, name, err);
    put = write (fd, data, size < FILE_CHUNK ? size : FILE_CHUNK);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return file_fail_call (file, errno, name, err);
    data += put;
    size -= (size_t) put;
  }
  if (file_sync (fd, false) < 0)
    return file_fail_call (file, errno, name, err);
  return TALLY_OK;
}

/* Gives the whole file its name, unless the name is taken: a hard link does,
 * and where there are none (FAT), a rename that does not replace.  There is
 * no third way: writing under the final name is not atomic, and a rename that
 * replaces would break a blob of somebody else's. */
static int
publish (const struct file *file, const char *temp, const char *name,
         struct tally_error *err)
{
  struct stat st;
  int code;

  if (linkat (file->dir, temp, file->dir, name, 0) == 0)
    return TALLY_OK;
  code = errno;
  /* NFS says "exists" when its first answer was lost and it asked again. */
  if (code == EEXIST
      && fstatat (file->dir, temp, &st, AT_SYMLINK_NOFOLLOW) == 0
      && st.st_nlink == 2)
    return TALLY_OK;
  if (code == EPERM || code == EACCES || code == ENOTSUP || code == ENOSYS
      || code == EMLINK) {
#ifdef RENAME_NOREPLACE
    if (renameat2 (file->dir, temp, file->dir, name, RENAME_NOREPLACE) == 0)
      return TALLY_OK;
    code = errno;
#else
    code = EINVAL;
#endif
    if (code == EINVAL || code == ENOTSUP || code == ENOSYS)
      return file_fail (err, TALLY_UNSUPPORTED, file->path, NULL,
                        "file system has neither hard links nor a rename "
                        "that does not replace (exFAT over FUSE?)");
  }
  if (code == EEXIST)
    return file_fail (err, TALLY_CONFLICT, file->path, name, "exists");
  return file_fail_call (file, code, name, err);
}

/* Cheap refusals, before anything is written. */
static int
check_create (const struct file *file, const char *name, size_t size,
              struct tally_error *err)
{
  struct stat st;
  int status = file_check_name (file, name, err);

  if (status == TALLY_OK)
    status = file_check (file, err);
  if (status != TALLY_OK)
    return status;
  if (size > FILE_BLOB_MAX)
    return file_fail (err, TALLY_INVALID, file->path, name,
                      "larger than 256 MiB");
  if (fstatat (file->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return file_fail (err, TALLY_CONFLICT, file->path, name, "exists");
  return TALLY_OK;
}

int
file_create (void *handle, const char *name, const void *data, size_t size,
             struct tally_error *err)
{
  const struct file *file = handle;
  char temp[FILE_TEMP_SIZE];
  int fd = -1;
  int status = check_create (file, name, size, err);

  if (status != TALLY_OK)
    return status;
  status = open_temp (file, temp, &fd, err);
  if (status != TALLY_OK)
    return status;
  status = write_blob (file, name, fd, data, size, err);
  /* Closing is where some network file systems tell of a full disk. */
  if (close (fd) < 0 && status == TALLY_OK && errno != EINTR)
    status = file_fail_call (file, errno, name, err);
  if (status == TALLY_OK)
    status = publish (file, temp, name, err);
  /* After a rename there is nothing left to unlink. */
  unlinkat (file->dir, temp, 0);
  /* A failure from here on leaves the blob: others may have read it. */
  if (status == TALLY_OK && file_sync (file->dir, true) < 0)
    status = file_fail_call (file, errno, name, err);
  return status;
}

/* Not synced: a blob that comes back after a power cut is removed again. */
int
file_remove (void *handle, const char *name, struct tally_error *err)
{
  const struct file *file = handle;
  struct stat st;
  int status = file_check_name (file, name, err);

  if (status == TALLY_OK)
    status = file_check (file, err);
  if (status != TALLY_OK)
    return status;
  if (fstatat (file->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG (st.st_mode))
      return file_fail (err, TALLY_FAILED, file->path, name,
                        "not a regular file");
    if (unlinkat (file->dir, name, 0) == 0)
      return TALLY_OK;
  }
  return errno == ENOENT ? TALLY_OK : file_fail_call (file, errno, name, err);
}
