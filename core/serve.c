/* SPDX-License-Identifier: MIT */
/* serve of tally.h: one thread for each server, which waits in its transport;
 * requests are routed, let in, and answered. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounts.h"
#include "answer.h"
#include "context.h"
#include "dialect.h"
#include "public.h"
#include "waiters.h"
#include "wire.h"

struct server {
  struct tally *tally;
  const char *name;
  struct tally_replica *handle;
  struct answer answer;
  struct waiters *waiters;
  struct dialect *dialect;
  struct accounts *accounts;
  bool has_tokens;
  struct channel *channel;
  const struct tally_serve_options *options;
  pthread_t thread;
  bool started;
  int status;
  struct tally_error error;
};

/* ---- requests ----------------------------------------------------------- */

typedef void reply_fn (void *call, const struct tally_response *response);

static void
refuse (reply_fn *reply, void *call, unsigned code, const char *why)
{
  struct tally_response response = { .size = sizeof response };

  response.code = code;
  response.content_type = "text/plain; charset=utf-8";
  response.body = slice_text (why);
  reply (call, &response);
}

/* Who was let in yesterday may not be today: the file is looked at each
 * time. */
static void
refresh_accounts (struct server *server)
{
  struct tally_error err;

  if (accounts_refresh (server->accounts, &err) != TALLY_OK)
    context_log (server->tally, 0, "%s; who was let in before still is",
                 err.text);
}

/* A page in a browser must not reach a hub on its user's machine: no request
 * of ours comes from a page. */
static void
on_request (void *ctx, const struct tally_request *request, reply_fn *reply,
            void *call)
{
  struct server *server = ctx;
  char account[ACCOUNT_NAME_MAX + 1];
  bool dialect = request->path && dialect_has_path (request->path);

  refresh_accounts (server);
  if (!request->path || (!dialect && strcmp (request->path, WIRE_PATH) != 0))
    refuse (reply, call, 404, "nothing here\n");
  else if (!request->verb || strcmp (request->verb, "POST") != 0)
    refuse (reply, call, 405, "only POST\n");
  else if (request->origin)
    refuse (reply, call, 403, "not for web pages\n");
  else if (dialect)
    dialect_answer (server->dialect, request, reply, call);
  else if (!accounts_find (server->accounts, request->credential, account)) {
    context_log (server->tally, 2, "%s: %s: refused, wrong or no token",
                 server->name, request->peer ? request->peer : "somebody");
    refuse (reply, call, 401, "wrong or no token\n");
  } else if (!request->content_type
             || strcmp (request->content_type, WIRE_CONTENT_TYPE) != 0)
    refuse (reply, call, 415, "not a tally message\n");
  else
    waiters_answer (server->waiters, account, request, reply, call);
}

/* ---- one server --------------------------------------------------------- */

static bool
is_local_url (const char *url)
{
  const char *host = strstr (url, "://");

  host = host ? host + 3 : url;
  return !strstr (url, "://") || strncmp (host, "127.", 4) == 0
         || strncmp (host, "[::1]", 5) == 0
         || strncmp (host, "localhost", 9) == 0;
}

static void
on_ready (void *ctx, const char *url)
{
  struct server *server = ctx;

  if (!server->has_tokens && !is_local_url (url))
    context_log (server->tally, 1,
                 "%s: serves %s without tokens: whoever "
                 "reaches it may read and write",
                 server->name, url);
  if (server->options->ready)
    server->options->ready (server->options->ctx, server->name, url);
}

static void *
serve_thread (void *ctx)
{
  struct server *server = ctx;
  struct tally_service service = { .size = sizeof service };

  service.ctx = server;
  service.ready = on_ready;
  service.request = on_request;
  server->status = channel_serve (server->channel, &service, &server->error);
  if (server->status != TALLY_OK) {
    /* Wakes the thread that waits: the others must stop, too. */
    ssize_t written = write (server->tally->cancel_pipe[1], "", 1);

    (void) written;
  }
  return NULL;
}

