/* SPDX-License-Identifier: MIT */
/* An index is used for its first fields that the query sets equal to
 * something, and for a range of the next one.  The more of them, the better;
 * that two parts of a query speak of different fields is left to the match. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "indexplan.h"
#include "json.h"
#include "value.h"

/* Between two places: before or after all keys that begin with these bytes. */
struct bound {
  struct buf key;
  bool after;
};

struct interval {
  struct bound from, to;
};

struct intervals {
  struct interval *items;
  size_t n, room;
};

/* What a query says of one field. */
struct field_bounds {
  const struct query_node *equal; /* QUERY_EQ or QUERY_IN */
  const struct query_node *low, *high, *regex;
};

/* ---- intervals ---------------------------------------------------------- */

static struct interval *
add_interval (struct intervals *list)
{
  if (list->n == list->room) {
    size_t room = list->room ? 2 * list->room : 8;
    struct interval *items = realloc (list->items, room * sizeof *items);

    if (!items)
      return NULL;
    list->items = items;
    list->room = room;
  }
  memset (&list->items[list->n], 0, sizeof *list->items);
  return &list->items[list->n++];
}

static void
free_intervals (struct intervals *list)
{
  for (size_t i = 0; i < list->n; i++) {
    buf_free (&list->items[i].from.key);
    buf_free (&list->items[i].to.key);
  }
  free (list->items);
  memset (list, 0, sizeof *list);
}

static void
flip (struct bound *bound)
{
  for (size_t i = 0; i < bound->key.size && !bound->key.failed; i++)
    bound->key.data[i] = (char) ~bound->key.data[i];
  bound->after = !bound->after;
}

/* In a falling field all bytes are turned over, and the ends with them. */
static void
turn (struct interval *interval)
{
  struct bound from = interval->from;

  flip (&from);
  flip (&interval->to);
  interval->from = interval->to;
  interval->to = from;
}

/* All keys of a type. */
static void
set_type (struct interval *interval, enum value_type type)
{
  unsigned last = VALUEKEY_TAG (type);

  if (type == VALUE_NUMBER || type == VALUE_DATE)
    last += 2;
  if (type == VALUE_BOOL)
    last++;
  buf_add_byte (&interval->from.key, (unsigned char) VALUEKEY_TAG (type));
  buf_add_byte (&interval->to.key, (unsigned char) last);
  interval->to.after = true;
}

static void
set_bound (struct bound *bound, struct tally_slice value, bool after)
{
  buf_clear (&bound->key);
  valuekey_add (&bound->key, value);
  bound->after = after;
}

static bool
add_value (struct intervals *list, struct tally_slice value)
{
  struct interval *interval = add_interval (list);

  if (!interval)
    return false;
  set_bound (&interval->from, value, false);
  set_bound (&interval->to, value, true);
  return true;
}

/* ---- a field ------------------------------------------------------------ */

static void
read_bounds (const struct query_node *node, struct tally_slice path,
             struct field_bounds *out)
{
  for (size_t i = 0; i < node->n; i++) {
    const struct query_node *child = &node->children[i];

    if (child->op == QUERY_AND) {
      read_bounds (child, path, out);
      continue;
    }
    if (!slice_equal (buf_slice (&child->path.text), path))
      continue;
    switch (child->op) {
    case QUERY_EQ:
      out->equal = child;
      break;
    case QUERY_IN:
      out->equal = out->equal ? out->equal : child;
      break;
    case QUERY_GT:
    case QUERY_GTE:
      out->low = child;
      break;
    case QUERY_LT:
    case QUERY_LTE:
      out->high = child;
      break;
    case QUERY_REGEX:
      out->regex = child;
      break;
    default:
      break;
    }
  }
}

/* null is also what is missing; an index that leaves those out has no keys
 * for it. */
static bool
add_equal (struct intervals *list, struct tally_slice value, bool sparse,
           bool *usable)
{
  if (value_type (value) == VALUE_NULL) {
    *usable = *usable && !sparse;
    return add_value (list, value_missing ()) && add_value (list, value);
  }
  return add_value (list, value);
}

static bool
equal_intervals (struct intervals *list, const struct query_node *node,
                 bool sparse, bool *usable)
{
  bool good = true;

  *usable = true;
  if (node->op == QUERY_EQ)
    return add_equal (list, node->value, sparse, usable);
  for (size_t i = 0; i < node->n_values && good; i++)
    if (i == 0 || value_cmp (node->values[i - 1], node->values[i]) != 0)
      good = add_equal (list, node->values[i], sparse, usable);
  return good;
}

static bool
regex_interval (struct intervals *list, const struct regex *regex,
                bool *usable)
{
  struct buf prefix = BUF_INIT;
  struct interval *interval = add_interval (list);

  if (!interval)
    return false;
  regex_prefix (regex, &prefix);
  *usable = true;
  /* Letters of a prefix are their own key; what ends a string is left out. */
  set_type (interval, VALUE_STRING);
  if (prefix.size > 0) {
    buf_add_slice (&interval->from.key, buf_slice (&prefix));
    buf_add_slice (&interval->to.key, buf_slice (&prefix));
  }
  buf_free (&prefix);
  return true;
}

/* With several keys a document may have one above the low bound and another
 * below the high one: then one bound is all that can be used. */
