/* SPDX-License-Identifier: MIT */
/* Reading an update: modifiers, or a document that takes the place of what is
 * there. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "nearest.h"
#include "update-tree.h"
#include "value.h"

/* In the order of enum update_op. */
static const char *const names[] = {
  "$set",      "$setOnInsert", "$unset",       "$inc",  "$mul",
  "$min",      "$max",         "$rename",      "$push", "$pop",
  "$addToSet", "$pull",        "$currentDate", NULL
};

static int
find_op (struct tally_slice key)
{
  for (int i = 0; names[i]; i++)
    if (slice_equal (key, slice_text (names[i])))
      return i;
  return -1;
}

static int
unknown (struct tally_slice key, struct tally_error *err)
{
  const char *near = NULL;
  char word[32];

  if (key.size < sizeof word) {
    memcpy (word, key.data, key.size);
    word[key.size] = '\0';
    near = nearest (word, names);
  }
  if (near)
    return error_set (err, TALLY_INVALID,
                      "update: unknown modifier \"%s\"; did you mean \"%s\"?",
                      word, near);
  return error_set (err, TALLY_INVALID, "update: unknown modifier \"%.*s\"",
                    (int) (key.size < 80 ? key.size : 80), key.data);
}

static int
wrong (const struct modifier *modifier, const char *why,
       struct tally_error *err)
{
  return error_set (err, TALLY_INVALID, "update: %s: %s", names[modifier->op],
                    why);
}

/* ---- paths -------------------------------------------------------------- */

static int
read_path (struct path *path, struct tally_slice raw, struct tally_error *err)
{
  int status = path_parse (path, raw, "update", err);

  for (size_t i = 0; i < path->n && status == TALLY_OK; i++)
    if (path->parts[i].key.data[0] == '$')
      status = error_set (err, TALLY_INVALID,
                          "update: \"%.*s\": a name must not begin with $; "
                          "elements are named by their place only",
                          UPDATE_NAME (path));
  return status;
}

/* Whether one is the other, or leads to it. */
static bool
meet (const struct path *a, const struct path *b)
{
  for (size_t i = 0; i < a->n && i < b->n; i++)
    if (!slice_equal (a->parts[i].key, b->parts[i].key))
      return false;
  return a->n > 0 && b->n > 0;
}

/* What comes of modifiers must not depend on their order. */
static int
check_paths (const struct update *update, struct tally_error *err)
{
  for (size_t i = 0; i < update->n; i++) {
    const struct modifier *a = &update->modifiers[i];

    if (meet (&a->path, &a->to))
      return wrong (a, "from a name to itself, or into what it names", err);
    for (size_t j = 0; j < i; j++) {
      const struct modifier *b = &update->modifiers[j];

      if (meet (&a->path, &b->path) || meet (&a->path, &b->to)
          || meet (&a->to, &b->path) || meet (&a->to, &b->to))
        return error_set (err, TALLY_INVALID,
                          "update: \"%.*s\" and \"%.*s\" are changed at once",
                          UPDATE_NAME (&b->path), UPDATE_NAME (&a->path));
    }
  }
  return TALLY_OK;
}

/* ---- modifiers ---------------------------------------------------------- */

static bool
small_integer (struct tally_slice value, int64_t *out)
{
  size_t i = value.size > 0 && value.data[0] == '-';
  int64_t number = 0;

  if (value_type (value) != VALUE_NUMBER || value.size - i > 9)
    return false;
  for (size_t at = i; at < value.size; at++) {
    if (value.data[at] < '0' || value.data[at] > '9')
      return false;
    number = 10 * number + (value.data[at] - '0');
  }
  *out = i ? -number : number;
  return true;
}

static size_t
count (struct tally_slice array)
{
  struct tally_slice element;
  size_t n = 0;

  while (json_next_element (&array, &element))
    n++;
  return n;
}

/* {"$each":[...],"$position":n,"$slice":n}, or one value. */
static int
read_each (struct modifier *modifier, struct tally_error *err)
{
  struct tally_slice rest = modifier->value, each = value_missing ();
  struct json_member member;

  if (value_type (rest) != VALUE_OBJECT
      || !json_find_member (rest, slice_text ("$each"), &each))
    return TALLY_OK;
  modifier->each = true;
  while (json_next_member (&rest, &member)) {
    if (slice_equal (member.key, slice_text ("$each")))
      continue;
    if (modifier->op == UPDATE_PUSH
        && slice_equal (member.key, slice_text ("$position")))
      modifier->has_position =
          small_integer (member.value, &modifier->position);
    else if (modifier->op == UPDATE_PUSH
             && slice_equal (member.key, slice_text ("$slice")))
      modifier->has_slice = small_integer (member.value, &modifier->slice);
    else
      return wrong (modifier, "unknown member beside $each", err);
    if (!modifier->has_position && !modifier->has_slice)
      return wrong (modifier, "$position and $slice take a whole number", err);
  }
  modifier->value = each;
  if (value_type (each) != VALUE_ARRAY)
    return wrong (modifier, "$each takes an array", err);
  if (modifier->op == UPDATE_ADD_TO_SET && count (each) > UPDATE_SET_MAX)
    return wrong (modifier, "$each takes at most 1000 values here", err);
  return TALLY_OK;
}

