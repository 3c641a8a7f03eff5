/* SPDX-License-Identifier: MIT */
/* Random JSON: of few values and names, so that much is equal. */

#include <stdio.h>
#include <stdlib.h>

#include "plain.h"

static const char *const paths[] = { "a",   "b",   "c",    "a.b",
                                     "c.d", "a.0", "a.b.c" };

#define N_PATHS (sizeof paths / sizeof *paths)

json_t *
random_value (struct rng *rng, unsigned depth)
{
  static const char *const strings[] = { "x", "y", "xy", "", "z\"" };
  unsigned kind = rng_below (rng, depth > 0 ? 14 : 9);
  json_t *value;

  switch (kind) {
  case 0:
    return json_null ();
  case 1:
    return json_boolean (rng_below (rng, 2));
  case 2:
    return json_real (1.5);
  case 3:
  case 4:
    return json_string (strings[rng_below (rng, 5)]);
  case 5:
    return json_pack ("{si}", "$$date", (int) rng_below (rng, 3));
  case 9:
  case 10:
  case 11:
    value = json_array ();
    for (unsigned i = rng_below (rng, 4); i > 0; i--)
      json_array_append_new (value, random_value (rng, depth - 1));
    return value;
  case 12:
  case 13:
    value = json_object ();
    for (unsigned i = rng_below (rng, 3); i > 0; i--)
      json_object_set_new (value,
                           rng_one_in (rng, 2)   ? "b"
                           : rng_one_in (rng, 2) ? "c"
                                                 : "d",
                           random_value (rng, depth - 1));
    return value;
  default:
    return json_integer ((int) rng_below (rng, 7) - 2);
  }
}

/* No arrays, neither as a value nor on the way to one. */
static json_t *
random_flat (struct rng *rng, unsigned depth)
{
  json_t *value;

  if (depth == 0 || !rng_one_in (rng, 3))
    return random_value (rng, 0);
  value = json_object ();
  for (unsigned i = rng_below (rng, 3); i > 0; i--)
    json_object_set_new (value, i == 1 ? "b" : "d",
                         random_flat (rng, depth - 1));
  return value;
}

json_t *
random_document (struct rng *rng, unsigned number, bool flat)
{
  static const char *const fields[] = { "a", "b", "c" };
  json_t *document = json_object ();
  char id[16];

  snprintf (id, sizeof id, "d%02u", number);
  json_object_set_new (document, "_id", json_string (id));
  for (unsigned i = 0; i < 3; i++)
    if (!rng_one_in (rng, 5))
      json_object_set_new (document, fields[i],
                           flat ? random_flat (rng, 2)
                                : random_value (rng, 3));
  return document;
}

static json_t *
random_values (struct rng *rng)
{
  json_t *array = json_array ();

  for (unsigned i = rng_below (rng, 4); i > 0; i--)
    json_array_append_new (array, random_value (rng, 1));
  return array;
}

/* One operator into the condition. */
static void
add_operator (struct rng *rng, json_t *condition, unsigned depth)
{
  static const char *const compare[] = { "$eq",  "$ne", "$gt",
                                         "$gte", "$lt", "$lte" };
  static const char *const types[] = { "null",   "number", "string",
                                       "bool",   "date",   "array",
                                       "object", "int",    "double" };
  static const char *const patterns[] = { "^x", "y", "^xy$", "x|y", "^$" };
  json_t *inner;

  switch (rng_below (rng, 14)) {
  case 0:
    json_object_set_new (condition, "$in", random_values (rng));
    break;
  case 1:
    json_object_set_new (condition, "$nin", random_values (rng));
    break;
  case 2:
    json_object_set_new (condition, "$exists",
                         json_boolean (rng_below (rng, 2)));
    break;
  case 3:
    json_object_set_new (condition, "$type",
                         json_string (types[rng_below (rng, 9)]));
    break;
  case 4:
    json_object_set_new (condition, "$size",
                         json_integer (rng_below (rng, 4)));
    break;
  case 5:
    json_object_set_new (condition, "$all", random_values (rng));
    break;
  case 6:
    json_object_set_new (condition, "$regex",
                         json_string (patterns[rng_below (rng, 5)]));
    break;
  case 7:
    inner = json_object ();
    if (depth > 0 && rng_one_in (rng, 2))
      json_object_set_new (condition, "$elemMatch",
                           random_query (rng, depth - 1));
    else if (depth > 0) {
      add_operator (rng, inner, depth - 1);
      json_object_set (condition, "$elemMatch", inner);
    }
    json_decref (inner);
    break;
  case 8:
    inner = json_object ();
    if (depth > 0)
      add_operator (rng, inner, depth - 1);
    if (json_object_size (inner) > 0)
      json_object_set (condition, "$not", inner);
    json_decref (inner);
    break;
  default:
    json_object_set_new (condition, compare[rng_below (rng, 6)],
                         random_value (rng, 1));
  }
}

