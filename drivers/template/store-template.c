/* SPDX-License-Identifier: MIT */
/* A whole store driver, to start your own from: documents as plain files in a
 * folder.  A file is named after its seq: so an id need not fit a file name,
 * and a new version is a new file, so that nothing is ever half written.  What
 * the slots must do is in tally/driver.h; transactions, notes and a list of
 * collections are left out, and core does without. */

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

#define MAGIC "tally 1" /* change it when struct row changes */

/* A document: in memory what is in its file, but for the pointers.  So the
 * files stay on this kind of machine. */
struct row
{
  char magic[8];
  char name[24]; /* of the file: the seq in hex, so that names sort by it */
  struct row *next;
  struct tally_doc doc;
  char bytes[]; /* collection, NUL, id, meta, body */
};

/* The handle; a driver has no other state.  The rows are a list that is
 * walked: good for some thousand, then think of an index. */
struct files
{
  int dir;
  uint64_t last;    /* the greatest seq ever given */
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

  while (*p && (strcmp ((*p)->bytes, collection)
                || (*p)->doc.id.size != id.size
                || memcmp ((*p)->doc.id.data, id.data, id.size)))
    p = &(*p)->next;
  return p;
}

/* Removes file and row; the row even if the file stays, which the next open
 * then takes care of, see add. */
static int
drop (struct files *f, struct row **p)
{
  struct row *row = *p;
  int r = unlinkat (f->dir, row->name, 0);

  *p = row->next;
  free (row);
  return r;
}

/* Adds the row of the greatest seq and drops the version before it, which
 * may be one that a crash has left. */
static int
add (struct files *f, struct row *row)
{
  struct row **p;

  row->doc.id.data = row->bytes + strlen (row->bytes) + 1;
  row->doc.meta.data = row->doc.id.data + row->doc.id.size;
  row->doc.body.data = row->doc.meta.data + row->doc.meta.size;
  row->next = NULL;
  p = find (f, row->bytes, row->doc.id);
  if (*p)
    drop (f, p);
  while (*p)
    p = &(*p)->next;
  *p = row;
  f->last = row->doc.seq;
  return TALLY_OK;
}

/* Believes nothing in the file. */
static int
load (struct files *f, const char *name, struct tally_error *err)
{
  int fd = openat (f->dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  size_t size = fd >= 0 && !fstat (fd, &st) ? (size_t) st.st_size : 0;
  struct row *row = calloc (1, sizeof *row + size + 1);
  int whole = row && size > sizeof *row
              && read (fd, row, size) == (ssize_t) size;
  char path[200];

  if (fd >= 0)
    close (fd);
  if (whole && !memcmp (row->magic, MAGIC, sizeof MAGIC)
      && !strncmp (row->name, name, sizeof row->name)
      && row->doc.seq == strtoull (name, NULL, 16)
      && row->doc.id.size < size && row->doc.meta.size < size
      && row->doc.body.size < size
      && sizeof *row + strlen (row->bytes) + 1 + row->doc.id.size
                 + row->doc.meta.size + row->doc.body.size == size)
    return add (f, row);
  snprintf (path, sizeof path, "%.180s/%s", f->path, name);
  fail (err, row ? TALLY_CORRUPT : TALLY_FAILED, path,
        row ? "damaged, or not a document" : "out of memory");
  free (row);
  return err->status;
}

static char *
append (char *to, const void *from, size_t size)
{
  if (size)
    memcpy (to, from, size);
  return to + size;
}

/* The file is whole and on disk before it has its name, and the name is on
 * disk when the folder is. */
static int
save (struct files *f, const char *collection, const struct tally_doc *doc,
      struct tally_error *err)
{
  size_t head = strlen (collection) + 1;
  size_t size = sizeof (struct row) + head + doc->id.size + doc->meta.size
                + doc->body.size;
  struct row *row = calloc (1, size);
  char *p;
  int fd;

  if (!row)
    return fail (err, TALLY_FAILED, f->path, "out of memory");
  memcpy (row->magic, MAGIC, sizeof MAGIC);
  row->doc = *doc;
  row->doc.seq = f->last + 1;
  row->doc.id.data = row->doc.meta.data = row->doc.body.data = NULL;
  snprintf (row->name, sizeof row->name, "%016llx",
            (unsigned long long) row->doc.seq);
  p = append (row->bytes, collection, head);
  p = append (p, doc->id.data, doc->id.size);
  p = append (p, doc->meta.data, doc->meta.size);
  append (p, doc->body.data, doc->body.size);

  errno = ENOSPC; /* which is what a short write means */
  fd = openat (f->dir, "tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || write (fd, row, size) != (ssize_t) size || fsync (fd)
      || renameat (f->dir, "tmp", f->dir, row->name) || fsync (f->dir))
    {
      fail (err, TALLY_FAILED, f->path,
            errno == ENOSPC ? "disk is full" : "cannot be written");
      unlinkat (f->dir, row->name, 0);
      free (row);
      row = NULL;
    }
  if (fd >= 0)
    close (fd);
  return row ? add (f, row) : TALLY_FAILED;
}

static void
files_close (void *handle)
{
  struct files *f = handle;

  if (f->dir >= 0)
    close (f->dir);
  f->dir = -1; /* so that drop leaves the files alone */
  while (f->rows)
    drop (f, &f->rows);
  free (f);
}

static int
files_open (void **handle, const struct tally_host *host,
            const struct tally_value *values, unsigned flags,
            struct tally_error *err)
{
  const char *path = values[0].text;
  struct files *f = calloc (1, sizeof *f + strlen (path) + 1);
  struct dirent **names = NULL;
  int n = 0, status = TALLY_OK;

  (void) host;
  if (!f)
    return fail (err, TALLY_FAILED, path, "out of memory");
  memcpy (f->path, path, strlen (path));
  if (flags & TALLY_OPEN_CREATE)
    mkdir (path, 0777); /* open tells whether it is there now */
  f->dir = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->dir < 0 && errno == ENOENT)
    status = fail (err, TALLY_NOTFOUND, path, "no such folder");
  else if (f->dir < 0 && errno == ENOTDIR)
    status = fail (err, TALLY_CORRUPT, path, "not a folder");
  else if (f->dir < 0)
    status = fail (err, TALLY_FAILED, path, "cannot be opened");
  else if (flock (f->dir, LOCK_EX | LOCK_NB) < 0)
    status = fail (err, TALLY_AGAIN, path, "in use by another process");
  else
    n = scandir (path, &names, NULL, alphasort); /* that is, by seq */
  if (n < 0)
    status = fail (err, TALLY_FAILED, path, "cannot be read");
  for (int i = 0; i < n; free (names[i++]))
    if (!status && strlen (names[i]->d_name) == 16)
      status = load (f, names[i]->d_name, err);
  free (names);
  if (status)
    files_close (f);
  else
    *handle = f;
  return status;
}

