/* SPDX-License-Identifier: MIT */
/* Checks of a driver, each for one rule of a slot, and how one is run. */

#ifndef TALLY_KIT_CHECK_H
#define TALLY_KIT_CHECK_H

#include <stddef.h>

struct kit_check {
  const char *name;
  const char *slot; /* of driver.h */
  const char *rule; /* what the slot must do, one line */
  void (*run) (void **state);
};

#define KIT_CHECK(name, slot, rule) \
  {                                 \
#name, slot, rule, name         \
  }

/* A table of checks and what comes before and after each of them; setup and
 * teardown return 0 when they went well. */
struct kit_suite {
  const struct kit_check *const *tables; /* ends with NULL; a check without a
                                            name ends each */
  int (*setup) (void **state);
  int (*teardown) (void **state);
};

enum kit_outcome { KIT_OK, KIT_FAILED, KIT_SKIPPED };

#define KIT_WHY 256

/* Runs one check on a subject, which setup finds in *state.  why says what
 * did not hold, and where. */
enum kit_outcome kit_run (const struct kit_suite *suite,
                          const struct kit_check *check, const void *subject,
                          char why[KIT_WHY]);

#endif /* TALLY_KIT_CHECK_H */
