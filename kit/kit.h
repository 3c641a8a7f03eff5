/* SPDX-License-Identifier: MIT */
/* The conformance kit: what every driver must do, whatever it is made of.  It
 * is a part of the program, as `tally driver-test`, and of the tests of the
 * drivers that are built here. */

#ifndef TALLY_KIT_H
#define TALLY_KIT_H

#include <stdbool.h>

#include <tally/driver.h>

#include "check.h"

/* What is tested. */
struct kit_subject {
  const struct tally_driver *driver;

  /* What was put is there after close and open with the same first option. */
  bool persistent;

  /* Writes the value of the driver's first option for a store, or a folder,
   * that does not exist yet, another one with each call.  Returns 0, or -1
   * when that cannot be done. */
  int (*fresh) (char *value, size_t size);

  /* One for each row of the driver's options, the first one left out; NULL:
   * the defaults. */
  const struct tally_value *values;
};

/* Subjects are struct kit_subject. */
extern const struct kit_suite kit_store;    /* a store */
extern const struct kit_suite kit_folder;   /* a transport that is a folder */
extern const struct kit_suite kit_exchange; /* one with serve and exchange */

/* The suites for a driver, at most 2, then NULL. */
void kit_suites (const struct tally_driver *driver,
                 const struct kit_suite *suites[3]);

#endif /* TALLY_KIT_H */
