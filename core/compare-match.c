/* SPDX-License-Identifier: MIT */
/* From what was answered to what differs: the items of cells, and the rows of
 * a list, become sets of what is only here and what is only there. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "compare-internal.h"
#include "error.h"

static void
set_free (struct compare_set *set)
{
  free (set->items);
  memset (set, 0, sizeof *set);
}

static bool
set_init (struct compare_set *set, size_t n, size_t size)
{
  set_free (set);
  set->items = malloc (n * size + 1);
  return set->items != NULL;
}

static void
set_add (struct compare_set *set, const void *item, size_t size)
{
  memcpy (set->items + set->n++ * size, item, size);
}

void
compare_free (struct compare *compare)
{
  set_free (&compare->ours);
  set_free (&compare->theirs);
  set_free (&compare->passed);
  doclist_free (&compare->splits);
}

static int
by_id (const void *a, const void *b)
{
  const struct sketch_found *left = a, *right = b;
  int order = memcmp (left->item.id, right->item.id, SKETCH_ID_SIZE);

  return order ? order : (int) left->added - (int) right->added;
}

static int
by_place (const void *a, const void *b)
{
  return memcmp (a, b, ROWS_PLACE_SIZE);
}

/* An item begins with its place. */
static void
add_found (struct compare *compare, const struct sketch_found *found)
{
  set_add (found->added ? &compare->theirs : &compare->ours, &found->item,
           ROWS_PLACE_SIZE);
}

/* Of a document that both have, in two states, one is taken or given. */
static void
add_pair (struct compare *compare, const struct sketch_found *ours,
          const struct sketch_found *theirs)
{
  unsigned char stamp[TALLY_STAMP_SIZE];
  bool newer =
      memcmp (ours->item.when, theirs->item.when, SKETCH_WHEN_SIZE) > 0;
  bool gives;

  sketch_stamp (stamp, ours->item.when);
  gives = compare->offers && newer && compare->offers (compare->ctx, stamp);
  if (gives || !compare->offers)
    add_found (compare, ours);
  else
    set_add (&compare->passed, &ours->item, ROWS_PLACE_SIZE);
  if (!gives)
    add_found (compare, theirs);
}

int
compare_take_found (struct compare *compare, struct sketch_peel *peel,
                    struct tally_error *err)
{
  struct sketch_found *found = peel->found;
  size_t n = peel->n_found;

  if (!set_init (&compare->ours, n, ROWS_PLACE_SIZE)
      || !set_init (&compare->theirs, n, ROWS_PLACE_SIZE)
      || !set_init (&compare->passed, n, ROWS_PLACE_SIZE))
    return error_nomem (err);
  qsort (found, n, sizeof *found, by_id);
  for (size_t i = 0; i < n; i++) {
    bool pair =
        i + 1 < n && !found[i].added && found[i + 1].added
        && memcmp (found[i].item.id, found[i + 1].item.id, SKETCH_ID_SIZE)
               == 0;

    if (pair)
      add_pair (compare, &found[i], &found[i + 1]);
    else
      add_found (compare, &found[i]);
    i += pair;
  }
  qsort (compare->ours.items, compare->ours.n, ROWS_PLACE_SIZE, by_place);
  qsort (compare->theirs.items, compare->theirs.n, ROWS_PLACE_SIZE, by_place);
  qsort (compare->passed.items, compare->passed.n, ROWS_PLACE_SIZE, by_place);
  compare->places = true;
  compare->kind = COMPARE_DIFFER;
  return TALLY_OK;
}

struct matching {
  struct compare *compare;
  const unsigned char *list; /* sorted */
  size_t n;
  unsigned char *met; /* which of them are here */
};

static int
by_row (const void *a, const void *b)
{
  return memcmp (a, b, ROWS_ROW_SIZE);
}

static int
by_hash (const void *a, const void *b)
{
  return memcmp (a, b, SKETCH_ID_SIZE);
}

/* What is here in another state is left to be taken from there, but stays in
 * both sets for who only wants to know. */
static void
match_row (struct matching *matching, const unsigned char *row)
{
  struct compare *compare = matching->compare;
  const unsigned char *found =
      bsearch (row, matching->list, matching->n, ROWS_ROW_SIZE, by_row);

  if (found)
    matching->met[(size_t) (found - matching->list) / ROWS_ROW_SIZE] = 1;
  else if (!compare->offers
           || !bsearch (row, matching->list, matching->n, ROWS_ROW_SIZE,
                        by_hash))
    set_add (&compare->ours, row, SKETCH_ID_SIZE);
  else
    set_add (&compare->passed, row, SKETCH_ID_SIZE);
}

