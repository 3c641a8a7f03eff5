/* SPDX-License-Identifier: MIT */
/* From ini entries to struct config: lays the environment over the sections,
 * builds [tally] and the stores and transports, and lets config-wire.c build
 * what joins them.  All memory goes into one pool, so that an error at any
 * point is one config_free. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tally/tally.h>

#include "buf.h"
#include "config-dialect.h"
#include "config-internal.h"
#include "ini.h"
#include "nearest.h"

#ifndef TALLY_DRIVERDIR
#define TALLY_DRIVERDIR "/usr/local/lib/tally"
#endif

#define DEVICE_MAX 255

/* ---- [tally] ----------------------------------------------------------- */

/* The first one is the folder's path that is not absolute, or NULL. */
static const char *
first_relative (const char *const *paths)
{
  for (; *paths; paths++)
    if ((*paths)[0] != '/')
      return *paths;
  return NULL;
}

static int
build_driver_dirs (struct config_builder *b, const char *given,
                   const char *extra, struct tally_error *err)
{
  struct config *config = b->config;
  size_t n_first, n_extra, n = 0;
  const char **first, **second;
  const char *bad;

  first = config_split (config, given ? given : "", ":", &n_first);
  second = config_split (config, extra ? extra : "", ":", &n_extra);
  if (!first || !second)
    return error_nomem (err);
  bad = first_relative (first);
  if (bad)
    return error_set (
        err, TALLY_CONFIG, "%s: driver_path: \"%s\" is not an absolute path",
        config_pair (&b->sections[0], "driver_path")->where, bad);
  bad = first_relative (second);
  if (bad)
    return error_set (err, TALLY_CONFIG,
                      "TALLY_DRIVER_PATH: \"%s\" is not an absolute path",
                      bad);

  config->driver_dirs =
      config_array (config, n_first + n_extra + 1, sizeof *first);
  if (!config->driver_dirs)
    return error_nomem (err);
  for (; *first; first++)
    config->driver_dirs[n++] = *first;
  for (; *second; second++)
    config->driver_dirs[n++] = *second;
  config->driver_dirs[n] = TALLY_DRIVERDIR;
  return TALLY_OK;
}

static const char *
host_name (struct config *config)
{
  char name[DEVICE_MAX + 1];

  if (gethostname (name, sizeof name) != 0)
    return "unnamed";
  name[DEVICE_MAX] = 0;
  return *name ? config_text (config, "%s", name) : "unnamed";
}

static int
build_tally (struct config_builder *b, char **env, struct tally_error *err)
{
  struct config *config = b->config;
  struct option_set set;
  int status = config_section_options (b, &b->sections[0], &set, err);

  if (status != TALLY_OK)
    return status;
  /* In the order of config_rows. */
  config->max_skew_ms = set.values[1].number;
  config->keep_deleted_ms = set.values[2].number;
  config->keep_conflicts_ms = set.values[4].number;
  config->max_conflicts = set.values[5].number;
  if (set.values[3].text && *set.values[3].text)
    config->device = config_text (config, "%s", set.values[3].text);
  else
    config->device = host_name (config);
  if (!config->device)
    status = error_nomem (err);
  else if (strlen (config->device) > DEVICE_MAX)
    status =
        error_set (err, TALLY_CONFIG, "%s: device: longer than %d bytes",
                   config_pair (&b->sections[0], "device")->where, DEVICE_MAX);
  if (status == TALLY_OK && config->max_conflicts < 0)
    status = error_set (err, TALLY_CONFIG, "%s: max_conflicts: is negative",
                        config_pair (&b->sections[0], "max_conflicts")->where);
  if (status == TALLY_OK)
    status = build_driver_dirs (b, set.values[0].text,
                                config_env (env, "TALLY_DRIVER_PATH"), err);
  option_set_free (&set);
  return status;
}

/* ---- [store] and [transport] ------------------------------------------- */

/* Without a driver, a key that looks like the word is a slip of the pen. */
static int
check_driver_key (const struct config_section *section,
                  struct tally_error *err)
{
  static const char *const names[] = { "driver", NULL };
  size_t i;

