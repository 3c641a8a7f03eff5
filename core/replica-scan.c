/* SPDX-License-Identifier: MIT */
/* Scans of stores whose drivers have no slot for it.  All that is asked of
 * them is changes: a walk over all headers gathers the first few thousand
 * that are wanted, in their order, and the next walk those behind them. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "replica.h"
#include "slice.h"

/* When this much is gathered the greater half is let go. */
#define GATHER_ROWS 8192
#define GATHER_BYTES (1u << 20)

struct gathering {
  const struct tally_position *to; /* NULL: no end */
  /* Rows begin here, or behind it; NULL: at the first. */
  const struct tally_position *from;
  bool behind;

  struct doclist rows;
  /* Some were let go: there is more, and all of it is behind `last`. */
  bool full;
  struct tally_position last;
};

/* ---- order -------------------------------------------------------------- */

static struct tally_position
position_of (const struct tally_doc *doc)
{
  struct tally_position at = { .id = doc->id };

  memcpy (at.stamp, doc->rev, TALLY_STAMP_SIZE);
  return at;
}

static int
position_cmp (const struct tally_position *a, const struct tally_position *b)
{
  int order = memcmp (a->stamp, b->stamp, TALLY_STAMP_SIZE);

  return order ? order : slice_cmp (a->id, b->id);
}

static int
by_position (const void *left, const void *right)
{
  struct tally_position a = position_of (left), b = position_of (right);

  return position_cmp (&a, &b);
}

static void
sort (struct doclist *rows)
{
  if (rows->count > 1)
    qsort (rows->docs, rows->count, sizeof *rows->docs, by_position);
}

/* ---- one walk ----------------------------------------------------------- */

static bool
is_wanted (const struct gathering *g, const struct tally_doc *doc)
{
  struct tally_position at = position_of (doc);

  if (doc->flags & TALLY_DOC_DELETED)
    return false;
  if (g->from && position_cmp (&at, g->from) < (g->behind ? 1 : 0))
    return false;
  if (g->full && position_cmp (&at, &g->last) > 0)
    return false;
  return !g->to || position_cmp (&at, g->to) < 0;
}

/* What is left is copied, since a doclist gives nothing back in part. */
static void
let_go (struct gathering *g)
{
  struct doclist left = DOCLIST_INIT;

  sort (&g->rows);
  for (size_t i = 0; i < (g->rows.count + 1) / 2; i++)
    doclist_add (&left, &g->rows.docs[i]);
  left.failed |= g->rows.failed;
  doclist_free (&g->rows);
  g->rows = left;
  if (left.count > 0)
    g->last = position_of (&left.docs[left.count - 1]);
  g->full = true;
}

static int
gather (void *ctx, const struct tally_doc *doc)
{
  struct gathering *g = ctx;

  if (!is_wanted (g, doc))
    return 0;
  if (!doclist_add (&g->rows, doc))
    return 1;
  if (g->rows.count >= GATHER_ROWS
      || (g->rows.bytes >= GATHER_BYTES && g->rows.count > 1))
    let_go (g);
  return g->rows.failed;
}

static int
walk (struct replica *replica, const char *collection, struct gathering *g,
      uint64_t *head, struct tally_error *err)
{
  int status = replica_changes (replica, collection, 0, gather, g, head, err);

  if (status == TALLY_OK && g->rows.failed)
    status = error_nomem (err);
  sort (&g->rows);
  return status;
}

/* ---- the fallback ------------------------------------------------------- */

/* Emits what was gathered; true when emit said stop. */
static bool
show (const struct doclist *rows, tally_emit_doc *emit, void *ctx)
{
  for (size_t i = 0; i < rows->count; i++)
    if (emit (ctx, &rows->docs[i]))
      return true;
  return false;
}

int
replica_scan_changes (struct replica *replica, const char *collection,
                      const struct tally_position *from,
                      const struct tally_position *to, tally_emit_doc *emit,
                      void *ctx, uint64_t *seq, struct tally_error *err)
{
  struct gathering g = { .from = from, .to = to };
  struct doclist last = DOCLIST_INIT; /* holds the bytes of g.from */
  struct tally_position behind;
  uint64_t head;
  bool more = true;
  int status = TALLY_OK;

  for (bool first = true; more && status == TALLY_OK; first = false) {
    g.full = false;
    status = walk (replica, collection, &g, &head, err);
    if (status == TALLY_OK && first)
      *seq = head;
    more = status == TALLY_OK && !show (&g.rows, emit, ctx) && g.full;
    doclist_free (&last);
    last = g.rows;
    g.rows = (struct doclist) DOCLIST_INIT;
    if (more) {
      behind = position_of (&last.docs[last.count - 1]);
      g.from = &behind;
      g.behind = true;
    }
  }
  doclist_free (&last);
  return status;
}
