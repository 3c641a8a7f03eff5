/* SPDX-License-Identifier: MIT */
/* A run, step by step: ensure_indexes, retrieve_remote_meta, compile_changes,
 * push_remote, pull_local, finalize.  A collection goes through the middle
 * four once for each window of headers, so that memory stays bounded. */

#include <config.h>

#include "engine-compare.h"
#include "engine-connect.h"
#include "engine-internal.h"
#include "engine-names.h"
#include "error.h"
#include "timesource.h"

/* ---- a collection ------------------------------------------------------- */

static int
sync_held (struct sync *sync, struct tally_error *err)
{
  struct idlist both = { 0 };
  int status = sync_retry (sync, &both, err);

  if (status == TALLY_OK)
    status = merge_both (sync, &both, err);
  idlist_free (&both);
  return status;
}

/* Steps 3 to 5 for a window; merges false: a next one does that. */
static int
sync_window (struct sync *sync, struct idlist *both, bool merges,
             struct tally_error *err)
{
  int status = sync_hold_back (sync, both, err);

  if (status == TALLY_OK)
    status = compile_changes (sync, err);
  if (status == TALLY_OK)
    fetch_remote_ahead (sync);
  if (status == TALLY_OK)
    status = bound_window (sync, err);
  if (status == TALLY_OK)
    status = names_ask (sync, err);
  if (status == TALLY_OK)
    status = push_remote (sync, both, err);
  if (status == TALLY_OK)
    status = pull_local (sync, both, err);
  if (status == TALLY_OK && merges)
    status = merge_both (sync, both, err);
  if (status == TALLY_OK && merges)
    status = delete_gone (sync, err);
  if (status == TALLY_OK && merges)
    status = names_take (sync->run, err);
  return status;
}

/* Before the first window, to who has nothing. */
static int
sync_given (struct sync *sync, struct tally_error *err)
{
  struct idlist both = { 0 };
  int status = push_given (sync, &both, err);

  if (status == TALLY_OK)
    status = merge_both (sync, &both, err);
  idlist_free (&both);
  return status;
}

static int
sync_pending (struct sync *sync, struct tally_error *err)
{
  struct idlist both = { 0 };
  int status = TALLY_OK;

  do {
    if (sync_cancelled (sync))
      status = error_set (err, TALLY_CANCELLED, "cancelled");
    if (status == TALLY_OK && !sync->at_hand)
      status = retrieve_remote_meta (sync, err);
    sync->at_hand = false;
    if (status == TALLY_OK && push_may_give (sync))
      status = sync_given (sync, err);
    if (status == TALLY_OK)
      status = sync_window (sync, &both, true, err);
    idlist_free (&both);
  } while (status == TALLY_OK && !(sync->remote_done && sync->local_done));
  return status;
}

struct compared {
  struct sync *sync;
  struct idlist both;
};

static int
compared_first (void *ctx, bool last, struct tally_error *err)
{
  struct compared *compared = ctx;

  (void) last;
  return sync_held (compared->sync, err);
}

static int
compared_window (void *ctx, bool last, struct tally_error *err)
{
  struct compared *compared = ctx;

  return sync_window (compared->sync, &compared->both, last, err);
}

static int
sync_listed (struct sync *sync, struct tally_error *err)
{
  int status = retrieve_remote_meta (sync, err);

  if (status == TALLY_OK)
    status = guard_deletes (sync, err);
  sync->at_hand = true;
  if (status == TALLY_OK)
    status = sync_held (sync, err);
  return status == TALLY_OK ? sync_pending (sync, err) : status;
}

/* What can be compared is; else, or where that does not tell, it is listed. */
static int
sync_differing (struct sync *sync, struct tally_error *err)
{
  struct compared compared = { .sync = sync };
  int status = TALLY_OK;

  if (compare_may (sync))
    status = compare_windows (sync, compared_first, compared_window, &compared,
                              err);
  idlist_free (&compared.both);
  if (status == TALLY_OK && sync->graves) {
    status = sync_pending (sync, err);
    return status == TALLY_OK ? compare_end_graves (sync, err) : status;
  }
  if (status != TALLY_OK || (sync->remote_done && sync->local_done))
    return status;
  return sync_listed (sync, err);
}

static int
sync_windows (struct sync *sync, struct tally_error *err)
{
  int status = ensure_indexes (sync, err);

  if (status == TALLY_OK)
    status = sync_differing (sync, err);
  if (status == TALLY_OK && sync->run->repairs) {
    status = sync_repair (sync, err);
    if (status == TALLY_OK)
      status = sync_held (sync, err);
    sync->local_done = !sync->pushes;
    if (status == TALLY_OK)
      status = sync_pending (sync, err);
  }
  if (status == TALLY_OK)
    status = finalize (sync, err);
  sync_tell_returned (sync);
  if (status == TALLY_OK && sync->bad.status != TALLY_OK) {
    *err = sync->bad;
    status = err->status;
  }
  return status;
}

