/* SPDX-License-Identifier: MIT */
/* One check of a driver in a process of its own: what a driver does to that is
 * seen and nothing else is harmed. */

#ifndef CLI_DRIVER_RUN_H
#define CLI_DRIVER_RUN_H

#include "../kit/kit.h"

/* As kit_run.  One that crashes, ends the process or takes over a minute has
 * failed, too. */
enum kit_outcome driver_run (const struct kit_suite *suite,
                             const struct kit_check *check,
                             const struct kit_subject *subject,
                             char why[KIT_WHY]);

#endif
