/* SPDX-License-Identifier: MIT */
/* Stamps as bytes and text, and the clock that gives them. */

#include <config.h>

#include <string.h>

#include "hlc.h"

static const char alphabet[] =
    "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

static void
store_be (unsigned char *out, uint64_t value, size_t size)
{
  while (size > 0) {
    out[--size] = (unsigned char) (value & 0xff);
    value >>= 8;
  }
}

static uint64_t
load_be (const unsigned char *in, size_t size)
{
  uint64_t value = 0;

  for (size_t i = 0; i < size; i++)
    value = value << 8 | in[i];
  return value;
}

/* The 96 bits are taken as two halves of 48: the high one holds 42 bits of
 * time and 6 of the counter, the low one 18 of the counter and 30 of the
 * client. */
bool
stamp_make (struct stamp *out, uint64_t ms, uint32_t counter, uint32_t client)
{
  if (ms > HLC_MS_MAX || counter > HLC_COUNTER_MAX || client > HLC_CLIENT_MAX)
    return false;
  store_be (out->bytes, ms << 6 | counter >> 18, 6);
  store_be (out->bytes + 6, (uint64_t) (counter & 0x3ffff) << 30 | client, 6);
  return true;
}

uint64_t
stamp_ms (const struct stamp *stamp)
{
  return load_be (stamp->bytes, 6) >> 6;
}

uint32_t
stamp_counter (const struct stamp *stamp)
{
  uint64_t high = load_be (stamp->bytes, 6);
  uint64_t low = load_be (stamp->bytes + 6, 6);

  return (uint32_t) ((high & 0x3f) << 18 | low >> 30);
}

uint32_t
stamp_client (const struct stamp *stamp)
{
  return (uint32_t) (load_be (stamp->bytes + 8, 4) & HLC_CLIENT_MAX);
}

int
stamp_cmp (const struct stamp *a, const struct stamp *b)
{
  return memcmp (a->bytes, b->bytes, STAMP_SIZE);
}

void
stamp_raise (struct stamp *greatest, const unsigned char *rev,
             uint64_t limit_ms)
{
  struct stamp stamp;

  memcpy (stamp.bytes, rev, STAMP_SIZE);
  if (stamp_cmp (&stamp, greatest) > 0 && stamp_ms (&stamp) <= limit_ms)
    *greatest = stamp;
}

void
stamp_to_text (char out[STAMP_TEXT + 1], const struct stamp *stamp)
{
  /* Three bytes are four characters of six bits. */
  for (size_t i = 0; i < 4; i++) {
    const unsigned char *b = stamp->bytes + 3 * i;

    out[4 * i] = alphabet[b[0] >> 2];
    out[4 * i + 1] = alphabet[(b[0] & 3) << 4 | b[1] >> 4];
    out[4 * i + 2] = alphabet[(b[1] & 15) << 2 | b[2] >> 6];
    out[4 * i + 3] = alphabet[b[2] & 0x3f];
  }
  out[STAMP_TEXT] = '\0';
}

bool
stamp_from_text (struct stamp *out, const char *text, size_t size)
{
  struct stamp stamp;

  if (size != STAMP_TEXT)
    return false;
  for (size_t i = 0; i < 4; i++) {
    uint64_t bits = 0;

    for (size_t j = 0; j < 4; j++) {
      char c = text[4 * i + j];
      const char *at = c ? strchr (alphabet, c) : NULL;

      if (!at)
        return false;
      bits = bits << 6 | (uint64_t) (at - alphabet);
    }
    store_be (stamp.bytes + 3 * i, bits, 3);
  }
  *out = stamp;
  return true;
}

bool
hlc_next (struct hlc *clock, uint64_t wall_ms, struct stamp *out)
{
  uint64_t ms = clock->ms;
  int32_t counter;

  if (wall_ms > ms) {
    ms = wall_ms;
    counter = 0;
  } else if (clock->counter < (int32_t) HLC_COUNTER_MAX)
    counter = clock->counter + 1;
  else {
    ms++;
    counter = 0;
  }
  if (!stamp_make (out, ms, (uint32_t) counter, clock->client))
    return false;
  clock->ms = ms;
  clock->counter = counter;
  return true;
}

void
hlc_seen (struct hlc *clock, uint64_t wall_ms, const struct stamp *seen)
{
  uint64_t seen_ms = stamp_ms (seen);
  int32_t seen_counter = (int32_t) stamp_counter (seen);
  uint64_t ms = clock->ms;
  int32_t counter = clock->counter;

  if (wall_ms > ms) {
    ms = wall_ms;
    counter = -1;
  }
  if (seen_ms > ms) {
    ms = seen_ms;
    counter = seen_counter;
  } else if (seen_ms == ms && seen_counter > counter)
    counter = seen_counter;
  clock->ms = ms;
  clock->counter = counter;
}

uint32_t
hlc_client_of_name (const char *name, size_t size)
{
  uint32_t hash = UINT32_C (2166136261);

  for (size_t i = 0; i < size; i++) {
    hash ^= (unsigned char) name[i];
    hash *= UINT32_C (16777619);
  }
  return hash & HLC_CLIENT_MAX;
}