static int
files_get (void *handle, const char *collection,
           const struct tally_slice *ids, size_t n, unsigned flags,
           tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  (void) flags; /* more than was asked for is fine */
  (void) err;
  for (size_t i = 0; i < n; i++)
    {
      struct row *row = *find (handle, collection, ids[i]);

      if (row && emit (ctx, &row->doc))
        break;
    }
  return TALLY_OK;
}

/* At most one entry, as max_entries says; so PUT_ALL needs no care. */
static int
files_put (void *handle, const struct tally_entry *entry, size_t n,
           unsigned flags, struct tally_outcome *outcome,
           struct tally_error *err)
{
  static const struct tally_doc none = { .id = { "", 0 } };
  struct files *f = handle;
  struct tally_doc doc = none; /* what the outcome tells of */
  struct row **p;

  (void) flags;
  if (n != 1)
    return n ? fail (err, TALLY_INVALID, f->path, "one entry a put")
             : TALLY_OK;
  p = find (f, entry->collection, entry->doc.id);
  if (*p)
    doc = (*p)->doc;
  outcome->status = TALLY_OK;
  if (entry->expected && memcmp (entry->expected, doc.rev, TALLY_REV_SIZE))
    outcome->status = TALLY_CONFLICT;
  else if (entry->flags & TALLY_ENTRY_FORGET)
    {
      /* A nameless document keeps the seq that must not be used again. */
      if (save (f, "", &none, err))
        return err->status;
      p = find (f, entry->collection, entry->doc.id);
      if (*p && (drop (f, p) || fsync (f->dir)))
        return fail (err, TALLY_FAILED, f->path, "cannot be written");
      doc = none;
    }
  else
    {
      if (save (f, entry->collection, &entry->doc, err))
        return err->status;
      doc = entry->doc;
      doc.seq = f->last;
    }
  outcome->seq = doc.seq;
  memcpy (outcome->rev, doc.rev, TALLY_REV_SIZE);
  return TALLY_OK;
}

static int
files_changes (void *handle, const char *collection, uint64_t since,
               tally_emit_doc *emit, void *ctx, uint64_t *head,
               struct tally_error *err)
{
  struct files *f = handle;

  (void) err;
  *head = f->last;
  for (struct row *row = f->rows; row; row = row->next)
    {
      struct tally_doc doc = row->doc;

      doc.meta.size = doc.body.size = 0; /* a header */
      if (doc.seq > since && !strcmp (row->bytes, collection)
          && emit (ctx, &doc))
        break;
    }
  return TALLY_OK;
}

static const struct tally_option files_options[] = {
  { .name = "path", .type = TALLY_OPTION_PATH, .flags = TALLY_OPTION_REQUIRED,
    .help = "the folder that holds the documents" },
  { .name = NULL }
};

static const struct tally_store files_store = {
  TALLY_STORE_INIT, .threads = TALLY_THREADS_ONE, .max_entries = 1,
  .open = files_open, .close = files_close, .get = files_get,
  .put = files_put, .changes = files_changes
};

static const struct tally_driver files_driver = {
  TALLY_DRIVER_INIT, .name = "files", .version = "1.0",
  .summary = "documents as plain files in a folder",
  .options = files_options, .store = &files_store
};

TALLY_DRIVER (files_driver)
