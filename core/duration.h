/* SPDX-License-Identifier: MIT */
/* How long, roughly, for people: "365 days", "40 seconds". */

#ifndef TALLY_DURATION_H
#define TALLY_DURATION_H

#include <stdint.h>
#include <stdio.h>

#define DURATION_TEXT 40

static inline void
duration_text (char out[DURATION_TEXT], uint64_t ms)
{
  static const struct {
    uint64_t ms;
    const char *name;
  } units[] = { { 86400000, "day" },
                { 3600000, "hour" },
                { 60000, "minute" },
                { 1000, "second" },
                { 1, "millisecond" } };
  unsigned i = 0;
  unsigned long long n;

  /* Less than two of a unit is told in the next. */
  while (i < 4 && ms < 2 * units[i].ms)
    i++;
  n = (ms + units[i].ms / 2) / units[i].ms;
  snprintf (out, DURATION_TEXT, "%llu %s%s", n, units[i].name,
            n == 1 ? "" : "s");
}

#endif /* TALLY_DURATION_H */
