/* SPDX-License-Identifier: MIT */
/* A site's driver is a gate in front of the memory driver or of the simulated
 * disk: it leaves slots out, counts calls, crashes at the one that was asked
 * for, lets others meddle, and tells the oracle what took effect. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "../../core/graves.h"
#include "../../core/journal.h"
#include "oracle.h"

/* More calls than any schedule needs. */
#define CALLS_MAX 400000

static int
is_dead (const struct site *site, struct tally_error *err)
{
  err->status = TALLY_FAILED;
  snprintf (err->text, sizeof err->text, "%s: has crashed", site->name);
  return TALLY_FAILED;
}

/* What happens to this call: CRASH_NONE, or the end of the process. */
static enum crash
enter (struct site *site)
{
  struct world *world = site->world;

  if (++world->calls == CALLS_MAX)
    violate (world, VIOLATION_ENDLESS, "%s: too many calls of its driver",
             site->name);
  if (world->calls >= CALLS_MAX)
    site->crashed = true;
  if (site->crashed)
    return CRASH_BEFORE;
  site->calls++;
  if (site->crash == CRASH_NONE || site->calls != site->crash_at)
    return CRASH_NONE;
  trace (world, "      %s crashes at call %u", site->name, site->calls);
  site->crashed = true;
  world->happened |= FEATURE_CRASHES;
  return site->crash;
}

static bool
is_local (const char *collection)
{
  return collection[0] == '_';
}

/* Somebody else may come between two calls of a run. */
static void
meddle (struct site *site, const char *collection)
{
  struct world *world = site->world;

  if (world->run && !world->writing && !is_local (collection))
    world_meddle (world);
}

/* ---- reading ------------------------------------------------------------ */

static int
gate_get (void *handle, const char *collection, const struct tally_slice *ids,
          size_t n, unsigned flags, tally_emit_doc *emit, void *ctx,
          struct tally_error *err)
{
  struct site *site = handle;
  enum crash crash;
  int status;

  meddle (site, collection);
  crash = enter (site);
  if (crash == CRASH_BEFORE)
    return is_dead (site, err);
  if ((flags & TALLY_GET_BODY) && !is_local (collection))
    for (size_t i = 0; i < n; i++)
      if (doc_of (ids[i]) >= 0)
        oracle_read (site, (unsigned) doc_of (ids[i]));
  status = site->inner_ops->get (site->inner, collection, ids, n, flags, emit,
                                 ctx, err);
  return crash == CRASH_NONE ? status : is_dead (site, err);
}

static int
gate_changes (void *handle, const char *collection, uint64_t since,
              tally_emit_doc *emit, void *ctx, uint64_t *head,
              struct tally_error *err)
{
  struct site *site = handle;
  int status;

  *head = 0;
  meddle (site, collection);
  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  status = site->inner_ops->changes (site->inner, collection, since, emit, ctx,
                                     head, err);
  return status;
}

static int
gate_scan (void *handle, const char *collection,
           const struct tally_position *from, const struct tally_position *to,
           tally_emit_doc *emit, void *ctx, uint64_t *seq,
           struct tally_error *err)
{
  struct site *site = handle;

  meddle (site, collection);
  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  return site->inner_ops->scan (site->inner, collection, from, to, emit, ctx,
                                seq, err);
}

struct gated {
  struct site *site;
  const char *collection;
  tally_emit_doc *emit;
  void *ctx;
};

static int
emit_read (void *ctx, const struct tally_doc *doc)
{
  const struct gated *gated = ctx;

  if (!is_local (gated->collection) && doc_of (doc->id) >= 0)
    oracle_read (gated->site, (unsigned) doc_of (doc->id));
  return gated->emit (gated->ctx, doc);
}

static int
gate_find (void *handle, const char *collection,
           const struct tally_slice *from, const struct tally_slice *to,
           unsigned flags, tally_emit_doc *emit, void *ctx,
           struct tally_error *err)
{
  struct site *site = handle;
  struct gated gated = { site, collection, emit, ctx };

  meddle (site, collection);
  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  return site->inner_ops->find (site->inner, collection, from, to, flags,
                                emit_read, &gated, err);
}

static int
gate_digest (void *handle, const char *collection, unsigned flags,
             tally_fingerprint *fingerprint, struct tally_digest *out,
             struct tally_error *err)
{
  struct site *site = handle;

  meddle (site, collection);
  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  return site->inner_ops->digest (site->inner, collection, flags, fingerprint,
                                  out, err);
}

static int
gate_note_get (void *handle, const char *key, tally_emit_bytes *emit,
               void *ctx, struct tally_error *err)
{
  struct site *site = handle;

  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  return site->inner_ops->note_get (site->inner, key, emit, ctx, err);
}

static int
gate_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                void *ctx, struct tally_error *err)
{
  struct site *site = handle;

  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  return site->inner_ops->note_list (site->inner, prefix, emit, ctx, err);
}

static int
gate_collections (void *handle, tally_emit_name *emit, void *ctx,
                  struct tally_error *err)
{
  struct site *site = handle;

  if (enter (site) != CRASH_NONE)
    return is_dead (site, err);
  return site->inner_ops->collections (site->inner, emit, ctx, err);
}

/* ---- writing ------------------------------------------------------------ */

static void
forbid_in_look (struct site *site, const char *what)
{
  if (site->world->looking)
    violate (site->world, VIOLATION_LOOK, "a dry run writes %s at %s", what,
             site->name);
}

/* False: the call does nothing.  What is not synced is the disk's matter. */
static bool
takes_effect (struct site *site, enum crash crash)
{
  if (crash == CRASH_NONE || crash == CRASH_AFTER)
    return true;
  if (site->memory)
    return crash == CRASH_KEPT;
  if (crash == CRASH_BEFORE)
    return false;
  site->disk.fails_to_sync = true;
  return true;
}

