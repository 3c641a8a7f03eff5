/* SPDX-License-Identifier: MIT */
/* The ini as data: found, read, overlaid by the environment, checked, and
 * from then on immutable, so that any thread may read it.  What a driver
 * makes of its own keys is checked when the driver is known, by
 * config_options.
 *
 * Not the config.h of autoconf: that one is included as <config.h>. */

#ifndef TALLY_CORE_CONFIG_H
#define TALLY_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

struct config_pool;
struct tally_error;

enum config_kind {
  CONFIG_KIND_TALLY = 0,
  CONFIG_KIND_STORE,
  CONFIG_KIND_TRANSPORT,
  CONFIG_KIND_SYNC,
  CONFIG_KIND_SERVE,
  CONFIG_KINDS
};

enum config_direction { CONFIG_BOTH = 0, CONFIG_PUSH, CONFIG_PULL };

/* A [store NAME] or [transport NAME]. */
struct config_endpoint {
  enum config_kind kind;
  const char *name;
  const char *title;        /* "[store notes]" */
  const char *where;        /* of its header: "tally.ini:4" */
  const char *driver;       /* name or absolute path */
  const char *driver_where; /* of its `driver =`; for registry_find */
  bool dialect;             /* the server there speaks LinvoDB's */
  /* Its other keys, for config_options. */
  struct option_pair *pairs;
  size_t n_pairs;
};

/* A [sync NAME]. */
struct config_link {
  const char *name;
  const char *title;
  const char *where;
  const struct config_endpoint *store;
  const struct config_endpoint *transport;
  const char **collections; /* ends with NULL; NULL: all ("*") */
  enum config_direction direction;
  bool on_write;
  int64_t interval_ms; /* 0: none */
};

/* A [serve NAME]. */
struct config_server {
  const char *name;
  const char *title;
  const char *where;
  const struct config_endpoint *transport;
  const struct config_endpoint *store;
  const char *tokens; /* absolute path, or NULL */
  bool open;          /* accounts = open */
};

/* All texts in it are its own and live as long as it does. */
struct config {
  const char *path;     /* the file, absolute; NULL: none was read */
  const char *base_dir; /* absolute: where relative paths start */

  /* [tally].  The folders to search for drivers, absolute, ends with NULL:
   * driver_path, $TALLY_DRIVER_PATH, the built-in one. */
  const char **driver_dirs;
  int64_t max_skew_ms;
  int64_t keep_deleted_ms;
  const char *device;
  int64_t keep_conflicts_ms;
  int64_t max_conflicts;

  /* In the order of the file. */
  struct config_endpoint *endpoints;
  size_t n_endpoints;
  struct config_link *links;
  size_t n_links;
  struct config_server *servers;
  size_t n_servers;

  struct config_pool *pool; /* what config_free frees */
};

/* Flags of config_load. */
enum {
  /* ./tally.ini was found, not named: it must belong to the user or root,
   * not be writable by others, and name no code to run. */
  CONFIG_IMPLICIT = 1
};

/* Looks for the ini: flag (--config, may be NULL), $TALLY_CONFIG,
 * ./tally.ini, $XDG_CONFIG_HOME/tally/tally.ini (~/.config), and the system's
 * own.  *path (malloced) is NULL when there is none, which is TALLY_OK; a
 * file asked for by flag or variable must exist.  *flags is for config_load.
 * env is like environ; NULL: none. */
int config_find (char **path, unsigned *flags, const char *flag, char **env,
                 struct tally_error *err);

/* Reads the file at `path`, or `text` (path then is NULL or a name for
 * messages, and relative paths start from the current folder), or with both
 * NULL nothing: an empty config with defaults.  Bad input is TALLY_CONFIG
 * with one line. */
int config_load (struct config **config, const char *path, const char *text,
                 unsigned flags, char **env, struct tally_error *err);

void config_free (struct config *config);

/* By name; NULL when there is none. */
const struct config_endpoint *config_endpoint (const struct config *config,
                                               const char *name);
const struct config_link *config_link (const struct config *config,
                                       const char *name);
const struct config_server *config_server (const struct config *config,
                                           const char *name);

/* The valid name nearest to one that is none, among endpoints and links; for
 * a message.  NULL: none is near. */
const char *config_nearest (const struct config *config, const char *name);

/* The same among the links alone. */
const char *config_nearest_link (const struct config *config,
                                 const char *name);

/* TALLY_CONFIG: there is no [serve] section of this name. */
int config_no_server (const struct config *config, const char *name,
                      struct tally_error *err);

/* Checks the endpoint's keys against the driver's table and makes its
 * values. */
int config_options (const struct config *config,
                    const struct config_endpoint *endpoint,
                    const struct tally_option *rows, struct option_set *out,
                    struct tally_error *err);

/* The keys schema.COLLECTION of a [store]; endpoint NULL: there are none.
 * TALLY_CONFIG: a file cannot be read, or fn says TALLY_INVALID of it. */
typedef int config_schema_fn (void *ctx, const char *collection,
                              struct tally_slice text,
                              struct tally_error *err);
int config_each_schema (const struct config *config,
                        const struct config_endpoint *endpoint,
                        config_schema_fn *fn, void *ctx,
                        struct tally_error *err);
bool config_has_schemas (const struct config_endpoint *endpoint);
bool config_is_schema (const struct option_pair *pair);

/* The keys index.COLLECTION of a [store], one index at a time; endpoint NULL:
 * there are none.  TALLY_CONFIG: one is not as it must be. */
struct config_index {
  const char *collection;
  const char *fields; /* "F,-G.x" */
  const char *where;
  bool unique, sparse;
};
typedef int config_index_fn (void *ctx, const struct config_index *index,
                             struct tally_error *err);
int config_each_index (const struct config_endpoint *endpoint,
                       config_index_fn *fn, void *ctx,
                       struct tally_error *err);
bool config_is_index (const struct option_pair *pair);

/* The one table of the ini's own keys, as rows for each kind of section, and
 * the kind's word ("store").  Lists are strings here. */
const struct tally_option *config_rows (enum config_kind kind);
const char *config_kind_name (enum config_kind kind);

/* The value of a variable, or NULL. */
const char *config_env (char **env, const char *name);

#endif /* TALLY_CORE_CONFIG_H */
