/* SPDX-License-Identifier: MIT */
/* What check-instructions.sh counts the instructions of.  Each part is the
 * same work on the same documents; valgrind is told where it begins and ends,
 * and dumps its count under the part's name. instructions FOLDER DOCUMENTS */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include <tally/tally.h>

#include "../bench/bench.h"
#include "../core/json.h"

#define COLLECTION "items"
#define BATCH 1000

void
die (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fputs ("instructions: ", stderr);
  vfprintf (stderr, format, args);
  fputc ('\n', stderr);
  va_end (args);
  exit (1);
}

static void
check (int status, const struct tally_error *err)
{
  if (status != TALLY_OK)
    die ("%s", err->text);
}

/* The documents of all parts: in one text, and where each of them is. */
struct work {
  const char *folder;
  uint64_t n;
  struct text lines;
  size_t *starts; /* n + 1 of them */
  char (*ids)[ID_SIZE + 1];
};

static void
work_init (struct work *work)
{
  work->starts = calloc (work->n + 1, sizeof *work->starts);
  work->ids = calloc (work->n, sizeof *work->ids);
  if (!work->starts || !work->ids)
    die ("out of memory");
  for (uint64_t i = 0; i < work->n; i++) {
    data_lines (&work->lines, i, 1, 0);
    work->starts[i + 1] = work->lines.size;
    data_id (i, work->ids[i]);
  }
}

static void
work_free (struct work *work)
{
  text_free (&work->lines);
  free (work->starts);
  free (work->ids);
}

static struct tally_replica *
open_store (struct tally *tally, const struct work *work, const char *driver,
            const char *name, char endpoint[PATH_ROOM])
{
  struct tally_replica *replica = NULL;
  struct tally_error err = { 0 };

  snprintf (endpoint, PATH_ROOM, "%s:%s/%s.%s", driver, work->folder, name,
            driver);
  check (
      tally_replica_open (&replica, tally, endpoint, TALLY_OPEN_CREATE, &err),
      &err);
  return replica;
}

static void
put_each (const struct work *work, struct tally_replica *replica,
          uint64_t batch)
{
  struct tally_error err = { 0 };

  for (uint64_t i = 0; i < work->n; i += batch) {
    size_t from = work->starts[i];
    size_t to = work->starts[work->n - i < batch ? work->n : i + batch];

    check (tally_put (replica, COLLECTION, work->lines.data + from, to - from,
                      NULL, NULL, NULL, &err),
           &err);
  }
}

static int
count_bytes (void *ctx, const struct tally_document *document)
{
  *(uint64_t *) ctx += document->json_size;
  return 0;
}

static void
get_all (const struct work *work, struct tally_replica *replica)
{
  struct tally_error err = { 0 };
  uint64_t bytes = 0;

  for (uint64_t i = 0; i < work->n; i++) {
    const char *id = work->ids[i];

    check (tally_get (replica, COLLECTION, &id, 1, count_bytes, &bytes, &err),
           &err);
  }
  if (bytes != work->lines.size - work->n)
    die ("documents are gone");
}

static void
check_json (const struct work *work)
{
  for (uint64_t i = 0; i < work->n; i++)
    if (!json_is_canonical (work->lines.data + work->starts[i],
                            work->starts[i + 1] - work->starts[i] - 1))
      die ("a document is not canonical");
}

static void
end_part (const char *part, const char *driver)
{
  char name[64];

  CALLGRIND_STOP_INSTRUMENTATION;
  snprintf (name, sizeof name, "%s %s", part, driver);
  CALLGRIND_DUMP_STATS_AT (name);
}

static void
run_store (const struct work *work, const char *driver)
{
  char near[PATH_ROOM], far[PATH_ROOM], one[PATH_ROOM];
  struct tally_replica *replica, *other, *singly;
  struct tally_error err = { 0 };
  struct tally *tally = NULL;

  check (tally_new (&tally, NULL, &err), &err);
  replica = open_store (tally, work, driver, "near", near);
  other = open_store (tally, work, driver, "far", far);
  singly = open_store (tally, work, driver, "one", one);

  CALLGRIND_START_INSTRUMENTATION;
  put_each (work, replica, BATCH);
  end_part ("put", driver);
  CALLGRIND_START_INSTRUMENTATION;
  put_each (work, singly, 1);
  end_part ("put-one", driver);
  CALLGRIND_START_INSTRUMENTATION;
  get_all (work, replica);
  end_part ("get", driver);
  CALLGRIND_START_INSTRUMENTATION;
  check (tally_pair (tally, near, far, NULL, NULL, NULL, &err), &err);
  end_part ("sync", driver);

  tally_replica_close (singly);
  tally_replica_close (other);
  tally_replica_close (replica);
  tally_free (tally);
}

int
main (int argc, char **argv)
{
  static const char *const drivers[] = { "memory", "linvo", "sqlite" };
  struct work work = { .n = 0 };

  if (argc != 3)
    die ("FOLDER DOCUMENTS");
#if !defined __OPTIMIZE__ || !defined __x86_64__ || defined __clang__ \
    || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  return 77; /* the numbers are of another compilation */
#endif
  work.folder = argv[1];
  work.n = strtoull (argv[2], NULL, 10);
  work_init (&work);
  CALLGRIND_START_INSTRUMENTATION;
  check_json (&work);
  end_part ("check", "json");
  for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
    run_store (&work, drivers[i]);
  work_free (&work);
  return 0;
}
