/* SPDX-License-Identifier: MIT */
/* One line on a terminal that is drawn over and over while a sync runs. */

#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally_event;

/* columns never changes after progress_begin, and shown is atomic, so that
 * any thread may call progress_clear; the rest is for the one that syncs. */
struct progress {
  size_t columns;    /* 0: no progress is shown */
  atomic_bool shown; /* the line stands on the terminal now */
  int64_t drawn_ms;
};

/* Of zeros.  Shows nothing unless stderr is a terminal. */
void progress_begin (struct progress *progress);

/* False: whatever it is told of, nothing is shown. */
bool progress_shows (const struct progress *progress);

/* Takes every event; draws at most ten times a second. */
void progress_event (struct progress *progress,
                     const struct tally_event *event);

/* Makes way for another line. */
void progress_clear (struct progress *progress);

#endif
