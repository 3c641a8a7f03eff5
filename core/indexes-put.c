/* SPDX-License-Identifier: MIT */
/* Rows follow the documents.  A put reads what is stored first, since the rows
 * of that must go; the revisions that were read become what the put expects,
 * all of it is one transaction, and when somebody was faster it is done again.
 * So it is when an index was made meanwhile, see indexes-lists.h. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "indexes-internal.h"
#include "indexes-lists.h"

/* Documents of one transaction, with their rows. */
#define PUT_DOCUMENTS 256
#define PUT_BYTES ((size_t) 2 << 20)
#define ROUNDS_MAX 1000
/* Lines for one put. */
#define BROKEN_TOLD 20

static const unsigned char absent_rev[TALLY_REV_SIZE];

struct indexing {
  struct replica *replica;
  const struct tally_entry *entries;
  size_t n;
  bool all;
  bool looked; /* INDEXES_LOOKED */
  bool stale;  /* an old list was met */
  struct tally_outcome *outcomes;

  struct index_lists lists;
  size_t *of;            /* which of them an entry belongs to */
  bool *settled;         /* its outcome is known */
  struct doclist stored; /* of the round */
  /* Checks first, which mostly sort before the others: drivers then need not.
   * Then documents and rows. */
  struct tally_entry *put;
  struct tally_outcome *got;
  size_t *put_of; /* of a document */
  size_t n_checks, room;
  unsigned to_tell; /* so many lines of unique indexes that are broken */
};

static int
read_stored (struct indexing *x, size_t from, size_t to, size_t k,
             struct tally_error *err)
{
  struct tally_slice ids[PUT_DOCUMENTS];
  size_t n = 0;
  int status = TALLY_OK;

  for (size_t i = from; i <= to && status == TALLY_OK; i++) {
    bool wanted = i < to && x->of[i] == k && !x->settled[i];

    if (wanted)
      ids[n++] = x->entries[i].doc.id;
    if (n == PUT_DOCUMENTS || (i == to && n > 0)) {
      status = replica_get (x->replica, x->lists.all[k].collection, ids, n,
                            TALLY_GET_BODY, doclist_emit, &x->stored, err);
      n = 0;
    }
  }
  return status == TALLY_OK && x->stored.failed ? error_nomem (err) : status;
}

static void
settle (struct indexing *x, size_t i, int status,
        const struct tally_doc *stored)
{
  struct tally_outcome *outcome = &x->outcomes[i];

  memset (outcome, 0, sizeof *outcome);
  outcome->status = status;
  if (stored) {
    outcome->seq = stored->seq;
    memcpy (outcome->rev, stored->rev, TALLY_REV_SIZE);
  }
  x->settled[i] = true;
}

static bool
is_expected (const struct tally_entry *entry, const struct tally_doc *stored)
{
  return !entry->expected
         || memcmp (entry->expected, stored ? stored->rev : absent_rev,
                    TALLY_REV_SIZE)
                == 0;
}

/* The body of a live document; data NULL: there is none. */
static struct tally_slice
body_of (const struct tally_doc *doc)
{
  if (!doc || (doc->flags & TALLY_DOC_DELETED))
    return slice_make (NULL, 0);
  return doc->body;
}

/* Adds the entries of one indexed collection, and their rows. */
static int
add_documents (struct indexing *x, size_t from, size_t to, size_t k,
               size_t *n_put, struct rows *rows, bool *refused,
               struct tally_error *err)
{
  struct indexed *indexed = &x->lists.all[k];
  size_t at = 0;
  int status = TALLY_OK;

