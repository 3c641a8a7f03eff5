/* SPDX-License-Identifier: MIT */
/* Random queries and updates over random documents, through every store that
 * there is, with and without indexes, against a matcher that is as plain as
 * can be: a tree, and every value at a path in a list.  All must agree, and in
 * the end every index with the documents. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <tally/tally.h>

#include "../core/context.h"
#include "../core/indexes.h"
#include "place.h"
#include "rng.h"

#define DOCUMENTS 60
#define QUERIES 150
#define ROUNDS 12

/* ---- random JSON -------------------------------------------------------- */

static const char *const paths[] = { "a",   "b",   "c",    "a.b",
                                     "c.d", "a.0", "a.b.c" };

#define N_PATHS (sizeof paths / sizeof *paths)

static json_t *
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

static json_t *
random_document (struct rng *rng, unsigned number)
{
  static const char *const fields[] = { "a", "b", "c" };
  json_t *document = json_object ();
  char id[16];

  snprintf (id, sizeof id, "d%02u", number);
  json_object_set_new (document, "_id", json_string (id));
  for (unsigned i = 0; i < 3; i++)
    if (!rng_one_in (rng, 5))
      json_object_set_new (document, fields[i], random_value (rng, 3));
  return document;
}

static json_t *random_query (struct rng *rng, unsigned depth);

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

static json_t *
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

/* ---- the plain matcher -------------------------------------------------- */

static bool
is_date (const json_t *value)
{
  return json_is_object (value) && json_object_size (value) == 1
         && json_is_number (json_object_get (value, "$$date"));
}

static int
type_rank (const json_t *value)
{
  if (!value)
    return 0;
  if (json_is_null (value))
    return 1;
  if (json_is_number (value))
    return 2;
  if (json_is_string (value))
    return 3;
  if (json_is_boolean (value))
    return 4;
  if (is_date (value))
    return 5;
  return json_is_array (value) ? 6 : 7;
}

static int
sign (double x)
{
  return (x > 0) - (x < 0);
}

static int plain_cmp (const json_t *a, const json_t *b);

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static size_t
sorted_names (const json_t *object, const char *names[16])
{
  const char *name;
  json_t *ignored;
  size_t n = 0;

  json_object_foreach ((json_t *) object, name, ignored) names[n++] = name;
  qsort (names, n, sizeof *names, by_name);
  return n;
}

static int
objects_cmp (const json_t *a, const json_t *b)
{
  const char *x[16], *y[16];
  size_t n = sorted_names (a, x), m = sorted_names (b, y);

  for (size_t i = 0; i < n && i < m; i++) {
    int order = strcmp (x[i], y[i]);

    if (order == 0)
      order = plain_cmp (json_object_get (a, x[i]), json_object_get (b, y[i]));
    if (order != 0)
      return order;
  }
  return (n > m) - (n < m);
}

static int
plain_cmp (const json_t *a, const json_t *b)
{
  int order = type_rank (a) - type_rank (b);
  size_t n, m;

  if (order != 0 || !a)
    return order;
  switch (type_rank (a)) {
  case 2:
    return sign (json_number_value (a) - json_number_value (b));
  case 3:
    return strcmp (json_string_value (a), json_string_value (b));
  case 4:
    return json_is_true (a) - json_is_true (b);
  case 5:
    return plain_cmp (json_object_get (a, "$$date"),
                      json_object_get (b, "$$date"));
  case 6:
    n = json_array_size (a);
    m = json_array_size (b);
    for (size_t i = 0; i < n && i < m; i++) {
      order = plain_cmp (json_array_get (a, i), json_array_get (b, i));
      if (order != 0)
        return order;
    }
    return (n > m) - (n < m);
  case 7:
    return objects_cmp (a, b);
  default:
    return 0;
  }
}

struct values {
  const json_t *items[4096];
  size_t n;
};

