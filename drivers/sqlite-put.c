/* SPDX-License-Identifier: MIT */
/* A batch of writes as one transaction. */

#include <stdlib.h>
#include <string.h>

#include <tally/digest.h>

#include "entry-order.h"
#include "sqlite-file.h"

/* So many that are to be new are inserted at once. */
#define MANY 8

/* A put under way. */
struct sqlite_batch {
  struct sqlite_store *s;
  const struct tally_entry *entries;
  struct tally_outcome *outcomes;
  size_t n;
  struct sqlite_place *order; /* sorted by collection and id */
  const char *collection;     /* that of the entry before */
  int64_t key;                /* of that collection; 0: none yet */
  /* The digest of that collection, as far as the batch is done. */
  struct tally_digest digest;
  bool known;            /* there is one */
  bool counted;          /* and it is another by now */
  int64_t head, numbers; /* numbers: how many are taken */
  bool refused;          /* with TALLY_PUT_ALL an expectation failed */
  bool wrote;
};

static int
place_compare (const void *left, const void *right)
{
  const struct sqlite_place *p = left, *q = right;

  return entry_compare (p->entry, p->start, q->entry, q->start);
}

/* In order, and none is there twice. */
static bool
order_rises (const struct sqlite_batch *b)
{
  for (size_t i = 1; i < b->n; i++)
    if (place_compare (&b->order[i - 1], &b->order[i]) >= 0)
      return false;
  return true;
}

/* In the order of the index a batch touches each of its pages once. */
static int
batch_sort (struct sqlite_batch *b, struct tally_error *err)
{
  b->order = calloc (b->n, sizeof *b->order);
  if (!b->order)
    return sqlite_fail (b->s, err, TALLY_FAILED, "out of memory");
  for (size_t i = 0; i < b->n; i++) {
    b->order[i].entry = &b->entries[i];
    b->order[i].start = entry_start (&b->entries[i].doc.id);
    if (!(b->entries[i].flags & TALLY_ENTRY_FORGET))
      b->order[i].number = ++b->numbers;
    else if (!b->entries[i].expected)
      return sqlite_fail (b->s, err, TALLY_INVALID,
                          "an entry to forget names no rev");
  }
  if (order_rises (b))
    return TALLY_OK;
  qsort (b->order, b->n, sizeof *b->order, place_compare);
  return order_rises (b) ? TALLY_OK
                         : sqlite_fail (b->s, err, TALLY_INVALID,
                                        "an id stands twice in one batch");
}

/* Fills the outcome with what is stored, zero when nothing is. */
static int
entry_find (const struct sqlite_batch *b, const struct tally_entry *entry,
            struct tally_outcome *found, bool *live, struct tally_error *err)
{
  const struct sqlite_store *s = b->s;
  struct tally_doc doc;
  int status;

  memset (found, 0, sizeof *found);
  *live = false;
  if (!b->key)
    return TALLY_OK;
  sqlite_bind_number (s, SQL_FIND, 1, b->key);
  sqlite_bind_bytes (s, SQL_FIND, 2, entry->doc.id.data, entry->doc.id.size);
  sqlite_bind_number (s, SQL_FIND, 3, 0);
  status = sqlite_step (s, SQL_FIND, err);
  if (status == SQLITE_ROW) {
    status = sqlite_header (s, SQL_FIND, &doc, err);
    found->seq = doc.seq;
    *live = !(doc.flags & TALLY_DOC_DELETED);
    memcpy (found->rev, doc.rev, TALLY_REV_SIZE);
  }
  sqlite_reset (s, SQL_FIND);
  return status < 0 ? status : TALLY_OK;
}

static int
batch_need_key (struct sqlite_batch *b, struct tally_error *err)
{
  int status;

  if (b->key)
    return TALLY_OK;
  sqlite_bind_text (b->s, SQL_COLLECTION_ADD, 1, b->collection);
  status = sqlite_run (b->s, SQL_COLLECTION_ADD, err);
  if (!status)
    b->key = sqlite3_last_insert_rowid (b->s->db);
  return status;
}

