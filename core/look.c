/* SPDX-License-Identifier: MIT */
/* drivers and check of tally.h: what is there and whether it works. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "peer.h"
#include "public.h"
#include "slice.h"

/* ---- drivers ------------------------------------------------------------ */

struct drivers {
  int (*emit) (void *ctx, const struct tally_driver_info *info);
  void *ctx;
  bool stop;
};

static const char *
kind_of (const struct driver *driver)
{
  if (driver->store && driver->transport)
    return "store+transport";
  return driver->store ? "store" : "transport";
}

static int
emit_driver (void *ctx, const struct registry_item *item)
{
  struct drivers *drivers = ctx;
  const struct driver *driver = item->driver;
  struct tally_driver_info info = { .size = sizeof info };

  info.name = item->name;
  info.path = item->path;
  info.ok = driver != NULL;
  info.error = item->error;
  if (item->instead)
    info.instead = item->instead->path ? item->instead->path : "";
  if (driver) {
    info.kind = kind_of (driver);
    info.version = driver->version;
    info.summary = driver->summary;
    info.abi = driver->abi;
    info.options = driver->options;
  }
  drivers->stop = drivers->emit (drivers->ctx, &info) != 0;
  return drivers->stop;
}

/* Also of one that does not load. */
static int
tell_driver (struct tally *tally, struct drivers *drivers, const char *name,
             struct tally_error *err)
{
  struct registry_item item = { .name = name };
  struct driver *driver;
  int status =
      registry_find (tally->registry, DRIVER_ANY, name, NULL, &driver, err);

  if (status == TALLY_OK) {
    item.name = driver->name;
    item.path = driver->path;
    item.driver = driver;
  } else {
    item.path = strchr (name, '/') ? name : NULL;
    item.error = err->text;
  }
  emit_driver (drivers, &item);
  return status;
}

/* True when the nth endpoint names its driver by a path that no folder of
 * drivers holds, and is the first to do so. */
static bool
names_another (const struct config *config, size_t n)
{
  const char *path = config->endpoints[n].driver;
  const char *slash = strrchr (path, '/');

  if (!slash)
    return false;
  for (size_t i = 0; config->driver_dirs[i]; i++)
    if (slice_equal (slice_text (config->driver_dirs[i]),
                     slice_make (path, (size_t) (slash - path))))
      return false;
  for (size_t i = 0; i < n; i++)
    if (strcmp (config->endpoints[i].driver, path) == 0)
      return false;
  return true;
}

int
tally_drivers (struct tally *tally, const char *name,
               int (*emit) (void *ctx, const struct tally_driver_info *),
               void *ctx, struct tally_error *err)
{
  const struct config *config = tally->config;
  struct drivers drivers = { emit, ctx, false };
  struct tally_error why;
  int status;

  err = PUBLIC_ERROR (err);
  if (name)
    return tell_driver (tally, &drivers, name, err);
  status = registry_each (tally->registry, emit_driver, &drivers, err);
  for (size_t i = 0; i < config->n_endpoints && status == TALLY_OK; i++)
    if (!drivers.stop && names_another (config, i))
      tell_driver (tally, &drivers, config->endpoints[i].driver, &why);
  return status;
}

/* ---- check -------------------------------------------------------------- */

struct check {
  struct tally *tally;
  struct tally_check_row row;
  struct tally_error why;
};

static int
check_store (struct check *check, const struct endpoint *endpoint)
{
  struct tally_replica *replica;
  int status = context_open_replica (&replica, check->tally, endpoint,
                                     TALLY_OPEN_READONLY, &check->why);

  if (status == TALLY_OK)
    tally_replica_close (replica);
  return status == TALLY_NOTFOUND ? TALLY_OK : status;
}

static int
ask_transport (struct check *check, struct channel *channel)
{
  struct wire_hello hello = { .flags = WIRE_HELLO_LOOK };
  struct time_source time = system_time;
  struct replica nobody = { .time = time, .name = (char *) "check" };
  struct peer_welcome welcome = { 0 };
  struct peer peer;
  int status;

  pthread_mutex_init (&nobody.identity_lock, NULL);
  hello.device = slice_text (check->tally->config->device);
  status = peer_open (&peer, channel, &nobody, &check->why);
  if (status == TALLY_OK)
    status = peer_hello (&peer, &hello, &welcome, &check->why);
  if (status == TALLY_OK && !peer_is_passive (&peer)) {
    check->row.has_skew = 1;
    check->row.skew_ms = welcome.skew_ms;
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
                 const struct endpoint *endpoint)
{
  struct channel *channel;
  int status =
      context_open_channel (&channel, check->tally, endpoint, 0, &check->why);

  /* A folder that is yet to be made. */
  if (status == TALLY_NOTFOUND)
    return TALLY_OK;
  if (status != TALLY_OK)
    return status;
  if (!is_server_only (check->tally, section, endpoint))
    status = ask_transport (check, channel);
  context_close_channel (check->tally, channel);
  return status;
}

static int
check_section (struct check *check, const struct config_endpoint *section,
               int (*emit) (void *ctx, const struct tally_check_row *),
               void *ctx)
{
  struct endpoint endpoint = { 0 };
  char title[80];
  int status =
      endpoint_resolve (&endpoint, check->tally, section->name, &check->why);
  size_t size = strlen (section->title);

  /* "[store notes]" without its brackets. */
  if (size > 2 && size - 2 < sizeof title) {
    memcpy (title, section->title + 1, size - 2);
    title[size - 2] = '\0';
    check->row.section = title;
  } else
    check->row.section = section->name;
  if (status == TALLY_OK)
    status = section->kind == CONFIG_KIND_STORE
                 ? check_store (check, &endpoint)
                 : check_transport (check, section, &endpoint);
  check->row.ok = status == TALLY_OK;
  check->row.status = status;
  check->row.error = status == TALLY_OK ? NULL : check->why.text;
  emit (ctx, &check->row);
  endpoint_free (&endpoint);
  return status;
}

int
tally_check (struct tally *tally,
             int (*emit) (void *ctx, const struct tally_check_row *),
             void *ctx, struct tally_error *err)
{
  int status = TALLY_OK;

  err = PUBLIC_ERROR (err);
  for (size_t i = 0; i < tally->config->n_endpoints; i++) {
    struct check check = { .tally = tally };
    int failed;

    check.row.size = sizeof check.row;
    failed = check_section (&check, &tally->config->endpoints[i], emit, ctx);
    if (failed != TALLY_OK && status == TALLY_OK) {
      status = failed;
      *err = check.why;
    }
  }
  return status;
}
