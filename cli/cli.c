/* SPDX-License-Identifier: MIT */
/* The ground that the commands stand on: a context with its log and events,
 * errors as lines, and exit codes, of which there may be several at once. */

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "signals.h"

/* One row for each status. */
static const struct {
  int status;
  int exit;
  const char *word;
} statuses[] = { { TALLY_OK, 0, "ok" },
                 { TALLY_FAILED, EXIT_OTHER, "failed" },
                 { TALLY_NOTFOUND, EXIT_NOTFOUND, "notfound" },
                 { TALLY_CONFLICT, EXIT_GUARD, "conflict" },
                 { TALLY_AGAIN, EXIT_AGAIN, "again" },
                 { TALLY_INVALID, EXIT_INVALID, "invalid" },
                 { TALLY_DENIED, EXIT_INVALID, "denied" },
                 { TALLY_CORRUPT, EXIT_CORRUPT, "corrupt" },
                 { TALLY_UNSUPPORTED, EXIT_INVALID, "unsupported" },
                 { TALLY_CANCELLED, EXIT_OTHER, "cancelled" },
                 { TALLY_CONFIG, EXIT_CONFIG, "config" },
                 { TALLY_USAGE, EXIT_USAGE, "usage" } };

#define STATUSES (sizeof statuses / sizeof statuses[0])

static size_t
find_status (int status)
{
  size_t i;

  for (i = 0; i < STATUSES; i++)
    if (statuses[i].status == status)
      return i;
  return 1; /* a status we do not know is one that failed */
}

const char *
status_word (int status)
{
  return statuses[find_status (status)].word;
}

void
cli_exit (struct cli *cli, int code)
{
  if (code > 0)
    cli->exits |= 1u << code;
}

void
cli_exit_status (struct cli *cli, int status)
{
  cli_exit (cli, statuses[find_status (status)].exit);
}

void
cli_warn (struct cli *cli, const char *text, const char *more)
{
  flockfile (stderr);
  progress_clear (&cli->progress);
  fputs ("tally: ", stderr);
  out_plain (stderr, text);
  out_plain (stderr, more);
  fputc ('\n', stderr);
  funlockfile (stderr);
}

void
cli_fail (struct cli *cli, int status, const char *text)
{
  cli_exit_status (cli, status);
  if (status == TALLY_CANCELLED && signals_caught ())
    return;
  cli_warn (cli, text && *text ? text : status_word (status), "");
}

void
cli_fail_err (struct cli *cli, int status, const struct tally_error *err)
{
  cli_fail (cli, status, err->text);
}

void
cli_failf (struct cli *cli, int status, const char *format, ...)
{
  char text[1024];
  va_list ap;

  va_start (ap, format);
  vsnprintf (text, sizeof text, format, ap);
  va_end (ap);
  cli_fail (cli, status, text);
}

void
cli_fail_errno (struct cli *cli, const char *object, int number)
{
  const char *reason = strerror (number);
  int status = TALLY_FAILED;

  if (number == ENOENT)
    status = TALLY_NOTFOUND;
  else if (number == EACCES || number == EPERM)
    status = TALLY_DENIED;
  else if (number == EISDIR)
    status = TALLY_INVALID;
  cli_failf (cli, status, "%s: %c%s", object,
             tolower ((unsigned char) reason[0]), reason[0] ? reason + 1 : "");
}

void
cli_usage (struct cli *cli, const char *reason)
{
  cli_failf (cli, TALLY_USAGE, "%s: %s", cli->args->command->name, reason);
}

int
cli_choose (struct cli *cli, const char *of, const char *word,
            const char *const *words)
{
  struct nearest nearest = { .word = word };
  char all[256] = "";

  for (int i = 0; words[i]; i++) {
    size_t size = strlen (all);

    if (strcmp (words[i], word) == 0)
      return i;
    nearest_offer (&nearest, words[i]);
    snprintf (all + size, sizeof all - size, "%s%s", i > 0 ? ", " : "",
              words[i]);
  }
  if (nearest.best)
    cli_failf (cli, TALLY_USAGE, "%s: unknown \"%s\"; did you mean \"%s\"?",
               of, word, nearest.best);
  else
    cli_failf (cli, TALLY_USAGE, "%s: unknown \"%s\"; one of %s", of, word,
               all);
  return -1;
}

bool
cli_count (struct cli *cli, enum option_key key, const char *name,
           uint64_t *number)
{
  const char *text = cli->args->value[key];
  unsigned long long n;
  size_t digits;

  if (!text)
    return true;
  digits = strspn (text, "0123456789");
  errno = 0;
  n = strtoull (text, NULL, 10);
  if (digits == 0 || text[digits] != '\0' || errno || n > UINT64_MAX) {
    cli_failf (cli, TALLY_USAGE, "--%s: \"%s\" is not a number of documents",
               name, text);
    return false;
  }
  *number = n;
  return true;
}

