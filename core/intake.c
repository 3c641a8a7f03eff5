/* SPDX-License-Identifier: MIT */
/* Batches of documents, each checked on its own: one that is bad keeps no
 * other back. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "error.h"
#include "intake-internal.h"

static void
complain (struct intake *intake, const struct tally_error *why)
{
  if (intake->complaint.status == TALLY_OK)
    intake->complaint = *why;
}

/* Says whose clock is off, as far as we can know. */
static bool
is_beyond (struct intake *intake, const struct dated *doc)
{
  uint64_t wall = replica_wall_ms (intake->replica);
  char ahead[DURATION_TEXT], time[DATED_TIME_TEXT];
  struct tally_error why;

  if (doc->mtime <= wall + intake->replica->max_skew_ms)
    return false;
  duration_text (ahead, doc->mtime - wall);
  dated_time_text (time, wall);
  error_set (&why, TALLY_AGAIN,
             "document \"%.*s\": its _mtime is %s ahead of the clock here "
             "(%s): one of the two clocks is wrong",
             (int) doc->id.size, doc->id.data, ahead, time);
  complain (intake, &why);
  return true;
}

int
intake_end (struct intake *intake, struct tally_error *err)
{
  int status = intake->n > 0 ? intake_batch (intake, err) : TALLY_OK;

  intake->n = intake->bytes = 0;
  idmap_clear (&intake->ids);
  return status;
}

/* The document moves into the batch, and what the batch had there, out. */
static int
add_taken (struct intake *intake, struct dated *doc, struct tally_error *err)
{
  struct dated swap;
  int status = TALLY_OK;

  if (intake->n == WRITE_BATCH
      || intake->bytes + doc->body.size > WRITE_BATCH_BYTES
      || idmap_find (&intake->ids, buf_slice (&doc->id)) != IDMAP_NONE)
    status = intake_end (intake, err);
  if (status != TALLY_OK)
    return status;
  if (!idmap_add (&intake->ids, buf_slice (&doc->id), intake->n, NULL))
    return error_nomem (err);
  swap = intake->batch[intake->n];
  intake->batch[intake->n] = *doc;
  *doc = swap;
  intake->bytes += intake->batch[intake->n++].body.size;
  return TALLY_OK;
}

int
intake_add (struct intake *intake, struct tally_slice text,
            struct tally_error *err)
{
  struct dated *doc;
  struct tally_error why = { 0 };
  int status;

  /* One more than a batch has, to read into. */
  if (!intake->batch)
    intake->batch = calloc (WRITE_BATCH + 1, sizeof *intake->batch);
  if (!intake->batch)
    return error_nomem (err);
  doc = &intake->batch[WRITE_BATCH];
  status = dated_take (doc, text, &why);
  if (status == TALLY_INVALID) {
    complain (intake, &why);
    return TALLY_OK;
  }
  if (status != TALLY_OK) {
    *err = why;
    return status;
  }
  return is_beyond (intake, doc) ? TALLY_OK : add_taken (intake, doc, err);
}

void
intake_free (struct intake *intake)
{
  for (size_t i = 0; intake->batch && i <= WRITE_BATCH; i++)
    dated_free (&intake->batch[i]);
  free (intake->batch);
  intake->batch = NULL;
  idmap_free (&intake->ids);
}
