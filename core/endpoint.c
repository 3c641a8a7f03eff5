/* SPDX-License-Identifier: MIT */
/* Endpoints: from a name in the ini, or DRIVER:VALUE, to an open store or
 * transport that is shared within the context. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "devices.h"
#include "hooks.h"
#include "indexes.h"
#include "public.h"

/* ---- resolving ---------------------------------------------------------- */

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

/* ---- stores ------------------------------------------------------------- */

const char *
endpoint_path (const struct endpoint *endpoint)
{
  const struct tally_option *rows = endpoint->driver->options;

  for (size_t i = 0; rows && rows[i].name; i++)
    if (rows[i].type == TALLY_OPTION_PATH)
      return endpoint->options.values[i].text;
  return NULL;
}

static struct tally_replica *
find_replica (struct tally *tally, const char *key, unsigned flags)
{
  struct tally_replica *at = tally->replicas;

  while (at
         && (strcmp (at->key, key) != 0
             || ((at->flags & TALLY_OPEN_READONLY)
                 && !(flags & TALLY_OPEN_READONLY))))
    at = at->next;
  return at;
}

static void
replica_free (struct tally_replica *replica)
{
  replica_close (replica->replica);
  endpoint_free (&replica->endpoint);
  free (replica->name);
  free (replica->key);
  free (replica);
}

static int
take_schema (void *ctx, const char *collection, struct tally_slice text,
             struct tally_error *err)
{
  struct replica *replica = ctx;

  return hooks_set_schema (replica->hooks, collection, text.data, text.size,
                           err);
}

static int
open_replica (struct tally_replica *replica, const struct endpoint *endpoint,
              unsigned flags, struct tally_error *err)
{
  struct tally *tally = replica->tally;
  struct replica_setup setup = { 0 };
  int status;

  setup.driver = endpoint->driver;
  setup.values = endpoint->options.values;
  setup.flags = flags;
  setup.name = endpoint->title;
  setup.path = endpoint_path (endpoint);
  setup.host = &tally->host;
  setup.max_skew_ms = (uint64_t) tally->config->max_skew_ms;
  setup.keep_deleted_ms = (uint64_t) tally->config->keep_deleted_ms;
  status = replica_open (&replica->replica, &setup, err);
  if (status != TALLY_OK)
    return status;
  status = device_learn_own (replica->replica, tally->config->device, err);
  if (status == TALLY_OK)
    status = config_each_schema (tally->config, endpoint->section, take_schema,
                                 replica->replica, err);
  if (status == TALLY_OK)
    status = indexes_declare (replica->replica, endpoint->section, err);
  if (status == TALLY_OK)
    return status;
  replica_close (replica->replica);
  replica->replica = NULL;
  return status;
}

static int
new_replica (struct tally_replica **out, struct tally *tally,
             const struct endpoint *endpoint, unsigned flags,
             struct tally_error *err)
{
  struct tally_replica *replica = calloc (1, sizeof *replica);
  int status;

  if (!replica)
    return error_nomem (err);
  replica->tally = tally;
  replica->flags = flags;
  replica->key = strdup (endpoint->key);
  replica->name = strdup (endpoint->title);
  status = replica->key && replica->name
               ? open_replica (replica, endpoint, flags, err)
               : error_nomem (err);
  /* A store that is yet to be made waits for something to be put in it. */
  if (status == TALLY_NOTFOUND && (flags & CONTEXT_CREATE_LATER))
    status = endpoint_resolve (&replica->endpoint, tally, endpoint->name, err);
  if (status == TALLY_OK)
    *out = replica;
  else
    replica_free (replica);
  return status;
}

int
context_replica (struct replica **out, struct tally_replica *replica,
                 struct tally_error *err)
{
  int status = TALLY_OK;

  pthread_mutex_lock (&replica->tally->lock);
  if (!replica->replica)
    status =
        open_replica (replica, &replica->endpoint, TALLY_OPEN_CREATE, err);
  *out = replica->replica;
  pthread_mutex_unlock (&replica->tally->lock);
  return status;
}

int
context_rules (struct replica **out, struct tally_replica *replica,
               struct tally_error *err)
{
  *out = context_replica_if_made (replica);
  if (*out || !config_has_schemas (replica->endpoint.section))
    return TALLY_OK;
  return context_replica (out, replica, err);
}

struct replica *
context_replica_if_made (struct tally_replica *replica)
{
  struct replica *made;

  pthread_mutex_lock (&replica->tally->lock);
  made = replica->replica;
  pthread_mutex_unlock (&replica->tally->lock);
  return made;
}

