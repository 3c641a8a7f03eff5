/* SPDX-License-Identifier: MIT */
/* datastorePut. */

#include <config.h>

#include "devices.h"
#include "dialect-internal.h"
#include "error.h"
#include "intake.h"

/* What lost is dropped in time also where nobody ever runs a sync. */
#define PRUNE_MS (10 * 60 * 1000)

static int
prune (struct dialect *dialect, struct tally_error *err)
{
  struct replica *replica = dialect->setup.replica;
  uint64_t now = replica_wall_ms (replica);
  bool due;

  pthread_mutex_lock (&dialect->lock);
  due = now - dialect->pruned_ms >= PRUNE_MS;
  if (due)
    dialect->pruned_ms = now;
  pthread_mutex_unlock (&dialect->lock);
  return due ? journal_prune (replica, &dialect->setup.limits,
                              replica_clock_agrees (replica), err)
             : TALLY_OK;
}

/* These clients have no name of their own. */
static int
name_client (const struct dialect *dialect, uint32_t client,
             struct tally_error *err)
{
  struct buf name = BUF_INIT;
  int status;

  if (!dialect->setup.device)
    return TALLY_OK;
  buf_addf (&name, "LinvoDB at %s", dialect->setup.device);
  status = name.failed ? error_nomem (err)
                       : device_learn (dialect->setup.replica, "", client,
                                       buf_slice (&name), err);
  buf_free (&name);
  return status;
}

static int
take_changes (struct dialect_call *call, struct intake *intake,
              struct tally_error *err)
{
  struct envelope_items items = { call->asked.changes, false };
  struct tally_slice element;
  int status = envelope_next (&items, &element, err);

  while (status == TALLY_OK) {
    status = intake_add (intake, element, err);
    if (status == TALLY_OK)
      status = envelope_next (&items, &element, err);
  }
  /* What came before the end of what could be read is stored. */
  if (status == TALLY_NOTFOUND || status == TALLY_INVALID) {
    int ended = intake_end (intake, err);

    return ended != TALLY_OK || status == TALLY_NOTFOUND ? ended : status;
  }
  return status;
}

int
dialect_put (struct dialect_call *call, struct tally_error *err)
{
  struct dialect *dialect = call->dialect;
  struct intake intake = { .replica = dialect->setup.replica,
                           .collection = call->collection };
  int status;

  if (!call->asked.changes.data)
    return error_set (err, TALLY_INVALID, "changes: are missing");
  status = identity_dialect (intake.replica, NULL, &intake.client, err);
  if (status == TALLY_OK)
    status = name_client (dialect, intake.client, err);
  if (status == TALLY_OK)
    status = take_changes (call, &intake, err);
  if (status == TALLY_OK && intake.taken > 0)
    status = dialect_register (call, err);
  if (status == TALLY_OK && intake.journaled > 0)
    status = prune (dialect, err);
  intake_free (&intake);
  if (status == TALLY_OK && intake.complaint.status != TALLY_OK) {
    *err = intake.complaint;
    status = err->status;
    call->code = status == TALLY_AGAIN ? DIALECT_CLOCK : DIALECT_BAD_REQUEST;
  }
  buf_add_text (&call->reply, "{\"success\":true}");
  return status;
}
