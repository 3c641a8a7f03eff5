/* SPDX-License-Identifier: MIT */
/* Raises go with the put that makes them needed, in one transaction: seen
 * before it they would be of no use, and after it a crash could lose them. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "mtime.h"
#include "state.h"

/* A store that is shown to such clients has this note. */
#define SHOWN_NOTE "mtime"
/* Another process may be the one that shows it: looked up so often. */
#define ASK_MS 1000

#define ROUNDS_MAX 16

static const unsigned char absent_rev[TALLY_REV_SIZE];

/* ---- whether ------------------------------------------------------------ */

/* What is local is shown to nobody; an account may be called as it likes. */
bool
mtime_concerns (const char *collection)
{
  return collection[0] != '_'
         || (strchr (collection, ':')
             && strncmp (collection, MTIME_PREFIX, strlen (MTIME_PREFIX))
                    != 0);
}

int
mtime_show (struct replica *replica, struct tally_error *err)
{
  struct tally_slice value = slice_text ("shown");
  bool shown;
  int status = mtime_is_shown (replica, &shown, err);

  if (status != TALLY_OK || shown)
    return status;
  status = replica_note_put (replica, SHOWN_NOTE, NULL, &value, err);
  if (status != TALLY_OK)
    return status;
  pthread_mutex_lock (&replica->identity_lock);
  replica->mtimes_shown = true;
  pthread_mutex_unlock (&replica->identity_lock);
  return TALLY_OK;
}

int
mtime_is_shown (struct replica *replica, bool *shown, struct tally_error *err)
{
  uint64_t now = replica_wall_ms (replica);
  struct buf note = BUF_INIT;
  bool ask;
  int status;

  pthread_mutex_lock (&replica->identity_lock);
  *shown = replica->mtimes_shown;
  ask = !*shown && now - replica->mtimes_asked_ms >= ASK_MS;
  pthread_mutex_unlock (&replica->identity_lock);
  if (!ask)
    return TALLY_OK;
  status = replica_note_get (replica, SHOWN_NOTE, &note, shown, err);
  buf_free (&note);
  if (status != TALLY_OK)
    return status;
  pthread_mutex_lock (&replica->identity_lock);
  replica->mtimes_shown |= *shown;
  replica->mtimes_asked_ms = now;
  pthread_mutex_unlock (&replica->identity_lock);
  return TALLY_OK;
}

/* ---- records ------------------------------------------------------------ */

uint64_t
mtime_of_rev (const unsigned char rev[TALLY_REV_SIZE])
{
  struct stamp newest;

  memcpy (newest.bytes, rev, STAMP_SIZE);
  return stamp_ms (&newest);
}

/* ":NAME" or "ACCOUNT:NAME" behind the prefix. */
static void
make_name (char out[COLLECTION_TEXT_MAX + sizeof MTIME_PREFIX],
           const char *collection)
{
  snprintf (out, COLLECTION_TEXT_MAX + sizeof MTIME_PREFIX, "%s%s%s",
            MTIME_PREFIX, strchr (collection, ':') ? "" : ":", collection);
}

static int
index_records (struct mtimes *out, struct tally_error *err)
{
  bool good = !out->records.failed;

  for (size_t i = 0; i < out->records.count && good; i++)
    good = idmap_add (&out->ids, out->records.docs[i].id, i, NULL);
  return good ? TALLY_OK : error_nomem (err);
}

static void
clear (struct mtimes *mtimes)
{
  idmap_clear (&mtimes->ids);
  doclist_clear (&mtimes->records);
}

int
mtime_read (struct mtimes *out, struct replica *replica,
            const char *collection, const struct tally_slice *ids, size_t n,
            struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX + sizeof MTIME_PREFIX];
  int status;

  make_name (name, collection);
  clear (out);
  status =
      replica_get (replica, name, ids, n, 0, doclist_emit, &out->records, err);
  return status == TALLY_OK ? index_records (out, err) : status;
}

static int
collect_header (void *ctx, const struct tally_doc *doc)
{
  struct tally_doc header = *doc;

  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (ctx, &header);
}

int
mtime_read_all (struct mtimes *out, struct replica *replica,
                const char *collection, struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX + sizeof MTIME_PREFIX];
  uint64_t head;
  int status;

  make_name (name, collection);
  clear (out);
  status = replica_changes (replica, name, 0, collect_header, &out->records,
                            &head, err);
  return status == TALLY_OK ? index_records (out, err) : status;
}

void
mtimes_free (struct mtimes *mtimes)
{
  idmap_free (&mtimes->ids);
  doclist_free (&mtimes->records);
}

