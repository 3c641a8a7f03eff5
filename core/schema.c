/* SPDX-License-Identifier: MIT */
/* A schema is kept as its canonical text, in which fields are sorted as they
 * are in a document: both are walked together, and what comes out is sorted,
 * too. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "schema.h"

struct schema {
  struct buf text;
};

/* Where the walk is. */
struct walk {
  struct buf path; /* "address.zip" */
  struct buf *out;
  struct tally_error *err;
};

/* ---- paths -------------------------------------------------------------- */

static size_t
enter (struct walk *walk, struct tally_slice key)
{
  size_t before = walk->path.size;

  if (before > 0)
    buf_add_byte (&walk->path, '.');
  buf_add_slice (&walk->path, key);
  return before;
}

static void
leave (struct walk *walk, size_t before)
{
  if (!walk->path.failed)
    walk->path.size = before;
}

static int
fail (struct walk *walk, const char *reason, const char *more)
{
  if (walk->path.failed)
    return error_nomem (walk->err);
  return error_set (walk->err, TALLY_INVALID, "%.*s%s%s%s",
                    walk->path.size < 120 ? (int) walk->path.size : 120,
                    walk->path.size ? walk->path.data : "",
                    walk->path.size ? ": " : "", reason, more);
}

/* ---- types -------------------------------------------------------------- */

static const char *const type_names[] = { "any",    "null",    "boolean",
                                          "number", "integer", "string",
                                          "array",  "object",  "date",
                                          NULL };

static bool
is_word (struct tally_slice value, const char *word)
{
  size_t size = strlen (word);

  return value.size == size + 2 && memcmp (value.data + 1, word, size) == 0;
}

static bool
is_date (struct tally_slice value)
{
  struct tally_slice ms;
  struct tally_slice rest = value;
  struct json_member member;
  size_t members = 0;

  while (json_next_member (&rest, &member))
    members++;
  return members == 1 && json_find_member (value, slice_text ("$$date"), &ms)
         && json_type (ms) == JSON_NUMBER;
}

static const char *
type_of (struct tally_slice value)
{
  switch (json_type (value)) {
  case JSON_NULL:
    return "null";
  case JSON_BOOL:
    return "boolean";
  case JSON_NUMBER:
    return "number";
  case JSON_STRING:
    return "string";
  case JSON_ARRAY:
    return "array";
  default:
    return is_date (value) ? "date" : "object";
  }
}

static bool
is_whole (struct tally_slice number)
{
  return !memchr (number.data, '.', number.size)
         && !memchr (number.data, 'e', number.size)
         && !memchr (number.data, 'E', number.size);
}

/* word is a JSON string. */
static bool
is_of_type (struct tally_slice value, struct tally_slice word)
{
  if (is_word (word, "any"))
    return true;
  if (is_word (word, "integer"))
    return json_type (value) == JSON_NUMBER && is_whole (value);
  return is_word (word, type_of (value));
}

/* ---- a field's rules ---------------------------------------------------- */

/* What is said of a field; data NULL: nothing. */
struct rules {
  struct tally_slice types; /* a string, or an array of such */
  struct tally_slice fields, items, by_default;
  bool required;
};

static void
read_rules (struct rules *rules, struct tally_slice spec)
{
  struct tally_slice value;

  memset (rules, 0, sizeof *rules);
  if (json_type (spec) != JSON_OBJECT) {
    rules->types = spec;
    return;
  }
  if (json_find_member (spec, slice_text ("type"), &value))
    rules->types = value;
  if (json_find_member (spec, slice_text ("fields"), &value))
    rules->fields = value;
  if (json_find_member (spec, slice_text ("items"), &value))
    rules->items = value;
  if (json_find_member (spec, slice_text ("default"), &value))
    rules->by_default = value;
  rules->required = json_find_member (spec, slice_text ("required"), &value)
                    && slice_equal (value, slice_text ("true"));
}

