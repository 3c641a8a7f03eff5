/* SPDX-License-Identifier: MIT */
/* Schedules as text: for a person to read, and as C for a named history. */

#include <config.h>

#include <inttypes.h>

#include "sim.h"

static const char *const op_names[OP_KINDS] = {
  "NONE",     "PUT",    "REPLACE", "DELETE",  "RESTORE", "DROP",
  "SYNC",     "LATE",   "CLOCK",   "RESTART", "MOVE",    "BACKUP",
  "ROLLBACK", "REVIVE", "CLONE",   "NATIVE"
};

static const char *const fault_names[NET_FAULTS] = { "FINE",  "DROP", "LOSE",
                                                     "TWICE", "LATE", "HOLD",
                                                     "SHORT", "FLIP", "SPOIL",
                                                     "DOWN" };

static const char *const crash_names[CRASHES] = { "NONE", "BEFORE", "AFTER",
                                                  "LOST", "TORN",   "KEPT" };

static const char *const direction_names[] = { "BOTH", "PUSH", "PULL" };

const char *
op_name (enum op_kind kind)
{
  return op_names[kind];
}

static bool
is_write (const struct op *op)
{
  return op->kind == OP_PUT || op->kind == OP_REPLACE || op->kind == OP_DELETE
         || op->kind == OP_NATIVE;
}

void
op_print (FILE *out, const struct op *op)
{
  if (op->wait_ms >= 60000)
    fprintf (out, "  %" PRIu64 " min pass\n", op->wait_ms / 60000);
  fprintf (out, "  %s %s%u", op_names[op->kind],
           op->kind == OP_SYNC ? "link " : "s", op->site);
  if (is_write (op))
    fprintf (out, " %s fields %x less %x", doc_id (op->doc), op->fields,
             op->removed);
  if (op->kind == OP_SYNC && op->direction)
    fprintf (out, " %s", direction_names[op->direction]);
  if (op->kind == OP_CLOCK)
    fprintf (out, " off by %" PRId64 " s%s", op->ms / 1000,
             op->stops ? ", stops" : "");
  if (op->fault)
    fprintf (out, ", %s at exchange %u", fault_names[op->fault], op->fault_at);
  if (op->crash)
    fprintf (out, ", crash %s of the %s at call %u", crash_names[op->crash],
             op->crash_server ? "server" : "client", op->crash_at);
  if (op->meddle)
    fprintf (out, ", at point %u: %s %u", op->meddle_at, op_names[op->meddle],
             op->meddle_site);
  fputc ('\n', out);
}

static void
number (FILE *out, const char *name, uint64_t value)
{
  if (value > 0)
    fprintf (out, ", .%s = %" PRIu64, name, value);
}

void
op_print_c (FILE *out, const struct op *op)
{
  fprintf (out, "  { OP_%s", op_names[op->kind]);
  number (out, "site", op->site);
  if (is_write (op)) {
    number (out, "doc", op->doc);
    number (out, "fields", op->fields);
    number (out, "removed", op->removed);
  }
  if (op->direction)
    fprintf (out, ", .direction = TALLY_%s", direction_names[op->direction]);
  number (out, "stops", op->stops);
  if (op->ms != 0)
    fprintf (out, ", .ms = %" PRId64, op->ms);
  number (out, "wait_ms", op->wait_ms);
  if (op->fault)
    fprintf (out, ", .fault = NET_%s, .fault_at = %u", fault_names[op->fault],
             op->fault_at);
  if (op->crash)
    fprintf (out, ", .crash = CRASH_%s, .crash_at = %u, .crash_server = %d",
             crash_names[op->crash], op->crash_at, op->crash_server);
  if (op->meddle) {
    fprintf (out, ", .meddle = OP_%s", op_names[op->meddle]);
    number (out, "meddle_at", op->meddle_at);
    number (out, "meddle_site", op->meddle_site);
    number (out, "meddle_doc", op->meddle_doc);
    number (out, "meddle_fields", op->meddle_fields);
  }
  if (op->seed > 0 && !is_write (op))
    fprintf (out, ", .seed = UINT64_C (%" PRIu64 ")", op->seed);
  fprintf (out, " },\n");
}

void
setup_print (FILE *out, const struct setup *setup)
{
  fprintf (out, "  .features = %u, .sites = %u, .docs = %u, .two = %d,\n",
           setup->features, setup->sites, setup->docs, setup->two);
  fprintf (out, "  .site = { ");
  for (unsigned i = 0; i < SIM_SITES; i++)
    fprintf (out, "{ %d, %u }%s", setup->site[i].memory, setup->site[i].lacks,
             i + 1 < SIM_SITES ? ", " : " },\n");
  fprintf (out, "  .n_links = %u, .links = { ", setup->n_links);
  for (unsigned i = 0; i < setup->n_links; i++)
    fprintf (out, "{ %u, %u, %d }%s", setup->links[i].client,
             setup->links[i].server, setup->links[i].folder,
             i + 1 < setup->n_links ? ", " : " }\n");
}