  if (config_pair (section, names[0]))
    return TALLY_OK;
  for (i = 0; i < section->n_pairs; i++)
    if (nearest (section->pairs[i].key, names))
      return error_set (err, TALLY_CONFIG,
                        "%s: unknown key \"%s\" in %s; did you mean \"%s\"?",
                        section->pairs[i].where, section->pairs[i].key,
                        section->title, names[0]);
  return TALLY_OK;
}

static bool
is_own_key (const struct config_section *section, const char *key)
{
  return strcmp (key, "driver") == 0
         || (section->kind == CONFIG_KIND_TRANSPORT
             && strcmp (key, "dialect") == 0);
}

static int
take_dialect (struct config_endpoint *endpoint,
              const struct config_section *section, const char *text,
              struct tally_error *err)
{
  const struct option_pair *pair = config_pair (section, "dialect");

  endpoint->dialect = strcmp (text, CONFIG_DIALECT_LINVO) == 0;
  if (endpoint->dialect || strcmp (text, CONFIG_DIALECT_NATIVE) == 0)
    return TALLY_OK;
  return error_set (err, TALLY_CONFIG,
                    "%s: dialect: \"%s\" is not " CONFIG_DIALECT_NATIVE
                    " or " CONFIG_DIALECT_LINVO,
                    pair ? pair->where : section->where, text);
}

/* The keys that are not ours are the driver's, so that only the rest can be
 * checked here. */
static int
take_driver (struct config_builder *b, struct config_endpoint *endpoint,
             const struct config_section *section, struct tally_error *err)
{
  struct config_section own = *section;
  struct option_pair only[2];
  const struct option_pair *pair = config_pair (section, "driver");
  const struct option_pair *dialect = is_own_key (section, "dialect")
                                          ? config_pair (section, "dialect")
                                          : NULL;
  struct option_set set;
  int status;

  own.pairs = only;
  own.n_pairs = 0;
  if (pair)
    only[own.n_pairs++] = *pair;
  if (dialect)
    only[own.n_pairs++] = *dialect;
  status = config_section_options (b, &own, &set, err);
  if (status != TALLY_OK)
    return status;
  if (is_own_key (section, "dialect"))
    status = take_dialect (endpoint, section, set.values[1].text, err);
  option_set_free (&set);
  if (status != TALLY_OK)
    return status;

  if (strchr (pair->value, '/') && pair->value[0] != '/')
    return error_set (err, TALLY_CONFIG,
                      "%s: driver \"%s\" must be a name or an absolute path",
                      pair->where, pair->value);
  endpoint->driver = pair->value;
  endpoint->driver_where = pair->where;
  return TALLY_OK;
}

static int
build_endpoint (struct config_builder *b, const struct config_section *section,
                struct tally_error *err)
{
  struct config *config = b->config;
  struct config_endpoint *endpoint = &config->endpoints[config->n_endpoints];
  size_t i;
  int status = check_driver_key (section, err);

  if (status == TALLY_OK)
    status = take_driver (b, endpoint, section, err);
  if (status != TALLY_OK)
    return status;

  endpoint->kind = section->kind;
  endpoint->name = section->name;
  endpoint->title = section->title;
  endpoint->where = section->where;
  endpoint->pairs =
      config_array (config, section->n_pairs, sizeof *endpoint->pairs);
  if (!endpoint->pairs)
    return error_nomem (err);
  for (i = 0; i < section->n_pairs; i++)
    if (!is_own_key (section, section->pairs[i].key))
      endpoint->pairs[endpoint->n_pairs++] = section->pairs[i];
  config->n_endpoints++;
  return TALLY_OK;
}

