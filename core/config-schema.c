/* SPDX-License-Identifier: MIT */
/* `schema.COLLECTION = FILE` of a [store]: keys that are the host's, and that
 * no table has, since collections have any name. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "buf.h"
#include "config-internal.h"
#include "document.h"
#include "error.h"
#include "reason.h"

#define PREFIX "schema."
#define SCHEMA_MAX ((size_t) 1 << 20)

/* NULL: it is another key. */
static const char *
schema_collection (const struct option_pair *pair)
{
  size_t size = strlen (PREFIX);

  return strncmp (pair->key, PREFIX, size) == 0 ? pair->key + size : NULL;
}

bool
config_is_schema (const struct option_pair *pair)
{
  return schema_collection (pair) != NULL;
}

bool
config_has_schemas (const struct config_endpoint *endpoint)
{
  for (size_t i = 0; endpoint && i < endpoint->n_pairs; i++)
    if (config_is_schema (&endpoint->pairs[i]))
      return true;
  return false;
}

static int
read_text (struct buf *text, const char *path, struct tally_error *err)
{
  FILE *file = fopen (path, "re");
  int status = TALLY_OK;
  size_t n = 1;

  if (!file)
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  while (n > 0 && text->size <= SCHEMA_MAX && buf_reserve (text, 4096)) {
    n = fread (text->data + text->size, 1, 4096, file);
    text->size += n;
  }
  if (ferror (file))
    status =
        error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  else if (text->failed)
    status = error_nomem (err);
  else if (text->size > SCHEMA_MAX)
    status =
        error_set (err, TALLY_CONFIG, "%s: a schema has at most 1 MiB", path);
  fclose (file);
  return status;
}

static int
give_schema (const struct config *config, const struct option_pair *pair,
             config_schema_fn *fn, void *ctx, struct tally_error *err)
{
  const char *collection = schema_collection (pair);
  struct buf path = BUF_INIT, text = BUF_INIT;
  struct tally_error why;
  int status = collection_check (collection, &why);

  if (status != TALLY_OK)
    return error_set (err, TALLY_CONFIG, "%s: %s", pair->where, why.text);
  if (pair->value[0] == '/')
    buf_add_text (&path, pair->value);
  else
    buf_addf (&path, "%s/%s", config->base_dir, pair->value);
  buf_add_byte (&path, '\0');
  if (path.failed)
    status = error_nomem (err);
  if (status == TALLY_OK) {
    status = read_text (&text, path.data, err);
    if (status == TALLY_CONFIG)
      error_set (err, status, "%s: %s", pair->where, err->text);
  }
  if (status == TALLY_OK) {
    status = fn (ctx, collection, buf_slice (&text), err);
    if (status == TALLY_INVALID)
      status = error_set (err, TALLY_CONFIG, "%s: %s", path.data, err->text);
  }
  buf_free (&text);
  buf_free (&path);
  return status;
}

int
config_each_schema (const struct config *config,
                    const struct config_endpoint *endpoint,
                    config_schema_fn *fn, void *ctx, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; endpoint && i < endpoint->n_pairs && status == TALLY_OK;
       i++)
    if (config_is_schema (&endpoint->pairs[i]))
      status = give_schema (config, &endpoint->pairs[i], fn, ctx, err);
  return status;
}
