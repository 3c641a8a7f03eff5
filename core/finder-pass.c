/* SPDX-License-Identifier: MIT */
/* What matches is kept until all is looked at, so it must be little: where it
 * is more, the walk by id goes on.  A document that is written meanwhile is
 * met once more, at the end, and that one counts.  Nothing is given out before
 * the pass is over, so who changes what is found does not meet it again. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "finder-pass.h"
#include "state.h"

/* Of what is kept. */
#define PASS_BYTES ((size_t) 4 << 20)
#define PASS_DOCUMENTS 8192

bool
finder_pass_pays (const struct finder *finder)
{
  if (!replica_can_search (finder->replica) || finder->passed
      || finder->query->root.n == 0)
    return false;
  return finder->most > 0 ? finder->matched == 0
                          : finder->matched * 8 < finder->looked;
}

static bool
is_too_much (const struct finder *finder)
{
  return finder->met.count >= PASS_DOCUMENTS
         || finder->met.bytes >= PASS_BYTES;
}

static int
wants (void *ctx, uint64_t seq, const struct tally_slice *body)
{
  struct finder *finder = ctx;
  bool matches = false;

  if (finder->looks >= FINDER_LOOKS || is_too_much (finder)) {
    finder->full = true;
    return TALLY_WANTED_END;
  }
  finder->since = seq;
  finder->live++;
  finder->looked++;
  finder->looks++;
  finder->status = query_match (finder->query, *body, &matches, finder->err);
  if (finder->status != TALLY_OK)
    return TALLY_WANTED_END;
  return matches ? TALLY_WANTED_YES : TALLY_WANTED_NO;
}

/* What the walk has given out already is not given out again. */
static int
meet (void *ctx, const struct tally_doc *doc)
{
  struct finder *finder = ctx;
  struct tally_doc copy = *doc;

  if (finder->walk.begun
      && slice_cmp (doc->id, buf_slice (&finder->walk.last)) <= 0)
    return 0;
  finder->status = state_verify (doc, finder->replica->name, finder->err);
  if (finder->headers && !finder->sorted)
    copy.meta = copy.body = slice_make (NULL, 0);
  if (finder->status == TALLY_OK && !doclist_add (&finder->met, &copy))
    finder->status = error_nomem (finder->err);
  return finder->status != TALLY_OK;
}

/* ---- the end ------------------------------------------------------------ */

static int
want_all (void *ctx, uint64_t seq, const struct tally_slice *body)
{
  (void) ctx;
  (void) seq;
  (void) body;
  return TALLY_WANTED_YES;
}

static int
search_all (struct replica *replica, const char *collection,
            tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  return replica_search (replica, collection, 0, want_all, emit, ctx, err);
}

static int
by_id_newest_first (const void *a, const void *b)
{
  const struct tally_doc *x = a, *y = b;
  int order = slice_cmp (x->id, y->id);

  return order != 0 ? order : x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

static int
end_pass (struct finder *finder, struct tally_error *err)
{
  struct doclist *met = &finder->met;
  size_t kept = 0;

  if (met->count > 1)
    qsort (met->docs, met->count, sizeof *met->docs, by_id_newest_first);
  for (size_t i = 0; i < met->count; i++)
    if (kept == 0 || !slice_equal (met->docs[kept - 1].id, met->docs[i].id))
      met->docs[kept++] = met->docs[i];
  met->count = kept;
  finder->passed = true;
  if (!replica_counts (finder->replica, finder->collection))
    return TALLY_OK;
  return replica_check_count (finder->replica, finder->collection,
                              finder->live, search_all, err);
}

static int
give_out (struct finder *finder, finder_look_fn *take)
{
  struct doclist *met = &finder->met;

  while (finder->next_met < met->count)
    if (take (finder, &met->docs[finder->next_met++]))
      break;
  finder->done = finder->next_met == met->count;
  return TALLY_OK;
}

int
finder_pass_next (struct finder *finder, finder_look_fn *take,
                  struct tally_error *err)
{
  int status;

  if (finder->passed)
    return give_out (finder, take);
  status = replica_search (finder->replica, finder->collection, finder->since,
                           wants, meet, finder, err);
  if (status != TALLY_OK || finder->status != TALLY_OK)
    return status;
  if (finder->full && is_too_much (finder)) {
    finder->passing = false;
    finder->passed = true;
    doclist_clear (&finder->met);
  } else if (!finder->full)
    status = end_pass (finder, err);
  return status;
}

void
finder_pass_end (struct finder *finder)
{
  doclist_free (&finder->met);
}
