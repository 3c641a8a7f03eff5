/* SPDX-License-Identifier: MIT */
/* The slots for notes of the linvo store, as struct tally_store says. */

#ifndef TALLY_LINVO_NOTES_H
#define TALLY_LINVO_NOTES_H

#include <tally/driver.h>

int linvo_note_get (void *handle, const char *name, tally_emit_bytes *emit,
                    void *ctx, struct tally_error *err);
int linvo_note_put (void *handle, const char *name,
                    const struct tally_slice *expected,
                    const struct tally_slice *value, struct tally_error *err);
int linvo_note_list (void *handle, const char *prefix, tally_emit_name *emit,
                     void *ctx, struct tally_error *err);

#endif /* TALLY_LINVO_NOTES_H */
