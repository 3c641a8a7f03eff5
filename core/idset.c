/* SPDX-License-Identifier: MIT */
/* Open addressing over hashes of 120 bits: two names are not told apart once
 * in 2^60 of them. */

#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hashpart.h"
#include "idset.h"

#define HASH_SIZE 15
#define USED 0x80

static void
hash_parts (const struct idset *set, const struct tally_slice *parts, size_t n,
            unsigned char hash[16])
{
  crypto_generichash_state state;

  crypto_generichash_init (&state, set->key, sizeof set->key, 16);
  for (size_t i = 0; i < n; i++)
    hash_part (&state, parts[i].data, parts[i].size);
  crypto_generichash_final (&state, hash, 16);
}

static unsigned char *
probe (const struct idset *set, const unsigned char *hash)
{
  uint64_t start;
  size_t mask = set->capacity - 1, at;

  memcpy (&start, hash, sizeof start);
  at = (size_t) start & mask;
  while (set->slots[at][HASH_SIZE]
         && memcmp (set->slots[at], hash, HASH_SIZE) != 0)
    at = (at + 1) & mask;
  return set->slots[at];
}

static bool
grow (struct idset *set)
{
  struct idset bigger = *set;

  bigger.capacity = set->capacity ? set->capacity * 2 : 64;
  bigger.slots = calloc (bigger.capacity, sizeof *bigger.slots);
  if (!bigger.slots)
    return false;
  for (size_t i = 0; i < set->capacity; i++)
    if (set->slots[i][HASH_SIZE])
      memcpy (probe (&bigger, set->slots[i]), set->slots[i],
              sizeof *set->slots);
  free (set->slots);
  *set = bigger;
  return true;
}

unsigned char *
idset_find (const struct idset *set, const struct tally_slice *parts, size_t n)
{
  unsigned char hash[16], *slot;

  if (set->count == 0)
    return NULL;
  hash_parts (set, parts, n, hash);
  slot = probe (set, hash);
  return slot[HASH_SIZE] ? &slot[HASH_SIZE] : NULL;
}

unsigned char *
idset_add (struct idset *set, const struct tally_slice *parts, size_t n)
{
  unsigned char hash[16], *slot;

  /* Who cannot know the key cannot choose names that collide. */
  if (set->capacity == 0)
    randombytes_buf (set->key, sizeof set->key);
  if (set->count + 1 > set->capacity / 4 * 3 && !grow (set))
    return NULL;
  hash_parts (set, parts, n, hash);
  slot = probe (set, hash);
  if (!slot[HASH_SIZE]) {
    memcpy (slot, hash, HASH_SIZE);
    slot[HASH_SIZE] = USED;
    set->count++;
  }
  return &slot[HASH_SIZE];
}

void
idset_free (struct idset *set)
{
  free (set->slots);
  memset (set, 0, sizeof *set);
}
