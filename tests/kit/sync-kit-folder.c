/* SPDX-License-Identifier: MIT */
/* Folders of a test, and what is put back from a copy. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync-kit.h"

void
kit_folder_make (char path[KIT_PATH])
{
  const char *parent = getenv ("TMPDIR");
  int size = snprintf (path, KIT_PATH, "%s/tally-sync-XXXXXX",
                       parent && parent[0] == '/' ? parent : "/tmp");

  assert_true (size < KIT_PATH);
  assert_non_null (mkdtemp (path));
}

/* Calls fn for each name in the folder. */
static void
each_name (const char *path,
           void (*fn) (const char *path, const char *name, const void *ctx),
           const void *ctx)
{
  DIR *dir = opendir (path);
  const struct dirent *row;

  assert_non_null (dir);
  for (row = readdir (dir); row; row = readdir (dir))
    if (strcmp (row->d_name, ".") != 0 && strcmp (row->d_name, "..") != 0)
      fn (path, row->d_name, ctx);
  closedir (dir);
}

static bool
is_folder (const char *path)
{
  struct stat st;

  return stat (path, &st) == 0 && S_ISDIR (st.st_mode);
}

static void
join (char out[2 * KIT_PATH], const char *path, const char *name)
{
  assert_true (snprintf (out, 2 * KIT_PATH, "%s/%s", path, name)
               < 2 * KIT_PATH);
}

static void
remove_below (const char *path, const char *name, const void *ctx)
{
  char full[2 * KIT_PATH];

  (void) ctx;
  join (full, path, name);
  if (is_folder (full))
    kit_folder_remove (full);
  else
    unlink (full);
}

void
kit_folder_remove (const char *path)
{
  each_name (path, remove_below, NULL);
  assert_int_equal (rmdir (path), 0);
}

static void
copy_file (const char *from, const char *to)
{
  char bytes[65536];
  int in = open (from, O_RDONLY);
  int out = open (to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ssize_t size;

  assert_true (in >= 0 && out >= 0);
  while ((size = read (in, bytes, sizeof bytes)) > 0)
    assert_int_equal (write (out, bytes, (size_t) size), size);
  assert_int_equal (size, 0);
  close (in);
  assert_int_equal (close (out), 0);
}

static void
copy_below (const char *path, const char *name, const void *ctx)
{
  char from[2 * KIT_PATH], to[2 * KIT_PATH];

  join (from, path, name);
  join (to, ctx, name);
  kit_copy (from, to);
}

void
kit_copy (const char *from, const char *to)
{
  if (!is_folder (from)) {
    copy_file (from, to);
    return;
  }
  if (is_folder (to))
    each_name (to, remove_below, NULL);
  else
    assert_int_equal (mkdir (to, 0700), 0);
  each_name (from, copy_below, to);
}

char *
kit_read (const char *path)
{
  FILE *file = fopen (path, "rb");
  char *text;
  long size;

  assert_non_null (file);
  assert_int_equal (fseek (file, 0, SEEK_END), 0);
  size = ftell (file);
  assert_true (size >= 0);
  rewind (file);
  text = calloc (1, (size_t) size + 1);
  assert_non_null (text);
  assert_int_equal (fread (text, 1, (size_t) size, file), (size_t) size);
  fclose (file);
  return text;
}
