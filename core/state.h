/* SPDX-License-Identifier: MIT */
/* The state of a document: what each field was last assigned, and by which
 * stamp.  A whole write (insert, replace, delete) assigns every field, present
 * or absent, at one stamp; a field write assigns the fields that it changed.
 * So a state is one stamp for all, overrides for the fields written since,
 * the body, and what was seen: which other stamps went into it without
 * standing in it any more.  Pure. */

#ifndef TALLY_STATE_H
#define TALLY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#include "buf.h"
#include "hlc.h"

/* More than this many clients are not kept in seen; the oldest go. */
#define STATE_SEEN_MAX 64

/* A field written after the last whole write.  field is the raw canonical
 * key, without quotes; a field that is not in the body was removed.
 *
 * A stamp is two things: the name of a write, and its place among others.  A
 * repair gives another place to what was written by a clock that was wrong,
 * and leaves the name: who knew the write knows it still.  So what is known,
 * seen, held or lost goes by names, and who wins by places. */
struct override {
  struct tally_slice field;
  struct stamp stamp; /* its place */
  struct stamp first; /* its name, when a repair gave it a place; else zero */
};

/* The slices belong to somebody else, the arrays to the state. */
struct state {
  struct stamp whole; /* the last whole write */
  struct stamp whole_first;
  bool deleted;               /* it was a delete */
  struct override *overrides; /* in json_key_cmp order; above whole, but for
                                 what was repaired */
  size_t n_overrides;
  struct stamp *seen; /* by rising client, one each */
  size_t n_seen;
  /* The greatest place that a repair took from anything that went into the
   * state; zero: none.  Below it places are no measure of what came later. */
  struct stamp undone;
  /* Canonical JSON.  A tombstone's is empty, but for field writes that
   * survive the delete: these stay hidden in it, without an _id. */
  struct tally_slice body;
};

/* Reads meta.  TALLY_CORRUPT when it is not what state_encode writes; every
 * rule of the meta is checked (order, bounds), the body is not. */
int state_decode (struct state *out, bool deleted, struct tally_slice meta,
                  struct tally_slice body, struct tally_error *err);
void state_free (struct state *state);

/* Appends meta. */
void state_encode (const struct state *state, struct buf *meta);

/* The meta of a state in which one whole write stands and nothing was seen: of
 * nearly all documents.  It says nothing that the revision does not. */
#define STATE_PLAIN_META (1 + STAMP_SIZE + 2)

bool state_is_plain (struct tally_slice meta,
                     const unsigned char rev[TALLY_REV_SIZE]);
/* True when the meta is of a state that has `undone`, see below. */
bool state_is_repaired (struct tally_slice meta);

void state_plain_meta (unsigned char meta[STATE_PLAIN_META],
                       const unsigned char rev[TALLY_REV_SIZE]);

/* Says whether a state from elsewhere holds all rules: the body canonical,
 * with this _id; nothing in a tombstone that is not hidden; sizes.
 * TALLY_INVALID otherwise. */
int state_check (const struct state *state, struct tally_slice id,
                 struct tally_error *err);

/* The revision: the greatest stamp that stands, then 16 bytes of BLAKE2b over
 * id and state, without seen.  Equal revisions are equal states. */
void state_rev (const struct state *state, struct tally_slice id,
                unsigned char rev[TALLY_REV_SIZE]);

/* Says whether a stored document with its body is what its revision says.
 * TALLY_CORRUPT: it was damaged where it lies; store is the object. */
int state_verify (const struct tally_doc *doc, const char *store,
                  struct tally_error *err);

/* The same for one of which the store gave the first TALLY_REV_PART bytes of
 * the revision: the rest is filled in. */
int state_complete (struct tally_doc *doc, const char *store,
                    struct tally_error *err);

/* The greatest stamp that stands in the state. */
struct stamp state_newest (const struct state *state);

/* The stamp of the override of a field, or NULL. */
const struct stamp *state_override (const struct state *state,
                                    struct tally_slice field);

/* Clients whose stamps count as known only where they stand: a side that
 * was rolled back may have written anew under a name that it had before. */
struct strict {
  const uint32_t *clients;
  size_t n;
};

/* The name of what has this place. */
static inline const struct stamp *
stamp_name (const struct stamp *place, const struct stamp *first)
{
  return stamp_is_zero (first) ? place : first;
}

/* True when the write of this name stands in the state. */
bool state_holds (const struct state *state, const struct stamp *name);

/* True when the state has incorporated the write of this name: one as great
 * of the same client stands in it or was seen.  strict may be NULL. */
bool state_knows (const struct state *state, const struct stamp *name,
                  const struct strict *strict);

/* True when `state` knows every stamp that stands in `other`. */
bool state_knows_all (const struct state *state, const struct state *other,
                      const struct strict *strict);

/* True when `state` knows some stamp that stands in `other`. */
bool state_knows_any (const struct state *state, const struct state *other);

/* True when something was written over this write in `state`, or it was beaten
 * there, although its place says otherwise: a repair took that place. */
bool state_took_back (const struct state *state, const struct stamp *place,
                      const struct stamp *name);

/* True when `state` is all that a merge with `other` would make: it knows all
 * of it, and has nothing that was taken back there. */
bool state_replaces (const struct state *state, const struct state *other);

/* True when `other` has something beyond limit_ms that has not this place in
 * `state` (NULL: there is none); *known says whether it knows each of these:
 * then they were taken back. */
bool state_brings_ahead (const struct state *state, const struct state *other,
                         uint64_t limit_ms, bool *known);

/* Fills out->seen from all that `from` (n of them) hold or have seen, less
 * what stands in *out, and out->undone.  False: out of memory. */
bool state_build_seen (struct state *out, const struct state *const *from,
                       size_t n);

/* Walks the fields of a body and its overrides together in key order. */
struct field {
  struct tally_slice key;
  struct tally_slice value; /* data NULL: absent */
  struct stamp stamp, first;
  bool is_override;
};

struct field_cursor {
  const struct state *state;
  struct tally_slice rest;
  struct tally_slice key, value; /* the body's next member */
  bool has_member;
  size_t next_override;
};

void field_cursor_start (struct field_cursor *cursor,
                         const struct state *state);

/* The next field but _id; false at the end. */
bool field_cursor_next (struct field_cursor *cursor, struct field *field);

#endif /* TALLY_STATE_H */
