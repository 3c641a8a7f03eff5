/* SPDX-License-Identifier: MIT */
/* Peeling: a cell with one item in it tells that item, which is then taken out
 * of all its cells, and others are left with one.  Cells may come from a
 * stranger: a cell counts only if its item's check is right and the item goes
 * to just this cell, and no more are peeled than there are cells. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "sketch.h"

/* ---- room --------------------------------------------------------------- */

static bool
resize (void **array, size_t n, size_t size)
{
  void *bigger = realloc (*array, n * size);

  if (!bigger)
    return false;
  *array = bigger;
  return true;
}

static bool
grow (struct sketch_peel *peel, size_t n)
{
  if (n <= peel->capacity)
    return true;
  if (!resize ((void **) &peel->all.cells, n, sizeof *peel->all.cells)
      || !resize ((void **) &peel->found, n, sizeof *peel->found)
      || !resize ((void **) &peel->todo, n, sizeof *peel->todo)
      || !resize ((void **) &peel->waits, n, sizeof *peel->waits))
    return false;
  peel->capacity = n;
  return true;
}

/* ---- one cell ----------------------------------------------------------- */

static bool
is_empty (const struct sketch_cell *cell)
{
  return (cell->sum[0] | cell->sum[1] | cell->sum[2]) == 0 && cell->check == 0
         && cell->count == 0;
}

static bool
goes_to (uint64_t hash, size_t cell)
{
  struct sketch_walk walk = sketch_walk (hash, cell + 1);

  while (walk.at < cell)
    sketch_walk_on (&walk);
  return walk.at == cell;
}

/* Whether there is one item in the cell, and which. */
static bool
is_pure (const struct sketch_peel *peel, size_t at, struct sketch_found *found,
         uint64_t *hash)
{
  struct sketch_cell *cell = &peel->all.cells[at];
  struct sketch one = { .cells = cell, .n = 1 };
  unsigned char bytes[SKETCH_CELL_SIZE];

  if (!(cell->count & 1))
    return false;
  sketch_write (&one, bytes);
  memcpy (&found->item, bytes, SKETCH_ITEM_SIZE);
  found->added = cell->count == 1;
  *hash = sketch_hash (&peel->all.key, &found->item);
  return sketch_check (*hash) == cell->check && goes_to (*hash, at);
}

/* ---- all cells ---------------------------------------------------------- */

static void
look_at (struct sketch_peel *peel, size_t at)
{
  if (peel->waits[at])
    return;
  peel->waits[at] = true;
  peel->todo[peel->n_todo++] = (uint32_t) at;
}

static void
take_out (struct sketch *from, const struct sketch_found *found)
{
  if (found->added)
    sketch_subtract (from, &found->item);
  else
    sketch_add (from, &found->item);
}

static void
peel_off (struct sketch_peel *peel, const struct sketch_found *found,
          uint64_t hash)
{
  struct sketch_walk walk = sketch_walk (hash, peel->all.n);

  take_out (&peel->all, found);
  for (; walk.at < walk.end; sketch_walk_on (&walk))
    look_at (peel, walk.at);
}

/* Cells behind the others have the fewest items: they are looked at first. */
static enum sketch_verdict
peel_all (struct sketch_peel *peel)
{
  peel->n_todo = 0;
  memset (peel->waits, 0, peel->all.n * sizeof *peel->waits);
  for (size_t at = 0; at < peel->all.n; at++)
    look_at (peel, at);
  while (peel->n_todo > 0) {
    size_t at = peel->todo[--peel->n_todo];
    struct sketch_found found;
    uint64_t hash;

    peel->waits[at] = false;
    if (!is_pure (peel, at, &found, &hash))
      continue;
    if (peel->n_found == peel->all.n)
      return SKETCH_BAD;
    peel->found[peel->n_found++] = found;
    peel_off (peel, &found, hash);
  }
  for (size_t at = 0; at < peel->all.n; at++)
    if (!is_empty (&peel->all.cells[at]))
      return SKETCH_MORE;
  return peel->all.n > 0 ? SKETCH_DONE : SKETCH_MORE;
}

enum sketch_verdict
sketch_peel (struct sketch_peel *peel, const struct sketch *next)
{
  struct sketch fresh = *next;
  size_t n = peel->all.n + next->n;

  if (next->first != peel->all.n)
    return SKETCH_BAD;
  if (!grow (peel, n ? n : 1))
    return SKETCH_NOMEM;
  peel->all.key = next->key;
  fresh.cells = peel->all.cells + peel->all.n;
  memcpy (fresh.cells, next->cells, next->n * sizeof *fresh.cells);
  for (size_t i = 0; i < peel->n_found; i++)
    take_out (&fresh, &peel->found[i]);
  peel->all.n = n;
  return peel_all (peel);
}

void
sketch_peel_free (struct sketch_peel *peel)
{
  free (peel->all.cells);
  free (peel->found);
  free (peel->todo);
  free (peel->waits);
  memset (peel, 0, sizeof *peel);
}