static int
build_endpoints (struct config_builder *b, struct tally_error *err)
{
  size_t i;
  int status = TALLY_OK;

  b->config->endpoints =
      config_array (b->config, b->n_sections, sizeof *b->config->endpoints);
  if (!b->config->endpoints)
    return error_nomem (err);
  for (i = 0; i < b->n_sections && status == TALLY_OK; i++)
    if (b->sections[i].kind == CONFIG_KIND_STORE
        || b->sections[i].kind == CONFIG_KIND_TRANSPORT)
      status = build_endpoint (b, &b->sections[i], err);
  return status;
}

/* An ini that merely lay in the current folder must not bring code along. */
static int
check_harmless (const struct config_builder *b, struct tally_error *err)
{
  size_t i, j;

  for (i = 0; i < b->n_sections; i++)
    for (j = 0; j < b->sections[i].n_pairs; j++) {
      const struct option_pair *pair = &b->sections[i].pairs[j];
      bool path = strcmp (pair->key, "driver_path") == 0 && i == 0;
      bool driver = strcmp (pair->key, "driver") == 0
                    && strchr (pair->value, '/') != NULL;

      if (pair->level == OPTION_FILE && (path || driver))
        return error_set (err, TALLY_CONFIG,
                          "%s: %s in a tally.ini that was not named; to "
                          "run code from there, pass --config ./tally.ini",
                          pair->where,
                          path ? "driver_path" : "the path of a driver");
    }
  return TALLY_OK;
}

/* ---- entry ------------------------------------------------------------- */

/* Where relative paths start: the folder of the file, or the current one. */
static int
set_places (struct config_builder *b, const char *path, bool is_file,
            struct tally_error *err)
{
  struct config *config = b->config;
  char cwd[PATH_MAX];
  char *whole, *slash;

  if (!getcwd (cwd, sizeof cwd))
    return error_set (err, TALLY_FAILED, "the current folder has no path");
  b->file = path ? path : "configuration";
  config->base_dir = config_text (config, "%s", cwd);
  if (!is_file)
    return config->base_dir ? TALLY_OK : error_nomem (err);

  whole = config_keep (config, option_join_path (cwd, path));
  if (!whole)
    return error_nomem (err);
  config->path = whole;
  slash = strrchr (whole, '/');
  config->base_dir = config_text (
      config, "%.*s", slash == whole ? 1 : (int) (slash - whole), whole);
  return config->base_dir ? TALLY_OK : error_nomem (err);
}

static int
read_sections (struct config_builder *b, const char *path, const char *text,
               struct tally_error *err)
{
  struct buf file = BUF_INIT;
  struct ini ini = { NULL, 0, NULL, 0 };
  int status;

  status = set_places (b, path, path && !text, err);
  if (status == TALLY_OK && path && !text)
    status = config_read_file (&file, path, b->flags, err);
  if (status == TALLY_OK && text)
    status = ini_read (&ini, b->file, text, strlen (text), err);
  else if (status == TALLY_OK)
    status = ini_read (&ini, b->file, file.data, file.size, err);
  if (status == TALLY_OK)
    status = config_take_ini (b, &ini, err);
  ini_free (&ini);
  buf_free (&file);
  return status;
}

int
config_load (struct config **config, const char *path, const char *text,
             unsigned flags, char **env, struct tally_error *err)
{
  struct config_builder b = { NULL, NULL, flags, NULL, 0 };
  size_t i;
  int status;

  *config = NULL;
  b.config = calloc (1, sizeof *b.config);
  if (!b.config)
    return error_nomem (err);
  env = config_trusted_env (env);

  status = read_sections (&b, path, text, err);
  if (status == TALLY_OK && flags & CONFIG_IMPLICIT)
    status = check_harmless (&b, err);
  if (status == TALLY_OK)
    status = config_overlay (&b, env, err);
  if (status == TALLY_OK)
    status = build_tally (&b, env, err);
  if (status == TALLY_OK)
    status = build_endpoints (&b, err);
  if (status == TALLY_OK)
    status = config_build_wiring (&b, err);

  for (i = 0; i < b.n_sections; i++)
    free (b.sections[i].pairs);
  free (b.sections);
  if (status == TALLY_OK)
    *config = b.config;
  else
    config_free (b.config);
  return status;
}
