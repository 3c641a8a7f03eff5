/* SPDX-License-Identifier: MIT */
/* Workloads of queries: by a field that has an index, and by one that has
 * none. */

#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define LOOKUPS 10000
#define SCANS 5

static int
count_document (void *ctx, const struct tally_document *document)
{
  (void) document;
  ++*(uint64_t *) ctx;
  return 0;
}

/* {"FIELD":VALUE}, with what a document has there. */
static void
query_for (struct text *document, uint64_t i, const char *field,
           char query[256])
{
  char name[64];
  const char *value, *end;

  document->size = 0;
  data_document (document, i, 0);
  snprintf (name, sizeof name, "\"%s\":", field);
  value = strstr (document->data, name);
  if (!value)
    die ("no document has %s", field);
  end = value + strlen (name);
  end += *end == '"' ? strcspn (end + 1, "\"") + 2 : strcspn (end, ",}");
  snprintf (query, 256, "{%.*s}", (int) (end - value), value);
}

static uint64_t
find_for (struct tally_replica *replica, const char *query)
{
  struct tally_error err = { 0 };
  uint64_t found = 0;

  must (tally_find (replica, COLLECTION, query, NULL, count_document, &found,
                    &err),
        &err);
  if (found == 0)
    die ("%s finds nothing", query);
  return found;
}

/* The queries are made before the clock runs. */
static double
find_all (struct tally_replica *replica, uint64_t n, const char *field,
          unsigned times)
{
  char (*queries)[256] = calloc (times, sizeof *queries);
  struct text document = { 0 };
  uint64_t state = 11;
  double began;

  if (!queries)
    die ("out of memory");
  for (unsigned i = 0; i < times; i++)
    query_for (&document, data_random (&state, n), field, queries[i]);
  began = now_seconds ();
  for (unsigned i = 0; i < times; i++)
    find_for (replica, queries[i]);
  began = now_seconds () - began;
  text_free (&document);
  free (queries);
  return began;
}

/* `amount` is of hundreds of thousands of numbers, so most are of one
 * document. */
void
work_lookup (const struct bench *bench)
{
  struct series seconds = { .n = 0 }, limit = { .n = 0 };
  struct series cpu = { .n = 0 }, limit_cpu = { .n = 0 };
  struct tally_error err = { 0 };
  char path[PATH_ROOM];
  struct opened opened;
  double is, most;

  store_path (bench, bench->a, "lookup", path);
  remove_tree (path);
  opened = open_alone (bench->a, path);
  put_all (opened.replica, bench->n);
  must (tally_index (opened.replica, COLLECTION, "amount", NULL, &err), &err);
  for (unsigned i = 0; i < bench->runs; i++) {
    if (limit_has (bench->a)) {
      close_alone (&opened);
      series_add (&limit, limit_read (bench->a, path, LOOKUPS));
      series_add (&limit_cpu, cpu_seconds ());
      opened = open_alone (bench->a, path);
    }
    series_add (&seconds,
                find_all (opened.replica, bench->n, "amount", LOOKUPS));
    series_add (&cpu, cpu_seconds ());
  }
  close_alone (&opened);
  is = series_median (&seconds);
  most = series_median (&limit);
  row_begin_store (bench, "lookup", bench->n);
  row_number ("lookups", LOOKUPS);
  row_number ("seconds", is);
  row_number ("cpu_seconds", series_median (&cpu));
  if (limit.n > 0) {
    row_number ("limit_cpu_seconds", series_median (&limit_cpu));
    row_text ("limit", "as many of the engine's own gets");
    row_number ("limit_seconds", most);
    row_goal ("time", is / most, 3);
  }
  row_end ();
}

void
work_scan (const struct bench *bench)
{
  struct series seconds = { .n = 0 }, cpu = { .n = 0 };
  char path[PATH_ROOM];
  struct opened opened;

  store_path (bench, bench->a, "scan", path);
  remove_tree (path);
  opened = open_alone (bench->a, path);
  put_all (opened.replica, bench->n);
  for (unsigned i = 0; i < bench->runs; i++) {
    series_add (&seconds,
                find_all (opened.replica, bench->n, "title", SCANS) / SCANS);
    series_add (&cpu, cpu_seconds () / SCANS);
  }
  close_alone (&opened);
  row_begin_store (bench, "scan", bench->n);
  row_number ("seconds", series_median (&seconds));
  row_number ("cpu_seconds", series_median (&cpu));
  row_end ();
}
