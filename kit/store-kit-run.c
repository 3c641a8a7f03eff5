/* SPDX-License-Identifier: MIT */
/* The store suite within a driver's own test program. */

#include <stdio.h>

#include "store-kit.h"

int
store_kit_run (const struct kit_subject *kit)
{
  static const char *const words[] = { "ok", "not ok", "skipped" };
  char why[KIT_WHY];
  int failed = 0;

  for (size_t t = 0; kit_store.tables[t]; t++)
    for (const struct kit_check *c = kit_store.tables[t]; c->name; c++) {
      enum kit_outcome outcome = kit_run (&kit_store, c, kit, why);

      printf ("%s %s: %s: %s%s%s\n", words[outcome], kit->driver->name,
              c->slot, c->rule, why[0] ? ": " : "", why);
      fflush (stdout);
      failed += outcome == KIT_FAILED;
    }
  return failed;
}
