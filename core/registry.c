/* SPDX-License-Identifier: MIT */
/* libltdl says "file not found" whatever is wrong, follows .la files and
 * search paths, and knows no threads.  So it gets only files that module.c
 * has looked at and that dlopen, whose words are better, has taken before.
 * What is found where is registry-find.c. */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ltdl.h>
#include <tally/tally.h>

#include "drivercall.h"
#include "driver-check.h"
#include "error.h"
#include "module.h"
#include "registry-internal.h"

/* How many ABIs ahead of ours a driver is recognized as one. */
#define ABI_AHEAD 32

/* One for each driver of this process; they are never unloaded either. */
struct driver_lock {
  struct driver_lock *next;
  const struct tally_driver *table;
  pthread_mutex_t mutex;
};

/* libltdl's state is one for the process, and so is a driver that allows one
 * call at a time, so that these two cannot live in a registry.  The mutex
 * guards every lt_* call and the list. */
static pthread_mutex_t process_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct driver_lock *process_locks;

typedef const struct tally_driver *driver_entry (void);

/* Under process_mutex. */
static struct driver_lock *
make_lock (const struct tally_driver *table)
{
  struct driver_lock *lock;

  for (lock = process_locks; lock; lock = lock->next)
    if (lock->table == table)
      return lock;
  lock = calloc (1, sizeof *lock);
  if (!lock)
    return NULL;
  if (drivercall_lock_init (&lock->mutex) != 0) {
    free (lock);
    return NULL;
  }
  lock->table = table;
  lock->next = process_locks;
  process_locks = lock;
  return lock;
}

/* ---- loading ----------------------------------------------------------- */

/* dlerror begins with the path more often than not. */
static int
fail_load (const char *path, const char *why, struct tally_error *err)
{
  size_t size = strlen (path);

  if (why && strncmp (why, path, size) == 0
      && strncmp (why + size, ": ", 2) == 0)
    why += size + 2;
  return error_set (err, TALLY_CONFIG, "%s: %s", path,
                    why ? why : "cannot be loaded");
}

/* Under process_mutex.  Only this library's local, resident way to open. */
static lt_dlhandle
open_resident (const char *path)
{
  lt_dladvise advise;
  lt_dlhandle handle = NULL;

  if (lt_dladvise_init (&advise) != 0)
    return NULL;
  if (lt_dladvise_local (&advise) == 0 && lt_dladvise_resident (&advise) == 0)
    handle = lt_dlopenadvise (path, advise);
  lt_dladvise_destroy (&advise);
  return handle;
}

static int
fail_symbol (lt_dlhandle handle, const char *path, struct tally_error *err)
{
  char symbol[32];
  int abi;

  for (abi = 0; abi < TALLY_DRIVER_ABI + ABI_AHEAD; abi++) {
    snprintf (symbol, sizeof symbol, "tally_driver_%d", abi);
    if (abi != TALLY_DRIVER_ABI && lt_dlsym (handle, symbol))
      return error_set (err, TALLY_CONFIG,
                        "%s: built for driver ABI %d, this tally has %d", path,
                        abi, TALLY_DRIVER_ABI);
  }
  return error_set (err, TALLY_CONFIG,
                    "%s: no tally_driver_%d in it: not a tally driver", path,
                    TALLY_DRIVER_ABI);
}

/* Under process_mutex.  What is opened here is never closed: a driver's
 * threads and exit handlers may outlive every registry. */
static int
open_module (const struct tally_driver **table, const char *path,
             struct tally_error *err)
{
  char symbol[32];
  lt_dlhandle handle;
  driver_entry *entry;
  void *address;

  if (!dlopen (path, RTLD_NOW | RTLD_LOCAL))
    return fail_load (path, dlerror (), err);
  handle = open_resident (path);
  if (!handle)
    return fail_load (path, lt_dlerror (), err);

  snprintf (symbol, sizeof symbol, "tally_driver_%d", TALLY_DRIVER_ABI);
  address = lt_dlsym (handle, symbol);
  if (!address)
    return fail_symbol (handle, path, err);
  /* C has no cast for this, POSIX promises that it works. */
  memcpy (&entry, &address, sizeof entry);
  *table = entry ();
  if (!*table)
    return error_set (err, TALLY_CONFIG, "%s: %s returned nothing", path,
                      symbol);
  return TALLY_OK;
}

/* ---- entries ----------------------------------------------------------- */

static void
free_entry (struct registry_entry *entry)
{
  if (!entry)
    return;
  free (entry->path);
  free (entry);
}

static void
fill_driver (struct registry_entry *entry)
{
  const struct tally_driver *d = &entry->tables.driver;

  entry->driver.name = d->name;
  entry->driver.version = d->version;
  entry->driver.summary = d->summary;
  entry->driver.path = entry->path;
  entry->driver.abi = d->abi;
  entry->driver.table = d;
  entry->driver.options = d->options;
  entry->driver.store = d->store;
  entry->driver.transport = d->transport;
  entry->driver.source = d->source;
}

