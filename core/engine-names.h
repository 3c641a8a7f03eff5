/* SPDX-License-Identifier: MIT */
/* Names of devices travel with the documents that they wrote: who pulls from
 * a hub asks it for the names behind the stamps that come, in the frame that
 * fetches the documents.  A run that pulls nothing asks nothing. */

#ifndef TALLY_ENGINE_NAMES_H
#define TALLY_ENGINE_NAMES_H

#include "engine-internal.h"

/* Our own name, and that of who answered the hello. */
int names_introduce (struct run *run, struct tally_error *err);

/* Queues the question for those of the window's headers that were last written
 * by somebody whose name is not known. */
int names_ask (struct sync *sync, struct tally_error *err);

/* Keeps what was answered. */
int names_take (struct run *run, struct tally_error *err);

#endif /* TALLY_ENGINE_NAMES_H */
