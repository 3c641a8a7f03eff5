/* SPDX-License-Identifier: MIT */
/* The fields of compare and fetch, and of what answers them. */

#ifndef TALLY_WIRE_COMPARE_H
#define TALLY_WIRE_COMPARE_H

#include "wire.h"

void wire_add_compare (struct buf *out, const struct wire_compare *compare);
void wire_add_compared (struct buf *out, const struct wire_compared *compared);
void wire_add_fetch (struct buf *out, const struct wire_fetch *fetch);
void wire_add_fetched (struct buf *out, const struct wire_fetched *fetched);

/* Arrays are malloced, also when it is false. */
bool wire_take_compare (struct tally_slice *in, struct wire_compare *compare);
bool wire_take_compared (struct tally_slice *in,
                         struct wire_compared *compared, struct arena *arena);
bool wire_take_fetch (struct tally_slice *in, struct wire_fetch *fetch,
                      struct arena *arena);
bool wire_take_fetched (struct tally_slice *in, struct wire_fetched *fetched,
                        struct arena *metas);

#endif /* TALLY_WIRE_COMPARE_H */
