/* SPDX-License-Identifier: MIT */
/* Stands in for the host's fingerprints where tests call a driver without
 * core: to a driver any function of id and revision will do.  And whether a
 * digest that was kept with them is right. */

#ifndef TALLY_TESTS_FAKE_PRINT_H
#define TALLY_TESTS_FAKE_PRINT_H

#include <tally/digest.h>
#include <tally/driver.h>

static inline void
fake_print (const struct tally_slice *id, const unsigned char *rev,
            unsigned char *out)
{
  uint64_t x = UINT64_C (1469598103934665603);

  for (size_t i = 0; i < id->size; i++)
    x = (x ^ (unsigned char) id->data[i]) * UINT64_C (1099511628211);
  for (size_t i = 0; i < TALLY_REV_SIZE; i++)
    x = (x ^ rev[i]) * UINT64_C (1099511628211);
  for (size_t i = 0; i < TALLY_FINGERPRINT_SIZE; i++) {
    x = x * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
    out[i] = (unsigned char) (x >> 40);
  }
}

static inline int
fake_sum (void *ctx, const struct tally_doc *doc)
{
  unsigned char print[TALLY_FINGERPRINT_SIZE];

  fake_print (&doc->id, doc->rev, print);
  tally_digest_add ((struct tally_digest *) ctx, print);
  return 0;
}

static inline int
fake_count (void *ctx, const struct tally_doc *doc)
{
  *(uint64_t *) ctx += !(doc->flags & TALLY_DOC_DELETED);
  return 0;
}

/* Whether the digest that is kept is the sum over the documents by stamp, and
 * these are as many as the feed has: TALLY_OK, what the store said, or 1.
 * Nobody may write meanwhile. */
static inline int
fake_digest_fits (const struct tally_store *ops, void *handle,
                  const char *collection, struct tally_error *err)
{
  struct tally_digest kept, made;
  uint64_t live = 0, head;
  int r;

  memset (&made, 0, sizeof made);
  r = ops->digest (handle, collection, 0, fake_print, &kept, err);
  if (r == TALLY_OK)
    r = ops->scan (handle, collection, NULL, NULL, fake_sum, &made, &made.seq,
                   err);
  if (r == TALLY_OK)
    r = ops->changes (handle, collection, 0, fake_count, &live, &head, err);
  if (r != TALLY_OK)
    return r;
  return kept.seq == made.seq && kept.count == made.count && made.count == live
                 && memcmp (kept.sum, made.sum, sizeof made.sum) == 0
                 && memcmp (kept.counters, made.counters, sizeof made.counters)
                        == 0
             ? TALLY_OK
             : 1;
}

#endif /* TALLY_TESTS_FAKE_PRINT_H */
