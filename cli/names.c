/* SPDX-License-Identifier: MIT */
/* Names that a callback was given, kept until it is over: a callback may not
 * use the store that it hears from. */

#include <stdlib.h>
#include <string.h>

#include "cli.h"

int
names_add (void *ctx, const char *name)
{
  struct names *names = ctx;
  size_t room;
  char **grown;

  if (names->n == names->room) {
    room = 2 * names->room + 8;
    grown = realloc (names->items, room * sizeof *grown);
    if (!grown)
      goto fail;
    names->items = grown;
    names->room = room;
  }
  names->items[names->n] = strdup (name);
  if (!names->items[names->n])
    goto fail;
  names->n++;
  return 0;

fail:
  names->failed = true;
  return 1;
}

void
names_free (struct names *names)
{
  size_t i;

  for (i = 0; i < names->n; i++)
    free (names->items[i]);
  free (names->items);
  memset (names, 0, sizeof *names);
}
