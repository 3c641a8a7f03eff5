/* SPDX-License-Identifier: MIT */
/* The system's clock. */

#include <config.h>

#include <time.h>

#include "timesource.h"

static uint64_t
system_wall_ms (void *ctx)
{
  struct timespec now;

  (void) ctx;
  clock_gettime (CLOCK_REALTIME, &now);
  if (now.tv_sec < 0)
    return 0;
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void
system_sleep_ms (void *ctx, unsigned ms)
{
  struct timespec wait = { (time_t) (ms / 1000),
                           (long) (ms % 1000) * 1000000 };

  (void) ctx;
  nanosleep (&wait, NULL);
}

const struct time_source system_time = { system_wall_ms, system_sleep_ms,
                                         NULL };

double
monotonic_seconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}
