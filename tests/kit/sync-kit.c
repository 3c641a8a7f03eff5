/* SPDX-License-Identifier: MIT */
/* See the header. */

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

/* A failure shows what the library said. */
static void
must (int status, const struct tally_error *err)
{
  if (status != TALLY_OK)
    fail_msg ("status %d: %s", status, err->text);
}

static char *
format (const char *fmt, va_list args)
{
  va_list again;
  char *text;
  int size;

  va_copy (again, args);
  size = vsnprintf (NULL, 0, fmt, again);
  va_end (again);
  assert_true (size >= 0);
  text = malloc ((size_t) size + 1);
  assert_non_null (text);
  vsnprintf (text, (size_t) size + 1, fmt, args);
  return text;
}

/* ---- folders ------------------------------------------------------------ */

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

/* ---- contexts ----------------------------------------------------------- */

struct tally *
kit_context (const struct tally_setup *setup, const char *fmt, ...)
{
  struct tally_setup filled = { .size = sizeof filled };
  struct tally_error err = { 0 };
  struct tally *tally;
  va_list args;
  char *text;
  int status;

  if (setup)
    filled = *setup;
  va_start (args, fmt);
  text = format (fmt, args);
  va_end (args);
  filled.config_text = text;
  status = tally_new (&tally, &filled, &err);
  must (status, &err);
  free (text);
  return tally;
}

struct wanted {
  const char *name, *kind;
  bool found;
};

static int
find_driver (void *ctx, const struct tally_driver_info *info)
{
  struct wanted *wanted = ctx;

  wanted->found = info->ok && info->kind
                  && strcmp (info->name, wanted->name) == 0
                  && strstr (info->kind, wanted->kind);
  return wanted->found;
}

bool
kit_has_driver (struct tally *tally, const char *name, const char *kind)
{
  struct wanted wanted = { name, kind, false };
  struct tally_error err = { 0 };
  int status = tally_drivers (tally, NULL, find_driver, &wanted, &err);

  must (status, &err);
  return wanted.found;
}

struct tally_replica *
kit_store (struct tally *tally, const char *name)
{
  struct tally_replica *replica;
  struct tally_error err = { 0 };
  int status =
      tally_replica_open (&replica, tally, name, TALLY_OPEN_CREATE, &err);

  must (status, &err);
  return replica;
}

/* ---- documents ---------------------------------------------------------- */

static void
put (struct tally_replica *replica, const char *collection, int replace,
     const char *fmt, va_list args)
{
  struct tally_put_options options = { .size = sizeof options };
  struct tally_error err = { 0 };
  char *json = format (fmt, args);
  int status;

  options.replace = replace;
  status = tally_put (replica, collection, json, strlen (json), &options, NULL,
                      NULL, &err);
  must (status, &err);
  free (json);
}

void
kit_put (struct tally_replica *replica, const char *collection,
         const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  put (replica, collection, 0, fmt, args);
  va_end (args);
}

void
kit_replace (struct tally_replica *replica, const char *collection,
             const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  put (replica, collection, 1, fmt, args);
  va_end (args);
}

void
kit_remove (struct tally_replica *replica, const char *collection,
            const char *id)
{
  struct tally_error err = { 0 };
  int status = tally_remove (replica, collection, &id, 1, NULL, NULL, &err);

  must (status, &err);
}

struct got {
  char *json;
  char *rev; /* or NULL */
};

static int
keep_document (void *ctx, const struct tally_document *document)
{
  struct got *got = ctx;

  got->json = strndup (document->json, document->json_size);
  assert_non_null (got->json);
  if (got->rev)
    snprintf (got->rev, TALLY_REV_TEXT, "%s", document->rev);
  return 1;
}

char *
kit_get (struct tally_replica *replica, const char *collection, const char *id,
         char rev[TALLY_REV_TEXT])
{
  struct got got = { NULL, rev };
  struct tally_error err = { 0 };
  int status =
      tally_get (replica, collection, &id, 1, keep_document, &got, &err);

  must (status, &err);
  return got.json;
}

void
kit_expect (struct tally_replica *replica, const char *collection,
            const char *id, const char *part)
{
  char *json = kit_get (replica, collection, id, NULL);

  if (part && (!json || !strstr (json, part)))
    fail_msg ("%s \"%s\" is %s, which has no %s", collection, id,
              json ? json : "missing", part);
  if (!part && json)
    fail_msg ("%s \"%s\" is %s", collection, id, json);
  free (json);
}

