/* SPDX-License-Identifier: MIT */
/* What test-instructions.sh counts the instructions of: each part is a work on
 * the same documents, and valgrind is told where it begins and ends.
 *   instructions PART STORE FOLDER N  */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include <tally/tally.h>

#include "../bench/bench.h"

#define BATCH 1000
#define COLLECTION "items"

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

struct job {
  struct tally *tally;
  struct tally_replica *replica;
  char endpoint[PATH_ROOM];
  uint64_t n;
};

/* The documents are made before anything counts. */
static void
put_all (const struct job *job, uint64_t batch, bool counts)
{
  uint64_t batches = (job->n + batch - 1) / batch;
  struct text *lines = calloc (batches, sizeof *lines);
  struct tally_error err = { 0 };

  if (!lines)
    die ("out of memory");
  for (uint64_t i = 0; i < batches; i++)
    data_lines (&lines[i], i * batch,
                job->n - i * batch < batch ? job->n - i * batch : batch, 0);
  if (counts)
    CALLGRIND_START_INSTRUMENTATION;
  for (uint64_t i = 0; i < batches; i++)
    check (tally_put (job->replica, COLLECTION, lines[i].data, lines[i].size,
                      NULL, NULL, NULL, &err),
           &err);
  if (counts)
    CALLGRIND_STOP_INSTRUMENTATION;
  for (uint64_t i = 0; i < batches; i++)
    text_free (&lines[i]);
  free (lines);
}

static int
count_bytes (void *ctx, const struct tally_document *document)
{
  *(uint64_t *) ctx += document->json_size;
  return 0;
}

static void
get_all (const struct job *job)
{
  char (*texts)[ID_SIZE + 1] = calloc (job->n, sizeof *texts);
  struct tally_error err = { 0 };
  uint64_t bytes = 0;

  if (!texts)
    die ("out of memory");
  put_all (job, BATCH, false);
  for (uint64_t i = 0; i < job->n; i++)
    data_id (i, texts[i]);
  CALLGRIND_START_INSTRUMENTATION;
  for (uint64_t i = 0; i < job->n; i++) {
    const char *id = texts[i];

    check (tally_get (job->replica, COLLECTION, &id, 1, count_bytes, &bytes,
                      &err),
           &err);
  }
  CALLGRIND_STOP_INSTRUMENTATION;
  if (bytes != data_bytes (job->n))
    die ("documents are gone");
  free (texts);
}

static void
sync_all (const struct job *job)
{
  struct tally_replica *other = NULL;
  struct tally_error err = { 0 };
  char far[PATH_ROOM + 8];

  snprintf (far, sizeof far, "%s-far", job->endpoint);
  put_all (job, BATCH, false);
  check (tally_replica_open (&other, job->tally, far, TALLY_OPEN_CREATE, &err),
         &err);
  CALLGRIND_START_INSTRUMENTATION;
  check (
      tally_pair (job->tally, job->endpoint, far, NULL, NULL, NULL, &err),
      &err);
  CALLGRIND_STOP_INSTRUMENTATION;
  tally_replica_close (other);
}

int
main (int argc, char **argv)
{
  struct tally_error err = { 0 };
  struct job job = { 0 };

  if (argc != 5)
    die ("PART STORE FOLDER N");
  job.n = strtoull (argv[4], NULL, 10);
  snprintf (job.endpoint, sizeof job.endpoint, "%s:%s", argv[2],
            strcmp (argv[2], "memory") == 0 ? "near" : argv[3]);
  check (tally_new (&job.tally, NULL, &err), &err);
  check (tally_replica_open (&job.replica, job.tally, job.endpoint,
                             TALLY_OPEN_CREATE, &err),
         &err);
  if (strcmp (argv[1], "put") == 0)
    put_all (&job, BATCH, true);
  else if (strcmp (argv[1], "put-one") == 0)
    put_all (&job, 1, true);
  else if (strcmp (argv[1], "get") == 0)
    get_all (&job);
  else if (strcmp (argv[1], "sync") == 0)
    sync_all (&job);
  else
    die ("no such part: %s", argv[1]);
  tally_replica_close (job.replica);
  tally_free (job.tally);
  return 0;
}
