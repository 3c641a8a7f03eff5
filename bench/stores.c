/* SPDX-License-Identifier: MIT */
/* Workloads on one store, through the library as an application uses it. */

#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define BULK 1000
#define SINGLES 500

void
store_path (const struct bench *bench, const char *driver, const char *name,
            char path[PATH_ROOM])
{
  snprintf (path, PATH_ROOM, "%s/%s.%s", bench->folder, name, driver);
}

void
store_endpoint (const char *driver, const char *path, char endpoint[PATH_ROOM])
{
  if (strcmp (driver, "memory") == 0)
    snprintf (endpoint, PATH_ROOM, "memory:%.200s", path);
  else
    snprintf (endpoint, PATH_ROOM, "%s:%.450s", driver, path);
}

/* ---- a store in this process -------------------------------------------- */

void
must (int status, const struct tally_error *err)
{
  if (status != TALLY_OK)
    die ("%s", err->text);
}

static struct tally_replica *
open_store (struct tally *tally, const char *driver, const char *path)
{
  struct tally_error err = { 0 };
  struct tally_replica *replica = NULL;
  char endpoint[PATH_ROOM];

  store_endpoint (driver, path, endpoint);
  must (
      tally_replica_open (&replica, tally, endpoint, TALLY_OPEN_CREATE, &err),
      &err);
  return replica;
}

struct opened
open_alone (const char *driver, const char *path)
{
  struct tally_error err = { 0 };
  struct opened opened = { 0 };

  must (tally_new (&opened.tally, NULL, &err), &err);
  opened.replica = open_store (opened.tally, driver, path);
  return opened;
}

void
close_alone (struct opened *opened)
{
  tally_replica_close (opened->replica);
  tally_free (opened->tally);
}

static void
put_lines (struct tally_replica *replica, const struct text *lines)
{
  struct tally_error err = { 0 };

  must (tally_put (replica, COLLECTION, lines->data, lines->size, NULL, NULL,
                   NULL, &err),
        &err);
}

double
put_all (struct tally_replica *replica, uint64_t n)
{
  uint64_t batches = (n + BULK - 1) / BULK;
  struct text *lines = calloc (batches, sizeof *lines);
  double began;

  if (!lines)
    die ("out of memory");
  for (uint64_t i = 0; i < batches; i++)
    data_lines (&lines[i], i * BULK, n - i * BULK < BULK ? n - i * BULK : BULK,
                0);
  began = now_seconds ();
  for (uint64_t i = 0; i < batches; i++)
    put_lines (replica, &lines[i]);
  began = now_seconds () - began;
  for (uint64_t i = 0; i < batches; i++)
    text_free (&lines[i]);
  free (lines);
  return began;
}

void
row_begin_store (const struct bench *bench, const char *workload, uint64_t n)
{
  row_begin (bench, workload, n);
  row_text ("a", bench->a);
}

/* ---- bulk put ----------------------------------------------------------- */

void
work_bulk_put (const struct bench *bench)
{
  struct series seconds = { .n = 0 }, limit = { .n = 0 };
  struct series cpu = { .n = 0 }, limit_cpu = { .n = 0 };
  char path[PATH_ROOM], scratch[PATH_ROOM];
  double is, most;

  store_path (bench, bench->a, "bulk", path);
  store_path (bench, bench->a, "scratch", scratch);
  for (unsigned i = 0; i < bench->runs; i++) {
    struct opened opened;

    remove_tree (path);
    opened = open_alone (bench->a, path);
    series_add (&seconds, put_all (opened.replica, bench->n));
    series_add (&cpu, cpu_seconds ());
    close_alone (&opened);
    if (!limit_has (bench->a))
      continue;
    series_add (&limit, limit_write (bench->a, path, scratch, bench->n, BULK));
    series_add (&limit_cpu, cpu_seconds ());
  }
  is = series_median (&seconds);
  most = series_median (&limit);
  row_begin_store (bench, "bulk-put", bench->n);
  row_number ("seconds", is);
  row_number ("cpu_seconds", series_median (&cpu));
  row_number ("limit_cpu_seconds", series_median (&limit_cpu));
  if (limit.n > 0) {
    row_text ("limit", "the engine alone, same records and batches");
    row_number ("limit_seconds", most);
    row_goal ("time", is / most, strcmp (bench->a, "linvo") == 0 ? 1.5 : 2.5);
  }
  row_end ();
}

/* ---- single puts -------------------------------------------------------- */

static double
put_singles (struct tally_replica *replica, uint64_t *bytes)
{
  struct text lines[SINGLES];
  double began;

  memset (lines, 0, sizeof lines);
  *bytes = 0;
  for (unsigned i = 0; i < SINGLES; i++) {
    data_lines (&lines[i], i, 1, 0);
    *bytes += lines[i].size;
  }
  began = now_seconds ();
  for (unsigned i = 0; i < SINGLES; i++)
    put_lines (replica, &lines[i]);
  began = now_seconds () - began;
  for (unsigned i = 0; i < SINGLES; i++)
    text_free (&lines[i]);
  return began;
}

