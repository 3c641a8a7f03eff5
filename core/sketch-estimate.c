/* SPDX-License-Identifier: MIT */
/* How much differs, from sums of signs, and how many cells that takes. */

#include <config.h>

#include <string.h>

#include "sketch.h"

#define BITS 10
#define MASK ((1u << BITS) - 1)

void
sketch_pack (unsigned char out[SKETCH_PACKED_SIZE],
             const int32_t counters[SKETCH_COUNTERS])
{
  uint32_t held = 0;
  unsigned bits = 0;

  for (size_t i = 0; i < SKETCH_COUNTERS; i++) {
    held |= ((uint32_t) counters[i] & MASK) << bits;
    for (bits += BITS; bits >= 8; bits -= 8) {
      *out++ = (unsigned char) held;
      held >>= 8;
    }
  }
}

/* The difference of two numbers of which ten bits are known. */
static int32_t
difference (uint32_t a, uint32_t b)
{
  int32_t d = (int32_t) ((a - b) & MASK);

  return d > (int32_t) MASK / 2 ? d - (int32_t) MASK - 1 : d;
}

uint64_t
sketch_estimate (const unsigned char packed[SKETCH_PACKED_SIZE],
                 const int32_t counters[SKETCH_COUNTERS])
{
  uint32_t held = 0;
  unsigned bits = 0;
  uint64_t squares = 0;

  for (size_t i = 0; i < SKETCH_COUNTERS; i++) {
    int32_t d;

    for (; bits < BITS; bits += 8)
      held |= (uint32_t) *packed++ << bits;
    d = difference (held & MASK, (uint32_t) counters[i]);
    squares += (uint64_t) ((int64_t) d * d);
    held >>= BITS;
    bits -= BITS;
  }
  return (squares + SKETCH_COUNTERS - 1) / SKETCH_COUNTERS;
}

/* A hash has 64 signs; the others are those of its product. */
void
sketch_count (int32_t counters[SKETCH_COUNTERS], uint64_t hash)
{
  uint64_t other = (hash ^ hash >> 31) * UINT64_C (0xbf58476d1ce4e5b9);

  other ^= other >> 29;
  for (unsigned i = 0; i < 64; i++) {
    counters[i] += (int32_t) (hash >> i & 1) * 2 - 1;
    counters[64 + i] += (int32_t) (other >> i & 1) * 2 - 1;
  }
}

/* An estimate is off by an eighth, and few items need more cells for each than
 * many do.  Where there are many, the next cells are asked for rather than
 * more than need be: another round trip costs less. */
size_t
sketch_cells (uint64_t estimate)
{
  uint64_t cells =
      estimate < 1000 ? estimate * 7 / 4 + 20 : estimate * 6 / 5 + 612;

  return cells < SKETCH_CELLS_MAX ? (size_t) cells : SKETCH_CELLS_MAX;
}

size_t
sketch_more_cells (size_t had)
{
  size_t more = had / 10 + 32;

  return more < SKETCH_CELLS_MAX - had ? more : SKETCH_CELLS_MAX - had;
}
