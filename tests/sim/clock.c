/* SPDX-License-Identifier: MIT */
/* What core takes from outside besides messages and bytes: the time, and what
 * libsodium draws at random. */

#include <config.h>

#include <string.h>

#include <sodium.h>

#include "sim.h"

/* ---- chance ------------------------------------------------------------- */

static struct rng chance;

static const char *
chance_name (void)
{
  return "simulated";
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
      fprintf (stderr, "sim: cannot take libsodium's place\n");
  }
  chance.state = seed;
}

/* ---- time --------------------------------------------------------------- */

uint64_t
site_wall_ms (const struct site *site)
{
  if (site->stopped)
    return site->stopped_ms;
  return (uint64_t) ((int64_t) site->world->now_ms + site->off_ms);
}
