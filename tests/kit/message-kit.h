/* SPDX-License-Identifier: MIT */
/* Random messages of every type, and whether two are the same. */

#ifndef TALLY_TESTS_MESSAGE_KIT_H
#define TALLY_TESTS_MESSAGE_KIT_H

#include "../../core/wire.h"
#include "rng.h"

/* Draws the bytes that the messages point into. */
void any_message_start (struct rng *rng);

/* With at most so many documents or other items; free it. */
void any_message (struct rng *rng, struct wire_message *out, size_t most);

void assert_same_message (const struct wire_message *a,
                          const struct wire_message *b);

#endif /* TALLY_TESTS_MESSAGE_KIT_H */
