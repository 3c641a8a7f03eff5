/* SPDX-License-Identifier: MIT */
/* The few errnos that users meet, worded as all messages are. */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "reason.h"

static const struct {
  int number;
  const char *text;
} reasons[] = {
  { ENOENT, "no such file or folder" },
  { EACCES, "permission denied" },
  { EPERM, "not permitted" },
  { EISDIR, "is a folder" },
  { ENOTDIR, "a part of the path is not a folder" },
  { EEXIST, "is there already" },
  { ENAMETOOLONG, "the name is too long" },
  { ELOOP, "too many symbolic links" },
  { ENOSPC, "disk is full" },
  { EROFS, "the file system is read-only" },
  { EIO, "input or output error" },
  { EMFILE, "too many open files" },
  { ENFILE, "too many open files in the system" },
  { ENOMEM, "out of memory" },
};

const char *
reason_errno (int number)
{
  size_t i;

  for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].number == number)
      return reasons[i].text;
  return strerror (number);
}
