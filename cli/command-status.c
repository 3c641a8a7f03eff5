/* SPDX-License-Identifier: MIT */
/* tally status and tally verify: looking, without touching. */

#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "table.h"

/* Rows of six kinds come mixed; for people each kind is a table. */
struct looking {
  struct cli *cli;
  struct table links;
  struct table stores;
  struct table peers;
  struct table journals;
  struct table held;
  struct table broken;
};

static void
object_time (struct object *object, const char *name, uint64_t ms)
{
  if (ms)
    object_number (object, name, ms);
  else
    object_text (object, name, NULL);
}

static void
print_json (const struct tally_status_row *row)
{
  struct object object;

  object_open (&object);
  if (row->link) {
    object_text (&object, "link", row->link);
    object_text (&object, "collection", row->collection);
    object_number (&object, "pending", row->pending);
    object_time (&object, "last_sync", row->last_sync_ms);
    object_text (&object, "last_error", row->last_error);
  } else if (row->peer) {
    object_text (&object, "store", row->store);
    object_text (&object, "peer", row->peer);
    object_time (&object, "last_contact", row->last_contact_ms);
    object_number (&object, "acknowledged", row->acknowledged);
  } else if (row->is_journal) {
    object_text (&object, "store", row->store);
    object_number (&object, "conflicts", row->conflicts);
    object_number (&object, "dropped", row->dropped);
  } else if (row->held) {
    object_text (&object, "store", row->store);
    object_text (&object, "collection", row->collection);
    object_text (&object, "_id", row->id);
    object_text (&object, "held", row->held);
    object_text (&object, "reason", row->reason);
  } else if (row->index) {
    object_text (&object, "store", row->store);
    object_text (&object, "collection", row->collection);
    object_text (&object, "unique", row->index);
    object_text (&object, "reason", row->reason);
  } else {
    object_text (&object, "store", row->store);
    object_text (&object, "collection", row->collection);
    object_number (&object, "documents", row->documents);
    object_number (&object, "deleted", row->deleted);
  }
  object_close ();
}

#define NUMBER_TEXT 24

static const char *
number (char text[NUMBER_TEXT], uint64_t n)
{
  snprintf (text, NUMBER_TEXT, "%" PRIu64, n);
  return text;
}

static void
keep (struct looking *looking, const struct tally_status_row *row)
{
  char a[NUMBER_TEXT], b[NUMBER_TEXT], time[TIME_TEXT];
  const char *cells[5];

  if (row->link) {
    time_text (time, row->last_sync_ms);
    cells[0] = row->link;
    cells[1] = row->collection;
    cells[2] = number (a, row->pending);
    cells[3] = time;
    cells[4] = row->last_error;
    table_add (&looking->links, cells);
  } else if (row->peer) {
    time_text (time, row->last_contact_ms);
    cells[0] = row->store;
    cells[1] = row->peer;
    cells[2] = time;
    cells[3] = number (a, row->acknowledged);
    table_add (&looking->peers, cells);
  } else if (row->is_journal) {
    cells[0] = row->store;
    cells[1] = number (a, row->conflicts);
    cells[2] = number (b, row->dropped);
    table_add (&looking->journals, cells);
  } else if (row->held) {
    cells[0] = row->store;
    cells[1] = row->collection;
    cells[2] = row->id;
    cells[3] = row->held;
    cells[4] = row->reason;
    table_add (&looking->held, cells);
  } else if (row->index) {
    cells[0] = row->store;
    cells[1] = row->collection;
    cells[2] = row->index;
    cells[3] = row->reason;
    table_add (&looking->broken, cells);
  } else {
    cells[0] = row->store;
    cells[1] = row->collection;
    cells[2] = number (a, row->documents);
    cells[3] = number (b, row->deleted);
    table_add (&looking->stores, cells);
  }
}

static int
on_row (void *ctx, const struct tally_status_row *row)
{
  struct looking *looking = ctx;

  if (looking->cli->json)
    print_json (row);
  else
    keep (looking, row);
  return !out_works ();
}

