/* SPDX-License-Identifier: MIT */
/* The find slot of the linvo store. */

#ifndef TALLY_LINVO_FIND_H
#define TALLY_LINVO_FIND_H

#include <tally/driver.h>

int linvo_find_slot (void *handle, const char *collection,
                     const struct tally_slice *from,
                     const struct tally_slice *to, unsigned flags,
                     tally_emit_doc *emit, void *ctx, struct tally_error *err);

#endif /* TALLY_LINVO_FIND_H */
