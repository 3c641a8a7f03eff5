/* SPDX-License-Identifier: MIT */
/* One part of what is hashed: its length, then its bytes, so that no two
 * lists of parts are the same bytes. */

#ifndef TALLY_HASHPART_H
#define TALLY_HASHPART_H

#include <stddef.h>

#include <sodium.h>

static inline void
hash_part (crypto_generichash_state *hash, const void *data, size_t size)
{
  unsigned char length[4] = { (unsigned char) (size >> 24),
                              (unsigned char) (size >> 16),
                              (unsigned char) (size >> 8),
                              (unsigned char) size };

  crypto_generichash_update (hash, length, sizeof length);
  if (size > 0)
    crypto_generichash_update (hash, data, size);
}

#endif /* TALLY_HASHPART_H */
