/* SPDX-License-Identifier: MIT */
/* TALLY_<SECTION>_<NAME>_<KEY> stands for a key of a section that is in the
 * ini.  As "-" and "." become "_", one variable can fit several sections: the
 * longest name takes it ([store notes-a] before [store notes]), and two of
 * one length are an error. */

#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "config-internal.h"

#define PREFIX "TALLY_"

/* Not toupper, which depends on the locale. */
static char
mangle (char c)
{
  if (c >= 'a' && c <= 'z')
    return (char) (c - 'a' + 'A');
  if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
    return c;
  return '_';
}

/* How much of the variable the mangled word and a "_" take; 0: no match. */
static size_t
match (const char *variable, const char *word)
{
  size_t i;

  for (i = 0; word[i]; i++)
    if (variable[i] != mangle (word[i]))
      return 0;
  return variable[i] == '_' ? i + 1 : 0;
}

/* How much of the variable, after PREFIX, names the section. */
static size_t
match_section (const char *variable, const struct config_section *section)
{
  size_t kind = match (variable, config_kind_name (section->kind)), name;

  if (kind == 0 || !*section->name)
    return kind;
  name = match (variable + kind, section->name);
  return name > 0 ? kind + name : 0;
}

/* The section that a variable is for, or NULL. */
static int
find_section (struct config_section **found, size_t *size,
              struct config_builder *b, const char *variable,
              struct tally_error *err)
{
  const struct config_section *clash = NULL;
  size_t i;

  *found = NULL;
  *size = 0;
  for (i = 0; i < b->n_sections; i++) {
    size_t n = match_section (variable, &b->sections[i]);

    if (n == 0 || n < *size)
      continue;
    clash = n == *size ? *found : NULL;
    *found = &b->sections[i];
    *size = n;
  }
  if (clash)
    return error_set (err, TALLY_CONFIG,
                      PREFIX "%.*s: could be for %s or for %s",
                      (int) strcspn (variable, "="), variable, clash->title,
                      (*found)->title);
  return TALLY_OK;
}

/* "PATH" -> "path" */
static char *
lower (const char *text, size_t size)
{
  char *key = malloc (size + 1);
  size_t i;

  if (!key)
    return NULL;
  for (i = 0; i < size; i++)
    key[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char) (text[i] - 'A' + 'a')
                                              : text[i];
  key[size] = 0;
  return key;
}

static int
overlay_one (struct config_builder *b, const char *variable,
             struct tally_error *err)
{
  const char *equals = strchr (variable, '=');
  struct config_section *section;
  const char *key, *value, *where;
  size_t size;
  int status;

  if (!equals || strncmp (variable, PREFIX, strlen (PREFIX)) != 0)
    return TALLY_OK;
  status = find_section (&section, &size, b, variable + strlen (PREFIX), err);
  if (status != TALLY_OK || !section)
    return status;

  size += strlen (PREFIX);
  key = config_keep (
      b->config, lower (variable + size, (size_t) (equals - variable) - size));
  value = config_text (b->config, "%s", equals + 1);
  where = config_text (b->config, "%.*s", (int) (equals - variable), variable);
  if (!key || !value || !where)
    return error_nomem (err);
  return config_add_pair (section, key, value, where, OPTION_ENVIRONMENT, err);
}

int
config_overlay (struct config_builder *b, char **env, struct tally_error *err)
{
  int status = TALLY_OK;

  for (; status == TALLY_OK && env && *env; env++)
    status = overlay_one (b, *env, err);
  return status;
}