static int
entry_write (struct sqlite_batch *b, const struct tally_entry *entry,
             uint64_t stored_seq, int64_t seq, struct tally_error *err)
{
  const struct sqlite_store *s = b->s;
  const struct tally_doc *doc = &entry->doc;
  enum sqlite_statement which = stored_seq ? SQL_UPDATE : SQL_INSERT;
  int status = batch_need_key (b, err);

  if (status)
    return status;
  sqlite_bind_number (s, which, 1, seq);
  if (!stored_seq) {
    sqlite_bind_number (s, which, 2, b->key);
    sqlite_bind_bytes (s, which, 6, doc->id.data, doc->id.size);
  }
  sqlite_bind_number (s, which, 3, doc->flags);
  sqlite_bind_bytes (s, which, 4, doc->rev, TALLY_STAMP_SIZE);
  sqlite_bind_bytes (s, which, 5, doc->rev + TALLY_STAMP_SIZE, HASH_SIZE);
  sqlite_bind_bytes (s, which, 7, doc->meta.data, doc->meta.size);
  sqlite_bind_bytes (s, which, 8, doc->body.data, doc->body.size);
  if (stored_seq)
    sqlite_bind_number (s, which, 9, (int64_t) stored_seq);
  return sqlite_run (s, which, err);
}

/* Follows an entry in the digest of its collection. */
static void
entry_count (struct sqlite_batch *b, const struct tally_entry *entry,
             bool was_live)
{
  if (!b->known)
    return;
  b->counted = true;
  b->known = tally_digest_entry (&b->digest, entry, was_live);
}

static bool
is_new (const struct tally_entry *entry)
{
  static const unsigned char absent[TALLY_REV_SIZE];

  return !(entry->flags & TALLY_ENTRY_FORGET) && entry->expected
         && memcmp (entry->expected, absent, sizeof absent) == 0;
}

/* The entry is there, where nothing was. */
static void
entry_done (struct sqlite_batch *b, const struct sqlite_place *place)
{
  const struct tally_entry *entry = place->entry;
  struct tally_outcome *outcome = &b->outcomes[entry - b->entries];

  b->wrote = true;
  entry_count (b, entry, false);
  memset (outcome, 0, sizeof *outcome);
  outcome->seq = (uint64_t) (b->head + place->number);
  memcpy (outcome->rev, entry->doc.rev, TALLY_REV_SIZE);
}

/* One that is to be new needs no look before it: the index of ids, which it
 * comes into, tells.  *done false: it is there. */
static int
entry_try (struct sqlite_batch *b, const struct sqlite_place *place,
           bool *done, struct tally_error *err)
{
  int status;

  *done = false;
  if (b->refused || !is_new (place->entry))
    return TALLY_OK;
  status = entry_write (b, place->entry, 0, b->head + place->number, err);
  if (status || sqlite3_changes (b->s->db) == 0)
    return status;
  *done = true;
  entry_done (b, place);
  return TALLY_OK;
}

/* How many from there on are of one collection and to be new. */
static size_t
count_new (const struct sqlite_batch *b, size_t from)
{
  const char *collection = b->order[from].entry->collection;
  size_t to = from;

  while (to < b->n && is_new (b->order[to].entry)
         && (b->order[to].entry->collection == collection
             || strcmp (b->order[to].entry->collection, collection) == 0))
    to++;
  return to - from;
}

/* Inserts them all.  Where fewer came in, others were there. */
static int
batch_insert (struct sqlite_batch *b, size_t from, size_t n, unsigned flags,
              struct tally_error *err)
{
  const struct sqlite_place *places = b->order + from;
  int status = batch_need_key (b, err);
  bool all;

  if (status)
    return status;
  b->s->fresh = (struct sqlite_new){ places, n, b->key, b->head };
  status = sqlite_run (b->s, SQL_INSERT_NEW, err);
  memset (&b->s->fresh, 0, sizeof b->s->fresh);
  all = sqlite3_changes (b->s->db) == (int) n;
  for (size_t i = 0; !status && i < n; i++) {
    const struct tally_entry *entry = places[i].entry;
    struct tally_outcome *outcome = &b->outcomes[entry - b->entries];
    bool live;

    if (!all)
      status = entry_find (b, entry, outcome, &live, err);
    if (all || outcome->seq == (uint64_t) (b->head + places[i].number))
      entry_done (b, &places[i]);
    else {
      outcome->status = TALLY_CONFLICT;
      b->refused = b->refused || (flags & TALLY_PUT_ALL);
    }
  }
  return status;
}

