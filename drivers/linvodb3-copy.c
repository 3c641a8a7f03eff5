/* SPDX-License-Identifier: MIT */
/* Copies what LevelDB appends to or writes anew, links what it only reads,
 * and leaves out what it makes by itself. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linvodb3-copy.h"

/* NULL when out of memory. */
static char *
join (const char *folder, const char *name)
{
  size_t size = strlen (folder) + strlen (name) + 2;
  char *whole = malloc (size);

  if (whole)
    snprintf (whole, size, "%s/%s", folder, name);
  return whole;
}

static bool
ends_with (const char *name, const char *suffix)
{
  size_t size = strlen (name), n = strlen (suffix);

  return size > n && strcmp (name + size - n, suffix) == 0;
}

/* ---- looking ------------------------------------------------------------ */

static bool
has (const char *folder, const char *name)
{
  char *path = join (folder, name);
  bool there = path && access (path, F_OK) == 0;

  free (path);
  return there;
}

static int
look (const char *path, struct tally_error *err)
{
  struct stat st;

  if (stat (path, &st) != 0)
    return linvo_fail_errno (err, path, errno);
  if (!S_ISDIR (st.st_mode))
    return linvo_fail (err, TALLY_INVALID, path,
                       "is a file; a LinvoDB3 model is a folder");
  if (has (path, "TALLY"))
    return linvo_fail (err, TALLY_INVALID, path,
                       "is a store of tally's own; use export, or pair");
  if (!has (path, "CURRENT"))
    return linvo_fail (err, TALLY_INVALID, path,
                       "is no LinvoDB3 model: there is no CURRENT in it");
  return TALLY_OK;
}

/* A lock for reading needs no right to write, changes nothing, and keeps out
 * who wants to open the real one. */
static int
lock_real (struct linvodb3_copy *copy, const char *path,
           struct tally_error *err)
{
  struct flock want = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
  char *name = join (path, "LOCK");
  int status = TALLY_OK;

  if (!name)
    return linvo_fail_errno (err, path, ENOMEM);
  copy->lock = open (name, O_RDONLY | O_CLOEXEC);
  if (copy->lock < 0 && errno != ENOENT)
    status = linvo_fail_errno (err, name, errno);
  else if (copy->lock >= 0 && fcntl (copy->lock, F_SETLK, &want) != 0) {
    struct flock held = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

    if (errno != EAGAIN && errno != EACCES)
      status = linvo_fail_errno (err, name, errno);
    else if (fcntl (copy->lock, F_GETLK, &held) == 0 && held.l_type != F_UNLCK)
      status = linvo_fail (err, TALLY_AGAIN, path,
                           "in use by process %ld; stop it first",
                           (long) held.l_pid);
    else
      status = linvo_fail (err, TALLY_AGAIN, path, "in use");
  }
  free (name);
  return status;
}

/* ---- copying ------------------------------------------------------------ */

static int
write_all (int fd, const char *data, size_t size)
{
  while (size > 0) {
    ssize_t n = write (fd, data, size);

    if (n < 0 && errno != EINTR)
      return errno;
    if (n > 0) {
      data += n;
      size -= (size_t) n;
    }
  }
  return 0;
}

/* Returns an errno. */
static int
copy_file (const char *from, const char *to)
{
  char block[16384];
  int in = open (from, O_RDONLY | O_CLOEXEC), out, number = 0;
  ssize_t n = 1;

  if (in < 0)
    return errno;
  out = open (to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (out < 0)
    number = errno;
  while (number == 0 && n > 0) {
    n = read (in, block, sizeof block);
    if (n < 0 && errno == EINTR)
      n = 1;
    else if (n < 0)
      number = errno;
    else if (n > 0)
      number = write_all (out, block, (size_t) n);
  }
  if (out >= 0 && close (out) != 0 && number == 0)
    number = errno;
  close (in);
  return number;
}

static int
take_file (const struct linvodb3_copy *copy, const char *path,
           const char *name, struct tally_error *err)
{
  char *from = join (path, name), *to = join (copy->path, name);
  int number = 0;

  if (!from || !to)
    number = ENOMEM;
  else if (ends_with (name, ".ldb") || ends_with (name, ".sst"))
    number = symlink (from, to) == 0 ? 0 : errno;
  else if (ends_with (name, ".log") || strcmp (name, "CURRENT") == 0
           || strncmp (name, "MANIFEST-", 9) == 0)
    number = copy_file (from, to);
  free (to);
  free (from);
  return number == 0 ? TALLY_OK : linvo_fail_errno (err, path, number);
}

static int
take_files (const struct linvodb3_copy *copy, const char *path,
            struct tally_error *err)
{
  DIR *dir = opendir (path);
  struct dirent *entry;
  int status = TALLY_OK;

  if (!dir)
    return linvo_fail_errno (err, path, errno);
  for (entry = readdir (dir); entry && status == TALLY_OK;
       entry = readdir (dir))
    status = take_file (copy, path, entry->d_name, err);
  closedir (dir);
  return status;
}

int
linvodb3_copy_make (struct linvodb3_copy *copy, const char *path,
                    struct tally_error *err)
{
  const char *temporary = getenv ("TMPDIR");
  int status = look (path, err);

  copy->path = NULL;
  copy->lock = -1;
  if (status == TALLY_OK)
    status = lock_real (copy, path, err);
  if (status == TALLY_OK) {
    copy->path = join (temporary && *temporary ? temporary : "/tmp",
                       "tally-linvodb3-XXXXXX");
    if (!copy->path)
      status = linvo_fail_errno (err, path, ENOMEM);
    else if (!mkdtemp (copy->path)) {
      status = linvo_fail_errno (err, copy->path, errno);
      free (copy->path);
      copy->path = NULL;
    }
  }
  if (status == TALLY_OK)
    status = take_files (copy, path, err);
  if (status != TALLY_OK)
    linvodb3_copy_remove (copy);
  return status;
}

void
linvodb3_copy_remove (struct linvodb3_copy *copy)
{
  DIR *dir = copy->path ? opendir (copy->path) : NULL;
  struct dirent *entry;

  if (dir) {
    for (entry = readdir (dir); entry; entry = readdir (dir))
      (void) unlinkat (dirfd (dir), entry->d_name, 0);
    closedir (dir);
  }
  if (copy->path)
    (void) rmdir (copy->path);
  free (copy->path);
  copy->path = NULL;
  if (copy->lock >= 0)
    close (copy->lock);
  copy->lock = -1;
}
