/* SPDX-License-Identifier: MIT */
/* Random choices that can be made again: every test prints the seed that it
 * runs with, and TALLY_TEST_SEED sets it.  TALLY_TEST_EFFORT is how many of
 * them are made, in percent: below 100 where each costs a lot, as under
 * valgrind; above it for a search that may take its time. */

#ifndef TALLY_TESTS_RNG_H
#define TALLY_TESTS_RNG_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct rng {
  uint64_t state;
};

/* splitmix64. */
static inline uint64_t
rng_next (struct rng *rng)
{
  uint64_t z = rng->state += UINT64_C (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* 0 to n - 1; n is above 0. */
static inline uint32_t
rng_below (struct rng *rng, uint32_t n)
{
  return (uint32_t) (rng_next (rng) % n);
}

static inline int
rng_one_in (struct rng *rng, uint32_t n)
{
  return rng_below (rng, n) == 0;
}

static inline struct rng
rng_start (const char *what)
{
  const char *given = getenv ("TALLY_TEST_SEED");
  struct timespec now;
  struct rng rng;

  clock_gettime (CLOCK_REALTIME, &now);
  rng.state =
      given ? strtoull (given, NULL, 10)
            : (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
  printf ("%s: TALLY_TEST_SEED=%llu\n", what, (unsigned long long) rng.state);
  fflush (stdout);
  return rng;
}

/* How many of n tries to make; at least one. */
static inline unsigned
rng_tries (unsigned n)
{
  const char *given = getenv ("TALLY_TEST_EFFORT");
  unsigned long long percent = given ? strtoull (given, NULL, 10) : 100;
  unsigned long long tries = n * percent / 100;

  return tries < 1 ? 1 : (unsigned) tries;
}

#endif /* TALLY_TESTS_RNG_H */