static void
add_value (struct values *values, const json_t *value)
{
  assert_true (values->n < 4096);
  values->items[values->n++] = value;
}

/* Everything at the path, as MongoDB finds it. */
static void
collect (struct values *out, const json_t *value, const char *path,
         bool elements, bool spreads)
{
  const char *dot = path ? strchr (path, '.') : NULL;
  size_t size = path ? (dot ? (size_t) (dot - path) : strlen (path)) : 0;
  const char *rest = dot ? dot + 1 : NULL;
  char name[16];

  if (!path) {
    if (elements && spreads && json_is_array (value))
      for (size_t i = 0; i < json_array_size (value); i++)
        add_value (out, json_array_get (value, i));
    add_value (out, value);
    return;
  }
  memcpy (name, path, size);
  name[size] = '\0';
  if (json_is_object (value) && !is_date (value)) {
    const json_t *member = json_object_get (value, name);

    if (member)
      collect (out, member, rest, elements, true);
    else
      add_value (out, NULL);
    return;
  }
  if (!json_is_array (value)) {
    add_value (out, NULL);
    return;
  }
  for (size_t i = 0; i < json_array_size (value); i++) {
    const json_t *element = json_array_get (value, i);
    char place[24];

    snprintf (place, sizeof place, "%zu", i);
    if (json_is_object (element) && !is_date (element))
      collect (out, element, path, elements, true);
    if (strcmp (place, name) != 0)
      continue;
    if (!rest)
      add_value (out, element);
    else if (json_is_array (element)
             || (json_is_object (element) && !is_date (element)))
      collect (out, element, rest, elements, true);
  }
}

static bool plain_match (const json_t *query, const json_t *document);
static bool plain_condition (const json_t *condition, const json_t *document,
                             const char *path);

static bool
is_operator (const json_t *value)
{
  void *iter = json_object_iter ((json_t *) value);

  return json_is_object (value) && iter
         && json_object_iter_key (iter)[0] == '$'
         && json_object_iter_key (iter)[1] != '$';
}

static const json_t *
or_null (const json_t *value)
{
  return value ? value : json_null ();
}

static bool
plain_compare (const char *name, const json_t *value, const json_t *with)
{
  int order;

  value = or_null (value);
  if (type_rank (value) != type_rank (with))
    return false;
  order = plain_cmp (value, with);
  if (strcmp (name, "$gt") == 0)
    return order > 0;
  if (strcmp (name, "$gte") == 0)
    return order >= 0;
  if (strcmp (name, "$lt") == 0)
    return order < 0;
  if (strcmp (name, "$lte") == 0)
    return order <= 0;
  return order == 0;
}

static bool
plain_regex (const char *pattern, const char *text)
{
  if (strcmp (pattern, "^x") == 0)
    return text[0] == 'x';
  if (strcmp (pattern, "y") == 0)
    return strchr (text, 'y') != NULL;
  if (strcmp (pattern, "^xy$") == 0)
    return strcmp (text, "xy") == 0;
  if (strcmp (pattern, "^$") == 0)
    return !*text;
  return strchr (text, 'x') || strchr (text, 'y');
}

static bool
plain_type (const char *name, const json_t *value)
{
  if (strcmp (name, "int") == 0)
    return json_is_integer (value);
  if (strcmp (name, "double") == 0)
    return json_is_real (value);
  if (strcmp (name, "number") == 0)
    return json_is_number (value);
  return value
         && strcmp (name, ((const char *[]){ "", "null", "", "string", "bool",
                                             "date", "array",
                                             "object" }[type_rank (value)]))
                == 0;
}

/* As a document, an array has its places for names. */
static json_t *
as_document (const json_t *element)
{
  json_t *object = json_object ();

  for (size_t i = 0; i < json_array_size (element); i++) {
    char place[24];

    snprintf (place, sizeof place, "%zu", i);
    json_object_set (object, place, json_array_get (element, i));
  }
  return object;
}

