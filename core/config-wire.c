/* SPDX-License-Identifier: MIT */
/* [sync] and [serve]: sections that join others by name; and the look-ups by
 * name. */

#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "config-internal.h"
#include "namelist.h"
#include "nearest.h"

#define COLLECTION_MAX 128

/* Places of the keys in config_rows. */
enum {
  SYNC_STORE,
  SYNC_TRANSPORT,
  SYNC_COLLECTIONS,
  SYNC_DIRECTION,
  SYNC_ON_WRITE,
  SYNC_INTERVAL
};

enum { SERVE_TRANSPORT, SERVE_STORE, SERVE_TOKENS, SERVE_ACCOUNTS };

/* ---- look-ups ---------------------------------------------------------- */

const struct config_endpoint *
config_endpoint (const struct config *config, const char *name)
{
  size_t i;

  for (i = 0; i < config->n_endpoints; i++)
    if (strcmp (config->endpoints[i].name, name) == 0)
      return &config->endpoints[i];
  return NULL;
}

const struct config_link *
config_link (const struct config *config, const char *name)
{
  size_t i;

  for (i = 0; i < config->n_links; i++)
    if (strcmp (config->links[i].name, name) == 0)
      return &config->links[i];
  return NULL;
}

const struct config_server *
config_server (const struct config *config, const char *name)
{
  size_t i;

  for (i = 0; i < config->n_servers; i++)
    if (strcmp (config->servers[i].name, name) == 0)
      return &config->servers[i];
  return NULL;
}

/* Nearest of the endpoints of one kind, or with CONFIG_KINDS of all and the
 * links.  NULL also when there is no memory: it is only a hint. */
static const char *
nearest_name (const struct config *config, enum config_kind kind,
              const char *name)
{
  size_t n = 0, i;
  const char **names =
      calloc (config->n_endpoints + config->n_links + 1, sizeof *names);
  const char *near;

  if (!names)
    return NULL;
  for (i = 0; i < config->n_endpoints; i++)
    if (kind == CONFIG_KINDS || config->endpoints[i].kind == kind)
      names[n++] = config->endpoints[i].name;
  for (i = 0; (kind == CONFIG_KINDS || kind == CONFIG_KIND_SYNC)
              && i < config->n_links;
       i++)
    names[n++] = config->links[i].name;
  near = nearest (name, names);
  free (names);
  return near;
}

const char *
config_nearest (const struct config *config, const char *name)
{
  return nearest_name (config, CONFIG_KINDS, name);
}

const char *
config_nearest_link (const struct config *config, const char *name)
{
  return nearest_name (config, CONFIG_KIND_SYNC, name);
}

int
config_no_server (const struct config *config, const char *name,
                  struct tally_error *err)
{
  const char **names = calloc (config->n_servers + 1, sizeof *names);
  const char *near;

  for (size_t i = 0; names && i < config->n_servers; i++)
    names[i] = config->servers[i].name;
  near = names ? nearest (name, names) : NULL;
  free (names);
  return error_set (err, TALLY_CONFIG, "%s: no such [serve] section%s%s%s",
                    name, near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
}

int
config_options (const struct config *config,
                const struct config_endpoint *endpoint,
                const struct tally_option *rows, struct option_set *out,
                struct tally_error *err)
{
  static const char *const also[] = { "driver", NULL };
  struct option_owner owner = { endpoint->where, endpoint->title,
                                config->base_dir, also };
  struct option_pair *pairs = calloc (endpoint->n_pairs + 1, sizeof *pairs);
  size_t n = 0;
  int status;

  if (!pairs)
    return error_nomem (err);
  for (size_t i = 0; i < endpoint->n_pairs; i++)
    if (endpoint->kind != CONFIG_KIND_STORE
        || (!config_is_schema (&endpoint->pairs[i])
            && !config_is_index (&endpoint->pairs[i])))
      pairs[n++] = endpoint->pairs[i];
  status = option_set_build (out, rows, pairs, n, &owner, err);
  free (pairs);
  return status;
}

/* ---- values ------------------------------------------------------------ */

/* What a message about a key begins with.  A default needs none. */
static const char *
where_of (const struct config_section *section, const char *key)
{
  const struct option_pair *pair = config_pair (section, key);

  return pair ? pair->where : section->where;
}

/* The endpoint of that kind that the key (the kind's word) names. */
static int
take_endpoint (const struct config_endpoint **out,
               const struct config_builder *b,
               const struct config_section *section, enum config_kind kind,
               const char *name, struct tally_error *err)
{
  const char *word = config_kind_name (kind);
  const char *where = where_of (section, word);
  const char *near;

  *out = config_endpoint (b->config, name);
  if (*out && (*out)->kind == kind)
    return TALLY_OK;
  if (*out)
    return error_set (err, TALLY_CONFIG, "%s: \"%s\" is a [%s], not a [%s]",
                      where, name, config_kind_name ((*out)->kind), word);
  near = nearest_name (b->config, kind, name);
  return error_set (err, TALLY_CONFIG, "%s: there is no [%s %s]%s%s%s", where,
                    word, name, near ? "; did you mean \"" : "",
                    near ? near : "", near ? "\"?" : "");
}

/* The index of a word in a list that ends with NULL. */
static int
take_word (int *out, const struct config_section *section, const char *key,
           const char *const *words, const char *text, struct tally_error *err)
{
  const char *near;

  for (*out = 0; words[*out]; ++*out)
    if (strcmp (words[*out], text) == 0)
      return TALLY_OK;
  near = nearest (text, words);
  if (near)
    return error_set (err, TALLY_CONFIG,
                      "%s: %s: \"%s\" is unknown; did you mean \"%s\"?",
                      where_of (section, key), key, text, near);
  return error_set (err, TALLY_CONFIG,
                    "%s: %s: \"%s\" is unknown; there are %s, %s%s%s",
                    where_of (section, key), key, text, words[0], words[1],
                    words[2] ? ", " : "", words[2] ? words[2] : "");
}

static bool
is_collection (const char *name)
{
  size_t i;

  for (i = 0; name[i]; i++) {
    char c = name[i];
    bool first = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                 || (c >= '0' && c <= '9') || c == '_';

    if (!first && (i == 0 || (c != '.' && c != '-')))
      return false;
  }
  return i > 0 && i <= COLLECTION_MAX;
}

/* "*" is NULL. */
static int
take_collections (struct config_link *link, const struct config_builder *b,
                  const struct config_section *section, const char *text,
                  struct tally_error *err)
{
  const char *where = where_of (section, "collections");
  const char **names;
  size_t n, i, j;

