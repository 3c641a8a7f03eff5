/* SPDX-License-Identifier: MIT */
/* Names, ids, and documents as they come in. */

#include <config.h>

#include <string.h>

#include <sodium.h>

#include "body.h"
#include "document.h"
#include "error.h"
#include "utf8.h"
#include "json.h"

static bool
is_word (char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '_';
}

static bool
is_name (const char *text, size_t size)
{
  bool good = size > 0 && size <= COLLECTION_NAME_MAX && is_word (text[0]);

  for (size_t i = 1; good && i < size; i++)
    good = is_word (text[i]) || text[i] == '.' || text[i] == '-';
  return good;
}

int
collection_check (const char *name, struct tally_error *err)
{
  if (is_name (name, strlen (name)))
    return TALLY_OK;
  return error_set (err, TALLY_INVALID,
                    "collection \"%.140s\": a name is 1 to 128 letters, "
                    "digits, \"_\", \".\" or \"-\", and begins with none of "
                    "the last two",
                    name);
}

int
collection_check_any (const char *name, struct tally_error *err)
{
  const char *colon = strchr (name, ':');

  if (colon && colon - name <= ACCOUNT_NAME_MAX
      && is_name (name, (size_t) (colon - name))
      && !collection_is_local (name))
    name = colon + 1;
  return collection_check (name, err);
}

bool
collection_is_local (const char *name)
{
  return name[0] == '_';
}

int
document_check_id (struct tally_slice id, struct tally_error *err)
{
  if (id.size == 0)
    return error_set (err, TALLY_INVALID, "_id: is empty");
  if (id.size > TALLY_ID_MAX)
    return error_set (err, TALLY_INVALID,
                      "_id \"%.40s...\": is longer than "
                      "1,024 bytes",
                      id.data);
  if (!utf8_valid (id))
    return error_set (err, TALLY_INVALID, "_id \"%.*s\": is not UTF-8",
                      (int) id.size, id.data);
  if (utf8_has_control (id.data, id.size))
    return error_set (err, TALLY_INVALID,
                      "_id \"%.*s\": has a control character", (int) id.size,
                      id.data);
  return TALLY_OK;
}

/* Base64 without the two characters that are no letters or digits would be
 * uneven; with "-" and "_" an id is safe in a URL and on a command line, but
 * for a leading "-", which is drawn again. */
void
document_make_id (char out[DOCUMENT_ID_MADE + 1])
{
  unsigned char bits[16];

  do {
    randombytes_buf (bits, sizeof bits);
    sodium_bin2base64 (out, DOCUMENT_ID_MADE + 1, bits, sizeof bits,
                       sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  } while (out[0] == '-');
}

/* ---- reading ----------------------------------------------------------- */

/* Writes the id that a field's value stands for: a string's text, or a
 * number's digits. */
static int
id_from_value (struct buf *id, struct tally_slice value, const char *field,
               struct tally_error *err)
{
  enum json_type type = json_type (value);

  if (type == JSON_STRING)
    json_decode_string (id, value);
  else if (type == JSON_NUMBER && strcmp (field, "_id") != 0)
    buf_add_slice (id, value);
  else
    return error_set (err, TALLY_INVALID, "%s: is not a string%s", field,
                      strcmp (field, "_id") != 0 ? " or a number" : "");
  return id->failed ? error_nomem (err)
                    : document_check_id (buf_slice (id), err);
}

static int
find_id (struct buf *id, bool *made, struct tally_slice body,
         const char *id_field, struct tally_error *err)
{
  struct tally_slice value;
  struct buf key = BUF_INIT;
  char fresh[DOCUMENT_ID_MADE + 1];
  bool found;

  *made = false;
  if (!id_field && json_find_member (body, slice_text ("_id"), &value))
    return id_from_value (id, value, "_id", err);
  if (id_field) {
    json_encode_string (&key, slice_text (id_field));
    if (key.failed)
      return error_nomem (err);
    found = json_find_member (body, slice_make (key.data + 1, key.size - 2),
                              &value);
    buf_free (&key);
    if (!found)
      return error_set (err, TALLY_INVALID,
                        "field \"%s\": is not in the document", id_field);
    return id_from_value (id, value, id_field, err);
  }
  *made = true;
  document_make_id (fresh);
  buf_add_text (id, fresh);
  return id->failed ? error_nomem (err) : TALLY_OK;
}

/* Copies the members, with this _id among them. */
static void
set_id (struct buf *out, struct tally_slice body, struct tally_slice id)
{
  struct body_writer writer;
  struct json_member member;
  struct buf value = BUF_INIT;

  json_encode_string (&value, id);
  body_start (&writer, out, buf_slice (&value));
  while (json_next_member (&body, &member))
    if (!slice_equal (member.key, slice_text ("_id")))
      body_add (&writer, member.key, member.value);
  body_end (&writer, false);
  if (value.failed)
    out->failed = true;
  buf_free (&value);
}

int
document_read (struct buf *body, struct buf *id, bool *made,
               struct tally_slice text, const char *id_field,
               struct tally_error *err)
{
  struct buf given = BUF_INIT;
  int status;

  buf_clear (body);
  buf_clear (id);
  status = json_canonical (&given, text.data, text.size, err);
  if (status != TALLY_OK)
    goto out;
  if (json_type (buf_slice (&given)) != JSON_OBJECT) {
    status = error_set (err, TALLY_INVALID, "is not an object");
    goto out;
  }
  status = find_id (id, made, buf_slice (&given), id_field, err);
  if (status != TALLY_OK)
    goto out;
  if (*made || id_field)
    set_id (body, buf_slice (&given), buf_slice (id));
  else {
    struct buf swap = *body;

    *body = given;
    given = swap;
  }
  if (body->failed)
    status = error_nomem (err);
  else if (body->size > TALLY_DOCUMENT_MAX)
    status = error_set (err, TALLY_INVALID, "is larger than 16 MiB");
out:
  buf_free (&given);
  return status;
}
