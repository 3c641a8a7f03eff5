/* SPDX-License-Identifier: MIT */
/* make bench: which workloads, on which stores, how often. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const struct work {
  const char *name;
  void (*run) (const struct bench *bench);
  enum { WORK_ONCE, WORK_STORE, WORK_PAIR } on; /* what it is run on */
} works[] = {
  { "in-process", work_in_process, WORK_ONCE },
  { "bulk-put", work_bulk_put, WORK_STORE },
  { "single-put", work_single_put, WORK_STORE },
  { "point-get", work_point_get, WORK_STORE },
  { "lookup", work_lookup, WORK_STORE },
  { "scan", work_scan, WORK_STORE },
  { "size", work_size, WORK_STORE },
  { "first-push", work_first_push, WORK_PAIR },
  { "first-pull", work_first_pull, WORK_PAIR },
  { "nothing", work_nothing, WORK_PAIR },
  { "changed", work_changed, WORK_PAIR },
  { "lost", work_lost, WORK_PAIR },
  { "lost-same", work_lost_same, WORK_PAIR },
  { "lost-many", work_lost_many, WORK_PAIR },
  { "lost-half", work_lost_half, WORK_PAIR },
};
#define WORKS (sizeof works / sizeof works[0])

void
die (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fputs ("bench: ", stderr);
  vfprintf (stderr, format, args);
  fputc ('\n', stderr);
  va_end (args);
  exit (1);
}

static const char *
setting (const char *name, const char *otherwise)
{
  const char *value = getenv (name);

  return value && *value ? value : otherwise;
}

/* Whether a word stands in a list with blanks or commas between. */
static bool
listed (const char *list, const char *word)
{
  size_t size = strlen (word);

  for (const char *at = strstr (list, word); at; at = strstr (at + 1, word))
    if ((at == list || strchr (" ,", at[-1]))
        && (!at[size] || strchr (" ,", at[size])))
      return true;
  return false;
}

static void
run_works (const struct bench *bench, const char *wanted, int on)
{
  for (size_t i = 0; i < WORKS; i++)
    if ((int) works[i].on == on
        && (!*wanted || listed (wanted, works[i].name)))
      works[i].run (bench);
}

/* Each word of a list; the space between is cut out of it. */
static char *
next_word (char **rest)
{
  char *word;

  *rest += strspn (*rest, " ,");
  word = *rest;
  *rest += strcspn (*rest, " ,");
  if (**rest)
    *(*rest)++ = '\0';
  return word;
}

/* What the peers are given. */
static int
print_documents (const struct bench *bench)
{
  struct text lines = { 0 };

  for (uint64_t i = 0; i < bench->n; i++) {
    lines.size = 0;
    data_lines (&lines, i, 1, 0);
    fwrite (lines.data, 1, lines.size, stdout);
  }
  text_free (&lines);
  return fflush (stdout) != 0;
}

static void
check_wanted (char *wanted)
{
  char *copy = strdup (wanted), *rest = copy, *word;

  if (!copy)
    die ("out of memory");
  for (word = next_word (&rest); *word; word = next_word (&rest)) {
    bool known = false;

    for (size_t i = 0; i < WORKS; i++)
      known |= strcmp (works[i].name, word) == 0;
    if (!known)
      die ("no workload is called %s", word);
  }
  free (copy);
}

/* STORES names single stores and, with a colon, pairs of them. */
static void
run_stores (struct bench *bench, const char *stores, const char *wanted)
{
  char *copy = strdup (stores), *rest = copy, *word;

  if (!copy)
    die ("out of memory");
  for (word = next_word (&rest); *word; word = next_word (&rest)) {
    char *colon = strchr (word, ':');

    if (colon)
      *colon = '\0';
    bench->a = word;
    bench->b = colon ? colon + 1 : word;
    run_works (bench, wanted, colon ? WORK_PAIR : WORK_STORE);
  }
  free (copy);
}

int
main (void)
{
  const char *folder = setting ("TMPDIR", "/tmp");
  char *wanted = strdup (setting ("WORKLOADS", ""));
  struct bench bench = { .transport = setting ("TRANSPORT", "http") };

  bench.program = setting ("TALLY", "tally");
  bench.n = strtoull (setting ("N", "100000"), NULL, 10);
  bench.runs = (unsigned) strtoul (setting ("RUNS", "3"), NULL, 10);
  if (!wanted || bench.n < 1000 || bench.runs < 1 || bench.runs > RUNS_MAX)
    die ("N is 1000 at least, RUNS 1 to %d", RUNS_MAX);
  if (strcmp (wanted, "documents") == 0)
    return print_documents (&bench);
  check_wanted (wanted);
  if (!listed ("local http file", bench.transport))
    die ("TRANSPORT is local, http or file");
  snprintf (bench.folder, sizeof bench.folder, "%s/tally-bench-XXXXXX",
            folder);
  if (!mkdtemp (bench.folder))
    die ("%s: cannot make a folder there", folder);
  /* Nothing of the user's own is read. */
  setenv ("HOME", bench.folder, 1);
  unsetenv ("TALLY_CONFIG");
  unsetenv ("XDG_CONFIG_HOME");
  run_works (&bench, wanted, WORK_ONCE);
  run_stores (&bench,
              setting ("STORES", "linvo sqlite linvo:linvo linvo:sqlite "
                                 "sqlite:linvo sqlite:sqlite"),
              wanted);
  remove_tree (bench.folder);
  free (wanted);
  return 0;
}
