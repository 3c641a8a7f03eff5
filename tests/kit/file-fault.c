/* SPDX-License-Identifier: MIT */
/* Put in front of libc's, to fail or cut short as a disk or NFS would. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2 */
#endif

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file-kit.h"

struct kit_fault kit_fault;

static bool
interrupted (void)
{
  static bool last;

  last = kit_fault.interrupts && !last;
  if (last)
    errno = EINTR;
  return last;
}

int
linkat (int from_dir, const char *from, int to_dir, const char *to, int flags)
{
  int r = 0;

  if (!kit_fault.link_errno || kit_fault.link_happens)
    r = (int) syscall (SYS_linkat, from_dir, from, to_dir, to, flags);
  if (!kit_fault.link_errno)
    return r;
  errno = kit_fault.link_errno;
  return -1;
}

int
renameat2 (int from_dir, const char *from, int to_dir, const char *to,
           unsigned flags)
{
  if (!kit_fault.rename_errno)
    return (int) syscall (SYS_renameat2, from_dir, from, to_dir, to, flags);
  errno = kit_fault.rename_errno;
  return -1;
}

int
fsync (int fd)
{
  if (interrupted ())
    return -1;
  if (!kit_fault.fsync_errno || kit_fault.fsync_skip-- > 0)
    return (int) syscall (SYS_fsync, fd);
  errno = kit_fault.fsync_errno;
  return -1;
}

ssize_t
write (int fd, const void *data, size_t size)
{
  if (interrupted ())
    return -1;
  if (kit_fault.write_short && size > 3)
    size = 3;
  if (!kit_fault.write_errno || fd <= STDERR_FILENO)
    return syscall (SYS_write, fd, data, size);
  errno = kit_fault.write_errno;
  return -1;
}
