/* SPDX-License-Identifier: MIT */
/* JSON around documents, as it came in.  Only the extents of what is in it are
 * looked for, so that a document may be as deep there as elsewhere, and one
 * that is no JSON spoils no other. */

#ifndef TALLY_ENVELOPE_H
#define TALLY_ENVELOPE_H

#include <stdbool.h>

#include <tally/driver.h>

/* Told of a member: the key with its quotes, and the value, which may be
 * anything.  Returns a status; but for TALLY_OK it is the last. */
typedef int envelope_member_fn (void *ctx, struct tally_slice key,
                                struct tally_slice value,
                                struct tally_error *err);

/* The members of the one object that is in the text.  TALLY_INVALID: there is
 * something else. */
int envelope_members (struct tally_slice text, envelope_member_fn *member,
                      void *ctx, struct tally_error *err);

/* The elements of an array that was the value of a member, which `rest` begins
 * as. */
struct envelope_items {
  struct tally_slice rest;
  bool begun;
};

/* TALLY_NOTFOUND: that was all. */
int envelope_next (struct envelope_items *items, struct tally_slice *element,
                   struct tally_error *err);

#endif /* TALLY_ENVELOPE_H */