static void
tell_note (struct site *site, struct tally_slice key, struct tally_slice value)
{
  if (key.size > 5 && memcmp (key.data, "pair/", 5) == 0)
    oracle_checkpoint (site, slice_make (key.data + 5, key.size - 5), value);
  else if (slice_equal (key, slice_text ("clock")))
    oracle_clock (site, value);
}

static void
tell_entry (struct site *site, const struct tally_entry *entry)
{
  if (entry->flags & TALLY_ENTRY_FORGET) {
    if (strcmp (entry->collection, GRAVES_COLLECTION) == 0)
      site->world->graves_dropped = true;
    return;
  }
  if (!is_local (entry->collection))
    oracle_wrote (site, entry->doc.id);
  else if (strcmp (entry->collection, NOTES_COLLECTION) == 0)
    tell_note (site, entry->doc.id, entry->doc.body);
  else if (strcmp (entry->collection, JOURNAL_COLLECTION) == 0)
    oracle_journaled (site, entry->doc.body);
}

/* A run writes or forgets a tombstone. */
static bool
buries (const struct site *site, const struct tally_entry *entry)
{
  return site->world->run && !site->world->writing
         && !is_local (entry->collection)
         && ((entry->flags & TALLY_ENTRY_FORGET)
             || (entry->doc.flags & TALLY_DOC_DELETED));
}

/* Of a put: documents, and before them a check of what is not there. */
#define LOOKED_AT (SIM_DOCS + 1)

/* What a put is about: the first that is synced, if there is one. */
static const char *
collection_of (const struct tally_entry *entries, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (!is_local (entries[i].collection))
      return entries[i].collection;
  return entries[0].collection;
}

static int
gate_put (void *handle, const struct tally_entry *entries, size_t n,
          unsigned flags, struct tally_outcome *outcomes,
          struct tally_error *err)
{
  struct site *site = handle;
  struct view before[LOOKED_AT];
  enum crash crash;
  int status;

  if (n > 0) {
    forbid_in_look (site, collection_of (entries, n));
    meddle (site, collection_of (entries, n));
  }
  if (n > 1 && site->ops.max_entries == 1)
    violate (site->world, VIOLATION_WRONG, "%s: %zu entries in one put",
             site->name, n);
  crash = enter (site);
  if (!takes_effect (site, crash))
    return is_dead (site, err);
  for (size_t i = 0; i < n && i < LOOKED_AT; i++)
    if (buries (site, &entries[i]))
      oracle_buries (site, &entries[i], &before[i]);
  status =
      site->inner_ops->put (site->inner, entries, n, flags, outcomes, err);
  for (size_t i = 0; i < n && (status == TALLY_OK || crash == CRASH_KEPT); i++)
    if (outcomes[i].status == TALLY_OK
        && (outcomes[i].seq > 0 || (entries[i].flags & TALLY_ENTRY_FORGET))) {
      site->writes++;
      site->world->forgotten += entries[i].flags & TALLY_ENTRY_FORGET;
      if (!is_local (entries[i].collection)
          && !(entries[i].flags & TALLY_ENTRY_FORGET))
        oracle_places (site, &entries[i]);
      tell_entry (site, &entries[i]);
      if (i < LOOKED_AT && buries (site, &entries[i]))
        oracle_buried (site, &entries[i], &before[i]);
    }
  return crash == CRASH_NONE ? status : is_dead (site, err);
}

static int
gate_note_put (void *handle, const char *key,
               const struct tally_slice *expected,
               const struct tally_slice *value, struct tally_error *err)
{
  struct site *site = handle;
  enum crash crash = enter (site);
  int status;

  forbid_in_look (site, key);
  if (!takes_effect (site, crash))
    return is_dead (site, err);
  status = site->inner_ops->note_put (site->inner, key, expected, value, err);
  if (status == TALLY_OK) {
    site->writes++;
    if (value)
      tell_note (site, slice_text (key), *value);
  }
  return crash == CRASH_NONE ? status : is_dead (site, err);
}

/* ---- opening ------------------------------------------------------------ */

/* What is in the memory driver lives on when the process ends. */
static int
gate_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  struct site *site = host->ctx;
  int status = TALLY_OK;

  if (!site->memory || !site->inner)
    status = site->inner_ops->open (&site->inner, host, values, flags, err);
  *handle = site;
  return status;
}

static void
gate_close (void *handle)
{
  struct site *site = handle;

  if (site->memory)
    return;
  site->inner_ops->close (site->inner);
  site->inner = NULL;
}

void
site_gate (struct site *site, unsigned lacks)
{
  site->ops = (struct tally_store){ TALLY_STORE_INIT,
                                    .threads = TALLY_THREADS_ANY,
                                    .open = gate_open,
                                    .close = gate_close,
                                    .get = gate_get,
                                    .put = gate_put,
                                    .changes = gate_changes,
                                    .note_get = gate_note_get,
                                    .note_put = gate_note_put,
                                    .note_list = gate_note_list,
                                    .collections = gate_collections };
  if (site->inner_ops->scan && !(lacks & LACKS_SCANS))
    site->ops.scan = gate_scan;
  if (site->inner_ops->digest && !(lacks & LACKS_SCANS))
    site->ops.digest = gate_digest;
  if (site->inner_ops->find && !(lacks & LACKS_SCANS))
    site->ops.find = gate_find;
  if (lacks & LACKS_BATCHES)
    site->ops.max_entries = 1;
  if (lacks & LACKS_COLLECTIONS)
    site->ops.collections = NULL;
  if (lacks & LACKS_NOTES) {
    site->ops.note_get = NULL;
    site->ops.note_put = NULL;
    site->ops.note_list = NULL;
  }
}
