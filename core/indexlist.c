/* SPDX-License-Identifier: MIT */
/* The indexes of a collection, as a note holds them:
 * {"indexes":[{"fields":"a,-b","marks":false,"n":1,...}],"next":2}. */

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "indexkey.h"
#include "json.h"
#include "notejson.h"
#include "value.h"

static void
free_def (struct index_def *def)
{
  field_list_free (&def->fields);
  buf_free (&def->name);
}

void
index_list_free (struct index_list *list)
{
  for (size_t i = 0; i < list->n; i++)
    free_def (&list->defs[i]);
  free (list->defs);
  memset (list, 0, sizeof *list);
}

static int
check_twice (const struct field_list *fields, struct tally_error *err)
{
  for (size_t i = 0; i < fields->count; i++)
    for (size_t k = 0; k < i; k++)
      if (slice_equal (buf_slice (&fields->fields[i].path.text),
                       buf_slice (&fields->fields[k].path.text)))
        return error_set (err, TALLY_INVALID, "index: \"%.*s\": twice",
                          (int) fields->fields[i].path.text.size,
                          fields->fields[i].path.text.data);
  return TALLY_OK;
}

int
index_list_add (struct index_list *list, const char *fields, bool unique,
                bool sparse, struct tally_error *err)
{
  struct index_def *defs, def;
  int status;

  if (list->n == INDEXES_MAX)
    return error_set (err, TALLY_INVALID,
                      "a collection has at most %d indexes", INDEXES_MAX);
  defs = realloc (list->defs, (list->n + 1) * sizeof *defs);
  if (!defs)
    return error_nomem (err);
  list->defs = defs;
  memset (&def, 0, sizeof def);
  status = field_list_read (&def.fields, fields, true, "index", err);
  if (status == TALLY_OK)
    status = check_twice (&def.fields, err);
  if (status == TALLY_OK && def.fields.count > INDEX_FIELDS_MAX)
    status = error_set (err, TALLY_INVALID, "index: more than %d fields",
                        INDEX_FIELDS_MAX);
  buf_add_text (&def.name, fields);
  if (status == TALLY_OK && def.name.failed)
    status = error_nomem (err);
  if (status != TALLY_OK) {
    free_def (&def);
    return status;
  }
  if (list->next == 0)
    list->next = 1;
  def.number = list->next++;
  def.unique = unique;
  def.sparse = sparse;
  list->defs[list->n++] = def;
  return TALLY_OK;
}

struct index_def *
index_list_find (const struct index_list *list, const char *fields)
{
  for (size_t i = 0; i < list->n; i++)
    if (slice_equal (buf_slice (&list->defs[i].name), slice_text (fields)))
      return &list->defs[i];
  return NULL;
}

void
index_list_remove (struct index_list *list, size_t at)
{
  free_def (&list->defs[at]);
  list->n--;
  memmove (&list->defs[at], &list->defs[at + 1],
           (list->n - at) * sizeof *list->defs);
}

/* ---- the note ----------------------------------------------------------- */

static bool
find_true (struct tally_slice object, const char *key)
{
  struct tally_slice value;

  return json_find_member (object, slice_text (key), &value)
         && slice_equal (value, slice_text ("true"));
}

static bool
find_false (struct tally_slice object, const char *key)
{
  struct tally_slice value;

  return json_find_member (object, slice_text (key), &value)
         && slice_equal (value, slice_text ("false"));
}

static bool
find_number (struct tally_slice object, const char *key, uint64_t *number)
{
  struct tally_slice value;

  return json_find_member (object, slice_text (key), &value)
         && note_number (value, number) && *number <= UINT32_MAX;
}

static bool
read_def (struct index_list *list, struct tally_slice object,
          struct tally_error *err)
{
  struct tally_slice fields;
  struct buf text = BUF_INIT;
  uint64_t number;
  bool good = json_find_member (object, slice_text ("fields"), &fields)
              && json_decode_string (&text, fields)
              && find_number (object, "n", &number);

  buf_add_byte (&text, 0);
  good = good && !text.failed
         && index_list_add (list, text.data, find_true (object, "unique"),
                            find_true (object, "sparse"), err)
                == TALLY_OK;
  if (good) {
    list->defs[list->n - 1].number = (uint32_t) number;
    list->defs[list->n - 1].ready = find_true (object, "ready");
    /* One that was made before there was a word of it may have any. */
    list->defs[list->n - 1].marks = !find_false (object, "marks");
  }
  buf_free (&text);
  return good;
}

int
index_list_read (struct index_list *out, struct tally_slice note,
                 struct tally_error *err)
{
  struct tally_slice array, object;
  uint64_t next;
  bool good;

  memset (out, 0, sizeof *out);
  if (note.size == 0)
    return TALLY_OK;
  good = json_is_canonical (note.data, note.size)
         && json_find_member (note, slice_text ("indexes"), &array)
         && find_number (note, "next", &next);
  while (good && json_next_element (&array, &object))
    good = read_def (out, object, err);
  if (good) {
    out->next = (uint32_t) next;
    return TALLY_OK;
  }
  index_list_free (out);
  return error_set (err, TALLY_CORRUPT, "the list of indexes is damaged");
}

void
index_list_write (const struct index_list *list, struct buf *out)
{
  buf_add_text (out, "{\"indexes\":[");
  for (size_t i = 0; i < list->n; i++) {
    const struct index_def *def = &list->defs[i];

    buf_add_text (out, i > 0 ? ",{\"fields\":" : "{\"fields\":");
    json_encode_string (out, buf_slice (&def->name));
    buf_addf (out, ",\"marks\":%s,\"n\":%" PRIu32,
              def->marks ? "true" : "false", def->number);
    buf_addf (out, ",\"ready\":%s,\"sparse\":%s",
              def->ready ? "true" : "false", def->sparse ? "true" : "false");
    buf_addf (out, ",\"unique\":%s}", def->unique ? "true" : "false");
  }
  buf_addf (out, "],\"next\":%" PRIu32 "}", list->next);
}
