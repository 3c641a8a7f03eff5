/* SPDX-License-Identifier: MIT */
/* Ids come from peers, so the hash is keyed: nobody can choose ids that all
 * fall into one slot. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "idmap.h"
#include "slice.h"

/* Keyed by where the table lies, which no peer knows. */
static uint64_t
hash_id (const struct idmap *map, struct tally_slice id)
{
  unsigned char key[crypto_shorthash_KEYBYTES] = { 0 };
  unsigned char hash[crypto_shorthash_BYTES];
  uint64_t value;

  memcpy (key, &map->slots, sizeof map->slots);
  crypto_shorthash (hash, (const unsigned char *) id.data, id.size, key);
  memcpy (&value, hash, sizeof value);
  return value;
}

static struct idmap_slot *
probe (const struct idmap *map, struct tally_slice id)
{
  size_t mask = map->capacity - 1;
  size_t at = (size_t) hash_id (map, id) & mask;

  while (map->slots[at].id.data && !slice_equal (map->slots[at].id, id))
    at = (at + 1) & mask;
  return &map->slots[at];
}

static bool
grow (struct idmap *map)
{
  struct idmap bigger = { NULL, map->capacity ? map->capacity * 2 : 64,
                          map->count };

  bigger.slots = calloc (bigger.capacity, sizeof *bigger.slots);
  if (!bigger.slots)
    return false;
  for (size_t i = 0; i < map->capacity; i++)
    if (map->slots[i].id.data)
      *probe (&bigger, map->slots[i].id) = map->slots[i];
  free (map->slots);
  *map = bigger;
  return true;
}

bool
idmap_add (struct idmap *map, struct tally_slice id, size_t index,
           size_t *found)
{
  struct idmap_slot *slot;

  if (map->count + 1 > map->capacity / 2 && !grow (map))
    return false;
  slot = probe (map, id);
  if (!slot->id.data) {
    slot->id = id;
    slot->index = index;
    map->count++;
  }
  if (found)
    *found = slot->index;
  return true;
}

size_t
idmap_find (const struct idmap *map, struct tally_slice id)
{
  const struct idmap_slot *slot;

  if (map->count == 0)
    return IDMAP_NONE;
  slot = probe (map, id);
  return slot->id.data ? slot->index : IDMAP_NONE;
}

void
idmap_clear (struct idmap *map)
{
  if (map->capacity > 0)
    memset (map->slots, 0, map->capacity * sizeof *map->slots);
  map->count = 0;
}

void
idmap_free (struct idmap *map)
{
  free (map->slots);
  memset (map, 0, sizeof *map);
}
