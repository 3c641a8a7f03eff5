/* SPDX-License-Identifier: MIT */
/* Lists of fields: read, sorted by, and shown. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "error.h"
#include "fields.h"
#include "json.h"
#include "value.h"

/* ---- reading ------------------------------------------------------------ */

static int
add_field (struct field_list *list, struct tally_slice name, bool descending,
           const char *option, struct tally_error *err)
{
  struct field_name *field;
  struct buf quoted = BUF_INIT;
  int status;

  if (name.size == 0 || !utf8_valid (name))
    return error_set (err, TALLY_INVALID, "%s: an empty or bad name", option);
  if (list->count == FIELDS_MAX)
    return error_set (err, TALLY_INVALID, "%s: more than %d fields", option,
                      FIELDS_MAX);
  field = realloc (list->fields, (list->count + 1) * sizeof *list->fields);
  if (!field)
    return error_nomem (err);
  list->fields = field;
  field = &list->fields[list->count];
  memset (field, 0, sizeof *field);
  field->descending = descending;
  json_encode_string (&quoted, name);
  list->count++;
  status = quoted.failed
               ? error_nomem (err)
               : path_parse (&field->path,
                             slice_make (quoted.data + 1, quoted.size - 2),
                             option, err);
  buf_free (&quoted);
  return status;
}

int
field_list_read (struct field_list *out, const char *text, bool signs,
                 const char *what, struct tally_error *err)
{
  memset (out, 0, sizeof *out);
  while (text) {
    const char *end = text + strcspn (text, ",");
    bool descending = signs && text[0] == '-';
    int status;

    text += descending;
    status = add_field (out, slice_make (text, (size_t) (end - text)),
                        descending, what, err);
    if (status != TALLY_OK)
      return status;
    text = *end ? end + 1 : NULL;
  }
  return TALLY_OK;
}

int
field_list_parse_sort (struct field_list *out, const char *text,
                       struct tally_error *err)
{
  return field_list_read (out, text, true, "sort", err);
}

static bool
is_id (const struct path *path)
{
  return path->n == 1 && slice_equal (path->parts[0].key, slice_text ("_id"));
}

int
field_list_parse_shown (struct field_list *out, const char *text,
                        struct tally_error *err)
{
  size_t shown = 0, left_out = 0, read;
  int status = field_list_read (out, text, true, "fields", err);

  read = out->count;
  out->count = 0;
  for (size_t i = 0; i < read; i++) {
    struct field_name field = out->fields[i];

    if (is_id (&field.path) && field.descending) {
      out->without_id = true;
      path_free (&field.path);
      continue;
    }
    *(field.descending ? &left_out : &shown) += 1;
    out->fields[out->count++] = field;
  }
  out->leaves_out = shown == 0;
  if (status == TALLY_OK && shown > 0 && left_out > 0)
    status = error_set (err, TALLY_INVALID,
                        "fields: some to show and others to leave out");
  return status;
}

void
field_list_free (struct field_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    path_free (&list->fields[i].path);
  free (list->fields);
  memset (list, 0, sizeof *list);
}

/* ---- sorting ------------------------------------------------------------ */

void
field_list_key (const struct field_list *sort, struct tally_slice document,
                struct buf *out)
{
  for (size_t i = 0; i < sort->count; i++) {
    size_t from = out->size;

    path_sort_key (&sort->fields[i].path, document, out);
    if (sort->fields[i].descending && !out->failed)
      for (; from < out->size; from++)
        out->data[from] = (char) ~out->data[from];
  }
}

/* ---- showing ------------------------------------------------------------ */

/* Fields that are still in play some levels down: bit n is field n. */
static void project_value (const struct field_list *fields, uint64_t live,
                           size_t depth, struct buf *out,
                           struct tally_slice value);

/* Those of the live ones that go through this member; *whole when one ends
 * here. */
static uint64_t
through (const struct field_list *fields, uint64_t live, size_t depth,
         struct tally_slice key, bool *whole)
{
  uint64_t further = 0;

  *whole = false;
  for (size_t i = 0; i < fields->count; i++) {
    const struct path *path = &fields->fields[i].path;

    if (!(live >> i & 1) || !slice_equal (path->parts[depth].key, key))
      continue;
    if (path->n == depth + 1)
      *whole = true;
    else
      further |= UINT64_C (1) << i;
  }
  return further;
}

static bool
is_container (struct tally_slice value)
{
  enum value_type type = value_type (value);

  return type == VALUE_OBJECT || type == VALUE_ARRAY;
}

static void
project_object (const struct field_list *fields, uint64_t live, size_t depth,
                struct buf *out, struct tally_slice object)
{
  struct body_writer body;
  struct json_member member;
  struct buf inner = BUF_INIT;

  body_start (&body, out, slice_make (NULL, 0));
  while (json_next_member (&object, &member)) {
    bool whole;
    uint64_t further = through (fields, live, depth, member.key, &whole);

    if (depth == 0 && slice_equal (member.key, slice_text ("_id"))) {
      further = 0;
      whole = fields->without_id == fields->leaves_out; /* as if named so */
    }
    if (!whole && further && is_container (member.value)) {
      buf_clear (&inner);
      project_value (fields, further, depth + 1, &inner, member.value);
      body_add (&body, member.key, buf_slice (&inner));
      out->failed = out->failed || inner.failed;
    } else if (whole != fields->leaves_out)
      body_add (&body, member.key, member.value);
  }
  body_end (&body, false);
  buf_free (&inner);
}

/* What is neither object nor array has no fields to be shown. */
static void
project_array (const struct field_list *fields, uint64_t live, size_t depth,
               struct buf *out, struct tally_slice array)
{
  struct tally_slice element;
  bool more = false;

  buf_add_byte (out, '[');
  while (json_next_element (&array, &element)) {
    if (!is_container (element) && !fields->leaves_out)
      continue;
    if (more)
      buf_add_byte (out, ',');
    more = true;
    if (is_container (element))
      project_value (fields, live, depth, out, element);
    else
      buf_add_slice (out, element);
  }
  buf_add_byte (out, ']');
}

static void
project_value (const struct field_list *fields, uint64_t live, size_t depth,
               struct buf *out, struct tally_slice value)
{
  if (value_type (value) == VALUE_ARRAY)
    project_array (fields, live, depth, out, value);
  else
    project_object (fields, live, depth, out, value);
}

void
field_list_project (const struct field_list *fields, struct buf *out,
                    struct tally_slice document)
{
  project_object (fields, ~UINT64_C (0), 0, out, document);
}
