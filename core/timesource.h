/* SPDX-License-Identifier: MIT */
/* Where the time comes from: the system, or a test that owns it. */

#ifndef TALLY_TIMESOURCE_H
#define TALLY_TIMESOURCE_H

#include <stdint.h>

struct time_source {
  uint64_t (*wall_ms) (void *ctx); /* since 1970, may jump */
  void (*sleep_ms) (void *ctx, unsigned ms);
  void *ctx;
};

extern const struct time_source system_time;

/* Seconds that never jump back, for durations. */
double monotonic_seconds (void);

#endif /* TALLY_TIMESOURCE_H */