static bool
has_type (const struct rules *rules, struct tally_slice value)
{
  struct tally_slice rest = rules->types, word;

  if (!rules->types.data)
    return !rules->fields.data
               ? !rules->items.data || json_type (value) == JSON_ARRAY
               : json_type (value) == JSON_OBJECT;
  if (json_type (rules->types) == JSON_STRING)
    return is_of_type (value, rules->types);
  while (json_next_element (&rest, &word))
    if (is_of_type (value, word))
      return true;
  return false;
}

static int
fail_type (struct walk *walk, const struct rules *rules,
           struct tally_slice value)
{
  struct buf wanted = BUF_INIT;
  int status;

  if (rules->types.data)
    buf_add_slice (&wanted, rules->types);
  else
    buf_add_text (&wanted, rules->fields.data ? "\"object\"" : "\"array\"");
  buf_add_byte (&wanted, '\0');
  if (wanted.failed)
    status = error_nomem (walk->err);
  else {
    struct buf reason = BUF_INIT;

    buf_addf (&reason, "is %s, not ", type_of (value));
    buf_add_byte (&reason, '\0');
    status = reason.failed ? error_nomem (walk->err)
                           : fail (walk, reason.data, wanted.data);
    buf_free (&reason);
  }
  buf_free (&wanted);
  return status;
}

/* ---- applying ----------------------------------------------------------- */

static int apply_fields (struct walk *walk, struct tally_slice fields,
                         struct tally_slice object);

static int
apply_value (struct walk *walk, struct tally_slice spec,
             struct tally_slice value)
{
  struct tally_slice rest = value, element;
  struct rules rules;
  unsigned long at = 0;
  int status = TALLY_OK;

  read_rules (&rules, spec);
  if (!has_type (&rules, value))
    return fail_type (walk, &rules, value);
  if (rules.fields.data && json_type (value) == JSON_OBJECT)
    return apply_fields (walk, rules.fields, value);
  if (!rules.items.data || json_type (value) != JSON_ARRAY) {
    buf_add_slice (walk->out, value);
    return TALLY_OK;
  }
  buf_add_byte (walk->out, '[');
  while (status == TALLY_OK && json_next_element (&rest, &element)) {
    char index[24];
    size_t before;

    snprintf (index, sizeof index, "%lu", at);
    before = enter (walk, slice_text (index));
    if (at++ > 0)
      buf_add_byte (walk->out, ',');
    status = apply_value (walk, rules.items, element);
    leave (walk, before);
  }
  buf_add_byte (walk->out, ']');
  return status;
}

static void
add_key (struct walk *walk, struct tally_slice key, bool *more)
{
  if (*more)
    buf_add_byte (walk->out, ',');
  *more = true;
  buf_add_byte (walk->out, '"');
  buf_add_slice (walk->out, key);
  buf_add_text (walk->out, "\":");
}

/* A field that is named and not there. */
static int
apply_absent (struct walk *walk, const struct json_member *field, bool *more)
{
  struct rules rules;
  size_t before;
  int status = TALLY_OK;

  read_rules (&rules, field->value);
  if (rules.by_default.data) {
    add_key (walk, field->key, more);
    buf_add_slice (walk->out, rules.by_default);
  } else if (rules.required) {
    before = enter (walk, field->key);
    status = fail (walk, "is missing", "");
    leave (walk, before);
  }
  return status;
}

static int
apply_fields (struct walk *walk, struct tally_slice fields,
              struct tally_slice object)
{
  struct json_member field, member;
  bool has_field = json_next_member (&fields, &field);
  bool has_member = json_next_member (&object, &member);
  bool more = false;
  int status = TALLY_OK;

  buf_add_byte (walk->out, '{');
  while (status == TALLY_OK && (has_field || has_member)) {
    int order = !has_field    ? -1
                : !has_member ? 1
                              : json_key_cmp (member.key, field.key);

    if (order > 0)
      status = apply_absent (walk, &field, &more);
    else {
      add_key (walk, member.key, &more);
      if (order < 0)
        buf_add_slice (walk->out, member.value);
      else {
        size_t before = enter (walk, member.key);

        status = apply_value (walk, field.value, member.value);
        leave (walk, before);
      }
    }
    if (order >= 0)
      has_field = json_next_member (&fields, &field);
    if (order <= 0)
      has_member = json_next_member (&object, &member);
  }
  buf_add_byte (walk->out, '}');
  return status;
}

