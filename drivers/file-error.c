/* SPDX-License-Identifier: MIT */
/* What can be said of a folder that does not work, and whether it is still
 * there at all: of a stick that was pulled a system says all sorts of
 * things. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

/* Of a long path the end is kept: that is where paths differ, and the reason
 * must not be cut. */
int
file_fail (struct tally_error *err, int status, const char *path,
           const char *name, const char *reason)
{
  char object[sizeof err->text];
  size_t room = sizeof err->text - sizeof ": " - strlen (reason);
  const char *tail = path;
  size_t need = strlen (path) + (name ? 1 + strlen (name) : 0);

  if (need > room) {
    tail += need - room + 3 > strlen (path) ? strlen (path) : need - room + 3;
    while (((unsigned char) *tail & 0xc0) == 0x80)
      tail++;
  }
  snprintf (object, sizeof object, "%s%s%s%s", tail == path ? "" : "...", tail,
            name ? "/" : "", name ? name : "");
  err->status = status;
  snprintf (err->text, sizeof err->text, "%.*s: %s", (int) room, object,
            reason);
  return status;
}

/* Says what errno means here. */
int
file_fail_errno (struct tally_error *err, int code, const char *path,
                 const char *name)
{
  char text[32];

  switch (code) {
  case ENOSPC:
  case EDQUOT:
    return file_fail (err, TALLY_FAILED, path, NULL, "disk is full");
  case EFBIG:
    return file_fail (err, TALLY_FAILED, path, name,
                      "file would be too large");
  case EACCES:
  case EPERM:
    return file_fail (err, TALLY_DENIED, path, name, "permission denied");
  case EROFS:
    return file_fail (err, TALLY_DENIED, path, NULL, "read-only file system");
  case ESTALE:
  case ENODEV:
  case ENXIO:
  case ENOTCONN:
  case ESHUTDOWN:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ETIMEDOUT:
    return file_fail (err, TALLY_AGAIN, path, NULL, "is gone");
  case EMFILE:
  case ENFILE:
    return file_fail (err, TALLY_AGAIN, path, name, "too many open files");
  case EIO:
    return file_fail (err, TALLY_FAILED, path, name, "input/output error");
  case ENOMEM:
    return file_fail (err, TALLY_FAILED, path, name, "out of memory");
  case ENOTDIR:
    return file_fail (err, TALLY_FAILED, path, name, "not a folder");
  default:
    snprintf (text, sizeof text, "system error %d", code);
    return file_fail (err, TALLY_FAILED, path, name, text);
  }
}

/* A descriptor outlives the folder's removal and a lazy unmount, and then
 * shows a folder without blobs: so ask whether the path still leads to it. */
int
file_check (const struct file *file, struct tally_error *err)
{
  struct stat held, named;

  if (fstat (file->dir, &held) < 0)
    return file_fail_errno (err, errno, file->path, NULL);
  if (stat (file->path, &named) < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      return file_fail (err, TALLY_AGAIN, file->path, NULL, "is gone");
    return file_fail_errno (err, errno, file->path, NULL);
  }
  if (held.st_nlink == 0 || held.st_dev != named.st_dev
      || held.st_ino != named.st_ino)
    return file_fail (err, TALLY_AGAIN, file->path, NULL, "is gone");
  return TALLY_OK;
}

/* A call on a blob did not work.  Of a stick that was pulled a system says
 * all sorts of things: the folder being gone comes first. */
int
file_fail_call (const struct file *file, int code, const char *name,
                struct tally_error *err)
{
  int status = file_check (file, err);

  if (status != TALLY_OK)
    return status;
  if (code == ENOENT)
    return file_fail (err, TALLY_NOTFOUND, file->path, name, "no such blob");
  return file_fail_errno (err, code, file->path, name);
}

bool
file_cancelled (const struct file *file)
{
  return file->host->cancelled (file->host->ctx) != 0;
}

int
file_fail_cancelled (const struct file *file, const char *name,
                     struct tally_error *err)
{
  return file_fail (err, TALLY_CANCELLED, file->path, name, "cancelled");
}
