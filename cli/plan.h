/* SPDX-License-Identifier: MIT */
/* The options of sync and pair, and what a dry run prints. */

#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include <stdbool.h>

#include "cli.h"

/* Fills in what the command line says.  False: usage, and it has said so. */
bool sync_options_fill (struct cli *cli, struct tally_sync_options *options);

/* A tally_plan_fn; ctx is the struct cli. */
int plan_print (void *ctx, const struct tally_plan_item *item);

/* The totals of a dry run, and whether the run would stop. */
void plan_totals (struct cli *cli, const struct tally_report *report);

#endif