int
schema_apply (const struct schema *schema, struct tally_slice document,
              struct buf *out, struct tally_error *err)
{
  struct walk walk = { .out = out, .err = err };
  int status = apply_fields (&walk, buf_slice (&schema->text), document);

  if (status == TALLY_OK && out->failed)
    status = error_nomem (err);
  buf_free (&walk.path);
  return status;
}

/* ---- reading ------------------------------------------------------------ */

static int check_fields (struct walk *walk, struct tally_slice fields);

static int
check_types (struct walk *walk, struct tally_slice types)
{
  struct tally_slice rest = types, word;
  size_t i;

  if (json_type (types) == JSON_ARRAY) {
    int status = types.size > 2 ? TALLY_OK : fail (walk, "names no type", "");

    while (status == TALLY_OK && json_next_element (&rest, &word))
      status = json_type (word) == JSON_STRING
                   ? check_types (walk, word)
                   : fail (walk, "a type is a word", "");
    return status;
  }
  if (json_type (types) != JSON_STRING)
    return fail (walk, "a type is a word, or a list of such", "");
  for (i = 0; type_names[i]; i++)
    if (is_word (types, type_names[i]))
      return TALLY_OK;
  return fail (walk,
               "no such type; there are any, null, boolean, number, integer, "
               "string, array, object and date",
               "");
}

static int
check_spec (struct walk *walk, struct tally_slice spec)
{
  struct tally_slice rest = spec;
  struct json_member member;
  struct rules rules;
  struct buf ignored = BUF_INIT, *out = walk->out;
  int status = TALLY_OK;

  if (json_type (spec) != JSON_OBJECT)
    return check_types (walk, spec);
  while (status == TALLY_OK && json_next_member (&rest, &member)) {
    size_t before = enter (walk, member.key);

    if (slice_equal (member.key, slice_text ("type")))
      status = check_types (walk, member.value);
    else if (slice_equal (member.key, slice_text ("fields")))
      status = check_fields (walk, member.value);
    else if (slice_equal (member.key, slice_text ("items")))
      status = check_spec (walk, member.value);
    else if (slice_equal (member.key, slice_text ("required")))
      status = json_type (member.value) == JSON_BOOL
                   ? TALLY_OK
                   : fail (walk, "is not true or false", "");
    else if (!slice_equal (member.key, slice_text ("default")))
      status = fail (walk,
                     "unknown; there are type, required, default, fields and "
                     "items",
                     "");
    leave (walk, before);
  }
  if (status != TALLY_OK)
    return status;
  read_rules (&rules, spec);
  if (!rules.by_default.data)
    return TALLY_OK;
  /* What stands in for a missing one must itself hold. */
  walk->out = &ignored;
  status = apply_value (walk, spec, rules.by_default);
  walk->out = out;
  buf_free (&ignored);
  return status;
}

static int
check_fields (struct walk *walk, struct tally_slice fields)
{
  struct json_member member;
  int status = TALLY_OK;

  if (json_type (fields) != JSON_OBJECT)
    return fail (walk, "is not an object of fields", "");
  while (status == TALLY_OK && json_next_member (&fields, &member)) {
    size_t before = enter (walk, member.key);

    status = check_spec (walk, member.value);
    leave (walk, before);
  }
  return status;
}

int
schema_parse (struct schema **out, const char *text, size_t size,
              struct tally_error *err)
{
  struct schema *schema = calloc (1, sizeof *schema);
  struct walk walk = { .err = err };
  int status;

  *out = NULL;
  if (!schema)
    return error_nomem (err);
  status = json_canonical (&schema->text, text, size, err);
  if (status == TALLY_OK)
    status = check_fields (&walk, buf_slice (&schema->text));
  buf_free (&walk.path);
  if (status == TALLY_OK)
    *out = schema;
  else
    schema_free (schema);
  return status;
}

void
schema_free (struct schema *schema)
{
  if (!schema)
    return;
  buf_free (&schema->text);
  free (schema);
}
