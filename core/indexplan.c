/* SPDX-License-Identifier: MIT */
/* An index is used for its first fields that the query sets equal to
 * something, and for a range of the next one.  The more of them, the better;
 * that two parts of a query speak of different fields is left to the match. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "indexplan-range.h"
#include "indexplan.h"

/* ---- an index ----------------------------------------------------------- */

struct candidate {
  const struct index_def *def;
  struct intervals spans;
  size_t fields;
  bool exact;
  bool reverse;
};

static int
try_index (struct candidate *out, const struct index_def *def,
           const struct query_node *root, bool several,
           struct tally_error *err)
{
  memset (out, 0, sizeof *out);
  out->def = def;
  out->exact = true;
  for (size_t i = 0; i < def->fields.count && out->exact; i++) {
    const struct field_name *field = &def->fields.fields[i];
    struct intervals own = { 0 };
    bool usable, equal;
    bool good = intervals_of_field (&own, root, field, several, def->sparse,
                                    &usable, &equal);

    usable = usable && good
             && (i == 0 || out->spans.n * own.n <= INDEXPLAN_SPANS_MAX);
    if (usable && i == 0) {
      out->spans = own;
      memset (&own, 0, sizeof own);
    } else if (usable)
      good = intervals_extend (&out->spans, &own);
    intervals_free (&own);
    if (!good)
      return error_nomem (err);
    if (!usable)
      break;
    out->fields++;
    out->exact = equal;
  }
  return TALLY_OK;
}

static bool
is_better (const struct candidate *a, const struct candidate *b)
{
  if (a->fields == 0)
    return false;
  if (!b->def || a->fields != b->fields)
    return !b->def || a->fields > b->fields;
  if (a->exact != b->exact)
    return a->exact;
  return a->def->unique && !b->def->unique;
}

/* ---- places ------------------------------------------------------------- */

static int
by_from (const void *a, const void *b)
{
  const struct index_span *x = a, *y = b;

  return slice_cmp (x->from, y->from);
}

/* Slices into text, once that does not move any more. */
static int
place_spans (struct index_plan *plan, const struct candidate *best,
             struct tally_error *err)
{
  static const char overflow[] = { INDEX_OVERFLOW };
  uint32_t number = best->def->number;
  size_t n = best->spans.n + best->def->marks, at = 0;
  size_t *ends = calloc (2 * n + 1, sizeof *ends);

  plan->spans = calloc (n + 1, sizeof *plan->spans);
  for (size_t i = 0; i < best->spans.n && ends; i++) {
    const struct interval *interval = &best->spans.items[i];

    index_place (&plan->text, number, buf_slice (&interval->from.key),
                 interval->from.after);
    ends[2 * i] = plan->text.size;
    index_place (&plan->text, number, buf_slice (&interval->to.key),
                 interval->to.after);
    ends[2 * i + 1] = plan->text.size;
    plan->text.failed = plan->text.failed || interval->from.key.failed
                        || interval->to.key.failed;
  }
  if (!ends || !plan->spans) {
    free (ends);
    return error_nomem (err);
  }
  if (best->def->marks) {
    index_place (&plan->text, number, slice_make (overflow, 1), false);
    ends[2 * n - 2] = plan->text.size;
    index_place (&plan->text, number, slice_make (overflow, 1), true);
    ends[2 * n - 1] = plan->text.size;
  }
  for (size_t i = 0; i < n && !plan->text.failed; i++) {
    plan->spans[i].from = slice_make (plan->text.data + at, ends[2 * i] - at);
    plan->spans[i].to = slice_make (plan->text.data + ends[2 * i],
                                    ends[2 * i + 1] - ends[2 * i]);
    at = ends[2 * i + 1];
  }
  free (ends);
  plan->n = plan->text.failed ? 0 : n;
  plan->ranges = best->spans.n;
  if (plan->n > 1)
    qsort (plan->spans, plan->n, sizeof *plan->spans, by_from);
  return plan->text.failed ? error_nomem (err) : TALLY_OK;
}

