/* SPDX-License-Identifier: MIT */
/* driver_use of tally.h: a driver's table with values for its options, for who
 * wants to call it without the engine. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "public.h"

struct tally_driver_use {
  const struct driver *driver;
  struct option_set options;
};

/* "key=value", cut in place. */
static int
split_pairs (struct option_pair *pairs, char **texts,
             const char *const *options, size_t n, struct tally_error *err)
{
  for (size_t i = 0; i < n; i++) {
    char *equals;

    texts[i] = strdup (options[i]);
    if (!texts[i])
      return error_nomem (err);
    equals = strchr (texts[i], '=');
    if (!equals || equals == texts[i])
      return error_set (err, TALLY_USAGE, "\"%.80s\": an option is KEY=VALUE",
                        options[i]);
    *equals = '\0';
    pairs[i].key = texts[i];
    pairs[i].value = equals + 1;
    pairs[i].level = OPTION_FLAG;
  }
  return TALLY_OK;
}

/* A required option that is missing is the caller's to find a value for: it is
 * asked for with a place holder. */
static int
build_options (struct tally_driver_use *use, const char *const *options,
               size_t n, struct tally_error *err)
{
  struct option_owner owner = { NULL, use->driver->name, NULL, NULL };
  struct option_pair *pairs = calloc (n + 1, sizeof *pairs);
  char **texts = calloc (n + 1, sizeof *texts), *here = NULL;
  const struct tally_option *rows = use->driver->options;
  bool given = false;
  int status = pairs && texts ? context_here (&here, err) : error_nomem (err);

  if (status == TALLY_OK)
    status = split_pairs (pairs, texts, options, n, err);
  for (size_t i = 0; i < n && status == TALLY_OK && rows && rows->name; i++)
    given |= strcmp (pairs[i].key, rows->name) == 0;
  if (status == TALLY_OK && !given && rows && rows->name
      && (rows->type == TALLY_OPTION_STRING
          || rows->type == TALLY_OPTION_PATH)) {
    pairs[n].key = rows->name;
    pairs[n].value = "-";
    pairs[n++].level = OPTION_FLAG;
  }
  owner.base_dir = here;
  if (status == TALLY_OK)
    status = option_set_build (&use->options, rows, pairs, n, &owner, err);
  for (size_t i = 0; texts && i < n; i++)
    free (texts[i]);
  free (here);
  free (texts);
  free (pairs);
  return status;
}

int
tally_driver_use (struct tally_driver_use **out, struct tally *tally,
                  const char *name, const char *const *options, size_t n,
                  struct tally_error *err)
{
  struct tally_driver_use *use = calloc (1, sizeof *use);
  struct driver *driver;
  int status;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  if (!use)
    return error_nomem (err);
  status =
      registry_find (tally->registry, DRIVER_ANY, name, NULL, &driver, err);
  if (status == TALLY_OK) {
    use->driver = driver;
    status = build_options (use, options, n, err);
  }
  if (status == TALLY_OK)
    *out = use;
  else
    tally_driver_use_free (use);
  return status;
}

void
tally_driver_use_free (struct tally_driver_use *use)
{
  if (!use)
    return;
  option_set_free (&use->options);
  free (use);
}

const struct tally_driver *
tally_driver_use_table (const struct tally_driver_use *use)
{
  return use->driver->table;
}

const struct tally_value *
tally_driver_use_values (const struct tally_driver_use *use)
{
  return use->options.values;
}