static bool
plain_element (const json_t *wanted, const json_t *element)
{
  json_t *object;
  bool matches;

  if (is_operator (wanted) && !json_object_get (wanted, "$and")
      && !json_object_get (wanted, "$or") && !json_object_get (wanted, "$nor"))
    return plain_condition (wanted, element, NULL);
  if (json_is_object (element) && !is_date (element))
    return plain_match (wanted, element);
  if (!json_is_array (element))
    return false;
  object = as_document (element);
  matches = plain_match (wanted, object);
  json_decref (object);
  return matches;
}

static bool
holds (const char *name, const json_t *wanted, const json_t *value)
{
  if (strcmp (name, "$exists") == 0)
    return value != NULL;
  if (strcmp (name, "$in") == 0) {
    for (size_t i = 0; i < json_array_size (wanted); i++)
      if (plain_compare ("$eq", value, json_array_get (wanted, i)))
        return true;
    return false;
  }
  if (strcmp (name, "$type") == 0)
    return plain_type (json_string_value (wanted), value);
  if (strcmp (name, "$size") == 0)
    return json_is_array (value)
           && (json_int_t) json_array_size (value)
                  == json_integer_value (wanted);
  if (strcmp (name, "$regex") == 0)
    return json_is_string (value)
           && plain_regex (json_string_value (wanted),
                           json_string_value (value));
  if (strcmp (name, "$elemMatch") == 0) {
    for (size_t i = 0; json_is_array (value) && i < json_array_size (value);
         i++)
      if (plain_element (wanted, json_array_get (value, i)))
        return true;
    return false;
  }
  return plain_compare (name, value, wanted);
}

static bool
any_holds (const char *name, const json_t *wanted, const json_t *document,
           const char *path)
{
  static struct values stack[16];
  static size_t depth;
  struct values *values = &stack[depth++];
  bool spreads = strcmp (name, "$exists") != 0 && strcmp (name, "$size") != 0
                 && strcmp (name, "$elemMatch") != 0;
  bool matches = false;

  assert_true (depth < 16);
  values->n = 0;
  if (path)
    collect (values, document, path, spreads, true);
  else
    add_value (values, document);
  for (size_t i = 0; i < values->n && !matches; i++)
    matches = holds (name, wanted, values->items[i]);
  depth--;
  return matches;
}

static bool
plain_operator (const char *name, const json_t *wanted, const json_t *document,
                const char *path)
{
  if (strcmp (name, "$ne") == 0)
    return !any_holds ("$eq", wanted, document, path);
  if (strcmp (name, "$nin") == 0)
    return !any_holds ("$in", wanted, document, path);
  if (strcmp (name, "$not") == 0)
    return !plain_condition (wanted, document, path);
  if (strcmp (name, "$exists") == 0)
    return any_holds (name, wanted, document, path) == json_is_true (wanted);
  if (strcmp (name, "$all") == 0) {
    for (size_t i = 0; i < json_array_size (wanted); i++)
      if (!any_holds ("$eq", json_array_get (wanted, i), document, path))
        return false;
    return json_array_size (wanted) > 0;
  }
  return any_holds (name, wanted, document, path);
}

static bool
plain_condition (const json_t *condition, const json_t *document,
                 const char *path)
{
  const char *name;
  json_t *wanted;

  if (!is_operator (condition))
    return any_holds ("$eq", condition, document, path);
  json_object_foreach (
      (json_t *) condition, name,
      wanted) if (!plain_operator (name, wanted, document, path)) return false;
  return true;
}

static bool
plain_match (const json_t *query, const json_t *document)
{
  const char *name;
  json_t *wanted;

  json_object_foreach ((json_t *) query, name, wanted)
  {
    size_t n = json_array_size (wanted), hits = 0;

    if (name[0] != '$') {
      if (!plain_condition (wanted, document, name))
        return false;
      continue;
    }
    for (size_t i = 0; i < n; i++)
      hits += plain_match (json_array_get (wanted, i), document);
    if (strcmp (name, "$and") == 0  ? hits < n
        : strcmp (name, "$or") == 0 ? hits == 0
                                    : hits > 0)
      return false;
  }
  return true;
}

