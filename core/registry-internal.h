/* SPDX-License-Identifier: MIT */
/* What registry.c, which loads, and registry-find.c, which looks for what to
 * load, share. */

#ifndef TALLY_CORE_REGISTRY_INTERNAL_H
#define TALLY_CORE_REGISTRY_INTERNAL_H

#include "driver-check.h"
#include "registry.h"

struct registry_entry {
  struct registry_entry *next;
  struct driver driver;
  struct driver_tables tables;
  const struct tally_driver *table; /* the driver's own */
  char *path;
};

struct registry {
  pthread_mutex_t mutex; /* guards entries; the dirs never change */
  struct registry_entry *entries;
  char **dirs; /* ends with NULL */
};

/* The driver in the file at path, loaded unless it is already.  Under the
 * registry's mutex. */
int registry_load (struct registry *registry, const char *path,
                   struct registry_entry **out, struct tally_error *err);

#endif /* TALLY_CORE_REGISTRY_INTERNAL_H */
