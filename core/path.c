/* SPDX-License-Identifier: MIT */
/* Walking a path.  Recursion goes once down the document for each array on
 * the way, so it is as deep as a document may be. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "path.h"
#include "value.h"

/* ---- reading ------------------------------------------------------------ */

/* A place is written without a zero in front. */
static size_t
index_of (struct tally_slice key)
{
  size_t index = 0;

  if (key.size > 9 || (key.size > 1 && key.data[0] == '0'))
    return PATH_NO_INDEX;
  for (size_t i = 0; i < key.size; i++) {
    if (key.data[i] < '0' || key.data[i] > '9')
      return PATH_NO_INDEX;
    index = 10 * index + (size_t) (key.data[i] - '0');
  }
  return index;
}

static int
add_part (struct path *path, struct tally_slice key, const char *what,
          struct tally_error *err)
{
  if (key.size == 0)
    return error_set (err, TALLY_INVALID,
                      "%s: \"%.*s\": an empty name in a path", what,
                      (int) (path->text.size < 100 ? path->text.size : 100),
                      path->text.data ? path->text.data : "");
  if (path->n == PATH_PARTS_MAX)
    return error_set (err, TALLY_INVALID, "%s: a path of more than %d names",
                      what, PATH_PARTS_MAX);
  path->parts[path->n].key = key;
  path->parts[path->n].index = index_of (key);
  path->n++;
  return TALLY_OK;
}

int
path_parse (struct path *out, struct tally_slice raw, const char *what,
            struct tally_error *err)
{
  const char *p, *end;
  size_t parts = 1;
  int status = TALLY_OK;

  memset (out, 0, sizeof *out);
  for (size_t i = 0; i < raw.size; i++)
    parts += raw.data[i] == '.';
  if (parts > PATH_PARTS_MAX)
    parts = PATH_PARTS_MAX;
  out->parts = calloc (parts, sizeof *out->parts);
  buf_add_slice (&out->text, raw);
  if (!out->parts || out->text.failed)
    return error_nomem (err);
  p = out->text.data;
  end = slice_end (buf_slice (&out->text));
  while (status == TALLY_OK) {
    const char *dot = raw.size ? memchr (p, '.', (size_t) (end - p)) : NULL;
    const char *stop = dot ? dot : end;

    status = add_part (out, slice_make (p, (size_t) (stop - p)), what, err);
    if (!dot)
      break;
    p = dot + 1;
  }
  return status;
}

void
path_free (struct path *path)
{
  free (path->parts);
  buf_free (&path->text);
  memset (path, 0, sizeof *path);
}

/* ---- walking ------------------------------------------------------------ */

struct walk {
  const struct path *path;
  bool elements;
  path_visit_fn *visit;
  void *ctx;
};

static bool visit_value (const struct walk *walk, size_t at,
                         struct tally_slice value);

static bool
visit_leaf (const struct walk *walk, struct tally_slice value)
{
  struct tally_slice rest = value, element;

  if (walk->elements && value_type (value) == VALUE_ARRAY)
    while (json_next_element (&rest, &element))
      if (walk->visit (walk->ctx, element))
        return true;
  return walk->visit (walk->ctx, value);
}

/* Objects in the array are looked into with the whole rest of the path, the
 * element whose place it names with what comes behind that; an array found in
 * this way is not spread out again at the path's end. */
static bool
visit_array (const struct walk *walk, size_t at, struct tally_slice array)
{
  const struct path_part *part = &walk->path->parts[at];
  struct tally_slice element;
  bool last = at + 1 == walk->path->n;

  for (size_t i = 0; json_next_element (&array, &element); i++) {
    enum value_type type = value_type (element);

    if (type == VALUE_OBJECT && visit_value (walk, at, element))
      return true;
    if (i != part->index)
      continue;
    if (last ? walk->visit (walk->ctx, element)
             : (type == VALUE_OBJECT || type == VALUE_ARRAY)
                   && visit_value (walk, at + 1, element))
      return true;
  }
  return false;
}

static bool
visit_value (const struct walk *walk, size_t at, struct tally_slice value)
{
  for (; at < walk->path->n; at++)
    switch (value_type (value)) {
    case VALUE_OBJECT:
      if (!json_find_member (value, walk->path->parts[at].key, &value))
        return walk->visit (walk->ctx, value_missing ());
      break;
    case VALUE_ARRAY:
      return visit_array (walk, at, value);
    default:
      return walk->visit (walk->ctx, value_missing ());
    }
  return visit_leaf (walk, value);
}

bool
path_visit (const struct path *path, struct tally_slice document,
            bool elements, path_visit_fn *visit, void *ctx)
{
  struct walk walk = { path, elements, visit, ctx };
  size_t index = path->parts[0].index;
  struct tally_slice value = document;

  if (value_type (document) != VALUE_ARRAY)
    return visit_value (&walk, 0, document);
  /* As a document, an array has its places for names. */
  do
    if (index == PATH_NO_INDEX || !json_next_element (&document, &value))
      return visit (ctx, value_missing ());
  while (index-- > 0);
  return visit_value (&walk, 1, value);
}

/* ---- sorting ------------------------------------------------------------ */

static bool
add_found (void *ctx, struct tally_slice value)
{
  if (value.data)
    valuekey_add (ctx, value);
  return false;
}

/* True when an array stands on the way whose elements are all looked into:
 * one that the path names the place in is no such. */
static bool
find_one (const struct path *path, struct tally_slice *value)
{
  for (size_t at = 0; at < path->n; at++) {
    struct tally_slice rest = *value;
    size_t index = path->parts[at].index;

    switch (value_type (*value)) {
    case VALUE_OBJECT:
      if (!json_find_member (rest, path->parts[at].key, value)) {
        *value = value_missing ();
        return true;
      }
      break;
    case VALUE_ARRAY:
      if (index == PATH_NO_INDEX)
        return false;
      do
        if (!json_next_element (&rest, value)) {
          *value = value_missing ();
          return true;
        }
      while (index-- > 0);
      break;
    default:
      *value = value_missing ();
      return true;
    }
  }
  return true;
}

void
path_sort_key (const struct path *path, struct tally_slice document,
               struct buf *out)
{
  struct tally_slice value = document;

  if (find_one (path, &value)) {
    valuekey_add (out, value);
    return;
  }
  buf_add_byte (out, VALUEKEY_TAG (VALUE_ARRAY));
  path_visit (path, document, false, add_found, out);
  buf_add_byte (out, 1);
}
