/* SPDX-License-Identifier: MIT */
/* Every command and option of the program, in the order of --help. */

#include <string.h>

#include "commands.h"

#define ANY ((size_t) -1)
#define END      \
  {              \
    .name = NULL \
  }

/* Rows that several commands have. */
#define DIRECTION_ROW                                 \
  {                                                   \
    OPTION_DIRECTION, 0, "direction", "D",            \
        "both, push (only send) or pull (only fetch)" \
  }
#define COLLECTIONS_ROW                                                   \
  {                                                                       \
    OPTION_COLLECTIONS, 0, "collections", "A,B", "only these collections" \
  }
#define TOKEN_FILE_ROW                                 \
  {                                                    \
    OPTION_TOKEN_FILE, 0, "token-file", "F",           \
        "token for a server given on the command line" \
  }

const struct option_row global_options[] = {
  { OPTION_CONFIG, 'c', "config", "F", "read this ini" },
  { OPTION_JSON, 0, "json", NULL, "print one JSON object a line" },
  { OPTION_QUIET, 'q', "quiet", NULL, "print results and errors only" },
  { OPTION_VERBOSE, 'v', "verbose", NULL, "say what is being done" },
  { OPTION_HELP, 0, "help", NULL, "show this help" },
  { OPTION_VERSION, 0, "version", NULL, "show the version" },
  END
};

static const struct option_row no_options[] = { END };

static const struct option_row put_options[] = {
  { OPTION_REPLACE, 0, "replace", NULL,
    "assign every field, not only those that differ" },
  { OPTION_REV, 0, "rev", "R", "only if the document still has this rev" },
  { OPTION_AT, 0, "at", "MEMBER", "take the array under this member" },
  { OPTION_ID, 0, "id", "FIELD", "copy this field to _id" },
  END
};

static const struct option_row rm_options[] = {
  { OPTION_QUERY, 0, "query", "Q", "delete the documents that match" }, END
};

static const struct option_row find_options[] = {
  { OPTION_SORT, 0, "sort", "F,-G", "by F rising, then by G falling" },
  { OPTION_LIMIT, 0, "limit", "N", "at most N documents" },
  { OPTION_SKIP, 0, "skip", "N", "leave out the first N" },
  { OPTION_FIELDS, 0, "fields", "F,G", "only these fields, and _id" },
  { OPTION_COUNT, 0, "count", NULL, "print how many there are" },
  { OPTION_EXPLAIN, 0, "explain", NULL, "print how it is found instead" },
  END
};

static const struct option_row index_options[] = {
  { OPTION_UNIQUE, 0, "unique", NULL, "no write may give two the same" },
  { OPTION_SPARSE, 0, "sparse", NULL, "without documents that have no field" },
  { OPTION_DROP, 0, "drop", NULL, "take it away again" },
  END
};

static const struct option_row update_options[] = {
  { OPTION_UPSERT, 0, "upsert", NULL, "insert one when none matches" },
  { OPTION_ONE, 0, "one", NULL, "only the first that matches" },
  END
};

static const struct option_row sync_options[] = {
  { OPTION_DRY_RUN, 0, "dry-run", NULL,
    "print what would be done, and do nothing" },
  { OPTION_PLAN, 0, "plan", "F", "the same, and save it in this file" },
  { OPTION_APPLY, 0, "apply", "F", "do what this plan says, or refuse" },
  DIRECTION_ROW,
  COLLECTIONS_ROW,
  { OPTION_MAX_DELETE, 0, "max-delete", "N",
    "at most N deletes a side; else half of it, once over 100" },
  TOKEN_FILE_ROW,
  { OPTION_FAIL_ON_CONFLICT, 0, "fail-on-conflict", NULL,
    "exit 10 when something lost" },
  { OPTION_WATCH, 0, "watch", NULL, "keep running, sync whatever changes" },
  END
};

