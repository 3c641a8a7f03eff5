/* SPDX-License-Identifier: MIT */
/* What libsodium draws at random is the test's own from here on, and the same
 * each time. */

#ifndef TALLY_TESTS_CHANCE_H
#define TALLY_TESTS_CHANCE_H

#include <stdint.h>

/* May be called again, to begin anew. */
void chance_start (uint64_t seed);

#endif /* TALLY_TESTS_CHANCE_H */
