/* SPDX-License-Identifier: MIT */
/* See the header. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* d_type */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file-kit.h"
#include "place.h"

static int
is_cancelled (void *ctx)
{
  struct test *t = ctx;

  return t->cancel_after > 0 && --t->cancel_after == 0;
}

int
kit_open (struct test *t, const char *path, unsigned flags)
{
  struct tally_value values[] = { { path, 0 } };
  int status;

  if (t->handle)
    t->ops->close (t->handle);
  t->handle = NULL;
  memset (&t->err, 0, sizeof t->err);
  status = t->ops->open (&t->handle, &t->host, values, flags, &t->err);
  assert_int_equal (t->err.status, status);
  return status;
}

int
kit_setup (void **state)
{
  struct test *t = calloc (1, sizeof *t);

  if (!t)
    return -1;
  memset (&kit_fault, 0, sizeof kit_fault);
  if (!place_make (t->base, "file"))
    return -1;
  snprintf (t->path, sizeof t->path, "%s/shared", t->base);
  t->ops = tally_driver_1 ()->transport;
  t->host.size = sizeof t->host;
  t->host.ctx = t;
  t->host.cancelled = is_cancelled;
  *state = t;
  return kit_open (t, t->path, TALLY_OPEN_CREATE);
}

static void
remove_tree (const char *path)
{
  DIR *dir = opendir (path);
  char below[512];

  for (struct dirent *row = dir ? readdir (dir) : NULL; row;
       row = readdir (dir))
    if (strcmp (row->d_name, ".") != 0 && strcmp (row->d_name, "..") != 0) {
      snprintf (below, sizeof below, "%s/%s", path, row->d_name);
      if (row->d_type == DT_DIR)
        remove_tree (below);
      else
        unlink (below);
    }
  if (dir)
    closedir (dir);
  rmdir (path);
}

int
kit_teardown (void **state)
{
  struct test *t = *state;

  memset (&kit_fault, 0, sizeof kit_fault);
  if (t->handle)
    t->ops->close (t->handle);
  remove_tree (t->base);
  free (t->data);
  free (t);
  return 0;
}

/* ---- calls ------------------------------------------------------------- */

/* An error is one line of the right status. */
static int
checked (struct test *t, int status)
{
  if (status != TALLY_OK) {
    assert_int_equal (t->err.status, status);
    assert_non_null (strstr (t->err.text, ": "));
    assert_null (strchr (t->err.text, '\n'));
  }
  return status;
}

int
kit_create (struct test *t, const char *name, const char *text)
{
  return checked (
      t, t->ops->create (t->handle, name, text, strlen (text), &t->err));
}

static int
keep_bytes (void *ctx, const void *data, size_t size)
{
  struct test *t = ctx;

  free (t->data);
  t->data = malloc (size + 1);
  assert_non_null (t->data);
  memcpy (t->data, data, size);
  t->data[size] = '\0';
  t->size = size;
  t->blobs++;
  return 1;
}

int
kit_read (struct test *t, const char *name)
{
  int status;

  t->blobs = 0;
  status = t->ops->read (t->handle, name, keep_bytes, t, &t->err);
  assert_int_equal (t->blobs, status == TALLY_OK);
  return checked (t, status);
}

void
kit_assert_blob (struct test *t, const char *name, const char *text)
{
  assert_int_equal (kit_read (t, name), TALLY_OK);
  assert_int_equal (t->size, strlen (text));
  assert_string_equal (t->data, text);
}

int
kit_keep_name (void *ctx, const char *name)
{
  struct test *t = ctx;
  size_t used = strlen (t->list);

  snprintf (t->list + used, sizeof t->list - used, "%s ", name);
  t->names++;
  return 0;
}

int
kit_list (struct test *t, const char *prefix)
{
  t->names = 0;
  t->list[0] = '\0';
  return checked (t,
                  t->ops->list (t->handle, prefix, kit_keep_name, t, &t->err));
}

int
kit_remove (struct test *t, const char *name)
{
  return checked (t, t->ops->remove (t->handle, name, &t->err));
}

char *
kit_inside (const struct test *t, const char *name, char path[512])
{
  snprintf (path, 512, "%s/%s", t->path, name);
  return path;
}

void
kit_put_file (const char *path, const char *text)
{
  FILE *file = fopen (path, "w");

  assert_non_null (file);
  fputs (text, file);
  assert_int_equal (fclose (file), 0);
}

/* All files, also those that are no blobs. */
unsigned
kit_count (const char *path)
{
  DIR *dir = opendir (path);
  unsigned n = 0;

  assert_non_null (dir);
  for (struct dirent *row = readdir (dir); row; row = readdir (dir))
    n += strcmp (row->d_name, ".") != 0 && strcmp (row->d_name, "..") != 0;
  closedir (dir);
  return n;
}
