/* SPDX-License-Identifier: MIT */
/* Items and cells.
 *
 * With probability 1 / (1 + j/2) for each cell j, the chance that an item of
 * cell i is in none of the cells up to j is the product of all k / (k + 2)
 * between: (i+1)(i+2) / ((j+1)(j+2)).  So the next cell for a uniform draw u
 * below 2^32 is the first j with (j+1)(j+2) >= (i+1)(i+2) * 2^32 / u, and a
 * whole root finds it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hlc.h"
#include "sketch.h"

/* ---- keys and items ----------------------------------------------------- */

static uint64_t
read64 (const unsigned char *in)
{
  uint64_t value = 0;

  for (unsigned i = 0; i < 8; i++)
    value |= (uint64_t) in[i] << (8 * i);
  return value;
}

static uint64_t
siphash (const unsigned char key[16], const void *data, size_t size)
{
  unsigned char out[crypto_shorthash_BYTES];

  crypto_shorthash (out, data, size, key);
  return read64 (out);
}

void
sketch_key_init (struct sketch_key *key,
                 const unsigned char nonce[SKETCH_NONCE_SIZE])
{
  unsigned char all[48];

  crypto_generichash (all, sizeof all, (const unsigned char *) "sketch", 6,
                      nonce, SKETCH_NONCE_SIZE);
  memcpy (key->id, all, 16);
  memcpy (key->rev, all + 16, 16);
  memcpy (key->item, all + 32, 16);
}

static void
write_low (unsigned char *out, uint64_t value, size_t size)
{
  for (size_t i = 0; i < size; i++)
    out[i] = (unsigned char) (value >> (8 * i));
}

void
sketch_id (unsigned char out[SKETCH_ID_SIZE], const struct sketch_key *key,
           struct tally_slice id)
{
  write_low (out, siphash (key->id, id.data, id.size), SKETCH_ID_SIZE);
}

void
sketch_item (struct sketch_item *item, const struct sketch_key *key,
             struct tally_slice id, const unsigned char rev[TALLY_REV_SIZE])
{
  sketch_when (item->when, rev);
  sketch_id (item->id, key, id);
  write_low (item->rev, siphash (key->rev, rev, TALLY_REV_SIZE),
             SKETCH_REV_SIZE);
}

void
sketch_when (unsigned char out[SKETCH_WHEN_SIZE],
             const unsigned char stamp[TALLY_STAMP_SIZE])
{
  struct stamp from;
  uint64_t ms;
  uint32_t client;

  memcpy (from.bytes, stamp, sizeof from.bytes);
  ms = stamp_ms (&from);
  client = stamp_client (&from);
  for (unsigned i = 0; i < 5; i++)
    out[i] = (unsigned char) (ms >> (34 - 8 * i));
  out[5] = (unsigned char) (ms << 6 | client >> 24);
  for (unsigned i = 6; i < 9; i++)
    out[i] = (unsigned char) (client >> (64 - 8 * i));
}

void
sketch_stamp (unsigned char out[TALLY_STAMP_SIZE],
              const unsigned char when[SKETCH_WHEN_SIZE])
{
  struct stamp stamp = { { 0 } };
  uint64_t ms = 0;
  uint32_t client = when[5] & 0x3f;

  for (unsigned i = 0; i < 5; i++)
    ms = ms << 8 | when[i];
  for (unsigned i = 6; i < 9; i++)
    client = client << 8 | when[i];
  stamp_make (&stamp, ms << 2 | when[5] >> 6, 0, client);
  memcpy (out, stamp.bytes, sizeof stamp.bytes);
}

uint64_t
sketch_hash (const struct sketch_key *key, const struct sketch_item *item)
{
  return siphash (key->item, item, SKETCH_ITEM_SIZE);
}

/* ---- which cells -------------------------------------------------------- */

/* The root of a number, rounded down.  The first guess is above it by less
 * than a twentieth, two steps of Newton's bring it to within one. */
static uint32_t
root (uint32_t x)
{
  unsigned shift = (unsigned) __builtin_clz (x | 1) & ~1u;
  uint32_t y = x << shift, r = (y >> 17) + 17000;

  r = (r + y / r) / 2;
  r = (r + y / r) / 2;
  r >>= shift / 2;
  while ((uint64_t) r * r > x)
    r--;
  while ((uint64_t) (r + 1) * (r + 1) <= x)
    r++;
  return r;
}

