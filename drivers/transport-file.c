/* SPDX-License-Identifier: MIT */
/* The file transport: a folder that machines share (a stick, NFS, a folder
 * that Syncthing or Dropbox copies) as named blobs.  Anybody may write into
 * such a folder, so nothing in it is trusted: every call works relative to
 * one descriptor of the folder, names are checked here again, links are not
 * followed, and what is not a regular file is not a blob. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2 */
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tally/driver.h>

#define BLOB_MAX ((size_t) 256 << 20)
#define CHUNK ((size_t) 1 << 20) /* between two looks at host->cancelled */
#define NAME_SIZE_MAX 250
#define TEMP_HEAD ".tally-"
#define TEMP_TAIL ".tmp"
#define TEMP_HEX 16
#define TEMP_SIZE (sizeof TEMP_HEAD + TEMP_HEX + sizeof TEMP_TAIL - 1)
#define TEMP_STALE_S 3600

/* Does not change between open and close: that is why any thread may call. */
struct file
{
  const struct tally_host *host;
  char *path; /* for messages, and to see whether it is still this folder */
  int dir;
};

/* Of a long path the end is kept: that is where paths differ, and the reason
 * must not be cut. */
static int
fail (struct tally_error *err, int status, const char *path, const char *name,
      const char *reason)
{
  char object[sizeof err->text];
  size_t room = sizeof err->text - sizeof ": " - strlen (reason);
  const char *tail = path;
  size_t need = strlen (path) + (name ? 1 + strlen (name) : 0);

  if (need > room)
    {
      tail += need - room + 3 > strlen (path) ? strlen (path)
                                              : need - room + 3;
      while (((unsigned char) *tail & 0xc0) == 0x80)
        tail++;
    }
  snprintf (object, sizeof object, "%s%s%s%s", tail == path ? "" : "...",
            tail, name ? "/" : "", name ? name : "");
  err->status = status;
  snprintf (err->text, sizeof err->text, "%.*s: %s", (int) room, object,
            reason);
  return status;
}

/* Says what errno means here. */
static int
fail_errno (struct tally_error *err, int code, const char *path,
            const char *name)
{
  char text[32];

  switch (code)
    {
    case ENOSPC:
    case EDQUOT:
      return fail (err, TALLY_FAILED, path, NULL, "disk is full");
    case EFBIG:
      return fail (err, TALLY_FAILED, path, name, "file would be too large");
    case EACCES:
    case EPERM:
      return fail (err, TALLY_DENIED, path, name, "permission denied");
    case EROFS:
      return fail (err, TALLY_DENIED, path, NULL, "read-only file system");
    case ESTALE:
    case ENODEV:
    case ENXIO:
    case ENOTCONN:
    case ESHUTDOWN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ETIMEDOUT:
      return fail (err, TALLY_AGAIN, path, NULL, "is gone");
    case EMFILE:
    case ENFILE:
      return fail (err, TALLY_AGAIN, path, name, "too many open files");
    case EIO:
      return fail (err, TALLY_FAILED, path, name, "input/output error");
    case ENOMEM:
      return fail (err, TALLY_FAILED, path, name, "out of memory");
    case ENOTDIR:
      return fail (err, TALLY_FAILED, path, name, "not a folder");
    default:
      snprintf (text, sizeof text, "system error %d", code);
      return fail (err, TALLY_FAILED, path, name, text);
    }
}

/* A descriptor outlives the folder's removal and a lazy unmount, and then
 * shows a folder without blobs: so ask whether the path still leads to it. */
static int
check_folder (const struct file *file, struct tally_error *err)
{
  struct stat held, named;

  if (fstat (file->dir, &held) < 0)
    return fail_errno (err, errno, file->path, NULL);
  if (stat (file->path, &named) < 0)
    {
      if (errno == ENOENT || errno == ENOTDIR)
        return fail (err, TALLY_AGAIN, file->path, NULL, "is gone");
      return fail_errno (err, errno, file->path, NULL);
    }
  if (held.st_nlink == 0 || held.st_dev != named.st_dev
      || held.st_ino != named.st_ino)
    return fail (err, TALLY_AGAIN, file->path, NULL, "is gone");
  return TALLY_OK;
}

/* A call on a blob did not work.  Of a stick that was pulled a system says
 * all sorts of things: the folder being gone comes first. */
static int
fail_call (const struct file *file, int code, const char *name,
           struct tally_error *err)
{
  int status = check_folder (file, err);

