/* SPDX-License-Identifier: MIT */
/* A host that nobody listens to, and who lets everything go on. */

#ifndef TALLY_TESTS_QUIET_HOST_H
#define TALLY_TESTS_QUIET_HOST_H

#include <tally/driver.h>

static inline void
quiet_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  (void) text;
}

static inline int
quiet_cancelled (void *ctx)
{
  (void) ctx;
  return 0;
}

#define QUIET_HOST                                        \
  {                                                       \
    .size = sizeof (struct tally_host), .log = quiet_log, \
    .cancelled = quiet_cancelled                          \
  }

#endif /* TALLY_TESTS_QUIET_HOST_H */
