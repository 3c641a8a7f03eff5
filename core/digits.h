/* SPDX-License-Identifier: MIT */
/* Numbers in text of our own making. */

#ifndef TALLY_DIGITS_H
#define TALLY_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

/* Takes a number of at most 18 digits off the front. */
static inline bool
take_digits (const char **at, const char *end, uint64_t *value)
{
  const char *start = *at;

  *value = 0;
  while (*at < end && **at >= '0' && **at <= '9' && *at - start < 18)
    *value = *value * 10 + (uint64_t) (*(*at)++ - '0');
  return *at > start;
}

#endif /* TALLY_DIGITS_H */