  if (status != TALLY_OK)
    return status;
  if (code == ENOENT)
    return fail (err, TALLY_NOTFOUND, file->path, name, "no such blob");
  return fail_errno (err, code, file->path, name);
}

static bool
cancelled (const struct file *file)
{
  return file->host->cancelled (file->host->ctx) != 0;
}

static int
fail_cancelled (const struct file *file, const char *name,
                struct tally_error *err)
{
  return fail (err, TALLY_CANCELLED, file->path, name, "cancelled");
}

static bool
is_blob_name (const char *name)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789._-";
  size_t size = strnlen (name, NAME_SIZE_MAX + 1);

  return size > 0 && size <= NAME_SIZE_MAX && name[0] != '.'
         && strspn (name, letters) == size;
}

/* The name itself is left out of the message: it may hold anything. */
static int
check_name (const struct file *file, const char *name,
            struct tally_error *err)
{
  if (!is_blob_name (name))
    return fail (err, TALLY_INVALID, file->path, NULL, "bad blob name");
  return TALLY_OK;
}

static bool
is_temp_name (const char *name)
{
  size_t head = sizeof TEMP_HEAD - 1;

  return strlen (name) == TEMP_SIZE - 1
         && strncmp (name, TEMP_HEAD, head) == 0
         && strspn (name + head, "0123456789abcdef") == TEMP_HEX
         && strcmp (name + head + TEMP_HEX, TEMP_TAIL) == 0;
}

