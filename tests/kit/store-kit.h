/* SPDX-License-Identifier: MIT */
/* What every store must do, as tests over any driver.  A driver's own test
 * fills a struct store_kit, runs it, and adds what only that store has.  Link
 * with all of store-kit*.c. */

#ifndef TALLY_TESTS_STORE_KIT_H
#define TALLY_TESTS_STORE_KIT_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/driver.h>

struct store_kit {
  const struct tally_driver *driver;

  /* What was put is there after close and open with the same value. */
  bool persistent;

  /* Writes the value of the driver's first option for a store that does not
   * exist yet, another one with each call.  Every other option takes its
   * default.  Returns 0, or -1 when that cannot be done. */
  int (*fresh) (char *value, size_t size);
};

/* Runs all tests.  Returns the number that failed. */
int store_kit_run (const struct store_kit *kit);

#endif /* TALLY_TESTS_STORE_KIT_H */
