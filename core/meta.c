/* SPDX-License-Identifier: MIT */
/* The bytes of a state's meta, and the revision made from them:
 * format byte, whole stamp, overrides, seen; counts and lengths are LEB128 in
 * their shortest form, so that equal states have equal bytes.  Where a repair
 * was at work each stamp that stands has its name behind it, and the stamp
 * `undone` comes after the whole one. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "hashpart.h"
#include "json.h"
#include "state.h"

#define META_FORMAT 1
#define META_REPAIRED 2

/* ---- writing ----------------------------------------------------------- */

static void
add_count (struct buf *out, size_t count)
{
  while (count > 0x7f) {
    buf_add_byte (out, (unsigned char) (count & 0x7f) | 0x80);
    count >>= 7;
  }
  buf_add_byte (out, (unsigned char) count);
}

static bool
is_repaired (const struct state *state)
{
  return !stamp_is_zero (&state->undone);
}

static void
add_standing (struct buf *out, const struct state *state)
{
  bool repaired = is_repaired (state);

  buf_add_byte (out, repaired ? META_REPAIRED : META_FORMAT);
  buf_add (out, state->whole.bytes, STAMP_SIZE);
  if (repaired) {
    buf_add (out, state->whole_first.bytes, STAMP_SIZE);
    buf_add (out, state->undone.bytes, STAMP_SIZE);
  }
  add_count (out, state->n_overrides);
  for (size_t i = 0; i < state->n_overrides; i++) {
    add_count (out, state->overrides[i].field.size);
    buf_add_slice (out, state->overrides[i].field);
    buf_add (out, state->overrides[i].stamp.bytes, STAMP_SIZE);
    if (repaired)
      buf_add (out, state->overrides[i].first.bytes, STAMP_SIZE);
  }
}

void
state_encode (const struct state *state, struct buf *meta)
{
  add_standing (meta, state);
  add_count (meta, state->n_seen);
  for (size_t i = 0; i < state->n_seen; i++)
    buf_add (meta, state->seen[i].bytes, STAMP_SIZE);
}

void
state_plain_meta (unsigned char meta[STATE_PLAIN_META],
                  const unsigned char rev[TALLY_REV_SIZE])
{
  memset (meta, 0, STATE_PLAIN_META); /* counts of 0 end it */
  meta[0] = META_FORMAT;
  memcpy (meta + 1, rev, STAMP_SIZE);
}

bool
state_is_plain (struct tally_slice meta,
                const unsigned char rev[TALLY_REV_SIZE])
{
  unsigned char plain[STATE_PLAIN_META];

  state_plain_meta (plain, rev);
  return slice_equal (meta, slice_make (plain, sizeof plain));
}

bool
state_is_repaired (struct tally_slice meta)
{
  return meta.size > 0 && meta.data[0] == META_REPAIRED;
}

/* ---- reading ----------------------------------------------------------- */

static bool
take (struct tally_slice *in, void *out, size_t size)
{
  if (in->size < size)
    return false;
  memcpy (out, in->data, size);
  in->data += size;
  in->size -= size;
  return true;
}

/* At most four bytes: nothing here is longer than a document. */
static bool
take_count (struct tally_slice *in, size_t *count)
{
  unsigned char byte;
  size_t value = 0;

  for (unsigned shift = 0; shift < 28; shift += 7) {
    if (!take (in, &byte, 1))
      return false;
    value |= (size_t) (byte & 0x7f) << shift;
    if (!(byte & 0x80)) {
      *count = value;
      return byte != 0 || shift == 0;
    }
  }
  return false;
}

static bool
take_override (struct tally_slice *in, struct override *out, bool repaired)
{
  size_t size;

  memset (out, 0, sizeof *out);

  if (!take_count (in, &size) || in->size < size)
    return false;
  out->field = slice_make (in->data, size);
  in->data += size;
  in->size -= size;
  return take (in, out->stamp.bytes, STAMP_SIZE)
         && (!repaired || take (in, out->first.bytes, STAMP_SIZE));
}

static int
read_overrides (struct state *out, struct tally_slice *in)
{
  bool repaired = is_repaired (out);
  size_t n;

  /* Each takes at least 13 bytes, so a wild count is no wild allocation. */
  if (!take_count (in, &n) || n > in->size / (STAMP_SIZE + 1))
    return TALLY_CORRUPT;
  if (n == 0)
    return TALLY_OK;
  out->overrides = malloc (n * sizeof *out->overrides);
  if (!out->overrides)
    return TALLY_FAILED;
  for (size_t i = 0; i < n; i++) {
    struct override *o = &out->overrides[i];

    if (!take_override (in, o, repaired)
        || (!repaired && stamp_cmp (&o->stamp, &out->whole) <= 0))
      return TALLY_CORRUPT;
    if (i > 0 && json_key_cmp (o[-1].field, o->field) >= 0)
      return TALLY_CORRUPT;
    out->n_overrides++;
  }
  return TALLY_OK;
}

