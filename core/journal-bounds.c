/* SPDX-License-Identifier: MIT */
/* What bounds the journal.  A note of each journal counts its entries (never
 * too few: one that was restored or dropped is still counted, until the count
 * says that it is full and all are counted anew), and marks up to which seq
 * there were entries at which age. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "journal-ledger.h"
#include "journal.h"

#define DAY_MS (UINT64_C (24) * 60 * 60 * 1000)
/* Younger ones that are dropped are told of loudly. */
#define RECENT_MS (7 * DAY_MS)
/* Where nothing ages. */
#define FOREVER_MS (90 * DAY_MS)
#define TRIES_MAX 16
#define FORGET_BATCH 256

struct pruning {
  struct replica *replica;
  const char *collection, *key;
  uint64_t keep_ms, most;
  bool sure;

  struct buf saved;
  bool found;
  struct ledger was, now;
  struct doclist doomed;
};

/* ---- the note ----------------------------------------------------------- */

static int
load_ledger (struct pruning *pruning, struct tally_error *err)
{
  int status = replica_note_get (pruning->replica, pruning->key,
                                 &pruning->saved, &pruning->found, err);

  ledger_read (&pruning->was, buf_slice (&pruning->saved));
  pruning->now = pruning->was;
  return status;
}

/* TALLY_CONFLICT: another process was faster. */
static int
save_ledger (struct pruning *pruning, struct tally_error *err)
{
  struct buf note = BUF_INIT;
  struct tally_slice before = buf_slice (&pruning->saved), after;
  int status;

  if (!pruning->found)
    before = slice_make (NULL, 0);
  ledger_write (&pruning->now, &note);
  after = buf_slice (&note);
  status = note.failed ? error_nomem (err)
                       : replica_note_put (pruning->replica, pruning->key,
                                           &before, &after, err);
  buf_free (&note);
  return status;
}

static uint64_t
life_ms (const struct pruning *pruning)
{
  return pruning->keep_ms > 0 ? pruning->keep_ms : FOREVER_MS;
}

/* ---- entries ------------------------------------------------------------ */

struct counting {
  uint64_t count, last;
};

static int
count_entry (void *ctx, const struct tally_doc *doc)
{
  struct counting *counting = ctx;

  counting->count++;
  counting->last = doc->seq;
  return 0;
}

static int
count_since (struct pruning *pruning, uint64_t since,
             struct counting *counting, struct tally_error *err)
{
  uint64_t head;

  memset (counting, 0, sizeof *counting);
  return replica_changes (pruning->replica, pruning->collection, since,
                          count_entry, counting, &head, err);
}

struct dooming {
  struct doclist *doomed;
  uint64_t seq;    /* all up to here */
  uint64_t excess; /* and at least so many */
};

static int
doom_entry (void *ctx, const struct tally_doc *doc)
{
  struct dooming *dooming = ctx;
  struct tally_doc header = *doc;

  if (doc->seq > dooming->seq && dooming->doomed->count >= dooming->excess)
    return 1;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (dooming->doomed, &header);
}

/* Finds what has to go. */
static int
doom (struct pruning *pruning, struct tally_error *err)
{
  struct ledger *now = &pruning->now;
  struct dooming dooming = { .doomed = &pruning->doomed };
  struct counting all;
  uint64_t head;
  int status = TALLY_OK;

  doclist_clear (&pruning->doomed);
  if (pruning->keep_ms > 0)
    dooming.seq = ledger_older (now, pruning->keep_ms);
  if (pruning->most > 0 && now->count > pruning->most) {
    status = count_since (pruning, 0, &all, err);
    now->count = all.count;
    if (all.count > pruning->most)
      dooming.excess = all.count - pruning->most;
  }
  if (status != TALLY_OK || (dooming.seq == 0 && dooming.excess == 0))
    return status;
  status = replica_changes (pruning->replica, pruning->collection, 0,
                            doom_entry, &dooming, &head, err);
  if (status == TALLY_OK && pruning->doomed.failed)
    status = error_nomem (err);
  ledger_forget (now, dooming.seq);
  return status;
}

/* One that was written again meanwhile stays. */
static int
forget_doomed (struct pruning *pruning, struct tally_error *err)
{
  static const size_t most = FORGET_BATCH;
  struct tally_entry *entries = calloc (most, sizeof *entries);
  struct tally_outcome *outcomes = calloc (most, sizeof *outcomes);
  int status = entries && outcomes ? TALLY_OK : error_nomem (err);

  for (size_t at = 0; at < pruning->doomed.count && status == TALLY_OK;) {
    size_t n = 0;

    for (; n < most && at < pruning->doomed.count; n++, at++) {
      const struct tally_doc *doc = &pruning->doomed.docs[at];

      memset (&entries[n], 0, sizeof entries[n]);
      entries[n].collection = pruning->collection;
      entries[n].flags = TALLY_ENTRY_FORGET;
      entries[n].expected = doc->rev;
      entries[n].doc.id = doc->id;
    }
    status = replica_put (pruning->replica, entries, n, 0, outcomes, err);
  }
  free (outcomes);
  free (entries);
  return status;
}

