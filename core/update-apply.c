/* SPDX-License-Identifier: MIT */
/* Putting new values where a path points: the text is copied around the one
 * place that changes, once for each modifier. */

#include <config.h>

#include <string.h>

#include "body.h"
#include "error.h"
#include "json.h"
#include "query-tree.h"
#include "update-tree.h"
#include "value.h"

/* An array is filled up with nulls no further than this. */
#define GAP_MAX 10000

struct placing {
  const struct path *path;
  struct tally_slice fresh; /* data NULL: remove what is there */
  struct tally_error *err;
};

static int place_value (const struct placing *placing, size_t at,
                        struct tally_slice there, struct buf *out);

/* ---- finding ------------------------------------------------------------ */

/* What stands at the very path: arrays only by their places. */
static struct tally_slice
value_at (const struct path *path, struct tally_slice value)
{
  for (size_t at = 0; at < path->n && value.data; at++) {
    const struct path_part *part = &path->parts[at];
    struct tally_slice rest = value;
    size_t index = part->index;

    switch (value_type (value)) {
    case VALUE_OBJECT:
      if (!json_find_member (rest, part->key, &value))
        return value_missing ();
      break;
    case VALUE_ARRAY:
      do
        if (index == PATH_NO_INDEX || !json_next_element (&rest, &value))
          return value_missing ();
      while (index-- > 0);
      break;
    default:
      return value_missing ();
    }
  }
  return value;
}

/* ---- placing ------------------------------------------------------------ */

static int
place_member (const struct placing *placing, size_t at,
              struct tally_slice there, struct body_writer *body)
{
  struct tally_slice key = placing->path->parts[at].key;
  struct buf inner = BUF_INIT;
  int status;

  if (at + 1 == placing->path->n && !placing->fresh.data)
    return TALLY_OK;
  status = place_value (placing, at + 1, there, &inner);
  if (inner.failed)
    status = error_nomem (placing->err);
  if (status == TALLY_OK)
    body_add (body, key, buf_slice (&inner));
  buf_free (&inner);
  return status;
}

static int
place_in_object (const struct placing *placing, size_t at,
                 struct tally_slice object, struct buf *out)
{
  struct tally_slice key = placing->path->parts[at].key;
  struct body_writer body;
  struct json_member member;
  bool placed = false;
  int status = TALLY_OK;

  body_start (&body, out, slice_make (NULL, 0));
  while (status == TALLY_OK && json_next_member (&object, &member)) {
    int order = placed ? 1 : json_key_cmp (member.key, key);

    if (!placed && order >= 0) {
      placed = true;
      status = place_member (
          placing, at, order == 0 ? member.value : value_missing (), &body);
    }
    if (order != 0)
      body_add (&body, member.key, member.value);
  }
  if (status == TALLY_OK && !placed)
    status = place_member (placing, at, value_missing (), &body);
  body_end (&body, false);
  return status;
}

static int
place_in_array (const struct placing *placing, size_t at,
                struct tally_slice array, struct buf *out)
{
  const struct path *path = placing->path;
  size_t index = path->parts[at].index, n = 0;
  bool removes = at + 1 == path->n && !placing->fresh.data;
  struct tally_slice element;
  int status = TALLY_OK;

  if (index == PATH_NO_INDEX)
    return error_set (placing->err, TALLY_INVALID,
                      "update: \"%.*s\": \"%.*s\" is no place in an array",
                      UPDATE_NAME (path), (int) path->parts[at].key.size,
                      path->parts[at].key.data);
  buf_add_byte (out, '[');
  for (; status == TALLY_OK; n++) {
    bool more = json_next_element (&array, &element);

    if (!more && n > index)
      break;
    if (!more && index - n > GAP_MAX)
      return error_set (placing->err, TALLY_INVALID,
                        "update: \"%.*s\": too far behind the array's end",
                        UPDATE_NAME (path));
    if (n > 0)
      buf_add_byte (out, ',');
    if (n == index && !removes)
      status = place_value (placing, at + 1, more ? element : value_missing (),
                            out);
    else if (more && n != index)
      buf_add_slice (out, element);
    else
      buf_add (out, "null", 4);
  }
  buf_add_byte (out, ']');
  return status;
}

static int
place_value (const struct placing *placing, size_t at,
             struct tally_slice there, struct buf *out)
{
  if (at == placing->path->n) {
    buf_add_slice (out, placing->fresh);
    return TALLY_OK;
  }
  switch (value_type (there)) {
  case VALUE_MISSING:
    return place_in_object (placing, at, slice_text ("{}"), out);
  case VALUE_OBJECT:
    return place_in_object (placing, at, there, out);
  case VALUE_ARRAY:
    return place_in_array (placing, at, there, out);
  default:
    return error_set (placing->err, TALLY_INVALID,
                      "update: \"%.*s\": \"%.*s\" would stand in what is no "
                      "object",
                      UPDATE_NAME (placing->path),
                      (int) placing->path->parts[at].key.size,
                      placing->path->parts[at].key.data);
  }
}

/* ---- a document --------------------------------------------------------- */

struct applying {
  struct buf document; /* as far as it is done */
  struct buf next;     /* and with one more change */
  struct buf fresh;    /* a value */
  struct tally_error *err;
};

static int
change (struct applying *applying, const struct path *path,
        struct tally_slice fresh)
{
  struct placing placing = { path, fresh, applying->err };
  struct buf done = applying->document;
  int status;

