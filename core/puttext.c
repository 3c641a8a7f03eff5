/* SPDX-License-Identifier: MIT */
/* Nearly all documents are given as they are kept, so these are looked at once
 * and stay where they are; others are read and copied. */

#include <config.h>

#include <string.h>

#include "document.h"
#include "error.h"
#include "json.h"
#include "puttext.h"
#include "utf8.h"

static int
add_document (struct puttext *input, struct tally_slice text,
              struct tally_error *err)
{
  struct buf body = BUF_INIT, id = BUF_INIT;
  struct tally_doc doc = { 0 };
  bool made;
  int status = document_read (&body, &id, &made, text, input->id_field, err);

  if (status == TALLY_OK) {
    doc.id = buf_slice (&id);
    doc.body = buf_slice (&body);
    doc.flags = made;
    if (!doclist_add (&input->docs, &doc))
      status = error_nomem (err);
  } else if (status == TALLY_INVALID)
    error_set (err, status, "document %zu: %s", input->docs.count + 1,
               err->text);
  buf_free (&id);
  buf_free (&body);
  return status;
}

/* Most documents come as they are kept, with a plain _id: then one look at the
 * text tells, and nothing is copied.  *taken false: it must be read. */
static int
refer_document (struct puttext *input, struct tally_slice text, size_t *at,
                bool *taken, struct tally_error *err)
{
  const char *begin = text.data + *at;
  struct tally_doc doc = { 0 };
  struct tally_slice id;
  const char *behind;

  *taken = false;
  if (*at >= text.size || *begin != '{' || input->id_field)
    return TALLY_OK;
  behind = json_canonical_end (begin, text.data + text.size);
  if (!behind || (size_t) (behind - begin) > TALLY_DOCUMENT_MAX)
    return TALLY_OK;
  doc.body = slice_make (begin, (size_t) (behind - begin));
  if (!json_find_member (doc.body, slice_text ("_id"), &id)
      || json_type (id) != JSON_STRING || memchr (id.data, '\\', id.size))
    return TALLY_OK;
  doc.id = slice_make (id.data + 1, id.size - 2);
  if (document_check_id (doc.id, err) != TALLY_OK)
    return TALLY_OK;
  *taken = true;
  *at += doc.body.size;
  return doclist_refer (&input->docs, &doc) ? TALLY_OK : error_nomem (err);
}

static size_t
skip_space (struct tally_slice text, size_t at)
{
  while (at < text.size && memchr (" \t\r\n", text.data[at], 4))
    at++;
  return at;
}

/* The elements are split off one by one: around them an array is no level of
 * a document's depth. */
static int
add_array (struct puttext *input, struct tally_slice array,
           struct tally_error *err)
{
  struct tally_slice element;
  size_t at = skip_space (array, 1);
  bool taken;
  int status = TALLY_OK;

  if (at < array.size && array.data[at] == ']')
    return TALLY_OK;
  while (status == TALLY_OK) {
    at = skip_space (array, at);
    if (at < array.size && !memchr ("{]", array.data[at], 2))
      return error_set (err, TALLY_INVALID, "document %zu: is not an object",
                        input->docs.count + 1);
    status = refer_document (input, array, &at, &taken, err);
    if (status == TALLY_OK && !taken)
      status = json_split (array.data, array.size, &at, &element, err);
    if (status == TALLY_OK && !taken)
      status = add_document (input, element, err);
    at = skip_space (array, at);
    if (status != TALLY_OK || at == array.size || array.data[at] == ']')
      return status;
    if (array.data[at++] != ',')
      status = error_set (err, TALLY_INVALID,
                          "document %zu: no comma "
                          "behind it",
                          input->docs.count);
  }
  return status;
}

/* The value lies with the documents from then on, which lie in it. */
static int
add_member (struct puttext *input, struct tally_slice text, const char *at,
            struct tally_error *err)
{
  struct buf canonical = BUF_INIT, key = BUF_INIT;
  struct tally_slice object = { 0 }, value;
  int status = json_canonical (&canonical, text.data, text.size, err);

  json_encode_string (&key, slice_text (at));
  if (status == TALLY_OK && !canonical.failed)
    object = slice_make (
        arena_add (&input->docs.arena, canonical.data, canonical.size),
        canonical.size);
  if (status == TALLY_OK && (key.failed || !object.data))
    status = error_nomem (err);
  if (status != TALLY_OK)
    goto out;
  if (json_type (object) != JSON_OBJECT
      || !json_find_member (object, slice_make (key.data + 1, key.size - 2),
                            &value))
    status = error_set (err, TALLY_INVALID, "\"%s\": no such member", at);
  else if (json_type (value) != JSON_ARRAY)
    status = error_set (err, TALLY_INVALID, "\"%s\": is not an array", at);
  else
    status = add_array (input, value, err);
out:
  buf_free (&key);
  buf_free (&canonical);
  return status;
}

int
puttext_read (struct puttext *input, const char *json, size_t size,
              const char *at, struct tally_error *err)
{
  struct tally_slice value, text = slice_make (json, size);
  size_t offset = utf8_mark (json, size);
  bool first = true, taken;
  int status;

  for (;; first = false) {
    if (!at) {
      offset = skip_space (text, offset);
      status = refer_document (input, text, &offset, &taken, err);
      if (status != TALLY_OK)
        return status;
      if (taken)
        continue;
    }
    status = json_split (json, size, &offset, &value, err);
    if (status == TALLY_NOTFOUND)
      return TALLY_OK;
    if (status != TALLY_OK)
      return error_set (err, status, "document %zu: %s", input->docs.count + 1,
                        err->text);
    if (at)
      status = add_member (input, value, at, err);
    else if (first && value.data[0] == '[')
      status = add_array (input, value, err);
    else
      status = add_document (input, value, err);
    if (status != TALLY_OK)
      return status;
  }
}
