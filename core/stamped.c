/* SPDX-License-Identifier: MIT */
/* A whole write at a stamp from elsewhere is a state like one that came from
 * a peer: it is merged with what is stored, and what is made is put, with its
 * journal, on the revision that it was made from. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <tally/tally.h>

#include "doclist.h"
#include "error.h"
#include "hashpart.h"
#include "hooks.h"
#include "journal.h"
#include "merge.h"
#include "stamped.h"
#include "unique.h"

/* Each lost round is somebody else's success; who loses so many is starved. */
#define ROUNDS_MAX 1000

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct stamper {
  struct replica *replica;
  const char *collection;
  const struct stamped_item *items;
  struct write_result *results;

  size_t *todo; /* items of this round */
  size_t n_todo;
  struct doclist stored;
  struct doclist made;
  size_t *made_item;               /* which item a made document belongs to */
  const unsigned char **made_from; /* on which revision */
  struct journal journal;
  struct unique unique;
};

/* Two that differ have different clients: neither passes for one that has
 * seen the other. */
void
stamped_stamp (struct stamp *out, const struct stamped_item *item)
{
  crypto_generichash_state hash;
  unsigned char digest[crypto_generichash_BYTES_MIN];
  uint32_t client;

  crypto_generichash_init (&hash, NULL, 0, sizeof digest);
  hash_part (&hash, "import", 6);
  hash_part (&hash, item->id.data, item->id.size);
  hash_part (&hash, item->body.data, item->body.size);
  crypto_generichash_final (&hash, digest, sizeof digest);
  client = ((uint32_t) digest[0] << 24 | (uint32_t) digest[1] << 16
            | (uint32_t) digest[2] << 8 | digest[3])
           & HLC_CLIENT_MAX;
  stamp_make (out, item->ms, 0, client);
}

/* ---- one document ------------------------------------------------------- */

struct losing {
  struct stamper *stamper;
  struct tally_slice id;
  struct tally_error *err;
};

static int
keep_loser (void *ctx, const struct loser *loser)
{
  struct losing *losing = ctx;

  return journal_add (&losing->stamper->journal, losing->id, loser,
                      losing->err);
}

static void
set_result (struct stamper *stamper, size_t item, int outcome,
            const unsigned char *rev)
{
  struct write_result *result = &stamper->results[item];

  memset (result, 0, sizeof *result);
  result->outcome = outcome;
  memcpy (result->rev, rev, TALLY_REV_SIZE);
}

static int
make (struct stamper *stamper, size_t item, const struct state *state,
      const struct tally_doc *stored, struct tally_error *err)
{
  struct tally_doc doc = { .id = stamper->items[item].id };
  struct buf meta = BUF_INIT;
  bool alive = stored && !(stored->flags & TALLY_DOC_DELETED);
  bool added;

  state_encode (state, &meta);
  doc.flags = state->deleted ? TALLY_DOC_DELETED : 0;
  doc.meta = buf_slice (&meta);
  doc.body = state->body;
  state_rev (state, doc.id, doc.rev);
  stamper->made_item[stamper->made.count] = item;
  stamper->made_from[stamper->made.count] = stored ? stored->rev : absent_rev;
  set_result (stamper, item,
              stored && memcmp (stored->rev, doc.rev, TALLY_REV_SIZE) == 0
                  ? TALLY_UNCHANGED
              : alive          ? TALLY_UPDATED
              : state->deleted ? TALLY_UNCHANGED
                               : TALLY_INSERTED,
              doc.rev);
  added = !meta.failed && doclist_add (&stamper->made, &doc);
  buf_free (&meta);
  return added ? TALLY_OK : error_nomem (err);
}

static int
decide (struct stamper *stamper, size_t item, const struct tally_doc *stored,
        struct tally_error *err)
{
  struct state ours = { 0 }, merged = { 0 };
  struct stamped_item mine = stamper->items[item];
  struct state theirs = { 0 };
  struct buf body = BUF_INIT;
  struct losing losing = { stamper, stamper->items[item].id, err };
  struct merge_rules rules = { .loser = keep_loser, .ctx = &losing };
  int status;

  status = hooks_before (
      stamper->replica->hooks, stamper->collection, mine.id,
      stored && !(stored->flags & TALLY_DOC_DELETED) ? stored : NULL,
      &mine.body, &stamper->stored.arena, err);
  if (status != TALLY_OK)
    return status;
  theirs.body = mine.body;
  stamped_stamp (&theirs.whole, &mine);
  if (!stored)
    return make (stamper, item, &theirs, NULL, err);
  status = state_decode (&ours, stored->flags & TALLY_DOC_DELETED,
                         stored->meta, stored->body, err);
  if (status != TALLY_OK)
    return error_set (err, status, "%s: document \"%.*s\": %s",
                      stamper->replica->name, (int) stored->id.size,
                      stored->id.data, err->text);
  if (state_knows (&ours, &theirs.whole, NULL))
    set_result (stamper, item, TALLY_UNCHANGED, stored->rev);
  else {
    status = merge_states (&merged, &body, &ours, &theirs, &rules, err);
    if (status == TALLY_OK)
      status = make (stamper, item, &merged, stored, err);
  }
  state_free (&merged);
  state_free (&ours);
  buf_free (&body);
  return status;
}

/* ---- rounds ------------------------------------------------------------- */

