/* SPDX-License-Identifier: MIT */
/* Few names: they are kept in order as they come. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "namelist.h"

bool
namelist_add (struct namelist *list, const char *name)
{
  char **names;
  size_t at = list->count;

  /* Most come in order. */
  while (at > 0 && strcmp (list->names[at - 1], name) > 0)
    at--;
  if (at > 0 && strcmp (list->names[at - 1], name) == 0)
    return true;
  names = realloc (list->names, (list->count + 1) * sizeof *names);
  if (!names)
    goto failed;
  list->names = names;
  name = strdup (name);
  if (!name)
    goto failed;
  memmove (names + at + 1, names + at, (list->count - at) * sizeof *names);
  names[at] = (char *) name;
  list->count++;
  return true;
failed:
  list->failed = true;
  return false;
}

int
namelist_emit (void *list, const char *name)
{
  return !namelist_add (list, name);
}

int
namelist_emit_shared (void *list, const char *name)
{
  return collection_is_local (name) ? 0 : namelist_emit (list, name);
}

int
namelist_emit_syncing (void *list, const char *name)
{
  if (collection_is_local (name) || strchr (name, ':'))
    return 0;
  return namelist_emit (list, name);
}

bool
namelist_has_gap (const char *text)
{
  bool named = false, comma = false;

  for (; *text; text++) {
    if (*text == ',' && !named)
      return true;
    if (*text == ',')
      named = false;
    else if (*text != ' ' && *text != '\t')
      named = true;
    comma |= *text == ',';
  }
  return comma && !named;
}

void
namelist_free (struct namelist *list)
{
  for (size_t i = 0; i < list->count; i++)
    free (list->names[i]);
  free (list->names);
  memset (list, 0, sizeof *list);
}