/* What a run would stop at, or could not finish. */
static void
notice (struct sync *sync, int status, const struct tally_error *why)
{
  if (status != TALLY_OK && sync->notice.status == TALLY_OK)
    sync->notice = *why;
}

/* A look tells of it, and goes on. */
static int
look_windows (struct sync *sync, struct tally_error *err)
{
  struct tally_error why = { 0 };
  int status = survey_windows (sync, err), judged;

  if (status != TALLY_OK)
    return status;
  judged = guard_judge (sync, &why);
  if (judged != TALLY_OK && judged != TALLY_CONFLICT) {
    *err = why;
    return judged;
  }
  notice (sync, judged, &why);
  notice (sync, sync->bad.status, &sync->bad);
  notice (sync, run_complaint (sync, &why), &why);
  notice (sync, sync_complaint (sync, &why), &why);
  return TALLY_OK;
}

void
sync_free (struct sync *sync)
{
  buf_free (&sync->far_cursor);
  buf_free (&sync->after);
  buf_free (&sync->head);
  doclist_free (&sync->remote);
  doclist_free (&sync->local);
  doclist_free (&sync->changed);
  plan_free (&sync->plan);
  idset_free (&sync->moved);
  buf_free (&sync->checkpoint);
  seqset_free (&sync->settled);
  seqset_free (&sync->listed);
}

/* After these nothing more will come through. */
static bool
ends_run (int status)
{
  return status == TALLY_AGAIN || status == TALLY_CANCELLED
         || status == TALLY_DENIED;
}

/* When all is to stop, what fails first may look like something else: a
 * server of the same context that is gone, say. */
static int
unless_cancelled (const struct run *run, int status, struct tally_error *err)
{
  if (status == TALLY_OK || status == TALLY_CANCELLED || !run_cancelled (run))
    return status;
  return error_set (err, TALLY_CANCELLED, "cancelled");
}

static int
sync_collection (struct run *run, const char *collection, double started,
                 tally_report_fn *emit, void *ctx, bool *over,
                 struct tally_error *err)
{
  struct sync sync = { .run = run, .collection = collection };
  int status;

  sync.started = started;
  sync.looks = run->link->look != NULL;
  sync_tell (&sync, TALLY_EVENT_SYNC_START);
  status = sync.looks ? look_windows (&sync, err) : sync_windows (&sync, err);
  status = unless_cancelled (run, status, err);
  *over = ends_run (status) || run->moved;
  /* What a folder does not have whole yet keeps no other collection back. */
  if (status == TALLY_OK && !sync.looks)
    status = run_complaint (&sync, err);
  if (status == TALLY_OK && !sync.looks)
    status = sync_complaint (&sync, err);
  sync_fill_report (&sync, status, err);
  sync_tell (&sync, TALLY_EVENT_SYNC_END);
  *over |= emit && emit (ctx, &sync.report);
  sync_free (&sync);
  return status;
}

/* What lost and is old goes when a run is over, however it went; its own
 * failure counts only where there is no other. */
static int
prune_journal (struct run *run, int status, struct tally_error *err)
{
  struct tally_error why = { 0 };
  int failed;

  if (!run->link->limits)
    return status;
  failed = journal_prune (run->replica, run->link->limits,
                          replica_clock_agrees (run->replica), &why);
  if (failed == TALLY_OK || status != TALLY_OK)
    return status;
  *err = why;
  return failed;
}

/* ---- a run -------------------------------------------------------------- */

static int
report_unreached (struct run *run, double started, tally_report_fn *emit,
                  void *ctx, struct tally_error *err)
{
  struct sync sync = { .run = run, .started = started };
  int status = err->status;

  sync_fill_report (&sync, status, err);
  sync.report.strategy = "changes";
  if (emit && status != TALLY_USAGE)
    emit (ctx, &sync.report);
  return status;
}

int
engine_sync (const struct engine_link *link, tally_report_fn *emit, void *ctx,
             struct tally_error *err)
{
  struct run run = { .link = link, .replica = link->replica };
  double started = monotonic_seconds ();
  struct namelist names = { 0 };
  struct tally_error why = { 0 };
  bool over = false;
  int status = run_cancelled (&run)
                   ? error_set (err, TALLY_CANCELLED, "cancelled")
                   : run_connect (&run, err);

  if (status == TALLY_OK)
    status = run_collections (&run, &names, err);
  if (status != TALLY_OK) {
    status = unless_cancelled (&run, status, err);
    report_unreached (&run, started, emit, ctx, err);
    goto out;
  }
  for (size_t i = 0; i < names.count && !over; i++) {
    int failed = sync_collection (&run, names.names[i], started, emit, ctx,
                                  &over, &why);

    if (failed != TALLY_OK && status == TALLY_OK) {
      status = failed;
      *err = why;
    }
    started = monotonic_seconds ();
  }
  if (link->look)
    goto out;
  if (!over && run_repair (&run, &why) != TALLY_OK && status == TALLY_OK) {
    status = why.status;
    *err = why;
  }
  status = prune_journal (&run, status, err);
out:
  namelist_free (&names);
  run_disconnect (&run);
  return status;
}
