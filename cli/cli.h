/* SPDX-License-Identifier: MIT */
/* What every command is given, and how it says that something went wrong. */

#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/tally.h>

#include "args.h"
#include "progress.h"

/* Exit codes; CANCELLED has none of its own, see signals.h. */
enum {
  EXIT_OTHER = 1,
  EXIT_USAGE = 2,
  EXIT_CONFIG = 3,
  EXIT_NOTFOUND = 4,
  EXIT_AGAIN = 5,
  EXIT_INVALID = 6,
  EXIT_CORRUPT = 7,
  EXIT_GUARD = 8,
  EXIT_DIFFERENT = 9,
  EXIT_CONFLICTS = 10
};

struct cli {
  const struct args *args;
  struct tally *tally; /* NULL for a command that needs none */
  struct progress progress;
  bool json;
  bool quiet;
  bool verbose;
  bool serving;   /* a signal is how it is meant to end */
  unsigned exits; /* bit n: exit code n is called for */
};

#if defined __GNUC__
#define CLI_PRINTF(f, a) __attribute__ ((format (printf, f, a)))
#else
#define CLI_PRINTF(f, a)
#endif

/* The word for a status, as in "error":{"status":...}. */
const char *status_word (int status);

/* Calls for an exit code. */
void cli_exit (struct cli *cli, int code);
void cli_exit_status (struct cli *cli, int status);

/* One line on stderr, and the exit code that goes with the status.  text is
 * "OBJECT: reason".  A cancelled call needs no words. */
void cli_fail (struct cli *cli, int status, const char *text);
void cli_fail_err (struct cli *cli, int status, const struct tally_error *err);
void cli_fail_errno (struct cli *cli, const char *object, int number);
void cli_failf (struct cli *cli, int status, const char *format, ...)
    CLI_PRINTF (3, 4);

/* The same line for what may still heal: no exit code. */
void cli_warn (struct cli *cli, const char *text, const char *more);

/* The place of the word among the words, which NULL ends; -1: it is none, and
 * which of them it was meant to be was said, exit 2.  `of` is what takes it.
 */
int cli_choose (struct cli *cli, const char *of, const char *word,
                const char *const *words);

/* "tally: COMMAND: reason", exit 2. */
void cli_usage (struct cli *cli, const char *reason);

/* Reads an option's number of documents: digits and nothing else; left alone
 * when the option is not given.  False: it is none, and has said so. */
bool cli_count (struct cli *cli, enum option_key key, const char *name,
                uint64_t *number);

/* A line on stderr that -q silences. */
void cli_talk (struct cli *cli, const char *format, ...) CLI_PRINTF (2, 3);

/* The JSON line for a document that was written. */
void print_written (const struct tally_written *written);

/* Opens a store, and says so when it is a transport.  NULL: failed. */
struct tally_replica *cli_open (struct cli *cli, const char *endpoint,
                                unsigned flags);

/* The absolute path of a driver that is named by its file, malloced; NULL when
 * it is a name.  Returns 0, or has said what is wrong. */
int cli_driver_path (struct cli *cli, const char *name, char **path);

/* Makes the context.  Returns 0 when it stands. */
int cli_begin (struct cli *cli);

/* Ends it, and what goes out.  Returns the program's exit status. */
int cli_end (struct cli *cli);

/* Names that a callback was given, kept. */
struct names {
  char **items;
  size_t n;
  size_t room;
  bool failed;
};

/* A tally_emit_name; ctx is a struct names. */
int names_add (void *ctx, const char *name);
void names_free (struct names *names);

#endif