/* Checks one entry and, unless the batch is refused, writes it. */
static int
entry_put (struct sqlite_batch *b, const struct sqlite_place *place,
           unsigned flags, struct tally_error *err)
{
  const struct tally_entry *entry = place->entry;
  struct tally_outcome *outcome = &b->outcomes[entry - b->entries];
  int64_t seq = b->head + place->number;
  uint64_t stored_seq;
  bool live, done;
  int status = entry_try (b, place, &done, err);

  if (!status && !done)
    status = entry_find (b, entry, outcome, &live, err);
  if (status || done)
    return status;
  if (entry->expected
      && memcmp (entry->expected, outcome->rev, TALLY_REV_SIZE) != 0) {
    outcome->status = TALLY_CONFLICT;
    b->refused = b->refused || (flags & TALLY_PUT_ALL);
    return TALLY_OK;
  }
  stored_seq = outcome->seq;
  memset (outcome, 0, sizeof *outcome);
  if (b->refused)
    return TALLY_OK;
  if (entry->flags & TALLY_ENTRY_FORGET) {
    if (!stored_seq)
      return TALLY_OK;
    entry_count (b, entry, live);
    b->wrote = true;
    sqlite_bind_number (b->s, SQL_DELETE, 1, (int64_t) stored_seq);
    return sqlite_run (b->s, SQL_DELETE, err);
  }
  entry_count (b, entry, live);
  b->wrote = true;
  outcome->seq = (uint64_t) seq;
  memcpy (outcome->rev, entry->doc.rev, TALLY_REV_SIZE);
  return entry_write (b, entry, stored_seq, seq, err);
}

/* Ends with one collection, and begins with another if there is one. */
static int
batch_turn (struct sqlite_batch *b, const char *collection,
            struct tally_error *err)
{
  int status = TALLY_OK;

  if (b->counted && !b->refused)
    status =
        sqlite_digest_save (b->s, b->key, b->known ? &b->digest : NULL, err);
  b->counted = false;
  b->collection = collection;
  if (status || !collection)
    return status;
  status = sqlite_collection (b->s, collection, &b->key, err);
  /* One that is yet to be made has the digest of nothing. */
  memset (&b->digest, 0, sizeof b->digest);
  b->known = !b->key;
  if (!status && b->key)
    status = sqlite_digest_load (b->s, b->key, &b->digest, &b->known, err);
  return status;
}

/* Every entry but one to forget has its seq reserved by its place in the
 * batch, whether it will be written or not: so they can be written in another
 * order. */
static int
batch_write (struct sqlite_batch *b, unsigned flags, struct tally_error *err)
{
  int status = sqlite_head (b->s, &b->head, err);

  if (!status && b->n > (uint64_t) (INT64_MAX - b->head))
    status = sqlite_fail (b->s, err, TALLY_FAILED, "has no seq left to give");
  for (size_t i = 0, n; !status && i < b->n; i += n) {
    const struct tally_entry *entry = b->order[i].entry;

    if (!b->collection || strcmp (b->collection, entry->collection) != 0)
      status = batch_turn (b, entry->collection, err);
    n = b->refused ? 0 : count_new (b, i);
    if (n < MANY)
      n = 1;
    if (!status)
      status = n == 1 ? entry_put (b, &b->order[i], flags, err)
                      : batch_insert (b, i, n, flags, err);
  }
  if (!status)
    status = batch_turn (b, NULL, err);
  if (status || b->refused || !b->wrote)
    return status;
  sqlite_bind_number (b->s, SQL_HEAD_SET, 1, b->head + b->numbers);
  status = sqlite_run (b->s, SQL_HEAD_SET, err);
  if (!status && sqlite3_changes (b->s->db) != 1)
    status = sqlite_fail (b->s, err, TALLY_CORRUPT, "its last seq is lost");
  return status ? status : sqlite_run (b->s, SQL_COMMIT, err);
}

int
sqlite_put (void *handle, const struct tally_entry *entries, size_t n,
            unsigned flags, struct tally_outcome *outcomes,
            struct tally_error *err)
{
  struct sqlite_batch b = {
    .s = handle, .entries = entries, .outcomes = outcomes, .n = n
  };
  int status;

  if (!n)
    return TALLY_OK;
  status = batch_sort (&b, err);
  if (!status)
    status = sqlite_run (b.s, SQL_WRITE, err);
  if (!status)
    status = batch_write (&b, flags, err);
  sqlite_rollback (b.s);
  for (size_t i = 0; b.refused && i < n; i++)
    if (outcomes[i].status == TALLY_OK)
      memset (&outcomes[i], 0, sizeof outcomes[i]);
  free (b.order);
  return status;
}
