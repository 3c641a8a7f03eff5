/* SPDX-License-Identifier: MIT */
/* What every store must do, as a part of a driver's own test. */

#ifndef TALLY_KIT_STORE_KIT_H
#define TALLY_KIT_STORE_KIT_H

#include "kit.h"

#define store_kit kit_subject

/* Runs all checks and tells of each.  Returns the number that failed. */
int store_kit_run (const struct kit_subject *kit);

#endif /* TALLY_KIT_STORE_KIT_H */
