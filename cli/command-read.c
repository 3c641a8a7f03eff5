/* SPDX-License-Identifier: MIT */
/* tally get, tally find and tally export: documents, one a line. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"

static int
on_document (void *ctx, const struct tally_document *document)
{
  (void) ctx;
  fwrite (document->json, 1, document->json_size, stdout);
  putchar ('\n');
  return !out_works ();
}

/* ---- get ---------------------------------------------------------------- */

struct getting {
  struct cli *cli;
  size_t next; /* operand whose document may come now */
};

static void
say_missing (const struct getting *getting)
{
  const char **operands = getting->cli->args->operands;

  cli_failf (getting->cli, TALLY_NOTFOUND, "%s: not found in %s of %s",
             operands[getting->next], operands[1], operands[0]);
}

/* They come in the order asked, so an id that is passed over is missing. */
static int
on_asked (void *ctx, const struct tally_document *document)
{
  struct getting *getting = ctx;
  const struct args *args = getting->cli->args;

  while (getting->next < args->n
         && strcmp (args->operands[getting->next], document->id) != 0) {
    say_missing (getting);
    getting->next++;
  }
  getting->next++;
  return on_document (NULL, document);
}

void
command_get (struct cli *cli)
{
  const struct args *args = cli->args;
  struct getting getting = { .cli = cli, .next = 2 };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  replica = cli_open (cli, args->operands[0], TALLY_OPEN_READONLY);
  if (!replica)
    return;
  status = tally_get (replica, args->operands[1], args->operands + 2,
                      args->n - 2, on_asked, &getting, &err);
  if (status)
    cli_fail_err (cli, status, &err);
  else if (out_works ())
    for (; getting.next < args->n; getting.next++)
      say_missing (&getting);
  tally_replica_close (replica);
}

/* ---- find --------------------------------------------------------------- */

/* --limit 0 asks for nothing, but the query is still checked. */
static int
on_unwanted (void *ctx, const struct tally_document *document)
{
  (void) ctx;
  (void) document;
  return 1;
}

static void
print_count (const struct cli *cli, uint64_t count)
{
  struct object object;

  if (!cli->json) {
    printf ("%" PRIu64 "\n", count);
    return;
  }
  object_open (&object);
  object_number (&object, "count", count);
  object_close ();
}

static void
on_plan (void *ctx, const struct tally_find_plan *plan)
{
  const struct cli *cli = ctx;
  struct object object;

  if (!cli->json) {
    printf ("%s%s%s: %" PRIu64 " range%s, %" PRIu64 " row%s, %" PRIu64
            " document%s looked at, %" PRIu64 " found%s%s\n",
            plan->access, plan->index ? " " : "",
            plan->index ? plan->index : "", plan->ranges,
            plural (plan->ranges), plan->rows, plural (plan->rows),
            plan->documents, plural (plan->documents), plan->found,
            plan->sorted ? ", sorted in memory" : "",
            plan->ordered ? ", in the order of the sort" : "");
    return;
  }
  object_open (&object);
  object_text (&object, "access", plan->access);
  object_text (&object, "index", plan->index);
  object_number (&object, "ranges", plan->ranges);
  object_number (&object, "rows", plan->rows);
  object_number (&object, "documents", plan->documents);
  object_number (&object, "found", plan->found);
  object_json (&object, "sorted", plan->sorted ? "true" : "false",
               plan->sorted ? 4 : 5);
  object_json (&object, "ordered", plan->ordered ? "true" : "false",
               plan->ordered ? 4 : 5);
  object_close ();
}

static int
on_explained (void *ctx, const struct tally_document *document)
{
  (void) ctx;
  (void) document;
  return 0;
}

void
command_find_documents (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_find_options options = { .size = sizeof options };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  const char *query = args->n > 2 ? args->operands[2] : NULL;
  uint64_t count = 0;
  bool nothing;
  int status;

  options.sort = args->value[OPTION_SORT];
  options.fields = args->value[OPTION_FIELDS];
  if (!cli_count (cli, OPTION_SKIP, "skip", &options.skip)
      || !cli_count (cli, OPTION_LIMIT, "limit", &options.limit))
    return;
  nothing = args->value[OPTION_LIMIT] && options.limit == 0;
  replica = cli_open (cli, args->operands[0], TALLY_OPEN_READONLY);
  if (!replica)
    return;
  if (args->value[OPTION_EXPLAIN]) {
    options.explain = on_plan;
    options.explain_ctx = cli;
    status = tally_find (replica, args->operands[1], query, &options,
                         nothing ? on_unwanted : on_explained, NULL, &err);
  } else if (args->value[OPTION_COUNT] && !nothing)
    status = tally_count (replica, args->operands[1], query, &options, &count,
                          &err);
  else
    status = tally_find (replica, args->operands[1], query, &options,
                         nothing ? on_unwanted : on_document, NULL, &err);
  if (status)
    cli_fail_err (cli, status, &err);
  else if (args->value[OPTION_COUNT] && !args->value[OPTION_EXPLAIN])
    print_count (cli, count);
  tally_replica_close (replica);
}

/* ---- export ------------------------------------------------------------- */

static int
on_exported (void *ctx, const struct tally_document *document)
{
  struct object object;

  (void) ctx;
  object_open (&object);
  object_text (&object, "collection", document->collection);
  object_json (&object, "document", document->json, document->json_size);
  object_close ();
  return !out_works ();
}

static void
export_all (struct cli *cli, struct tally_replica *replica)
{
  struct names names = { .n = 0 };
  struct tally_error err = { .status = 0 };
  size_t i;
  int status;

  status = tally_collections (replica, names_add, &names, &err);
  if (status)
    cli_fail_err (cli, status, &err);
  else if (names.failed)
    cli_fail (cli, TALLY_FAILED, "export: out of memory");
  for (i = 0; i < names.n && !cli->exits && out_works (); i++) {
    status = tally_find (replica, names.items[i], NULL, NULL, on_exported,
                         NULL, &err);
    if (status)
      cli_fail_err (cli, status, &err);
  }
  names_free (&names);
}

void
command_export (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  replica = cli_open (cli, args->operands[0], TALLY_OPEN_READONLY);
  if (!replica)
    return;
  if (args->n == 1) {
    export_all (cli, replica);
  } else {
    status = tally_find (replica, args->operands[1], NULL, NULL, on_document,
                         NULL, &err);
    if (status)
      cli_fail_err (cli, status, &err);
  }
  tally_replica_close (replica);
}