static const struct option_row serve_options[] = {
  { OPTION_LISTEN, 0, "listen", "ADDR", "serve STORE here, ADDR:PORT" },
  { OPTION_TOKENS, 0, "tokens", "F", "who may come in, with --listen" },
  TOKEN_FILE_ROW,
  END
};

static const struct option_row token_options[] = {
  { OPTION_SERVE, 0, "serve", "NAME", "the tokens of this [serve] section" },
  { OPTION_TOKENS, 0, "tokens", "F", "the tokens in this file" },
  END
};

static const struct option_row driver_test_options[] = {
  { OPTION_OPTION, 0, "option", "K=V", "an option of the driver, repeatable" },
  END
};

static const struct option_row verify_options[] = { TOKEN_FILE_ROW, END };

static const struct option_row conflicts_options[] = {
  { OPTION_ALL, 0, "all", NULL, "list also what lost to a blind writer" }, END
};

const struct command commands[] = {
  { "init", "[FILE]", no_options, "write a commented ini, never over a file",
    0, 1, COMMAND_BARE, command_init },
  { "drivers", "[NAME|PATH.so]", no_options,
    "show what there is, from where, with its options", 0, 1, 0,
    command_drivers },
  { "check", "", no_options, "try the ini, every store and every transport", 0,
    0, COMMAND_NEEDS_INI, command_check },
  { "put", "STORE COLLECTION [FILE]", put_options,
    "put an object, an array or NDJSON", 2, 3, 0, command_put },
  { "get", "STORE COLLECTION ID...", no_options, "print documents", 3, ANY, 0,
    command_get },
  { "rm", "STORE COLLECTION ID...|--query Q", rm_options, "delete documents",
    2, ANY, 0, command_rm },
  { "find", "STORE COLLECTION [QUERY]", find_options,
    "print the documents that match", 2, 3, 0, command_find_documents },
  { "update", "STORE COLLECTION QUERY UPDATE", update_options,
    "change the documents that match", 4, 4, 0, command_update },
  { "index", "STORE COLLECTION FIELD[,FIELD]", index_options,
    "make an index, for finding fast", 3, 3, 0, command_index },
  { "export", "STORE [COLLECTION]", no_options, "print every document", 1, 2,
    0, command_export },
  { "import", "FORMAT PATH STORE [COLLECTION]", no_options,
    "take in documents: ndjson, nedb, or linvodb3", 3, 4, 0, command_import },
  { "sync", "[LINK...]", sync_options, "sync links of the ini, or all", 0, ANY,
    COMMAND_NEEDS_INI, command_sync },
  { "pair", "A B", sync_options, "sync two endpoints, no ini needed", 2, 2, 0,
    command_pair },
  { "serve", "[NAME...] | STORE --listen ADDR", serve_options,
    "let others sync with a store", 0, ANY, 0, command_serve },
  { "status", "[LINK|STORE]", no_options, "show what waits, and what there is",
    0, 1, 0, command_status },
  { "verify", "A B", verify_options, "compare two endpoints", 2, 2, 0,
    command_verify },
  { "explain", "STORE COLLECTION ID", no_options,
    "who wrote each field of a document, when, and over whom", 3, 3, 0,
    command_explain },
  { "conflicts",
    "STORE [list [--all] | show ID... | restore ID... | drop ID...]",
    conflicts_options, "what lost a merge unseen, and how to get it back", 1,
    ANY, 0, command_conflicts },
  { "token", "add [ACCOUNT] | list | revoke FINGERPRINT...", token_options,
    "who may come in to a server", 1, ANY, 0, command_token },
  { "driver-test", "NAME|PATH.so", driver_test_options,
    "hold a driver against the rules of its interface", 1, 1, 0,
    command_driver_test },
  { .name = NULL }
};

const struct command *
command_find (const char *name)
{
  const struct command *c;

  for (c = commands; c->name; c++)
    if (strcmp (c->name, name) == 0)
      return c;
  return NULL;
}