void
cli_talk (struct cli *cli, const char *format, ...)
{
  char text[1024];
  va_list ap;

  if (cli->quiet)
    return;
  va_start (ap, format);
  vsnprintf (text, sizeof text, format, ap);
  va_end (ap);
  flockfile (stderr);
  progress_clear (&cli->progress);
  out_plain (stderr, text);
  fputc ('\n', stderr);
  funlockfile (stderr);
}

static const char *
outcome_word (int outcome)
{
  static const char *const words[] = { "unknown",   "inserted", "updated",
                                       "unchanged", "deleted",  "missing" };

  return words[outcome > 0 && outcome <= TALLY_MISSING ? outcome : 0];
}

void
print_written (const struct tally_written *written)
{
  struct object object;

  object_open (&object);
  object_text (&object, "collection", written->collection);
  object_text (&object, "_id", written->id);
  object_text (&object, "rev",
               written->rev && *written->rev ? written->rev : NULL);
  object_text (&object, "outcome", outcome_word (written->outcome));
  object_close ();
}

struct tally_replica *
cli_open (struct cli *cli, const char *endpoint, unsigned flags)
{
  struct tally_replica *replica = NULL;
  struct tally_error err = { .status = 0 };
  enum tally_endpoint_kind kind;
  int status;

  status = tally_endpoint (cli->tally, endpoint, &kind, &err);
  if (status == TALLY_OK && kind != TALLY_ENDPOINT_STORE) {
    cli_failf (cli, TALLY_USAGE, "%s: is a transport, %s takes a store",
               endpoint, cli->args->command->name);
    return NULL;
  }
  if (status == TALLY_OK)
    status = tally_replica_open (&replica, cli->tally, endpoint, flags, &err);
  if (status == TALLY_OK)
    return replica;
  cli_fail_err (cli, status, &err);
  return NULL;
}

/* Any thread. */
static void
on_log (void *ctx, int level, const char *line)
{
  struct cli *cli = ctx;
  int most = cli->quiet ? 0 : cli->verbose ? 3 : 1;

  if (level > most)
    return;
  flockfile (stderr);
  progress_clear (&cli->progress);
  fputs ("tally: ", stderr);
  out_plain (stderr, line);
  fputc ('\n', stderr);
  funlockfile (stderr);
}

static void
on_event (void *ctx, const struct tally_event *event)
{
  struct cli *cli = ctx;

  progress_event (&cli->progress, event);
  if (event->type == TALLY_EVENT_CONFLICT && cli->verbose)
    cli_talk (cli, "%s: %s/%s: %s%s changed on both sides, the newer stays",
              event->link ? event->link : "",
              event->collection ? event->collection : "",
              event->id ? event->id : "",
              event->field && *event->field ? "field " : "document",
              event->field ? event->field : "");
}

int
cli_begin (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_error err = { .status = 0 };
  struct tally_setup setup = { .size = sizeof setup };
  int status;

  setup.config_path = args->value[OPTION_CONFIG];
  if (!setup.config_path)
    setup.flags = TALLY_FIND_CONFIG;
  setup.token_file = args->value[OPTION_TOKEN_FILE];
  if (!setup.token_file)
    setup.token_file = getenv ("TALLY_TOKEN_FILE");
  if (setup.token_file && !*setup.token_file)
    setup.token_file = NULL;
  setup.log = on_log;
  setup.event = on_event;
  setup.ctx = cli;
  if (!cli->json && !cli->quiet)
    progress_begin (&cli->progress);
  status = tally_new (&cli->tally, &setup, &err);
  if (status) {
    cli->tally = NULL;
    cli_fail_err (cli, status, &err);
    return 1;
  }
  signals_begin (cli->tally);
  if (args->command->flags & COMMAND_NEEDS_INI
      && !tally_config_path (cli->tally)) {
    cli_fail (cli, TALLY_CONFIG,
              "tally.ini: not found; make one with \"tally init\", or name "
              "one with --config");
    return 1;
  }
  return 0;
}

static int
worst (unsigned exits)
{
  static const int order[] = { 2, 3, 7, 8, 6, 5, 4, 1, 9, 10 };
  size_t i;

  for (i = 0; i < sizeof order / sizeof order[0]; i++)
    if (exits & 1u << order[i])
      return order[i];
  return 0;
}

int
cli_end (struct cli *cli)
{
  int number = signals_caught (), lost;

  if (cli->tally) {
    signals_end ();
    tally_free (cli->tally);
    cli->tally = NULL;
  }
  lost = out_end ();
  if (lost)
    cli_fail_errno (cli, "standard output", lost);
  if (number == 0)
    number = signals_caught ();
  if (cli->serving && (number == SIGINT || number == SIGTERM))
    number = 0;
  if (number)
    return 128 + number;
  return worst (cli->exits);
}