const struct tally_doc *
mtime_find (const struct mtimes *mtimes, struct tally_slice id)
{
  size_t at = idmap_find (&mtimes->ids, id);

  return at == IDMAP_NONE ? NULL : &mtimes->records.docs[at];
}

int
mtime_raise (struct mtime_record *record, struct tally_entry *entry,
             const char *collection, struct tally_slice id, uint64_t ms,
             const struct tally_doc *had, struct tally_error *err)
{
  struct state state = { 0 };

  memset (entry, 0, sizeof *entry);
  buf_clear (&record->meta);
  buf_clear (&record->body);
  make_name (record->collection, collection);
  if (!stamp_make (&state.whole, ms, 0, 0))
    return error_set (err, TALLY_FAILED, "the clock is at its end");
  buf_add_text (&record->body, "{\"_id\":");
  json_encode_string (&record->body, id);
  buf_add_byte (&record->body, '}');
  state.body = buf_slice (&record->body);
  state_encode (&state, &record->meta);
  if (record->body.failed || record->meta.failed)
    return error_nomem (err);
  entry->collection = record->collection;
  memcpy (record->expected, had ? had->rev : absent_rev, TALLY_REV_SIZE);
  entry->expected = record->expected;
  entry->doc.id = id;
  entry->doc.meta = buf_slice (&record->meta);
  entry->doc.body = state.body;
  state_rev (&state, id, entry->doc.rev);
  return TALLY_OK;
}

void
mtime_record_free (struct mtime_record *record)
{
  buf_free (&record->meta);
  buf_free (&record->body);
}

/* ---- puts --------------------------------------------------------------- */

/* One round of a put: what must be raised for it. */
struct raiser {
  struct replica *replica;
  const struct tally_entry *entries;
  size_t n;
  uint64_t limit_ms;
  struct mtime_record *records;
  struct tally_entry *raises; /* entries of records, for those `of` says */
  size_t *of;
  size_t n_raises;
};

/* A document that is there and gets another revision, or goes. */
static bool
may_raise (const struct tally_entry *entry)
{
  return mtime_concerns (entry->collection) && entry->expected
         && memcmp (entry->expected, absent_rev, TALLY_REV_SIZE) != 0;
}

/* What was shown so far beyond our clock is let go of: a repair took it back,
 * and whoever was shown more would lose to it for as long as it is ahead. */
static int
judge (struct raiser *raiser, size_t i, const struct tally_doc *had,
       struct tally_error *err)
{
  const struct tally_entry *entry = &raiser->entries[i];
  struct tally_entry *raise = &raiser->raises[raiser->n_raises];
  struct tally_doc old = { 0 };
  uint64_t shown;
  bool lets_go = entry->flags & TALLY_ENTRY_FORGET;
  int status;

  memcpy (old.rev, entry->expected, TALLY_REV_SIZE);
  shown = mtime_shown (&old, had);
  lets_go |= shown > raiser->limit_ms;
  if (lets_go ? !had
              : mtime_of_rev (entry->doc.rev) > shown
                    || memcmp (old.rev, entry->doc.rev, TALLY_REV_SIZE) == 0)
    return TALLY_OK;
  status = mtime_raise (&raiser->records[raiser->n_raises], raise,
                        entry->collection, entry->doc.id,
                        lets_go ? 0 : shown + 1, had, err);
  raise->flags = lets_go ? TALLY_ENTRY_FORGET : 0;
  raiser->of[raiser->n_raises++] = i;
  return status;
}

/* Entries of one collection. */
static int
judge_run (struct raiser *raiser, size_t from, size_t to,
           struct tally_error *err)
{
  struct tally_slice *ids = calloc (to - from, sizeof *ids);
  struct mtimes had = { 0 };
  size_t n = 0;
  int status = TALLY_OK;

  if (!ids)
    return error_nomem (err);
  for (size_t i = from; i < to; i++)
    if (may_raise (&raiser->entries[i]))
      ids[n++] = raiser->entries[i].doc.id;
  if (n > 0)
    status = mtime_read (&had, raiser->replica,
                         raiser->entries[from].collection, ids, n, err);
  for (size_t i = from; i < to && n > 0 && status == TALLY_OK; i++)
    if (may_raise (&raiser->entries[i]))
      status =
          judge (raiser, i, mtime_find (&had, raiser->entries[i].doc.id), err);
  mtimes_free (&had);
  free (ids);
  return status;
}

