/* SPDX-License-Identifier: MIT */
/* Which suites a driver's tables call for. */

#include "kit.h"

void
kit_suites (const struct tally_driver *driver,
            const struct kit_suite *suites[3])
{
  const struct tally_transport *t = driver->transport;
  size_t n = 0;

  if (driver->store)
    suites[n++] = &kit_store;
  if (t && t->list)
    suites[n++] = &kit_folder;
  else if (t && t->serve && t->exchange)
    suites[n++] = &kit_exchange;
  suites[n] = NULL;
}
