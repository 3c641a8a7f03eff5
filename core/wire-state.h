/* SPDX-License-Identifier: MIT */
/* The meta of documents in a message.  It is mostly stamps, and those of
 * documents that travel together are near each other: so each is told by what
 * it differs from the one before, and a client, or the name of a field, by its
 * number in the message. */

#ifndef TALLY_WIRE_STATE_H
#define TALLY_WIRE_STATE_H

#include <stdbool.h>

#include <tally/driver.h>

#include "doclist.h"
#include "hlc.h"

#define WIRE_STATE_CLIENTS 64
#define WIRE_STATE_FIELDS 32

/* Of one message, out or in: what was told so far.  Begins as all zero.  The
 * names lie in its documents, or in its bytes. */
struct wire_states {
  struct stamp whole, other; /* the last of either kind */
  uint32_t clients[WIRE_STATE_CLIENTS];
  size_t n_clients;
  struct tally_slice fields[WIRE_STATE_FIELDS];
  size_t n_fields;
  struct buf scratch; /* going out */
};

/* Adds a byte string; meta may be anything. */
void wire_add_state (struct buf *out, struct wire_states *states,
                     struct tally_slice meta);
void wire_states_free (struct wire_states *states);

/* A stamp by itself, without its counter. */
void wire_add_when (struct buf *out, struct wire_states *states,
                    const struct stamp *stamp);
bool wire_take_when (struct tally_slice *in, struct wire_states *states,
                     struct stamp *stamp);

/* What was added; it is kept in the arena, but for one that was told as it
 * is. */
bool wire_take_state (struct tally_slice *in, struct wire_states *states,
                      struct arena *arena, struct tally_slice *meta);

#endif /* TALLY_WIRE_STATE_H */
