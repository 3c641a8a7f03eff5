/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "chance.h"
#include "rng.h"

static struct rng chance;

static const char *
chance_name (void)
{
  return "chance";
}

static uint32_t
chance_random (void)
{
  return (uint32_t) (rng_next (&chance) >> 32);
}

static void
chance_fill (void *const out, const size_t size)
{
  unsigned char *bytes = out;

  for (size_t at = 0; at < size; at += 8) {
    uint64_t word = rng_next (&chance);
    size_t part = size - at < 8 ? size - at : 8;

    memcpy (bytes + at, &word, part);
  }
}

void
chance_start (uint64_t seed)
{
  static randombytes_implementation implementation = {
    .implementation_name = chance_name,
    .random = chance_random,
    .buf = chance_fill,
  };
  static bool installed;

  if (!installed) {
    installed = randombytes_set_implementation (&implementation) == 0
                && sodium_init () >= 0;
    if (!installed)
      fprintf (stderr, "chance: cannot take libsodium's place\n");
  }
  chance.state = seed;
}