static bool
range_intervals (struct intervals *list, const struct field_bounds *bounds,
                 bool several, bool sparse, bool *usable)
{
  const struct query_node *low = bounds->low, *high = bounds->high;
  const struct query_node *one = low ? low : high;
  struct interval *interval;

  *usable = one != NULL;
  if (!one)
    return !bounds->regex
           || regex_interval (list, bounds->regex->regex, usable);
  if (value_type (one->value) == VALUE_NULL) {
    /* $gte and $lte hold for null itself; nothing is above or below. */
    if (one->op == QUERY_GT || one->op == QUERY_LT) {
      *usable = false;
      return true;
    }
    return add_equal (list, one->value, sparse, usable);
  }
  interval = add_interval (list);
  if (!interval)
    return false;
  set_type (interval, value_type (one->value));
  if (low)
    set_bound (&interval->from, low->value, low->op == QUERY_GT);
  if (high && (!low || !several)
      && value_type (high->value) == value_type (one->value))
    set_bound (&interval->to, high->value, high->op == QUERY_LTE);
  return true;
}

/* ---- an index ----------------------------------------------------------- */

/* Every interval of `tail` behind every value of `heads`. */
static bool
extend (struct intervals *heads, const struct intervals *tail)
{
  struct intervals longer = { 0 };

  for (size_t i = 0; i < heads->n; i++)
    for (size_t j = 0; j < tail->n; j++) {
      struct interval *interval = add_interval (&longer);

      if (!interval) {
        free_intervals (&longer);
        return false;
      }
      buf_add_slice (&interval->from.key,
                     buf_slice (&heads->items[i].from.key));
      buf_add_slice (&interval->from.key,
                     buf_slice (&tail->items[j].from.key));
      buf_add_slice (&interval->to.key, buf_slice (&heads->items[i].from.key));
      buf_add_slice (&interval->to.key, buf_slice (&tail->items[j].to.key));
      interval->from.after = tail->items[j].from.after;
      interval->to.after = tail->items[j].to.after;
    }
  free_intervals (heads);
  *heads = longer;
  return true;
}

struct candidate {
  const struct index_def *def;
  struct intervals spans;
  size_t fields;
  bool exact;
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
    struct field_bounds bounds = { 0 };
    struct intervals own = { 0 };
    bool usable = false, good;

    read_bounds (root, buf_slice (&field->path.text), &bounds);
    good =
        bounds.equal
            ? equal_intervals (&own, bounds.equal, def->sparse, &usable)
            : range_intervals (&own, &bounds, several, def->sparse, &usable);
    for (size_t k = 0; k < own.n && field->descending; k++)
      turn (&own.items[k]);
    usable = usable && good
             && (i == 0 || out->spans.n * own.n <= INDEXPLAN_SPANS_MAX);
    if (usable && i == 0) {
      out->spans = own;
      memset (&own, 0, sizeof own);
    } else if (usable)
      good = extend (&out->spans, &own);
    free_intervals (&own);
    if (!good)
      return error_nomem (err);
    if (!usable)
      break;
    out->fields++;
    out->exact = bounds.equal != NULL;
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
  return place_spans (out, best, err);
}

/* ---- sorts -------------------------------------------------------------- */

static bool
is_one_value (const struct query_node *root, const struct field_name *field)
{
  struct field_bounds bounds = { 0 };

  read_bounds (root, buf_slice (&field->path.text), &bounds);
  return bounds.equal && bounds.equal->op == QUERY_EQ
         && value_type (bounds.equal->value) != VALUE_NULL;
}

/* The last fields of the index are those of the sort, so that what ties comes
 * by id, and those before have one value each. */
static bool
is_in_order (const struct index_def *def, const struct query_node *root,
             const struct field_list *sort)
{
  size_t before = def->fields.count - sort->count;

  if (!def->ready || def->sparse || def->marks
      || def->fields.count < sort->count)
    return false;
  for (size_t i = 0; i < before; i++)
    if (!is_one_value (root, &def->fields.fields[i]))
      return false;
  for (size_t i = 0; i < sort->count; i++) {
    const struct field_name *a = &def->fields.fields[before + i];
    const struct field_name *b = &sort->fields[i];

    if (a->descending != b->descending
        || !slice_equal (buf_slice (&a->path.text), buf_slice (&b->path.text)))
      return false;
  }
  return true;
}

/* Where nothing is bounded it is all of the index. */
static bool
add_all (struct candidate *candidate)
{
  struct interval *all = add_interval (&candidate->spans);

  candidate->exact = false;
  if (all)
    all->to.after = true;
  return all != NULL;
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

    if (!is_in_order (&list->defs[i], root, sort))
      continue;
    status = try_index (&candidate, &list->defs[i], root, false, err);
    if (status == TALLY_OK && (!best.def || candidate.fields > best.fields)) {
      free_intervals (&best.spans);
      best = candidate;
    } else
      free_intervals (&candidate.spans);
  }
  if (status == TALLY_OK && best.def && best.fields == 0 && !add_all (&best))
    status = error_nomem (err);
  if (status == TALLY_OK && best.def)
    status = take_plan (out, &best, err);
  free_intervals (&best.spans);
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
      free_intervals (&best.spans);
      best = candidate;
    } else
      free_intervals (&candidate.spans);
  }
  if (status == TALLY_OK && best.def)
    status = take_plan (out, &best, err);
  free_intervals (&best.spans);
  return status;
}

void
index_plan_free (struct index_plan *plan)
{
  free (plan->spans);
  buf_free (&plan->text);
  memset (plan, 0, sizeof *plan);
}
