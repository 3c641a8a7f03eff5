/* SPDX-License-Identifier: MIT */
/* Finds drivers by name or path, loads them, checks them before their first
 * call, and hands them out with their tables filled up to the size that this
 * library knows.  The only user of libltdl. */

#ifndef TALLY_CORE_REGISTRY_H
#define TALLY_CORE_REGISTRY_H

#include <pthread.h>
#include <stdint.h>

#include <tally/driver.h>

struct registry;

/* A driver that passed all checks.  Belongs to its registry.  The tables are
 * copies of full size: a slot that the driver's own header did not know yet
 * reads as NULL. */
struct driver {
  const char *name;
  const char *version; /* never NULL, may be "" */
  const char *summary; /* never NULL, may be "" */
  const char *path;    /* NULL: registered, not loaded */
  uint32_t abi;
  const struct tally_driver *table;   /* of full size, as its tables are */
  const struct tally_option *options; /* NULL: none */
  const struct tally_store *store;    /* NULL: not a store */
  const struct tally_transport *transport; /* NULL: not a transport */
  const struct tally_source *source;       /* NULL: not a source */
  /* For TALLY_THREADS_ONE: one for the driver in the whole process, however
   * many registries hold it. */
  pthread_mutex_t *lock;
};

enum driver_kind {
  DRIVER_ANY = 0,
  DRIVER_STORE = 1,
  DRIVER_TRANSPORT = 2,
  DRIVER_SOURCE = 3
};

/* The folders (absolute, ends with NULL, searched in this order) are copied;
 * they need not exist. */
struct registry *registry_new (const char *const *dirs,
                               struct tally_error *err);

/* Ends every struct driver of it.  The modules stay in memory. */
void registry_free (struct registry *registry);

/* Registers a static driver, which must outlive the registry; it is found by
 * name before any folder.  The same driver twice is fine, another of the same
 * name and kind is TALLY_CONFIG. */
int registry_add (struct registry *registry, const struct tally_driver *table,
                  struct tally_error *err);

/* Finds a driver by name, or by path when there is a slash in it (absolute,
 * ends in .so), and loads it when it is not there yet.  By name a folder is
 * asked for store-NAME.so, transport-NAME.so, source-NAME.so, NAME.so, as far
 * as they suit the kind.  `where` begins a message about the name itself
 * ("tally.ini:5", or NULL).  Everything wrong is TALLY_CONFIG.  Any thread. */
int registry_find (struct registry *registry, enum driver_kind kind,
                   const char *name, const char *where, struct driver **driver,
                   struct tally_error *err);

/* What registry_each tells: either driver, or why it is none. */
struct registry_item {
  const char *name; /* the driver's, or by the file's name */
  const char *path; /* NULL: registered */
  const struct driver *driver;
  const char *error; /* when driver is NULL; names the path */
  /* What its name stands for in its place, since that is found before it;
   * NULL: it is the one. */
  const struct driver *instead;
};

typedef int registry_each_fn (void *ctx, const struct registry_item *item);

/* Every registered driver, then every driver file of every folder in name
 * order, also those that cannot be loaded; a folder that is named twice only
 * once.  fn returns 0 for "go on", and may call into this registry. */
int registry_each (struct registry *registry, registry_each_fn *fn, void *ctx,
                   struct tally_error *err);

#endif /* TALLY_CORE_REGISTRY_H */
