/* SPDX-License-Identifier: MIT */
/* The note slots of the memory store; contracts as in tally/driver.h. */

#ifndef TALLY_MEMORY_NOTES_H
#define TALLY_MEMORY_NOTES_H

#include <tally/driver.h>

struct memory_note;

struct memory_notes {
  struct memory_note *all; /* by key */
  size_t n;
};

void memory_notes_get (const struct memory_notes *notes, const char *key,
                       tally_emit_bytes *emit, void *ctx);
void memory_notes_list (const struct memory_notes *notes, const char *prefix,
                        tally_emit_name *emit, void *ctx);

/* TALLY_OK, TALLY_CONFLICT, or TALLY_FAILED when memory is out. */
int memory_notes_put (struct memory_notes *notes, const char *key,
                      const struct tally_slice *expected,
                      const struct tally_slice *value);

void memory_notes_free (struct memory_notes *notes);

#endif /* TALLY_MEMORY_NOTES_H */
