/* SPDX-License-Identifier: MIT */
/* Memory that belongs to a config and is freed with it, all at once. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-internal.h"

void *
config_keep (struct config *config, void *memory)
{
  struct config_pool *link = memory ? malloc (sizeof *link) : NULL;

  if (!link) {
    free (memory);
    return NULL;
  }
  link->memory = memory;
  link->next = config->pool;
  config->pool = link;
  return memory;
}

const char *
config_text (struct config *config, const char *fmt, ...)
{
  va_list args;
  char *text;
  int n;

  va_start (args, fmt);
  n = vsnprintf (NULL, 0, fmt, args);
  va_end (args);
  text = n < 0 ? NULL : malloc ((size_t) n + 1);
  if (!text)
    return NULL;
  va_start (args, fmt);
  vsnprintf (text, (size_t) n + 1, fmt, args);
  va_end (args);
  return config_keep (config, text);
}

void *
config_array (struct config *config, size_t n, size_t size)
{
  return config_keep (config, calloc (n + 1, size));
}

const char **
config_split (struct config *config, const char *text, const char *separators,
              size_t *n)
{
  const char **parts =
      config_array (config, strlen (text) / 2 + 1, sizeof *parts);

  *n = 0;
  while (parts && *text) {
    size_t size = strcspn (text, separators);

    if (size > 0) {
      parts[*n] = config_text (config, "%.*s", (int) size, text);
      if (!parts[*n])
        return NULL;
      ++*n;
    }
    text += size;
    text += *text != 0;
  }
  return parts;
}

void
config_free (struct config *config)
{
  struct config_pool *link;

  if (!config)
    return;
  while (config->pool) {
    link = config->pool;
    config->pool = link->next;
    free (link->memory);
    free (link);
  }
  free (config);
}
