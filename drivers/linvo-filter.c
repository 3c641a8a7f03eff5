/* SPDX-License-Identifier: MIT */
/* Sixteen bits or more, and seven probes, for each id.  Whoever chooses ids so
 * that they fall together makes reads slower, and nothing wrong. */

#include <stdlib.h>
#include <string.h>

#include "linvo-filter.h"

#define PROBES 7

/* A power of two, and ten times as many as ids or more. */
static uint64_t
bits_of (int which)
{
  return (UINT64_C (1) << 20) << which;
}

static uint64_t
ids_of (int which)
{
  return (UINT64_C (1) << 16) << which;
}

static uint64_t
hash_of (uint32_t number, const struct tally_slice *id)
{
  uint64_t hash = number * UINT64_C (0x9e3779b97f4a7c15) ^ id->size, word;

  for (size_t i = 0; i < id->size; i += 8) {
    size_t left = id->size - i;

    word = 0;
    memcpy (&word, id->data + i, left < 8 ? left : 8);
    hash = (hash ^ word) * UINT64_C (0xbf58476d1ce4e5b9);
    hash ^= hash >> 32;
  }
  hash *= UINT64_C (0x94d049bb133111eb);
  return hash ^ hash >> 31;
}

static uint64_t
probe (uint64_t hash, unsigned i, int which)
{
  return (hash + i * (hash >> 32 | 1)) & (bits_of (which) - 1);
}

void
linvo_filter_start (struct linvo_filter *filter, bool empty)
{
  for (int i = 0; i < LINVO_FILTERS; i++)
    atomic_init (&filter->bits[i], NULL);
  filter->n = 0;
  atomic_init (&filter->on, empty);
}

void
linvo_filter_free (struct linvo_filter *filter)
{
  for (int i = 0; i < LINVO_FILTERS; i++)
    free (atomic_load (&filter->bits[i]));
}

/* The last one that is made, or another one when that is full; -1: none. */
static int
find_room (struct linvo_filter *filter)
{
  atomic_uint_least64_t *bits;
  int last = LINVO_FILTERS - 1;

  while (last > 0 && !atomic_load (&filter->bits[last]))
    last--;
  bits = atomic_load (&filter->bits[last]);
  if (bits && filter->n < ids_of (last))
    return last;
  if (bits && ++last == LINVO_FILTERS)
    return -1;
  bits = calloc (bits_of (last) / 64, sizeof *bits);
  if (!bits)
    return -1;
  filter->n = 0;
  atomic_store (&filter->bits[last], bits);
  return last;
}

void
linvo_filter_add (struct linvo_filter *filter, uint32_t number,
                  const struct tally_slice *id)
{
  atomic_uint_least64_t *bits;
  uint64_t hash;
  int which;

  if (!atomic_load (&filter->on))
    return;
  which = find_room (filter);
  if (which < 0) {
    atomic_store (&filter->on, false);
    return;
  }
  bits = atomic_load (&filter->bits[which]);
  hash = hash_of (number, id);
  for (unsigned i = 0; i < PROBES; i++) {
    uint64_t at = probe (hash, i, which);

    atomic_fetch_or_explicit (&bits[at / 64], UINT64_C (1) << at % 64,
                              memory_order_relaxed);
  }
  filter->n++;
}

static bool
has (const atomic_uint_least64_t *bits, uint64_t hash, int which)
{
  for (unsigned i = 0; i < PROBES; i++) {
    uint64_t at = probe (hash, i, which);

    if (!(atomic_load_explicit (&bits[at / 64], memory_order_relaxed)
              >> at % 64
          & 1))
      return false;
  }
  return true;
}

bool
linvo_filter_lacks (struct linvo_filter *filter, uint32_t number,
                    const struct tally_slice *id)
{
  uint64_t hash;

  if (!atomic_load (&filter->on))
    return false;
  hash = hash_of (number, id);
  for (int i = 0; i < LINVO_FILTERS; i++) {
    const atomic_uint_least64_t *bits = atomic_load (&filter->bits[i]);

    if (bits && has (bits, hash, i))
      return false;
  }
  return true;
}
