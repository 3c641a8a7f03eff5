/* SPDX-License-Identifier: MIT */
/* What an endpoint is: a section of the ini, or DRIVER:VALUE, as a driver with
 * its options. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "public.h"

/* Splits DRIVER:VALUE.  A URL is its own value, and https is http's. */
static bool
split (const char *text, char **driver, const char **value)
{
  const char *colon = strchr (text, ':');

  /* /a/b/store-x.so:VALUE */
  if (text[0] == '/') {
    colon = strstr (text, ".so:");
    colon = colon ? colon + 3 : NULL;
  }
  *driver = NULL;
  if (!colon || colon == text)
    return false;
  *value = colon + 1;
  *driver = strndup (text, (size_t) (colon - text));
  if (*driver && strncmp (colon, "://", 3) == 0) {
    *value = text;
    if (strlen (*driver) > 1 && (*driver)[strlen (*driver) - 1] == 's')
      (*driver)[strlen (*driver) - 1] = '\0';
  }
  return true;
}

int
context_here (char **out, struct tally_error *err)
{
  *out = getcwd (NULL, 0);
  if (!*out)
    return error_set (err, TALLY_FAILED, ".: the current folder is gone");
  return TALLY_OK;
}

static const char *
secret_row (const struct tally_option *rows)
{
  for (; rows && rows->name; rows++)
    if (rows->flags & TALLY_OPTION_SECRET)
      return rows->name;
  return NULL;
}

/* The value goes to the first option, --token-file to the secret one. */
static int
adhoc_options (struct endpoint *out, struct tally *tally, const char *text,
               const char *value, struct tally_error *err)
{
  const struct tally_option *rows = out->driver->options;
  struct option_owner owner = { NULL, text, NULL, NULL };
  struct option_pair pairs[2];
  const char *secret = secret_row (rows);
  struct buf key = BUF_INIT;
  char *dir = NULL;
  size_t n = 0;
  int status = context_here (&dir, err);

  if (status != TALLY_OK)
    return status;
  owner.base_dir = dir;
  memset (pairs, 0, sizeof pairs);
  if (rows && rows->name && value[0]) {
    pairs[n].key = rows->name;
    pairs[n].value = value;
    pairs[n++].level = OPTION_FLAG;
  }
  if (secret && tally->token_file && out->driver->transport) {
    buf_addf (&key, "%s_file", secret);
    buf_add_byte (&key, '\0');
    pairs[n].key = key.data;
    pairs[n].value = tally->token_file;
    pairs[n++].level = OPTION_FLAG;
  }
  if (key.failed)
    status = error_nomem (err);
  else if (value[0] && (!rows || !rows->name))
    status = error_set (err, TALLY_USAGE, "%s: driver %s takes no value", text,
                        out->driver->name);
  else
    status = option_set_build (&out->options, rows, pairs, n, &owner, err);
  buf_free (&key);
  free (dir);
  return status;
}

static int
make_key (struct endpoint *endpoint, const char *text, struct tally_error *err)
{
  const struct tally_option *rows = endpoint->driver->options;
  const struct tally_value *first = endpoint->options.values;
  struct buf key = BUF_INIT;
  bool named = rows && rows->name && first && first->text;

  buf_add_text (&key, endpoint->driver->name);
  buf_add_byte (&key, ':');
  buf_add_text (&key, named ? first->text : text);
  /* One store by its place; one transport only if all of it is the same, or
   * a link would go by the token of another. */
  for (size_t i = 1; named && !endpoint->driver->store && rows[i].name; i++)
    buf_addf (&key, "\n%s", first[i].text ? first[i].text : "");
  buf_add_byte (&key, '\0');
  if (key.failed) {
    buf_free (&key);
    return error_nomem (err);
  }
  endpoint->key = key.data;
  endpoint->title =
      strdup (named && rows->type == TALLY_OPTION_PATH ? first->text : text);
  return endpoint->title ? TALLY_OK : error_nomem (err);
}

static int
unknown_endpoint (struct tally *tally, const char *text,
                  struct tally_error *err)
{
  const char *near = config_nearest (tally->config, text);

  if (near)
    return error_set (err, TALLY_CONFIG,
                      "%s: no such endpoint; did you mean "
                      "\"%s\"?",
                      text, near);
  return error_set (err, TALLY_CONFIG,
                    "%s: no such endpoint; it is the name "
                    "of a [store] or [transport], or a driver's with a "
                    "value, DRIVER:VALUE",
                    text);
}

