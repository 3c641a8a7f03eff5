/* SPDX-License-Identifier: MIT */
/* The command line as data: which command, which options, which operands.
 * The words come from the one table in commands.c. */

#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stddef.h>

struct command;

/* Every option of the program; args.value is indexed by it. */
enum option_key {
  OPTION_CONFIG,
  OPTION_JSON,
  OPTION_QUIET,
  OPTION_VERBOSE,
  OPTION_HELP,
  OPTION_VERSION,
  OPTION_REPLACE,
  OPTION_REV,
  OPTION_AT,
  OPTION_ID,
  OPTION_QUERY,
  OPTION_SORT,
  OPTION_LIMIT,
  OPTION_SKIP,
  OPTION_FIELDS,
  OPTION_COUNT,
  OPTION_DIRECTION,
  OPTION_COLLECTIONS,
  OPTION_TOKEN_FILE,
  OPTION_FAIL_ON_CONFLICT,
  OPTION_DRY_RUN,
  OPTION_PLAN,
  OPTION_APPLY,
  OPTION_MAX_DELETE,
  OPTION_WATCH,
  OPTION_LISTEN,
  OPTION_TOKENS,
  OPTION_SERVE,
  OPTION_OPTION,
  OPTION_ALL,
  OPTION_UPSERT,
  OPTION_ONE,
  OPTION_EXPLAIN,
  OPTION_UNIQUE,
  OPTION_SPARSE,
  OPTION_DROP,
  OPTION_KEYS
};

/* One row of a table of options; a row with a NULL name ends it. */
struct option_row {
  enum option_key key;
  char letter;       /* 0: none */
  const char *name;  /* without the dashes */
  const char *value; /* what stands for its value; NULL: it takes none */
  const char *help;
};

/* Strings belong to argv. */
struct args {
  const struct command *command;  /* NULL: none was given */
  const char *value[OPTION_KEYS]; /* NULL: not given; "" when it has none */
  const char **operands;          /* malloced */
  size_t n;
  const char **options; /* each --option, in order; malloced */
  size_t n_options;
};

/* Reads argv.  On an error says why on stderr and returns nonzero. */
int args_parse (struct args *args, int argc, char **argv);
void args_free (struct args *args);

/* Finds the word that a mistyped one was meant to be: fill in word, offer
 * each candidate, and best is it, or NULL when none is near enough.  A
 * candidate that begins with the word is as near as can be. */
struct nearest {
  const char *word;
  const char *best;
  size_t distance;
};

void nearest_offer (struct nearest *nearest, const char *candidate);

#endif
