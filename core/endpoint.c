/* SPDX-License-Identifier: MIT */
/* From an endpoint to an open store or transport that is shared within the
 * context. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "devices.h"
#include "hooks.h"
#include "indexes.h"
#include "public.h"
#include "schema.h"

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
try_schema (void *ctx, const char *collection, struct tally_slice text,
            struct tally_error *err)
{
  struct schema *schema = NULL;
  int status = schema_parse (&schema, text.data, text.size, err);

  (void) ctx;
  (void) collection;
  schema_free (schema);
  return status;
}

/* What the ini says of collections, ahead of a store that may not be there:
 * none is made which nobody can open. */
static int
check_declared (const struct tally *tally, const struct endpoint *endpoint,
                struct tally_error *err)
{
  int status = config_each_schema (tally->config, endpoint->section,
                                   try_schema, NULL, err);

  return status == TALLY_OK ? indexes_try (endpoint->section, err) : status;
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
  status = check_declared (tally, endpoint, err);
  if (status == TALLY_OK)
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
context_use (struct replica **out, struct tally_replica *replica,
             struct tally_error *err)
{
  return atomic_load (&replica->tally->cancelled)
             ? error_set (err, TALLY_CANCELLED, "cancelled")
             : context_replica (out, replica, err);
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

/* What a driver will not open with is a bad value, in the ini or in what was
 * given in place of one. */
static int
blame_section (const struct tally *tally, const struct endpoint *endpoint,
               struct tally_error *err)
{
  const struct config_endpoint *section =
      config_endpoint (tally->config, endpoint->name);
  struct tally_error why = *err;

  if (!section)
    return err->status = TALLY_CONFIG;
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