static int
read_stored (struct stamper *stamper, struct tally_error *err)
{
  struct tally_slice *ids = calloc (stamper->n_todo + 1, sizeof *ids);
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < stamper->n_todo; i++)
    ids[i] = stamper->items[stamper->todo[i]].id;
  doclist_clear (&stamper->stored);
  status =
      replica_get (stamper->replica, stamper->collection, ids, stamper->n_todo,
                   TALLY_GET_BODY, doclist_emit, &stamper->stored, err);
  if (status == TALLY_OK && stamper->stored.failed)
    status = error_nomem (err);
  free (ids);
  return status;
}

static int
decide_all (struct stamper *stamper, struct tally_error *err)
{
  size_t at = 0;
  int status = TALLY_OK;

  doclist_clear (&stamper->made);
  journal_clear (&stamper->journal);
  for (size_t i = 0; i < stamper->n_todo && status == TALLY_OK; i++) {
    size_t item = stamper->todo[i];

    status = decide (
        stamper, item,
        doclist_next_if (&stamper->stored, &at, stamper->items[item].id), err);
  }
  return status;
}

/* Leaves in todo what has to come round again; n outcomes, of what was made
 * and perhaps of the record behind it. */
static void
settle (struct stamper *stamper, const struct tally_outcome *outcomes,
        size_t n, bool together)
{
  bool lost = false;

  stamper->n_todo = 0;
  for (size_t i = 0; i < n; i++)
    lost |= outcomes[i].status != TALLY_OK;
  for (size_t i = 0; i < stamper->made.count; i++) {
    struct stamp newest;

    if (outcomes[i].status != TALLY_OK || (lost && together)) {
      stamper->todo[stamper->n_todo++] = stamper->made_item[i];
      continue;
    }
    stamper->results[stamper->made_item[i]].seq = outcomes[i].seq;
    memcpy (newest.bytes, stamper->made.docs[i].rev, STAMP_SIZE);
    replica_seen (stamper->replica, &newest);
  }
}

/* Adds the record of unique indexes behind what was made: this is a write by
 * whoever sits here, though at another time. */
static int
guard (struct stamper *stamper, struct tally_entry *entries, size_t losers,
       size_t *n, struct tally_error *err)
{
  if (!stamper->unique.any || stamper->made.count == 0)
    return TALLY_OK;
  ++*n;
  return unique_guard (&stamper->unique, entries + losers, stamper->made.count,
                       &entries[losers + stamper->made.count], err);
}

/* The journal and what made it are one put, all or nothing.  A store without
 * transactions gets the journal first: what is in it twice is there once. */
static int
put_all (struct stamper *stamper, struct tally_error *err)
{
  size_t losers = stamper->journal.entries.count;
  size_t n = losers + stamper->made.count;
  struct tally_entry *entries = calloc (n + 2, sizeof *entries);
  struct tally_outcome *outcomes = calloc (n + 2, sizeof *outcomes);
  bool together = replica_has_batches (stamper->replica)
                  && (losers > 0 || stamper->unique.any);
  int status = entries && outcomes ? TALLY_OK : error_nomem (err);

  if (status == TALLY_OK && n > 0)
    status = replica_mark (stamper->replica,
                           replica_wall_ms (stamper->replica), err);
  if (status == TALLY_OK) {
    journal_entries (&stamper->journal, 0, losers, entries);
    for (size_t i = 0; i < stamper->made.count; i++) {
      entries[losers + i].collection = stamper->collection;
      entries[losers + i].expected = stamper->made_from[i];
      entries[losers + i].doc = stamper->made.docs[i];
    }
    status = guard (stamper, entries, losers, &n, err);
  }
  if (status == TALLY_OK)
    status = replica_put (stamper->replica, entries, n,
                          (together ? TALLY_PUT_ALL : 0) | INDEXES_LOOKED,
                          outcomes, err);
  if (status == TALLY_OK)
    settle (stamper, outcomes + losers, n - losers, together);
  free (outcomes);
  free (entries);
  return status;
}

static int
run_rounds (struct stamper *stamper, struct tally_error *err)
{
  for (unsigned round = 0; stamper->n_todo > 0; round++) {
    int status =
        round < ROUNDS_MAX
            ? read_stored (stamper, err)
            : error_set (err, TALLY_AGAIN, "%s: too many writers at once",
                         stamper->replica->name);

    if (status == TALLY_OK)
      status = unique_begin (&stamper->unique, stamper->replica,
                             stamper->collection, err);
    if (status == TALLY_OK)
      status = decide_all (stamper, err);
    if (status == TALLY_OK)
      status = put_all (stamper, err);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

int
stamped_write (struct replica *replica, const char *collection,
               const struct stamped_item *items, size_t n, const char *link,
               struct write_result *results, struct tally_error *err)
{
  struct stamper stamper = { .replica = replica,
                             .collection = collection,
                             .items = items,
                             .results = results,
                             .n_todo = n };
  int status;

  stamper.journal.replica = replica;
  stamper.journal.link = link;
  stamper.journal.collection = collection;
  stamper.journal.blind = true;
  stamper.todo = calloc (n + 1, sizeof *stamper.todo);
  stamper.made_item = calloc (n + 1, sizeof *stamper.made_item);
  stamper.made_from = calloc (n + 1, sizeof *stamper.made_from);
  if (!stamper.todo || !stamper.made_item || !stamper.made_from)
    status = error_nomem (err);
  else {
    for (size_t i = 0; i < n; i++)
      stamper.todo[i] = i;
    status = run_rounds (&stamper, err);
  }
  unique_end (&stamper.unique);
  journal_free (&stamper.journal);
  doclist_free (&stamper.made);
  doclist_free (&stamper.stored);
  free (stamper.made_from);
  free (stamper.made_item);
  free (stamper.todo);
  return status;
}
