/* SPDX-License-Identifier: MIT */
/* A whole store driver, to start your own from: documents as plain files in a
 * folder.  A file is named after its seq: so an id need not fit a file name,
 * and a new version is a new file, so that nothing is ever half written.  What
 * the slots must do is in tally/driver.h; transactions, notes and a list of
 * collections are left out, and the host does without. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tally/driver.h>

#define PREFIX "doc1-" /* another one when struct row changes */

struct row { /* a document, as its file has it but for the pointers */
  char name[24]; /* of the file: ends in the seq in hex */
  struct row *next;
  struct tally_doc doc;
  char bytes[]; /* collection, NUL, id, meta, body */
};
/* The handle; a driver has no other state.  All is in memory, in a list that
 * is walked: good for some thousand documents, then think of an index. */
struct files {
  int dir;
  uint64_t last; /* the greatest seq ever given */
  struct row *rows; /* in rising seq */
  char path[];
};

static int
fail (struct tally_error *err, int status, const char *what, const char *why)
{
  err->status = status;
  snprintf (err->text, sizeof err->text, "%.200s: %s", what, why);
  return status;
}

/* The link to the document's row, or else the last link, which is NULL. */
static struct row **
find (struct files *f, const char *collection, struct tally_slice id)
{
  struct row **p = &f->rows;

  while (*p && (strcmp ((*p)->bytes, collection) || (*p)->doc.id.size != id.size
                || memcmp ((*p)->doc.id.data, id.data, id.size)))
    p = &(*p)->next;
  return p;
}

/* Takes a row out of the list; its file goes or stays as the caller likes. */
static void
cut (struct row **p)
{
  struct row *row = *p;
  *p = row->next;
  free (row);
}

/* Adds a row with the greatest seq, in place of the version before it.  If a
 * crash leaves the file of that one, the next open gets here again. */
static int
add (struct files *f, struct row *row)
{
  struct row **p = &f->rows;

  row->doc.id.data = row->bytes + strlen (row->bytes) + 1;
  row->doc.meta.data = row->doc.id.data + row->doc.id.size;
  row->doc.body.data = row->doc.meta.data + row->doc.meta.size;
  row->next = *find (f, row->bytes, row->doc.id);
  if (row->next)
    {
      unlinkat (f->dir, row->next->name, 0);
      cut (find (f, row->bytes, row->doc.id));
    }
  while (*p)
    p = &(*p)->next;
  *p = row;
  row->next = NULL;
  f->last = row->doc.seq;
  return TALLY_OK;
}

/* Believes nothing that is in the file. */
static int
load (struct files *f, const char *name, struct tally_error *err)
{
  int fd = openat (f->dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  size_t size = fd >= 0 && !fstat (fd, &st) ? (size_t) st.st_size : 0;
  struct row *row = calloc (1, sizeof *row + size + 1);
  int whole = row && size > sizeof *row && read (fd, row, size) == (ssize_t) size;

  if (fd >= 0)
    close (fd);
  if (whole && !strncmp (row->name, name, sizeof row->name)
      && row->doc.seq == strtoull (name + strlen (PREFIX), NULL, 16)
      && row->doc.id.size < size && row->doc.meta.size < size
      && row->doc.body.size < size
      && sizeof *row + strlen (row->bytes) + 1 + row->doc.id.size
                 + row->doc.meta.size + row->doc.body.size == size)
    return add (f, row);
  free (row);
  return fail (err, TALLY_CORRUPT, f->path, "a file in it is damaged");
}

/* The file is whole and on disk before it has its name, and the name is on
 * disk when the folder is. */
static int
save (struct files *f, const char *collection, const struct tally_doc *doc,
      struct tally_error *err)
{
  struct tally_slice parts[] = { { collection, strlen (collection) + 1 },
                                 doc->id, doc->meta, doc->body };
  size_t size = sizeof (struct row);
  struct row *row;
  int fd;

  for (int i = 0; i < 4; i++)
    size += parts[i].size;
  row = calloc (1, size);
  if (!row)
    return fail (err, TALLY_FAILED, f->path, "out of memory");
  row->doc = *doc;
  row->doc.seq = f->last + 1;
  row->doc.id.data = row->doc.meta.data = row->doc.body.data = NULL;
  snprintf (row->name, sizeof row->name, PREFIX "%016llx",
            (unsigned long long) row->doc.seq);
  for (int i = 3, at = size; i >= 0; i--)
    memcpy ((char *) row + (at -= parts[i].size), parts[i].data, parts[i].size);

  fd = openat (f->dir, "tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || write (fd, row, size) != (ssize_t) size || fsync (fd)
      || renameat (f->dir, "tmp", f->dir, row->name) || fsync (f->dir))
    ;
}
