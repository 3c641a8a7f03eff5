/* SPDX-License-Identifier: MIT */
/* What each modifier makes of the value that it changes. */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>

#include "decimal.h"
#include "error.h"
#include "json.h"
#include "update-tree.h"
#include "value.h"

static int
refuse (const struct modifier *modifier, const char *why,
        struct tally_error *err)
{
  return error_set (err, TALLY_INVALID, "update: \"%.*s\": %s",
                    UPDATE_NAME (&modifier->path), why);
}

/* ---- numbers ------------------------------------------------------------ */

static int
calculate (const struct modifier *modifier, struct tally_slice current,
           struct buf *out, struct tally_error *err)
{
  bool multiplies = modifier->op == UPDATE_MUL, fits;

  if (!current.data)
    current = slice_text ("0");
  if (value_type (current) != VALUE_NUMBER)
    return refuse (modifier, "is not a number", err);
  fits = multiplies ? decimal_multiply (out, current, modifier->value)
                    : decimal_add (out, current, modifier->value);
  if (out->failed)
    return error_nomem (err);
  if (!fits || !json_is_canonical (out->data, out->size))
    return refuse (modifier, "the result has too many digits, or is too large",
                   err);
  return TALLY_OK;
}

/* ---- arrays ------------------------------------------------------------- */

struct elements {
  struct tally_slice *items;
  size_t n, room;
  bool failed;
};

static void
add_element (struct elements *elements, struct tally_slice item)
{
  if (elements->n == elements->room) {
    size_t room = elements->room ? 2 * elements->room : 16;
    struct tally_slice *items =
        realloc (elements->items, room * sizeof *items);

    elements->failed = elements->failed || !items;
    if (!items)
      return;
    elements->items = items;
    elements->room = room;
  }
  elements->items[elements->n++] = item;
}

static void
add_all (struct elements *elements, struct tally_slice array)
{
  struct tally_slice item;

  while (json_next_element (&array, &item))
    add_element (elements, item);
}

static void
write_array (struct buf *out, const struct elements *elements, size_t from,
             size_t to)
{
  buf_add_byte (out, '[');
  for (size_t i = from; i < to; i++) {
    if (i > from)
      buf_add_byte (out, ',');
    buf_add_slice (out, elements->items[i]);
  }
  buf_add_byte (out, ']');
}

/* Where in `size` a place counted from either end is. */
static size_t
place (int64_t at, size_t size)
{
  uint64_t from_end = (uint64_t) -at;

  if (at >= 0)
    return (uint64_t) at < size ? (size_t) at : size;
  return from_end < size ? size - (size_t) from_end : 0;
}

static void
push (const struct modifier *modifier, struct tally_slice current,
      struct elements *elements, struct buf *out)
{
  struct tally_slice item, rest = current;
  size_t n = 0, at, from = 0, to;

  while (current.data && json_next_element (&rest, &item))
    n++;
  at = modifier->has_position ? place (modifier->position, n) : n;
  for (size_t i = 0; i < at && json_next_element (&current, &item); i++)
    add_element (elements, item);
  if (modifier->each)
    add_all (elements, modifier->value);
  else
    add_element (elements, modifier->value);
  while (at < n && json_next_element (&current, &item))
    add_element (elements, item);
  to = elements->n;
  if (modifier->has_slice && modifier->slice < 0)
    from = place (modifier->slice, to);
  else if (modifier->has_slice)
    to = place (modifier->slice, to);
  write_array (out, elements, from, to);
}

static int
by_value (const void *a, const void *b)
{
  return value_cmp (*(const struct tally_slice *) a,
                    *(const struct tally_slice *) b);
}

/* A sorted copy says what is there, as that may be much; what is added is not,
 * see UPDATE_SET_MAX. */
static bool
add_to_set (const struct modifier *modifier, struct tally_slice current,
            struct elements *elements)
{
  struct elements known = { 0 }, fresh = { 0 };
  struct tally_slice item, rest = modifier->value;
  size_t before;

