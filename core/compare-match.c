/* SPDX-License-Identifier: MIT */
/* From what was answered to what differs: the items of cells, and those of a
 * list that are not here as they are there, become sets of what is only here
 * and what is only there. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "compare-internal.h"
#include "error.h"

static void
set_free (struct compare_set *set)
{
  free (set->places);
  memset (set, 0, sizeof *set);
}

static bool
set_init (struct compare_set *set, size_t n)
{
  set_free (set);
  set->places = malloc (n * ROWS_PLACE_SIZE + 1);
  return set->places != NULL;
}

/* An item begins with its place. */
static void
set_add (struct compare_set *set, const struct sketch_found *found)
{
  memcpy (set->places + set->n++ * ROWS_PLACE_SIZE, &found->item,
          ROWS_PLACE_SIZE);
}

void
compare_free (struct compare *compare)
{
  set_free (&compare->ours);
  set_free (&compare->theirs);
  set_free (&compare->passed);
  set_free (&compare->given);
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

static void
set_sort (struct compare_set *set)
{
  qsort (set->places, set->n, ROWS_PLACE_SIZE, by_place);
}

static void
add_found (struct compare *compare, const struct sketch_found *found)
{
  set_add (found->added ? &compare->theirs : &compare->ours, found);
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
    set_add (&compare->passed, ours);
  if (gives)
    set_add (&compare->given, theirs);
  else
    add_found (compare, theirs);
}

int
compare_take_found (struct compare *compare, struct sketch_found *found,
                    size_t n, struct tally_error *err)
{
  size_t theirs = 0;

  for (size_t i = 0; i < n; i++)
    theirs += found[i].added;
  if (!set_init (&compare->ours, n - theirs)
      || !set_init (&compare->passed, n - theirs)
      || !set_init (&compare->theirs, theirs)
      || !set_init (&compare->given, theirs))
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
  set_sort (&compare->ours);
  set_sort (&compare->theirs);
  set_sort (&compare->passed);
  set_sort (&compare->given);
  compare->kind = COMPARE_DIFFER;
  return TALLY_OK;
}

/* ---- lists -------------------------------------------------------------- */

static int
by_item (const void *a, const void *b)
{
  return memcmp (a, b, SKETCH_ITEM_SIZE);
}

/* What is in one of two lists only, which are in order. */
static size_t
find_others (struct sketch_found *found, const struct sketch_item *ours,
             size_t n_ours, const struct sketch_item *theirs, size_t n_theirs)
{
  size_t n = 0;

  for (size_t i = 0, k = 0; i < n_ours || k < n_theirs;) {
    int order = i == n_ours     ? 1
                : k == n_theirs ? -1
                                : by_item (&ours[i], &theirs[k]);

    if (order < 0)
      found[n++] = (struct sketch_found){ ours[i], false };
    if (order > 0)
      found[n++] = (struct sketch_found){ theirs[k], true };
    i += order <= 0;
    k += order >= 0;
  }
  return n;
}

/* Sorts both.  NULL: out of memory. */
static struct sketch_found *
match_lists (struct sketch_item *ours, size_t n_ours,
             struct sketch_item *theirs, size_t n_theirs, size_t *n)
{
  struct sketch_found *found = calloc (n_ours + n_theirs + 1, sizeof *found);

  if (!found)
    return NULL;
  if (n_ours > 0)
    qsort (ours, n_ours, sizeof *ours, by_item);
  if (n_theirs > 0)
    qsort (theirs, n_theirs, sizeof *theirs, by_item);
  *n = find_others (found, ours, n_ours, theirs, n_theirs);
  return found;
}

/* What is not needed any more goes before more is made. */
int
compare_take_list (struct compare *compare, struct wire_message *reply,
                   struct tally_error *err)
{
  struct tally_slice list = reply->as.compared.data;
  struct buf ours = BUF_INIT;
  struct sketch_found *found = NULL;
  size_t n;
  uint64_t seq;
  int status = rows_list (&compare->rows, &compare->range, &ours, &seq, err);

  if (status == TALLY_OK)
    found = match_lists ((struct sketch_item *) ours.data,
                         ours.size / SKETCH_ITEM_SIZE,
                         (struct sketch_item *) (uintptr_t) list.data,
                         list.size / SKETCH_ITEM_SIZE, &n);
  buf_free (&ours);
  wire_message_free (reply);
  if (found)
    status = compare_take_found (compare, found, n, err);
  else if (status == TALLY_AGAIN) {
    compare->kind = COMPARE_LOST;
    status = TALLY_OK;
  } else if (status == TALLY_OK)
    status = error_nomem (err);
  free (found);
  return status;
}

void
compare_turn_to_passed (struct compare *compare)
{
  set_free (&compare->ours);
  compare->ours = compare->passed;
  memset (&compare->passed, 0, sizeof compare->passed);
}

static int
by_hash (const void *a, const void *b)
{
  return memcmp (a, b, SKETCH_ID_SIZE);
}

void
compare_turn_to_given (struct compare *compare, unsigned char *ids, size_t n)
{
  struct compare_set *theirs = &compare->theirs;
  size_t kept = 0;

  set_free (theirs);
  *theirs = compare->given;
  memset (&compare->given, 0, sizeof compare->given);
  if (n > 0)
    qsort (ids, n, SKETCH_ID_SIZE, by_hash);
  for (size_t i = 0; i < theirs->n; i++) {
    const unsigned char *place = theirs->places + i * ROWS_PLACE_SIZE;

    if (n == 0
        || !bsearch (place + SKETCH_WHEN_SIZE, ids, n, SKETCH_ID_SIZE,
                     by_hash))
      memmove (theirs->places + kept++ * ROWS_PLACE_SIZE, place,
               ROWS_PLACE_SIZE);
  }
  theirs->n = kept;
}

void
compare_id (const struct compare *compare, struct tally_slice id,
            unsigned char hash[SKETCH_ID_SIZE])
{
  sketch_id (hash, &compare->rows.key, id);
}

/* The id hashes of a set, sorted; NULL: out of memory. */
static unsigned char *
sorted_ids (const struct compare_set *set)
{
  unsigned char *ids = malloc (set->n * SKETCH_ID_SIZE + 1);

  for (size_t i = 0; ids && i < set->n; i++)
    memcpy (ids + i * SKETCH_ID_SIZE,
            set->places + i * ROWS_PLACE_SIZE + SKETCH_WHEN_SIZE,
            SKETCH_ID_SIZE);
  if (ids)
    qsort (ids, set->n, SKETCH_ID_SIZE, by_hash);
  return ids;
}

unsigned char *
compare_their_ids (const struct compare *compare)
{
  return sorted_ids (&compare->theirs);
}

bool
compare_is_theirs (const struct compare *compare, const unsigned char *ids,
                   struct tally_slice id)
{
  unsigned char hash[SKETCH_ID_SIZE];

  compare_id (compare, id, hash);
  return bsearch (hash, ids, compare->theirs.n, SKETCH_ID_SIZE, by_hash);
}

int
compare_pairs (const struct compare *compare, uint64_t *pairs,
               struct tally_error *err)
{
  unsigned char *ours = sorted_ids (&compare->ours);
  unsigned char *theirs = sorted_ids (&compare->theirs);

  *pairs = 0;
  for (size_t i = 0; ours && theirs && i < compare->ours.n; i++)
    *pairs += bsearch (ours + i * SKETCH_ID_SIZE, theirs, compare->theirs.n,
                       SKETCH_ID_SIZE, by_hash)
              != NULL;
  free (ours);
  free (theirs);
  return ours && theirs ? TALLY_OK : error_nomem (err);
}