  doclist_clear (&x->stored);
  if (indexed->list.n > 0)
    status = read_stored (x, from, to, k, err);
  for (size_t i = from; i < to && status == TALLY_OK; i++) {
    const struct tally_entry *entry = &x->entries[i];
    const struct tally_doc *stored = NULL;
    bool forgets = entry->flags & TALLY_ENTRY_FORGET;

    if (x->of[i] != k || x->settled[i])
      continue;
    if (indexed->list.n > 0) {
      stored = doclist_next_if (&x->stored, &at, entry->doc.id);
      if (!is_expected (entry, stored)) {
        settle (x, i, TALLY_CONFLICT, stored);
        *refused = *refused || x->all;
        continue;
      }
      status = rows_change (
          rows, &indexed->list, indexed->rows, entry->doc.id, body_of (stored),
          forgets ? slice_make (NULL, 0) : body_of (&entry->doc), err);
    }
    x->put[*n_put] = *entry;
    /* Kept with the rows, since what is stored is read anew. */
    if (indexed->list.n > 0) {
      char *rev = arena_add (&rows->arena, stored ? stored->rev : absent_rev,
                             TALLY_REV_SIZE);

      x->put[*n_put].expected = (const unsigned char *) rev;
      if (!rev)
        status = error_nomem (err);
    }
    x->put_of[(*n_put)++] = i;
  }
  if (status == TALLY_OK)
    status = indexes_note_marks (x->replica, indexed->collection,
                                 &indexed->list, &rows->marks, err);
  return status;
}

/* A write through tally.h has looked itself, and puts its record along (see
 * unique.h): it is told of nothing. */
static bool
is_guarded (const struct indexing *x, const struct indexed *indexed)
{
  for (size_t i = 0; i < x->n; i++)
    if (strcmp (x->entries[i].collection, indexed->rows) == 0)
      return true;
  return false;
}

static void
tell_broken (struct indexing *x, const struct rows *rows)
{
  for (size_t k = 0; k < x->lists.n && rows->n > 0; k++) {
    const struct indexed *indexed = &x->lists.all[k];

    if (!is_guarded (x, indexed))
      indexes_tell_broken (x->replica, indexed->collection, &indexed->list,
                           rows, indexed->rows, &x->to_tell);
  }
}

/* It never shrinks: what is put next may be more. */
static bool
make_room (struct indexing *x, size_t n)
{
  struct tally_entry *put;
  struct tally_outcome *got;

  if (n <= x->room)
    return true;
  put = realloc (x->put, n * sizeof *put);
  if (put)
    x->put = put;
  got = realloc (x->got, n * sizeof *got);
  if (got)
    x->got = got;
  if (put && got)
    x->room = n;
  return put && got;
}

static int
put_together (struct indexing *x, size_t n_put, const struct rows *rows,
              struct tally_error *err)
{
  size_t all = n_put + rows->n;
  bool stale;
  int status;

  if (!make_room (x, all))
    return error_nomem (err);
  if (rows->n > 0)
    memcpy (x->put + n_put, rows->entries, rows->n * sizeof *x->put);
  status =
      replica_put_plain (x->replica, x->put, all, TALLY_PUT_ALL, x->got, err);
  if (status == TALLY_OK)
    status = index_lists_renew (&x->lists, x->got, &stale, err);
  if (status == TALLY_OK && stale) {
    x->stale = true;
    return TALLY_OK;
  }
  for (size_t i = x->n_checks; i < all && status == TALLY_OK; i++)
    if (x->got[i].status != TALLY_OK)
      return TALLY_OK;
  for (size_t i = x->n_checks; i < n_put && status == TALLY_OK; i++) {
    x->outcomes[x->put_of[i]] = x->got[i];
    x->settled[x->put_of[i]] = true;
  }
  if (status == TALLY_OK)
    tell_broken (x, rows);
  return status;
}

/* Documents whose revision nobody looks at here are looked at by the put. */
static void
settle_lost (struct indexing *x, size_t n_put, bool *refused)
{
  for (size_t i = x->n_checks; i < n_put; i++) {
    size_t entry = x->put_of[i];

    if (x->settled[entry] || x->got[i].status == TALLY_OK
        || x->lists.all[x->of[entry]].list.n > 0)
      continue;
    x->outcomes[entry] = x->got[i];
    x->settled[entry] = true;
    *refused = *refused || x->all;
  }
}