size_t
sketch_next (size_t at, uint32_t draw, size_t end)
{
  uint64_t from = (uint64_t) (at + 1) * (at + 2) << 32;
  uint64_t most = (uint64_t) end * (end + 1);
  uint64_t u = draw ? draw : 1;
  uint32_t least, r;

  /* (end - 1) is the last cell that counts. */
  if (from > u * most)
    return end;
  least = (uint32_t) ((from + u - 1) / u);
  r = root (least);
  return least <= (uint64_t) r * (r + 1) ? r - 1 : r;
}

/* Steele, Lea and Flood's SplitMix: one number after the other from a hash. */
static uint32_t
draw (uint64_t *state)
{
  uint64_t z = *state += UINT64_C (0x9e3779b97f4a7c15);

  z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
  return (uint32_t) (z >> 32);
}

struct sketch_walk
sketch_walk (uint64_t hash, size_t end)
{
  struct sketch_walk walk = { 0, end, hash };

  return walk;
}

void
sketch_walk_on (struct sketch_walk *walk)
{
  walk->at = sketch_next (walk->at, draw (&walk->state), walk->end);
}

/* ---- cells -------------------------------------------------------------- */

bool
sketch_init (struct sketch *sketch,
             const unsigned char nonce[SKETCH_NONCE_SIZE], size_t first,
             size_t n)
{
  memset (sketch, 0, sizeof *sketch);
  if (first > SKETCH_CELLS_MAX || n > SKETCH_CELLS_MAX - first)
    return false;
  sketch->cells = calloc (n + 1, sizeof *sketch->cells);
  sketch_key_init (&sketch->key, nonce);
  sketch->first = first;
  sketch->n = n;
  return sketch->cells != NULL;
}

void
sketch_free (struct sketch *sketch)
{
  free (sketch->cells);
  memset (sketch, 0, sizeof *sketch);
}

/* An item as numbers. */
static void
load (uint64_t words[3], const struct sketch_item *item)
{
  unsigned char bytes[24] = { 0 };

  memcpy (bytes, item, SKETCH_ITEM_SIZE);
  for (unsigned i = 0; i < 3; i++)
    words[i] = read64 (bytes + 8 * i);
}

static void
change (struct sketch *sketch, const struct sketch_item *item, uint32_t by)
{
  uint64_t hash = sketch_hash (&sketch->key, item), words[3];
  struct sketch_walk walk = sketch_walk (hash, sketch->first + sketch->n);

  load (words, item);
  for (; walk.at < walk.end; sketch_walk_on (&walk)) {
    struct sketch_cell *cell;

    if (walk.at < sketch->first)
      continue;
    cell = &sketch->cells[walk.at - sketch->first];
    cell->sum[0] ^= words[0];
    cell->sum[1] ^= words[1];
    cell->sum[2] ^= words[2];
    cell->check ^= sketch_check (hash);
    cell->count = (cell->count + by) & 3;
  }
}

void
sketch_add (struct sketch *sketch, const struct sketch_item *item)
{
  change (sketch, item, 1);
}

void
sketch_subtract (struct sketch *sketch, const struct sketch_item *item)
{
  change (sketch, item, 3);
}

void
sketch_write (const struct sketch *sketch, unsigned char *out)
{
  for (size_t i = 0; i < sketch->n; i++, out += SKETCH_CELL_SIZE) {
    const struct sketch_cell *cell = &sketch->cells[i];

    write_low (out, cell->sum[0], 8);
    write_low (out + 8, cell->sum[1], 8);
    write_low (out + 16, cell->sum[2], SKETCH_ITEM_SIZE - 16);
    write_low (out + SKETCH_ITEM_SIZE, cell->check << 2 | cell->count, 3);
  }
}

void
sketch_read (struct sketch *sketch, const unsigned char *in)
{
  for (size_t i = 0; i < sketch->n; i++, in += SKETCH_CELL_SIZE) {
    struct sketch_cell *cell = &sketch->cells[i];
    unsigned char bytes[32] = { 0 };

    memcpy (bytes, in, SKETCH_CELL_SIZE);
    cell->sum[0] = read64 (bytes);
    cell->sum[1] = read64 (bytes + 8);
    cell->sum[2] = read64 (bytes + 16) & UINT64_C (0xffffff);
    cell->check = (uint32_t) read64 (bytes + SKETCH_ITEM_SIZE) & 0xffffff;
    cell->count = cell->check & 3;
    cell->check >>= 2;
  }
}