  add_all (elements, current);
  add_all (&known, current);
  if (known.n > 1)
    qsort (known.items, known.n, sizeof *known.items, by_value);
  before = elements->n;
  if (!modifier->each)
    add_element (&fresh, modifier->value);
  while (modifier->each && json_next_element (&rest, &item))
    add_element (&fresh, item);
  for (size_t i = 0; i < fresh.n; i++) {
    bool twice = false;

    for (size_t j = 0; j < i && !twice; j++)
      twice = value_cmp (fresh.items[i], fresh.items[j]) == 0;
    if (!twice
        && (known.n == 0
            || !bsearch (&fresh.items[i], known.items, known.n,
                         sizeof *known.items, by_value)))
      add_element (elements, fresh.items[i]);
  }
  elements->failed = elements->failed || known.failed || fresh.failed;
  free (known.items);
  free (fresh.items);
  return elements->n > before;
}

static int
pull (const struct modifier *modifier, struct tally_slice current,
      struct elements *elements, bool *changes, struct tally_error *err)
{
  struct tally_slice item;
  int status = TALLY_OK;

  *changes = false;
  while (status == TALLY_OK && json_next_element (&current, &item)) {
    bool matches;

    status = query_match_value (modifier->pull, item, &matches, err);
    if (matches)
      *changes = true;
    else
      add_element (elements, item);
  }
  return status;
}

static int
change_array (const struct modifier *modifier, struct tally_slice current,
              struct buf *out, enum update_result *result,
              struct tally_error *err)
{
  bool takes = modifier->op == UPDATE_POP || modifier->op == UPDATE_PULL;
  struct elements elements = { 0 };
  bool changes = true;
  int status = TALLY_OK;

  if (!current.data && takes)
    return TALLY_OK;
  if (current.data && value_type (current) != VALUE_ARRAY)
    return refuse (modifier, "is not an array", err);
  if (!current.data)
    current = slice_text ("[]");
  if (modifier->op == UPDATE_PUSH)
    push (modifier, current, &elements, out);
  else if (modifier->op == UPDATE_POP) {
    add_all (&elements, current);
    changes = elements.n > 0;
    write_array (out, &elements, modifier->position < 0 && changes,
                 elements.n - (modifier->position > 0 && changes));
  } else {
    if (modifier->op == UPDATE_ADD_TO_SET)
      changes = add_to_set (modifier, current, &elements) || current.size == 2;
    else
      status = pull (modifier, current, &elements, &changes, err);
    write_array (out, &elements, 0, elements.n);
  }
  free (elements.items);
  if (status == TALLY_OK && elements.failed)
    status = error_nomem (err);
  *result = changes ? UPDATE_WRITE : UPDATE_KEEP;
  return status;
}

/* ---- all of them -------------------------------------------------------- */

int
update_value (const struct modifier *modifier, struct tally_slice current,
              uint64_t now_ms, struct buf *out, enum update_result *result,
              struct tally_error *err)
{
  int order;

  *result = UPDATE_WRITE;
  switch (modifier->op) {
  case UPDATE_UNSET:
    *result = current.data ? UPDATE_REMOVE : UPDATE_KEEP;
    return TALLY_OK;
  case UPDATE_INC:
  case UPDATE_MUL:
    return calculate (modifier, current, out, err);
  case UPDATE_MIN:
  case UPDATE_MAX:
    order = current.data ? value_cmp (modifier->value, current) : 0;
    if (current.data && (modifier->op == UPDATE_MIN ? order >= 0 : order <= 0))
      *result = UPDATE_KEEP;
    buf_add_slice (out, modifier->value);
    break;
  case UPDATE_PUSH:
  case UPDATE_POP:
  case UPDATE_ADD_TO_SET:
  case UPDATE_PULL:
    *result = UPDATE_KEEP;
    return change_array (modifier, current, out, result, err);
  case UPDATE_CURRENT_DATE:
    buf_addf (out, "{\"$$date\":%" PRIu64 "}", now_ms);
    break;
  default:
    buf_add_slice (out, modifier->value);
  }
  return out->failed ? error_nomem (err) : TALLY_OK;
}
