/* SPDX-License-Identifier: MIT */
/* One JSON line for each workload: the medians, the limit beside them, and the
 * goals with whether they are met. */

#include <stdlib.h>
#include <string.h>

#include "bench.h"

void
series_add (struct series *series, double value)
{
  if (series->n < RUNS_MAX)
    series->values[series->n++] = value;
}

static int
by_value (const void *left, const void *right)
{
  double a = *(const double *) left, b = *(const double *) right;

  return (a > b) - (a < b);
}

double
series_median (struct series *series)
{
  unsigned n = series->n;

  if (n == 0)
    return 0;
  qsort (series->values, n, sizeof series->values[0], by_value);
  return n % 2 ? series->values[n / 2]
               : (series->values[n / 2 - 1] + series->values[n / 2]) / 2;
}

/* The goals come last; until then they are kept here. */
static struct text goals;

static void
keep_goal (const char *line)
{
  size_t size = strlen (line);

  goals.data = realloc (goals.data, goals.size + size + 1);
  if (!goals.data)
    die ("out of memory");
  memcpy (goals.data + goals.size, line, size + 1);
  goals.size += size;
}

void
row_begin (const struct bench *bench, const char *workload, uint64_t documents)
{
  printf ("{\"who\":\"tally\",\"workload\":\"%s\",\"documents\":%llu,"
          "\"runs\":%u",
          workload, (unsigned long long) documents, bench->runs);
}

void
row_text (const char *key, const char *value)
{
  printf (",\"%s\":\"%s\"", key, value);
}

void
row_number (const char *key, double value)
{
  printf (",\"%s\":%.7g", key, value);
}

void
row_goal (const char *what, double is, double most)
{
  char line[256];

  snprintf (line, sizeof line,
            "%s{\"goal\":\"%s\",\"is\":%.4g,\"most\":%.4g,\"met\":%s}",
            goals.size > 0 ? "," : "", what, is, most,
            is <= most ? "true" : "false");
  keep_goal (line);
}

void
row_end (void)
{
  printf (",\"goals\":[%s]}\n", goals.size > 0 ? goals.data : "");
  fflush (stdout);
  goals.size = 0;
}
