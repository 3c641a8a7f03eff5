/* SPDX-License-Identifier: MIT */
/* What the two halves of the shim share: stores, and what is between them. */

#ifndef TALLY_TEST_SYNC_SHIM_PARTS_H
#define TALLY_TEST_SYNC_SHIM_PARTS_H

#include <string.h>

#include <tally/driver.h>

struct hook {
  unsigned at;
  void (*fn) (void *ctx);
  void *ctx;
};

/* Takes the hook if it is due; under the lock that guards it. */
static inline struct hook
hook_due (struct hook *hook, unsigned now)
{
  struct hook none = { 0, NULL, NULL }, taken = *hook;

  if (!hook->fn || hook->at != now)
    return none;
  *hook = none;
  return taken;
}

extern const struct tally_driver held_driver, bare_driver, wire_driver;

void held_reset (void);
void wire_reset (void);

#endif /* TALLY_TEST_SYNC_SHIM_PARTS_H */
