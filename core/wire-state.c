/* SPDX-License-Identifier: MIT */
/* A meta of format 1 is one more than the number of its overrides, the whole
 * stamp, the field and stamp of each override, and the stamps that were seen.
 * Any other is a zero and itself.  Numbers are LEB128, and there is one way to
 * write each meta. */

#include <config.h>

#include <string.h>

#include "buf.h"
#include "cbor.h"
#include "slice.h"
#include "wire-state.h"

#define META_FORMAT 1

/* ---- numbers ------------------------------------------------------------ */

static void
add_number (struct buf *out, uint64_t value)
{
  for (; value > 0x7f; value >>= 7)
    buf_add_byte (out, (unsigned char) (value & 0x7f) | 0x80);
  buf_add_byte (out, (unsigned char) value);
}

/* In its shortest form, and not above `most`, which is below 2^56. */
static bool
take_number (struct tally_slice *in, uint64_t *value, uint64_t most)
{
  *value = 0;
  for (unsigned shift = 0; shift < 56 && in->size > 0; shift += 7) {
    unsigned char byte = (unsigned char) *in->data;

    in->data++;
    in->size--;
    *value |= (uint64_t) (byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return *value <= most && (byte != 0 || shift == 0);
  }
  return false;
}

static bool
take_bytes (struct tally_slice *in, size_t size, struct tally_slice *out)
{
  if (in->size < size)
    return false;
  *out = slice_make (in->data, size);
  in->data += size;
  in->size -= size;
  return true;
}

/* How far it is from a to b: small numbers for both directions. */
static uint64_t
step (uint64_t a, uint64_t b)
{
  return b >= a ? (b - a) << 1 : ((a - b) << 1) - 1;
}

static bool
take_step (struct tally_slice *in, uint64_t *value, uint64_t most)
{
  uint64_t by, from = *value;

  if (!take_number (in, &by, 2 * most))
    return false;
  if (by & 1) {
    by = (by + 1) >> 1;
    *value = from - by;
    return by <= from;
  }
  *value = from + (by >> 1);
  return *value <= most;
}

/* ---- stamps ------------------------------------------------------------- */

static size_t
find_client (const struct wire_states *states, uint32_t client)
{
  size_t i = 0;

  while (i < states->n_clients && states->clients[i] != client)
    i++;
  return i;
}

static void
note_client (struct wire_states *states, uint32_t client)
{
  if (states->n_clients < WIRE_STATE_CLIENTS)
    states->clients[states->n_clients++] = client;
}

static void
add_client (struct buf *out, struct wire_states *states, uint32_t client)
{
  size_t number = find_client (states, client);

  add_number (out, number);
  if (number < states->n_clients)
    return;
  add_number (out, client);
  note_client (states, client);
}

/* In another millisecond counters begin anew. */
static void
add_stamp (struct buf *out, struct wire_states *states, struct stamp *last,
           const struct stamp *stamp)
{
  uint64_t ms = stamp_ms (stamp);
  uint32_t counter = stamp_counter (stamp);
  bool same = ms == stamp_ms (last);

  add_number (out, step (stamp_ms (last), ms));
  add_number (out, step (same ? stamp_counter (last) : 0, counter));
  add_client (out, states, stamp_client (stamp));
  *last = *stamp;
}

static bool
take_client (struct tally_slice *in, struct wire_states *states,
             uint32_t *client)
{
  uint64_t number, value;

  if (!take_number (in, &number, states->n_clients))
    return false;
  if (number < states->n_clients) {
    *client = states->clients[number];
    return true;
  }
  if (!take_number (in, &value, HLC_CLIENT_MAX)
      || find_client (states, (uint32_t) value) < states->n_clients)
    return false;
  *client = (uint32_t) value;
  note_client (states, *client);
  return true;
}

static bool
take_stamp (struct tally_slice *in, struct wire_states *states,
            struct stamp *last)
{
  uint64_t ms = stamp_ms (last), counter;
  uint32_t client;

  if (!take_step (in, &ms, HLC_MS_MAX))
    return false;
  counter = ms == stamp_ms (last) ? stamp_counter (last) : 0;
  return take_step (in, &counter, HLC_COUNTER_MAX)
         && take_client (in, states, &client)
         && stamp_make (last, ms, (uint32_t) counter, client);
}

void
wire_add_when (struct buf *out, struct wire_states *states,
               const struct stamp *stamp)
{
  add_number (out, step (stamp_ms (&states->whole), stamp_ms (stamp)));
  add_client (out, states, stamp_client (stamp));
  states->whole = *stamp;
}

bool
wire_take_when (struct tally_slice *in, struct wire_states *states,
                struct stamp *stamp)
{
  uint64_t ms = stamp_ms (&states->whole);
  uint32_t client;

  if (!take_step (in, &ms, HLC_MS_MAX) || !take_client (in, states, &client)
      || !stamp_make (stamp, ms, 0, client))
    return false;
  states->whole = *stamp;
  return true;
}

/* ---- names of fields ---------------------------------------------------- */

static size_t
find_field (const struct wire_states *states, struct tally_slice field)
{
  size_t i = 0;

  while (i < states->n_fields && !slice_equal (states->fields[i], field))
    i++;
  return i;
}

static void
note_field (struct wire_states *states, struct tally_slice field)
{
  if (states->n_fields < WIRE_STATE_FIELDS)
    states->fields[states->n_fields++] = field;
}

static void
add_field (struct buf *out, struct wire_states *states,
           struct tally_slice field)
{
  size_t number = find_field (states, field);

  add_number (out, number);
  if (number < states->n_fields)
    return;
  add_number (out, field.size);
  buf_add_slice (out, field);
  note_field (states, field);
}

static bool
take_field (struct tally_slice *in, struct wire_states *states,
            struct tally_slice *field)
{
  uint64_t number, size;

  if (!take_number (in, &number, states->n_fields))
    return false;
  if (number < states->n_fields) {
    *field = states->fields[number];
    return true;
  }
  if (!take_number (in, &size, in->size)
      || !take_bytes (in, (size_t) size, field)
      || find_field (states, *field) < states->n_fields)
    return false;
  note_field (states, *field);
  return true;
}

/* ---- out ---------------------------------------------------------------- */

/* A stamp as it stands in a meta. */
static bool
squeeze_stamp (struct buf *out, struct wire_states *states, struct stamp *last,
               struct tally_slice *meta)
{
  struct tally_slice bytes;
  struct stamp stamp;

  if (!take_bytes (meta, STAMP_SIZE, &bytes))
    return false;
  memcpy (stamp.bytes, bytes.data, STAMP_SIZE);
  add_stamp (out, states, last, &stamp);
  return true;
}

static bool
squeeze_override (struct buf *out, struct wire_states *states,
                  struct tally_slice *meta)
{
  struct tally_slice field;
  uint64_t size;

  if (!take_number (meta, &size, meta->size)
      || !take_bytes (meta, (size_t) size, &field))
    return false;
  add_field (out, states, field);
  return squeeze_stamp (out, states, &states->other, meta);
}

/* False: the meta is of another kind, or none. */
static bool
squeeze (struct buf *out, struct wire_states *states, struct tally_slice meta)
{
  struct tally_slice format, whole;
  uint64_t n;

  if (!take_bytes (&meta, 1, &format) || format.data[0] != META_FORMAT
      || !take_bytes (&meta, STAMP_SIZE, &whole)
      || !take_number (&meta, &n, meta.size))
    return false;
  add_number (out, n + 1);
  if (!squeeze_stamp (out, states, &states->whole, &whole))
    return false;
  for (; n > 0; n--)
    if (!squeeze_override (out, states, &meta))
      return false;
  if (!take_number (&meta, &n, meta.size))
    return false;
  for (; n > 0; n--)
    if (!squeeze_stamp (out, states, &states->other, &meta))
      return false;
  return meta.size == 0;
}

void
wire_add_state (struct buf *out, struct wire_states *states,
                struct tally_slice meta)
{
  struct stamp whole = states->whole, other = states->other;
  size_t n_clients = states->n_clients, n_fields = states->n_fields;

  buf_clear (&states->scratch);
  if (meta.size > 0 && !squeeze (&states->scratch, states, meta)) {
    states->whole = whole;
    states->other = other;
    states->n_clients = n_clients;
    states->n_fields = n_fields;
    buf_clear (&states->scratch);
    buf_add_byte (&states->scratch, 0);
    buf_add_slice (&states->scratch, meta);
  }
  cbor_add_bytes (out, buf_slice (&states->scratch));
  out->failed |= states->scratch.failed;
}

void
wire_states_free (struct wire_states *states)
{
  buf_free (&states->scratch);
}

/* ---- in ----------------------------------------------------------------- */

static bool
expand_stamp (struct buf *out, struct wire_states *states, struct stamp *last,
              struct tally_slice *in)
{
  if (!take_stamp (in, states, last))
    return false;
  buf_add (out, last->bytes, STAMP_SIZE);
  return true;
}

static bool
expand_override (struct buf *out, struct wire_states *states,
                 struct tally_slice *in)
{
  struct tally_slice field;

  if (!take_field (in, states, &field))
    return false;
  add_number (out, field.size);
  buf_add_slice (out, field);
  return expand_stamp (out, states, &states->other, in);
}

/* How many stamps there are in what is left; they stand behind it. */
static bool
expand_seen (struct buf *out, struct wire_states *states,
             struct tally_slice in)
{
  struct buf seen = BUF_INIT;
  bool good = true;

  while (good && in.size > 0)
    good = expand_stamp (&seen, states, &states->other, &in);
  add_number (out, seen.size / STAMP_SIZE);
  buf_add_slice (out, buf_slice (&seen));
  good &= !seen.failed;
  buf_free (&seen);
  return good;
}

static bool
expand (struct buf *out, struct wire_states *states, struct tally_slice in)
{
  uint64_t n;

  if (!take_number (&in, &n, in.size) || n == 0)
    return false;
  buf_add_byte (out, META_FORMAT);
  if (!expand_stamp (out, states, &states->whole, &in))
    return false;
  add_number (out, n - 1);
  for (; n > 1; n--)
    if (!expand_override (out, states, &in))
      return false;
  return expand_seen (out, states, in) && !out->failed;
}

/* As it is, and could not have been told otherwise. */
static bool
take_as_it_is (struct tally_slice told, struct wire_states *states,
               struct tally_slice *meta)
{
  struct wire_states copy = *states;
  struct buf ignored = BUF_INIT;
  bool good;

  *meta = slice_make (told.data + 1, told.size - 1);
  good = meta->size > 0 && !squeeze (&ignored, &copy, *meta);
  buf_free (&ignored);
  return good;
}

bool
wire_take_state (struct tally_slice *in, struct wire_states *states,
                 struct arena *arena, struct tally_slice *meta)
{
  struct buf out = BUF_INIT;
  struct tally_slice told;
  char *copy = NULL;

  *meta = slice_make (NULL, 0);
  if (!cbor_take_bytes (in, &told))
    return false;
  if (told.size == 0)
    return true;
  if (told.data[0] == 0)
    return take_as_it_is (told, states, meta);
  if (expand (&out, states, told))
    copy = arena_add (arena, out.data, out.size);
  *meta = slice_make (copy, copy ? out.size : 0);
  buf_free (&out);
  return copy != NULL;
}