static int
take_plan (struct index_plan *out, const struct candidate *best,
           struct tally_error *err)
{
  out->def = best->def;
  out->fields = best->fields;
  out->exact = best->exact;
  out->reverse = best->reverse;
  return place_spans (out, best, err);
}

/* ---- sorts -------------------------------------------------------------- */

/* The last fields of the index are those of the sort, so that what ties comes
 * by id, and those before have one value each. */
static bool
is_in_order (const struct index_def *def, const struct query_node *root,
             const struct field_list *sort, bool reverse)
{
  size_t before = def->fields.count - sort->count;

  if (!def->ready || def->sparse || def->marks
      || def->fields.count < sort->count)
    return false;
  for (size_t i = 0; i < before; i++)
    if (!field_is_one_value (root, &def->fields.fields[i]))
      return false;
  for (size_t i = 0; i < sort->count; i++) {
    const struct field_name *a = &def->fields.fields[before + i];
    const struct field_name *b = &sort->fields[i];

    if (a->descending != (b->descending != reverse)
        || !slice_equal (buf_slice (&a->path.text), buf_slice (&b->path.text)))
      return false;
  }
  return true;
}

/* Where nothing is bounded it is all of the index. */
static bool
add_all (struct candidate *candidate)
{
  struct interval *all = intervals_add (&candidate->spans);

  candidate->exact = false;
  if (all)
    all->to.after = true;
  return all != NULL;
}

static bool
orders_better (const struct candidate *a, const struct candidate *b)
{
  if (!b->def || a->fields != b->fields)
    return !b->def || a->fields > b->fields;
  return b->reverse && !a->reverse;
}

int
index_plan_ordered (struct index_plan *out, const struct index_list *list,
                    const struct query_node *root,
                    const struct field_list *sort, struct tally_error *err)
{
  struct candidate best = { 0 };
  int status = TALLY_OK;

  memset (out, 0, sizeof *out);
  for (size_t i = 0; i < list->n && status == TALLY_OK; i++) {
    struct candidate candidate;

    bool reverse = is_in_order (&list->defs[i], root, sort, true);

    if (!reverse && !is_in_order (&list->defs[i], root, sort, false))
      continue;
    status = try_index (&candidate, &list->defs[i], root, false, err);
    candidate.reverse = reverse;
    if (status == TALLY_OK && orders_better (&candidate, &best)) {
      intervals_free (&best.spans);
      best = candidate;
    } else
      intervals_free (&candidate.spans);
  }
  if (status == TALLY_OK && best.def && best.fields == 0 && !add_all (&best))
    status = error_nomem (err);
  if (status == TALLY_OK && best.def)
    status = take_plan (out, &best, err);
  intervals_free (&best.spans);
  return status;
}

/* ---- searches ----------------------------------------------------------- */

int
index_plan_make (struct index_plan *out, const struct index_list *list,
                 const struct query_node *root, const bool *several,
                 struct tally_error *err)
{
  struct candidate best = { 0 };
  int status = TALLY_OK;

  memset (out, 0, sizeof *out);
  for (size_t i = 0; i < list->n && status == TALLY_OK; i++) {
    struct candidate candidate;

    if (!list->defs[i].ready)
      continue;
    status = try_index (&candidate, &list->defs[i], root, several[i], err);
    if (status == TALLY_OK && is_better (&candidate, &best)) {
      intervals_free (&best.spans);
      best = candidate;
    } else
      intervals_free (&candidate.spans);
  }
  if (status == TALLY_OK && best.def)
    status = take_plan (out, &best, err);
  intervals_free (&best.spans);
  return status;
}

void
index_plan_free (struct index_plan *plan)
{
  free (plan->spans);
  buf_free (&plan->text);
  memset (plan, 0, sizeof *plan);
}
