/* SPDX-License-Identifier: MIT */
/* Hybrid logical clock: stamps of 96 bits (42 of milliseconds, 24 of
 * counter, 30 of client) that order writes as they happened, as far as
 * anybody could know.  Bytes are big-endian and text is TinyBase's 16
 * characters, so that memcmp, strcmp and time order agree.  The update rules
 * are those of Kulkarni et al., "Logical Physical Clocks" (2014), as TinyBase
 * has them.  Pure: the caller brings the wall clock. */

#ifndef TALLY_HLC_H
#define TALLY_HLC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMP_SIZE 12
#define STAMP_TEXT 16
#define HLC_MS_MAX ((UINT64_C (1) << 42) - 1)
#define HLC_COUNTER_MAX ((UINT32_C (1) << 24) - 1)
#define HLC_CLIENT_MAX ((UINT32_C (1) << 30) - 1)

struct stamp {
  unsigned char bytes[STAMP_SIZE];
};

/* False when a part is out of its range; *out is then left alone. */
bool stamp_make (struct stamp *out, uint64_t ms, uint32_t counter,
                 uint32_t client);
uint64_t stamp_ms (const struct stamp *stamp);
uint32_t stamp_counter (const struct stamp *stamp);
uint32_t stamp_client (const struct stamp *stamp);

/* Below, equal to or above 0 as memcmp. */
int stamp_cmp (const struct stamp *a, const struct stamp *b);

/* The greatest of those that a batch of revisions begins with, but for what is
 * beyond the limit. */
void stamp_raise (struct stamp *greatest, const unsigned char *rev,
                  uint64_t limit_ms);

/* Nobody's: none was given yet. */
static inline bool
stamp_is_zero (const struct stamp *stamp)
{
  for (size_t i = 0; i < STAMP_SIZE; i++)
    if (stamp->bytes[i] != 0)
      return false;
  return true;
}

/* Writes 16 characters and a NUL. */
void stamp_to_text (char out[STAMP_TEXT + 1], const struct stamp *stamp);

/* False when the text is not 16 characters of the alphabet. */
bool stamp_from_text (struct stamp *out, const char *text, size_t size);

/* A clock.  Start with ms 0 and counter -1, or with what was saved. */
struct hlc {
  uint64_t ms;
  int32_t counter; /* -1: no stamp was given in this millisecond */
  uint32_t client;
};

/* Gives the next stamp, above every one given or seen.  A full counter moves
 * on to the next millisecond.  False at the end of time (year 2109). */
bool hlc_next (struct hlc *clock, uint64_t wall_ms, struct stamp *out);

/* Takes notice of another's stamp: later ones of ours will be above it. */
void hlc_seen (struct hlc *clock, uint64_t wall_ms, const struct stamp *seen);

/* TinyBase's client id of a name: the low 30 bits of its 32-bit FNV-1a. */
uint32_t hlc_client_of_name (const char *name, size_t size);

#endif /* TALLY_HLC_H */
