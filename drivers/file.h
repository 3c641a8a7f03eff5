/* SPDX-License-Identifier: MIT */
/* What the files of the file transport share: a handle, how it reports, names
 * and descriptors, and the calls of the table that are not next to it. */

#ifndef TALLY_FILE_H
#define TALLY_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/types.h>

#include <tally/driver.h>

#define FILE_BLOB_MAX ((size_t) 256 << 20)
#define FILE_CHUNK ((size_t) 1 << 20) /* between two looks at cancelled */
#define FILE_TEMP_SIZE 28

/* Does not change between open and close: that is why any thread may call. */
struct file {
  const struct tally_host *host;
  char *path; /* for messages, and to see whether it is still this folder */
  int dir;
};

/* ---- file-error.c ---- */

/* Fills *err and returns the status.  The name is NULL or a blob's. */
int file_fail (struct tally_error *err, int status, const char *path,
               const char *name, const char *reason);

/* The same for what errno says. */
int file_fail_errno (struct tally_error *err, int code, const char *path,
                     const char *name);

/* The same for a call on a blob: the folder being gone comes first. */
int file_fail_call (const struct file *file, int code, const char *name,
                    struct tally_error *err);
int file_fail_cancelled (const struct file *file, const char *name,
                         struct tally_error *err);

/* Whether the path still leads to the folder that was opened. */
int file_check (const struct file *file, struct tally_error *err);
bool file_cancelled (const struct file *file);

/* ---- file-name.c ---- */

bool file_is_blob (const char *name);
bool file_is_temp (const char *name);
int file_check_name (const struct file *file, const char *name,
                     struct tally_error *err);

/* Makes one.  0, or -1 with errno. */
int file_temp_name (char temp[FILE_TEMP_SIZE]);

/* ---- file-folder.c ---- */

int file_folder_open (const char *path, unsigned flags, int *dir,
                      struct tally_error *err);
void file_folder_clear (const struct file *file);

/* As openat and fsync, over interruptions; links are not followed. */
int file_open_at (int dir, const char *name, int flags, mode_t mode);
int file_sync (int fd, bool folder);

/* NULL with errno; for closedir. */
DIR *file_walk (const struct file *file);

/* ---- file-read.c and file-publish.c: slots ---- */

int file_list (void *handle, const char *prefix, tally_emit_name *emit,
               void *ctx, struct tally_error *err);
int file_read (void *handle, const char *name, tally_emit_bytes *emit,
               void *ctx, struct tally_error *err);
int file_create (void *handle, const char *name, const void *data, size_t size,
                 struct tally_error *err);
int file_remove (void *handle, const char *name, struct tally_error *err);

#endif /* TALLY_FILE_H */
