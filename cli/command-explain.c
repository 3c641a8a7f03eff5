/* SPDX-License-Identifier: MIT */
/* tally explain: each field of a document, who wrote it and when, and what
 * lost to it. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "table.h"

#define COLUMNS 6

struct explaining {
  struct cli *cli;
  struct table table; /* fields, and under each what lost to it */
  struct table seen;
};

/* ---- JSON --------------------------------------------------------------- */

static void
object_value (struct object *object, const char *value)
{
  if (value)
    object_json (object, "value", value, strlen (value));
  else {
    object_text (object, "value", NULL);
    object_flag (object, "absent", true);
  }
}

static void
object_stamp (struct object *object, const char *stamp, uint64_t ms,
              const char *client, const char *device)
{
  char time[TIME_TEXT];

  iso_text (time, ms);
  object_text (object, "stamp", stamp);
  object_text (object, "time", time);
  object_text (object, "client", client);
  object_text (object, "device", device);
}

static void
object_lost (struct object *object, const struct tally_explanation *row)
{
  object_name (object, "lost");
  putchar ('[');
  for (size_t i = 0; i < row->n_lost; i++) {
    const struct tally_lost *lost = &row->lost[i];
    struct object inner;

    if (i > 0)
      putchar (',');
    object_open (&inner);
    object_text (&inner, "id", lost->id);
    object_value (&inner, lost->value);
    object_stamp (&inner, lost->stamp, lost->stamp_ms, lost->client,
                  lost->device);
    object_text (&inner, "why", lost->why);
    putchar ('}');
  }
  putchar (']');
}

static void
object_seen (struct object *object, const struct tally_explanation *row)
{
  object_name (object, "seen");
  putchar ('[');
  for (size_t i = 0; i < row->n_seen; i++) {
    const struct tally_seen *seen = &row->seen[i];
    struct object inner;

    if (i > 0)
      putchar (',');
    object_open (&inner);
    object_stamp (&inner, seen->stamp, seen->stamp_ms, seen->client,
                  seen->device);
    putchar ('}');
  }
  putchar (']');
}

static void
print_json (const struct tally_explanation *row)
{
  struct object object;

  object_open (&object);
  object_text (&object, "collection", row->collection);
  object_text (&object, "_id", row->document);
  object_text (&object, "field", row->field);
  if (row->rev) {
    object_flag (&object, "deleted", row->deleted != 0);
    object_text (&object, "rev", row->rev[0] ? row->rev : NULL);
    object_number (&object, "seq", row->seq);
  } else
    object_value (&object, row->value);
  object_stamp (&object, row->stamp, row->stamp_ms, row->client, row->device);
  object_text (&object, "write", row->whole ? "whole" : "field");
  if (row->hidden)
    object_flag (&object, "hidden", true);
  object_text (&object, "why", row->why);
  object_lost (&object, row);
  if (row->rev)
    object_seen (&object, row);
  object_close ();
}

/* ---- for people --------------------------------------------------------- */

static void
add_row (struct explaining *explaining, const char *field, const char *value,
         uint64_t ms, const char *who, const char *write, const char *why)
{
  char time[TIME_TEXT], text[SHORT_TEXT];
  const char *cells[COLUMNS];

  iso_text (time, ms);
  short_text (text, value);
  cells[0] = field;
  cells[1] = text;
  cells[2] = time;
  cells[3] = who;
  cells[4] = write;
  cells[5] = why;
  table_add (&explaining->table, cells);
}

static void
keep_row (struct explaining *explaining, const struct tally_explanation *row)
{
  const char *gone = row->field[0] ? "(removed)" : "(deleted)";
  const char *value = row->value ? row->value : gone;
  char who[SHORT_TEXT];

  if (row->rev)
    value = row->deleted ? "(deleted)" : "(alive)";
  who_text (who, row->client, row->device);
  add_row (explaining, row->rev ? "(all)" : row->field, value, row->stamp_ms,
           who,
           row->hidden  ? "hidden"
           : row->whole ? "whole"
                        : "field",
           row->why);
  for (size_t i = 0; i < row->n_lost; i++) {
    const struct tally_lost *lost = &row->lost[i];

    who_text (who, lost->client, lost->device);
    add_row (explaining, "  lost", lost->value ? lost->value : gone,
             lost->stamp_ms, who, "", lost->why);
  }
  for (size_t i = 0; i < row->n_seen; i++) {
    char time[TIME_TEXT];
    const char *cells[2] = { who, time };

    iso_text (time, row->seen[i].stamp_ms);
    who_text (who, row->seen[i].client, row->seen[i].device);
    table_add (&explaining->seen, cells);
  }
}

static void
print_head (const struct tally_explanation *row)
{
  out_plain (stdout, row->collection);
  putchar ('/');
  out_plain (stdout, row->document);
  if (row->rev[0])
    printf (": %s, rev %s, seq %" PRIu64 "\n",
            row->deleted ? "deleted" : "alive", row->rev, row->seq);
  else
    printf (": deleted, and forgotten\n");
}

static int
on_row (void *ctx, const struct tally_explanation *row)
{
  struct explaining *explaining = ctx;

  if (explaining->cli->json)
    print_json (row);
  else {
    if (row->rev)
      print_head (row);
    keep_row (explaining, row);
  }
  return !out_works ();
}

static void
print_tables (const struct explaining *explaining)
{
  static const char *const fields[COLUMNS] = { "FIELD", "VALUE", "WRITTEN",
                                               "BY",    "WRITE", "WHY" };
  static const char *const seen[] = { "SEEN", "UP TO" };

  table_print (&explaining->table, fields);
  if (explaining->seen.n)
    putchar ('\n');
  table_print (&explaining->seen, seen);
}

/* ---- the command -------------------------------------------------------- */

void
command_explain (struct cli *cli)
{
  const char **operands = cli->args->operands;
  struct explaining explaining = { .cli = cli,
                                   .table = { .columns = COLUMNS },
                                   .seen = { .columns = 2 } };
  struct tally_error err = { .status = 0 };
  struct tally_replica *replica;
  int status;

  replica = cli_open (cli, operands[0], TALLY_OPEN_READONLY);
  if (!replica)
    return;
  status = tally_explain (replica, operands[1], operands[2], on_row,
                          &explaining, &err);
  print_tables (&explaining);
  if (explaining.table.failed || explaining.seen.failed)
    cli_fail (cli, TALLY_FAILED, "explain: out of memory");
  if (status)
    cli_fail_err (cli, status, &err);
  table_free (&explaining.table);
  table_free (&explaining.seen);
  tally_replica_close (replica);
}
