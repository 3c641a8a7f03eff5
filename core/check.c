/* SPDX-License-Identifier: MIT */
/* check of tally.h: each section of the ini, whether it works.  A link or a
 * server works when its store and its transport do. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "context.h"
#include "indexes.h"
#include "mirror.h"
#include "namelist.h"
#include "peer.h"
#include "public.h"
#include "state.h"
#include "walk.h"

struct check {
  struct tally *tally;
  int (*emit) (void *ctx, const struct tally_check_row *);
  void *ctx;
  bool stop;
  struct tally_error *found; /* of each endpoint, in their order */
  /* The first that is wrong. */
  int status;
  struct tally_error *err;
  /* Of the section at hand. */
  bool has_skew;
  int64_t skew_ms;
};

/* ---- clocks ------------------------------------------------------------- */

#define SPAN_TEXT 32

static void
write_span (char out[SPAN_TEXT], uint64_t ms)
{
  static const struct {
    uint64_t ms;
    const char *word;
  } units[] = {
    { 86400000, "days" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" }
  };
  size_t at = 0;

  while (at < 3 && ms < 2 * units[at].ms)
    at++;
  snprintf (out, SPAN_TEXT, "%" PRIu64 " %s", ms / units[at].ms,
            units[at].word);
}

/* What either side writes may be held back by the other. */
static int
check_skew (const struct check *check, const char *name,
            struct tally_error *why)
{
  int64_t skew = check->skew_ms;
  uint64_t ms = skew < 0 ? 0 - (uint64_t) skew : (uint64_t) skew;
  char span[SPAN_TEXT];

  if (!check->has_skew || ms <= (uint64_t) check->tally->config->max_skew_ms)
    return TALLY_OK;
  write_span (span, ms);
  return error_set (why, TALLY_AGAIN,
                    "transport %s: its clock is %s %s ours; set the one that "
                    "is wrong",
                    name, span, skew < 0 ? "behind" : "ahead of");
}

/* ---- rows --------------------------------------------------------------- */

static void
tell (struct check *check, const char *title, int status,
      const struct tally_error *why, bool repeated)
{
  struct tally_check_row row = { .size = sizeof row };
  size_t size = strlen (title);
  char section[160];

  /* "[store notes]" without its brackets. */
  if (size > 2 && size - 2 < sizeof section) {
    memcpy (section, title + 1, size - 2);
    section[size - 2] = '\0';
    title = section;
  }
  row.section = title;
  row.ok = status == TALLY_OK;
  row.status = status;
  row.error = row.ok ? NULL : why->text;
  row.repeated = !row.ok && repeated;
  row.has_skew = check->has_skew;
  row.skew_ms = check->skew_ms;
  if (!row.ok && check->status == TALLY_OK) {
    check->status = status;
    *check->err = *why;
  }
  check->stop = check->emit (check->ctx, &row) != 0;
  check->has_skew = false;
  check->skew_ms = 0;
}

/* ---- stores and transports ---------------------------------------------- */

struct reading {
  const struct replica *replica;
  struct tally_error *err;
  int status;
};

static int
read_document (void *ctx, const struct tally_doc *doc)
{
  struct reading *reading = ctx;

  reading->status = state_verify (doc, reading->replica->name, reading->err);
  return reading->status != TALLY_OK;
}

/* A search passes over what is damaged so that it does not match. */
static int
check_documents (struct replica *replica, const char *collection,
                 struct tally_error *err)
{
  struct reading reading = { replica, err, TALLY_OK };
  struct walk walk;
  int status = TALLY_OK;

  walk_start (&walk, replica, collection);
  while (status == TALLY_OK && !walk.done) {
    status = walk_on (&walk, read_document, &reading, err);
    if (status == TALLY_OK)
      status = reading.status;
  }
  walk_end (&walk);
  return status;
}

static int
check_collections (struct replica *replica, struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  int status =
      replica_collections (replica, namelist_emit_shared, &names, err);

  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  for (size_t i = 0; status == TALLY_OK && i < names.count; i++)
    status = check_documents (replica, names.names[i], err);
  namelist_free (&names);
  return status;
}

static int
check_store (struct check *check, const struct endpoint *endpoint,
             struct tally_error *why)
{
  struct tally_replica *handle;
  struct replica *replica;
  int status = context_open_replica (&handle, check->tally, endpoint,
                                     TALLY_OPEN_READONLY, why);

  if (status == TALLY_OK) {
    status = context_replica (&replica, handle, why);
    if (status == TALLY_OK)
      status = replica_check (replica, why);
    if (status == TALLY_OK)
      status = check_collections (replica, why);
    if (status == TALLY_OK)
      status = indexes_check_all (replica, why);
    if (status == TALLY_OK)
      status = indexes_check_declared (replica, endpoint->section, why);
    tally_replica_close (handle);
  }
  return status == TALLY_NOTFOUND ? TALLY_OK : status;
}

static int
ask_transport (struct check *check, struct channel *channel,
               struct tally_error *why)
{
  struct wire_hello hello = { .flags = WIRE_HELLO_LOOK };
  struct time_source time = system_time;
  struct replica nobody = { .time = time, .name = (char *) "check" };
  struct peer_welcome welcome = { 0 };
  struct peer peer;
  int status;

  pthread_mutex_init (&nobody.identity_lock, NULL);
  hello.device = slice_text (check->tally->config->device);
  status = peer_open (&peer, channel, &nobody, why);
  if (status == TALLY_OK)
    status = peer_hello (&peer, &hello, &welcome, why);
  if (status == TALLY_OK && !peer_is_passive (&peer)) {
    check->has_skew = true;
    check->skew_ms = welcome.skew_ms;
  }
  peer_welcome_free (&welcome);
  peer_close (&peer);
  pthread_mutex_destroy (&nobody.identity_lock);
  return status;
}

/* One that only listens, or serves itself, has nobody to ask. */
static bool
is_server_only (const struct tally *tally,
                const struct config_endpoint *section,
                const struct endpoint *endpoint)
{
  bool linked = false, served = false;

  for (size_t i = 0; i < tally->config->n_links; i++)
    linked |= tally->config->links[i].transport == section;
  for (size_t i = 0; i < tally->config->n_servers; i++)
    served |= tally->config->servers[i].transport == section;
  return !endpoint->driver->transport->list && served && !linked;
}

static int
check_transport (struct check *check, const struct config_endpoint *section,
                 const struct endpoint *endpoint, struct tally_error *why)
{
  struct channel *channel;
  int status = context_open_channel (&channel, check->tally, endpoint, 0, why);

  /* A folder that is yet to be made. */
  if (status == TALLY_NOTFOUND)
    return TALLY_OK;
  if (status != TALLY_OK)
    return status;
  if (!is_server_only (check->tally, section, endpoint))
    status = endpoint->dialect
                 ? mirror_ping (channel, endpoint_secret (endpoint), why)
                 : ask_transport (check, channel, why);
  if (status == TALLY_OK)
    status = check_skew (check, section->name, why);
  context_close_channel (check->tally, channel);
  return status;
}

static void
check_endpoint (struct check *check, size_t at)
{
  const struct config_endpoint *section = &check->tally->config->endpoints[at];
  struct tally_error *why = &check->found[at];
  struct endpoint endpoint = { 0 };
  int status = endpoint_resolve (&endpoint, check->tally, section->name, why);

  if (status == TALLY_OK)
    status = section->kind == CONFIG_KIND_STORE
                 ? check_store (check, &endpoint, why)
                 : check_transport (check, section, &endpoint, why);
  why->status = status;
  tell (check, section->title, status, why, false);
  endpoint_free (&endpoint);
}

/* ---- links and servers -------------------------------------------------- */

/* What was found of an endpoint. */
static const struct tally_error *
found (const struct check *check, const struct config_endpoint *section)
{
  return &check->found[section - check->tally->config->endpoints];
}

static const struct tally_error *
found_both (const struct check *check, const struct config_endpoint *store,
            const struct config_endpoint *transport)
{
  const struct tally_error *why = found (check, store);

  return why->status != TALLY_OK ? why : found (check, transport);
}

static void
check_link (struct check *check, const struct config_link *link)
{
  const struct tally_error *why =
      found_both (check, link->store, link->transport);

  tell (check, link->title, why->status, why, true);
}

static int
check_serves (struct tally *tally, const struct config_server *server,
              struct tally_error *why)
{
  struct endpoint endpoint = { 0 };
  int status =
      endpoint_resolve (&endpoint, tally, server->transport->name, why);

  if (status == TALLY_OK)
    status = endpoint_can_serve (&endpoint, why);
  endpoint_free (&endpoint);
  return status;
}

static void
check_server (struct check *check, const struct config_server *server)
{
  const struct tally_error *why =
      found_both (check, server->store, server->transport);
  struct tally_error own = { 0 };
  struct accounts *accounts;

  own.status = accounts_load (&accounts, server->tokens, server->open, &own);
  if (own.status == TALLY_OK && why->status == TALLY_OK)
    own.status = check_serves (check->tally, server, &own);
  accounts_free (accounts);
  if (own.status != TALLY_OK)
    why = &own;
  tell (check, server->title, why->status, why, why != &own);
}

int
tally_check (struct tally *tally,
             int (*emit) (void *ctx, const struct tally_check_row *),
             void *ctx, struct tally_error *err)
{
  const struct config *config = tally->config;
  struct check check = { .tally = tally, .emit = emit, .ctx = ctx };

  check.err = err = PUBLIC_ERROR (err);
  check.found = calloc (config->n_endpoints + 1, sizeof *check.found);
  if (!check.found)
    return error_nomem (err);
  for (size_t i = 0; i < config->n_endpoints && !check.stop; i++)
    check_endpoint (&check, i);
  for (size_t i = 0; i < config->n_links && !check.stop; i++)
    check_link (&check, &config->links[i]);
  for (size_t i = 0; i < config->n_servers && !check.stop; i++)
    check_server (&check, &config->servers[i]);
  free (check.found);
  return check.status;
}
