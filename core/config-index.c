/* SPDX-License-Identifier: MIT */
/* `index.COLLECTION = F, -G unique | H sparse` of a [store]: keys like those
 * of schemas.  A bar stands between two indexes, since " ;" is a comment. */

#include <config.h>

#include <string.h>

#include <tally/tally.h>

#include "buf.h"
#include "config-internal.h"
#include "document.h"
#include "error.h"
#include "fields.h"

#define PREFIX "index."

/* NULL: it is another key. */
static const char *
index_collection (const struct option_pair *pair)
{
  size_t size = strlen (PREFIX);

  return strncmp (pair->key, PREFIX, size) == 0 ? pair->key + size : NULL;
}

bool
config_is_index (const struct option_pair *pair)
{
  return index_collection (pair) != NULL;
}

/* ---- one definition ----------------------------------------------------- */

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

static struct tally_slice
trim (struct tally_slice text)
{
  while (text.size > 0 && is_blank (text.data[0])) {
    text.data++;
    text.size--;
  }
  while (text.size > 0 && is_blank (text.data[text.size - 1]))
    text.size--;
  return text;
}

/* Takes the word off the end. */
static bool
take_word (struct tally_slice *text, const char *word)
{
  size_t size = strlen (word);

  if (text->size <= size || !is_blank (text->data[text->size - size - 1])
      || memcmp (text->data + text->size - size, word, size) != 0)
    return false;
  *text = trim (slice_make (text->data, text->size - size));
  return true;
}

/* What is before the next separator; the rest is left. */
static struct tally_slice
take_part (struct tally_slice *rest, char separator)
{
  const char *at = memchr (rest->data, separator, rest->size);
  size_t size = at ? (size_t) (at - rest->data) : rest->size;
  struct tally_slice part = trim (slice_make (rest->data, size));

  size += at != NULL;
  *rest = at ? slice_make (rest->data + size, rest->size - size)
             : slice_make (NULL, 0);
  return part;
}

static int
add_field (struct buf *fields, struct tally_slice field,
           struct tally_error *err)
{
  for (size_t i = 0; i < field.size; i++)
    if (is_blank (field.data[i])) {
      struct tally_slice word =
          trim (slice_make (field.data + i, field.size - i));

      return error_set (err, TALLY_CONFIG,
                        "\"%.*s\": behind the fields stands unique, or "
                        "sparse, or both",
                        (int) (word.size < 60 ? word.size : 60), word.data);
    }
  if (fields->size > 0)
    buf_add_byte (fields, ',');
  buf_add_slice (fields, field);
  return TALLY_OK;
}

static int
give_index (const struct option_pair *pair, struct tally_slice text,
            config_index_fn *fn, void *ctx, struct tally_error *err)
{
  struct config_index index = { .collection = index_collection (pair),
                                .where = pair->where };
  struct field_list list = { 0 };
  struct buf fields = BUF_INIT;
  bool took = true;
  int status = TALLY_OK;

  while (took) {
    took = false;
    if (take_word (&text, "unique"))
      took = index.unique = true;
    if (take_word (&text, "sparse"))
      took = index.sparse = true;
  }
  while (text.data && status == TALLY_OK)
    status = add_field (&fields, take_part (&text, ','), err);
  buf_add_byte (&fields, '\0');
  if (status == TALLY_OK && fields.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = field_list_read (&list, fields.data, true, "index", err);
  if (status == TALLY_INVALID)
    error_set (err, status, "\"%.60s\": no fields for an index", fields.data);
  field_list_free (&list);
  if (status == TALLY_OK) {
    index.fields = fields.data;
    status = fn (ctx, &index, err);
  } else if (status == TALLY_INVALID || status == TALLY_CONFIG)
    status = error_set (err, TALLY_CONFIG, "%s: %s", pair->where, err->text);
  buf_free (&fields);
  return status;
}

int
config_each_index (const struct config_endpoint *endpoint, config_index_fn *fn,
                   void *ctx, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; endpoint && i < endpoint->n_pairs && status == TALLY_OK;
       i++) {
    const struct option_pair *pair = &endpoint->pairs[i];
    struct tally_slice rest = slice_text (pair->value);
    struct tally_error why;

    if (!config_is_index (pair))
      continue;
    if (collection_check (index_collection (pair), &why) != TALLY_OK)
      return error_set (err, TALLY_CONFIG, "%s: %s", pair->where, why.text);
    while (rest.data && status == TALLY_OK)
      status = give_index (pair, take_part (&rest, '|'), fn, ctx, err);
  }
  return status;
}