static void
tell (const struct pruning *pruning, uint64_t recent)
{
  const struct tally_host *host = pruning->replica->host;
  const char *were = pruning->doomed.count == 1 ? " was" : "s were";
  struct tally_error line;

  if (!host || !host->log)
    return;
  if (recent > 0)
    error_set (&line, TALLY_OK,
               "%s: %zu conflict%s dropped, %llu of them less than a week "
               "old: there is room for no more (max_conflicts)",
               pruning->replica->name, pruning->doomed.count, were,
               (unsigned long long) recent);
  else
    error_set (&line, TALLY_OK,
               "%s: %zu conflict%s dropped, being old or too many",
               pruning->replica->name, pruning->doomed.count, were);
  host->log (host->ctx, 1, line.text);
}

/* ---- all ---------------------------------------------------------------- */

/* Nothing to remember: what was here is, and the clock did nothing odd. */
static bool
is_settled (const struct pruning *pruning, bool marked)
{
  const struct ledger *was = &pruning->was, *now = &pruning->now;

  return pruning->doomed.count == 0 && !marked && was->seq == now->seq
         && was->count == now->count && now->wall_ms >= was->wall_ms
         && now->age_ms - was->age_ms < DAY_MS;
}

/* One try.  TALLY_CONFLICT: another process was faster. */
static int
prune_once (struct pruning *pruning, struct tally_error *err)
{
  struct ledger *now = &pruning->now;
  struct counting fresh;
  uint64_t young, recent = 0;
  bool marked;
  int status = load_ledger (pruning, err);

  if (status == TALLY_OK)
    status = count_since (pruning, now->seq, &fresh, err);
  if (status != TALLY_OK || (fresh.count == 0 && now->count == 0))
    return status;
  ledger_grow (now, replica_wall_ms (pruning->replica), pruning->sure);
  now->count += fresh.count;
  if (fresh.count > 0)
    now->seq = fresh.last;
  marked = ledger_mark (now, life_ms (pruning));
  young = ledger_older (now, life_ms (pruning) < RECENT_MS ? life_ms (pruning)
                                                           : RECENT_MS);
  status = doom (pruning, err);
  if (status != TALLY_OK || is_settled (pruning, marked))
    return status;
  for (size_t i = 0; i < pruning->doomed.count; i++)
    recent += pruning->doomed.docs[i].seq > young;
  now->dropped += pruning->doomed.count;
  now->recent += recent;
  now->count -=
      pruning->doomed.count < now->count ? pruning->doomed.count : now->count;
  /* Counted first: what a crash leaves to do is counted twice, and nothing
   * goes without a word. */
  status = save_ledger (pruning, err);
  if (status != TALLY_OK || pruning->doomed.count == 0)
    return status;
  tell (pruning, recent);
  return forget_doomed (pruning, err);
}

static int
prune (struct pruning *pruning, struct tally_error *err)
{
  int status = TALLY_CONFLICT;

  for (unsigned i = 0; status == TALLY_CONFLICT && i < TRIES_MAX; i++)
    status = prune_once (pruning, err);
  buf_free (&pruning->saved);
  doclist_free (&pruning->doomed);
  /* Others do nothing else all the time: they do it for us. */
  return status == TALLY_CONFLICT ? TALLY_OK : status;
}

#define NOTE_OF(collection) "journal/" collection

int
journal_prune (struct replica *replica, const struct journal_limits *limits,
               bool sure, struct tally_error *err)
{
  struct pruning pruning = { .replica = replica, .sure = sure },
                 blind = { .replica = replica, .sure = sure };
  int status = TALLY_OK;

  pruning.collection = JOURNAL_COLLECTION;
  pruning.key = NOTE_OF (JOURNAL_COLLECTION);
  pruning.keep_ms = limits->keep_ms;
  pruning.most = limits->most;
  if (limits->keep_ms > 0 || limits->most > 0)
    status = prune (&pruning, err);
  blind.collection = JOURNAL_BLIND_COLLECTION;
  blind.key = NOTE_OF (JOURNAL_BLIND_COLLECTION);
  blind.keep_ms = JOURNAL_BLIND_MS;
  blind.most = limits->most;
  if (limits->keep_ms > 0 && limits->keep_ms < blind.keep_ms)
    blind.keep_ms = limits->keep_ms;
  if (status == TALLY_OK)
    status = prune (&blind, err);
  return status;
}

int
journal_dropped (struct replica *replica, uint64_t *dropped, uint64_t *recent,
                 struct tally_error *err)
{
  struct pruning pruning = { .replica = replica };
  int status;

  pruning.key = NOTE_OF (JOURNAL_COLLECTION);
  status = load_ledger (&pruning, err);
  *dropped = pruning.now.dropped;
  *recent = pruning.now.recent;
  buf_free (&pruning.saved);
  return status;
}
