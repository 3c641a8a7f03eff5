/* SPDX-License-Identifier: MIT */
/* One line on a terminal that is drawn over and over while a sync runs.  It
 * uses a carriage return and blanks only, so that any terminal will do, and
 * no colour. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <tally/tally.h>

#include "output.h"
#include "progress.h"

#define BAR 24
#define NAME_MAX_SHOWN 24
#define COLUMNS_MAX 512
#define INTERVAL_MS 100

static int64_t
now_ms (void)
{
  struct timespec ts;

  if (clock_gettime (CLOCK_MONOTONIC, &ts))
    return 0;
  return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
progress_begin (struct progress *progress)
{
  struct winsize size;

  if (!isatty (STDERR_FILENO))
    return;
  progress->columns = 80;
  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    progress->columns = size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

bool
progress_shows (const struct progress *progress)
{
  return progress->columns > 0;
}

void
progress_clear (struct progress *progress)
{
  if (atomic_exchange (&progress->shown, false))
    fprintf (stderr, "\r%*s\r", (int) progress->columns - 1, "");
}

/* The total is an estimate and may fall behind. */
static unsigned
percent_of (uint64_t done, uint64_t total)
{
  if (total == 0)
    return 0;
  if (done >= total)
    return 100;
  return (unsigned) ((double) done * 100 / (double) total);
}

static void
draw (struct progress *progress, const struct tally_event *event)
{
  unsigned percent = percent_of (event->done, event->total);
  size_t filled = (size_t) percent * BAR / 100;
  char bar[BAR + 1], line[COLUMNS_MAX];
  size_t length;

  memset (bar, ' ', BAR);
  memset (bar, '=', filled);
  if (filled < BAR)
    bar[filled] = '>';
  bar[BAR] = '\0';
  snprintf (line, sizeof line, "[%s] %3u%% %" PRIu64 "/%" PRIu64 " %.*s %.*s",
            bar, percent, event->done, event->total, NAME_MAX_SHOWN,
            event->link ? event->link : "", NAME_MAX_SHOWN,
            event->collection ? event->collection : "");
  /* Up to the end, over what stood there; but a full last column would
   * scroll on some terminals. */
  length = strlen (line);
  if (length < progress->columns)
    memset (line + length, ' ', progress->columns - length);
  line[progress->columns - 1] = '\0';
  fputc ('\r', stderr);
  out_plain (stderr, line);
  atomic_store (&progress->shown, true);
}

void
progress_event (struct progress *progress, const struct tally_event *event)
{
  int64_t now;

  if (progress->columns == 0)
    return;
  if (event->type == TALLY_EVENT_SYNC_END) {
    progress_clear (progress);
    progress->drawn_ms = 0;
    return;
  }
  if (event->type != TALLY_EVENT_PROGRESS)
    return;
  now = now_ms ();
  if (progress->drawn_ms && now - progress->drawn_ms < INTERVAL_MS)
    return;
  progress->drawn_ms = now;
  draw (progress, event);
}