json_t *
random_query (struct rng *rng, unsigned depth)
{
  static const char *const logic[] = { "$and", "$or", "$nor" };
  json_t *query = json_object ();

  for (unsigned i = 1 + rng_below (rng, 2); i > 0; i--) {
    json_t *condition = json_object ();
    const char *path = paths[rng_below (rng, N_PATHS)];

    if (rng_one_in (rng, 3)) {
      json_object_set_new (query, path, random_value (rng, 2));
    } else {
      for (unsigned k = 1 + rng_below (rng, 2); k > 0; k--)
        add_operator (rng, condition, depth);
      if (json_object_size (condition) > 0)
        json_object_set (query, path, condition);
    }
    json_decref (condition);
  }
  if (depth > 0 && rng_one_in (rng, 3)) {
    json_t *branches = json_array ();

    for (unsigned i = 1 + rng_below (rng, 2); i > 0; i--)
      json_array_append_new (branches, random_query (rng, depth - 1));
    json_object_set_new (query, logic[rng_below (rng, 3)], branches);
  }
  return query;
}

/* ---- sorts and projections ---------------------------------------------- */

const char *
random_sort (struct rng *rng)
{
  static const char *const sorts[] = { "a",     "-a",     "b,-a",  "a.b",
                                       "c.d,b", "-a.0",   "-b",    "-b,c,a",
                                       "c.d",   "a.b,-c", "-c,a.b" };

  return sorts[rng_below (rng, 11)];
}

const char *
random_fields (struct rng *rng)
{
  static const char *const fields[] = { "a",   "b,c", "a.b",    "c.d,a.b.c",
                                        "_id", "a.0", "nothing" };

  return fields[rng_below (rng, 7)];
}

/* ---- updates ------------------------------------------------------------ */

static json_t *
random_push (struct rng *rng)
{
  json_t *push;

  if (rng_one_in (rng, 2))
    return random_value (rng, 1);
  push = json_object ();
  json_object_set_new (push, "$each", random_values (rng));
  if (rng_one_in (rng, 2))
    json_object_set_new (push, "$position",
                         json_integer ((int) rng_below (rng, 7) - 3));
  if (rng_one_in (rng, 2))
    json_object_set_new (push, "$slice",
                         json_integer ((int) rng_below (rng, 7) - 3));
  return push;
}

static json_t *
random_pull (struct rng *rng)
{
  json_t *pull;

  if (!rng_one_in (rng, 2))
    return random_value (rng, 1);
  pull = json_object ();
  do
    add_operator (rng, pull, 0);
  while (json_object_size (pull) == 0);
  return pull;
}

enum kind {
  SET,
  UNSET,
  MIN,
  MAX,
  INC,
  MUL,
  RENAME,
  CURRENT_DATE, /* up to here no arrays come of it */
  POP,
  PULL,
  PUSH,
  ADD_TO_SET,
  SET_ON_INSERT,
  KINDS
};

static const char *const modifiers[KINDS] = {
  "$set",  "$unset",    "$min",         "$max", "$inc",
  "$mul",  "$rename",   "$currentDate", "$pop", "$pull",
  "$push", "$addToSet", "$setOnInsert"
};

/* What stands behind the modifier's path. */
static json_t *
random_operand (struct rng *rng, enum kind kind, bool flat)
{
  switch (kind) {
  case UNSET:
    return json_true ();
  case INC:
    return rng_one_in (rng, 3) ? json_real (0.5)
                               : json_integer ((int) rng_below (rng, 9) - 4);
  case MUL:
    return json_integer ((int) rng_below (rng, 4) - 1);
  case RENAME:
    return json_string (rng_one_in (rng, 2) ? "e" : "f.g");
  case CURRENT_DATE:
    return rng_one_in (rng, 2) ? json_true ()
                               : json_pack ("{ss}", "$type", "date");
  case POP:
    return json_integer (rng_one_in (rng, 2) ? 1 : -1);
  case PULL:
    return random_pull (rng);
  case PUSH:
    return random_push (rng);
  case ADD_TO_SET:
    return rng_one_in (rng, 2)
               ? random_value (rng, 1)
               : json_pack ("{so}", "$each", random_values (rng));
  default:
    return flat ? random_flat (rng, 1) : random_value (rng, 2);
  }
}

/* Modifiers of different fields; in flat documents none that make arrays. */
json_t *
random_update (struct rng *rng, bool flat)
{
  static const char *const at[3][4] = { { "a", "a.b", "a.0", "a.b.c" },
                                        { "b", "b", "b.1", "b.b" },
                                        { "c", "c", "c.d", "c.0.b" } };
  json_t *update = json_object ();
  unsigned from = rng_below (rng, 3), n = rng_one_in (rng, 3) ? 2 : 1;
  bool renames = false;

  for (unsigned i = from; i < from + n; i++) {
    enum kind kind = rng_below (rng, flat ? CURRENT_DATE + 1 : KINDS);
    const char *path = at[i % 3][rng_below (rng, 4)];
    json_t *fields = json_object_get (update, modifiers[kind]);

    /* Two would go to one place. */
    if (kind == RENAME && renames)
      continue;
    renames = kind == RENAME;
    if (!fields) {
      fields = json_object ();
      json_object_set_new (update, modifiers[kind], fields);
    }
    json_object_set_new (fields, path, random_operand (rng, kind, flat));
  }
  return update;
}
