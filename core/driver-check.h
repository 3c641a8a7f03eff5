/* SPDX-License-Identifier: MIT */
/* A driver's tables, copied to full size and checked before the first call. */

#ifndef TALLY_CORE_DRIVER_CHECK_H
#define TALLY_CORE_DRIVER_CHECK_H

#include <tally/driver.h>

/* `driver` points to the tables beside it, so it must not be copied. */
struct driver_tables {
  struct tally_driver driver;
  struct tally_store store;
  struct tally_transport transport;
  struct tally_source source;
};

/* Fills *out from a table of any size: what only one side knows is dropped or
 * reads as zero.  Everything wrong with the driver is TALLY_CONFIG, and the
 * text begins with `object` and names the slot or option. */
int driver_check (struct driver_tables *out, const struct tally_driver *table,
                  const char *object, struct tally_error *err);

#endif /* TALLY_CORE_DRIVER_CHECK_H */