static int
match_all (struct matching *matching, const struct buf *ours,
           struct tally_error *err)
{
  struct compare *compare = matching->compare;

  if (!set_init (&compare->ours, ours->size / ROWS_ROW_SIZE, SKETCH_ID_SIZE)
      || !set_init (&compare->passed, ours->size / ROWS_ROW_SIZE,
                    SKETCH_ID_SIZE)
      || !set_init (&compare->theirs, matching->n, SKETCH_ID_SIZE))
    return error_nomem (err);
  for (size_t at = 0; at < ours->size; at += ROWS_ROW_SIZE)
    match_row (matching, (const unsigned char *) ours->data + at);
  for (size_t i = 0; i < matching->n; i++)
    if (!matching->met[i])
      set_add (&compare->theirs, matching->list + i * ROWS_ROW_SIZE,
               SKETCH_ID_SIZE);
  qsort (compare->ours.items, compare->ours.n, SKETCH_ID_SIZE, by_hash);
  qsort (compare->passed.items, compare->passed.n, SKETCH_ID_SIZE, by_hash);
  compare->places = false;
  compare->kind = COMPARE_DIFFER;
  return TALLY_OK;
}

int
compare_take_list (struct compare *compare, struct tally_slice list,
                   struct tally_error *err)
{
  struct matching matching = { .compare = compare };
  unsigned char *sorted = malloc (list.size + 1);
  struct buf ours = BUF_INIT;
  uint64_t seq;
  int status = TALLY_OK;

  matching.n = list.size / ROWS_ROW_SIZE;
  matching.met = calloc (matching.n + 1, 1);
  if (list.size % ROWS_ROW_SIZE != 0 || matching.n > ROWS_LIST_MAX)
    status = compare_strange (compare, err);
  else if (!sorted || !matching.met)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = rows_list (&compare->rows, &compare->range, &ours, &seq, err);
  if (status == TALLY_OK) {
    if (list.size > 0)
      memcpy (sorted, list.data, list.size);
    qsort (sorted, matching.n, ROWS_ROW_SIZE, by_row);
    matching.list = sorted;
    status = match_all (&matching, &ours, err);
  } else if (status == TALLY_AGAIN) {
    compare->kind = COMPARE_LOST;
    status = TALLY_OK;
  }
  buf_free (&ours);
  free (matching.met);
  free (sorted);
  return status;
}

void
compare_turn_to_passed (struct compare *compare)
{
  set_free (&compare->ours);
  compare->ours = compare->passed;
  memset (&compare->passed, 0, sizeof compare->passed);
}

/* The id hashes of a set, sorted; NULL: out of memory. */
static unsigned char *
sorted_ids (const struct compare *compare, const struct compare_set *set)
{
  unsigned char *ids = malloc (set->n * SKETCH_ID_SIZE + 1);
  size_t skip = compare->places ? SKETCH_WHEN_SIZE : 0;
  size_t size = skip + SKETCH_ID_SIZE;

  for (size_t i = 0; ids && i < set->n; i++)
    memcpy (ids + i * SKETCH_ID_SIZE, set->items + i * size + skip,
            SKETCH_ID_SIZE);
  if (ids)
    qsort (ids, set->n, SKETCH_ID_SIZE, by_hash);
  return ids;
}

unsigned char *
compare_their_ids (const struct compare *compare)
{
  return sorted_ids (compare, &compare->theirs);
}

bool
compare_is_theirs (const struct compare *compare, const unsigned char *ids,
                   struct tally_slice id)
{
  unsigned char hash[SKETCH_ID_SIZE];

  sketch_id (hash, &compare->rows.key, id);
  return bsearch (hash, ids, compare->theirs.n, SKETCH_ID_SIZE, by_hash);
}

int
compare_pairs (const struct compare *compare, uint64_t *pairs,
               struct tally_error *err)
{
  unsigned char *ours = sorted_ids (compare, &compare->ours);
  unsigned char *theirs = sorted_ids (compare, &compare->theirs);

  *pairs = 0;
  for (size_t i = 0; ours && theirs && i < compare->ours.n; i++)
    *pairs += bsearch (ours + i * SKETCH_ID_SIZE, theirs, compare->theirs.n,
                       SKETCH_ID_SIZE, by_hash)
              != NULL;
  free (ours);
  free (theirs);
  return ours && theirs ? TALLY_OK : error_nomem (err);
}
