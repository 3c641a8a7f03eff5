/* SPDX-License-Identifier: MIT */
/* What the functions of tally.h share: an error that may be NULL, and structs
 * of callers that know fewer members. */

#ifndef TALLY_PUBLIC_H
#define TALLY_PUBLIC_H

#include <string.h>

#include <tally/tally.h>

/* The caller's error, or one of ours when it gave none. */
#define PUBLIC_ERROR(err) ((err) ? (err) : &(struct tally_error){ 0 })

/* Copies what both sides know of a struct; the rest stays zero. */
static inline void
public_copy (void *out, size_t out_size, const void *in, size_t in_size)
{
  if (in)
    memcpy (out, in, in_size < out_size ? in_size : out_size);
}

#endif /* TALLY_PUBLIC_H */
