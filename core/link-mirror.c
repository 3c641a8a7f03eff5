/* SPDX-License-Identifier: MIT */
/* A run with a server of the dialect: for each collection the copy takes what
 * is newer there, our store syncs with the copy, and the copy gives what is
 * newer here. */

#include <config.h>

#include <string.h>

#include "link.h"
#include "namelist.h"
#include "public.h"

struct mirrored {
  struct mirror *mirror;
  const struct engine_link *link;
  tally_report_fn *emit;
  void *ctx;
  /* What the engine reported of the collection at hand. */
  struct tally_report report;
  double started;
  bool stopped; /* by who is told */
};

/* ---- joining ------------------------------------------------------------ */

int
joint_mirror (struct joint *joint, const struct endpoint *far,
              struct tally_error *err)
{
  const char *key = endpoint_secret (far);

  if (key) {
    joint->mirror_key = strdup (key);
    if (!joint->mirror_key)
      return error_nomem (err);
  }
  return mirror_open (&joint->mirror, joint->channel, joint->replica,
                      joint->mirror_key, joint->tally->config->device, err);
}

/* A server of the dialect takes or leaves what comes, and says nothing before
 * it. */
int
no_mirror_look (const struct endpoint *far, struct tally_error *err)
{
  return error_set (err, TALLY_UNSUPPORTED,
                    "%s: a server of this dialect can only be synced with: it "
                    "cannot say beforehand what would happen, nor be verified",
                    far->name);
}

/* ---- a collection ------------------------------------------------------- */

/* The texts in it live until the engine returns, or are its own for ever. */
static int
keep_report (void *ctx, const struct tally_report *report)
{
  struct mirrored *mirrored = ctx;

  mirrored->report = *report;
  return 0;
}

static int
sync_copy (struct mirrored *mirrored, const char *collection,
           struct tally_error *err)
{
  const char *const names[] = { collection, NULL };
  struct engine_link link = *mirrored->link;

  link.channel = mirrored->mirror->copy;
  link.collections = names;
  link.same_clock = true;
  return engine_sync (&link, keep_report, mirrored, err);
}

static int
run_steps (struct mirrored *mirrored, const char *collection,
           struct tally_error *err)
{
  struct mirror *mirror = mirrored->mirror;
  int direction = mirrored->link->direction;
  int status = mirror_fetch (mirror, collection, direction != TALLY_PUSH, err);

  if (status == TALLY_OK)
    status = sync_copy (mirrored, collection, err);
  if (status == TALLY_OK && direction != TALLY_PULL)
    status = mirror_give (mirror, err);
  if (status == TALLY_OK && mirror->complaint.status != TALLY_OK) {
    *err = mirror->complaint;
    status = err->status;
  }
  return status;
}

static void
report (struct mirrored *mirrored, const char *collection, int status,
        const struct tally_error *why)
{
  struct mirror *mirror = mirrored->mirror;
  struct tally_report *out = &mirrored->report;

  out->size = sizeof *out;
  out->link = mirrored->link->name;
  out->collection = collection;
  out->strategy = "full";
  out->round_trips = mirror->round_trips;
  out->bytes_sent = mirror->traffic.sent;
  out->bytes_received = mirror->traffic.received;
  out->seconds = monotonic_seconds () - mirrored->started;
  out->status = status;
  out->error = status == TALLY_OK ? NULL : why->text;
  out->notice = NULL;
  mirror->round_trips = 0;
  memset (&mirror->traffic, 0, sizeof mirror->traffic);
  if (mirrored->emit && mirrored->emit (mirrored->ctx, out))
    mirrored->stopped = true;
}

/* ---- all ---------------------------------------------------------------- */

/* Those that the link names, or that are here; what else there may be nobody
 * there can tell. */
static int
list_collections (const struct mirrored *mirrored, struct namelist *list,
                  struct tally_error *err)
{
  const struct engine_link *link = mirrored->link;
  int status = TALLY_OK;

  if (!link->collections)
    status =
        replica_collections (link->replica, namelist_emit_syncing, list, err);
  for (size_t i = 0; link->collections && link->collections[i]; i++)
    namelist_add (list, link->collections[i]);
  return status == TALLY_OK && list->failed ? error_nomem (err) : status;
}

int
run_mirror (struct joint *joint, const struct engine_link *link,
            tally_report_fn *emit, void *ctx, struct tally_error *err)
{
  struct mirrored mirrored = {
    .mirror = &joint->mirror, .link = link, .emit = emit, .ctx = ctx
  };
  struct namelist names = NAMELIST_INIT;
  bool reached = false;
  int status = list_collections (&mirrored, &names, err);

  for (size_t i = 0; i < names.count && !mirrored.stopped; i++) {
    struct tally_error why = { 0 };
    int failed;

    memset (&mirrored.report, 0, sizeof mirrored.report);
    mirrored.started = monotonic_seconds ();
    failed = run_steps (&mirrored, names.names[i], &why);
    reached |= joint->mirror.round_trips > 0;
    report (&mirrored, reached ? names.names[i] : NULL, failed, &why);
    if (failed != TALLY_OK && status == TALLY_OK) {
      status = failed;
      *err = why;
    }
    /* Nothing more will come through. */
    if (!reached || failed == TALLY_CANCELLED || failed == TALLY_DENIED)
      break;
  }
  namelist_free (&names);
  return status;
}