static int
open_at (int dir, const char *name, int flags, mode_t mode)
{
  int fd;

  do
    fd = openat (dir, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/* A folder of a file system that cannot sync folders (EINVAL) is as durable
 * as it gets. */
static int
sync_fd (int fd, bool folder)
{
  int r;

  do
    r = fsync (fd);
  while (r < 0 && errno == EINTR);
  if (r < 0 && folder && (errno == EINVAL || errno == ENOTSUP))
    r = 0;
  return r;
}

/* ---- open and close ---------------------------------------------------- */

/* Each walk of the folder has a descriptor of its own, since descriptors that
 * are dup'ed share a position. */
static DIR *
open_walk (const struct file *file)
{
  int fd = open_at (file->dir, ".", O_RDONLY | O_DIRECTORY, 0);
  DIR *walk;
  int code;

  if (fd < 0)
    return NULL;
  walk = fdopendir (fd);
  if (!walk)
    {
      code = errno;
      close (fd);
      errno = code;
    }
  return walk;
}

/* Clears away what writers that were killed have left.  Best effort: what
 * stays is ignored by everybody. */
static void
remove_stale (const struct file *file)
{
  DIR *walk = open_walk (file);
  time_t now = time (NULL);
  const struct dirent *row;
  struct stat st;

  if (!walk)
    return;
  for (row = readdir (walk); row; row = readdir (walk))
    if (is_temp_name (row->d_name)
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
    return fail (err, TALLY_FAILED, path, NULL, "out of memory");
  slash = strrchr (parent, '/');
  while (slash && slash > parent && !slash[1])
    {
      *slash = '\0';
      slash = strrchr (parent, '/');
    }
  if (slash)
    slash[slash == parent] = '\0';

  if (mkdir (path, 0700) < 0 && errno != EEXIST)
    {
      if (errno == ENOENT)
        status = fail (err, TALLY_NOTFOUND, parent, NULL, "no such folder");
      else
        status = fail_errno (err, errno, path, NULL);
      goto out;
    }
  fd = open (slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0)
    {
      /* Not being allowed to sync somebody else's folder is no reason to
       * stop: nothing is in ours yet. */
      sync_fd (fd, true);
      close (fd);
    }
out:
  free (parent);
  return status;
}

static int
open_folder (const char *path, unsigned flags, int *dir,
             struct tally_error *err)
{
  int status;

  *dir = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*dir < 0 && errno == ENOENT && (flags & TALLY_OPEN_CREATE)
      && !(flags & TALLY_OPEN_READONLY))
    {
      status = make_folder (path, err);
      if (status != TALLY_OK)
        return status;
      *dir = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
  if (*dir >= 0)
    return TALLY_OK;
  if (errno == ENOENT)
    return fail (err, TALLY_NOTFOUND, path, NULL, "no such folder");
  return fail_errno (err, errno, path, NULL);
}

static int
file_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  const char *path = values[0].text;
  struct file *file = NULL;
  int status;

  if (!path || !*path)
    return fail (err, TALLY_INVALID, "path", NULL, "is empty");
  file = calloc (1, sizeof *file);
  if (!file)
    return fail (err, TALLY_FAILED, path, NULL, "out of memory");
  file->host = host;
  file->path = strdup (path);
  if (!file->path)
    {
      status = fail (err, TALLY_FAILED, path, NULL, "out of memory");
      goto out;
    }
  status = open_folder (path, flags, &file->dir, err);
  if (status != TALLY_OK)
    goto out;
  if (!(flags & TALLY_OPEN_READONLY))
    remove_stale (file);
  *handle = file;
  file = NULL;
out:
  if (file)
    free (file->path);
  free (file);
  return status;
}

static void
file_close (void *handle)
{
  struct file *file = handle;

  close (file->dir);
  free (file->path);
  free (file);
}

/* ---- list and read ----------------------------------------------------- */

static bool
is_regular (const struct file *file, const struct dirent *row)
{
  struct stat st;

  if (row->d_type != DT_UNKNOWN)
    return row->d_type == DT_REG;
  return fstatat (file->dir, row->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
         && S_ISREG (st.st_mode);
}

static int
file_list (void *handle, const char *prefix, tally_emit_name *emit, void *ctx,
           struct tally_error *err)
{
  const struct file *file = handle;
  size_t prefix_size = strlen (prefix);
  const struct dirent *row;
  int status = TALLY_OK;
  DIR *walk = open_walk (file);

  if (!walk)
    return fail_call (file, errno, NULL, err);
  while (!cancelled (file))
    {
      errno = 0;
      row = readdir (walk);
      if (!row)
        {
          /* The end, an error, or a folder that was removed: that one, too,
           * just ends. */
          if (errno)
            status = fail_call (file, errno, NULL, err);
          else
            status = check_folder (file, err);
          goto out;
        }
      if (strncmp (row->d_name, prefix, prefix_size) == 0
          && is_blob_name (row->d_name) && is_regular (file, row)
          && emit (ctx, row->d_name))
        goto out;
    }
  status = fail_cancelled (file, NULL, err);
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
    return fail_call (file, errno, name, err);
  if (S_ISREG (st.st_mode))
    {
      *fd = open_at (file->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
      if (*fd < 0 || fstat (*fd, &st) < 0)
        return fail_call (file, errno, name, err);
    }
  if (!S_ISREG (st.st_mode))
    return fail (err, TALLY_FAILED, file->path, name, "not a regular file");
  if (st.st_size < 0 || (uintmax_t) st.st_size > BLOB_MAX)
    return fail (err, TALLY_UNSUPPORTED, file->path, name,
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

  while (done <= size)
    {
      if (cancelled (file))
        return fail_cancelled (file, name, err);
      /* data has room for a byte more than should be there. */
      got = read (fd, data + done,
                  size + 1 - done < CHUNK ? size + 1 - done : CHUNK);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return fail_call (file, errno, name, err);
      if (got == 0)
        break;
      done += (size_t) got;
    }
  if (done != size)
    return fail (err, TALLY_AGAIN, file->path, name,
                 "changed while it was read");
  return TALLY_OK;
}

static int
file_read (void *handle, const char *name, tally_emit_bytes *emit, void *ctx,
           struct tally_error *err)
{
  const struct file *file = handle;
  char *data = NULL;
  size_t size = 0;
  int fd = -1;
  int status = check_name (file, name, err);

  if (status != TALLY_OK)
    return status;
  status = open_blob (file, name, &fd, &size, err);
  if (status != TALLY_OK)
    goto out;
  data = malloc (size + 1);
  if (!data)
    {
      status = fail (err, TALLY_FAILED, file->path, name, "out of memory");
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

/* ---- create and remove ------------------------------------------------- */

/* Opens a file of a name that nobody else has. */
static int
open_temp (const struct file *file, char temp[TEMP_SIZE], int *fd,
           struct tally_error *err)
{
  unsigned char random[TEMP_HEX / 2];
  size_t i;

  do
    {
      if (getrandom (random, sizeof random, 0) != (ssize_t) sizeof random)
        return fail_errno (err, errno, file->path, NULL);
      memcpy (temp, TEMP_HEAD, sizeof TEMP_HEAD);
      for (i = 0; i < sizeof random; i++)
        snprintf (temp + sizeof TEMP_HEAD - 1 + 2 * i, 3, "%02x", random[i]);
      memcpy (temp + TEMP_SIZE - sizeof TEMP_TAIL, TEMP_TAIL,
              sizeof TEMP_TAIL);
      *fd = open_at (file->dir, temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
    }
  while (*fd < 0 && errno == EEXIST);
  return *fd < 0 ? fail_call (file, errno, NULL, err) : TALLY_OK;
}

static int
write_blob (const struct file *file, const char *name, int fd,
            const char *data, size_t size, struct tally_error *err)
{
  ssize_t put;

  while (size > 0)
    {
      if (cancelled (file))
        return fail_cancelled (file, name, err);
      put = write (fd, data, size < CHUNK ? size : CHUNK);
      if (put < 0 && errno == EINTR)
        continue;
      if (put < 0)
        return fail_call (file, errno, name, err);
      data += put;
      size -= (size_t) put;
    }
  if (sync_fd (fd, false) < 0)
    return fail_call (file, errno, name, err);
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
      || code == EMLINK)
    {
#ifdef RENAME_NOREPLACE
      if (renameat2 (file->dir, temp, file->dir, name, RENAME_NOREPLACE) == 0)
        return TALLY_OK;
      code = errno;
#else
      code = EINVAL;
#endif
      if (code == EINVAL || code == ENOTSUP || code == ENOSYS)
        return fail (err, TALLY_UNSUPPORTED, file->path, NULL,
                     "file system has neither hard links nor a rename that "
                     "does not replace (exFAT over FUSE?)");
    }
  if (code == EEXIST)
    return fail (err, TALLY_CONFLICT, file->path, name, "exists");
  return fail_call (file, code, name, err);
}

/* Cheap refusals, before anything is written. */
static int
check_create (const struct file *file, const char *name, size_t size,
              struct tally_error *err)
{
  struct stat st;
  int status = check_name (file, name, err);

  if (status == TALLY_OK)
    status = check_folder (file, err);
  if (status != TALLY_OK)
    return status;
  if (size > BLOB_MAX)
    return fail (err, TALLY_INVALID, file->path, name, "larger than 256 MiB");
  if (fstatat (file->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return fail (err, TALLY_CONFLICT, file->path, name, "exists");
  return TALLY_OK;
}

static int
file_create (void *handle, const char *name, const void *data, size_t size,
             struct tally_error *err)
{
  const struct file *file = handle;
  char temp[TEMP_SIZE];
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
    status = fail_call (file, errno, name, err);
  if (status == TALLY_OK)
    status = publish (file, temp, name, err);
  /* After a rename there is nothing left to unlink. */
  unlinkat (file->dir, temp, 0);
  /* A failure from here on leaves the blob: others may have read it. */
  if (status == TALLY_OK && sync_fd (file->dir, true) < 0)
    status = fail_call (file, errno, name, err);
  return status;
}

/* Not synced: a blob that comes back after a power cut is removed again. */
static int
file_remove (void *handle, const char *name, struct tally_error *err)
{
  const struct file *file = handle;
  struct stat st;
  int status = check_name (file, name, err);

  if (status == TALLY_OK)
    status = check_folder (file, err);
  if (status != TALLY_OK)
    return status;
  if (fstatat (file->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    {
      if (!S_ISREG (st.st_mode))
        return fail (err, TALLY_FAILED, file->path, name,
                     "not a regular file");
      if (unlinkat (file->dir, name, 0) == 0)
        return TALLY_OK;
    }
  return errno == ENOENT ? TALLY_OK : fail_call (file, errno, name, err);
}

/* ---- tables ------------------------------------------------------------ */

static const struct tally_option file_options[] = {
  { .name = "path",
    .type = TALLY_OPTION_PATH,
    .flags = TALLY_OPTION_REQUIRED,
    .help = "the folder that the machines share" },
  { .name = NULL }
};

static const struct tally_transport file_transport = {
  TALLY_TRANSPORT_INIT,
  .threads = TALLY_THREADS_ANY,
  .open = file_open,
  .close = file_close,
  .list = file_list,
  .read = file_read,
  .create = file_create,
  .remove = file_remove
};

static const struct tally_driver file_driver = {
  TALLY_DRIVER_INIT,
  .name = "file",
  .version = "1.0",
  .summary = "a shared folder: a stick, NFS, Syncthing or Dropbox",
  .options = file_options,
  .transport = &file_transport
};

TALLY_DRIVER (file_driver)
