/* SPDX-License-Identifier: MIT */
/* Names in bytewise order, each once. */

#ifndef TALLY_NAMELIST_H
#define TALLY_NAMELIST_H

#include <stdbool.h>
#include <stddef.h>

struct namelist {
  char **names;
  size_t count;
  bool failed; /* out of memory: check once at the end */
};

#define NAMELIST_INIT \
  {                   \
    0                 \
  }

/* A copy.  False, and list->failed: out of memory. */
bool namelist_add (struct namelist *list, const char *name);

/* The same as a tally_emit_name, with the list as ctx. */
int namelist_emit (void *list, const char *name);

/* Likewise, but not the names of local collections. */
int namelist_emit_shared (void *list, const char *name);

/* Likewise, but only the names of collections that sync from here: not local
 * ones, and none of ACCOUNT:NAME, which are for those who come in. */
int namelist_emit_syncing (void *list, const char *name);

/* True when names separated by commas, or by blanks, have a comma without a
 * name before or behind it. */
bool namelist_has_gap (const char *text);

void namelist_free (struct namelist *list);

#endif /* TALLY_NAMELIST_H */
