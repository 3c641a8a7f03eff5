/* SPDX-License-Identifier: MIT */
/* Values for a table of options: parses texts by the rows of the table, fills
 * in defaults, and refuses what is unknown, missing or not of its type.  The
 * tables are those of drivers and those of the ini's own keys. */

#ifndef TALLY_CORE_OPTIONS_H
#define TALLY_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#define OPTION_SECRET_FILE_MAX ((size_t) 64 << 10)

/* One parsed value, owned.  text is as given, for a path made absolute. */
struct option_value {
  char *text;
  int64_t number;
};

/* Who gave a value; the higher one wins. */
enum option_level { OPTION_FILE = 0, OPTION_ENVIRONMENT = 1, OPTION_FLAG = 2 };

/* Something given: key, value, and where, as it would begin a message:
 * "tally.ini:12", "TALLY_STORE_NOTES_PATH", or NULL for the command line. */
struct option_pair {
  const char *key;
  const char *value;
  const char *where;
  enum option_level level;
};

/* What the pairs belong to, for messages and relative paths. */
struct option_owner {
  const char *where;    /* of the section: "tally.ini:4"; NULL: none */
  const char *title;    /* "[store notes]", "driver sqlite" */
  const char *base_dir; /* absolute; relative paths start from it */
  /* More names to suggest for an unknown one, ends with NULL; or NULL. */
  const char *const *also;
};

/* Parallel to the table.  `values` is what a driver's open takes; its texts
 * are owned by the set. */
struct option_set {
  struct tally_value *values;
  struct option_value *owned;
  bool *given; /* by a pair, not by default */
  size_t count;
};

/* Parses one value by its row.  err's text is the reason alone, without an
 * object: `"x" is not a duration (250ms, 30s, 5m, 2h, 90d)`; a secret is
 * never repeated in it.  base_dir must be absolute, and may be NULL when the
 * row is not a path. */
int option_parse (struct option_value *out, const struct tally_option *row,
                  const char *text, const char *base_dir,
                  struct tally_error *err);
void option_value_free (struct option_value *value);

/* Builds the set.  `rows` may be NULL (none).  NAME_file stands for the one
 * line in that file when NAME is a secret.  A higher level replaces a lower
 * one; an option twice on one level, in either form, is an error.
 * Everything wrong is TALLY_CONFIG, and on an error *out is empty. */
int option_set_build (struct option_set *out, const struct tally_option *rows,
                      const struct option_pair *pairs, size_t n,
                      const struct option_owner *owner,
                      struct tally_error *err);

void option_set_free (struct option_set *set);

/* Rows of the table, without the one that ends it. */
size_t option_count (const struct tally_option *rows);

/* The row of that name, or NULL. */
const struct tally_option *option_find (const struct tally_option *rows,
                                        const char *name);

/* "path", "duration"...; NULL when there is no such type. */
const char *option_type_name (int type);

/* base_dir/text, or text when it is absolute, without doubled slashes and
 * "." parts.  ".." stays: what it means depends on symbolic links.  NULL
 * when there is no memory. */
char *option_join_path (const char *base_dir, const char *text);

#endif /* TALLY_CORE_OPTIONS_H */
