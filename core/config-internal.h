/* SPDX-License-Identifier: MIT */
/* What the files of the configuration share: config.c ([tally], stores and
 * transports), config-wire.c ([sync] and [serve]), config-section.c (sections
 * as written), config-env.c (the environment), config-keys.c (the table),
 * config-find.c (files) and config-pool.c (memory). */

#ifndef TALLY_CORE_CONFIG_INTERNAL_H
#define TALLY_CORE_CONFIG_INTERNAL_H

#include "config.h"
#include "error.h"

struct buf;
struct ini;

/* Owned memory of a config, freed with it. */
struct config_pool {
  struct config_pool *next;
  void *memory;
};

/* A section as it was written, with what the environment adds. */
struct config_section {
  enum config_kind kind;
  const char *name; /* "" for [tally] */
  const char *title;
  const char *where; /* NULL: not in the file */
  struct option_pair *pairs;
  size_t n_pairs;
};

struct config_builder {
  struct config *config;
  const char *file; /* for messages; NULL: none */
  unsigned flags;
  struct config_section *sections; /* the first one is [tally] */
  size_t n_sections;
};

/* Gives malloced memory to the config.  On failure, also when `memory` is
 * NULL already, frees it and returns NULL. */
void *config_keep (struct config *config, void *memory);

/* A text made as by printf, which belongs to the config; NULL: no memory. */
const char *config_text (struct config *config, const char *fmt, ...)
    ERROR_FORMAT (2, 3);

/* An array of n + 1 zeroed elements, which belongs to the config. */
void *config_array (struct config *config, size_t n, size_t size);

/* config-section.c: makes the sections and gives each its entries. */
int config_take_ini (struct config_builder *b, const struct ini *ini,
                     struct tally_error *err);

/* Appends a pair; the texts must belong to the config. */
int config_add_pair (struct config_section *section, const char *key,
                     const char *value, const char *where,
                     enum option_level level, struct tally_error *err);

/* The pair that decides about the key, or NULL. */
const struct option_pair *config_pair (const struct config_section *section,
                                       const char *key);

/* Checks a section against the rows of its kind. */
int config_section_options (const struct config_builder *b,
                            const struct config_section *section,
                            struct option_set *set, struct tally_error *err);

/* Splits at any of the separators and drops empty parts; the array, which
 * ends with NULL, belongs to the config.  NULL: no memory. */
const char **config_split (struct config *config, const char *text,
                           const char *separators, size_t *n);

/* config-env.c: adds what the environment says to the sections. */
int config_overlay (struct config_builder *b, char **env,
                    struct tally_error *err);

/* config-wire.c: fills links and servers. */
int config_build_wiring (struct config_builder *b, struct tally_error *err);

/* config-find.c: env, or NULL in a program with more rights than its user,
 * which takes no orders from the user's environment. */
char **config_trusted_env (char **env);

/* config-find.c: reads a whole file, at most INI_SIZE_MAX bytes and one
 * more. */
int config_read_file (struct buf *out, const char *path, unsigned flags,
                      struct tally_error *err);

#endif /* TALLY_CORE_CONFIG_INTERNAL_H */
