/* SPDX-License-Identifier: MIT */
/* What sync and pair share with their --watch. */

#ifndef CLI_SYNC_H
#define CLI_SYNC_H

#include <stddef.h>

#include "cli.h"

/* ---- command-sync.c ---- */

/* A collection's line on stdout, for programs or for people. */
void report_json (const struct tally_report *report);
void report_line (const struct tally_report *report);

/* Says that something lost, and where it is kept. */
void report_conflicts (struct cli *cli, const char *store,
                       const struct tally_report *report);

/* ---- command-watch.c ---- */

/* n 0: every link of the ini. */
void watch_links (struct cli *cli, const char *const *links, size_t n,
                  const struct tally_sync_options *options);
void watch_pair (struct cli *cli, const char *a, const char *b,
                 const struct tally_sync_options *options);

#endif
