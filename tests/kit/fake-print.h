/* SPDX-License-Identifier: MIT */
/* Stands in for the host's fingerprints where tests call a driver without
 * core: to a driver any function of id and revision will do. */

#ifndef TALLY_TESTS_FAKE_PRINT_H
#define TALLY_TESTS_FAKE_PRINT_H

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

#endif /* TALLY_TESTS_FAKE_PRINT_H */
