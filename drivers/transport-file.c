/* SPDX-License-Identifier: MIT */
/* The file transport: a folder that machines share (a stick, NFS, a folder
 * that Syncthing or Dropbox copies) as named blobs.  Anybody may write into
 * such a folder, so nothing in it is trusted: every call works relative to
 * one descriptor of the folder, names are checked here again, links are not
 * followed, and what is not a regular file is not a blob. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static int
file_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  const char *path = values[0].text;
  struct file *file = NULL;
  int status;

  if (!path || !*path)
    return file_fail (err, TALLY_INVALID, "path", NULL, "is empty");
  file = calloc (1, sizeof *file);
  if (!file)
    return file_fail (err, TALLY_FAILED, path, NULL, "out of memory");
  file->host = host;
  file->path = strdup (path);
  if (!file->path) {
    status = file_fail (err, TALLY_FAILED, path, NULL, "out of memory");
    goto out;
  }
  status = file_folder_open (path, flags, &file->dir, err);
  if (status != TALLY_OK)
    goto out;
  if (!(flags & TALLY_OPEN_READONLY))
    file_folder_clear (file);
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

static const struct tally_option file_options[] = {
  { .name = "path",
    .type = TALLY_OPTION_PATH,
    .flags = TALLY_OPTION_REQUIRED,
    .help = "the folder that the machines share" },
  { .name = NULL }
};

static const struct tally_transport file_transport = {
  TALLY_TRANSPORT_INIT,  .threads = TALLY_THREADS_ANY,
  .open = file_open,     .close = file_close,
  .list = file_list,     .read = file_read,
  .create = file_create, .remove = file_remove
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