  if (strcmp (text, "*") == 0)
    return TALLY_OK;
  names = config_split (b->config, text, ", \t", &n);
  if (!names)
    return error_nomem (err);
  if (namelist_has_gap (text))
    return error_set (err, TALLY_CONFIG,
                      "%s: collections: an empty name beside a comma", where);
  if (n == 0)
    return error_set (err, TALLY_CONFIG, "%s: collections: names none", where);
  for (i = 0; i < n; i++) {
    if (!is_collection (names[i]))
      return error_set (err, TALLY_CONFIG,
                        "%s: collections: \"%s\" is not a collection's "
                        "name",
                        where, names[i]);
    if (names[i][0] == '_')
      return error_set (err, TALLY_CONFIG,
                        "%s: collections: \"%s\" begins with \"_\": it is "
                        "local and never synced",
                        where, names[i]);
    for (j = 0; j < i; j++)
      if (strcmp (names[i], names[j]) == 0)
        return error_set (err, TALLY_CONFIG,
                          "%s: collections: \"%s\" is there twice", where,
                          names[i]);
  }
  link->collections = names;
  return TALLY_OK;
}

/* ---- sections ---------------------------------------------------------- */

static int
build_link (struct config_builder *b, const struct config_section *section,
            const struct tally_value *values, struct tally_error *err)
{
  static const char *const directions[] = { "both", "push", "pull", NULL };
  struct config_link *link = &b->config->links[b->config->n_links];
  int status, direction = 0;

  link->name = section->name;
  link->title = section->title;
  link->where = section->where;
  link->on_write = values[SYNC_ON_WRITE].number != 0;
  link->interval_ms = values[SYNC_INTERVAL].number;

  status = take_endpoint (&link->store, b, section, CONFIG_KIND_STORE,
                          values[SYNC_STORE].text, err);
  if (status == TALLY_OK)
    status =
        take_endpoint (&link->transport, b, section, CONFIG_KIND_TRANSPORT,
                       values[SYNC_TRANSPORT].text, err);
  if (status == TALLY_OK)
    status = take_collections (link, b, section, values[SYNC_COLLECTIONS].text,
                               err);
  if (status == TALLY_OK)
    status = take_word (&direction, section, "direction", directions,
                        values[SYNC_DIRECTION].text, err);
  link->direction = (enum config_direction) direction;
  b->config->n_links++;
  return status;
}

static int
build_server (struct config_builder *b, const struct config_section *section,
              const struct tally_value *values, struct tally_error *err)
{
  static const char *const accounts[] = { "token", "open", NULL };
  struct config_server *server = &b->config->servers[b->config->n_servers];
  int status, open = 0;

  server->name = section->name;
  server->title = section->title;
  server->where = section->where;

  status =
      take_endpoint (&server->transport, b, section, CONFIG_KIND_TRANSPORT,
                     values[SERVE_TRANSPORT].text, err);
  if (status == TALLY_OK)
    status = take_endpoint (&server->store, b, section, CONFIG_KIND_STORE,
                            values[SERVE_STORE].text, err);
  if (status == TALLY_OK)
    status = take_word (&open, section, "accounts", accounts,
                        values[SERVE_ACCOUNTS].text, err);
  server->open = open != 0;
  if (status == TALLY_OK && values[SERVE_TOKENS].text) {
    server->tokens = config_text (b->config, "%s", values[SERVE_TOKENS].text);
    if (!server->tokens)
      status = error_nomem (err);
  }
  b->config->n_servers++;
  return status;
}

static int
build_section (struct config_builder *b, const struct config_section *section,
               struct tally_error *err)
{
  struct option_set set;
  int status;

  if (section->kind != CONFIG_KIND_SYNC && section->kind != CONFIG_KIND_SERVE)
    return TALLY_OK;
  status = config_section_options (b, section, &set, err);
  if (status != TALLY_OK)
    return status;
  if (section->kind == CONFIG_KIND_SYNC)
    status = build_link (b, section, set.values, err);
  else
    status = build_server (b, section, set.values, err);
  option_set_free (&set);
  return status;
}

int
config_build_wiring (struct config_builder *b, struct tally_error *err)
{
  struct config *config = b->config;
  size_t i;
  int status = TALLY_OK;

  config->links = config_array (config, b->n_sections, sizeof *config->links);
  config->servers =
      config_array (config, b->n_sections, sizeof *config->servers);
  if (!config->links || !config->servers)
    return error_nomem (err);
  for (i = 0; i < b->n_sections && status == TALLY_OK; i++)
    status = build_section (b, &b->sections[i], err);
  return status;
}