static int
judge_all (struct raiser *raiser, struct tally_error *err)
{
  const struct tally_entry *entries = raiser->entries;
  size_t from = 0, to;
  int status = TALLY_OK;

  raiser->n_raises = 0;
  for (; from < raiser->n && status == TALLY_OK; from = to) {
    for (to = from + 1;
         to < raiser->n
         && strcmp (entries[to].collection, entries[from].collection) == 0;
         to++)
      ;
    status = judge_run (raiser, from, to, err);
  }
  return status;
}

/* All, or nothing; a driver without transactions gets the records first.
 * *lost: somebody else raised one of them, and nothing else was in the way. */
static int
put_together (struct raiser *raiser, struct tally_outcome *outcomes,
              bool *lost, struct tally_error *err)
{
  size_t first = raiser->n_raises, all = first + raiser->n;
  struct tally_entry *put = calloc (all, sizeof *put);
  struct tally_outcome *got = calloc (all, sizeof *got);
  bool batches = replica_has_batches (raiser->replica);
  int status = put && got ? TALLY_OK : error_nomem (err);

  *lost = false;
  if (status == TALLY_OK) {
    memcpy (put, raiser->raises, first * sizeof *put);
    memcpy (put + first, raiser->entries, raiser->n * sizeof *put);
    status = replica_put_unraised (raiser->replica, put, all,
                                   batches ? TALLY_PUT_ALL : 0, got, err);
  }
  if (status == TALLY_OK) {
    for (size_t i = 0; i < first; i++)
      *lost |= got[i].status != TALLY_OK;
    for (size_t i = first; i < all; i++)
      *lost = *lost && got[i].status == TALLY_OK;
    *lost = *lost && batches;
    memcpy (outcomes, got + first, raiser->n * sizeof *outcomes);
  }
  free (got);
  free (put);
  return status;
}

/* What needs no raise in one batch, and each of the others on its own. */
static int
put_apart (struct raiser *raiser, unsigned flags,
           struct tally_outcome *outcomes, struct tally_error *err)
{
  struct tally_entry *put = calloc (raiser->n, sizeof *put);
  struct tally_outcome *got = calloc (raiser->n, sizeof *got);
  size_t n = 0, next = 0;
  int status = put && got ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < raiser->n && status == TALLY_OK; i++)
    if (next < raiser->n_raises && raiser->of[next] == i)
      next++;
    else
      put[n++] = raiser->entries[i];
  if (status == TALLY_OK)
    status = replica_put_unraised (raiser->replica, put, n, flags, got, err);
  n = next = 0;
  for (size_t i = 0; i < raiser->n && status == TALLY_OK; i++)
    if (next < raiser->n_raises && raiser->of[next] == i) {
      next++;
      status = mtime_put (raiser->replica, &raiser->entries[i], 1, flags,
                          &outcomes[i], err);
    } else
      outcomes[i] = got[n++];
  free (got);
  free (put);
  return status;
}

static int
put_rounds (struct raiser *raiser, unsigned flags,
            struct tally_outcome *outcomes, struct tally_error *err)
{
  for (unsigned round = 0; round < ROUNDS_MAX; round++) {
    bool lost;
    int status = judge_all (raiser, err);

    if (status != TALLY_OK)
      return status;
    if (raiser->n_raises == 0)
      return replica_put_unraised (raiser->replica, raiser->entries, raiser->n,
                                   flags, outcomes, err);
    if (raiser->n > 1 && !(flags & TALLY_PUT_ALL))
      return put_apart (raiser, flags, outcomes, err);
    status = put_together (raiser, outcomes, &lost, err);
    if (status != TALLY_OK || !lost)
      return status;
  }
  return error_set (err, TALLY_AGAIN, "%s: too many writers at once",
                    raiser->replica->name);
}

int
mtime_put (struct replica *replica, const struct tally_entry *entries,
           size_t n, unsigned flags, struct tally_outcome *outcomes,
           struct tally_error *err)
{
  struct raiser raiser = { .replica = replica, .entries = entries, .n = n };
  int status;

  if (n == 0)
    return TALLY_OK;
  raiser.limit_ms = replica_wall_ms (replica) + replica->max_skew_ms;
  raiser.records = calloc (n, sizeof *raiser.records);
  raiser.raises = calloc (n, sizeof *raiser.raises);
  raiser.of = calloc (n, sizeof *raiser.of);
  status = raiser.records && raiser.raises && raiser.of
               ? put_rounds (&raiser, flags, outcomes, err)
               : error_nomem (err);
  for (size_t i = 0; raiser.records && i < n; i++)
    mtime_record_free (&raiser.records[i]);
  free (raiser.of);
  free (raiser.raises);
  free (raiser.records);
  return status;
}
