/* SPDX-License-Identifier: MIT */
/* Reading what notes hold: small canonical JSON that this library wrote. */

#ifndef TALLY_NOTEJSON_H
#define TALLY_NOTEJSON_H

#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

/* A whole number without sign; false when it is none, or too large. */
static inline bool
note_number (struct tally_slice text, uint64_t *out)
{
  uint64_t value = 0;

  if (text.size == 0 || text.size > 19)
    return false;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] < '0' || text.data[i] > '9')
      return false;
    value = value * 10 + (uint64_t) (text.data[i] - '0');
  }
  *out = value;
  return true;
}

#endif /* TALLY_NOTEJSON_H */
