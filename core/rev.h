/* SPDX-License-Identifier: MIT */
/* Revisions as people see them: the stamp's 16 characters, a dot, and the hash
 * in hex. */

#ifndef TALLY_REV_H
#define TALLY_REV_H

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include <tally/tally.h>

#include "hlc.h"

#define REV_HASH_SIZE (TALLY_REV_SIZE - STAMP_SIZE)

/* Of what anybody may see: sodium_bin2hex takes care not to leak by its time
 * what it writes, and is slower than the rest of a small read. */
static inline void
rev_hash_to_text (char out[2 * REV_HASH_SIZE + 1], const unsigned char *hash)
{
  static const char digits[] = "0123456789abcdef";

  for (size_t i = 0; i < REV_HASH_SIZE; i++) {
    out[2 * i] = digits[hash[i] >> 4];
    out[2 * i + 1] = digits[hash[i] & 15];
  }
  out[2 * REV_HASH_SIZE] = '\0';
}

static inline void
rev_to_text (char out[TALLY_REV_TEXT], const unsigned char rev[TALLY_REV_SIZE])
{
  struct stamp stamp;

  memcpy (stamp.bytes, rev, STAMP_SIZE);
  stamp_to_text (out, &stamp);
  out[STAMP_TEXT] = '.';
  rev_hash_to_text (out + STAMP_TEXT + 1, rev + STAMP_SIZE);
}

static inline bool
rev_from_text (unsigned char rev[TALLY_REV_SIZE], const char *text)
{
  struct stamp stamp;
  size_t size;

  if (strlen (text) != TALLY_REV_TEXT - 1 || text[STAMP_TEXT] != '.'
      || !stamp_from_text (&stamp, text, STAMP_TEXT)
      || sodium_hex2bin (rev + STAMP_SIZE, REV_HASH_SIZE,
                         text + STAMP_TEXT + 1, 2 * REV_HASH_SIZE, NULL, &size,
                         NULL)
             != 0
      || size != REV_HASH_SIZE)
    return false;
  memcpy (rev, stamp.bytes, STAMP_SIZE);
  return true;
}

#endif /* TALLY_REV_H */