static int
open_accounts (struct server *server, const char *tokens, bool open,
               struct tally_error *err)
{
  server->has_tokens = tokens || open;
  if (open)
    context_log (server->tally, 1,
                 "%s: accounts are open: any token is let "
                 "in as an account of its own",
                 server->name);
  return accounts_load (&server->accounts, tokens, open, err);
}

static int
open_dialect (struct server *server, struct tally_error *err)
{
  const struct config *config = server->tally->config;
  struct dialect_setup setup = { .replica = server->answer.replica,
                                 .device = server->answer.device,
                                 .accounts = server->accounts };

  setup.limits.keep_ms = (uint64_t) config->keep_conflicts_ms;
  setup.limits.most = (uint64_t) config->max_conflicts;
  return dialect_new (&server->dialect, &setup, err);
}

static int
open_server (struct server *server, const struct endpoint *store,
             const struct endpoint *transport, struct tally_error *err)
{
  struct replica *replica;
  /* First: what is wrong with it must not leave a store behind. */
  int status = endpoint_can_serve (transport, err);

  if (status == TALLY_OK)
    status = context_open_channel (&server->channel, server->tally, transport,
                                   0, err);
  if (status == TALLY_OK)
    status = context_open_replica (&server->handle, server->tally, store,
                                   TALLY_OPEN_CREATE, err);
  if (status == TALLY_OK)
    status = context_replica (&replica, server->handle, err);
  if (status != TALLY_OK)
    return status;
  server->answer.replica = replica;
  server->answer.device = server->tally->config->device;
  status = open_dialect (server, err);
  if (status == TALLY_OK)
    status = waiters_new (&server->waiters, &server->answer, err);
  return status;
}

static int
prepare_section (struct server *server, const char *name,
                 struct tally_error *err)
{
  const struct config_server *section =
      config_server (server->tally->config, name);
  struct endpoint store = { 0 }, transport = { 0 };
  int status;

  if (!section)
    return config_no_server (server->tally->config, name, err);
  server->name = section->name;
  status = open_accounts (server, section->tokens, section->open, err);
  if (status == TALLY_OK)
    status =
        endpoint_resolve (&store, server->tally, section->store->name, err);
  if (status == TALLY_OK)
    status = endpoint_resolve (&transport, server->tally,
                               section->transport->name, err);
  if (status == TALLY_OK)
    status = open_server (server, &store, &transport, err);
  endpoint_free (&transport);
  endpoint_free (&store);
  return status;
}

/* serve STORE --listen ADDR: the transport is the one driver that can listen
 * at an address. */
static int
prepare_adhoc (struct server *server,
               const struct tally_serve_options *options,
               struct tally_error *err)
{
  struct endpoint store = { 0 }, transport = { 0 };
  int status;

  server->name = options->store;
  if (!options->listen)
    return error_set (err, TALLY_USAGE, "%s: is to be served at no address",
                      options->store);
  status = open_accounts (server, options->tokens, false, err);
  if (status == TALLY_OK)
    status = endpoint_resolve (&store, server->tally, options->store, err);
  if (status == TALLY_OK)
    status = endpoint_listen (&transport, server->tally, options->listen, err);
  if (status == TALLY_OK)
    status = open_server (server, &store, &transport, err);
  endpoint_free (&transport);
  endpoint_free (&store);
  return status;
}

static void
close_server (struct server *server)
{
  context_close_channel (server->tally, server->channel);
  waiters_free (server->waiters);
  dialect_free (server->dialect);
  tally_replica_close (server->handle);
  accounts_free (server->accounts);
}

/* ---- links of the stores that are served -------------------------------- */

static int
on_watched (void *ctx, const struct tally_watch_run *run)
{
  struct tally *tally = ctx;

  if (run->error)
    context_log (tally, 1, "%s: %s%s", run->link, run->error,
                 run->ended      ? "; it is no longer synced"
                 : run->again_ms ? "; will try again"
                                 : "");
  return 0;
}

