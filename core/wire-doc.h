/* SPDX-License-Identifier: MIT */
/* A document in a message. */

#ifndef TALLY_WIRE_DOC_H
#define TALLY_WIRE_DOC_H

#include <stdbool.h>

#include <tally/driver.h>

#include "wire-state.h"

/* Four items: id, flags, meta, body.  An id that stands at the beginning of
 * the body as it is, as most do, is left out. */
void wire_add_doc (struct buf *out, struct wire_states *states,
                   const struct tally_doc *doc);

/* Its meta may be in the arena. */
bool wire_take_doc (struct tally_slice *in, struct wire_states *states,
                    struct arena *arena, struct tally_doc *doc);

bool wire_take_id (struct tally_slice *in, struct tally_slice *id);
bool wire_take_flags (struct tally_slice *in, uint32_t *flags);

#endif /* TALLY_WIRE_DOC_H */
