/* SPDX-License-Identifier: MIT */
/* The part of CBOR that the wire and segments use, over libcbor's streaming
 * calls: whole numbers, byte and text strings, arrays of known length. */

#ifndef TALLY_CBOR_H
#define TALLY_CBOR_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

void cbor_add_uint (struct buf *out, uint64_t value);
void cbor_add_bytes (struct buf *out, struct tally_slice bytes);
void cbor_add_text (struct buf *out, struct tally_slice text);
void cbor_add_array (struct buf *out, size_t n);

/* Each takes one item off the front of *in; false when it is not there, not
 * of this kind, longer than the input, or not in its shortest form. */
bool cbor_take_uint (struct tally_slice *in, uint64_t *value);
bool cbor_take_bytes (struct tally_slice *in, struct tally_slice *bytes);
bool cbor_take_text (struct tally_slice *in, struct tally_slice *text);

/* n is at most the bytes that are left: an item has at least one. */
bool cbor_take_array (struct tally_slice *in, size_t *n);

#endif /* TALLY_CBOR_H */