/* ---- the stores --------------------------------------------------------- */

struct world {
  struct tally *tally;
  struct tally_replica *replicas[6];
  const char *names[6];
  size_t n;
  char folder[PLACE_SIZE];
  uint64_t seed;
};

static void
open_store (struct world *world, const char *driver, unsigned number,
            bool indexed)
{
  struct tally_error err = { 0, "" };
  struct tally_replica *replica;
  char endpoint[128];

  snprintf (endpoint, sizeof endpoint, "%s:%s/%s%u%s", driver, world->folder,
            driver, number, indexed ? "i" : "");
  if (tally_replica_open (&replica, world->tally, endpoint, TALLY_OPEN_CREATE,
                          &err)
      != TALLY_OK) {
    printf ("%s: %s\n", endpoint, err.text);
    return;
  }
  world->replicas[world->n] = replica;
  world->names[world->n++] = driver;
  for (unsigned i = 0; indexed && i < 6; i++) {
    static const char *const fields[] = { "a",   "-b",  "a.b,c",
                                          "c.d", "a.0", "b,-c" };
    struct tally_index_options options = { .size = sizeof options };

    options.sparse = i == 3;
    if (tally_index (replica, "c", fields[i], &options, &err) != TALLY_OK)
      fail_msg ("%s: %s", fields[i], err.text);
  }
}

struct answer {
  char text[200000];
  size_t size, count;
};

static int
add_document (void *ctx, const struct tally_document *document)
{
  struct answer *answer = ctx;

  assert_true (answer->size + document->json_size + 2 < sizeof answer->text);
  memcpy (answer->text + answer->size, document->json, document->json_size);
  answer->size += document->json_size;
  answer->text[answer->size++] = '\n';
  answer->text[answer->size] = '\0';
  answer->count++;
  return 0;
}

/* What the plain matcher says, in the order of ids. */
static void
plain_answer (struct answer *answer, json_t *const *documents, size_t n,
              const json_t *query)
{
  answer->size = answer->count = 0;
  answer->text[0] = '\0';
  for (size_t i = 0; i < n; i++)
    if (plain_match (query, documents[i])) {
      char *text = json_dumps (documents[i], JSON_COMPACT | JSON_SORT_KEYS);

      strcpy (answer->text + answer->size, text);
      answer->size += strlen (text);
      answer->text[answer->size++] = '\n';
      answer->text[answer->size] = '\0';
      answer->count++;
      free (text);
    }
}

static size_t
check_query (struct world *world, json_t *const *documents, size_t n,
             const json_t *query)
{
  static struct answer plain, got;
  char *text = json_dumps (query, JSON_COMPACT);

  plain_answer (&plain, documents, n, query);
  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };

    got.size = got.count = 0;
    got.text[0] = '\0';
    if (tally_find (world->replicas[i], "c", text, NULL, add_document, &got,
                    &err)
        != TALLY_OK)
      fail_msg ("%s: %s", text, err.text);
    if (strcmp (got.text, plain.text) != 0)
      fail_msg ("%s %zu: %s gives\n%sbut should\n%s", world->names[i], i, text,
                got.text, plain.text);
  }
  free (text);
  return plain.count;
}

