/* SPDX-License-Identifier: MIT */
/* A whole store driver to start your own from, as tally/driver.h wants it:
 * documents as plain files.  A file is named after its seq, so that any id
 * will do; a new version is a new file, so nothing is ever half written. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <tally/driver.h>

struct row {        /* a document as its file has it, but for the pointers */
  char name[24];    /* of the file: the seq in hex, so that names sort by it */
  char collection[256];
  struct row *next;
  struct tally_doc doc;
  char bytes[];     /* id, meta, body */
};
struct files {      /* the handle; a driver has no other state */
  int at;           /* the folder, locked */
  uint64_t last;    /* the greatest seq ever given */
  struct row *rows; /* all of them, in rising seq, walked by each call: good */
  char path[];      /* for some thousand, then think of an index */
};

static int fail (struct tally_error *err, int status, const char *path,
    const char *name, const char *why) {
  snprintf (err->text, sizeof err->text, "%.170s/%s: %s", path, name, why);
  return err->status = status;
}

/* The link to the document's row, or else the last link, which is NULL. */
static struct row **find (struct files *f, const char *name,
    struct tally_slice id) {
  struct row **p = &f->rows;
  while (*p && (strcmp ((*p)->collection, name) || (*p)->doc.id.size != id.size
      || memcmp ((*p)->bytes, id.data, id.size)))
    p = &(*p)->next;
  return p;
}

static int drop (struct files *f, struct row **p) { /* with its file */
  struct row *row = *p;
  int r = row ? unlinkat (f->at, row->name, 0) : 0;
  if (row) *p = row->next;
  free (row);
  return r;
}

/* Takes in the file of the greatest seq, and believes nothing in it.  Drops
 * the version before it, which may also be one that a crash has left. */
