/* SPDX-License-Identifier: MIT */
/* What is in the folder.  Anybody may have put anything there, and may change
 * it while we look. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* d_type */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

static bool
is_regular (const struct file *file, const struct dirent *row)
{
  struct stat st;

  if (row->d_type != DT_UNKNOWN)
    return row->d_type == DT_REG;
  return fstatat (file->dir, row->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
         && S_ISREG (st.st_mode);
}

int
file_list (void *handle, const char *prefix, tally_emit_name *emit, void *ctx,
           struct tally_error *err)
{
  const struct file *file = handle;
  size_t prefix_size = strlen (prefix);
  const struct dirent *row;
  int status = TALLY_OK;
  DIR *walk = file_walk (file);

  if (!walk)
    return file_fail_call (file, errno, NULL, err);
  while (!file_cancelled (file)) {
    errno = 0;
    row = readdir (walk);
    if (!row) {
      /* The end, an error, or a folder that was removed: that one, too,
       * just ends. */
      if (errno)
        status = file_fail_call (file, errno, NULL, err);
      else
        status = file_check (file, err);
      goto out;
    }
    if (strncmp (row->d_name, prefix, prefix_size) == 0
        && file_is_blob (row->d_name) && is_regular (file, row)
        && emit (ctx, row->d_name))
      goto out;
  }
  status = file_fail_cancelled (file, NULL, err);
out:
  closedir (walk);
  return status;
}

/* Looks before it opens, since opening a device can do things; O_NONBLOCK,
 * since what was looked at can be swapped for a fifo. */
static int
open_blob (const struct file *file, const char *name, int *fd, size_t *size,
           struct tally_error *err)
{
  struct stat st;

  *fd = -1;
  if (fstatat (file->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return file_fail_call (file, errno, name, err);
  if (S_ISREG (st.st_mode)) {
    *fd = file_open_at (file->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (*fd < 0 || fstat (*fd, &st) < 0)
      return file_fail_call (file, errno, name, err);
  }
  if (!S_ISREG (st.st_mode))
    return file_fail (err, TALLY_FAILED, file->path, name,
                      "not a regular file");
  if (st.st_size < 0 || (uintmax_t) st.st_size > FILE_BLOB_MAX)
    return file_fail (err, TALLY_UNSUPPORTED, file->path, name,
                      "larger than 256 MiB");
  *size = (size_t) st.st_size;
  return TALLY_OK;
}

/* Reads to the end, which is where the size said, or something else is
 * writing the file. */
static int
read_blob (const struct file *file, const char *name, int fd, char *data,
           size_t size, struct tally_error *err)
{
  size_t done = 0;
  ssize_t got;

  while (done <= size) {
    if (file_cancelled (file))
      return file_fail_cancelled (file, name, err);
    /* data has room for a byte more than should be there. */
    got = read (fd, data + done,
                size + 1 - done < FILE_CHUNK ? size + 1 - done : FILE_CHUNK);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return file_fail_call (file, errno, name, err);
    if (got == 0)
      break;
    done += (size_t) got;
  }
  if (done != size)
    return file_fail (err, TALLY_AGAIN, file->path, name,
                      "changed while it was read");
  return TALLY_OK;
}

int
file_read (void *handle, const char *name, tally_emit_bytes *emit, void *ctx,
           struct tally_error *err)
{
  const struct file *file = handle;
  char *data = NULL;
  size_t size = 0;
  int fd = -1;
  int status = file_check_name (file, name, err);

  if (status != TALLY_OK)
    return status;
  status = open_blob (file, name, &fd, &size, err);
  if (status != TALLY_OK)
    goto out;
  data = malloc (size + 1);
  if (!data) {
    status = file_fail (err, TALLY_FAILED, file->path, name, "out of memory");
    goto out;
  }
  status = read_blob (file, name, fd, data, size, err);
  if (status == TALLY_OK)
    emit (ctx, data, size);
out:
  free (data);
  if (fd >= 0)
    close (fd);
  return status;
}