static int
read_seen (struct state *out, struct tally_slice *in)
{
  size_t n;

  if (!take_count (in, &n) || n > STATE_SEEN_MAX || in->size != n * STAMP_SIZE)
    return TALLY_CORRUPT;
  if (n == 0)
    return TALLY_OK;
  out->seen = malloc (n * sizeof *out->seen);
  if (!out->seen)
    return TALLY_FAILED;
  for (size_t i = 0; i < n; i++) {
    take (in, out->seen[i].bytes, STAMP_SIZE);
    if (i > 0
        && stamp_client (&out->seen[i - 1]) >= stamp_client (&out->seen[i]))
      return TALLY_CORRUPT;
    out->n_seen++;
  }
  return TALLY_OK;
}

static bool
take_whole (struct tally_slice *in, struct state *out)
{
  unsigned char format;

  if (!take (in, &format, 1) || !take (in, out->whole.bytes, STAMP_SIZE))
    return false;
  if (format != META_REPAIRED)
    return format == META_FORMAT;
  return take (in, out->whole_first.bytes, STAMP_SIZE)
         && take (in, out->undone.bytes, STAMP_SIZE) && is_repaired (out);
}

int
state_decode (struct state *out, bool deleted, struct tally_slice meta,
              struct tally_slice body, struct tally_error *err)
{
  int status;

  memset (out, 0, sizeof *out);
  out->deleted = deleted;
  out->body = body;
  status =
      take_whole (&meta, out) ? read_overrides (out, &meta) : TALLY_CORRUPT;
  if (status == TALLY_OK)
    status = read_seen (out, &meta);
  if (status == TALLY_OK)
    return TALLY_OK;
  state_free (out);
  if (status == TALLY_FAILED)
    return error_nomem (err);
  return error_set (err, status, "its metadata is damaged");
}

/* ---- revision ---------------------------------------------------------- */

/* Names follow the rest, where they are another stamp than the place: 0 for
 * the whole write, 1 and so on for overrides. */
static void
hash_name (crypto_generichash_state *hash, size_t at, const struct stamp *name)
{
  unsigned char number[4] = { (unsigned char) (at >> 24),
                              (unsigned char) (at >> 16),
                              (unsigned char) (at >> 8), (unsigned char) at };

  if (stamp_is_zero (name))
    return;
  crypto_generichash_update (hash, number, sizeof number);
  crypto_generichash_update (hash, name->bytes, STAMP_SIZE);
}

void
state_rev (const struct state *state, struct tally_slice id,
           unsigned char rev[TALLY_REV_SIZE])
{
  struct stamp newest = state_newest (state);
  unsigned char deleted = state->deleted;
  crypto_generichash_state hash;

  memcpy (rev, newest.bytes, STAMP_SIZE);
  crypto_generichash_init (&hash, NULL, 0, TALLY_REV_SIZE - STAMP_SIZE);
  hash_part (&hash, id.data, id.size);
  crypto_generichash_update (&hash, &deleted, 1);
  crypto_generichash_update (&hash, state->whole.bytes, STAMP_SIZE);
  for (size_t i = 0; i < state->n_overrides; i++) {
    hash_part (&hash, state->overrides[i].field.data,
               state->overrides[i].field.size);
    crypto_generichash_update (&hash, state->overrides[i].stamp.bytes,
                               STAMP_SIZE);
  }
  /* Fields end here: no length of a field begins with this byte. */
  crypto_generichash_update (&hash, (const unsigned char *) "\xff", 1);
  hash_part (&hash, state->body.data, state->body.size);
  hash_name (&hash, 0, &state->whole_first);
  for (size_t i = 0; i < state->n_overrides; i++)
    hash_name (&hash, i + 1, &state->overrides[i].first);
  crypto_generichash_final (&hash, rev + STAMP_SIZE,
                            TALLY_REV_SIZE - STAMP_SIZE);
}

/* Makes the revision of a stored document, of which so many bytes must be as
 * they are there. */
static int
make_rev (const struct tally_doc *doc, unsigned char rev[TALLY_REV_SIZE],
          size_t known, const char *store, struct tally_error *err)
{
  struct state state;
  int status = state_decode (&state, doc->flags & TALLY_DOC_DELETED, doc->meta,
                             doc->body, err);

  if (status == TALLY_FAILED)
    return status;
  if (status == TALLY_OK) {
    state_rev (&state, doc->id, rev);
    state_free (&state);
    if (memcmp (rev, doc->rev, known) == 0)
      return TALLY_OK;
  }
  return error_set (err, TALLY_CORRUPT, "%s: document \"%.*s\": is damaged",
                    store, (int) doc->id.size, doc->id.data);
}

int
state_verify (const struct tally_doc *doc, const char *store,
              struct tally_error *err)
{
  unsigned char rev[TALLY_REV_SIZE];

  return make_rev (doc, rev, TALLY_REV_SIZE, store, err);
}

int
state_complete (struct tally_doc *doc, const char *store,
                struct tally_error *err)
{
  static const unsigned char none[TALLY_REV_SIZE - TALLY_REV_PART];
  unsigned char rev[TALLY_REV_SIZE];
  bool part = memcmp (doc->rev + TALLY_REV_PART, none, sizeof none) == 0;
  int status =
      make_rev (doc, rev, part ? TALLY_REV_PART : TALLY_REV_SIZE, store, err);

  if (status == TALLY_OK)
    memcpy (doc->rev, rev, TALLY_REV_SIZE);
  return status;
}