static int load (struct files *f, const char *name, struct tally_error *err) {
  int fd = openat (f->at, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  size_t all = fd >= 0 && !fstat (fd, &st) ? (size_t) st.st_size : 0;
  struct row *row = calloc (1, sizeof *row + all);
  struct tally_doc *doc = row ? &row->doc : NULL;
  int whole = row && read (fd, row, all) == (ssize_t) all;
  close (fd);
  if (!row) return fail (err, TALLY_FAILED, f->path, name, "out of memory");
  if (!whole || strncmp (row->name, name, sizeof row->name)
      || doc->seq != strtoull (name, NULL, 16) || row->collection[255]
      || doc->id.size > all || doc->meta.size > all || doc->body.size > all
      || doc->id.size + doc->meta.size + doc->body.size + sizeof *row != all) {
    free (row);
    return fail (err, TALLY_CORRUPT, f->path, name, "damaged");
  }
  doc->id.data = row->bytes;
  doc->meta.data = doc->id.data + doc->id.size;
  doc->body.data = doc->meta.data + doc->meta.size;
  drop (f, find (f, row->collection, doc->id));
  row->next = NULL;
  *find (f, row->collection, doc->id) = row;
  f->last = doc->seq;
  return TALLY_OK;
}

/* The file is on disk before it has its name, and the name with the folder. */
static int save (struct files *f, const struct tally_entry *entry,
    struct tally_error *err) {
  struct tally_doc d = entry->doc;
  struct row row = { .doc = d };
  struct iovec parts[] = { { &row, sizeof row },
    { (char *) d.id.data, d.id.size }, { (char *) d.meta.data, d.meta.size },
    { (char *) d.body.data, d.body.size } };
  size_t size = sizeof row + d.id.size + d.meta.size + d.body.size;
  int fd = openat (f->at, "tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  row.doc.id.data = row.doc.meta.data = row.doc.body.data = NULL;
  row.doc.seq = f->last + 1;
  snprintf (row.name, sizeof row.name, "%016llx", row.doc.seq + 0ULL);
  snprintf (row.collection, sizeof row.collection, "%s", entry->collection);
  fail (err, TALLY_FAILED, f->path, row.name, "cannot be written");
  if (fd >= 0 && writev (fd, parts, 4) == (ssize_t) size && !fsync (fd)
      && !renameat (f->at, "tmp", f->at, row.name) && !fsync (f->at)
      && !load (f, row.name, err)) err->status = TALLY_OK;
  else unlinkat (f->at, row.name, 0);
  close (fd);
  return err->status;
}

static void files_close (void *handle) {
  struct files *f = handle;
  close (f->at);
  f->at = -1; /* so that the files stay */
  while (f->rows) drop (f, &f->rows);
  free (f);
}

static int files_open (void **handle, const struct tally_host *host,
    const struct tally_value *value, unsigned flags, struct tally_error *err) {
  const char *path = value->text;
  struct files *f = calloc (1, sizeof *f + strlen (path) + 1);
  struct dirent **names = NULL;
  int n = -1, status = TALLY_OK;
  (void) host;
  if (!f) return fail (err, TALLY_FAILED, path, "", "out of memory");
  memcpy (f->path, path, strlen (path));
  if ((flags & TALLY_OPEN_CREATE) && !(flags & TALLY_OPEN_READONLY))
    mkdir (path, 0777); /* open tells whether it is there now */
  f->at = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->at >= 0 && !flock (f->at, LOCK_EX | LOCK_NB))
    n = scandir (path, &names, NULL, alphasort); /* that is, by seq */
  if (n < 0)
    status = errno == ENOENT ? fail (err, TALLY_NOTFOUND, path, "", "missing")
      : errno == EAGAIN ? fail (err, TALLY_AGAIN, path, "", "in use already")
      : errno == ENOTDIR ? fail (err, TALLY_CORRUPT, path, "", "not a folder")
      : fail (err, TALLY_FAILED, path, "", "cannot be opened");
  for (int i = 0; i < n; free (names[i++]))
    if (!status && strspn (names[i]->d_name, "0123456789abcdef") == 16)
      status = load (f, names[i]->d_name, err);
  free (names);
  *handle = status ? NULL : f;
  if (status) files_close (f);
  return status;
}

static int files_get (void *handle, const char *collection,
    const struct tally_slice *ids, size_t n, unsigned flags,
    tally_emit_doc *emit, void *ctx, struct tally_error *err) {
  (void) flags, (void) err; /* more than was asked for is fine */
  for (size_t i = 0; i < n; i++) {
    struct row *row = *find (handle, collection, ids[i]);
    if (row && emit (ctx, &row->doc)) break;
  }
  return TALLY_OK;
}

static int files_put (void *handle, const struct tally_entry *e, size_t n,
    unsigned flags, struct tally_outcome *outcome, struct tally_error *err) {
  static const struct tally_entry no = { .collection = "", .doc.id.data = "" };
  struct files *f = handle;
  (void) flags; /* one entry is all or none */
  if (n != 1) return n ? fail (err, TALLY_INVALID, f->path, "", "not one") : 0;
  struct row *row = *find (f, e->collection, e->doc.id);
  struct tally_doc doc = row ? row->doc : no.doc;
  int fit = !e->expected || !memcmp (e->expected, doc.rev, TALLY_REV_SIZE);
  int gone = fit && e->flags & TALLY_ENTRY_FORGET;
  /* To forget, a nameless document keeps the seq from being used again. */
  if (fit && save (f, gone ? &no : e, err)) return err->status;
  if (gone && (drop (f, find (f, e->collection, e->doc.id)) || fsync (f->at)))
    return fail (err, TALLY_FAILED, f->path, "", "cannot be written");
  if (fit) doc = gone ? no.doc : e->doc;
  outcome->status = fit ? TALLY_OK : TALLY_CONFLICT;
  outcome->seq = fit && !gone ? f->last : doc.seq;
  memcpy (outcome->rev, doc.rev, TALLY_REV_SIZE);
  return TALLY_OK;
}

static int files_changes (void *handle, const char *collection, uint64_t since,
    tally_emit_doc *emit, void *ctx, uint64_t *head, struct tally_error *err) {
  struct files *f = handle;
  (void) err;
  *head = f->last;
  for (struct row *row = f->rows; row; row = row->next) {
    struct tally_doc doc = row->doc;
    doc.meta.size = doc.body.size = 0; /* a header */
    if (doc.seq <= since || strcmp (row->collection, collection)) continue;
    if (emit (ctx, &doc)) break;
  }
  return TALLY_OK;
}

static const struct tally_option files_options[] = {
  { .name = "path", .type = TALLY_OPTION_PATH, .flags = TALLY_OPTION_REQUIRED,
    .help = "the folder that holds the documents" }, { .name = NULL } };
static const struct tally_store files_store = {
  TALLY_STORE_INIT, .threads = TALLY_THREADS_ONE, .max_entries = 1,
  .open = files_open, .close = files_close, .get = files_get,
  .put = files_put, .changes = files_changes };
static const struct tally_driver files_driver = {
  TALLY_DRIVER_INIT, .name = "files", .version = "1.0", .store = &files_store,
  .summary = "documents as files in a folder", .options = files_options };
TALLY_DRIVER (files_driver)