static int
put_round (struct indexing *x, size_t from, size_t to, bool *refused,
           bool *done, struct tally_error *err)
{
  struct rows rows = { 0 };
  size_t n_put;
  int status = TALLY_OK;

  x->n_checks = index_lists_check (&x->lists, x->put);
  n_put = x->n_checks;
  for (size_t k = 0; k < x->lists.n && status == TALLY_OK; k++)
    status = add_documents (x, from, to, k, &n_put, &rows, refused, err);
  if (status == TALLY_OK && !*refused)
    status = rows_settle (&rows, x->replica, err);
  if (status == TALLY_OK && !*refused && n_put > x->n_checks) {
    status = put_together (x, n_put, &rows, err);
    if (status == TALLY_OK)
      settle_lost (x, n_put, refused);
  }
  *done = true;
  for (size_t i = from; i < to; i++)
    *done = *done && x->settled[i];
  rows_free (&rows);
  return status;
}

static int
put_some (struct indexing *x, size_t from, size_t to, struct tally_error *err)
{
  bool done = false, refused = false;
  int status = TALLY_OK;

  for (unsigned round = 0; status == TALLY_OK && !done && !refused; round++) {
    if (x->stale && x->looked)
      return TALLY_OK;
    if (round == ROUNDS_MAX)
      return error_set (err, TALLY_AGAIN, "%s: too many writers at once",
                        x->replica->name);
    status = put_round (x, from, to, &refused, &done, err);
  }
  for (size_t i = from; i < to && refused; i++)
    if (!x->settled[i] || x->outcomes[i].status == TALLY_OK)
      settle (x, i, TALLY_OK, NULL);
  return status;
}

/* Rows make a put larger; without any it is as large as it may be. */
static size_t
chunk (const struct indexing *x, size_t from)
{
  size_t bytes = 0, to;
  bool any = false;

  if (x->all)
    return x->n;
  for (size_t k = 0; k < x->lists.n; k++)
    any = any || x->lists.all[k].list.n > 0;
  if (!any) {
    to =
        from + replica_batch_size (x->replica, x->entries + from, x->n - from);
    return to - from > TALLY_BATCH_ENTRIES - x->lists.n
               ? from + TALLY_BATCH_ENTRIES - x->lists.n
               : to;
  }
  for (to = from; to < x->n && to - from < PUT_DOCUMENTS; to++) {
    bytes += x->entries[to].doc.body.size;
    if (bytes > PUT_BYTES && to > from)
      break;
  }
  return to;
}

/* Whoever looked at a list that was old looks again. */
static void
settle_stale (struct indexing *x)
{
  for (size_t i = 0; i < x->n && x->stale && x->looked; i++)
    if (!x->settled[i])
      settle (x, i, TALLY_CONFLICT, NULL);
}

static int
run (struct indexing *x, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < x->n && status == TALLY_OK; i++)
    status =
        index_lists_find (&x->lists, x->entries[i].collection, &x->of[i], err);
  if (status == TALLY_OK && !make_room (x, x->lists.n + x->n))
    status = error_nomem (err);
  for (size_t from = 0, to; from < x->n && status == TALLY_OK; from = to) {
    to = chunk (x, from);
    status = put_some (x, from, to, err);
  }
  if (status == TALLY_OK)
    settle_stale (x);
  return status;
}

int
indexes_put (struct replica *replica, const struct tally_entry *entries,
             size_t n, unsigned flags, struct tally_outcome *outcomes,
             struct tally_error *err)
{
  struct indexing x = { .replica = replica,
                        .lists = { .replica = replica },
                        .entries = entries,
                        .n = n,
                        .all = flags & TALLY_PUT_ALL,
                        .looked = flags & INDEXES_LOOKED,
                        .outcomes = outcomes,
                        .to_tell = BROKEN_TOLD };
  int status = TALLY_OK;

  x.of = calloc (n + 1, sizeof *x.of);
  x.settled = calloc (n + 1, sizeof *x.settled);
  x.put_of = calloc (2 * n + 1, sizeof *x.put_of);
  if (!x.of || !x.settled || !x.put_of)
    status = error_nomem (err);
  else
    status = run (&x, err);
  index_lists_free (&x.lists);
  doclist_free (&x.stored);
  free (x.put_of);
  free (x.got);
  free (x.put);
  free (x.settled);
  free (x.of);
  return status;
}