void
work_single_put (const struct bench *bench)
{
  struct series seconds = { .n = 0 }, limit = { .n = 0 };
  char path[PATH_ROOM], scratch[PATH_ROOM];
  double is, most;

  store_path (bench, bench->a, "singles", path);
  store_path (bench, bench->a, "scratch", scratch);
  for (unsigned i = 0; i < bench->runs; i++) {
    struct opened opened;
    uint64_t bytes;

    remove_tree (path);
    opened = open_alone (bench->a, path);
    series_add (&seconds, put_singles (opened.replica, &bytes) / SINGLES);
    close_alone (&opened);
    series_add (&limit,
                limit_append (scratch, bytes / SINGLES, SINGLES) / SINGLES);
  }
  is = series_median (&seconds);
  most = series_median (&limit);
  row_begin_store (bench, "single-put", 1);
  row_number ("seconds", is);
  row_text ("limit", "write and fdatasync of as many bytes");
  row_number ("limit_seconds", most);
  row_goal ("time", is / most, strcmp (bench->a, "linvo") == 0 ? 1.3 : 2.5);
  row_end ();
}

/* ---- point reads -------------------------------------------------------- */

static int
on_document (void *ctx, const struct tally_document *document)
{
  *(uint64_t *) ctx += document->json_size;
  return 0;
}

static double
get_all (struct tally_replica *replica, uint64_t n)
{
  uint64_t state = 7, read = 0;
  struct tally_error err = { 0 };
  double began = now_seconds ();

  for (uint64_t i = 0; i < n; i++) {
    char text[ID_SIZE + 1];
    const char *id = text;

    data_id (data_random (&state, n), text);
    must (tally_get (replica, COLLECTION, &id, 1, on_document, &read, &err),
          &err);
  }
  if (read < n * 100)
    die ("documents are gone");
  return now_seconds () - began;
}

void
work_point_get (const struct bench *bench)
{
  struct series seconds = { .n = 0 }, limit = { .n = 0 };
  struct series cpu = { .n = 0 }, limit_cpu = { .n = 0 };
  char path[PATH_ROOM];
  struct opened opened;
  double is, most;

  store_path (bench, bench->a, "points", path);
  remove_tree (path);
  opened = open_alone (bench->a, path);
  put_all (opened.replica, bench->n);
  for (unsigned i = 0; i < bench->runs; i++) {
    if (limit_has (bench->a)) {
      close_alone (&opened);
      series_add (&limit, limit_read (bench->a, path, bench->n));
      series_add (&limit_cpu, cpu_seconds ());
      opened = open_alone (bench->a, path);
    }
    series_add (&seconds, get_all (opened.replica, bench->n));
    series_add (&cpu, cpu_seconds ());
  }
  close_alone (&opened);
  is = series_median (&seconds);
  most = series_median (&limit);
  row_begin_store (bench, "point-get", bench->n);
  row_number ("seconds", is);
  row_number ("cpu_seconds", series_median (&cpu));
  row_number ("limit_cpu_seconds", series_median (&limit_cpu));
  if (limit.n > 0) {
    row_text ("limit", "the engine's own get");
    row_number ("limit_seconds", most);
    row_goal ("time", is / most, 1.3);
  }
  row_end ();
}

/* ---- in process --------------------------------------------------------- */

static int
on_report (void *ctx, const struct tally_report *report)
{
  *(struct tally_report *) ctx = *report;
  return 0;
}

void
work_in_process (const struct bench *bench)
{
  struct series seconds = { .n = 0 }, limit = { .n = 0 };
  struct series cpu = { .n = 0 };
  const char *const names[] = { "memory:one", "memory:two" };
  struct tally_error err = { 0 };
  double is;

  for (unsigned i = 0; i < bench->runs; i++) {
    struct opened opened = open_alone ("memory", "one");
    struct tally_replica *two = open_store (opened.tally, "memory", "two");
    struct tally_report report = { 0 };
    double began;

    put_all (opened.replica, bench->n);
    began = now_seconds ();
    must (tally_pair (opened.tally, names[0], names[1], NULL, on_report,
                      &report, &err),
          &err);
    series_add (&seconds, now_seconds () - began);
    series_add (&cpu, cpu_seconds ());
    if (report.pushed != bench->n)
      die ("%s: not all was pushed", names[1]);
    tally_replica_close (two);
    close_alone (&opened);
    series_add (&limit, limit_copy (data_bytes (bench->n)));
  }
  is = series_median (&seconds);
  row_begin (bench, "in-process", bench->n);
  row_text ("a", "memory");
  row_text ("b", "memory");
  row_text ("transport", "local");
  row_number ("seconds", is);
  row_number ("cpu_seconds", series_median (&cpu));
  row_text ("limit", "memcpy of the documents");
  row_number ("limit_seconds", series_median (&limit));
  /* TinyBase's 4.7 s for 100,000, in seconds for each document. */
  row_goal ("seconds", is, 4.7 / 20 * (double) bench->n / 1e5);
  row_end ();
}

/* ---- what is kept ------------------------------------------------------- */

void
work_size (const struct bench *bench)
{
  char path[PATH_ROOM], scratch[PATH_ROOM];
  uint64_t size, least = data_bytes (bench->n) + ID_SIZE * bench->n;
  struct opened opened;
  double is;

  if (!limit_has (bench->a))
    return;
  store_path (bench, bench->a, "size", path);
  store_path (bench, bench->a, "scratch", scratch);
  remove_tree (path);
  opened = open_alone (bench->a, path);
  put_all (opened.replica, bench->n);
  close_alone (&opened);
  size = limit_size (bench->a, path, scratch);
  is = size > least ? (double) (size - least) / (double) bench->n : 0;
  row_begin_store (bench, "size", bench->n);
  row_number ("bytes", (double) size);
  row_text ("limit", "ids and bodies");
  row_number ("limit_bytes", (double) least);
  row_goal ("bytes for each document besides", is,
            strcmp (bench->a, "linvo") == 0 ? 128 : 160);
  row_end ();
}