int
context_open_replica (struct tally_replica **out, struct tally *tally,
                      const struct endpoint *endpoint, unsigned flags,
                      struct tally_error *err)
{
  int status = TALLY_OK;

  *out = NULL;
  if (!endpoint_is_store (endpoint))
    return error_set (err, TALLY_USAGE, "%s: is a transport, not a store",
                      endpoint->name);
  pthread_mutex_lock (&tally->lock);
  *out = find_replica (tally, endpoint->key, flags);
  if (!*out) {
    status = new_replica (out, tally, endpoint, flags, err);
    if (status == TALLY_OK) {
      (*out)->next = tally->replicas;
      tally->replicas = *out;
    }
  }
  if (status == TALLY_OK)
    (*out)->uses++;
  pthread_mutex_unlock (&tally->lock);
  return status;
}

int
tally_replica_open (struct tally_replica **out, struct tally *tally,
                    const char *text, unsigned flags, struct tally_error *err)
{
  struct endpoint endpoint;
  int status;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  status = endpoint_resolve (&endpoint, tally, text, err);
  if (status != TALLY_OK)
    return status;
  if (flags & TALLY_OPEN_CREATE)
    flags = (flags & ~(unsigned) TALLY_OPEN_CREATE) | CONTEXT_CREATE_LATER;
  status = context_open_replica (out, tally, &endpoint, flags, err);
  endpoint_free (&endpoint);
  return status;
}

void
tally_replica_close (struct tally_replica *replica)
{
  struct tally_replica **at;
  struct tally *tally;

  if (!replica)
    return;
  tally = replica->tally;
  pthread_mutex_lock (&tally->lock);
  at = &tally->replicas;
  while (*at && *at != replica)
    at = &(*at)->next;
  if (--replica->uses > 0)
    replica = NULL;
  else {
    *at = replica->next;
    /* Under the lock: who asks for this store next finds it free. */
    replica_free (replica);
  }
  pthread_mutex_unlock (&tally->lock);
}

/* ---- transports --------------------------------------------------------- */

/* What a driver will not open with is a bad value in the ini. */
static int
blame_section (const struct tally *tally, const struct endpoint *endpoint,
               struct tally_error *err)
{
  const struct config_endpoint *section =
      config_endpoint (tally->config, endpoint->name);
  struct tally_error why = *err;

  if (!section)
    return err->status;
  return error_set (err, TALLY_CONFIG, "%s: %s: %s", section->where,
                    section->title, why.text);
}

static int
new_channel (struct open_channel **out, struct tally *tally,
             const struct endpoint *endpoint, unsigned flags,
             struct tally_error *err)
{
  struct open_channel *open = calloc (1, sizeof *open);
  int status;

  if (!open)
    return error_nomem (err);
  open->flags = flags;
  open->key = strdup (endpoint->key);
  status = open->key ? channel_open (&open->channel, endpoint->driver,
                                     endpoint->options.values, flags,
                                     endpoint->title, &tally->host, err)
                     : error_nomem (err);
  if (status == TALLY_OK) {
    *out = open;
    return TALLY_OK;
  }
  free (open->key);
  free (open);
  return status == TALLY_INVALID ? blame_section (tally, endpoint, err)
                                 : status;
}

int
context_open_channel (struct channel **out, struct tally *tally,
                      const struct endpoint *endpoint, unsigned flags,
                      struct tally_error *err)
{
  struct open_channel *open;
  int status = TALLY_OK;

  *out = NULL;
  if (!endpoint->driver->transport)
    return error_set (err, TALLY_USAGE, "%s: is a store, not a transport",
                      endpoint->name);
  pthread_mutex_lock (&tally->lock);
  open = tally->channels;
  while (open
         && (strcmp (open->key, endpoint->key) != 0
             || ((open->flags & TALLY_OPEN_READONLY)
                 && !(flags & TALLY_OPEN_READONLY))))
    open = open->next;
  if (!open) {
    status = new_channel (&open, tally, endpoint, flags, err);
    if (status == TALLY_OK) {
      open->next = tally->channels;
      tally->channels = open;
    }
  }
  if (status == TALLY_OK) {
    open->uses++;
    *out = open->channel;
  }
  pthread_mutex_unlock (&tally->lock);
  return status;
}

void
context_close_channel (struct tally *tally, struct channel *channel)
{
  struct open_channel **at, *open;

  if (!channel)
    return;
  pthread_mutex_lock (&tally->lock);
  at = &tally->channels;
  while ((*at)->channel != channel)
    at = &(*at)->next;
  open = *at;
  if (--open->uses == 0) {
    *at = open->next;
    channel_close (open->channel);
    free (open->key);
    free (open);
  }
  pthread_mutex_unlock (&tally->lock);
}
