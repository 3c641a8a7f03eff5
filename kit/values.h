/* SPDX-License-Identifier: MIT */
/* What a handle is opened with: the values of a driver's options, and a host
 * that listens to nobody. */

#ifndef TALLY_KIT_VALUES_H
#define TALLY_KIT_VALUES_H

#include "kit.h"

#define KIT_VALUES 32

/* Fills the values of a subject, with `first` for its first option. */
void kit_values (struct tally_value values[KIT_VALUES],
                 const struct kit_subject *subject, const char *first);

void kit_host (struct tally_host *host);

#endif /* TALLY_KIT_VALUES_H */