static int
count_document (void *ctx, const struct tally_document *document)
{
  (void) document;
  ++*(size_t *) ctx;
  return 0;
}

size_t
kit_count (struct tally_replica *replica, const char *collection)
{
  struct tally_error err = { 0 };
  size_t n = 0;
  int status =
      tally_find (replica, collection, NULL, NULL, count_document, &n, &err);

  must (status, &err);
  return n;
}

struct dump {
  FILE *out;
  char names[KIT_ROWS][64];
  size_t n;
};

static int
keep_name (void *ctx, const char *name)
{
  struct dump *dump = ctx;

  assert_true (dump->n < KIT_ROWS);
  snprintf (dump->names[dump->n++], sizeof dump->names[0], "%s", name);
  return 0;
}

static int
write_document (void *ctx, const struct tally_document *document)
{
  struct dump *dump = ctx;

  fprintf (dump->out, "%s %s %.*s\n", document->collection, document->rev,
           (int) document->json_size, document->json);
  return 0;
}

char *
kit_dump (struct tally_replica *replica)
{
  struct dump dump = { NULL, { "" }, 0 };
  struct tally_error err = { 0 };
  char *text;
  size_t size;
  int status = tally_collections (replica, keep_name, &dump, &err);

  must (status, &err);
  dump.out = open_memstream (&text, &size);
  assert_non_null (dump.out);
  for (size_t i = 0; i < dump.n; i++) {
    status = tally_find (replica, dump.names[i], NULL, NULL, write_document,
                         &dump, &err);
    must (status, &err);
  }
  assert_int_equal (fclose (dump.out), 0);
  return text;
}

/* The line at the first byte that differs. */
static const char *
line_at (const char *text, size_t at, char line[200])
{
  size_t from = at;

  while (from > 0 && text[from - 1] != '\n')
    from--;
  snprintf (line, 200, "%.*s", (int) strcspn (text + from, "\n"), text + from);
  return line;
}

void
kit_same (struct tally_replica *a, struct tally_replica *b)
{
  char *x = kit_dump (a), *y = kit_dump (b), one[200], other[200];
  size_t at = 0;

  while (x[at] && x[at] == y[at])
    at++;
  if (x[at] != y[at])
    fail_msg ("one has    %s\nthe other  %s", line_at (x, at, one),
              line_at (y, at, other));
  free (y);
  free (x);
}

struct verified {
  uint64_t documents_a, documents_b;
};

static int
check_difference (void *ctx, const struct tally_difference *difference)
{
  struct verified *verified = ctx;

  if (!difference->equal)
    fail_msg ("%s: only_a %llu, only_b %llu, different %llu",
              difference->collection, (unsigned long long) difference->only_a,
              (unsigned long long) difference->only_b,
              (unsigned long long) difference->different);
  verified->documents_a += difference->documents_a;
  verified->documents_b += difference->documents_b;
  return 0;
}

void
kit_verify (struct tally *tally, const char *a, const char *b,
            uint64_t documents)
{
  struct verified verified = { 0, 0 };
  struct tally_error err = { 0 };
  int status = tally_verify (tally, a, b, check_difference, &verified, &err);

  must (status, &err);
  assert_int_equal (verified.documents_a, documents);
  assert_int_equal (verified.documents_b, documents);
}

/* ---- runs --------------------------------------------------------------- */

static int
keep_report (void *ctx, const struct tally_report *report)
{
  struct kit_run *run = ctx;
  struct kit_row *row = &run->rows[run->n];

  assert_true (run->n < KIT_ROWS);
  run->n++;
  assert_int_equal (report->size, sizeof *report);
  row->report = *report;
  snprintf (row->strategy, sizeof row->strategy, "%s", report->strategy);
  row->report.strategy = row->strategy;
  if (report->collection) {
    snprintf (row->collection, sizeof row->collection, "%s",
              report->collection);
    row->report.collection = row->collection;
  }
  if (report->error) {
    snprintf (row->error, sizeof row->error, "%s", report->error);
    row->report.error = row->error;
  }
  row->report.link = NULL;
  return 0;
}

