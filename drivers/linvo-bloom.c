/* SPDX-License-Identifier: MIT */
/* LevelDB asks for a filter for each two kilobytes of a table.  What is
 * written is read on other machines: so the hash is the same everywhere, and
 * another one would need another name.  An empty filter knows nothing: it is
 * of keys that are not counted, or there was no memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "linvo-bloom.h"
#include "linvo-keys.h"

#define NAME "tally.bloom.1"
#define BITS 10 /* for each key */
#define PROBES 7
#define LEAST 8 /* bytes: a filter of a few bits says yes to everything */

static bool
is_counted (const char *key, size_t size)
{
  return size > 0 && key[0] != LINVO_SEQ && key[0] != LINVO_STAMP;
}

/* FNV-1a, and a mix of what comes out, whose low bits are weak. */
static uint64_t
hash_of (const char *key, size_t size)
{
  uint64_t hash = UINT64_C (0xcbf29ce484222325);

  for (size_t i = 0; i < size; i++)
    hash = (hash ^ (unsigned char) key[i]) * UINT64_C (0x100000001b3);
  hash = (hash ^ hash >> 33) * UINT64_C (0xff51afd7ed558ccd);
  return hash ^ hash >> 33;
}

static size_t
probe (uint64_t hash, unsigned i, size_t bits)
{
  uint32_t first = (uint32_t) hash, step = (uint32_t) (hash >> 32) | 1;

  return (size_t) ((uint64_t) (uint32_t) (first + i * step) * bits >> 32);
}

/* LevelDB frees it. */
static char *
create_filter (void *ctx, const char *const *keys, const size_t *sizes, int n,
               size_t *filter_size)
{
  size_t counted = 0, size;
  char *filter;

  (void) ctx;
  for (int i = 0; i < n; i++)
    counted += is_counted (keys[i], sizes[i]);
  size = (counted * BITS + 7) / 8;
  if (counted > 0 && size < LEAST)
    size = LEAST;
  filter = calloc (1, size + 1);
  *filter_size = filter ? size : 0;
  for (int i = 0; filter && i < n; i++) {
    uint64_t hash;

    if (!is_counted (keys[i], sizes[i]))
      continue;
    hash = hash_of (keys[i], sizes[i]);
    for (unsigned k = 0; k < PROBES; k++) {
      size_t at = probe (hash, k, size * 8);

      filter[at / 8] = (char) (filter[at / 8] | 1 << at % 8);
    }
  }
  return filter;
}

static uint8_t
key_may_match (void *ctx, const char *key, size_t size, const char *filter,
               size_t filter_size)
{
  uint64_t hash;

  (void) ctx;
  if (!is_counted (key, size) || filter_size == 0)
    return 1;
  hash = hash_of (key, size);
  for (unsigned k = 0; k < PROBES; k++) {
    size_t at = probe (hash, k, filter_size * 8);

    if (!((unsigned char) filter[at / 8] >> at % 8 & 1))
      return 0;
  }
  return 1;
}

static const char *
name (void *ctx)
{
  (void) ctx;
  return NAME;
}

static void
destroy (void *ctx)
{
  (void) ctx;
}

leveldb_filterpolicy_t *
linvo_bloom_create (void)
{
  return leveldb_filterpolicy_create (NULL, destroy, create_filter,
                                      key_may_match, name);
}