/* Sorted, with skip and limit: all stores agree with the first one. */
static void
check_sorted (struct world *world, struct rng *rng, const json_t *query)
{
  static const char *const sorts[] = { "a",     "-a",   "b,-a",  "a.b",
                                       "c.d,b", "-a.0", "-b,c,a" };
  static struct answer first, got;
  struct tally_find_options options = { .size = sizeof options };
  char *text = json_dumps (query, JSON_COMPACT);

  options.sort = sorts[rng_below (rng, 7)];
  options.skip = rng_one_in (rng, 2) ? rng_below (rng, 10) : 0;
  options.limit = rng_one_in (rng, 2) ? 1 + rng_below (rng, 10) : 0;
  for (size_t i = 0; i < world->n; i++) {
    struct answer *answer = i ? &got : &first;
    struct tally_error err = { 0, "" };

    answer->size = answer->count = 0;
    answer->text[0] = '\0';
    if (tally_find (world->replicas[i], "c", text, &options, add_document,
                    answer, &err)
        != TALLY_OK)
      fail_msg ("%s: %s", text, err.text);
    if (i && strcmp (got.text, first.text) != 0)
      fail_msg ("%s %zu: %s by %s gives\n%sbut should\n%s", world->names[i], i,
                text, options.sort, got.text, first.text);
  }
  free (text);
}

/* ---- updates ------------------------------------------------------------ */

/* Modifiers whose outcome a tree shows plainly. */
static void
plain_update (json_t *document, const char *modifier, const char *field,
              const json_t *value)
{
  json_t *there = json_object_get (document, field);
  json_t *copy = json_deep_copy (value);

  if (strcmp (modifier, "$set") == 0
      || (strcmp (modifier, "$min") == 0
          && (!there || plain_cmp (value, there) < 0))
      || (strcmp (modifier, "$max") == 0
          && (!there || plain_cmp (value, there) > 0)))
    json_object_set (document, field, copy);
  else if (strcmp (modifier, "$unset") == 0)
    json_object_del (document, field);
  json_decref (copy);
}

static void
check_update (struct world *world, struct rng *rng, json_t *const *documents,
              size_t n)
{
  static const char *const modifiers[] = { "$set", "$unset", "$min", "$max" };
  const char *modifier = modifiers[rng_below (rng, 4)];
  const char *field = paths[rng_below (rng, 3)];
  json_t *query = random_query (rng, 1), *value = random_value (rng, 2);
  json_t *update = json_pack ("{s{sO}}", modifier, field, value);
  char *text = json_dumps (query, JSON_COMPACT);
  char *change = json_dumps (update, JSON_COMPACT);

  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };

    if (tally_update (world->replicas[i], "c", text, change, NULL, NULL, NULL,
                      &err)
        != TALLY_OK)
      fail_msg ("%s %s: %s", text, change, err.text);
  }
  for (size_t i = 0; i < n; i++)
    if (plain_match (query, documents[i]))
      plain_update (documents[i], modifier, field, value);
  json_decref (update);
  json_decref (value);
  update = json_object ();
  check_query (world, documents, n, update);
  json_decref (update);
  json_decref (query);
  free (change);
  free (text);
}

static void
check_indexes (struct world *world)
{
  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };
    struct replica *replica;

    assert_int_equal (context_replica (&replica, world->replicas[i], &err),
                      TALLY_OK);
    if (indexes_check (replica, "c", &err) != TALLY_OK)
      fail_msg ("%s", err.text);
  }
}

static int
copy_first (void *ctx, const struct tally_doc *row)
{
  snprintf (ctx, 1024, "%.*s", (int) row->id.size, row->id.data);
  return 1;
}