void
kit_try_sync (struct kit_run *run, struct tally *tally, const char *link,
              int direction)
{
  struct tally_sync_options options = { .size = sizeof options };

  options.direction = direction;
  memset (run, 0, sizeof *run);
  run->status =
      tally_sync (tally, link, &options, keep_report, run, &run->err);
}

void
kit_try_pair (struct kit_run *run, struct tally *tally, const char *a,
              const char *b)
{
  memset (run, 0, sizeof *run);
  run->status = tally_pair (tally, a, b, NULL, keep_report, run, &run->err);
}

void
kit_sync (struct kit_run *run, struct tally *tally, const char *link)
{
  kit_try_sync (run, tally, link, TALLY_AS_CONFIGURED);
  must (run->status, &run->err);
  for (size_t i = 0; i < run->n; i++) {
    assert_int_equal (run->rows[i].report.status, TALLY_OK);
    assert_null (run->rows[i].report.error);
  }
}

/* Documents of a dry run, as figures of each collection. */
struct foreseen {
  struct kit_figures figures[KIT_ROWS];
  char collections[KIT_ROWS][64];
  size_t n;
};

static int
count_item (void *ctx, const struct tally_plan_item *item)
{
  struct foreseen *foreseen = ctx;
  struct kit_figures *figures;
  size_t n = foreseen->n;

  assert_int_equal (item->size, sizeof *item);
  assert_non_null (item->link);
  assert_true (item->id[0] != '\0');
  if (n == 0 || strcmp (foreseen->collections[n - 1], item->collection) != 0) {
    assert_true (n < KIT_ROWS);
    snprintf (foreseen->collections[n], sizeof foreseen->collections[n], "%s",
              item->collection);
    n = ++foreseen->n;
  }
  figures = &foreseen->figures[n - 1];
  switch (item->action) {
  case TALLY_ACTION_PULL:
    figures->pulled++;
    figures->deleted += item->deleted != 0;
    break;
  case TALLY_ACTION_PUSH:
    figures->pushed++;
    figures->deleted += item->deleted != 0;
    break;
  case TALLY_ACTION_MERGE:
    figures->merged++;
    break;
  default:
    fail_msg ("unknown action %d", item->action);
  }
  return 0;
}

static void
check_foreseen (struct kit_run *run, const struct foreseen *foreseen)
{
  size_t at = 0;

  for (size_t i = 0; i < run->n; i++) {
    struct kit_figures figures = { 0 };
    const char *collection = run->rows[i].collection;

    if (at < foreseen->n
        && strcmp (foreseen->collections[at], collection) == 0)
      figures = foreseen->figures[at++];
    if (run->rows[i].report.status != TALLY_OK)
      continue;
    figures.conflicts = run->rows[i].report.conflicts;
    kit_expect_figures (run, collection, figures);
  }
  assert_int_equal (at, foreseen->n);
}

static struct tally_sync_options
look_options (struct foreseen *foreseen, int direction)
{
  struct tally_sync_options options = { .size = sizeof options };

  memset (foreseen, 0, sizeof *foreseen);
  options.direction = direction;
  options.dry_run = 1;
  options.plan = count_item;
  options.plan_ctx = foreseen;
  return options;
}

void
kit_foresee (struct kit_run *run, struct tally *tally, const char *link,
             int direction)
{
  struct foreseen foreseen;
  struct tally_sync_options options = look_options (&foreseen, direction);

  memset (run, 0, sizeof *run);
  run->status =
      tally_sync (tally, link, &options, keep_report, run, &run->err);
  check_foreseen (run, &foreseen);
}

void
kit_foresee_pair (struct kit_run *run, struct tally *tally, const char *a,
                  const char *b, int direction)
{
  struct foreseen foreseen;
  struct tally_sync_options options = look_options (&foreseen, direction);

  memset (run, 0, sizeof *run);
  run->status =
      tally_pair (tally, a, b, &options, keep_report, run, &run->err);
  check_foreseen (run, &foreseen);
}

void
kit_try_pair_in (struct kit_run *run, struct tally *tally, const char *a,
                 const char *b, int direction)
{
  struct tally_sync_options options = { .size = sizeof options };

  options.direction = direction;
  memset (run, 0, sizeof *run);
  run->status =
      tally_pair (tally, a, b, &options, keep_report, run, &run->err);
}

void
kit_run_with (struct kit_run *run, struct tally *tally, const char *a,
              const char *b, const struct tally_sync_options *options)
{
  memset (run, 0, sizeof *run);
  run->status =
      b ? tally_pair (tally, a, b, options, keep_report, run, &run->err)
        : tally_sync (tally, a, options, keep_report, run, &run->err);
}

