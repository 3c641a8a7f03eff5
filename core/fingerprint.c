/* SPDX-License-Identifier: MIT */
/* The sum has 512 bits because anybody may choose documents: at 128 bits two
 * different sets of one sum were found in a second (Wagner's generalized
 * birthday).  The counters estimate how much differs, as Alon, Matias and
 * Szegedy showed in "The space complexity of approximating the frequency
 * moments" (1996): the difference of two counters is a random walk whose steps
 * are the documents that differ. */

#include <config.h>

#include <string.h>

#include <sodium.h>

#include <tally/digest.h>

#include "fingerprint.h"

#define SUM TALLY_DIGEST_SUM_SIZE
#define SIGNS (TALLY_FINGERPRINT_SIZE - SUM)

#if TALLY_REV_SIZE - TALLY_STAMP_SIZE != SIGNS \
    || SIGNS * 8 != TALLY_DIGEST_COUNTERS
#error "a revision's hash has one bit for each counter"
#endif

/* The signs are the hash in the revision: it is of (id, state), too, and no
 * guess at the size of a difference need resist those who choose documents.
 * The name that makes it another hash than all others is where it costs
 * nothing: a key would be a block of its own. */
void
fingerprint_make (const struct tally_slice *id, const unsigned char *rev,
                  unsigned char *out)
{
  static const unsigned char name[crypto_generichash_blake2b_PERSONALBYTES] =
      "tally print";
  crypto_generichash_blake2b_state hash;

  crypto_generichash_blake2b_init_salt_personal (&hash, NULL, 0, SUM, NULL,
                                                 name);
  crypto_generichash_blake2b_update (&hash, rev, TALLY_REV_SIZE);
  crypto_generichash_blake2b_update (&hash, (const unsigned char *) id->data,
                                     id->size);
  crypto_generichash_blake2b_final (&hash, out, SUM);
  memcpy (out + SUM, rev + TALLY_STAMP_SIZE, SIGNS);
}

void
digest_add_doc (struct tally_digest *digest, const struct tally_doc *doc)
{
  unsigned char fingerprint[TALLY_FINGERPRINT_SIZE];

  if (doc->flags & TALLY_DOC_DELETED)
    return;
  fingerprint_make (&doc->id, doc->rev, fingerprint);
  tally_digest_add (digest, fingerprint);
}

bool
digest_equal (const struct tally_digest *a, const struct tally_digest *b)
{
  return a->count == b->count && memcmp (a->sum, b->sum, SUM) == 0
         && memcmp (a->counters, b->counters, sizeof a->counters) == 0;
}
