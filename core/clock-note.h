/* SPDX-License-Identifier: MIT */
/* The note that says up to when stamps of a store may have been given, and
 * whose they are. */

#ifndef TALLY_CLOCK_NOTE_H
#define TALLY_CLOCK_NOTE_H

#include "replica.h"

struct clock_note {
  struct buf bytes;
  bool found;
  uint64_t until_ms;
  uint64_t client; /* above HLC_CLIENT_MAX: it does not say */
};

/* note->bytes is to be freed, whatever happened. */
int clock_note_load (struct clock_note *note, struct replica *replica,
                     struct tally_error *err);

/* In the place of what was loaded, for the replica's client.
 * TALLY_CONFLICT: another process was first. */
int clock_note_save (const struct clock_note *note, struct replica *replica,
                     uint64_t until_ms, struct tally_error *err);

#endif /* TALLY_CLOCK_NOTE_H */
