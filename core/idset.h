/* SPDX-License-Identifier: MIT */
/* A set of what a few parts name (a collection and an id, say), each with a
 * byte of flags.  It holds keyed hashes, 16 bytes for each, and none of the
 * names, so that millions of them fit. */

#ifndef TALLY_IDSET_H
#define TALLY_IDSET_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/driver.h>

#define IDSET_KEY 16
#define IDSET_FLAGS 0x7f /* the flags that are the caller's */

struct idset {
  unsigned char (*slots)[16]; /* the hash, and the flags in the last byte */
  size_t capacity;            /* a power of two, or 0 */
  size_t count;
  unsigned char key[IDSET_KEY];
};

#define IDSET_INIT \
  {                \
    0              \
  }

/* The flags of what these parts name, or NULL: it is not there.  Good until
 * the next idset_add. */
unsigned char *idset_find (const struct idset *set,
                           const struct tally_slice *parts, size_t n);

/* The same; it is there from now on.  NULL: out of memory. */
unsigned char *idset_add (struct idset *set, const struct tally_slice *parts,
                          size_t n);

void idset_free (struct idset *set);

#endif /* TALLY_IDSET_H */
