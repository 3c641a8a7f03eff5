/* SPDX-License-Identifier: MIT */
/* tally conflicts: what lost a merge unseen, listed, brought back, dropped. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "table.h"

#define COLUMNS 9

struct listing {
  struct cli *cli;
  struct table table;
  bool blind; /* these, too */
};

/* ---- list and show ------------------------------------------------------ */

static void
object_side (struct object *object, const char *name,
             const struct tally_assignment *side)
{
  struct object inner;

  object_name (object, name);
  object_open (&inner);
  if (side->value)
    object_json (&inner, "value", side->value, strlen (side->value));
  else
    object_text (&inner, "value", NULL);
  object_text (&inner, "stamp", side->stamp);
  object_text (&inner, "client", side->client);
  if (side->device)
    object_text (&inner, "device", side->device);
  if (!side->value)
    object_flag (&inner, "absent", true);
  putchar ('}');
}

static void
print_json (const struct tally_conflict *conflict)
{
  struct object object;

  object_open (&object);
  object_text (&object, "id", conflict->id);
  object_text (&object, "collection", conflict->collection);
  object_text (&object, "_id", conflict->document);
  object_text (&object, "field", conflict->field);
  object_side (&object, "lost", &conflict->lost);
  object_side (&object, "won", &conflict->won);
  object_text (&object, "link", conflict->link);
  object_number (&object, "at", conflict->at_ms);
  if (conflict->blind)
    object_flag (&object, "blind", true);
  object_close ();
}

static const char *
shown (const struct tally_conflict *conflict,
       const struct tally_assignment *side)
{
  if (side->value)
    return side->value;
  return conflict->field[0] ? "(removed)" : "(deleted)";
}

static int
on_conflict (void *ctx, const struct tally_conflict *conflict)
{
  struct listing *listing = ctx;
  char at[TIME_TEXT], lost[SHORT_TEXT], loser[SHORT_TEXT], won[SHORT_TEXT],
      winner[SHORT_TEXT];
  const char *cells[COLUMNS];

  if (conflict->blind && !listing->blind)
    return 0;
  if (listing->cli->json) {
    print_json (conflict);
    return !out_works ();
  }
  time_text (at, conflict->at_ms);
  cells[0] = conflict->id;
  cells[1] = conflict->collection;
  cells[2] = conflict->document;
  cells[3] = conflict->field[0] ? conflict->field : "(all)";
  short_text (lost, shown (conflict, &conflict->lost));
  who_text (loser, conflict->lost.client, conflict->lost.device);
  short_text (won, shown (conflict, &conflict->won));
  who_text (winner, conflict->won.client, conflict->won.device);
  cells[4] = lost;
  cells[5] = loser;
  cells[6] = won;
  cells[7] = winner;
  cells[8] = at;
  table_add (&listing->table, cells);
  return 0;
}

/* What is not there any more. */
static void
say_dropped (struct cli *cli, struct tally_replica *replica)
{
  struct tally_error err = { .status = 0 };
  uint64_t dropped, recent;
  int status = tally_conflicts_dropped (replica, &dropped, &recent, &err);

  if (status)
    cli_fail_err (cli, status, &err);
  else if (recent)
    cli_talk (cli,
              "tally: %s: %" PRIu64 " conflict%s dropped so far, %" PRIu64
              " of them less than a week old; see max_conflicts in "
              "tally.ini(5)",
              cli->args->operands[0], dropped,
              dropped == 1 ? " was" : "s were", recent);
  else if (dropped)
    cli_talk (cli, "tally: %s: %" PRIu64 " old conflict%s dropped so far",
              cli->args->operands[0], dropped,
              dropped == 1 ? " was" : "s were");
}

/* With ids only these, without any all. */
static void
list (struct cli *cli, struct tally_replica *replica, const char *const *ids,
      size_t n)
{
  static const char *const heading[COLUMNS] = {
    "ID", "COLLECTION", "DOCUMENT", "FIELD", "LOST", "BY", "WON", "BY", "AT"
  };
  struct listing listing = { .cli = cli, .table = { .columns = COLUMNS } };
  struct tally_error err = { .status = 0 };
  int status;

  listing.blind = n > 0 || cli->args->value[OPTION_ALL];
  status = tally_conflicts (replica, ids, n, on_conflict, &listing, &err);
  table_print (&listing.table, heading);
  if (listing.table.failed)
    cli_fail (cli, TALLY_FAILED, "conflicts: out of memory");
  if (status)
    cli_fail_err (cli, status, &err);
  else if (n == 0)
    say_dropped (cli, replica);
  table_free (&listing.table);
}

/* ---- restore and drop --------------------------------------------------- */

static int
on_restored (void *ctx, const struct tally_written *written)
{
  struct cli *cli = ctx;

  if (cli->json)
    print_written (written);
  return 0;
}

static void
restore (struct cli *cli, struct tally_replica *replica,
         const char *const *ids, size_t n)
{
  struct tally_error err = { .status = 0 };
  int status =
      tally_conflict_restore (replica, ids, n, on_restored, cli, &err);

  if (status)
    cli_fail_err (cli, status, &err);
  else
    cli_talk (cli, "%zu restored", n);
}

static void
drop (struct cli *cli, struct tally_replica *replica, const char *const *ids,
      size_t n)
{
  struct tally_error err = { .status = 0 };
  int status = tally_conflict_drop (replica, ids, n, &err);

  if (status)
    cli_fail_err (cli, status, &err);
  else
    cli_talk (cli, "%zu dropped", n);
}

/* ---- the command -------------------------------------------------------- */

static const char *const words[] = { "list", "show", "restore", "drop", NULL };

/* In the order of the words. */
static const struct action {
  bool takes_ids;
  unsigned flags; /* of the store */
  void (*run) (struct cli *cli, struct tally_replica *replica,
               const char *const *ids, size_t n);
} actions[] = {
  { false, TALLY_OPEN_READONLY, list },
  { true, TALLY_OPEN_READONLY, list },
  { true, 0, restore },
  { true, 0, drop },
};

void
command_conflicts (struct cli *cli)
{
  const struct args *args = cli->args;
  const struct action *action;
  struct tally_replica *replica;
  int choice = 0;

  if (args->n > 1)
    choice = cli_choose (cli, "conflicts", args->operands[1], words);
  if (choice < 0)
    return;
  action = &actions[choice];
  if (action->takes_ids ? args->n < 3 : args->n > 2) {
    cli_usage (cli, action->takes_ids ? "needs the ids of conflicts"
                                      : "list takes no ids");
    return;
  }
  if (args->value[OPTION_ALL] && action->takes_ids) {
    cli_usage (cli, "--all is for list");
    return;
  }
  replica = cli_open (cli, args->operands[0], action->flags);
  if (!replica)
    return;
  action->run (cli, replica,
               (const char *const *) (args->n > 2 ? args->operands + 2 : NULL),
               args->n > 2 ? args->n - 2 : 0);
  tally_replica_close (replica);
}
