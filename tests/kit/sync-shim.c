/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync-shim-parts.h"
#include "sync-shim.h"

void
shim_reset (void)
{
  held_reset ();
  wire_reset ();
}

void
shim_register (struct tally *tally)
{
  static const struct tally_driver *const drivers[] = { &held_driver,
                                                        &bare_driver,
                                                        &wire_driver };

  for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
    assert_int_equal (tally_registry_add (tally, drivers[i], NULL), TALLY_OK);
}