/* A row that is not there, and one that nothing stands behind. */
static void
check_spoilt (struct world *world)
{
  static const unsigned char rev[TALLY_REV_SIZE] = { 1 };

  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };
    struct tally_entry entry = { .collection = "_i:c", .expected = rev };
    struct tally_slice from = slice_text ("----");
    struct tally_outcome outcome;
    struct replica *replica;
    char row[1024] = "", more[1026];

    assert_int_equal (context_replica (&replica, world->replicas[i], &err),
                      TALLY_OK);
    assert_int_equal (indexes_check_all (replica, &err), TALLY_OK);
    assert_int_equal (replica_find (replica, "_i:c", &from, NULL,
                                    TALLY_FIND_IDS, copy_first, row, &err),
                      TALLY_OK);
    if (!row[0])
      continue;
    snprintf (more, sizeof more, "%sz", row);
    entry.doc.id = slice_text (more);
    entry.expected = NULL;
    memcpy (entry.doc.rev, rev, TALLY_REV_SIZE);
    assert_int_equal (
        replica_put_plain (replica, &entry, 1, 0, &outcome, &err), TALLY_OK);
    assert_int_equal (indexes_check_all (replica, &err), TALLY_CORRUPT);
    assert_non_null (strstr (err.text, "rows of no document"));
    entry.flags = TALLY_ENTRY_FORGET;
    entry.expected = rev;
    assert_int_equal (
        replica_put_plain (replica, &entry, 1, 0, &outcome, &err), TALLY_OK);
    assert_int_equal (indexes_check_all (replica, &err), TALLY_OK);
  }
}

/* ---- rounds ------------------------------------------------------------- */

/* How many documents its queries found. */
static size_t
run_round (struct world *world, struct rng *rng, unsigned number)
{
  static const char *const drivers[] = { "memory", "sqlite", "linvo" };
  json_t *documents[DOCUMENTS];
  size_t found = 0;

  world->n = 0;
  for (size_t i = 0; i < 6; i++)
    open_store (world, drivers[i / 2], number, i % 2);
  if (world->n == 0)
    skip ();
  for (unsigned i = 0; i < DOCUMENTS; i++) {
    char *text;

    documents[i] = random_document (rng, i);
    text = json_dumps (documents[i], JSON_COMPACT);
    for (size_t k = 0; k < world->n; k++) {
      struct tally_error err = { 0, "" };

      if (tally_put (world->replicas[k], "c", text, strlen (text), NULL, NULL,
                     NULL, &err)
          != TALLY_OK)
        fail_msg ("%s: %s", text, err.text);
    }
    free (text);
  }
  for (unsigned i = 0; i < QUERIES; i++) {
    json_t *query = random_query (rng, 2);

    found += check_query (world, documents, DOCUMENTS, query);
    check_sorted (world, rng, query);
    json_decref (query);
    if (rng_one_in (rng, 4))
      check_update (world, rng, documents, DOCUMENTS);
  }
  check_indexes (world);
  if (number == 0)
    check_spoilt (world);
  for (unsigned i = 0; i < DOCUMENTS; i++)
    json_decref (documents[i]);
  for (size_t i = 0; i < world->n; i++)
    tally_replica_close (world->replicas[i]);
  return found;
}

static void
test_all_agree (void **state)
{
  struct world *world = *state;
  struct rng rng = { .state = world->seed };
  struct tally_error err = { 0, "" };
  unsigned rounds = rng_tries (ROUNDS);
  size_t found = 0;

  if (tally_new (&world->tally, NULL, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  for (unsigned i = 0; i < rounds; i++)
    found += run_round (world, &rng, i);
  tally_free (world->tally);
  /* A matcher that is never satisfied would agree with any other.  A round may
   * find little, when an update has made all documents alike. */
  assert_true (found > rounds);
}

static int
make_folder (void **state)
{
  struct world *world = *state;

  return place_make (world->folder, "differential") ? 0 : -1;
}

static int
remove_folder (void **state)
{
  const struct world *world = *state;
  char command[96];

  snprintf (command, sizeof command, "rm -rf %s", world->folder);
  return system (command);
}

int
main (void)
{
  static struct world world;
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_prestate_setup_teardown (test_all_agree, make_folder,
                                              remove_folder, &world)
  };

  world.seed = rng_start ("differential").state;
  if (cmocka_run_group_tests (tests, NULL, NULL) == 0)
    return 0;
  /* Said last, and without a word on the memory that a failure leaves, or a
   * sanitizer's list would hide it. */
  printf ("again with TALLY_TEST_SEED=%llu\n",
          (unsigned long long) world.seed);
  fflush (stdout);
  _exit (1);
}
