/* SPDX-License-Identifier: MIT */
/* tally drivers: what there is, from where, and what did not load. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "table.h"

struct listing {
  struct cli *cli;
  bool one; /* asked for by name */
  size_t n;
  struct table table;
};

static const char *
type_word (int type)
{
  switch (type) {
  case TALLY_OPTION_STRING:
    return "string";
  case TALLY_OPTION_PATH:
    return "path";
  case TALLY_OPTION_INTEGER:
    return "integer";
  case TALLY_OPTION_BOOLEAN:
    return "boolean";
  case TALLY_OPTION_SIZE:
    return "size";
  case TALLY_OPTION_DURATION:
    return "duration";
  default:
    return "unknown";
  }
}

static void
print_options_json (const struct tally_option *row)
{
  struct object object;
  const char *comma = "";

  putchar ('[');
  for (; row && row->name; row++, comma = ",") {
    fputs (comma, stdout);
    object_open (&object);
    object_text (&object, "name", row->name);
    object_text (&object, "type", type_word (row->type));
    object_text (&object, "default", row->default_value);
    object_flag (&object, "required", row->flags & TALLY_OPTION_REQUIRED);
    object_flag (&object, "secret", row->flags & TALLY_OPTION_SECRET);
    object_text (&object, "help", row->help);
    putchar ('}');
  }
  putchar (']');
}

static void
print_json (const struct tally_driver_info *info)
{
  struct object object;

  object_open (&object);
  object_text (&object, "name", info->name);
  object_text (&object, "kind", info->kind);
  object_text (&object, "version", info->version);
  object_number (&object, "abi", info->abi);
  object_text (&object, "path", info->path);
  object_flag (&object, "ok", info->ok != 0);
  object_text (&object, "error", info->error);
  object_name (&object, "options");
  print_options_json (info->options);
  object_close ();
}

static const char *
or_dash (const char *text)
{
  return text && *text ? text : "-";
}

static void
print_option (const struct tally_option *row)
{
  putchar (' ');
  putchar (' ');
  out_plain (stdout, row->name);
  printf (" (%s", type_word (row->type));
  if (row->flags & TALLY_OPTION_REQUIRED)
    fputs (", required", stdout);
  if (row->flags & TALLY_OPTION_SECRET)
    fputs (", secret", stdout);
  if (row->default_value) {
    fputs (", default ", stdout);
    out_plain (stdout, row->default_value);
  }
  fputs ("): ", stdout);
  out_plain (stdout, or_dash (row->help));
  putchar ('\n');
}

/* One driver, at length. */
static void
print_one (const struct tally_driver_info *info)
{
  const struct tally_option *row;

  out_plain (stdout, or_dash (info->name));
  putchar (' ');
  out_plain (stdout, or_dash (info->version));
  fputs (", ", stdout);
  out_plain (stdout, info->kind ? info->kind : "no driver");
  printf (", ABI %u, ", info->abi);
  out_plain (stdout, info->path ? info->path : "built in");
  putchar ('\n');
  if (info->summary && *info->summary) {
    out_plain (stdout, info->summary);
    putchar ('\n');
  }
  for (row = info->options; row && row->name; row++)
    print_option (row);
}

/* It is there, and its name stands for another. */
static void
tell_shadowed (struct listing *listing, const struct tally_driver_info *info)
{
  cli_talk (listing->cli, "%s: is not used, %s comes before it", info->path,
            *info->instead ? info->instead : "the built-in one");
}

static int
on_driver (void *ctx, const struct tally_driver_info *info)
{
  struct listing *listing = ctx;
  const char *cells[4];

  listing->n++;
  if (listing->one && !info->ok)
    cli_fail (listing->cli, TALLY_CONFIG,
              info->error ? info->error : "driver: did not load");
  if (info->instead) {
    tell_shadowed (listing, info);
  } else if (listing->cli->json) {
    print_json (info);
  } else if (listing->one) {
    if (info->ok)
      print_one (info);
  } else {
    cells[0] = info->name;
    cells[1] = info->kind;
    cells[2] = or_dash (info->version);
    cells[3] = info->ok ? info->path ? info->path : "built in" : info->error;
    table_add (&listing->table, cells);
  }
  return !out_works ();
}

void
command_drivers (struct cli *cli)
{
  static const char *const heading[] = { "NAME", "KIND", "VERSION", "FROM" };
  struct listing listing = { .cli = cli, .table = { .columns = 4 } };
  struct tally_error err = { .status = 0 };
  const char *name = cli->args->n ? cli->args->operands[0] : NULL;
  char *path = NULL;
  int status;

  listing.one = name != NULL;
  if (name && cli_driver_path (cli, name, &path))
    return;
  if (path)
    name = path;
  status = tally_drivers (cli->tally, name, on_driver, &listing, &err);
  if (status && !(cli->exits && listing.one))
    cli_fail_err (cli, listing.one ? TALLY_CONFIG : status, &err);
  else if (!status && listing.one && listing.n == 0)
    cli_failf (cli, TALLY_CONFIG, "%s: no such driver", name);
  if (listing.table.failed)
    cli_fail (cli, TALLY_FAILED, "drivers: out of memory");
  table_print (&listing.table, heading);
  table_free (&listing.table);
  free (path);
}