static void
print_table (const struct table *table, const char *const *heading, bool *any)
{
  if (*any && table->n)
    putchar ('\n');
  table_print (table, heading);
  *any |= table->n > 0;
}

static void
print_tables (const struct looking *looking)
{
  static const char *const links[] = { "LINK", "COLLECTION", "PENDING",
                                       "LAST SYNC", "LAST ERROR" };
  static const char *const stores[] = { "STORE", "COLLECTION", "DOCUMENTS",
                                        "DELETED" };
  static const char *const peers[] = { "STORE", "PEER", "LAST CONTACT",
                                       "ACKNOWLEDGED" };
  static const char *const journals[] = { "STORE", "CONFLICTS", "DROPPED" };

  static const char *const held[] = { "STORE", "COLLECTION", "HELD BACK", "ON",
                                      "REASON" };
  static const char *const broken[] = { "STORE", "COLLECTION", "NOT UNIQUE",
                                        "REASON" };
  bool any = false;

  print_table (&looking->links, links, &any);
  print_table (&looking->stores, stores, &any);
  print_table (&looking->peers, peers, &any);
  print_table (&looking->held, held, &any);
  print_table (&looking->broken, broken, &any);
  print_table (&looking->journals, journals, &any);
}

void
command_status (struct cli *cli)
{
  const char *name = cli->args->n ? cli->args->operands[0] : NULL;
  struct looking looking = { .cli = cli,
                             .links = { .columns = 5 },
                             .stores = { .columns = 4 },
                             .peers = { .columns = 4 },
                             .held = { .columns = 5 },
                             .broken = { .columns = 4 },
                             .journals = { .columns = 3 } };
  struct tally_error err = { .status = 0 };
  int status;

  if (!name && !tally_config_path (cli->tally)) {
    cli_fail (cli, TALLY_CONFIG,
              "tally.ini: not found; without one, name a "
              "STORE");
    return;
  }
  status = tally_status (cli->tally, name, on_row, &looking, &err);
  print_tables (&looking);
  if (status)
    cli_fail_err (cli, status, &err);
  if (looking.links.failed || looking.stores.failed || looking.peers.failed
      || looking.held.failed || looking.journals.failed
      || looking.broken.failed)
    cli_fail (cli, TALLY_FAILED, "status: out of memory");
  table_free (&looking.links);
  table_free (&looking.stores);
  table_free (&looking.peers);
  table_free (&looking.journals);
  table_free (&looking.held);
  table_free (&looking.broken);
}

/* ---- verify ------------------------------------------------------------- */

static void
print_difference_json (const struct tally_difference *d)
{
  struct object object;

  object_open (&object);
  object_text (&object, "collection", d->collection);
  object_name (&object, "documents");
  printf ("[%" PRIu64 ",%" PRIu64 "]", d->documents_a, d->documents_b);
  object_flag (&object, "equal", d->equal != 0);
  object_number (&object, "only_a", d->only_a);
  object_number (&object, "only_b", d->only_b);
  object_number (&object, "different", d->different);
  object_close ();
}

static void
print_difference (const struct tally_difference *d)
{
  out_plain (stdout, d->collection);
  if (d->equal)
    printf (": equal, %" PRIu64 " document%s\n", d->documents_a,
            plural (d->documents_a));
  else
    printf (": not equal, %" PRIu64 " and %" PRIu64 " document%s, %" PRIu64
            " only in A, %" PRIu64 " only in B, %" PRIu64 " different\n",
            d->documents_a, d->documents_b, plural (d->documents_b), d->only_a,
            d->only_b, d->different);
}

static int
on_difference (void *ctx, const struct tally_difference *d)
{
  struct cli *cli = ctx;

  if (!d->equal)
    cli_exit (cli, EXIT_DIFFERENT);
  if (cli->json)
    print_difference_json (d);
  else
    print_difference (d);
  return !out_works ();
}

void
command_verify (struct cli *cli)
{
  const char **operands = cli->args->operands;
  struct tally_error err = { .status = 0 };
  int status;

  status = tally_verify (cli->tally, operands[0], operands[1], on_difference,
                         cli, &err);
  if (status)
    cli_fail_err (cli, status, &err);
}
