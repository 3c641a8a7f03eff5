/* SPDX-License-Identifier: MIT */
/* Rows follow the documents.  A put reads what is stored first, since the rows
 * of that must go; the revisions that were read become what the put expects,
 * all of it is one transaction, and when somebody was faster it is done again.
 * What indexes there are may have changed since that was read, also by another
 * process: so the put checks that none was made, by a record that would be
 * there then, and else begins again. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "indexes-internal.h"

/* Documents of one transaction, with their rows. */
#define PUT_DOCUMENTS 256
#define PUT_BYTES ((size_t) 2 << 20)
#define ROUNDS_MAX 1000
/* Lines for one put. */
#define BROKEN_TOLD 20

static const unsigned char absent_rev[TALLY_REV_SIZE];

/* One collection of a put. */
struct indexed {
  const char *collection;
  char rows[COLLECTION_TEXT_MAX];
  struct index_list list;
  bool checks;               /* whether the list is an old one */
  char made[INDEX_MADE_MAX]; /* the record that is then there */
};

struct indexing {
  struct replica *replica;
  const struct tally_entry *entries;
  size_t n;
  bool all;
  bool looked; /* INDEXES_LOOKED */
  bool stale;  /* an old list was met */
  struct tally_outcome *outcomes;

  struct indexed *indexed; /* by collection */
  size_t n_indexed;
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
recall (struct indexing *x, struct indexed *indexed, struct tally_error *err)
{
  int status =
      indexes_recall (x->replica, indexed->collection, &indexed->list, err);

  indexed->checks =
      indexes_possible (x->replica) && indexes_concern (indexed->collection);
  indexes_made_id (indexed->made,
                   indexed->list.next > 0 ? indexed->list.next : 1);
  return status;
}

/* Reads anew what was old.  *any: there was such a one. */
static int
recall_stale (struct indexing *x, const struct tally_outcome *got, bool *any,
              struct tally_error *err)
{
  int status = TALLY_OK;

  *any = false;
  for (size_t k = 0; k < x->n_indexed && status == TALLY_OK; k++) {
    struct indexed *indexed = &x->indexed[k];

    if (!indexed->checks || (got++)->status == TALLY_OK)
      continue;
    *any = x->stale = true;
    index_list_free (&indexed->list);
    indexes_unlearn (x->replica, indexed->collection);
    status = recall (x, indexed, err);
  }
  return status;
}

static int
find_indexed (struct indexing *x, size_t i, struct tally_error *err)
{
  const char *collection = x->entries[i].collection;
  struct indexed *indexed;

  for (size_t k = x->n_indexed; k-- > 0;)
    if (strcmp (x->indexed[k].collection, collection) == 0) {
      x->of[i] = k;
      return TALLY_OK;
    }
  indexed = realloc (x->indexed, (x->n_indexed + 1) * sizeof *indexed);
  if (!indexed)
    return error_nomem (err);
  x->indexed = indexed;
  indexed = &x->indexed[x->n_indexed];
  memset (indexed, 0, sizeof *indexed);
  indexed->collection = collection;
  indexes_rows_name (indexed->rows, collection);
  x->of[i] = x->n_indexed++;
  return recall (x, indexed, err);
}

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
      status = replica_get (x->replica, x->indexed[k].collection, ids, n,
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
  struct indexed *indexed = &x->indexed[k];
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
  for (size_t k = 0; k < x->n_indexed && rows->n > 0; k++) {
    const struct indexed *indexed = &x->indexed[k];

    if (!is_guarded (x, indexed))
      indexes_tell_broken (x->replica, indexed->collection, &indexed->list,
                           rows, indexed->rows, &x->to_tell);
  }
}

/* Checks that no index was made: what is to go must not be there, and nothing
 * becomes of it. */
static void
add_checks (struct indexing *x)
{
  x->n_checks = 0;
  for (size_t k = 0; k < x->n_indexed; k++) {
    const struct indexed *indexed = &x->indexed[k];
    struct tally_entry *entry = &x->put[x->n_checks];

    if (!indexed->checks)
      continue;
    x->n_checks++;
    memset (entry, 0, sizeof *entry);
    entry->collection = indexed->rows;
    entry->flags = TALLY_ENTRY_FORGET;
    entry->expected = absent_rev;
    entry->doc.id = slice_text (indexed->made);
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
    status = recall_stale (x, x->got, &stale, err);
  if (status == TALLY_OK && stale)
    return TALLY_OK;
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
        || x->indexed[x->of[entry]].list.n > 0)
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

  add_checks (x);
  n_put = x->n_checks;
  for (size_t k = 0; k < x->n_indexed && status == TALLY_OK; k++)
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
  for (size_t k = 0; k < x->n_indexed; k++)
    any = any || x->indexed[k].list.n > 0;
  if (!any) {
    to =
        from + replica_batch_size (x->replica, x->entries + from, x->n - from);
    return to - from > TALLY_BATCH_ENTRIES - x->n_indexed
               ? from + TALLY_BATCH_ENTRIES - x->n_indexed
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
    status = find_indexed (x, i, err);
  if (status == TALLY_OK && !make_room (x, x->n_indexed + x->n))
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
  for (size_t k = 0; k < x.n_indexed; k++)
    index_list_free (&x.indexed[k].list);
  doclist_free (&x.stored);
  free (x.indexed);
  free (x.put_of);
  free (x.got);
  free (x.put);
  free (x.settled);
  free (x.of);
  return status;
}