static bool
is_served (struct tally *tally, const struct server *servers, size_t n,
           const char *store)
{
  struct endpoint endpoint = { 0 };
  struct tally_error ignored;
  bool served = false;

  if (endpoint_resolve (&endpoint, tally, store, &ignored) != TALLY_OK)
    return false;
  for (size_t i = 0; i < n; i++)
    served |= strcmp (servers[i].handle->key, endpoint.key) == 0;
  endpoint_free (&endpoint);
  return served;
}

/* A process that holds a store is the one that can sync it. */
static int
watch_links (struct tally_watcher **out, struct tally *tally,
             const struct server *servers, size_t n, struct tally_error *err)
{
  struct tally_watch_options options = { .size = sizeof options };
  const struct config *config = tally->config;
  const char **names = calloc (config->n_links + 1, sizeof *names);
  size_t count = 0;
  int status = TALLY_OK;

  if (!names)
    return error_nomem (err);
  for (size_t i = 0; i < config->n_links; i++)
    if (config->links[i].on_write
        && is_served (tally, servers, n, config->links[i].store->name))
      names[count++] = config->links[i].name;
  options.flags = TALLY_WATCH_ON_WRITE;
  options.run = on_watched;
  options.ctx = tally;
  if (count > 0)
    status = tally_watch_start (out, tally, names, count, &options, err);
  free (names);
  return status;
}

/* ---- all ---------------------------------------------------------------- */

static void
wait_for_cancel (struct tally *tally)
{
  char byte;
  ssize_t got;

  do
    got = read (tally->cancel_pipe[0], &byte, 1);
  while (got < 0 && errno == EINTR);
}

static int
run_servers (struct server *servers, size_t n, struct tally_error *err)
{
  int status = TALLY_OK;

  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    int failed =
        pthread_create (&servers[i].thread, NULL, serve_thread, &servers[i]);

    servers[i].started = failed == 0;
    if (failed)
      status = error_set (err, TALLY_FAILED, "%s: %s", servers[i].name,
                          strerror (failed));
  }
  if (status == TALLY_OK)
    wait_for_cancel (servers[0].tally);
  for (size_t i = 0; i < n; i++)
    if (servers[i].started) {
      /* The transport waits for the replies that these are owed. */
      waiters_stop (servers[i].waiters);
      channel_stop (servers[i].channel);
      pthread_join (servers[i].thread, NULL);
      /* To be cancelled is how a server ends well. */
      if (servers[i].status != TALLY_OK && servers[i].status != TALLY_CANCELLED
          && status == TALLY_OK) {
        status = servers[i].status;
        *err = servers[i].error;
      }
    }
  return status;
}

int
tally_serve (struct tally *tally, const char *const *names, size_t n,
             const struct tally_serve_options *given, struct tally_error *err)
{
  struct tally_serve_options options = { 0 };
  size_t count;
  struct server *servers;
  struct tally_watcher *watcher = NULL;
  int status = TALLY_OK;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  count = options.store ? 1 : n > 0 ? n : tally->config->n_servers;
  if (count == 0)
    return error_set (err, TALLY_CONFIG, "%s: there is no [serve] section",
                      tally->config->path ? tally->config->path : "no ini");
  servers = calloc (count, sizeof *servers);
  if (!servers)
    return error_nomem (err);
  for (size_t i = 0; i < count && status == TALLY_OK; i++) {
    servers[i].tally = tally;
    servers[i].options = &options;
    if (options.store)
      status = prepare_adhoc (&servers[i], &options, err);
    else
      status = prepare_section (
          &servers[i], n > 0 ? names[i] : tally->config->servers[i].name, err);
  }
  if (status == TALLY_OK && options.on_write)
    status = watch_links (&watcher, tally, servers, count, err);
  if (status == TALLY_OK)
    status = run_servers (servers, count, err);
  tally_watch_stop (watcher, NULL);
  for (size_t i = 0; i < count; i++)
    if (servers[i].tally)
      close_server (&servers[i]);
  free (servers);
  return status;
}
