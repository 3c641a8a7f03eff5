/* SPDX-License-Identifier: MIT */
/* Sets of documents as sums.  Each live document has a fingerprint, and a
 * collection's digest is their sum, as driver.h lays it out: it can be kept up
 * with each write, and equal digests mean equal sets.  digest.h adds and
 * subtracts them.  Pure. */

#ifndef TALLY_FINGERPRINT_H
#define TALLY_FINGERPRINT_H

#include <stdbool.h>

#include <tally/driver.h>

/* The fingerprint of a live document.  Tombstones have none: for those who
 * compare they are not there. */
void fingerprint_make (const struct tally_slice *id, const unsigned char *rev,
                       unsigned char *out);

/* Adds a document by its header, if it is live. */
void digest_add_doc (struct tally_digest *digest, const struct tally_doc *doc);

/* Whether both are of the same set; seq does not count. */
bool digest_equal (const struct tally_digest *a, const struct tally_digest *b);

#endif /* TALLY_FINGERPRINT_H */