/* Checks the table and puts the driver at the end of the list.  `path` is
 * NULL for a static one. */
static int
add_entry (struct registry *registry, const struct tally_driver *table,
           const char *path, struct registry_entry **out,
           struct tally_error *err)
{
  struct registry_entry *entry = calloc (1, sizeof *entry), **end;
  struct driver_lock *lock;
  const char *object = path ? path : table->name ? table->name : "driver";
  int status;

  if (entry && path)
    entry->path = strdup (path);
  if (!entry || (path && !entry->path)) {
    free_entry (entry);
    return error_nomem (err);
  }
  entry->table = table;
  status = driver_check (&entry->tables, table, object, err);
  if (status == TALLY_OK) {
    pthread_mutex_lock (&process_mutex);
    lock = make_lock (table);
    pthread_mutex_unlock (&process_mutex);
    if (!lock)
      status = error_nomem (err);
    else
      entry->driver.lock = &lock->mutex;
  }
  if (status != TALLY_OK) {
    free_entry (entry);
    return status;
  }

  fill_driver (entry);
  for (end = &registry->entries; *end;)
    end = &(*end)->next;
  *end = entry;
  *out = entry;
  return TALLY_OK;
}

int
registry_load (struct registry *registry, const char *path,
               struct registry_entry **out, struct tally_error *err)
{
  const struct tally_driver *table = NULL;
  struct registry_entry *entry;
  int status;

  for (entry = registry->entries; entry; entry = entry->next)
    if (entry->path && strcmp (entry->path, path) == 0) {
      *out = entry;
      return TALLY_OK;
    }

  status = module_vet (path, err);
  if (status != TALLY_OK)
    return status;
  pthread_mutex_lock (&process_mutex);
  status = open_module (&table, path, err);
  pthread_mutex_unlock (&process_mutex);
  if (status != TALLY_OK)
    return status;
  return add_entry (registry, table, path, out, err);
}

/* Which an older driver's table has no place for. */
static bool
driver_source (const struct tally_driver *table)
{
  return table->size > offsetof (struct tally_driver, source) && table->source;
}

int
registry_add (struct registry *registry, const struct tally_driver *table,
              struct tally_error *err)
{
  struct registry_entry *entry, *old;
  int status = TALLY_OK;

  pthread_mutex_lock (&registry->mutex);
  for (old = registry->entries; old; old = old->next)
    if (old->table == table && !old->path)
      goto out;
  for (old = registry->entries; old; old = old->next)
    if (!old->path && table->name
        && strcmp (old->driver.name, table->name) == 0
        && ((old->driver.store && table->store)
            || (old->driver.transport && table->transport)
            || (old->driver.source && driver_source (table)))) {
      status = error_set (err, TALLY_CONFIG,
                          "driver \"%s\": another of that name is "
                          "registered already",
                          table->name);
      goto out;
    }
  status = add_entry (registry, table, NULL, &entry, err);

out:
  pthread_mutex_unlock (&registry->mutex);
  return status;
}

/* ---- the registry ------------------------------------------------------ */

static int
copy_dirs (struct registry *registry, const char *const *dirs,
           struct tally_error *err)
{
  size_t n = 0, i;

  while (dirs && dirs[n])
    n++;
  registry->dirs = calloc (n + 1, sizeof *registry->dirs);
  if (!registry->dirs)
    return error_nomem (err);
  for (i = 0; i < n; i++) {
    if (dirs[i][0] != '/')
      return error_set (err, TALLY_CONFIG,
                        "%s: a folder of drivers must be an absolute path",
                        dirs[i]);
    registry->dirs[i] = strdup (dirs[i]);
    if (!registry->dirs[i])
      return error_nomem (err);
  }
  return TALLY_OK;
}

/* libltdl counts its starts.  It is never ended, as drivers stay. */
static int
start_libltdl (struct tally_error *err)
{
  int status = TALLY_OK;

  pthread_mutex_lock (&process_mutex);
  if (lt_dlinit () != 0)
    status = error_set (err, TALLY_FAILED, "libltdl: %s", lt_dlerror ());
  pthread_mutex_unlock (&process_mutex);
  return status;
}

struct registry *
registry_new (const char *const *dirs, struct tally_error *err)
{
  struct registry *registry = calloc (1, sizeof *registry);

  if (!registry || pthread_mutex_init (&registry->mutex, NULL) != 0) {
    free (registry);
    error_nomem (err);
    return NULL;
  }
  if (copy_dirs (registry, dirs, err) != TALLY_OK
      || start_libltdl (err) != TALLY_OK) {
    registry_free (registry);
    return NULL;
  }
  return registry;
}

void
registry_free (struct registry *registry)
{
  struct registry_entry *entry, *next;
  size_t i;

  if (!registry)
    return;
  for (entry = registry->entries; entry; entry = next) {
    next = entry->next;
    free_entry (entry);
  }
  for (i = 0; registry->dirs && registry->dirs[i]; i++)
    free (registry->dirs[i]);
  free (registry->dirs);
  pthread_mutex_destroy (&registry->mutex);
  free (registry);
}
