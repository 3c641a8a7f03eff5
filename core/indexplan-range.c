/* SPDX-License-Identifier: MIT */
/* Intervals are made of the keys of values; in a falling field they are turned
 * over, as the keys are. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "indexplan-range.h"
#include "value.h"

/* What a query says of one field. */
struct field_bounds {
  const struct query_node *equal; /* QUERY_EQ or QUERY_IN */
  const struct query_node *low, *high, *regex;
};

/* ---- intervals ---------------------------------------------------------- */

struct interval *
intervals_add (struct intervals *list)
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

void
intervals_free (struct intervals *list)
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
  struct interval *interval = intervals_add (list);

  if (!interval)
    return false;
  set_bound (&interval->from, value, false);
  set_bound (&interval->to, value, true);
  return true;
}

bool
intervals_extend (struct intervals *heads, const struct intervals *tail)
{
  struct intervals longer = { 0 };

  for (size_t i = 0; i < heads->n; i++)
    for (size_t j = 0; j < tail->n; j++) {
      struct interval *interval = intervals_add (&longer);

      if (!interval) {
        intervals_free (&longer);
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
  intervals_free (heads);
  *heads = longer;
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
  struct interval *interval = intervals_add (list);

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
  interval = intervals_add (list);
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

bool
intervals_of_field (struct intervals *out, const struct query_node *root,
                    const struct field_name *field, bool several, bool sparse,
                    bool *usable, bool *equal)
{
  struct field_bounds bounds = { 0 };
  bool good;

  *usable = false;
  read_bounds (root, buf_slice (&field->path.text), &bounds);
  *equal = bounds.equal != NULL;
  good = bounds.equal
             ? equal_intervals (out, bounds.equal, sparse, usable)
             : range_intervals (out, &bounds, several, sparse, usable);
  for (size_t i = 0; i < out->n && field->descending; i++)
    turn (&out->items[i]);
  return good;
}

bool
field_is_one_value (const struct query_node *root,
                    const struct field_name *field)
{
  struct field_bounds bounds = { 0 };

  read_bounds (root, buf_slice (&field->path.text), &bounds);
  return bounds.equal && bounds.equal->op == QUERY_EQ
         && value_type (bounds.equal->value) != VALUE_NULL;
}