  buf_clear (&applying->next);
  status = place_value (&placing, 0, buf_slice (&applying->document),
                        &applying->next);
  applying->document = applying->next;
  applying->next = done;
  if (status == TALLY_OK && applying->document.failed)
    status = error_nomem (applying->err);
  if (status == TALLY_OK && applying->document.size > TALLY_DOCUMENT_MAX)
    status = error_set (applying->err, TALLY_INVALID,
                        "update: the document would have more than %u bytes",
                        TALLY_DOCUMENT_MAX);
  return status;
}

static int
rename_field (struct applying *applying, const struct modifier *modifier)
{
  struct tally_slice value =
      value_at (&modifier->path, buf_slice (&applying->document));
  int status;

  if (!value.data)
    return TALLY_OK;
  buf_add_slice (&applying->fresh, value);
  if (applying->fresh.failed)
    return error_nomem (applying->err);
  status = change (applying, &modifier->path, value_missing ());
  if (status == TALLY_OK)
    status = change (applying, &modifier->to, buf_slice (&applying->fresh));
  return status;
}

static int
apply_modifier (struct applying *applying, const struct modifier *modifier,
                uint64_t now_ms)
{
  struct tally_slice current;
  enum update_result result;
  int status;

  buf_clear (&applying->fresh);
  if (modifier->op == UPDATE_RENAME)
    return rename_field (applying, modifier);
  current = value_at (&modifier->path, buf_slice (&applying->document));
  status = update_value (modifier, current, now_ms, &applying->fresh, &result,
                         applying->err);
  if (status != TALLY_OK || result == UPDATE_KEEP)
    return status;
  return change (applying, &modifier->path,
                 result == UPDATE_REMOVE ? value_missing ()
                                         : buf_slice (&applying->fresh));
}

static struct tally_slice
id_of (struct tally_slice document)
{
  struct tally_slice id;

  if (!json_find_member (document, slice_text ("_id"), &id))
    return value_missing ();
  return id;
}

static int
replace (const struct update *update, struct tally_slice id,
         struct buf *document)
{
  struct tally_slice rest = buf_slice (&update->text);
  struct json_member member;
  struct body_writer body;

  buf_clear (document);
  body_start (&body, document, id);
  while (json_next_member (&rest, &member)) {
    if (slice_equal (member.key, slice_text ("_id")))
      body.id = value_missing ();
    body_add (&body, member.key, member.value);
  }
  body_end (&body, false);
  return document->failed ? TALLY_FAILED : TALLY_OK;
}

/* A document stays what it is, and must be one that can be stored. */
static int
check_result (struct tally_slice before, struct tally_slice after,
              struct tally_error *err)
{
  struct tally_slice was = id_of (before), is = id_of (after);

  if (was.data && (!is.data || value_cmp (was, is) != 0))
    return error_set (err, TALLY_INVALID, "update: _id cannot be changed");
  if (!json_is_canonical (after.data, after.size))
    return error_set (err, TALLY_INVALID,
                      "update: the document would be nested too deeply");
  return TALLY_OK;
}

int
update_apply (struct update *update, struct tally_slice document, bool inserts,
              uint64_t now_ms, struct buf *out, struct tally_error *err)
{
  struct applying applying = { .err = err };
  int status = TALLY_OK;

  buf_add_slice (&applying.document, document);
  if (applying.document.failed)
    status = error_nomem (err);
  else if (update->replaces
           && replace (update, id_of (document), &applying.document)
                  != TALLY_OK)
    status = error_nomem (err);
  for (size_t i = 0; i < update->n && status == TALLY_OK; i++)
    if (update->modifiers[i].op != UPDATE_SET_ON_INSERT || inserts)
      status = apply_modifier (&applying, &update->modifiers[i], now_ms);
  if (status == TALLY_OK)
    status = check_result (document, buf_slice (&applying.document), err);
  if (status == TALLY_OK)
    buf_add_slice (out, buf_slice (&applying.document));
  if (status == TALLY_OK && out->failed)
    status = error_nomem (err);
  buf_free (&applying.document);
  buf_free (&applying.next);
  buf_free (&applying.fresh);
  return status;
}

/* ---- upserts ------------------------------------------------------------ */

static int
add_equalities (const struct query_node *node, struct applying *applying)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < node->n && status == TALLY_OK; i++) {
    const struct query_node *child = &node->children[i];

    if (child->op == QUERY_AND)
      status = add_equalities (child, applying);
    else if (child->op == QUERY_EQ)
      status = change (applying, &child->path, child->value);
  }
  return status;
}

/* Where a field is to equal two values the later one stands, and no document
 * would do. */
static int
check_equalities (const struct query_node *node,
                  const struct applying *applying)
{
  struct tally_slice document = buf_slice (&applying->document);
  int status = TALLY_OK;

  for (size_t i = 0; i < node->n && status == TALLY_OK; i++) {
    const struct query_node *child = &node->children[i];

    if (child->op == QUERY_AND)
      status = check_equalities (child, applying);
    else if (child->op == QUERY_EQ
             && value_cmp (value_at (&child->path, document), child->value)
                    != 0)
      status = error_set (applying->err, TALLY_INVALID,
                          "upsert: the query asks for two values of \"%.*s\"",
                          (int) child->path.text.size, child->path.text.data);
  }
  return status;
}

int
update_base (const struct query *query, struct buf *out,
             struct tally_error *err)
{
  struct applying applying = { .err = err };
  int status;

  buf_add (&applying.document, "{}", 2);
  status = add_equalities (&query->root, &applying);
  if (status == TALLY_OK)
    status = check_equalities (&query->root, &applying);
  if (status == TALLY_OK)
    buf_add_slice (out, buf_slice (&applying.document));
  if (status == TALLY_OK && (out->failed || applying.document.failed))
    status = error_nomem (err);
  buf_free (&applying.document);
  buf_free (&applying.next);
  return status;
}