static int
read_rename (struct modifier *modifier, struct tally_error *err)
{
  struct tally_slice value = modifier->value;

  if (value_type (value) != VALUE_STRING)
    return wrong (modifier, "takes a name", err);
  return read_path (&modifier->to, slice_make (value.data + 1, value.size - 2),
                    err);
}

static int
read_date (const struct modifier *modifier, struct tally_error *err)
{
  static const char typed[] = "{\"$type\":\"date\"}";

  if (slice_equal (modifier->value, slice_text ("true"))
      || slice_equal (modifier->value, slice_text (typed)))
    return TALLY_OK;
  return wrong (modifier, "takes true, or {\"$type\":\"date\"}", err);
}

static int
read_modifier (struct modifier *modifier, struct tally_error *err)
{
  int64_t number;

  switch (modifier->op) {
  case UPDATE_INC:
  case UPDATE_MUL:
    if (value_type (modifier->value) != VALUE_NUMBER)
      return wrong (modifier, "takes a number", err);
    return TALLY_OK;
  case UPDATE_RENAME:
    return read_rename (modifier, err);
  case UPDATE_PUSH:
  case UPDATE_ADD_TO_SET:
    return read_each (modifier, err);
  case UPDATE_POP:
    if (!small_integer (modifier->value, &number)
        || (number != 1 && number != -1))
      return wrong (modifier, "takes 1 for the last, or -1 for the first",
                    err);
    modifier->position = number;
    return TALLY_OK;
  case UPDATE_PULL:
    return query_parse_pull (&modifier->pull, modifier->value, err);
  case UPDATE_CURRENT_DATE:
    return read_date (modifier, err);
  default:
    return TALLY_OK;
  }
}

static int
read_group (struct update *update, const struct json_member *group,
            struct tally_error *err)
{
  struct tally_slice rest = group->value;
  struct json_member member;
  int op = find_op (group->key), status = TALLY_OK;

  if (op < 0)
    return unknown (group->key, err);
  if (value_type (rest) != VALUE_OBJECT)
    return error_set (err, TALLY_INVALID, "update: %s: takes an object",
                      names[op]);
  while (status == TALLY_OK && json_next_member (&rest, &member)) {
    struct modifier *modifier;

    if (update->n == UPDATE_MODIFIERS_MAX)
      return error_set (err, TALLY_INVALID, "update: more than %d changes",
                        UPDATE_MODIFIERS_MAX);
    modifier = realloc (update->modifiers,
                        (update->n + 1) * sizeof *update->modifiers);
    if (!modifier)
      return error_nomem (err);
    update->modifiers = modifier;
    modifier = &update->modifiers[update->n++];
    memset (modifier, 0, sizeof *modifier);
    modifier->op = (enum update_op) op;
    modifier->value = member.value;
    status = read_path (&modifier->path, member.key, err);
    if (status == TALLY_OK)
      status = read_modifier (modifier, err);
  }
  return status;
}

static int
read_update (struct update *update, struct tally_error *err)
{
  struct tally_slice text = buf_slice (&update->text), rest = text;
  struct json_member member;
  size_t members = 0, found = 0;
  int status = TALLY_OK;

  if (value_type (text) != VALUE_OBJECT)
    return error_set (err, TALLY_INVALID, "update: is not an object");
  for (; json_next_member (&rest, &member); members++)
    found += member.key.size > 0 && member.key.data[0] == '$';
  update->replaces = found == 0;
  if (found > 0 && found < members)
    return error_set (err, TALLY_INVALID,
                      "update: modifiers and fields in one update");
  for (rest = text;
       found > 0 && status == TALLY_OK && json_next_member (&rest, &member);)
    status = read_group (update, &member, err);
  return status == TALLY_OK ? check_paths (update, err) : status;
}

int
update_parse (struct update **out, const char *text, struct tally_error *err)
{
  struct update *update = calloc (1, sizeof *update);
  int status;

  *out = NULL;
  if (!update)
    return error_nomem (err);
  status = json_canonical (&update->text, text, strlen (text), err);
  if (status == TALLY_INVALID)
    error_set (err, status, "update: %s", err->text);
  if (status == TALLY_OK)
    status = read_update (update, err);
  if (status == TALLY_OK)
    *out = update;
  else
    update_free (update);
  return status;
}

void
update_free (struct update *update)
{
  if (!update)
    return;
  for (size_t i = 0; i < update->n; i++) {
    path_free (&update->modifiers[i].path);
    path_free (&update->modifiers[i].to);
    query_free (update->modifiers[i].pull);
  }
  free (update->modifiers);
  buf_free (&update->text);
  free (update);
}

bool
update_replaces (const struct update *update)
{
  return update->replaces;
}