void
kit_expect_foreseen (const struct kit_run *foreseen, const struct kit_run *run)
{
  if (foreseen->status != run->status)
    fail_msg ("foreseen %d %s, was %d %s", foreseen->status,
              foreseen->err.text, run->status, run->err.text);
  assert_int_equal (foreseen->n, run->n);
  for (size_t i = 0; i < run->n; i++) {
    const struct tally_report *report = &foreseen->rows[i].report;

    assert_string_equal (foreseen->rows[i].collection,
                         run->rows[i].collection);
    assert_int_equal (report->status, run->rows[i].report.status);
    if (report->status != TALLY_OK)
      continue;
    assert_string_equal (report->strategy, run->rows[i].report.strategy);
    kit_expect_figures (
        run, run->rows[i].collection,
        KIT_FIGURES (report->pulled, report->pushed, report->merged,
                     run->rows[i].report.conflicts, report->deleted));
  }
}

const struct tally_report *
kit_report (const struct kit_run *run, const char *collection)
{
  static const struct tally_report none;

  for (size_t i = 0; i < run->n; i++)
    if (strcmp (run->rows[i].collection, collection) == 0)
      return &run->rows[i].report;
  return &none;
}

static void
expect_figure (const char *collection, const char *what, uint64_t is,
               uint64_t expected)
{
  if (is != expected)
    fail_msg ("%s: %s is %llu and should be %llu", collection, what,
              (unsigned long long) is, (unsigned long long) expected);
}

void
kit_expect_figures (const struct kit_run *run, const char *collection,
                    struct kit_figures figures)
{
  const struct tally_report *report = kit_report (run, collection);

  expect_figure (collection, "pulled", report->pulled, figures.pulled);
  expect_figure (collection, "pushed", report->pushed, figures.pushed);
  expect_figure (collection, "merged", report->merged, figures.merged);
  expect_figure (collection, "conflicts", report->conflicts,
                 figures.conflicts);
  expect_figure (collection, "deleted", report->deleted, figures.deleted);
}

void
kit_expect_nothing (const struct kit_run *run, uint64_t round_trips)
{
  static const struct kit_figures nothing;

  for (size_t i = 0; i < run->n; i++) {
    kit_expect_figures (run, run->rows[i].collection, nothing);
    if (run->rows[i].report.round_trips > round_trips)
      expect_figure (run->rows[i].collection, "round_trips",
                     run->rows[i].report.round_trips, round_trips);
  }
}

/* ---- servers ------------------------------------------------------------ */

static void
on_ready (void *ctx, const char *name, const char *url)
{
  struct kit_server *server = ctx;

  (void) name;
  pthread_mutex_lock (&server->lock);
  snprintf (server->url, sizeof server->url, "%s", url);
  server->ready = true;
  pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
}

/* Only the test's own thread may assert. */
static void *
serve (void *ctx)
{
  struct kit_server *server = ctx;
  struct tally_serve_options options = { .size = sizeof options };

  options.ready = on_ready;
  options.ctx = server;
  server->status =
      tally_serve (server->tally, &server->name, 1, &options, &server->err);
  pthread_mutex_lock (&server->lock);
  server->done = true;
  pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
  return NULL;
}

void
kit_serve (struct kit_server *server, struct tally *tally, const char *name)
{
  memset (server, 0, sizeof *server);
  server->tally = tally;
  server->name = name;
  assert_int_equal (pthread_mutex_init (&server->lock, NULL), 0);
  assert_int_equal (pthread_cond_init (&server->changed, NULL), 0);
  assert_int_equal (pthread_create (&server->thread, NULL, serve, server), 0);
  pthread_mutex_lock (&server->lock);
  while (!server->ready && !server->done)
    pthread_cond_wait (&server->changed, &server->lock);
  pthread_mutex_unlock (&server->lock);
  if (!server->ready)
    fail_msg ("serve: %s", server->err.text);
}

void
kit_serve_end (struct kit_server *server)
{
  tally_cancel (server->tally);
  assert_int_equal (pthread_join (server->thread, NULL), 0);
  pthread_cond_destroy (&server->changed);
  pthread_mutex_destroy (&server->lock);
  must (server->status, &server->err);
}
