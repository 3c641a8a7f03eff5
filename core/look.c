/* SPDX-License-Identifier: MIT */
/* drivers of tally.h: what is there, and what did not load. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "public.h"
#include "slice.h"

struct drivers {
  int (*emit) (void *ctx, const struct tally_driver_info *info);
  void *ctx;
  bool stop;
};

static const char *
kind_of (const struct driver *driver)
{
  static const char *const kinds[] = {
    "",       "store",        "transport",        "store+transport",
    "source", "store+source", "transport+source", "store+transport+source"
  };

  return kinds[(driver->store ? 1 : 0) | (driver->transport ? 2 : 0)
               | (driver->source ? 4 : 0)];
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
