/* SPDX-License-Identifier: MIT */
/* For drivers with a digest slot: the arithmetic that struct tally_digest
 * asks for, and a record to keep one in.  All of it is here, so that a driver
 * that includes this still links with nothing. */

#ifndef TALLY_DIGEST_H
#define TALLY_DIGEST_H

#include <string.h>

#include <tally/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a record: count, sum, counters, little-endian, without seq. */
#define TALLY_DIGEST_RECORD_SIZE \
  (8 + TALLY_DIGEST_SUM_SIZE + 4 * TALLY_DIGEST_COUNTERS)

/* The bytes of a record, and of the sum, eight at a time. */
static inline uint64_t
tally_digest_load (const unsigned char *from, size_t size)
{
  uint64_t n = 0;

  while (size-- > 0)
    n = n << 8 | from[size];
  return n;
}

static inline void
tally_digest_store (unsigned char *to, uint64_t n, size_t size)
{
  for (size_t i = 0; i < size; i++)
    to[i] = (unsigned char) (n >> (8 * i));
}

/* Adds `by`, 1 or -1, for each bit that is set, and takes it off for each
 * other one.  Modulo 2^32, which signed arithmetic is not. */
static inline void
tally_digest_count (struct tally_digest *digest, const unsigned char *bits,
                    uint32_t by)
{
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++) {
    uint32_t set = (bits[i / 8] >> (i % 8)) & 1u;
    uint32_t n;

    memcpy (&n, &digest->counters[i], sizeof n);
    n += set ? by : 0 - by;
    memcpy (&digest->counters[i], &n, sizeof n);
  }
}

/* fingerprint has TALLY_FINGERPRINT_SIZE bytes. */
static inline void
tally_digest_add (struct tally_digest *digest,
                  const unsigned char *fingerprint)
{
  uint64_t carry = 0;

  for (size_t i = 0; i < TALLY_DIGEST_SUM_SIZE; i += 8) {
    uint64_t a = tally_digest_load (digest->sum + i, 8);
    uint64_t b = tally_digest_load (fingerprint + i, 8);
    uint64_t n = a + b + carry;

    carry = carry ? n <= a : n < a;
    tally_digest_store (digest->sum + i, n, 8);
  }
  tally_digest_count (digest, fingerprint + TALLY_DIGEST_SUM_SIZE, 1);
  digest->count++;
}

static inline void
tally_digest_subtract (struct tally_digest *digest,
                       const unsigned char *fingerprint)
{
  uint64_t borrow = 0;

  for (size_t i = 0; i < TALLY_DIGEST_SUM_SIZE; i += 8) {
    uint64_t a = tally_digest_load (digest->sum + i, 8);
    uint64_t b = tally_digest_load (fingerprint + i, 8);

    tally_digest_store (digest->sum + i, a - b - borrow, 8);
    borrow = borrow ? a <= b : a < b;
  }
  tally_digest_count (digest, fingerprint + TALLY_DIGEST_SUM_SIZE,
                      (uint32_t) -1);
  digest->count--;
}

/* Follows an entry that is written.  was_live: under its id a live document
 * was stored until now.  0: a fingerprint that is needed is not there, and the
 * digest is not known any more; else 1. */
static inline int
tally_digest_entry (struct tally_digest *digest,
                    const struct tally_entry *entry, int was_live)
{
  int is_live = !(entry->flags & TALLY_ENTRY_FORGET)
                && !(entry->doc.flags & TALLY_DOC_DELETED);

  if ((was_live && !entry->subtract) || (is_live && !entry->add))
    return 0;
  if (was_live)
    tally_digest_subtract (digest, entry->subtract);
  if (is_live)
    tally_digest_add (digest, entry->add);
  return 1;
}

static inline void
tally_digest_encode (unsigned char *record, const struct tally_digest *digest)
{
  tally_digest_store (record, digest->count, 8);
  memcpy (record + 8, digest->sum, TALLY_DIGEST_SUM_SIZE);
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++)
    tally_digest_store (record + 8 + TALLY_DIGEST_SUM_SIZE + 4 * i,
                        (uint32_t) digest->counters[i], 4);
}

static inline void
tally_digest_decode (struct tally_digest *digest, const unsigned char *record)
{
  memset (digest, 0, sizeof *digest);
  digest->count = tally_digest_load (record, 8);
  memcpy (digest->sum, record + 8, TALLY_DIGEST_SUM_SIZE);
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++) {
    uint32_t n = (uint32_t) tally_digest_load (
        record + 8 + TALLY_DIGEST_SUM_SIZE + 4 * i, 4);

    memcpy (&digest->counters[i], &n, sizeof n);
  }
}

#ifdef __cplusplus
}
#endif

#endif /* TALLY_DIGEST_H */
