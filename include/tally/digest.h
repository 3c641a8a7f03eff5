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

/* The bytes of a record, and of the sum, eight or four at a time; spelt out,
 * since compilers then make one load or store of it. */
static inline uint64_t
tally_digest_load_four (const unsigned char *from)
{
  return (uint64_t) from[0] | (uint64_t) from[1] << 8
         | (uint64_t) from[2] << 16 | (uint64_t) from[3] << 24;
}

static inline uint64_t
tally_digest_load (const unsigned char *from)
{
  return (uint64_t) from[0] | (uint64_t) from[1] << 8
         | (uint64_t) from[2] << 16 | (uint64_t) from[3] << 24
         | (uint64_t) from[4] << 32 | (uint64_t) from[5] << 40
         | (uint64_t) from[6] << 48 | (uint64_t) from[7] << 56;
}

static inline void
tally_digest_store_four (unsigned char *to, uint64_t n)
{
  to[0] = (unsigned char) n;
  to[1] = (unsigned char) (n >> 8);
  to[2] = (unsigned char) (n >> 16);
  to[3] = (unsigned char) (n >> 24);
}

static inline void
tally_digest_store (unsigned char *to, uint64_t n)
{
  to[0] = (unsigned char) n;
  to[1] = (unsigned char) (n >> 8);
  to[2] = (unsigned char) (n >> 16);
  to[3] = (unsigned char) (n >> 24);
  to[4] = (unsigned char) (n >> 32);
  to[5] = (unsigned char) (n >> 40);
  to[6] = (unsigned char) (n >> 48);
  to[7] = (unsigned char) (n >> 56);
}

/* What four bits add to four counters: 1 for each that is set, and -1 for each
 * other one, modulo 2^32, which signed arithmetic is not. */
#define TALLY_DIGEST_SIGN(bits, i) (((bits) >> (i) &1u) ? 1u : 0xffffffffu)
#define TALLY_DIGEST_SIGNS(bits)                                 \
  {                                                              \
    TALLY_DIGEST_SIGN (bits, 0), TALLY_DIGEST_SIGN (bits, 1),    \
        TALLY_DIGEST_SIGN (bits, 2), TALLY_DIGEST_SIGN (bits, 3) \
  }

/* Adds that of the next four bits to the next four counters.  This is done for
 * every document that is written: so at once where the compiler can. */
static inline void
tally_digest_count_four (int32_t *counters, const uint32_t *signs)
{
#ifdef __GNUC__
  typedef uint32_t four __attribute__ ((vector_size (16)));
  four n, by;

  memcpy (&n, counters, sizeof n);
  memcpy (&by, signs, sizeof by);
  n += by;
  memcpy (counters, &n, sizeof n);
#else
  for (size_t i = 0; i < 4; i++) {
    uint32_t n;

    memcpy (&n, &counters[i], sizeof n);
    n += signs[i];
    memcpy (&counters[i], &n, sizeof n);
  }
#endif
}

/* Counts the bits, or what they are not, which takes them off again. */
static inline void
tally_digest_count (struct tally_digest *digest, const unsigned char *bits,
                    unsigned char inverted)
{
  static const uint32_t signs[16][4] = {
    TALLY_DIGEST_SIGNS (0),  TALLY_DIGEST_SIGNS (1),  TALLY_DIGEST_SIGNS (2),
    TALLY_DIGEST_SIGNS (3),  TALLY_DIGEST_SIGNS (4),  TALLY_DIGEST_SIGNS (5),
    TALLY_DIGEST_SIGNS (6),  TALLY_DIGEST_SIGNS (7),  TALLY_DIGEST_SIGNS (8),
    TALLY_DIGEST_SIGNS (9),  TALLY_DIGEST_SIGNS (10), TALLY_DIGEST_SIGNS (11),
    TALLY_DIGEST_SIGNS (12), TALLY_DIGEST_SIGNS (13), TALLY_DIGEST_SIGNS (14),
    TALLY_DIGEST_SIGNS (15),
  };

  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS / 8; i++) {
    unsigned char byte = (unsigned char) (bits[i] ^ inverted);

    tally_digest_count_four (digest->counters + 8 * i, signs[byte & 15]);
    tally_digest_count_four (digest->counters + 8 * i + 4, signs[byte >> 4]);
  }
}

/* fingerprint has TALLY_FINGERPRINT_SIZE bytes. */
static inline void
tally_digest_add (struct tally_digest *digest,
                  const unsigned char *fingerprint)
{
  uint64_t carry = 0;

  for (size_t i = 0; i < TALLY_DIGEST_SUM_SIZE; i += 8) {
    uint64_t a = tally_digest_load (digest->sum + i);
    uint64_t b = tally_digest_load (fingerprint + i);
    uint64_t n = a + b + carry;

    carry = carry ? n <= a : n < a;
    tally_digest_store (digest->sum + i, n);
  }
  tally_digest_count (digest, fingerprint + TALLY_DIGEST_SUM_SIZE, 0);
  digest->count++;
}

static inline void
tally_digest_subtract (struct tally_digest *digest,
                       const unsigned char *fingerprint)
{
  uint64_t borrow = 0;

  for (size_t i = 0; i < TALLY_DIGEST_SUM_SIZE; i += 8) {
    uint64_t a = tally_digest_load (digest->sum + i);
    uint64_t b = tally_digest_load (fingerprint + i);

    tally_digest_store (digest->sum + i, a - b - borrow);
    borrow = borrow ? a <= b : a < b;
  }
  tally_digest_count (digest, fingerprint + TALLY_DIGEST_SUM_SIZE, 0xff);
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
  tally_digest_store (record, digest->count);
  memcpy (record + 8, digest->sum, TALLY_DIGEST_SUM_SIZE);
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++)
    tally_digest_store_four (record + 8 + TALLY_DIGEST_SUM_SIZE + 4 * i,
                             (uint32_t) digest->counters[i]);
}

static inline void
tally_digest_decode (struct tally_digest *digest, const unsigned char *record)
{
  memset (digest, 0, sizeof *digest);
  digest->count = tally_digest_load (record);
  memcpy (digest->sum, record + 8, TALLY_DIGEST_SUM_SIZE);
  for (size_t i = 0; i < TALLY_DIGEST_COUNTERS; i++) {
    uint32_t n = (uint32_t) tally_digest_load_four (
        record + 8 + TALLY_DIGEST_SUM_SIZE + 4 * i);

    memcpy (&digest->counters[i], &n, sizeof n);
  }
}

#ifdef __cplusplus
}
#endif

#endif /* TALLY_DIGEST_H */