int
endpoint_resolve (struct endpoint *out, struct tally *tally, const char *text,
                  struct tally_error *err)
{
  const struct config_endpoint *section =
      config_endpoint (tally->config, text);
  const char *value = "";
  char *name = NULL;
  int status;

  memset (out, 0, sizeof *out);
  out->name = text;
  out->dialect = section && section->dialect;
  out->section = section;
  if (section) {
    status = registry_find (
        tally->registry,
        section->kind == CONFIG_KIND_STORE ? DRIVER_STORE : DRIVER_TRANSPORT,
        section->driver, section->driver_where, &out->driver, err);
    if (status == TALLY_OK)
      status = config_options (tally->config, section, out->driver->options,
                               &out->options, err);
  } else if (!split (text, &name, &value))
    return unknown_endpoint (tally, text, err);
  else {
    status = name ? registry_find (tally->registry, DRIVER_ANY, name, text,
                                   &out->driver, err)
                  : error_nomem (err);
    if (status == TALLY_OK && !out->driver->store && !out->driver->transport)
      status = error_set (err, TALLY_USAGE,
                          "%s: is a source, which \"tally import\" takes, and "
                          "neither a store nor a transport",
                          text);
    if (status == TALLY_OK)
      status = adhoc_options (out, tally, text, value, err);
  }
  free (name);
  if (status == TALLY_OK)
    status = make_key (out, text, err);
  if (status != TALLY_OK)
    endpoint_free (out);
  return status;
}

void
endpoint_free (struct endpoint *endpoint)
{
  option_set_free (&endpoint->options);
  free (endpoint->title);
  free (endpoint->key);
  memset (endpoint, 0, sizeof *endpoint);
}

const char *
endpoint_secret (const struct endpoint *endpoint)
{
  const struct tally_option *rows = endpoint->driver->options;

  for (size_t i = 0; rows && rows[i].name; i++)
    if (rows[i].flags & TALLY_OPTION_SECRET)
      return endpoint->options.values[i].text;
  return NULL;
}

/* ---- listening ---------------------------------------------------------- */

#define LISTEN_OPTION "listen"

static int
find_listener (void *ctx, const struct registry_item *item)
{
  char **name = ctx;
  const struct driver *driver = item->driver;

  if (!driver || !driver->transport || !driver->transport->serve
      || !option_find (driver->options, LISTEN_OPTION))
    return 0;
  *name = strdup (driver->name);
  return 1;
}

int
endpoint_listen (struct endpoint *out, struct tally *tally,
                 const char *address, struct tally_error *err)
{
  struct option_owner owner = { NULL, "--listen", "/", NULL };
  struct option_pair pair = { LISTEN_OPTION, address, NULL, OPTION_FLAG };
  char *name = NULL;
  int status = registry_each (tally->registry, find_listener, &name, err);

  memset (out, 0, sizeof *out);
  out->name = address;
  if (status == TALLY_OK && !name)
    status =
        error_set (err, TALLY_CONFIG,
                   "%s: no driver here can listen at an address", address);
  if (status == TALLY_OK)
    status = registry_find (tally->registry, DRIVER_TRANSPORT, name, NULL,
                            &out->driver, err);
  if (status == TALLY_OK)
    status = option_set_build (&out->options, out->driver->options, &pair, 1,
                               &owner, err);
  if (status == TALLY_OK)
    status = make_key (out, address, err);
  free (name);
  if (status != TALLY_OK)
    endpoint_free (out);
  return status;
}

int
endpoint_can_serve (const struct endpoint *endpoint, struct tally_error *err)
{
  const struct tally_option *rows = endpoint->driver->options;

  if (!endpoint->driver->transport->serve)
    return error_set (err, TALLY_UNSUPPORTED, "%s: its driver cannot serve",
                      endpoint->name);
  for (size_t i = 0; rows && rows[i].name; i++)
    if (strcmp (rows[i].name, LISTEN_OPTION) == 0
        && !endpoint->options.values[i].text)
      return error_set (err, TALLY_CONFIG, "%s: has no %s, so it cannot serve",
                        endpoint->name, LISTEN_OPTION);
  return TALLY_OK;
}

int
tally_endpoint (struct tally *tally, const char *text,
                enum tally_endpoint_kind *kind, struct tally_error *err)
{
  struct endpoint endpoint;
  int status = endpoint_resolve (&endpoint, tally, text, PUBLIC_ERROR (err));

  if (status != TALLY_OK)
    return status;
  *kind = endpoint_is_store (&endpoint) ? TALLY_ENDPOINT_STORE
                                        : TALLY_ENDPOINT_TRANSPORT;
  endpoint_free (&endpoint);
  return TALLY_OK;
}
