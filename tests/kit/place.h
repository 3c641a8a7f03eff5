/* SPDX-License-Identifier: MIT */
/* Where tests put their files: in a folder of their own below TMPDIR, or below
 * /tmp where that is not said, or too long a path. */

#ifndef TALLY_TESTS_PLACE_H
#define TALLY_TESTS_PLACE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_SIZE 64

/* Makes the folder. */
static inline bool
place_make (char path[PLACE_SIZE], const char *name)
{
  const char *parent = getenv ("TMPDIR");

  if (!parent || parent[0] != '/'
      || strlen (parent) + strlen (name) + sizeof "/tally--XXXXXX"
             > PLACE_SIZE)
    parent = "/tmp";
  snprintf (path, PLACE_SIZE, "%s/tally-%s-XXXXXX", parent, name);
  return mkdtemp (path) != NULL;
}

#endif /* TALLY_TESTS_PLACE_H */
